/*
 * The processor of this thread: giving it away for a moment.
 */
#include <sched.h>

#include "seam.h"

/* Never fails on Linux. Returns at once where nobody else wants to run. */
static napi_value schedule_yield(napi_env env, napi_callback_info info) {
    (void)env;
    (void)info;
    sched_yield();
    return NULL;
}

const struct seam_entry schedule_entries[] = {{"scheduleYield", schedule_yield}, {NULL, NULL}};
