/*
 * Wake-ups across a trust boundary: packets of one byte on the connection of a pair. Nothing here waits for the peer, and nothing is made
 * in JavaScript: both run once for every sleep.
 */
#include <errno.h>
#include <sys/socket.h>

#include "parse.h"
#include "receive.h"
#include "seam.h"

/* Most packets that one call discards: a peer that sends without end shall not keep the thread. */
#define MAX_DRAINED 4096

enum { DRAIN_END = -1, DRAIN_FOREIGN = -2 };

/* A full queue is as good as sent: the peer is awake when it has read what is there. */
static napi_value socket_wake(napi_env env, napi_callback_info info) {
    struct seam_call call;
    const char byte = 1;
    ssize_t sent;
    int fd;
    if (!seam_begin(env, info, &call) || !seam_fd(&call, 0, &fd)) return NULL;
    do sent = send(fd, &byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (sent == -1 && errno == EINTR);
    if (sent != -1 || errno == EAGAIN || errno == ENOBUFS) return seam_boolean(env, true);
    if (errno == EPIPE || errno == ECONNRESET) return seam_boolean(env, false);
    return seam_throw(env, errno, "send");
}

/*
 * Receives one packet: its bytes, of which one is kept; 0 at the end; -1 with errno. There is room for all descriptors that it can carry:
 * what has none the kernel closes within recvmsg.
 */
static ssize_t receive_packet(int fd, uint32_t *descriptors) {
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(PARSE_MAX_DESCRIPTORS * sizeof(int))];
    } control;
    int fds[PARSE_MAX_DESCRIPTORS];
    char byte;
    struct iovec part = {.iov_base = &byte, .iov_len = 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control};
    message.msg_controllen = CMSG_LEN(PARSE_MAX_DESCRIPTORS * sizeof(int));
    ssize_t bytes = receive_message(fd, &message, MSG_TRUNC);
    if (bytes == -1) return -1;
    *descriptors = parse_descriptors(&message, fds, PARSE_MAX_DESCRIPTORS);
    for (uint32_t i = 0; i < *descriptors; i++) seam_dispose(fds[i]);
    return bytes;
}

/* scratch: how many packets there were, whatever the answer. */
static napi_value socket_drain(napi_env env, napi_callback_info info) {
    struct seam_call call;
    uint64_t max, count = 0;
    int fd, answer = 0;
    if (!seam_begin(env, info, &call) || !seam_fd(&call, 0, &fd) || !seam_integer(&call, 1, "max", MAX_DRAINED, &max)) return NULL;
    while (count < max && answer == 0) {
        uint32_t descriptors = 0;
        ssize_t bytes = receive_packet(fd, &descriptors);
        if (bytes == 1 && descriptors == 0) count++;
        else if (bytes >= 0) answer = bytes == 0 ? DRAIN_END : DRAIN_FOREIGN;
        else if (errno == EAGAIN) break;
        else return seam_throw(env, errno, "recvmsg");
    }
    call.seam->scratch[0] = (double)count;
    return seam_number(env, answer == 0 ? (double)count : answer);
}

const struct seam_entry wake_entries[] = {{"socketWake", socket_wake}, {"socketDrain", socket_drain}, {NULL, NULL}};
