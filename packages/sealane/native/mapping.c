/*
 * A mapped range as an external ArrayBuffer. Owns the range until nobody can hold its addresses.
 *
 * An address must not be reused while anything may still read or write through it: Node.js hands raw addresses to system
 * calls and threads, and keeps only the ArrayBuffer object alive meanwhile. So closing detaches the ArrayBuffer (views in
 * JavaScript are empty) and puts inaccessible memory over the range (the file is let go, calls in flight fail with
 * EFAULT), and the range is unmapped only when three things came true:
 *   closed   the handle was closed, or collected;
 *   object   the ArrayBuffer object was collected, so nothing in flight uses its address;
 *   store    V8 freed the backing store, so nobody who took it over (buffer.transfer()) uses it either.
 * Ranges that wait like this lie side by side and merge, so they hardly count against vm.max_map_count.
 *
 * At the end of an environment Node.js says "store" in any case. A buffer that was transferred and then posted to another
 * thread is the one thing that may live on; src/os/mapping.ts warns of it, as Node-API can't tell.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "guard.h"
#include "range.h"
#include "seam.h"

/* The kernel's limit for a name of a memfd, and the room that seam_text needs. */
#define NAME_CAPACITY (249 + 5)

/* Written at a time: as much as a large page has. */
#define ZERO_BYTES (2u << 20)

struct mapping {
    uint32_t kind;
    struct range range;
    /* Of a range whose writes are survived, as long as its file is mapped. */
    struct guard *guard;
    size_t length;
    /* Weak: answers the ArrayBuffer until it is collected. */
    napi_ref buffer;
    /* There is an ArrayBuffer, so that `object_done` and `store_done` must come true. */
    bool made;
    bool closed;
    bool object_done;
    bool store_done;
    /* The handle was collected: JavaScript can't call with it any more. */
    bool collected;
    /* The range was given back, or is kept. */
    bool ended;
    /* Nobody will say when the ArrayBuffer is collected: the addresses are never given back. */
    bool kept;
    /* Node.js failed to make an ArrayBuffer and may yet call on_store_freed: the struct is never freed. */
    bool failed;
};

static void end_guard(struct mapping *mapping) {
    if (mapping->guard != NULL) guard_end(mapping->guard);
    mapping->guard = NULL;
}

static void unmap(struct mapping *mapping) {
    end_guard(mapping);
    range_unmap(&mapping->range);
}

/* After every step of its life: gives back what can be given back. The mapping may be gone afterwards. */
static void settle(struct mapping *mapping) {
    bool unseen = !mapping->made || (mapping->object_done && mapping->store_done);
    if (!mapping->ended && unseen && (mapping->closed || mapping->collected)) {
        mapping->ended = true;
        if (!mapping->kept) unmap(mapping);
    }
    if (mapping->ended && mapping->collected && !mapping->failed) free(mapping);
}

static void on_handle_collected(napi_env env, void *data, void *hint) {
    struct mapping *mapping = data;
    (void)env;
    (void)hint;
    mapping->collected = true;
    settle(mapping);
}

static void on_object_collected(napi_env env, void *data, void *hint) {
    struct mapping *mapping = data;
    (void)hint;
    napi_delete_reference(env, mapping->buffer);
    mapping->buffer = NULL;
    mapping->object_done = true;
    settle(mapping);
}

/* The ArrayBuffer if it was neither collected nor detached. */
static napi_value live_buffer(napi_env env, struct mapping *mapping) {
    napi_value buffer = NULL;
    bool detached = true;
    if (mapping->buffer == NULL || napi_get_reference_value(env, mapping->buffer, &buffer) != napi_ok || buffer == NULL) {
        return NULL;
    }
    if (napi_is_detached_arraybuffer(env, buffer, &detached) != napi_ok) return NULL;
    return detached ? NULL : buffer;
}

static void on_store_freed(napi_env env, void *data, void *hint) {
    struct mapping *mapping = hint;
    (void)env;
    (void)data;
    mapping->store_done = true;
    if (mapping->made) settle(mapping);
}

