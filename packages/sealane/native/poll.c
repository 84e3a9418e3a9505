/*
 * uv_poll: readiness of a descriptor on the event loop. A poll is shared by its handle in JavaScript and by libuv, and
 * freed when both let go. When the environment ends all open polls are closed: libuv aborts a worker that leaves one open.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "seam.h"
#include "uv_abi.h"

struct seam_poll {
    uint32_t kind;
    /* Holders: the handle in JavaScript, libuv. */
    unsigned holders;
    /* UV_READABLE | UV_WRITABLE */
    int wanted;
    bool closing;
    uv_poll_t *handle;
    napi_env env;
    napi_ref callback;
    napi_async_context context;
    struct seam_env *seam;
    struct seam_poll *previous, *next;
};

static void let_go(struct seam_poll *poll) {
    if (--poll->holders == 0) free(poll);
}

static void link_poll(struct seam_poll *poll) {
    poll->next = poll->seam->polls;
    if (poll->next != NULL) poll->next->previous = poll;
    poll->seam->polls = poll;
    seam_env_retain(poll->seam);
}

static void unlink_poll(struct seam_poll *poll) {
    if (poll->next != NULL) poll->next->previous = poll->previous;
    if (poll->previous != NULL) poll->previous->next = poll->next;
    if (poll->seam->polls == poll) poll->seam->polls = poll->next;
    seam_env_release(poll->seam);
}

/* The end of the environment waits until libuv has let go of the last poll. */
static void finish_hook(struct seam_env *seam) {
    if (!seam->ended || seam->polls != NULL || seam->polls_hook == NULL) return;
    napi_remove_async_cleanup_hook(seam->polls_hook);
    seam->polls_hook = NULL;
}

static void on_closed(uv_handle_t *handle) {
    struct seam_poll *poll = uv_handle_get_data(handle);
    struct seam_env *seam = poll->seam;
    seam_env_retain(seam);
    unlink_poll(poll);
    free(handle);
    let_go(poll);
    finish_hook(seam);
    seam_env_release(seam);
}

static void close_poll(struct seam_poll *poll) {
    if (poll->closing) return;
    poll->closing = true;
    uv_poll_stop(poll->handle);
    napi_delete_reference(poll->env, poll->callback);
    napi_async_destroy(poll->env, poll->context);
    uv_close((uv_handle_t *)poll->handle, on_closed);
}

static void on_env_end(napi_async_cleanup_hook_handle handle, void *data) {
    struct seam_env *seam = data;
    (void)handle;
    seam->ended = true;
    for (struct seam_poll *poll = seam->polls; poll != NULL; poll = poll->next) close_poll(poll);
    finish_hook(seam);
}

/* An exception in the callback is an uncaught exception. None is left where the environment is being terminated. */
static void report_exception(napi_env env) {
    bool pending = false;
    napi_value error;
    if (napi_is_exception_pending(env, &pending) != napi_ok || !pending) return;
    if (napi_get_and_clear_last_exception(env, &error) == napi_ok) napi_fatal_exception(env, error);
}

static void call_back(struct seam_poll *poll, int events) {
    napi_env env = poll->env;
    napi_value receiver, callback, arguments[2];
    if (napi_get_global(env, &receiver) != napi_ok || napi_get_reference_value(env, poll->callback, &callback) != napi_ok) return;
    arguments[0] = seam_boolean(env, events & UV_READABLE);
    arguments[1] = seam_boolean(env, events & UV_WRITABLE);
    if (napi_make_callback(env, poll->context, receiver, callback, 2, arguments, NULL) != napi_ok) report_exception(env);
}

/*
 * libuv stops a poll that meets POLLERR and reports EBADF; a socket reports a reset that way. The owner finds out by
 * reading or writing, so it is told that it may do both, and the poll goes on for as long as it is wanted.
 */
static void on_ready(uv_poll_t *handle, int status, int events) {
    struct seam_poll *poll = uv_handle_get_data((uv_handle_t *)handle);
    napi_env env = poll->env;
    napi_handle_scope scope;
    if (poll->closing || napi_open_handle_scope(env, &scope) != napi_ok) return;
    if (status < 0) {
        events = poll->wanted;
        uv_poll_start(handle, poll->wanted, on_ready);
    }
    call_back(poll, events);
    napi_close_handle_scope(env, scope);
}

static void on_collected(napi_env env, void *data, void *hint) {
    (void)env;
    (void)hint;
    let_go(data);
}

/* What the poll keeps in JavaScript: its callback, and the context in which that runs. */
static bool make_references(struct seam_call *call, struct seam_poll *poll) {
    napi_env env = call->env;
    napi_value name;
    if (napi_create_string_utf8(env, "SealaneWatcher", NAPI_AUTO_LENGTH, &name) != napi_ok) return false;
    if (napi_create_reference(env, call->argv[1], 1, &poll->callback) != napi_ok) return false;
    if (napi_async_init(env, NULL, name, &poll->context) == napi_ok) return true;
    napi_delete_reference(env, poll->callback);
    return false;
}

