/*
 * The seam between JavaScript and the kernel: arguments in, results and errors out. It converts and checks types and
 * ranges, and decides nothing. What belongs to one environment (a thread of Node.js) is in struct seam_env.
 */
#ifndef SEALANE_SEAM_H
#define SEALANE_SEAM_H

#define NAPI_VERSION 8
#include <node_api.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel_abi.h"
#include "record.h"

/* Numbers that a function can put beside its return value. */
#define SEAM_SCRATCH 256
/* Most arguments of any function. */
#define SEAM_ARGUMENTS 6
/* The largest integer that a double holds exactly, with all below it. */
#define SEAM_MAX_INTEGER 9007199254740991.0

/* First word of every native object behind a handle, so that one kind can't be taken for another. */
enum seam_kind { SEAM_MAPPING = 0x5ea10001, SEAM_POLL = 0x5ea10002, SEAM_DIGEST = 0x5ea10003, SEAM_WINDOW = 0x5ea10004 };

struct seam_poll;

/* What one environment owns. Freed when the environment has ended and the last poll and job let go. */
struct seam_env {
    double *scratch;
    /* Descriptors that an object of this environment owns, to be closed at its end. */
    struct record owned;
    size_t references;
    bool ended;
    /* All polls that libuv still knows, and the hook that closes them. */
    struct seam_poll *polls;
    napi_async_cleanup_hook_handle polls_hook;
};

/* One call from JavaScript. */
struct seam_call {
    napi_env env;
    struct seam_env *seam;
    size_t argc;
    napi_value argv[SEAM_ARGUMENTS];
};

struct seam_entry {
    const char *name;
    napi_callback function;
};

/* Every C file that has functions for JavaScript lists them, ended by a NULL name. */
extern const struct seam_entry descriptor_entries[], memfd_entries[], seal_entries[], mapping_entries[], socket_entries[],
    poll_entries[], copy_entries[], digest_entries[], handoff_entries[], lock_entries[], limits_entries[], peer_entries[],
    exec_entries[], file_entries[], datagram_entries[], listener_entries[], clock_entries[],
    dispose_entries[], readiness_entries[], inotify_entries[], wake_entries[], schedule_entries[],
    window_entries[], dma_buf_entries[], video_entries[], guard_entries[], account_entries[];

/* Environment. */
struct seam_env *seam_env_new(napi_env env, napi_value exports);
void seam_env_retain(struct seam_env *seam);
void seam_env_release(struct seam_env *seam);
void seam_own(struct seam_env *seam, int fd);
void seam_disown(struct seam_env *seam, int fd);
/* Whether this process may have fewer than `count` descriptors left: a guess, by numbers that are or were in use. */
bool seam_is_short_of(int count);

/* Arguments: each throws a TypeError and answers false when the argument does not fit. */
bool seam_begin(napi_env env, napi_callback_info info, struct seam_call *call);
bool seam_fd(struct seam_call *call, size_t index, int *fd);
bool seam_integer(struct seam_call *call, size_t index, const char *name, double max, uint64_t *value);
bool seam_bool(struct seam_call *call, size_t index, const char *name, bool *value);
bool seam_text(struct seam_call *call, size_t index, const char *name, char *buffer, size_t capacity);
bool seam_bytes(struct seam_call *call, size_t index, const char *name, uint8_t **data, size_t *length);
void *seam_object(struct seam_call *call, size_t index, enum seam_kind kind);

/* Results. */
napi_value seam_number(napi_env env, double value);
napi_value seam_boolean(napi_env env, bool value);
napi_value seam_handle(napi_env env, void *object, napi_finalize finalize);

/* Errors: thrown, and NULL answered; or made, for a promise. */
napi_value seam_throw(napi_env env, int error, const char *syscall);
napi_value seam_throw_type(napi_env env, const char *format, ...) __attribute__((format(printf, 2, 3)));
napi_value seam_error(napi_env env, int error, const char *syscall);

/* Work on another thread that settles a promise. Files put this first in a struct of their own. */
struct seam_job {
    struct seam_env *seam;
    napi_async_work work;
    napi_deferred deferred;
    napi_ref pin;
    /* What execute leaves: 0, or what failed and where. */
    int error;
    const char *syscall;
    void (*execute)(struct seam_job *job);
    /* Makes the value of the promise; NULL for undefined. */
    napi_value (*result)(napi_env env, struct seam_job *job);
    /* Gives back everything that the job holds, and the job. Runs in every case, on the JavaScript thread. */
    void (*dispose)(struct seam_job *job);
};

/* Starts the job and answers its promise. `pinned` (or NULL) is kept alive until the end. Disposes when it can't start. */
napi_value seam_job_start(struct seam_call *call, struct seam_job *job, napi_value pinned);

/* System calls that more than one file makes. */
int seam_duplicate(int fd);
bool seam_stat(int fd, struct statx *status);
int seam_memfd(const char *name);
/* Adds seals; false with errno when the kernel refuses. */
bool seam_seal(int fd, int seals);
bool seam_write_all(int fd, const uint8_t *data, size_t length, uint64_t offset);
ptrdiff_t seam_read_some(int fd, uint8_t *into, size_t length, uint64_t offset);

/* Takes a descriptor and closes it on another thread: nobody knows how long that takes. Off the record already. */
void seam_dispose(int fd);

/* The end of an environment closes its offers. */
void handoff_env_end(struct seam_env *seam);

#endif