static struct mapping *new_mapping(size_t length) {
    struct mapping *mapping = calloc(1, sizeof *mapping);
    if (mapping == NULL) return NULL;
    mapping->kind = SEAM_MAPPING;
    mapping->length = length;
    return mapping;
}

static void free_new(struct mapping *mapping) {
    if (mapping->range.base != NULL) unmap(mapping);
    free(mapping);
}

/* Bytes past the end of a file fault when they are touched. Other kinds of file know no end. */
static bool check_end(struct seam_call *call, int fd, uint64_t offset, uint64_t length) {
    struct statx status;
    if (!seam_stat(fd, &status)) {
        seam_throw(call->env, errno, "statx");
        return false;
    }
    if (!S_ISREG(status.stx_mode) || (offset <= status.stx_size && length <= status.stx_size - offset)) return true;
    seam_throw_type(call->env, "offset %llu and length %llu reach past the end of the file, which has %llu bytes",
                    (unsigned long long)offset, (unsigned long long)length, (unsigned long long)status.stx_size);
    return false;
}

static bool length_argument(struct seam_call *call, size_t index, uint64_t *length) {
    if (!seam_integer(call, index, "length", SEAM_MAX_INTEGER, length)) return false;
    if (*length > 0) return true;
    seam_throw_type(call->env, "length must be 1 at least");
    return false;
}

/* False: errno says why not. */
static bool begin_guard(struct mapping *mapping, int fd, size_t block) {
    int own = seam_duplicate(fd);
    if (own == -1) return false;
    mapping->guard = guard_begin(&mapping->range, own, block);
    if (mapping->guard != NULL) return true;
    int error = errno;
    close(own);
    errno = error;
    return false;
}

/* The mapping is JavaScript's from now on, or there is none. */
static napi_value hand_over(napi_env env, struct mapping *mapping) {
    napi_value handle = seam_handle(env, mapping, on_handle_collected);
    if (handle != NULL) return handle;
    free_new(mapping);
    return seam_throw(env, ENOMEM, "malloc");
}

static napi_value map_file(struct seam_call *call, enum range_kind kind, bool populate) {
    napi_env env = call->env;
    int fd;
    uint64_t offset, length;
    if (!seam_fd(call, 0, &fd) || !seam_integer(call, 1, "offset", SEAM_MAX_INTEGER, &offset) ||
        !length_argument(call, 2, &length) || !check_end(call, fd, offset, length)) {
        return NULL;
    }
    struct mapping *mapping = new_mapping(length);
    if (mapping == NULL) return seam_throw(env, ENOMEM, "malloc");
    if (!range_map(&mapping->range, fd, offset, length, kind)) {
        int error = errno;
        free_new(mapping);
        return seam_throw(env, error, "mmap");
    }
    if (populate) range_populate_read(&mapping->range);
    return hand_over(env, mapping);
}

static napi_value map_private(napi_env env, napi_callback_info info) {
    struct seam_call call;
    bool populate;
    if (!seam_begin(env, info, &call) || !seam_bool(&call, 3, "populate", &populate)) return NULL;
    return map_file(&call, RANGE_PRIVATE, populate);
}

static napi_value map_shared(napi_env env, napi_callback_info info) {
    struct seam_call call;
    return seam_begin(env, info, &call) ? map_file(&call, RANGE_SHARED, false) : NULL;
}

static napi_value map_read_only(napi_env env, napi_callback_info info) {
    struct seam_call call;
    bool populate;
    if (!seam_begin(env, info, &call) || !seam_bool(&call, 3, "populate", &populate)) return NULL;
    return map_file(&call, RANGE_READ_ONLY, populate);
}

