// Two processes that wake each other in turns, with nothing but the system calls this takes: the floor of a wake-up
// through the library. Each sleeps in epoll_wait on its end of a non-blocking SOCK_SEQPACKET pair, receives a byte
// and sends one back. Arguments: a core for each (-1: any).
// Lines on standard input: "COUNT"; answer: the nanoseconds of COUNT round trips.
#include "peer.h"
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static int watch(int socket)
{
    int poll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data = {.fd = socket}};
    if (poll < 0 || epoll_ctl(poll, EPOLL_CTL_ADD, socket, &event) != 0)
        fail("epoll");
    return poll;
}

// Sleeps until a byte is there and takes it. The number of bytes: 0 at the end of the connection.
static ssize_t sleep_for_byte(int poll, int socket)
{
    for (;;) {
        struct epoll_event event;
        if (epoll_wait(poll, &event, 1, -1) < 0 && errno != EINTR)
            fail("epoll_wait");
        char byte;
        ssize_t length = recv(socket, &byte, sizeof byte, 0);
        if (length >= 0)
            return length;
        if (errno != EAGAIN && errno != EINTR)
            fail("recv");
    }
}

static void send_byte(int socket)
{
    if (send(socket, "w", 1, MSG_NOSIGNAL) != 1)
        fail("send");
}

static void echo(int socket, const char *core)
{
    pin(core);
    int poll = watch(socket);
    while (sleep_for_byte(poll, socket) > 0)
        send_byte(socket);
}

struct side {
    int poll, socket;
};

static void round_trip(void *context)
{
    const struct side *side = context;
    send_byte(side->socket);
    if (sleep_for_byte(side->poll, side->socket) == 0)
        fail("the other side ended");
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: wake_pingpong CORE CORE\n");
        return 2;
    }
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0)
        fail("socketpair");
    pid_t child = fork();
    if (child < 0)
        fail("fork");
    if (child == 0) {
        close(ends[0]);
        echo(ends[1], argv[2]);
        return 0;
    }
    close(ends[1]);
    pin(argv[1]);
    struct side side = {.poll = watch(ends[0]), .socket = ends[0]};
    serve_round_trips(round_trip, &side);
    close(ends[0]);
    waitpid(child, NULL, 0);
    return 0;
}
