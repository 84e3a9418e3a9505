// Two processes that wake each other in turns, with nothing but the system calls this takes: the floor of a wake-up
// through the library. Each sleeps in epoll_wait on its end of a non-blocking SOCK_SEQPACKET pair, receives a byte
// and sends one back. Arguments: a core for each (-1: any).
// Lines on standard input: "COUNT"; answer: the nanoseconds of COUNT round trips.
#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

// Samples of one batch are kept until all are taken, so that nothing is printed in between.
#define MAX_COUNT 1000000

static void fail(const char *what)
{
    fprintf(stderr, "wake_pingpong: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void pin(const char *core)
{
    int number = atoi(core);
    if (number < 0)
        return;
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(number, &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0)
        fail("sched_setaffinity");
}

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

static uint64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void run_batch(int poll, int socket, uint64_t *samples, long count)
{
    for (long index = 0; index < count; index++) {
        uint64_t start = now();
        send_byte(socket);
        if (sleep_for_byte(poll, socket) == 0)
            fail("the other side ended");
        samples[index] = now() - start;
    }
    for (long index = 0; index < count; index++)
        printf(index == 0 ? "%lu" : " %lu", (unsigned long)samples[index]);
    printf("\n");
    fflush(stdout);
}

static void serve(int socket)
{
    static uint64_t samples[MAX_COUNT];
    int poll = watch(socket);
    char line[64];
    while (fgets(line, sizeof line, stdin) != NULL) {
        long count = atol(line);
        if (count < 1 || count > MAX_COUNT) {
            fprintf(stderr, "wake_pingpong: a batch has 1 to %d round trips, not %ld\n", MAX_COUNT, count);
            exit(1);
        }
        run_batch(poll, socket, samples, count);
    }
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
    serve(ends[0]);
    close(ends[0]);
    waitpid(child, NULL, 0);
    return 0;
}
