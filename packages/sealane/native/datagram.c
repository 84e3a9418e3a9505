/*
 * One datagram to a Unix socket, as service managers take them: sent or not, never waited for. Owns nothing beyond the call.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "seam.h"

/* A path, or @ and an abstract name: that one has a zero instead of the @, and no zero at its end. */
static bool address_argument(struct seam_call *call, struct sockaddr_un *address, socklen_t *length) {
    char text[sizeof address->sun_path - 1 + 5];
    if (!seam_text(call, 0, "address", text, sizeof text)) return false;
    size_t bytes = strlen(text);
    if (bytes < 2) {
        seam_throw_type(call->env, "address must be a path, or @ and a name");
        return false;
    }
    bool abstract = text[0] == '@';
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    memcpy(address->sun_path + abstract, text + abstract, bytes - abstract);
    *length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + bytes + !abstract);
    return true;
}

/* 0, or the error number. */
static int send_once(const struct sockaddr_un *address, socklen_t length, const uint8_t *data, size_t bytes) {
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd == -1) return errno;
    ssize_t sent;
    do sent = sendto(fd, data, bytes, MSG_DONTWAIT | MSG_NOSIGNAL, (const struct sockaddr *)address, length);
    while (sent == -1 && errno == EINTR);
    int error = sent == -1 ? errno : 0;
    close(fd);
    return error;
}

static napi_value datagram_send(napi_env env, napi_callback_info info) {
    struct seam_call call;
    struct sockaddr_un address;
    socklen_t address_bytes;
    uint8_t *data;
    size_t bytes;
    if (!seam_begin(env, info, &call) || !address_argument(&call, &address, &address_bytes) ||
        !seam_bytes(&call, 1, "bytes", &data, &bytes)) {
        return NULL;
    }
    int error = send_once(&address, address_bytes, data, bytes);
    if (error == 0) return seam_boolean(env, true);
    return error == EAGAIN || error == ENOBUFS ? seam_boolean(env, false) : seam_throw(env, error, "sendto");
}

const struct seam_entry datagram_entries[] = {{"datagramSend", datagram_send}, {NULL, NULL}};
