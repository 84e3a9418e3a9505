/*
 * A reserved range of addresses, into which files are mapped at places of its owner's choosing, and ArrayBuffers over parts of it. Owns the
 * range until nobody can hold its addresses, by the same rules as mapping.c: every ArrayBuffer object was collected, and V8 freed its store.
 * The same placing works in memory that belongs to somebody else, as that of a WebAssembly guest: then the owner keeps it alive.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "range.h"
#include "seam.h"

struct window;

/* An ArrayBuffer over a part. On its window's list as long as something may hold the addresses. */
struct view {
    /* NULL: Node.js failed to make the ArrayBuffer and may yet call on_store_freed; the struct is never freed. */
    struct window *window;
    struct view *previous;
    struct view *next;
    /* Weak: answers the ArrayBuffer until it is collected. */
    napi_ref buffer;
    bool object_done;
    bool store_done;
};

struct window {
    uint32_t kind;
    struct range range;
    struct view *views;
    bool closed;
    /* The handle was collected: JavaScript can't call with it any more. */
    bool collected;
    /* The range was given back. */
    bool ended;
};

/* After every step of its life: gives back what can be given back. The window may be gone afterwards. */
static void settle(struct window *window) {
    if (!window->ended && window->views == NULL && (window->closed || window->collected)) {
        window->ended = true;
        range_unmap(&window->range);
    }
    if (window->ended && window->collected) free(window);
}

static void link_view(struct window *window, struct view *view) {
    view->window = window;
    view->next = window->views;
    if (view->next != NULL) view->next->previous = view;
    window->views = view;
}

static void unlink_view(struct view *view) {
    if (view->next != NULL) view->next->previous = view->previous;
    if (view->previous != NULL) view->previous->next = view->next;
    else view->window->views = view->next;
}

static void settle_view(struct view *view) {
    if (!view->object_done || !view->store_done) return;
    struct window *window = view->window;
    unlink_view(view);
    free(view);
    settle(window);
}

static void on_handle_collected(napi_env env, void *data, void *hint) {
    struct window *window = data;
    (void)env;
    (void)hint;
    window->collected = true;
    settle(window);
}

static void on_object_collected(napi_env env, void *data, void *hint) {
    struct view *view = data;
    (void)hint;
    napi_delete_reference(env, view->buffer);
    view->buffer = NULL;
    view->object_done = true;
    settle_view(view);
}

static void on_store_freed(napi_env env, void *data, void *hint) {
    struct view *view = hint;
    (void)env;
    (void)data;
    view->store_done = true;
    if (view->window != NULL) settle_view(view);
}

static struct window *window_argument(struct seam_call *call) {
    struct window *window = seam_object(call, 0, SEAM_WINDOW);
    if (window == NULL || !window->closed) return window;
    seam_throw_type(call->env, "the window is closed");
    return NULL;
}

/* A part of a window, or of any memory that a Uint8Array shows. */
struct place {
    uint8_t *base;
    size_t size;
    uint64_t at;
    uint64_t length;
};

static bool target_argument(struct seam_call *call, struct place *place) {
    bool array = false;
    if (napi_is_typedarray(call->env, call->argv[0], &array) == napi_ok && array) {
        return seam_bytes(call, 0, "target", &place->base, &place->size);
    }
    struct window *window = window_argument(call);
    if (window == NULL) return false;
    place->base = window->range.base;
    place->size = window->range.span;
    return true;
}

static bool check_place(struct seam_call *call, const struct place *place) {
    if (place->length > 0 && place->at <= place->size && place->length <= place->size - place->at) return true;
    seam_throw_type(call->env, "%llu bytes at %llu are not inside of %zu", (unsigned long long)place->length,
                    (unsigned long long)place->at, place->size);
    return false;
}

/* The length argument is the last of its function; `index` is its place. */
static bool place_arguments(struct seam_call *call, size_t index, struct place *place) {
    return target_argument(call, place) && seam_integer(call, 1, "at", SEAM_MAX_INTEGER, &place->at) &&
           seam_integer(call, index, "length", SEAM_MAX_INTEGER, &place->length) && check_place(call, place);
}

/* Makes the part whole pages, which must lie inside too. */
static bool page_arguments(struct seam_call *call, size_t index, struct place *place) {
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    if (!place_arguments(call, index, place)) return false;
    place->length = (place->length + page - 1) / page * page;
    if (((uintptr_t)place->base + place->at) % page == 0) return check_place(call, place);
    seam_throw_type(call->env, "the place must be at the beginning of a page");
    return false;
}

