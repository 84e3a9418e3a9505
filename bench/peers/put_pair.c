// A client and a broker that hand over sealed memory with nothing but the system calls this takes: the floor that
// a put through the library is compared with. The broker is a process of its own; each has a core of its own.
// Lines on standard input: "put SIZE COUNT"; answer: COUNT latencies in nanoseconds.
#include "peer.h"
#include <fcntl.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8U
#endif

// More objects than this are never held at once: a batch is dropped before the next one starts.
#define MAX_OBJECTS 4096
#define BLOB_SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

enum kind { KIND_PUT = 1, KIND_DROP = 2 };

struct request {
    uint32_t kind;
    uint32_t reserved;
    uint64_t size_or_id;
};

struct response {
    uint64_t id;
    uint64_t status;
};

// Receives one request and its descriptor, or -1 in *fd. False at the end of the connection.
static bool receive_request(int socket, struct request *request, int *fd)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec vector = {.iov_base = request, .iov_len = sizeof *request};
    struct msghdr message = {
        .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    ssize_t length = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    if (length < 0)
        fail("recvmsg");
    *fd = -1;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header != NULL && header->cmsg_type == SCM_RIGHTS)
        memcpy(fd, CMSG_DATA(header), sizeof *fd);
    return length == (ssize_t)sizeof *request;
}

// What any broker must know before it may keep a descriptor: a regular tmpfs file of the stated size, all seals set.
static bool is_sealed_blob(int fd, uint64_t size)
{
    struct stat status;
    struct statfs file_system;
    if (fstat(fd, &status) != 0 || fstatfs(fd, &file_system) != 0)
        return false;
    int seals = fcntl(fd, F_GET_SEALS);
    return S_ISREG(status.st_mode) && (uint64_t)status.st_size == size && file_system.f_type == TMPFS_MAGIC &&
           seals >= 0 && (seals & BLOB_SEALS) == BLOB_SEALS;
}

static void serve(int socket)
{
    static int objects[MAX_OBJECTS];
    uint64_t next = 0;
    struct request request;
    int fd;
    while (receive_request(socket, &request, &fd)) {
        struct response response = {.id = 0, .status = 0};
        if (request.kind == KIND_PUT) {
            if (!is_sealed_blob(fd, request.size_or_id))
                response.status = 1;
            response.id = next++ % MAX_OBJECTS;
            objects[response.id] = fd;
        } else {
            close(objects[request.size_or_id % MAX_OBJECTS]);
        }
        if (send(socket, &response, sizeof response, MSG_NOSIGNAL) != sizeof response)
            fail("send");
    }
}

// EBUSY: the kernel still holds pages in a batch of another core, which this thread was moved away from while it wrote.
// It has waited for them for 160 ms then; asking again has always helped.
static void seal(int fd)
{
    int result;
    do
        result = fcntl(fd, F_ADD_SEALS, BLOB_SEALS);
    while (result != 0 && errno == EBUSY);
    if (result != 0)
        fail("F_ADD_SEALS");
}

static int make_sealed(const unsigned char *bytes, size_t size)
{
    int fd = memfd_create("put-peer", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
    if (fd < 0 && errno == EINVAL)
        fd = memfd_create("put-peer", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        fail("memfd_create");
    for (size_t done = 0; done < size;) {
        ssize_t length = write(fd, bytes + done, size - done);
        if (length < 0)
            fail("write");
        done += (size_t)length;
    }
    seal(fd);
    return fd;
}

static void send_put(int socket, int fd, size_t size)
{
    struct request request = {.kind = KIND_PUT, .reserved = 0, .size_or_id = size};
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    memset(&control, 0, sizeof control);
    struct iovec vector = {.iov_base = &request, .iov_len = sizeof request};
    struct msghdr message = {
        .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &fd, sizeof fd);
    if (sendmsg(socket, &message, MSG_NOSIGNAL) != (ssize_t)sizeof request)
        fail("sendmsg");
}

static uint64_t receive_id(int socket)
{
    struct response response;
    if (recv(socket, &response, sizeof response, 0) != (ssize_t)sizeof response)
        fail("recv");
    if (response.status != 0) {
        errno = EPROTO;
        fail("the broker refused a put");
    }
    return response.id;
}

static uint64_t put(int socket, const unsigned char *bytes, size_t size)
{
    int fd = make_sealed(bytes, size);
    send_put(socket, fd, size);
    uint64_t id = receive_id(socket);
    close(fd);
    return id;
}

static void drop(int socket, uint64_t id)
{
    struct request request = {.kind = KIND_DROP, .reserved = 0, .size_or_id = id};
    if (send(socket, &request, sizeof request, MSG_NOSIGNAL) != (ssize_t)sizeof request)
        fail("send");
    receive_id(socket);
}

// Puts are timed one by one; the drops that follow are not.
static void run_batch(int socket, const unsigned char *bytes, size_t size, size_t count)
{
    static uint64_t ids[MAX_OBJECTS];
    static uint64_t latencies_ns[MAX_OBJECTS];
    for (size_t index = 0; index < count; index++) {
        uint64_t start = now_ns();
        ids[index] = put(socket, bytes, size);
        latencies_ns[index] = now_ns() - start;
    }
    for (size_t index = 0; index < count; index++)
        drop(socket, ids[index]);
    for (size_t index = 0; index < count; index++)
        printf("%s%llu", index == 0 ? "" : " ", (unsigned long long)latencies_ns[index]);
    printf("\n");
    fflush(stdout);
}

static void run_client(int socket)
{
    unsigned char *bytes = NULL;
    size_t filled = 0;
    size_t size;
    size_t count;
    while (scanf(" put %zu %zu", &size, &count) == 2) {
        if (size > filled) {
            bytes = realloc(bytes, size);
            if (bytes == NULL || count > MAX_OBJECTS)
                fail("put: SIZE or COUNT is too large");
            memset(bytes, 0x5a, size);
            filled = size;
        }
        run_batch(socket, bytes, size, count);
    }
    free(bytes);
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: put_pair CLIENT_CORE BROKER_CORE (-1: not pinned)\n");
        return 2;
    }
    int sockets[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) != 0)
        fail("socketpair");
    pid_t child = fork();
    if (child < 0)
        fail("fork");
    if (child == 0) {
        close(sockets[0]);
        pin(argv[2]);
        serve(sockets[1]);
        return 0;
    }
    close(sockets[1]);
    pin(argv[1]);
    run_client(sockets[0]);
    return 0;
}
