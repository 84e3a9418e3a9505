/*
 * A client of memfdbus v1 in C, for tests and benchmarks: blocking calls, one connection a request, the memfd on the header's first
 * byte. Trusts the broker that it is told to connect to. Digests are given by the caller.
 *
 *   memfdbus_client SOCKET put NAME DIGEST FILE [JOB [ALLOWED]]     prints the id
 *   memfdbus_client SOCKET get id|name KEY OUT [JOB]                prints id, size, digest and name
 *   memfdbus_client SOCKET list [JOB]
 *   memfdbus_client SOCKET drop id|name KEY [JOB]                   prints the id
 *   memfdbus_client SOCKET bench                                    reads rounds of puts and gets, prints their latencies
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
#include <time.h>
#include <unistd.h>

enum { PUT = 1, GET, LIST, DROP };

/* More objects than this are never held at once: a round drops what it has put. */
enum { BENCH_OBJECTS = 4096 };

struct header {
    uint32_t magic;
    uint16_t version, command;
    uint32_t status, job_bytes;
    uint64_t object_id, size;
    uint32_t name_bytes, text_bytes, allowed_bytes, reserved;
};
_Static_assert(sizeof(struct header) == 48, "the header has 48 bytes");

struct request {
    struct header header;
    const char *name, *text, *job, *allowed;
    int fd;
};

struct response {
    struct header header;
    int fd;
    char *name, *text;
};

static void fail(const char *what) {
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(2);
}

static int connect_to(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strncpy(address.sun_path, path, sizeof address.sun_path - 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd == -1 || connect(fd, (struct sockaddr *)&address, sizeof address) == -1) fail("connect");
    return fd;
}

static void send_all(int socket, const void *bytes, size_t length) {
    for (const char *at = bytes; length > 0;) {
        ssize_t sent = send(socket, at, length, MSG_NOSIGNAL);
        if (sent <= 0) fail("send");
        at += sent;
        length -= (size_t)sent;
    }
}

static void receive_all(int socket, void *bytes, size_t length) {
    for (char *at = bytes; length > 0;) {
        ssize_t got = recv(socket, at, length, 0);
        if (got == 0) errno = ECONNRESET;
        if (got <= 0) fail("receive");
        at += got;
        length -= (size_t)got;
    }
}

static void send_header(int socket, const struct header *header, int fd) {
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec part = {(void *)header, sizeof *header};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (fd != -1) {
        control.header = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof fd), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
        memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
        message.msg_control = &control;
        message.msg_controllen = sizeof control.bytes;
    }
    ssize_t sent = sendmsg(socket, &message, MSG_NOSIGNAL);
    if (sent <= 0) fail("sendmsg");
    send_all(socket, (const char *)header + sent, sizeof *header - (size_t)sent);
}

static int receive_header(int socket, struct header *header) {
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec part = {header, sizeof *header};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control.bytes};
    ssize_t got = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    if (got == 0) errno = ECONNRESET;
    if (got <= 0) fail("recvmsg");
    int fd = -1;
    struct cmsghdr *first = CMSG_FIRSTHDR(&message);
    if (first != NULL && first->cmsg_type == SCM_RIGHTS) memcpy(&fd, CMSG_DATA(first), sizeof fd);
    receive_all(socket, (char *)header + got, sizeof *header - (size_t)got);
    return fd;
}

static char *receive_text(int socket, uint32_t length) {
    char *text = malloc((size_t)length + 1);
    if (text == NULL) fail("malloc");
    receive_all(socket, text, length);
    text[length] = 0;
    return text;
}

static uint32_t length_of(const char *text) { return text == NULL ? 0 : (uint32_t)strlen(text); }

/* One request, one response. Ends the program with the broker's text when that is an error. */
static struct response call(const char *path, struct request request) {
    struct header *header = &request.header;
    header->magic = 0x4d464442;
    header->version = 1;
    header->name_bytes = length_of(request.name);
    header->text_bytes = length_of(request.text);
    header->job_bytes = length_of(request.job);
    header->allowed_bytes = length_of(request.allowed);
    int socket = connect_to(path);
    send_header(socket, header, request.fd);
    send_all(socket, request.name, header->name_bytes);
    send_all(socket, request.text, header->text_bytes);
    send_all(socket, request.job, header->job_bytes);
    send_all(socket, request.allowed, header->allowed_bytes);
    struct response response = {.fd = -1};
    response.fd = receive_header(socket, &response.header);
    response.name = receive_text(socket, response.header.name_bytes);
    response.text = receive_text(socket, response.header.text_bytes);
    close(socket);
    if (response.header.status == 0) return response;
    fprintf(stderr, "broker error: %s\n", response.text);
    exit(1);
}

static void done(struct response *response) {
    if (response->fd != -1) close(response->fd);
    free(response->name);
    free(response->text);
}

static uint64_t copy(int from, int to) {
    static char buffer[65536];
    uint64_t total = 0;
    for (ssize_t got; (got = read(from, buffer, sizeof buffer)) != 0; total += (uint64_t)got) {
        if (got == -1 || write(to, buffer, (size_t)got) != got) fail("copy");
    }
    return total;
}

static int seal(int memfd) {
    if (fcntl(memfd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) == -1) fail("seal");
    return memfd;
}

