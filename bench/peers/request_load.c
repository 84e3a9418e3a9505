// A load generator for the broker: N connections, each with one request outstanding, in one thread around epoll.
// It knows nothing of the protocol but where the request id and the status stand; the packets are handed to it as hex,
// so that what the broker is measured with is exactly what the library would send, and the generator costs little.
// Arguments: SOCKET CONNECTIONS HELLO REQUEST [REQUEST ...], packets in hex, sent in turn on each connection.
// Lines on standard input: "run MILLISECONDS"; answer: requests answered, nanoseconds passed.
#include "peer.h"
#include <fcntl.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define MAX_CONNECTIONS 1024
#define MAX_PACKET 65536
#define MAX_REQUESTS 16
// Offsets in the 16-byte header of a message, see spec/blobs.md.
#define REQUEST_ID_OFFSET 8
#define STATUS_OFFSET 12
#define HEADER_BYTES 16
// One response carries at most one object; room for more shows a broker that sends too many.
#define MAX_DESCRIPTORS 8

struct packet {
    size_t length;
    unsigned char bytes[MAX_PACKET];
};

static struct packet requests[MAX_REQUESTS];
static size_t request_count;
static int sockets[MAX_CONNECTIONS];
static uint32_t last_ids[MAX_CONNECTIONS];
static size_t next_request[MAX_CONNECTIONS];

static void refuse(const char *what)
{
    errno = EINVAL;
    fail(what);
}

static void parse_hex(const char *text, struct packet *packet)
{
    size_t length = strlen(text) / 2;
    if (length < HEADER_BYTES || length > MAX_PACKET)
        refuse("a packet must have 16 to 65536 bytes");
    for (size_t index = 0; index < length; index++) {
        unsigned int value;
        if (sscanf(text + 2 * index, "%2x", &value) != 1)
            refuse("a packet is not hex");
        packet->bytes[index] = (unsigned char)value;
    }
    packet->length = length;
}

static void close_descriptors(struct msghdr *message)
{
    struct cmsghdr *header = CMSG_FIRSTHDR(message);
    if (header == NULL || header->cmsg_type != SCM_RIGHTS)
        return;
    size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t index = 0; index < count; index++) {
        int fd;
        memcpy(&fd, CMSG_DATA(header) + index * sizeof fd, sizeof fd);
        close(fd);
    }
}

// Takes one response, closes the descriptor it may carry, and insists on status 0 and the id that was asked with.
static void receive_response(int socket, uint32_t id)
{
    static unsigned char bytes[MAX_PACKET];
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(MAX_DESCRIPTORS * sizeof(int))];
    } control;
    struct iovec vector = {.iov_base = bytes, .iov_len = sizeof bytes};
    struct msghdr message = {
        .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    ssize_t length = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    if (length < HEADER_BYTES)
        fail("recvmsg");
    close_descriptors(&message);
    uint32_t answered;
    uint16_t status;
    memcpy(&answered, bytes + REQUEST_ID_OFFSET, sizeof answered);
    memcpy(&status, bytes + STATUS_OFFSET, sizeof status);
    if (answered != id || status != 0) {
        fprintf(stderr, "request_load: request %u was answered as %u with status %u\n", id, answered, status);
        exit(1);
    }
}

static void send_next(size_t connection)
{
    struct packet *packet = &requests[next_request[connection]];
    next_request[connection] = (next_request[connection] + 1) % request_count;
    uint32_t id = ++last_ids[connection];
    memcpy(packet->bytes + REQUEST_ID_OFFSET, &id, sizeof id);
    if (send(sockets[connection], packet->bytes, packet->length, MSG_NOSIGNAL) != (ssize_t)packet->length)
        fail("send");
}

static int connect_to(const char *path, const struct packet *hello)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path)
        refuse("the socket's path is too long");
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        fail("connect");
    if (send(fd, hello->bytes, hello->length, MSG_NOSIGNAL) != (ssize_t)hello->length)
        fail("send hello");
    uint32_t id;
    memcpy(&id, hello->bytes + REQUEST_ID_OFFSET, sizeof id);
    receive_response(fd, id);
    return fd;
}

// Answers `in_flight` more responses; with `refill`, each one is followed by the connection's next request.
static uint64_t take_ready(int poll, bool refill)
{
    static struct epoll_event events[MAX_CONNECTIONS];
    int ready = epoll_wait(poll, events, MAX_CONNECTIONS, -1);
    if (ready < 0)
        fail("epoll_wait");
    for (int index = 0; index < ready; index++) {
        size_t connection = (size_t)events[index].data.u64;
        receive_response(sockets[connection], last_ids[connection]);
        if (refill)
            send_next(connection);
    }
    return (uint64_t)ready;
}

static void run(int poll, size_t connections, uint64_t duration_ns)
{
    uint64_t answered = 0;
    uint64_t start = now_ns();
    for (size_t connection = 0; connection < connections; connection++)
        send_next(connection);
    uint64_t end = start;
    while ((end = now_ns()) - start < duration_ns)
        answered += take_ready(poll, true);
    printf("%llu %llu\n", (unsigned long long)answered, (unsigned long long)(end - start));
    for (size_t left = connections; left > 0;)
        left -= take_ready(poll, false);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    if (argc < 5 || argc - 4 > MAX_REQUESTS) {
        fprintf(stderr, "usage: request_load SOCKET CONNECTIONS HELLO REQUEST [REQUEST ...]\n");
        return 2;
    }
    size_t connections = (size_t)atoi(argv[2]);
    if (connections < 1 || connections > MAX_CONNECTIONS)
        refuse("1 to 1024 connections");
    static struct packet hello;
    parse_hex(argv[3], &hello);
    for (int index = 4; index < argc; index++)
        parse_hex(argv[index], &requests[request_count++]);
    int poll = epoll_create1(EPOLL_CLOEXEC);
    for (size_t index = 0; index < connections; index++) {
        sockets[index] = connect_to(argv[1], &hello);
        last_ids[index] = 1;
        struct epoll_event event = {.events = EPOLLIN, .data.u64 = index};
        if (epoll_ctl(poll, EPOLL_CTL_ADD, sockets[index], &event) != 0)
            fail("epoll_ctl");
    }
    unsigned long long milliseconds;
    while (scanf(" run %llu", &milliseconds) == 1)
        run(poll, connections, milliseconds * 1000000u);
    return 0;
}
