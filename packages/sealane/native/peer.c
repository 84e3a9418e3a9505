/*
 * Who is at the other end of a connected Unix socket, beyond pid, uid and gid: its groups, and its control group.
 * A pid may be another process's by the time it is looked up; a pidfd of the peer (Linux 6.5) tells whether it is.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "seam.h"

/* asm-generic/socket.h, Linux 4.13 and 6.5 */
#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59
#endif
#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

/* /proc/PID/cgroup of a unified hierarchy has one line; paths have at most 4,096 bytes. */
#define CGROUP_BYTES 8192

static napi_value number_array(napi_env env, const gid_t *groups, size_t count) {
    napi_value array;
    if (napi_create_array_with_length(env, count, &array) != napi_ok) return NULL;
    for (size_t index = 0; index < count; index++) {
        napi_value group = seam_number(env, groups[index]);
        if (group == NULL || napi_set_element(env, array, (uint32_t)index, group) != napi_ok) return NULL;
    }
    return array;
}

static napi_value peer_groups(napi_env env, napi_callback_info info) {
    struct seam_call call;
    int fd;
    socklen_t bytes = 0;
    if (!seam_begin(env, info, &call) || !seam_fd(&call, 0, &fd)) return NULL;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &bytes) == -1 && errno != ERANGE) return seam_throw(env, errno, "getsockopt");
    gid_t *groups = malloc(bytes == 0 ? 1 : bytes);
    if (groups == NULL) return seam_throw(env, ENOMEM, "malloc");
    napi_value result;
    /* The groups of a connection never change: the length still holds. */
    if (bytes > 0 && getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &bytes) == -1) result = seam_throw(env, errno, "getsockopt");
    else result = number_array(env, groups, bytes / sizeof *groups);
    free(groups);
    return result;
}

/* -1: the kernel does not know how, or the peer is gone. */
static int peer_pidfd(int fd) {
    int pidfd = -1;
    socklen_t length = sizeof pidfd;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &length) == -1) return -1;
    return pidfd;
}

/* Readable: the process has ended, and its pid may be another's. */
static bool alive(int pidfd) {
    struct pollfd entry = {.fd = pidfd, .events = POLLIN};
    return poll(&entry, 1, 0) == 0;
}

static ptrdiff_t read_cgroup(long pid, char *into, size_t capacity) {
    char path[64];
    size_t length = 0;
    snprintf(path, sizeof path, "/proc/%ld/cgroup", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd == -1) return -1;
    while (length < capacity) {
        ptrdiff_t count = read(fd, into + length, capacity - length);
        if (count == -1 && errno == EINTR) continue;
        if (count <= 0) break;
        length += (size_t)count;
    }
    close(fd);
    return (ptrdiff_t)length;
}

/* Undefined: it can't be told which process that is. */
static napi_value peer_cgroup(napi_env env, napi_callback_info info) {
    struct seam_call call;
    struct ucred peer;
    socklen_t bytes = sizeof peer;
    char text[CGROUP_BYTES];
    int fd;
    if (!seam_begin(env, info, &call) || !seam_fd(&call, 0, &fd)) return NULL;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) == -1) return seam_throw(env, errno, "getsockopt");
    int pidfd = peer_pidfd(fd);
    if (pidfd == -1 || peer.pid <= 0) {
        if (pidfd != -1) close(pidfd);
        return NULL;
    }
    ptrdiff_t length = read_cgroup(peer.pid, text, sizeof text);
    bool same = alive(pidfd);
    close(pidfd);
    napi_value result = NULL;
    if (length >= 0 && same) napi_create_string_utf8(env, text, (size_t)length, &result);
    return result;
}

const struct seam_entry peer_entries[] = {{"peerGroups", peer_groups}, {"peerCgroup", peer_cgroup}, {NULL, NULL}};
