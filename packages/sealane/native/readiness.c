/*
 * epoll(7): which of many descriptors are ready, each told by the key that its owner chose; asked or waited for by whoever has no
 * event loop, or whose loop watches the one descriptor of all. Level-triggered unless asked for. What is watched is borrowed.
 */
#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "seam.h"

/* Most keys that one call answers: the rest come with the next one, the kernel goes through them in turn. */
#define MAX_KEYS 64
/* A thread that waits in the kernel can't be terminated: no wait is longer. */
#define MAX_WAIT_MS 100

enum { READABLE = 1, WRITABLE = 2 };

_Static_assert(SEAM_SCRATCH >= 2 * MAX_KEYS, "keys and what they are ready for are reported as scratch numbers");

static napi_value readiness_open(napi_env env, napi_callback_info info) {
    struct seam_call call;
    if (!seam_begin(env, info, &call)) return NULL;
    int fd = epoll_create1(EPOLL_CLOEXEC);
    if (fd == -1) return seam_throw(env, errno, "epoll_create1");
    seam_own(call.seam, fd);
    return seam_number(env, fd);
}

/* Arguments: epoll, descriptor, key, readable, writable, edge. */
static napi_value control(napi_env env, napi_callback_info info, int operation) {
    struct seam_call call;
    struct epoll_event event = {0};
    int epoll, fd;
    uint64_t key;
    bool readable, writable, edge;
    if (!seam_begin(env, info, &call) || !seam_fd(&call, 0, &epoll) || !seam_fd(&call, 1, &fd) ||
        !seam_integer(&call, 2, "key", INT32_MAX, &key) || !seam_bool(&call, 3, "readable", &readable) ||
        !seam_bool(&call, 4, "writable", &writable) || !seam_bool(&call, 5, "edge", &edge)) {
        return NULL;
    }
    event.events = (readable ? EPOLLIN : 0u) | (writable ? EPOLLOUT : 0u) | (edge ? EPOLLET : 0u);
    event.data.u32 = (uint32_t)key;
    return epoll_ctl(epoll, operation, fd, &event) == -1 ? seam_throw(env, errno, "epoll_ctl") : NULL;
}

static napi_value readiness_add(napi_env env, napi_callback_info info) { return control(env, info, EPOLL_CTL_ADD); }

static napi_value readiness_change(napi_env env, napi_callback_info info) { return control(env, info, EPOLL_CTL_MOD); }

static napi_value readiness_remove(napi_env env, napi_callback_info info) {
    struct seam_call call;
    struct epoll_event unused = {0};
    int epoll, fd;
    if (!seam_begin(env, info, &call) || !seam_fd(&call, 0, &epoll) || !seam_fd(&call, 1, &fd)) return NULL;
    return epoll_ctl(epoll, EPOLL_CTL_DEL, fd, &unused) == -1 ? seam_throw(env, errno, "epoll_ctl") : NULL;
}

/* The owner finds an error, or the end, by reading or writing: whichever it does, it shall not wait for more. */
static int ready_for(uint32_t events) {
    if (events & (EPOLLERR | EPOLLHUP)) return READABLE | WRITABLE;
    return (events & EPOLLIN ? READABLE : 0) | (events & EPOLLOUT ? WRITABLE : 0);
}

/* EINTR answers as if time were up: whoever waits looks at the clock, and at what the signal may have changed. */
static napi_value readiness_poll(napi_env env, napi_callback_info info) {
    struct seam_call call;
    struct epoll_event events[MAX_KEYS];
    int epoll;
    uint64_t timeout_ms;
    if (!seam_begin(env, info, &call) || !seam_fd(&call, 0, &epoll) ||
        !seam_integer(&call, 1, "timeoutMs", MAX_WAIT_MS, &timeout_ms)) {
        return NULL;
    }
    int count = epoll_wait(epoll, events, MAX_KEYS, (int)timeout_ms);
    if (count == -1 && errno != EINTR) return seam_throw(env, errno, "epoll_wait");
    for (int i = 0; i < count; i++) {
        call.seam->scratch[2 * i] = events[i].data.u32;
        call.seam->scratch[2 * i + 1] = ready_for(events[i].events);
    }
    return seam_number(env, count == -1 ? 0 : count);
}

const struct seam_entry readiness_entries[] = {
    {"readinessOpen", readiness_open},     {"readinessAdd", readiness_add},   {"readinessChange", readiness_change},
    {"readinessRemove", readiness_remove}, {"readinessPoll", readiness_poll}, {NULL, NULL},
};
