/*
 * Descriptors as such: what they are, duplicates, their end, and the record of those that objects own.
 */
#include "seam.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

/* TMPFS_MAGIC of statfs(2): an ordinary memfd, and no huge-page memory. */
#define TMPFS 0x01021994

/* Access modes as JavaScript numbers them. */
enum access { ACCESS_READ, ACCESS_WRITE, ACCESS_BOTH, ACCESS_PATH };

int seam_duplicate(int fd) { return fcntl(fd, F_DUPFD_CLOEXEC, 0); }

/*
 * statx and not fstat: fstat of newer glibc versions is a symbol that older ones lack, and DONT_SYNC does not ask the server
 * of a network or FUSE file system, which may be hostile and never answer. The system call itself, because musl has a
 * function for it only since 1.2.5.
 */
bool seam_stat(int fd, struct statx *status) {
    return syscall(SYS_statx, fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_BASIC_STATS, status) == 0;
}

static enum access access_mode(int flags) {
    if (flags & O_PATH) return ACCESS_PATH;
    int mode = flags & O_ACCMODE;
    return mode == O_RDONLY ? ACCESS_READ : mode == O_WRONLY ? ACCESS_WRITE : ACCESS_BOTH;
}

static void describe(double *out, const struct statx *status, double file_system, int seals, int flags) {
    out[0] = (double)status->stx_size;
    out[1] = file_system;
    out[2] = seals;
    out[3] = access_mode(flags);
    out[4] = status->stx_mode & S_IFMT;
    out[5] = status->stx_dev_major;
    out[6] = status->stx_dev_minor;
    out[7] = (double)(status->stx_ino >> 32);
    out[8] = (double)(status->stx_ino & UINT32_MAX);
    out[9] = (double)status->stx_blocks * 512;
}

/*
 * Asked only of what no server of a file system can be behind, which could keep fstatfs waiting for ever: what supports seals is memory, and
 * what has no type is made by the kernel itself, as every DMA-BUF is.
 */
static double file_system(int fd, int seals, unsigned mode) {
    struct statfs system;
    if (seals == -1 && (mode & S_IFMT) != 0) return -1;
    return fstatfs(fd, &system) == -1 ? -1 : (double)((uint64_t)system.f_type & UINT32_MAX);
}

static napi_value inspect(napi_env env, napi_callback_info info) {
    struct seam_call call;
    struct statx status;
    int fd;
    if (!seam_begin(env, info, &call) || !seam_fd(&call, 0, &fd)) return NULL;
    int flags = fcntl(fd, F_GETFL);
    if (flags == -1) return seam_throw(env, errno, "fcntl");
    if (!seam_stat(fd, &status)) return seam_throw(env, errno, "statx");
    int seals = fcntl(fd, F_GET_SEALS);
    describe(call.seam->scratch, &status, file_system(fd, seals, status.stx_mode), seals, flags);
    return NULL;
}

static napi_value is_open(napi_env env, napi_callback_info info) {
    struct seam_call call;
    int fd;
    if (!seam_begin(env, info, &call) || !seam_fd(&call, 0, &fd)) return NULL;
    return seam_boolean(env, fcntl(fd, F_GETFD) != -1);
}

/*
 * The part of inspect that tells memory from the rest, for who receives many. The seals first: nothing else is asked of what has none, behind
 * which a server might be. What supports seals is a regular file, and no O_PATH.
 */
static bool is_sealed_memory(int fd, int seals) {
    struct statfs system;
    int found = fcntl(fd, F_GET_SEALS);
    if (found == -1 || (found & seals) != seals) return false;
    int flags = fcntl(fd, F_GETFL);
    if (flags == -1 || (flags & O_ACCMODE) == O_WRONLY) return false;
    return fstatfs(fd, &system) == 0 && ((uint64_t)system.f_type & UINT32_MAX) == TMPFS;
}

static napi_value is_sealed_memory_call(napi_env env, napi_callback_info info) {
    struct seam_call call;
    int fd;
    uint64_t seals;
    if (!seam_begin(env, info, &call) || !seam_fd(&call, 0, &fd) || !seam_integer(&call, 1, "seals", INT32_MAX, &seals)) {
        return NULL;
    }
    return seam_boolean(env, is_sealed_memory(fd, (int)seals));
}

/* `owned` puts it on record in the same step: a thread may be terminated between two calls. */
static napi_value duplicate(napi_env env, napi_callback_info info) {
    struct seam_call call;
    int fd;
    bool owned;
    if (!seam_begin(env, info, &call) || !seam_fd(&call, 0, &fd) || !seam_bool(&call, 1, "owned", &owned)) return NULL;
    int copy = seam_duplicate(fd);
    if (copy == -1) return seam_throw(env, errno, "fcntl");
    if (owned) seam_own(call.seam, copy);
    return seam_number(env, copy);
}

/*
 * O_NONBLOCK: whoever made the file may hold a lease on it (fcntl F_SETLEASE), for which open(2) would wait 45 seconds; EAGAIN
 * instead. Then it is taken off again: it is not meant for whoever reads.
 */
static int open_again(int fd, int access) {
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int opened = open(path, access | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (opened != -1) (void)fcntl(opened, F_SETFL, 0);
    return opened;
}

static napi_value reopen(napi_env env, napi_callback_info info) {
    struct seam_call call;
    int fd;
    bool writes;
    if (!seam_begin(env, info, &call) || !seam_fd(&call, 0, &fd) || !seam_bool(&call, 1, "writes", &writes)) return NULL;
    int opened = open_again(fd, writes ? O_RDWR : O_RDONLY);
    if (opened == -1) return seam_throw(env, errno, "open");
    seam_own(call.seam, opened);
    return seam_number(env, opened);
}

/* Linux closes the descriptor also when close(2) fails with EINTR or EIO; trying again could close somebody else's. */
static napi_value close_call(napi_env env, napi_callback_info info) {
    struct seam_call call;
    int fd;
    if (!seam_begin(env, info, &call) || !seam_fd(&call, 0, &fd)) return NULL;
    seam_disown(call.seam, fd);
    return seam_number(env, close(fd) == -1 ? errno : 0);
}

static napi_value own(napi_env env, napi_callback_info info) {
    struct seam_call call;
    int fd;
    if (!seam_begin(env, info, &call) || !seam_fd(&call, 0, &fd)) return NULL;
    /* Also keeps the record small: it grows with the highest descriptor. */
    if (fcntl(fd, F_GETFD) == -1) return seam_throw(env, errno, "fcntl");
    seam_own(call.seam, fd);
    return NULL;
}

static napi_value disown(napi_env env, napi_callback_info info) {
    struct seam_call call;
    int fd;
    if (!seam_begin(env, info, &call) || !seam_fd(&call, 0, &fd)) return NULL;
    seam_disown(call.seam, fd);
    return NULL;
}

const struct seam_entry descriptor_entries[] = {
    {"inspect", inspect}, {"duplicate", duplicate}, {"reopen", reopen}, {"close", close_call},
    {"own", own},         {"disown", disown},       {"isOpen", is_open}, {"isSealedMemory", is_sealed_memory_call},
    {NULL, NULL},
};
