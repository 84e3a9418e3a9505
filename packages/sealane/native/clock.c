/*
 * Clocks to the nanosecond, as seconds and nanoseconds: together they have more digits than a double holds.
 */
#include <errno.h>
#include <time.h>

#include "seam.h"

static napi_value clock_realtime(napi_env env, napi_callback_info info) {
    struct seam_call call;
    struct timespec now;
    if (!seam_begin(env, info, &call)) return NULL;
    if (clock_gettime(CLOCK_REALTIME, &now) == -1) return seam_throw(env, errno, "clock_gettime");
    call.seam->scratch[0] = (double)now.tv_sec;
    call.seam->scratch[1] = (double)now.tv_nsec;
    return NULL;
}

/* Also the nanoseconds since the clock's zero as a number of 64 bits: its low and high word, as they lie in shared memory. */
static napi_value clock_monotonic(napi_env env, napi_callback_info info) {
    void *data = NULL;
    struct timespec now;
    /* Without room for arguments that nobody passes: every sample is stamped. */
    if (napi_get_cb_info(env, info, NULL, NULL, NULL, &data) != napi_ok) return NULL;
    if (clock_gettime(CLOCK_MONOTONIC, &now) == -1) return seam_throw(env, errno, "clock_gettime");
    double *scratch = ((struct seam_env *)data)->scratch;
    uint64_t ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
    scratch[0] = (double)now.tv_sec;
    scratch[1] = (double)now.tv_nsec;
    scratch[2] = (double)(ns & UINT32_MAX);
    scratch[3] = (double)(ns >> 32);
    return NULL;
}

const struct seam_entry clock_entries[] = {
    {"clockRealtime", clock_realtime},
    {"clockMonotonic", clock_monotonic},
    {NULL, NULL},
};
