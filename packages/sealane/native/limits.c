/*
 * What this process and this kernel allow: limits, and features that are best tried out. Leaves nothing behind.
 */
#include <errno.h>
#include <math.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "seam.h"

/* asm-generic/socket.h, Linux 6.5 */
#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

/* A multiple of every default huge page size that is in use: 2 MiB on x86-64, up to 32 MiB on arm64. */
#define TRIAL_BYTES (32 * 1024 * 1024)

static double limit_number(rlim_t limit) { return limit == RLIM_INFINITY ? INFINITY : (double)limit; }

static napi_value read_limits(napi_env env, napi_callback_info info) {
    struct seam_call call;
    struct rlimit files;
    if (!seam_begin(env, info, &call)) return NULL;
    if (getrlimit(RLIMIT_NOFILE, &files) == -1) return seam_throw(env, errno, "getrlimit");
    call.seam->scratch[0] = limit_number(files.rlim_cur);
    call.seam->scratch[1] = limit_number(files.rlim_max);
    call.seam->scratch[2] = (double)sysconf(_SC_PAGESIZE);
    return NULL;
}

/* A mapping reserves what it may need: huge pages that are not there are noticed without touching any. */
static int try_mapping(int fd) {
    if (ftruncate(fd, TRIAL_BYTES) == -1) return errno;
    void *base = mmap(NULL, TRIAL_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (base == MAP_FAILED) return errno;
    munmap(base, TRIAL_BYTES);
    return 0;
}

static napi_value try_memfd_flags(napi_env env, napi_callback_info info) {
    struct seam_call call;
    uint64_t flags;
    if (!seam_begin(env, info, &call) || !seam_integer(&call, 0, "flags", UINT32_MAX, &flags)) return NULL;
    int fd = memfd_create("sealane-trial", (unsigned)flags | MFD_CLOEXEC);
    if (fd == -1) return seam_number(env, errno);
    int error = try_mapping(fd);
    close(fd);
    return seam_number(env, error);
}

static napi_value try_peer_pidfd(napi_env env, napi_callback_info info) {
    int fds[2], pidfd = -1;
    socklen_t length = sizeof pidfd;
    (void)info;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) == -1) return seam_throw(env, errno, "socketpair");
    bool known = getsockopt(fds[0], SOL_SOCKET, SO_PEERPIDFD, &pidfd, &length) == 0;
    if (known) close(pidfd);
    close(fds[0]);
    close(fds[1]);
    return seam_boolean(env, known);
}

const struct seam_entry limits_entries[] = {
    {"readLimits", read_limits}, {"tryMemfdFlags", try_memfd_flags}, {"tryPeerPidfd", try_peer_pidfd}, {NULL, NULL},
};
