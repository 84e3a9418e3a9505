/*
 * inotify(7): what appears in directories and vanishes from them, as the bytes that the kernel writes. Never blocks.
 */
#include <errno.h>
#include <limits.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "seam.h"

#ifndef PATH_MAX
#define PATH_MAX 4096
#endif

/* The end of the directory itself comes as IN_IGNORED, asked for or not. */
#define WATCHED \
    (IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_MOVED_FROM | IN_DELETE_SELF | IN_ONLYDIR | IN_DONT_FOLLOW)

static napi_value inotify_open(napi_env env, napi_callback_info info) {
    struct seam_call call;
    if (!seam_begin(env, info, &call)) return NULL;
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (fd == -1) return seam_throw(env, errno, "inotify_init1");
    seam_own(call.seam, fd);
    return seam_number(env, fd);
}

static napi_value inotify_watch(napi_env env, napi_callback_info info) {
    struct seam_call call;
    char path[PATH_MAX - 1 + 5];
    int fd;
    if (!seam_begin(env, info, &call) || !seam_fd(&call, 0, &fd) || !seam_text(&call, 1, "path", path, sizeof path)) return NULL;
    int watch = inotify_add_watch(fd, path, WATCHED);
    return watch == -1 ? seam_throw(env, errno, "inotify_add_watch") : seam_number(env, watch);
}

/* EINVAL: the kernel ended the watch before, which is what is wanted; so would be the answer for what is no inotify. */
static napi_value inotify_unwatch(napi_env env, napi_callback_info info) {
    struct seam_call call;
    int fd;
    uint64_t watch;
    if (!seam_begin(env, info, &call) || !seam_fd(&call, 0, &fd) || !seam_integer(&call, 1, "watch", INT32_MAX, &watch)) {
        return NULL;
    }
    if (inotify_rm_watch(fd, (int)watch) == -1 && errno != EINVAL) return seam_throw(env, errno, "inotify_rm_watch");
    return NULL;
}

static napi_value inotify_read(napi_env env, napi_callback_info info) {
    struct seam_call call;
    uint8_t *into;
    size_t length;
    int fd;
    if (!seam_begin(env, info, &call) || !seam_fd(&call, 0, &fd) || !seam_bytes(&call, 1, "into", &into, &length)) return NULL;
    if (length < sizeof(struct inotify_event) + NAME_MAX + 1) {
        return seam_throw_type(env, "into must have room for the longest event: %zu bytes", sizeof(struct inotify_event) + NAME_MAX + 1);
    }
    ssize_t count;
    do count = read(fd, into, length);
    while (count == -1 && errno == EINTR);
    if (count >= 0) return seam_number(env, (double)count);
    return errno == EAGAIN ? seam_number(env, -1) : seam_throw(env, errno, "read");
}

const struct seam_entry inotify_entries[] = {
    {"inotifyOpen", inotify_open},
    {"inotifyWatch", inotify_watch},
    {"inotifyUnwatch", inotify_unwatch},
    {"inotifyRead", inotify_read},
    {NULL, NULL},
};