/* All of a file from its begin on, for reading only, in blocks. */
static napi_value map_guarded(napi_env env, napi_callback_info info) {
    struct seam_call call;
    int fd;
    uint64_t length, block;
    if (!seam_begin(env, info, &call) || !seam_fd(&call, 0, &fd) || !length_argument(&call, 1, &length) ||
        !seam_integer(&call, 2, "block", SEAM_MAX_INTEGER, &block) || !check_end(&call, fd, 0, length)) {
        return NULL;
    }
    if (block == 0 || block > length) return seam_throw_type(env, "block must be from 1 to length");
    struct mapping *mapping = new_mapping(length);
    if (mapping == NULL) return seam_throw(env, ENOMEM, "malloc");
    const char *step = range_map(&mapping->range, fd, 0, length, RANGE_READ_ONLY) ? "fcntl" : "mmap";
    if (mapping->range.base != NULL && begin_guard(mapping, fd, block)) return hand_over(env, mapping);
    int error = errno;
    free_new(mapping);
    return seam_throw(env, error, step);
}

struct populate_job {
    struct seam_job job;
    char name[NAME_CAPACITY];
    int fd;
    struct mapping *mapping;
};

/*
 * Has the kernel allocate the pages by writing zeros. Faults would do as well, but write(2) allocates in larger pieces where
 * the kernel can, which halves what the later unmapping costs, and does not hold the lock of the address space.
 */
static bool write_zeros(int fd, uint64_t length) {
    /* Never written. Not const: a constant would take its room in the library's file. */
    static uint8_t zeros[ZERO_BYTES];
    for (uint64_t done = 0; done < length;) {
        size_t wanted = length - done < ZERO_BYTES ? (size_t)(length - done) : ZERO_BYTES;
        ssize_t written = pwrite(fd, zeros, wanted, (off_t)done);
        if (written == -1 && errno != EINTR) return false;
        if (written > 0) done += (uint64_t)written;
    }
    return true;
}

static const char *make_populated(struct populate_job *self) {
    struct mapping *mapping = self->mapping;
    self->fd = seam_memfd(self->name);
    if (self->fd == -1) return "memfd_create";
    /* Mapped first: a size for which there are no addresses fails here, before it uses up the memory of the machine. */
    if (!range_map(&mapping->range, self->fd, 0, mapping->length, RANGE_SHARED)) return "mmap";
    if (!write_zeros(self->fd, mapping->length)) return "pwrite";
    if (!range_populate_write(&mapping->range)) return "madvise";
    range_settle(&mapping->range);
    return NULL;
}

static void populate_execute(struct seam_job *job) {
    job->syscall = make_populated((struct populate_job *)job);
    if (job->syscall != NULL) job->error = errno;
}

/* Hands both over to JavaScript, or none, as when the environment has ended meanwhile. */
static napi_value populate_result(napi_env env, struct seam_job *job) {
    struct populate_job *self = (struct populate_job *)job;
    napi_value pair;
    if (job->seam->ended) return NULL;
    if (napi_create_array_with_length(env, 2, &pair) != napi_ok) return NULL;
    if (napi_set_element(env, pair, 0, seam_number(env, self->fd)) != napi_ok) return NULL;
    napi_value handle = seam_handle(env, self->mapping, on_handle_collected);
    if (handle == NULL) return NULL;
    self->mapping = NULL;
    seam_own(job->seam, self->fd);
    self->fd = -1;
    napi_set_element(env, pair, 1, handle);
    return pair;
}

static void populate_dispose(struct seam_job *job) {
    struct populate_job *self = (struct populate_job *)job;
    if (self->mapping != NULL) free_new(self->mapping);
    if (self->fd != -1) close(self->fd);
    free(self);
}

static napi_value map_populated(napi_env env, napi_callback_info info) {
    struct seam_call call;
    uint64_t length;
    struct populate_job *self = calloc(1, sizeof *self);
    if (self == NULL) return seam_throw(env, ENOMEM, "malloc");
    self->job = (struct seam_job){.execute = populate_execute, .result = populate_result, .dispose = populate_dispose};
    self->fd = -1;
    if (!seam_begin(env, info, &call) || !seam_text(&call, 0, "name", self->name, sizeof self->name) ||
        !length_argument(&call, 1, &length)) {
        free(self);
        return NULL;
    }
    self->mapping = new_mapping(length);
    if (self->mapping != NULL) return seam_job_start(&call, &self->job, NULL);
    free(self);
    return seam_throw(env, ENOMEM, "malloc");
}