static int make_memfd(void) {
    int memfd = memfd_create("memfdbus", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (memfd == -1) fail("memfd_create");
    return memfd;
}

static void put(const char *path, int argc, char **argv) {
    int file = open(argv[2], O_RDONLY | O_CLOEXEC);
    if (file == -1) fail(argv[2]);
    int memfd = make_memfd();
    uint64_t size = copy(file, memfd);
    struct request request = {.header = {.command = PUT, .size = size}, .name = argv[0], .text = argv[1], .fd = seal(memfd)};
    if (argc > 3) request.job = argv[3];
    if (argc > 4) request.allowed = argv[4];
    struct response response = call(path, request);
    printf("%llu\n", (unsigned long long)response.header.object_id);
    done(&response);
}

static struct request lookup(uint16_t command, char **argv, const char *job) {
    struct request request = {.header = {.command = command}, .job = job, .fd = -1};
    if (strcmp(argv[0], "id") == 0) request.header.object_id = strtoull(argv[1], NULL, 10);
    else request.name = argv[1];
    return request;
}

static void get(const char *path, int argc, char **argv) {
    struct response response = call(path, lookup(GET, argv, argc > 3 ? argv[3] : NULL));
    if (response.fd == -1 || lseek(response.fd, 0, SEEK_SET) == -1) fail("the object's descriptor");
    int out = open(argv[2], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (out == -1) fail(argv[2]);
    copy(response.fd, out);
    const struct header *header = &response.header;
    printf("%llu %llu %s %s\n", (unsigned long long)header->object_id, (unsigned long long)header->size, response.text,
           response.name);
    done(&response);
}

static void list(const char *path, int argc, char **argv) {
    struct response response = call(path, (struct request){.header = {.command = LIST}, .job = argc > 0 ? argv[0] : NULL, .fd = -1});
    fputs(response.text, stdout);
    done(&response);
}

static void drop(const char *path, int argc, char **argv) {
    struct response response = call(path, lookup(DROP, argv, argc > 2 ? argv[2] : NULL));
    printf("%llu\n", (unsigned long long)response.header.object_id);
    done(&response);
}

static double now_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

/* One put of bytes that are in memory, as a program does it that has a digest already: memfd, write, seals, request, answer. */
static uint64_t timed_put(const char *path, const unsigned char *bytes, size_t size, const char *digest, double *took_ns) {
    double start = now_ns();
    int memfd = make_memfd();
    for (size_t done = 0; done < size;) {
        ssize_t length = write(memfd, bytes + done, size - done);
        if (length < 0) fail("write");
        done += (size_t)length;
    }
    struct request request = {.header = {.command = PUT, .size = size}, .name = "bench", .text = digest, .fd = seal(memfd)};
    struct response response = call(path, request);
    close(memfd);
    *took_ns = now_ns() - start;
    done(&response);
    return response.header.object_id;
}

static double timed_get(const char *path, uint64_t id) {
    double start = now_ns();
    struct response response = call(path, (struct request){.header = {.command = GET, .object_id = id}, .fd = -1});
    if (response.fd == -1) fail("the object's descriptor");
    double took_ns = now_ns() - start;
    done(&response);
    return took_ns;
}

/* Puts COUNT objects that differ in their first bytes, their number, and whose digests follow; gets them; drops them. */
static void bench_round(const char *path, size_t size, size_t count) {
    static uint64_t ids[BENCH_OBJECTS];
    static double puts_ns[BENCH_OBJECTS], gets_ns[BENCH_OBJECTS];
    unsigned char *bytes = malloc(size);
    if (bytes == NULL || count > BENCH_OBJECTS) fail("round: SIZE or COUNT is too large");
    memset(bytes, 0x5a, size);
    for (size_t i = 0; i < count; i++) {
        char digest[80];
        if (scanf(" %79s", digest) != 1) fail("round: a digest is missing");
        for (size_t at = 0; at < 8; at++) bytes[at] = (unsigned char)(i >> (8 * at));
        ids[i] = timed_put(path, bytes, size, digest, &puts_ns[i]);
    }
    free(bytes);
    for (size_t i = 0; i < count; i++) gets_ns[i] = timed_get(path, ids[i]);
    for (size_t i = 0; i < count; i++) {
        struct request request = {.header = {.command = DROP, .object_id = ids[i]}, .fd = -1};
        struct response response = call(path, request);
        done(&response);
    }
    for (size_t i = 0; i < count; i++) printf("%.0f ", puts_ns[i]);
    for (size_t i = 0; i < count; i++) printf("%.0f%s", gets_ns[i], i + 1 < count ? " " : "\n");
    fflush(stdout);
}

/* Lines on standard input: "round SIZE COUNT DIGEST..."; answer: COUNT latencies of puts, then of gets, in nanoseconds. */
static void bench(const char *path) {
    size_t size, count;
    while (scanf(" round %zu %zu", &size, &count) == 2) bench_round(path, size, count);
}

int main(int argc, char **argv) {
    if (argc < 3) return 2;
    const char *path = argv[1], *command = argv[2];
    argc -= 3;
    argv += 3;
    if (strcmp(command, "put") == 0 && argc >= 3) put(path, argc, argv);
    else if (strcmp(command, "get") == 0 && argc >= 3) get(path, argc, argv);
    else if (strcmp(command, "list") == 0) list(path, argc, argv);
    else if (strcmp(command, "drop") == 0 && argc >= 2) drop(path, argc, argv);
    else if (strcmp(command, "bench") == 0) bench(path);
    else return 2;
    return 0;
}