/* Makes the poll known to libuv. Answers a negative error number of libuv's, or 0. */
static int start_poll(struct seam_call *call, struct seam_poll *poll, int fd) {
    struct uv_loop_s *loop;
    if (napi_get_uv_event_loop(call->env, &loop) != napi_ok) return -ENOTSUP;
    if (call->seam->polls_hook == NULL &&
        napi_add_async_cleanup_hook(call->env, on_env_end, call->seam, &call->seam->polls_hook) != napi_ok) {
        return -ENOMEM;
    }
    int error = uv_poll_init(loop, poll->handle, fd);
    if (error == 0) uv_handle_set_data((uv_handle_t *)poll->handle, poll);
    return error;
}

static void free_poll(struct seam_poll *poll) {
    if (poll == NULL) return;
    free(poll->handle);
    free(poll);
}

static struct seam_poll *new_poll(struct seam_call *call) {
    struct seam_poll *poll = calloc(1, sizeof *poll);
    if (poll == NULL) return NULL;
    poll->kind = SEAM_POLL;
    poll->env = call->env;
    poll->seam = call->seam;
    poll->handle = calloc(1, uv_handle_size(UV_POLL));
    if (poll->handle != NULL && make_references(call, poll)) return poll;
    free_poll(poll);
    return NULL;
}

static napi_value poll_open(napi_env env, napi_callback_info info) {
    struct seam_call call;
    napi_valuetype type;
    int fd;
    if (!seam_begin(env, info, &call) || !seam_fd(&call, 0, &fd)) return NULL;
    if (napi_typeof(env, call.argv[1], &type) != napi_ok || type != napi_function) {
        return seam_throw_type(env, "onReady must be a function");
    }
    struct seam_poll *poll = new_poll(&call);
    if (poll == NULL) return seam_throw(env, ENOMEM, "malloc");
    int error = start_poll(&call, poll, fd);
    if (error != 0) {
        napi_delete_reference(env, poll->callback);
        napi_async_destroy(env, poll->context);
        free_poll(poll);
        return seam_throw(env, -error, "uv_poll_init");
    }
    link_poll(poll);
    poll->holders = 2;
    napi_value handle = seam_handle(env, poll, on_collected);
    if (handle != NULL) return handle;
    poll->holders = 1;
    close_poll(poll);
    return seam_throw(env, ENOMEM, "malloc");
}

static struct seam_poll *poll_argument(struct seam_call *call) {
    struct seam_poll *poll = seam_object(call, 0, SEAM_POLL);
    if (poll == NULL || !poll->closing) return poll;
    seam_throw_type(call->env, "the poll is closed");
    return NULL;
}

static napi_value poll_want(napi_env env, napi_callback_info info) {
    struct seam_call call;
    bool readable, writable;
    if (!seam_begin(env, info, &call) || !seam_bool(&call, 1, "readable", &readable) ||
        !seam_bool(&call, 2, "writable", &writable)) {
        return NULL;
    }
    struct seam_poll *poll = poll_argument(&call);
    if (poll == NULL) return NULL;
    poll->wanted = (readable ? UV_READABLE : 0) | (writable ? UV_WRITABLE : 0);
    int error = poll->wanted == 0 ? uv_poll_stop(poll->handle) : uv_poll_start(poll->handle, poll->wanted, on_ready);
    return error == 0 ? NULL : seam_throw(env, -error, "uv_poll_start");
}

static napi_value poll_ref(napi_env env, napi_callback_info info) {
    struct seam_call call;
    bool hold;
    if (!seam_begin(env, info, &call) || !seam_bool(&call, 1, "hold", &hold)) return NULL;
    struct seam_poll *poll = poll_argument(&call);
    if (poll == NULL) return NULL;
    (hold ? uv_ref : uv_unref)((uv_handle_t *)poll->handle);
    return NULL;
}

static napi_value poll_close(napi_env env, napi_callback_info info) {
    struct seam_call call;
    if (!seam_begin(env, info, &call)) return NULL;
    struct seam_poll *poll = seam_object(&call, 0, SEAM_POLL);
    if (poll != NULL) close_poll(poll);
    return NULL;
}

/*
 * uv_poll makes what it watches non-blocking, for all who share the descriptor. An epoll descriptor is readable while what it
 * watches is, and can be watched in its place. EPERM: the file is always ready, as regular ones are.
 */
static napi_value epoll_open(napi_env env, napi_callback_info info) {
    struct seam_call call;
    struct epoll_event event = {.events = EPOLLIN};
    int fd;
    if (!seam_begin(env, info, &call) || !seam_fd(&call, 0, &fd)) return NULL;
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll == -1) return seam_throw(env, errno, "epoll_create1");
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0) {
        seam_own(call.seam, epoll);
        return seam_number(env, epoll);
    }
    int error = errno;
    close(epoll);
    return error == EPERM ? seam_number(env, -1) : seam_throw(env, error, "epoll_ctl");
}

const struct seam_entry poll_entries[] = {
    {"pollOpen", poll_open},   {"pollWant", poll_want},   {"pollRef", poll_ref},
    {"pollClose", poll_close}, {"epollOpen", epoll_open}, {NULL, NULL},
};