static napi_value window_reserve(napi_env env, napi_callback_info info) {
    struct seam_call call;
    uint64_t size;
    if (!seam_begin(env, info, &call) || !seam_integer(&call, 0, "size", SEAM_MAX_INTEGER, &size)) return NULL;
    struct window *window = calloc(1, sizeof *window);
    if (window == NULL) return seam_throw(env, ENOMEM, "malloc");
    window->kind = SEAM_WINDOW;
    if (!range_reserve(&window->range, size)) {
        int error = errno;
        free(window);
        return seam_throw(env, error, "mmap");
    }
    napi_value handle = seam_handle(env, window, on_handle_collected);
    if (handle != NULL) return handle;
    range_unmap(&window->range);
    free(window);
    return seam_throw(env, ENOMEM, "malloc");
}

static napi_value window_place(napi_env env, napi_callback_info info) {
    struct seam_call call;
    struct place place;
    int fd;
    uint64_t offset, kind, length;
    if (!seam_begin(env, info, &call) || !page_arguments(&call, 4, &place) || !seam_fd(&call, 2, &fd) ||
        !seam_integer(&call, 3, "offset", SEAM_MAX_INTEGER, &offset) ||
        !seam_integer(&call, 4, "length", SEAM_MAX_INTEGER, &length) ||
        !seam_integer(&call, 5, "kind", RANGE_PRIVATE_READ_ONLY, &kind)) {
        return NULL;
    }
    if (offset % (uint64_t)sysconf(_SC_PAGESIZE) != 0) return seam_throw_type(env, "offset must be at the beginning of a page");
    if (!range_place(place.base + place.at, fd, offset, length, (enum range_kind)kind)) return seam_throw(env, errno, "mmap");
    return NULL;
}

static napi_value window_populate(napi_env env, napi_callback_info info) {
    struct seam_call call;
    struct place place;
    if (!seam_begin(env, info, &call) || !page_arguments(&call, 2, &place)) return NULL;
    range_populate_read(&(struct range){.base = place.base + place.at, .span = place.length});
    return NULL;
}

static napi_value window_clear(napi_env env, napi_callback_info info) {
    struct seam_call call;
    struct place place;
    if (!seam_begin(env, info, &call) || !page_arguments(&call, 2, &place)) return NULL;
    if (!range_clear(place.base + place.at, place.length)) return seam_throw(env, errno, "mmap");
    return NULL;
}

static napi_value drop_view(napi_env env, struct view *view, bool failed) {
    unlink_view(view);
    view->window = NULL;
    if (failed) return seam_throw(env, ENOMEM, "napi_create_external_arraybuffer");
    free(view);
    return NULL;
}

static napi_value window_view(napi_env env, napi_callback_info info) {
    struct seam_call call;
    struct place place;
    napi_value buffer;
    if (!seam_begin(env, info, &call) || !place_arguments(&call, 2, &place)) return NULL;
    struct window *window = window_argument(&call);
    if (window == NULL) return NULL;
    struct view *view = calloc(1, sizeof *view);
    if (view == NULL) return seam_throw(env, ENOMEM, "malloc");
    link_view(window, view);
    uint8_t *data = place.base + place.at;
    napi_status status = napi_create_external_arraybuffer(env, data, place.length, on_store_freed, view, &buffer);
    if (status != napi_ok) return drop_view(env, view, status != napi_no_external_buffers_allowed);
    /* Without a word about the object's end, the view stays on the list, and the addresses are never given back. */
    (void)napi_add_finalizer(env, buffer, view, on_object_collected, NULL, &view->buffer);
    return buffer;
}

/* False: somebody may use the ArrayBuffer's memory on, as after buffer.transfer(). */
static bool detach(napi_env env, struct view *view) {
    napi_value buffer = NULL;
    bool detached = true;
    if (view->buffer == NULL || napi_get_reference_value(env, view->buffer, &buffer) != napi_ok || buffer == NULL) return false;
    if (napi_is_detached_arraybuffer(env, buffer, &detached) != napi_ok || detached) return false;
    return napi_detach_arraybuffer(env, buffer) == napi_ok;
}

static napi_value window_close(napi_env env, napi_callback_info info) {
    struct seam_call call;
    if (!seam_begin(env, info, &call)) return NULL;
    struct window *window = window_argument(&call);
    if (window == NULL) return NULL;
    window->closed = true;
    bool used = false;
    for (struct view *view = window->views, *next; view != NULL; view = next) {
        next = view->next;
        if (!detach(env, view)) used = true;
    }
    if (used) (void)range_clear(window->range.base, window->range.span);
    else if (window->views != NULL) range_cover(&window->range);
    settle(window);
    return NULL;
}

static napi_value bytes_address(napi_env env, napi_callback_info info) {
    struct seam_call call;
    uint8_t *data;
    size_t length;
    if (!seam_begin(env, info, &call) || !seam_bytes(&call, 0, "bytes", &data, &length)) return NULL;
    return seam_number(env, (double)(uintptr_t)data);
}

const struct seam_entry window_entries[] = {
    {"windowReserve", window_reserve}, {"windowPlace", window_place}, {"windowPopulate", window_populate},
    {"windowClear", window_clear},     {"windowView", window_view},   {"windowClose", window_close},
    {"bytesAddress", bytes_address},   {NULL, NULL},
};
