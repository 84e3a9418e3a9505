/*
 * Unix sockets of type SOCK_SEQPACKET, and SOCK_STREAM for foreign protocols: bytes and their descriptors, never blocking.
 * Descriptors to send are borrowed; received ones belong to the caller, and those that come with no bytes are closed here.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "parse.h"
#include "receive.h"
#include "seam.h"

/* Most descriptors that are sent in one packet: MAX_PACKET_DESCRIPTORS of the library and one more, so that tests can send too many. */
#define MAX_DESCRIPTORS 5

enum { FLAG_DESCRIPTORS_LOST = 1, FLAG_TRUNCATED = 2 };
enum { SEND_DONE, SEND_FULL, SEND_IN_FLIGHT };

static int type_of(bool stream) { return (stream ? SOCK_STREAM : SOCK_SEQPACKET) | SOCK_NONBLOCK | SOCK_CLOEXEC; }

static bool path_argument(struct seam_call *call, struct sockaddr_un *address) {
    char path[sizeof address->sun_path - 1 + 5];
    if (!seam_text(call, 0, "path", path, sizeof path)) return false;
    if (path[0] == 0) {
        seam_throw_type(call->env, "path must not be empty");
        return false;
    }
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    memcpy(address->sun_path, path, strlen(path));
    return true;
}

static napi_value close_and_throw(napi_env env, int fd, const char *syscall) {
    int error = errno;
    close(fd);
    return seam_throw(env, error, syscall);
}

static bool read_peer(int fd, double *out) {
    struct ucred peer;
    socklen_t length = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == -1) return false;
    out[0] = peer.pid;
    out[1] = peer.uid;
    out[2] = peer.gid;
    return true;
}

/*
 * A connected socket goes on record, its peer to the scratch numbers. Out-of-band bytes are received like others: the kernel
 * would skip them, and close the descriptors that came with them within recvmsg.
 */
static napi_value keep_connected(struct seam_call *call, int fd) {
    const int on = 1;
    (void)setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof on);
    if (!read_peer(fd, call->seam->scratch)) return close_and_throw(call->env, fd, "getsockopt");
    seam_own(call->seam, fd);
    return seam_number(call->env, fd);
}

static napi_value socket_connect(napi_env env, napi_callback_info info) {
    struct seam_call call;
    struct sockaddr_un address;
    bool stream;
    if (!seam_begin(env, info, &call) || !path_argument(&call, &address) || !seam_bool(&call, 1, "stream", &stream)) {
        return NULL;
    }
    int fd = socket(AF_UNIX, type_of(stream), 0);
    if (fd == -1) return seam_throw(env, errno, "socket");
    int result;
    do result = connect(fd, (const struct sockaddr *)&address, sizeof address);
    while (result == -1 && errno == EINTR);
    if (result == 0) return keep_connected(&call, fd);
    if (errno != EAGAIN) return close_and_throw(env, fd, "connect");
    close(fd);
    return seam_number(env, -1);
}

/*
 * The mode of a socket's inode becomes that of its file, less the umask: fchmod first, so that the file is never open to
 * others, and chmod after, so that the umask took nothing from its owner.
 */
static const char *bind_and_listen(int fd, const struct sockaddr_un *address, int backlog) {
    if (fchmod(fd, 0600) == -1) return "fchmod";
    if (bind(fd, (const struct sockaddr *)address, sizeof *address) == -1) return "bind";
    const char *failed = chmod(address->sun_path, 0600) == -1 ? "chmod" : listen(fd, backlog) == -1 ? "listen" : NULL;
    if (failed != NULL) {
        int error = errno;
        unlink(address->sun_path);
        errno = error;
    }
    return failed;
}

static napi_value socket_listen(napi_env env, napi_callback_info info) {
    struct seam_call call;
    struct sockaddr_un address;
    uint64_t backlog;
    bool stream;
    if (!seam_begin(env, info, &call) || !path_argument(&call, &address) ||
        !seam_integer(&call, 1, "backlog", INT32_MAX, &backlog) || !seam_bool(&call, 2, "stream", &stream)) {
        return NULL;
    }
    int fd = socket(AF_UNIX, type_of(stream), 0);
    if (fd == -1) return seam_throw(env, errno, "socket");
    const char *failed = bind_and_listen(fd, &address, (int)backlog);
    if (failed != NULL) return close_and_throw(env, fd, failed);
    seam_own(call.seam, fd);
    return seam_number(env, fd);
}

static napi_value socket_pair(napi_env env, napi_callback_info info) {
    struct seam_call call;
    int fds[2];
    bool stream;
    if (!seam_begin(env, info, &call) || !seam_bool(&call, 0, "stream", &stream)) return NULL;
    if (socketpair(AF_UNIX, type_of(stream), 0, fds) == -1) return seam_throw(env, errno, "socketpair");
    if (!read_peer(fds[0], call.seam->scratch + 2)) {
        int error = errno;
        close(fds[0]);
        close(fds[1]);
        return seam_throw(env, error, "getsockopt");
    }
    for (int i = 0; i < 2; i++) {
        call.seam->scratch[i] = fds[i];
        seam_own(call.seam, fds[i]);
    }
    return NULL;
}

