/*
 * Files by path: open(2) and close(2) on a thread, since a file system may take its time over either. A descriptor that is
 * opened here goes on the environment's record: Node.js forgets one that its own open() brings to a terminated worker.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "seam.h"

/* The kernel's limit for a path less its final zero, and the room that seam_text needs. */
#define PATH_CAPACITY (PATH_MAX - 1 + 5)

struct open_job {
    struct seam_job job;
    int fd, flags;
    char path[PATH_CAPACITY];
};

struct close_job {
    struct seam_job job;
    int fd;
};

/*
 * O_NONBLOCK, because a pipe that nobody has opened at its other end would hold up a thread, and with it the end of the
 * worker or the process. Of regular files only one with a lease minds; for that one it is right to wait.
 */
static void open_execute(struct seam_job *job) {
    struct open_job *self = (struct open_job *)job;
    int flags = self->flags | O_NONBLOCK;
    for (;;) {
        self->fd = open(self->path, flags, 0666);
        if (self->fd != -1) return;
        if (errno == EWOULDBLOCK && (flags & O_NONBLOCK)) flags &= ~O_NONBLOCK;
        else if (errno != EINTR) break;
    }
    job->error = errno;
    job->syscall = "open";
}

/* Hands it over to JavaScript, or leaves it to be closed, as when the environment has ended meanwhile. */
static napi_value open_result(napi_env env, struct seam_job *job) {
    struct open_job *self = (struct open_job *)job;
    if (job->seam->ended) return NULL;
    napi_value number = seam_number(env, self->fd);
    if (number == NULL) return NULL;
    seam_own(job->seam, self->fd);
    self->fd = -1;
    return number;
}

static void open_dispose(struct seam_job *job) {
    struct open_job *self = (struct open_job *)job;
    if (self->fd != -1) close(self->fd);
    free(self);
}

static napi_value file_open(napi_env env, napi_callback_info info) {
    struct seam_call call;
    bool writes;
    struct open_job *self = calloc(1, sizeof *self);
    if (self == NULL) return seam_throw(env, ENOMEM, "malloc");
    self->job = (struct seam_job){.execute = open_execute, .result = open_result, .dispose = open_dispose};
    self->fd = -1;
    if (!seam_begin(env, info, &call) || !seam_text(&call, 0, "path", self->path, sizeof self->path) ||
        !seam_bool(&call, 1, "writes", &writes)) {
        free(self);
        return NULL;
    }
    self->flags = (writes ? O_WRONLY | O_CREAT | O_TRUNC : O_RDONLY) | O_CLOEXEC | O_NOCTTY;
    return seam_job_start(&call, &self->job, NULL);
}

/* Linux closes the descriptor also when close(2) fails; trying again could close somebody else's. */
static void close_execute(struct seam_job *job) {
    struct close_job *self = (struct close_job *)job;
    int fd = self->fd;
    self->fd = -1;
    if (close(fd) == 0) return;
    job->error = errno;
    job->syscall = "close";
}

static void close_dispose(struct seam_job *job) {
    struct close_job *self = (struct close_job *)job;
    if (self->fd != -1) close(self->fd);
    free(self);
}

static napi_value file_close(napi_env env, napi_callback_info info) {
    struct seam_call call;
    int fd;
    if (!seam_begin(env, info, &call) || !seam_fd(&call, 0, &fd)) return NULL;
    struct close_job *self = calloc(1, sizeof *self);
    if (self == NULL) return seam_throw(env, ENOMEM, "malloc");
    self->job = (struct seam_job){.execute = close_execute, .dispose = close_dispose};
    self->fd = fd;
    seam_disown(call.seam, fd);
    return seam_job_start(&call, &self->job, NULL);
}

const struct seam_entry file_entries[] = {{"fileOpen", file_open}, {"fileClose", file_close}, {NULL, NULL}};
