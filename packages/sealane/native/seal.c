/*
 * Adding seals to a memfd, on the spot or on another thread. Owns a duplicate of the descriptor while a thread works.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "seam.h"

/*
 * The kernel refuses the write seal with EBUSY when a page has more references than it can explain. Besides a device that
 * still writes into the page, these are its own lists of pages that a processor has just handled: it waits for them, 160 ms
 * at most, and once in some 20,000 times gives up too early. Where a writable mapping is the reason it answers at once.
 */
#define SEAL_ATTEMPTS 4

bool seam_seal(int fd, int seals) {
    for (int attempt = 1;; attempt++) {
        if (fcntl(fd, F_ADD_SEALS, seals) == 0) return true;
        if (errno != EBUSY || attempt == SEAL_ATTEMPTS) return false;
    }
}

static bool seal_arguments(struct seam_call *call, int *fd, int *seals) {
    uint64_t number;
    if (!seam_fd(call, 0, fd) || !seam_integer(call, 1, "seals", INT32_MAX, &number)) return false;
    *seals = (int)number;
    return true;
}

static napi_value memfd_seal(napi_env env, napi_callback_info info) {
    struct seam_call call;
    int fd, seals;
    if (!seam_begin(env, info, &call) || !seal_arguments(&call, &fd, &seals)) return NULL;
    return seam_seal(fd, seals) ? NULL : seam_throw(env, errno, "fcntl");
}

struct seal_job {
    struct seam_job job;
    int fd;
    int seals;
};

static void seal_execute(struct seam_job *job) {
    struct seal_job *self = (struct seal_job *)job;
    if (seam_seal(self->fd, self->seals)) return;
    job->error = errno;
    job->syscall = "fcntl";
}

static void seal_dispose(struct seam_job *job) {
    close(((struct seal_job *)job)->fd);
    free(job);
}

static napi_value memfd_seal_async(napi_env env, napi_callback_info info) {
    struct seam_call call;
    int fd, seals;
    if (!seam_begin(env, info, &call) || !seal_arguments(&call, &fd, &seals)) return NULL;
    struct seal_job *job = calloc(1, sizeof *job);
    if (job == NULL) return seam_throw(env, ENOMEM, "malloc");
    *job = (struct seal_job){.job = {.execute = seal_execute, .dispose = seal_dispose}, .seals = seals};
    job->fd = seam_duplicate(fd);
    if (job->fd != -1) return seam_job_start(&call, &job->job, NULL);
    int error = errno;
    free(job);
    return seam_throw(env, error, "fcntl");
}

const struct seam_entry seal_entries[] = {{"memfdSeal", memfd_seal}, {"memfdSealAsync", memfd_seal_async}, {NULL, NULL}};
