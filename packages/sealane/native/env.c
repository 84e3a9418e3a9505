/*
 * What one environment (a thread of Node.js with its own JavaScript) owns: the scratch numbers, and the record of
 * descriptors that its objects hold, which are closed at its end: a terminated worker runs no JavaScript that could.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
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

/* Who had so many more left a moment ago has enough: asking takes three system calls, and some receive thousands of packets a second. */
#define PLENTY 1024
#define MOMENT_NS 1000000

/* Until when that holds, by CLOCK_MONOTONIC; and how many went on a record since it was found out. */
static _Atomic int64_t plenty_until;
static atomic_int owned_since;

static int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static bool is_open(rlim_t fd) { return fd <= INT_MAX && fcntl((int)fd, F_GETFD) != -1; }

/*
 * Those of others in this process are on no record. But who has nearly all descriptors has these two among them, unless both were closed
 * meanwhile.
 */
static bool has_fewer(rlim_t needed) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == -1) return true;
    if (limit.rlim_cur <= (rlim_t)atomic_load_explicit(&greatest, memory_order_relaxed) + needed) return true;
    return is_open(limit.rlim_cur - needed) || is_open(limit.rlim_cur - needed / 2);
}

bool seam_is_short_of(int count) {
    int64_t now = now_ns();
    if (now < atomic_load_explicit(&plenty_until, memory_order_relaxed) &&
        atomic_load_explicit(&owned_since, memory_order_relaxed) < PLENTY) {
        return false;
    }
    atomic_store_explicit(&owned_since, 0, memory_order_relaxed);
    if (has_fewer((rlim_t)count + PLENTY)) return has_fewer((rlim_t)count);
    atomic_store_explicit(&plenty_until, now + MOMENT_NS, memory_order_relaxed);
    return false;
}

/* Without memory for the record the descriptor is not on it: it is closed by its object, only not by the end of a worker. */
void seam_own(struct seam_env *seam, int fd) {
    note_greatest(fd);
    atomic_fetch_add_explicit(&owned_since, 1, memory_order_relaxed);
    if (!seam->ended) (void)record_add(&seam->owned, fd);
}

void seam_disown(struct seam_env *seam, int fd) { record_remove(&seam->owned, fd); }
