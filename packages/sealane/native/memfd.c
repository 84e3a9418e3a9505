/*
 * memfd_create(2): anonymous memory with a descriptor, its content, its size, its seals. A descriptor that is made here
 * goes on the environment's record; on every error it is closed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "seam.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

/* The kernel's limit for a name, and the room that seam_text needs. */
#define NAME_CAPACITY (249 + 5)

/* Kernels before 6.3 refuse MFD_NOEXEC_SEAL with EINVAL; one that did is not asked again. */
static atomic_bool lacks_noexec;

int seam_memfd(const char *name) {
    const unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
    if (!atomic_load_explicit(&lacks_noexec, memory_order_relaxed)) {
        int fd = memfd_create(name, flags | MFD_NOEXEC_SEAL);
        if (fd != -1 || errno != EINVAL) return fd;
    }
    int fd = memfd_create(name, flags);
    if (fd != -1) atomic_store_explicit(&lacks_noexec, true, memory_order_relaxed);
    return fd;
}

bool seam_write_all(int fd, const uint8_t *data, size_t length, uint64_t offset) {
    while (length > 0) {
        ssize_t written = pwrite(fd, data, length, (off_t)offset);
        if (written == -1 && errno == EINTR) continue;
        if (written == 0) errno = EIO;
        if (written <= 0) return false;
        data += written;
        length -= (size_t)written;
        offset += (uint64_t)written;
    }
    return true;
}

/* Reads until `length` bytes or the end; -1 on an error. */
ptrdiff_t seam_read_some(int fd, uint8_t *into, size_t length, uint64_t offset) {
    size_t done = 0;
    while (done < length) {
        ssize_t count = pread(fd, into + done, length - done, (off_t)(offset + done));
        if (count == -1 && errno == EINTR) continue;
        if (count == -1) return -1;
        if (count == 0) break;
        done += (size_t)count;
    }
    return (ptrdiff_t)done;
}

static bool resize(int fd, uint64_t size) {
    int result;
    do result = ftruncate(fd, (off_t)size);
    while (result == -1 && errno == EINTR);
    return result == 0;
}

static napi_value close_and_throw(napi_env env, int fd, const char *syscall) {
    int error = errno;
    close(fd);
    return seam_throw(env, error, syscall);
}

static napi_value keep(struct seam_call *call, int fd) {
    seam_own(call->seam, fd);
    return seam_number(call->env, fd);
}

static napi_value memfd_create_call(napi_env env, napi_callback_info info) {
    struct seam_call call;
    char name[NAME_CAPACITY];
    uint64_t size;
    if (!seam_begin(env, info, &call) || !seam_text(&call, 0, "name", name, sizeof name) ||
        !seam_integer(&call, 1, "size", SEAM_MAX_INTEGER, &size)) {
        return NULL;
    }
    int fd = seam_memfd(name);
    if (fd == -1) return seam_throw(env, errno, "memfd_create");
    if (size > 0 && !resize(fd, size)) return close_and_throw(env, fd, "ftruncate");
    return keep(&call, fd);
}

/* write(2) and not a mapping: filling new memory through one costs more than twice as much. */
static napi_value memfd_sealed(napi_env env, napi_callback_info info) {
    struct seam_call call;
    char name[NAME_CAPACITY];
    uint8_t *data;
    size_t length;
    uint64_t seals;
    if (!seam_begin(env, info, &call) || !seam_text(&call, 0, "name", name, sizeof name) ||
        !seam_bytes(&call, 1, "bytes", &data, &length) || !seam_integer(&call, 2, "seals", INT32_MAX, &seals)) {
        return NULL;
    }
    int fd = seam_memfd(name);
    if (fd == -1) return seam_throw(env, errno, "memfd_create");
    if (!seam_write_all(fd, data, length, 0)) return close_and_throw(env, fd, "pwrite");
    if (!seam_seal(fd, (int)seals)) return close_and_throw(env, fd, "fcntl");
    return keep(&call, fd);
}

static bool range_arguments(struct seam_call *call, int *fd, uint8_t **data, size_t *length, uint64_t *offset) {
    if (!seam_fd(call, 0, fd) || !seam_bytes(call, 1, "bytes", data, length)) return false;
    return seam_integer(call, 2, "offset", SEAM_MAX_INTEGER, offset);
}

static napi_value memfd_write(napi_env env, napi_callback_info info) {
    struct seam_call call;
    int fd;
    uint8_t *data;
    size_t length;
    uint64_t offset;
    if (!seam_begin(env, info, &call) || !range_arguments(&call, &fd, &data, &length, &offset)) return NULL;
    if (!seam_write_all(fd, data, length, offset)) return seam_throw(env, errno, "pwrite");
    return NULL;
}

static napi_value memfd_read(napi_env env, napi_callback_info info) {
    struct seam_call call;
    int fd;
    uint8_t *data;
    size_t length;
    uint64_t offset;
    if (!seam_begin(env, info, &call) || !range_arguments(&call, &fd, &data, &length, &offset)) return NULL;
    ptrdiff_t count = seam_read_some(fd, data, length, offset);
    return count == -1 ? seam_throw(env, errno, "pread") : seam_number(env, (double)count);
}

struct write_job {
    struct seam_job job;
    int fd;
    const uint8_t *data;
    size_t length;
    uint64_t offset;
};

static void write_execute(struct seam_job *job) {
    struct write_job *self = (struct write_job *)job;
    if (seam_write_all(self->fd, self->data, self->length, self->offset)) return;
    job->error = errno;
    job->syscall = "pwrite";
}

static void write_dispose(struct seam_job *job) {
    close(((struct write_job *)job)->fd);
    free(job);
}

static napi_value memfd_write_async(napi_env env, napi_callback_info info) {
    struct seam_call call;
    struct write_job given = {.job = {.execute = write_execute, .dispose = write_dispose}};
    uint8_t *data;
    int fd;
    if (!seam_begin(env, info, &call) || !range_arguments(&call, &fd, &data, &given.length, &given.offset)) return NULL;
    struct write_job *job = malloc(sizeof *job);
    if (job == NULL) return seam_throw(env, ENOMEM, "malloc");
    given.data = data;
    given.fd = seam_duplicate(fd);
    if (given.fd == -1) {
        int error = errno;
        free(job);
        return seam_throw(env, error, "fcntl");
    }
    *job = given;
    return seam_job_start(&call, &job->job, call.argv[1]);
}

static napi_value memfd_resize(napi_env env, napi_callback_info info) {
    struct seam_call call;
    int fd;
    uint64_t size;
    if (!seam_begin(env, info, &call) || !seam_fd(&call, 0, &fd) || !seam_integer(&call, 1, "size", SEAM_MAX_INTEGER, &size)) {
        return NULL;
    }
    if (!resize(fd, size)) return seam_throw(env, errno, "ftruncate");
    return NULL;
}

const struct seam_entry memfd_entries[] = {
    {"memfdCreate", memfd_create_call},
    {"memfdSealed", memfd_sealed},
    {"memfdWrite", memfd_write},
    {"memfdWriteAsync", memfd_write_async},
    {"memfdRead", memfd_read},
    {"memfdResize", memfd_resize},
    {NULL, NULL},
};
