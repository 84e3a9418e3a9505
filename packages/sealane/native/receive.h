/*
 * Receiving what may bring descriptors, from whomever.
 */
#ifndef SEALANE_RECEIVE_H
#define SEALANE_RECEIVE_H

#include <sys/socket.h>
#include <sys/types.h>

/* recvmsg(2), with `flags` beside those that have nothing waited for and descriptors close on exec. -1 with errno. */
ssize_t receive_message(int socket, struct msghdr *message, int flags);

#endif
