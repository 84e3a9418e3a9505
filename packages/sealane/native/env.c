/*
 * What one environment (a thread of Node.js with its own JavaScript) owns: the scratch numbers, and the record of
 * descriptors that its objects hold, which are closed at its end: a terminated worker runs no JavaScript that could.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "seam.h"

static void close_owned(int fd) { close(fd); }

static void env_end(void *data) {
    struct seam_env *seam = data;
    record_end(&seam->owned, close_owned);
    handoff_env_end(seam);
    seam->ended = true;
    seam_env_release(seam);
}

/* The ArrayBuffer belongs to the addon's exports, which live as long as the environment. */
static bool make_scratch(napi_env env, napi_value exports, double **scratch) {
    napi_value buffer, array;
    napi_ref pin;
    void *data = NULL;
    return napi_create_arraybuffer(env, SEAM_SCRATCH * sizeof(double), &data, &buffer) == napi_ok &&
           napi_create_typedarray(env, napi_float64_array, SEAM_SCRATCH, buffer, 0, &array) == napi_ok &&
           napi_create_reference(env, array, 1, &pin) == napi_ok &&
           napi_set_named_property(env, exports, "scratch", array) == napi_ok && (*scratch = data, true);
}

struct seam_env *seam_env_new(napi_env env, napi_value exports) {
    struct seam_env *seam = calloc(1, sizeof *seam);
    if (seam == NULL) return NULL;
    seam->references = 1;
    if (make_scratch(env, exports, &seam->scratch) && napi_add_env_cleanup_hook(env, env_end, seam) == napi_ok) return seam;
    free(seam);
    return NULL;
}

void seam_env_retain(struct seam_env *seam) { seam->references++; }

void seam_env_release(struct seam_env *seam) {
    if (--seam->references == 0) free(seam);
}

/* The greatest descriptor that was ever on a record: the kernel hands out the least that is free. */
static atomic_int greatest;

static void note_greatest(int fd) {
    int before = atomic_load_explicit(&greatest, memory_order_relaxed);
    while (fd > before && !atomic_compare_exchange_weak_explicit(&greatest, &before, fd, memory_order_relaxed,
                                                                 memory_order_relaxed)) {
    }
}

static bool is_open(rlim_t fd) { return fd <= INT_MAX && fcntl((int)fd, F_GETFD) != -1; }

/*
 * Those of others in this process are on no record. But who has nearly all descriptors has these two among them, unless both were closed
 * meanwhile.
 */
bool seam_is_short_of(int count) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == -1) return true;
    rlim_t needed = (rlim_t)count;
    if (limit.rlim_cur <= (rlim_t)atomic_load_explicit(&greatest, memory_order_relaxed) + needed) return true;
    return is_open(limit.rlim_cur - needed) || is_open(limit.rlim_cur - needed / 2);
}

/* Without memory for the record the descriptor is not on it: it is closed by its object, only not by the end of a worker. */
void seam_own(struct seam_env *seam, int fd) {
    note_greatest(fd);
    if (!seam->ended) (void)record_add(&seam->owned, fd);
}

void seam_disown(struct seam_env *seam, int fd) { record_remove(&seam->owned, fd); }
