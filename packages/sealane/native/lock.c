/*
 * An exclusive lock on a file, flock(2). The descriptor goes on the environment's record; closing it gives the lock up.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/file.h>
#include <unistd.h>

#include "seam.h"

/* The kernel's limit for a path less its final zero, and the room that seam_text needs. */
#define PATH_CAPACITY (PATH_MAX - 1 + 5)

/* O_NONBLOCK, so that a device in its place can't hold us up; no terminal becomes ours. */
static int open_file(const char *path) {
    int fd;
    do fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0600);
    while (fd == -1 && errno == EINTR);
    return fd;
}

static napi_value lock_acquire(napi_env env, napi_callback_info info) {
    struct seam_call call;
    char path[PATH_CAPACITY];
    if (!seam_begin(env, info, &call) || !seam_text(&call, 0, "path", path, sizeof path)) return NULL;
    int fd = open_file(path);
    if (fd == -1) return seam_throw(env, errno, "open");
    int result;
    do result = flock(fd, LOCK_EX | LOCK_NB);
    while (result == -1 && errno == EINTR);
    if (result == 0) {
        seam_own(call.seam, fd);
        return seam_number(env, fd);
    }
    int error = errno;
    close(fd);
    return error == EWOULDBLOCK ? seam_number(env, -1) : seam_throw(env, error, "flock");
}

const struct seam_entry lock_entries[] = {{"lockAcquire", lock_acquire}, {NULL, NULL}};