static napi_value socket_accept(napi_env env, napi_callback_info info) {
    struct seam_call call;
    int listener;
    if (!seam_begin(env, info, &call) || !seam_fd(&call, 0, &listener)) return NULL;
    int fd;
    do fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    while (fd == -1 && (errno == EINTR || errno == ECONNABORTED));
    if (fd != -1) return keep_connected(&call, fd);
    return errno == EAGAIN ? seam_number(env, -1) : seam_throw(env, errno, "accept4");
}

static napi_value socket_peer(napi_env env, napi_callback_info info) {
    struct seam_call call;
    int fd;
    if (!seam_begin(env, info, &call) || !seam_fd(&call, 0, &fd)) return NULL;
    if (!read_peer(fd, call.seam->scratch)) return seam_throw(env, errno, "getsockopt");
    return NULL;
}

/* Reads the optional array of descriptors at argument `index`. */
static bool descriptors_argument(struct seam_call *call, size_t index, int *fds, uint32_t *count) {
    napi_env env = call->env;
    napi_value array = call->argv[index];
    napi_valuetype type;
    bool is_array = false;
    *count = 0;
    if (napi_typeof(env, array, &type) == napi_ok && type == napi_undefined) return true;
    if (napi_is_array(env, array, &is_array) != napi_ok || !is_array ||
        napi_get_array_length(env, array, count) != napi_ok || *count > MAX_DESCRIPTORS) {
        seam_throw_type(env, "descriptors must be an array of at most %d descriptors", MAX_DESCRIPTORS);
        return false;
    }
    for (uint32_t i = 0; i < *count; i++) {
        struct seam_call element = *call;
        if (napi_get_element(env, array, i, &element.argv[0]) != napi_ok || !seam_fd(&element, 0, &fds[i])) return false;
    }
    return true;
}

union control {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(PARSE_MAX_DESCRIPTORS * sizeof(int))];
};
_Static_assert(SEAM_SCRATCH >= PARSE_MAX_DESCRIPTORS + 2, "a packet's descriptors are reported as scratch numbers");

static void attach(struct msghdr *message, union control *control, const int *fds, uint32_t count) {
    if (count == 0) return;
    memset(control, 0, sizeof *control);
    control->header.cmsg_level = SOL_SOCKET;
    control->header.cmsg_type = SCM_RIGHTS;
    control->header.cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(&control->header), fds, count * sizeof(int));
    message->msg_control = control;
    message->msg_controllen = CMSG_SPACE(count * sizeof(int));
}

/* A stream may take a part: how many bytes it took goes to `bytes`. */
static int send_packet(int socket, struct msghdr *message, double *bytes) {
    ssize_t sent;
    do sent = sendmsg(socket, message, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (sent == -1 && errno == EINTR);
    *bytes = (double)sent;
    if (sent != -1) return SEND_DONE;
    if (errno == EAGAIN || errno == ENOBUFS) return SEND_FULL;
    return errno == ETOOMANYREFS ? SEND_IN_FLIGHT : -1;
}

static napi_value socket_send(napi_env env, napi_callback_info info) {
    struct seam_call call;
    int socket, fds[MAX_DESCRIPTORS];
    uint8_t *data;
    size_t length;
    uint32_t count;
    if (!seam_begin(env, info, &call) || !seam_fd(&call, 0, &socket) || !descriptors_argument(&call, 2, fds, &count) ||
        !seam_bytes(&call, 1, "bytes", &data, &length)) {
        return NULL;
    }
    if (length == 0) return seam_throw_type(env, "bytes must not be empty: an empty packet means the end");
    struct iovec part = {.iov_base = data, .iov_len = length};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    union control control;
    attach(&message, &control, fds, count);
    int result = send_packet(socket, &message, call.seam->scratch);
    return result == -1 ? seam_throw(env, errno, "sendmsg") : seam_number(env, result);
}

/*
 * A packet without bytes means the end, whatever descriptors came with it. The others go on record: JavaScript may be
 * terminated before it knows of them.
 */
static napi_value report_packet(struct seam_call *call, struct msghdr *message, ssize_t bytes) {
    double *out = call->seam->scratch;
    int fds[PARSE_MAX_DESCRIPTORS];
    uint32_t count = parse_descriptors(message, fds, PARSE_MAX_DESCRIPTORS);
    for (uint32_t i = 0; bytes == 0 && i < count; i++) seam_dispose(fds[i]);
    out[0] = (message->msg_flags & MSG_CTRUNC ? FLAG_DESCRIPTORS_LOST : 0) |
             (message->msg_flags & MSG_TRUNC ? FLAG_TRUNCATED : 0);
    out[1] = count;
    for (uint32_t i = 0; bytes > 0 && i < count; i++) {
        out[2 + i] = fds[i];
        seam_own(call->seam, fds[i]);
    }
    return seam_number(call->env, (double)bytes);
}

/* What is next stays where it is; MSG_CTRUNC says that something came with it. */
static ssize_t look_at_next(int fd, struct msghdr *message) {
    char byte;
    struct iovec part = {.iov_base = &byte, .iov_len = 1};
    *message = (struct msghdr){.msg_iov = &part, .msg_iovlen = 1};
    ssize_t bytes;
    do bytes = recvmsg(fd, message, MSG_DONTWAIT | MSG_PEEK);
    while (bytes == -1 && (errno == EINTR || errno == ECONNRESET));
    message->msg_iov = NULL;
    return bytes;
}

static bool brings_descriptors(int fd) {
    struct msghdr message;
    return look_at_next(fd, &message) >= 0 && (message.msg_flags & MSG_CTRUNC) != 0;
}

static napi_value socket_receive(napi_env env, napi_callback_info info) {
    struct seam_call call;
    int socket;
    uint8_t *data;
    size_t length;
    bool bare;
    union control control;
    if (!seam_begin(env, info, &call) || !seam_fd(&call, 0, &socket) || !seam_bytes(&call, 1, "into", &data, &length) ||
        !seam_bool(&call, 2, "bare", &bare)) {
        return NULL;
    }
    if (length == 0) return seam_throw_type(env, "into must have room for a byte at least");
    if (bare && brings_descriptors(socket)) return seam_number(env, -2);
    struct iovec part = {.iov_base = data, .iov_len = length};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control};
    message.msg_controllen = CMSG_LEN(PARSE_MAX_DESCRIPTORS * sizeof(int));
    ssize_t bytes = receive_message(socket, &message, 0);
    if (bytes >= 0) return report_packet(&call, &message, bytes);
    return errno == EAGAIN ? seam_number(env, -1) : seam_throw(env, errno, "recvmsg");
}

