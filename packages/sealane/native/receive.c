/*
 * Receiving what may bring descriptors, without waiting for anybody. Owns nothing. Where descriptors are short the kernel closes those that
 * find no room before recvmsg is over, and a socket that lingers would keep this thread for as long as its sender likes: an alarm ends that.
 */
#include "receive.h"

#include <errno.h>

#include "alarm.h"
#include "parse.h"
#include "seam.h"

/* How long what the kernel closes may keep a receiver. */
#define PATIENCE_MS 10

/*
 * ECONNRESET says once that the peer closed without having read all; what it sent before is still there, its last words
 * among it, and the end comes after that.
 */
ssize_t receive_message(int socket, struct msghdr *message, int flags) {
    struct alarm alarm = {.is_set = false};
    if (seam_is_short_of(2 * PARSE_MAX_DESCRIPTORS)) alarm_begin(&alarm, PATIENCE_MS);
    ssize_t bytes;
    do bytes = recvmsg(socket, message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC | flags);
    while (bytes == -1 && (errno == EINTR || errno == ECONNRESET));
    int error = errno;
    alarm_end(&alarm);
    errno = error;
    return bytes;
}