static struct mapping *mapping_argument(struct seam_call *call) {
    struct mapping *mapping = seam_object(call, 0, SEAM_MAPPING);
    if (mapping == NULL || !mapping->closed) return mapping;
    seam_throw_type(call->env, "the mapping is closed");
    return NULL;
}

/* Huge pages are asked for before any is allocated. Answers whether the kernel took the advice. */
static napi_value mapping_prepare(napi_env env, napi_callback_info info) {
    struct seam_call call;
    bool huge, populate, lock;
    if (!seam_begin(env, info, &call) || !seam_bool(&call, 1, "hugePages", &huge) ||
        !seam_bool(&call, 2, "populate", &populate) || !seam_bool(&call, 3, "lock", &lock)) {
        return NULL;
    }
    struct mapping *mapping = mapping_argument(&call);
    if (mapping == NULL) return NULL;
    bool advised = huge && range_advise_huge(&mapping->range);
    if (populate && !range_populate_write(&mapping->range)) return seam_throw(env, errno, "madvise");
    if (lock && !range_lock(&mapping->range)) return seam_throw(env, errno, "mlock");
    return seam_boolean(env, advised);
}

static napi_value mapping_buffer(napi_env env, napi_callback_info info) {
    struct seam_call call;
    if (!seam_begin(env, info, &call)) return NULL;
    struct mapping *mapping = mapping_argument(&call);
    if (mapping == NULL) return NULL;
    if (mapping->made || mapping->failed) return seam_throw_type(env, "the mapping had its ArrayBuffer made before");
    napi_value buffer;
    uint8_t *data = mapping->range.base + mapping->range.inside;
    napi_status status = napi_create_external_arraybuffer(env, data, mapping->length, on_store_freed, mapping, &buffer);
    if (status == napi_no_external_buffers_allowed) return NULL;
    /* A failure that is no exception yet is one of memory. */
    mapping->failed = status != napi_ok;
    if (mapping->failed) return seam_throw(env, ENOMEM, "napi_create_external_arraybuffer");
    mapping->made = true;
    if (napi_add_finalizer(env, buffer, mapping, on_object_collected, NULL, &mapping->buffer) == napi_ok) return buffer;
    mapping->kept = true;
    return buffer;
}

/* How many blocks were written into; scratch: which, the first of them first, as many as the guard tells. */
static napi_value mapping_restore(napi_env env, napi_callback_info info) {
    struct seam_call call;
    size_t blocks[GUARD_BLOCKS];
    if (!seam_begin(env, info, &call)) return NULL;
    struct mapping *mapping = mapping_argument(&call);
    if (mapping == NULL) return NULL;
    if (mapping->guard == NULL) return seam_throw_type(env, "the mapping has no guard");
    int count = guard_restore(mapping->guard, blocks);
    if (count == -1) return seam_throw(env, errno, "mmap");
    for (int i = 0; i < count; i++) call.seam->scratch[i] = (double)blocks[i];
    return seam_number(env, count);
}

static napi_value mapping_close(napi_env env, napi_callback_info info) {
    struct seam_call call;
    if (!seam_begin(env, info, &call)) return NULL;
    struct mapping *mapping = mapping_argument(&call);
    if (mapping == NULL) return NULL;
    mapping->closed = true;
    napi_value buffer = live_buffer(env, mapping);
    if (buffer != NULL && napi_detach_arraybuffer(env, buffer) == napi_ok) {
        end_guard(mapping);
        range_cover(&mapping->range);
    }
    settle(mapping);
    return NULL;
}

const struct seam_entry mapping_entries[] = {
    {"mapPrivate", map_private},
    {"mapShared", map_shared},
    {"mapReadOnly", map_read_only},
    {"mapGuarded", map_guarded},
    {"mapPopulated", map_populated},
    {"mappingPrepare", mapping_prepare},
    {"mappingBuffer", mapping_buffer},
    {"mappingRestore", mapping_restore},
    {"mappingClose", mapping_close},
    {NULL, NULL},
};
