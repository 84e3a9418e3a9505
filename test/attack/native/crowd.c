/*
 * Sends packets with what no library of ours can send: up to 253 descriptors at once, of kinds that Node.js can't open. Attempts it over and over on
 * new connections, and prints what came back, a line for each: hexadecimal bytes, or "closed".
 *
 *   crowd SOCKET packet|stream GREETING PACKET KIND COUNT ROUNDS
 *
 * GREETING and PACKET are hexadecimal; an empty GREETING is not sent, and nothing is read then before the packet goes out. Ends with its
 * standard input: until then what its sockets linger over stays unread.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

/* What the kernel takes in one message (SCM_MAX_FD). */
#define MOST_DESCRIPTORS 253
#define BYTES 4096
#define MOST_MESSAGE 65536

static int fail(const char *what) {
    fprintf(stderr, "crowd: %s: %s\n", what, strerror(errno));
    exit(1);
}

static size_t from_hex(const char *text, uint8_t *into) {
    size_t length = 0;
    unsigned byte;
    for (; length < MOST_MESSAGE && sscanf(text + 2 * length, "%2x", &byte) == 1; length++) into[length] = (uint8_t)byte;
    return length;
}

static int sealed_memfd(unsigned flags) {
    int fd = memfd_create("crowd", MFD_CLOEXEC | MFD_ALLOW_SEALING | flags);
    if (fd == -1) fail("memfd_create");
    if (ftruncate(fd, flags == 0 ? BYTES : 0) == -1) fail("ftruncate");
    if (fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == -1) fail("fcntl");
    return fd;
}

static int listener_of_small_windows(struct sockaddr_in *address) {
    const int small = 2048;
    socklen_t length = sizeof *address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (fd == -1 || setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small) == -1) fail("socket");
    if (bind(fd, (struct sockaddr *)address, sizeof *address) == -1 || listen(fd, 4096) == -1) fail("listen");
    if (getsockname(fd, (struct sockaddr *)address, &length) == -1) fail("getsockname");
    return fd;
}

/* A TCP socket whose last close waits for ever: it lingers over bytes that nobody accepts. */
static int lingering_socket(void) {
    static struct sockaddr_in address;
    static int listener = -1;
    static const char bytes[65536];
    const struct linger on = {.l_onoff = 1, .l_linger = 1000000};
    const int small = 2048;
    if (listener == -1) listener = listener_of_small_windows(&address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd == -1 || setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small) == -1) fail("socket");
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == -1) fail("connect");
    while (send(fd, bytes, sizeof bytes, MSG_DONTWAIT) > 0);
    if (setsockopt(fd, SOL_SOCKET, SO_LINGER, &on, sizeof on) == -1) fail("setsockopt");
    return fd;
}

static void send_crowd(int socket, const uint8_t *bytes, size_t length, const int *fds, int count);

/* A Unix socket in whose queue such a socket lies. */
static int nesting_socket(void) {
    int pair[2], inner = lingering_socket();
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1) fail("socketpair");
    send_crowd(pair[0], (const uint8_t *)"x", 1, &inner, 1);
    close(inner);
    close(pair[0]);
    return pair[1];
}

static bool is_fresh(const char *kind) { return strcmp(kind, "linger") == 0 || strcmp(kind, "nested") == 0; }

static int make(const char *kind) {
    char path[64];
    if (strcmp(kind, "linger") == 0) return lingering_socket();
    if (strcmp(kind, "nested") == 0) return nesting_socket();
    if (strcmp(kind, "huge") == 0) return sealed_memfd(MFD_HUGETLB);
    int fd = sealed_memfd(0);
    if (strcmp(kind, "memfd") == 0) return fd;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int opened = open(path, O_PATH | O_CLOEXEC);
    if (opened == -1) fail("open");
    return opened;
}

static int connect_to(const char *path, int type) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    for (;;) {
        int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
        if (fd == -1) fail("socket");
        if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0) return fd;
        close(fd);
        if (errno != EAGAIN) fail("connect");
        usleep(1000);
    }
}

/* The broker may close a connection at any time: what is lost then is found out by reading. */
static void send_crowd(int socket, const uint8_t *bytes, size_t length, const int *fds, int count) {
    static union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(MOST_DESCRIPTORS * sizeof(int))];
    } control;
    struct iovec part = {.iov_base = (void *)bytes, .iov_len = length};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (count > 0) {
        message.msg_control = &control;
        message.msg_controllen = CMSG_SPACE((size_t)count * sizeof(int));
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN((size_t)count * sizeof(int));
        memcpy(CMSG_DATA(&control.header), fds, (size_t)count * sizeof(int));
    }
    if (sendmsg(socket, &message, MSG_NOSIGNAL) == -1 && errno != EPIPE && errno != ECONNRESET) fail("sendmsg");
}

/* The same one over and over, or a new one each: of those it is the last close that counts. */
static void make_crowd(const char *kind, int *fds, int count) {
    for (int i = 0; i < count; i++) fds[i] = i == 0 || is_fresh(kind) ? make(kind) : fds[0];
}

static void come_back(int signal) { (void)signal; }

/* Where the broker was faster, it is this close that would wait: a signal ends that. */
static void close_crowd(const char *kind, const int *fds, int count) {
    const struct sigaction action = {.sa_handler = come_back};
    const struct itimerval often = {.it_value.tv_usec = 10000, .it_interval.tv_usec = 10000}, never = {0};
    if (sigaction(SIGALRM, &action, NULL) == -1 || setitimer(ITIMER_REAL, &often, NULL) == -1) fail("setitimer");
    for (int i = 0; i < count && (i == 0 || is_fresh(kind)); i++) close(fds[i]);
    setitimer(ITIMER_REAL, &never, NULL);
}

static void print_answer(int socket) {
    uint8_t answer[4096];
    ssize_t length = recv(socket, answer, sizeof answer, 0);
    if (length <= 0) printf("closed");
    for (ssize_t i = 0; i < length; i++) printf("%02x", answer[i]);
    printf("\n");
    fflush(stdout);
}

int main(int argc, char **argv) {
    static uint8_t greeting[MOST_MESSAGE], packet[MOST_MESSAGE], ignored[MOST_MESSAGE];
    if (argc != 8) {
        fprintf(stderr, "usage: crowd SOCKET packet|stream GREETING PACKET KIND COUNT ROUNDS\n");
        return 2;
    }
    int type = strcmp(argv[2], "stream") == 0 ? SOCK_STREAM : SOCK_SEQPACKET;
    size_t greeting_length = from_hex(argv[3], greeting), packet_length = from_hex(argv[4], packet);
    int fds[MOST_DESCRIPTORS], count = atoi(argv[6]);
    if (count < 0 || count > MOST_DESCRIPTORS) return 2;
    for (int round = atoi(argv[7]); round > 0; round--) {
        int socket = connect_to(argv[1], type);
        if (greeting_length > 0) {
            send_crowd(socket, greeting, greeting_length, NULL, 0);
            if (recv(socket, ignored, sizeof ignored, 0) <= 0) fail("recv");
        }
        make_crowd(argv[5], fds, count);
        send_crowd(socket, packet, packet_length, fds, count);
        close_crowd(argv[5], fds, count);
        print_answer(socket);
        close(socket);
    }
    while (read(STDIN_FILENO, ignored, sizeof ignored) > 0);
    return 0;
}