/*
 * What the kernel holds of what was sent, in bytes of its own accounting: 0 when the peer has read all of it. unix(7) calls the request
 * SIOCOUTQ, in a header that not every C library comes with; it is the same number.
 */
static napi_value socket_unread(napi_env env, napi_callback_info info) {
    struct seam_call call;
    int fd, bytes = 0;
    if (!seam_begin(env, info, &call) || !seam_fd(&call, 0, &fd)) return NULL;
    if (ioctl(fd, TIOCOUTQ, &bytes) == -1) return seam_throw(env, errno, "ioctl");
    return seam_number(env, bytes);
}

/* Whether the peer is gone: it neither sends nor receives any more. What it sent before can still be received. */
static napi_value socket_gone(napi_env env, napi_callback_info info) {
    struct seam_call call;
    struct pollfd entry = {0};
    if (!seam_begin(env, info, &call) || !seam_fd(&call, 0, &entry.fd)) return NULL;
    if (poll(&entry, 1, 0) == -1) return seam_throw(env, errno, "poll");
    return seam_boolean(env, (entry.revents & POLLHUP) != 0);
}

/* ENOTCONN: the peer ended it first, which is what is wanted. */
static napi_value socket_shutdown(napi_env env, napi_callback_info info) {
    struct seam_call call;
    int fd;
    bool sending_only;
    if (!seam_begin(env, info, &call) || !seam_fd(&call, 0, &fd) || !seam_bool(&call, 1, "sendingOnly", &sending_only)) {
        return NULL;
    }
    if (shutdown(fd, sending_only ? SHUT_WR : SHUT_RDWR) == -1 && errno != ENOTCONN) return seam_throw(env, errno, "shutdown");
    return NULL;
}

/*
 * Whether nothing is left to be received, now that nothing more can come. An empty packet may carry descriptors and looks like
 * the end; but only of a packet could there be credentials, which the kernel then says that it had no room for.
 */
static bool is_drained(int fd) {
    const int on = 1;
    struct msghdr message;
    (void)setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
    return look_at_next(fd, &message) == 0 && (message.msg_flags & MSG_CTRUNC) == 0;
}

/*
 * Closing a socket closes the descriptors of the packets in it. For the peer the connection ends at once; where packets are
 * left, the descriptor ends on another thread.
 */
static napi_value socket_hang_up(napi_env env, napi_callback_info info) {
    struct seam_call call;
    int fd;
    if (!seam_begin(env, info, &call) || !seam_fd(&call, 0, &fd)) return NULL;
    if (shutdown(fd, SHUT_RDWR) == -1 && errno != ENOTCONN) return seam_throw(env, errno, "shutdown");
    seam_disown(call.seam, fd);
    if (is_drained(fd)) close(fd);
    else seam_dispose(fd);
    return NULL;
}

const struct seam_entry socket_entries[] = {
    {"socketConnect", socket_connect}, {"socketListen", socket_listen},   {"socketPair", socket_pair},
    {"socketAccept", socket_accept},   {"socketPeer", socket_peer},       {"socketSend", socket_send},
    {"socketReceive", socket_receive}, {"socketUnread", socket_unread},   {"socketShutdown", socket_shutdown},
    {"socketHangUp", socket_hang_up},  {"socketGone", socket_gone},       {NULL, NULL},
};
