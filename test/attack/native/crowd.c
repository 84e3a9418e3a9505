/*
 * Sends packets with what no library of ours can send: up to 253 descriptors at once, of kinds that Node.js can't open. Attempts it over and over on
 * new connections, and prints what came back, a line for each: hexadecimal bytes, or "closed".
 *
 *   crowd SOCKET packet|stream GREETING PACKET KIND COUNT ROUNDS
 *
 * GREETING and PACKET are hexadecimal; an empty GREETING is not sent, and nothing is read then before the packet goes out.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
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

static int make(const char *kind) {
    char path[64];
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
static void send_crowd(int socket, const uint8_t *bytes, size_t length, int fd, int count) {
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
        for (int i = 0; i < count; i++) memcpy(CMSG_DATA(&control.header) + (size_t)i * sizeof(int), &fd, sizeof fd);
    }
    if (sendmsg(socket, &message, MSG_NOSIGNAL) == -1 && errno != EPIPE && errno != ECONNRESET) fail("sendmsg");
}

static void print_answer(int socket) {
    uint8_t answer[4096];
    ssize_t length = recv(socket, answer, sizeof answer, 0);
    if (length <= 0) printf("closed");
    for (ssize_t i = 0; i < length; i++) printf("%02x", answer[i]);
    printf("\n");
}

int main(int argc, char **argv) {
    static uint8_t greeting[MOST_MESSAGE], packet[MOST_MESSAGE], ignored[MOST_MESSAGE];
    if (argc != 8) {
        fprintf(stderr, "usage: crowd SOCKET packet|stream GREETING PACKET KIND COUNT ROUNDS\n");
        return 2;
    }
    int type = strcmp(argv[2], "stream") == 0 ? SOCK_STREAM : SOCK_SEQPACKET;
    size_t greeting_length = from_hex(argv[3], greeting), packet_length = from_hex(argv[4], packet);
    int fd = make(argv[5]), count = atoi(argv[6]);
    if (count < 0 || count > MOST_DESCRIPTORS) return 2;
    for (int round = atoi(argv[7]); round > 0; round--) {
        int socket = connect_to(argv[1], type);
        if (greeting_length > 0) {
            send_crowd(socket, greeting, greeting_length, -1, 0);
            if (recv(socket, ignored, sizeof ignored, 0) <= 0) fail("recv");
        }
        send_crowd(socket, packet, packet_length, fd, count);
        print_answer(socket);
        close(socket);
    }
    return 0;
}
