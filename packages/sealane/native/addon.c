/*
 * Registration: one environment's data and all functions on the exports. Every thread of Node.js that loads the addon runs
 * this once. The library is linked with -z nodelete and stays in the process when the thread ends.
 */
#include "seam.h"

static bool add_entries(napi_env env, napi_value exports, const struct seam_entry *entries, struct seam_env *seam) {
    for (; entries->name != NULL; entries++) {
        napi_value function;
        if (napi_create_function(env, entries->name, NAPI_AUTO_LENGTH, entries->function, seam, &function) != napi_ok ||
            napi_set_named_property(env, exports, entries->name, function) != napi_ok) {
            return false;
        }
    }
    return true;
}

NAPI_MODULE_INIT() {
    const struct seam_entry *const tables[] = {
        descriptor_entries, memfd_entries, seal_entries,   mapping_entries, socket_entries, poll_entries,
        copy_entries,       digest_entries, handoff_entries, lock_entries,    limits_entries, peer_entries,
        exec_entries,       file_entries,   datagram_entries, listener_entries, clock_entries, dispose_entries,
        readiness_entries,  inotify_entries, wake_entries,   schedule_entries, window_entries, dma_buf_entries,
        video_entries,     guard_entries,  account_entries,
    };
    struct seam_env *seam = seam_env_new(env, exports);
    bool added = seam != NULL;
    for (size_t i = 0; added && i < sizeof tables / sizeof tables[0]; i++) added = add_entries(env, exports, tables[i], seam);
    if (!added) napi_throw_error(env, NULL, "out of memory while the addon was being set up");
    return exports;
}
