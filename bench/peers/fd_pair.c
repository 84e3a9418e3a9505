// Two processes that hand each other a descriptor in turns, with nothing but the system calls this takes: the floor of handing frames over
// through the library. Each message is 64 bytes of metadata and the descriptor of a 1080p frame, which its receiver closes.
// Arguments: a core for each (-1: any); how they wait: "poll" for ever trying to receive, "sleep" for sleeping in recvmsg; and whether the
// receiver asks the kernel if it is sealed memory that can be read, as the library does, before it uses it: "checked" or "unchecked".
// Lines on standard input: "COUNT"; answer: the nanoseconds of COUNT round trips.
#include "peer.h"
#include <fcntl.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#define FRAME_BYTES (1920 * 1080 * 4)
#define METADATA_BYTES 64
#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW)
// Whoever got nothing for so many tries sleeps until something comes: between two batches the other sides have the machine.
#define TRIES 20000

struct side {
    int socket;
    int frame;
    bool polls, checks;
    uint64_t sent;
};

union control {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int))];
};

static int make_frame(void)
{
    int frame = memfd_create("frame", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (frame < 0 || ftruncate(frame, FRAME_BYTES) != 0)
        fail("memfd_create");
    void *bytes = mmap(NULL, FRAME_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, frame, 0);
    if (bytes == MAP_FAILED)
        fail("mmap");
    memset(bytes, 1, FRAME_BYTES);
    if (fcntl(frame, F_ADD_SEALS, SEALS) != 0)
        fail("F_ADD_SEALS");
    return frame;
}

static void send_frame(const struct side *side, uint64_t number)
{
    char metadata[METADATA_BYTES] = {0};
    memcpy(metadata, &number, sizeof number);
    struct iovec part = {.iov_base = metadata, .iov_len = sizeof metadata};
    union control control = {.header = {.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))}};
    memcpy(CMSG_DATA(&control.header), &side->frame, sizeof(int));
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    if (sendmsg(side->socket, &message, MSG_NOSIGNAL) != METADATA_BYTES)
        fail("sendmsg");
}

static ssize_t receive_when_there(const struct side *side, struct msghdr *message)
{
    for (long tries = 0;; tries++) {
        bool waits = !side->polls || tries == TRIES;
        ssize_t length = recvmsg(side->socket, message, MSG_CMSG_CLOEXEC | (waits ? 0 : MSG_DONTWAIT));
        if (length >= 0)
            return length;
        if (errno != EAGAIN && errno != EINTR)
            fail("recvmsg");
    }
}

static bool is_sealed_memory(int frame)
{
    struct statfs system;
    int seals = fcntl(frame, F_GET_SEALS), flags = fcntl(frame, F_GETFL);
    return seals != -1 && (seals & SEALS) == SEALS && flags != -1 && (flags & O_ACCMODE) != O_WRONLY &&
           fstatfs(frame, &system) == 0 && system.f_type == TMPFS_MAGIC;
}

// Takes a frame, looks at its number, and closes it. False at the end of the connection.
static bool receive_frame(const struct side *side, uint64_t *number)
{
    char metadata[METADATA_BYTES];
    struct iovec part = {.iov_base = metadata, .iov_len = sizeof metadata};
    union control control;
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    if (receive_when_there(side, &message) != METADATA_BYTES)
        return false;
    const struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header == NULL || header->cmsg_type != SCM_RIGHTS || header->cmsg_len != CMSG_LEN(sizeof(int)))
        fail("a frame came without its descriptor");
    int frame;
    memcpy(&frame, CMSG_DATA(header), sizeof frame);
    memcpy(number, metadata, sizeof *number);
    if (side->checks && !is_sealed_memory(frame))
        fail("a frame is no sealed memory");
    return close(frame) == 0;
}

static void round_trip(void *context)
{
    struct side *side = context;
    uint64_t answer;
    send_frame(side, ++side->sent);
    if (!receive_frame(side, &answer) || answer != side->sent)
        fail("the other side ended, or answered with another frame");
}

static void echo(const struct side *side)
{
    uint64_t number;
    while (receive_frame(side, &number))
        send_frame(side, number);
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "usage: fd_pair CORE CORE poll|sleep checked|unchecked\n");
        return 2;
    }
    bool polls = strcmp(argv[3], "poll") == 0, checks = strcmp(argv[4], "checked") == 0;
    pid_t child;
    int socket = fork_joined(SOCK_SEQPACKET, argv[1], argv[2], &child);
    struct side side = {.socket = socket, .frame = make_frame(), .polls = polls, .checks = checks};
    if (child == 0) {
        echo(&side);
        return 0;
    }
    serve_round_trips(round_trip, &side);
    close(side.socket);
    waitpid(child, NULL, 0);
    return 0;
}
