/*
 * Stands in for a service manager: receives what is sent to its notify socket and prints each datagram as a line,
 * `PID UID LINE|LINE|...`. Usage: notify_receiver ADDRESS [hold], a path or @ and an abstract name; with `hold` it begins to read
 * when it is sent a line. Ends with its standard input. Trusts only the sender's credentials, as service managers do.
 */
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static int bind_to(const char *text) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t bytes = strlen(text);
    if (bytes >= sizeof address.sun_path) exit(2);
    memcpy(address.sun_path, text, bytes);
    int abstract = text[0] == '@', on = 1;
    if (abstract) address.sun_path[0] = 0;
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    if (fd == -1) fail("socket");
    if (setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) == -1) fail("setsockopt");
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + bytes + !abstract);
    if (bind(fd, (struct sockaddr *)&address, length) == -1) fail("bind");
    return fd;
}

static void receive(int fd) {
    char text[4096];
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(struct ucred))];
    } control;
    struct iovec part = {.iov_base = text, .iov_len = sizeof text - 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t bytes = recvmsg(fd, &message, 0);
    if (bytes == -1) fail("recvmsg");
    struct ucred sender = {0};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header != NULL && header->cmsg_type == SCM_CREDENTIALS) memcpy(&sender, CMSG_DATA(header), sizeof sender);
    text[bytes] = 0;
    for (char *c = text; *c != 0; c++) {
        if (*c == '\n') *c = '|';
    }
    printf("%d %d %s\n", (int)sender.pid, (int)sender.uid, text);
}

int main(int argc, char **argv) {
    if (argc < 2) return 2;
    int fd = bind_to(argv[1]);
    int holding = argc > 2;
    setvbuf(stdout, NULL, _IOLBF, 0);
    puts("bound");
    for (;;) {
        struct pollfd sources[] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = holding ? -1 : fd, .events = POLLIN}};
        if (poll(sources, 2, -1) == -1) fail("poll");
        char input[64];
        if (sources[0].revents != 0 && read(STDIN_FILENO, input, sizeof input) <= 0) return 0;
        if (sources[0].revents != 0) holding = 0;
        else if (sources[1].revents != 0) receive(fd);
    }
}
