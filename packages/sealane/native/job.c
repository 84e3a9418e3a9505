/*
 * Work on libuv's thread pool that settles a promise. Owns the job from its start until it was disposed of, which happens
 * exactly once, also when the environment ends and nobody hears of the result.
 */
#include <errno.h>

#include "seam.h"

static void on_execute(napi_env env, void *data) {
    struct seam_job *job = data;
    (void)env;
    job->execute(job);
}

static void settle(napi_env env, struct seam_job *job) {
    napi_value value = NULL;
    if (job->error != 0) {
        value = seam_error(env, job->error, job->syscall);
        if (value != NULL) napi_reject_deferred(env, job->deferred, value);
        return;
    }
    if (job->result != NULL) value = job->result(env, job);
    if (value == NULL) napi_get_undefined(env, &value);
    if (value != NULL) napi_resolve_deferred(env, job->deferred, value);
}

static void end(napi_env env, struct seam_job *job) {
    struct seam_env *seam = job->seam;
    if (job->work != NULL) napi_delete_async_work(env, job->work);
    if (job->pin != NULL) napi_delete_reference(env, job->pin);
    job->dispose(job);
    seam_env_release(seam);
}

/* While the environment ends, settling fails without harm: there is no JavaScript left that could wait. */
static void on_complete(napi_env env, napi_status status, void *data) {
    struct seam_job *job = data;
    if (status == napi_cancelled) {
        job->error = ECANCELED;
        job->syscall = "queue";
    }
    settle(env, job);
    end(env, job);
}

static bool prepare(napi_env env, struct seam_job *job, napi_value pinned, napi_value *promise) {
    napi_value name;
    if (pinned != NULL && napi_create_reference(env, pinned, 1, &job->pin) != napi_ok) return false;
    return napi_create_string_utf8(env, "sealane", NAPI_AUTO_LENGTH, &name) == napi_ok &&
           napi_create_async_work(env, NULL, name, on_execute, on_complete, job, &job->work) == napi_ok &&
           napi_create_promise(env, &job->deferred, promise) == napi_ok;
}

napi_value seam_job_start(struct seam_call *call, struct seam_job *job, napi_value pinned) {
    napi_value promise = NULL;
    job->seam = call->seam;
    seam_env_retain(job->seam);
    if (prepare(call->env, job, pinned, &promise) && napi_queue_async_work(call->env, job->work) == napi_ok) return promise;
    end(call->env, job);
    return seam_throw(call->env, ENOMEM, "queue");
}
