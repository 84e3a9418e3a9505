// What the C peers share: failing, staying on a core, the clock, and answering lines with times. Each is one program, so all of it is
// static.
#ifndef PEER_H
#define PEER_H
#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

// Samples of one batch are kept until all are taken, so that nothing is printed in between.
#define MAX_COUNT 1000000

static inline void fail(const char *what)
{
    fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, strerror(errno));
    exit(1);
}

// Stays on a core, given in digits; below 0: on any.
static inline void pin(const char *core)
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

// This process and a new one, joined by a socket of that type, each on its core. Returns this side's end; `child`: 0 in the new process.
static inline int fork_joined(int type, const char *core, const char *child_core, pid_t *child)
{
    int ends[2];
    if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends) != 0)
        fail("socketpair");
    *child = fork();
    if (*child < 0)
        fail("fork");
    bool is_child = *child == 0;
    close(ends[is_child ? 0 : 1]);
    pin(is_child ? child_core : core);
    return ends[is_child ? 1 : 0];
}

static inline uint64_t now_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static inline void print_samples(const uint64_t *samples, long count)
{
    for (long index = 0; index < count; index++)
        printf(index == 0 ? "%lu" : " %lu", (unsigned long)samples[index]);
    printf("\n");
    fflush(stdout);
}

// Lines on standard input: "COUNT"; answer: the nanoseconds of each of COUNT round trips.
static inline void serve_round_trips(void (*round_trip)(void *), void *context)
{
    static uint64_t samples[MAX_COUNT];
    char line[64];
    while (fgets(line, sizeof line, stdin) != NULL) {
        long count = atol(line);
        if (count < 1 || count > MAX_COUNT) {
            fprintf(stderr, "%s: a batch has 1 to %d round trips, not %ld\n", program_invocation_short_name,
                    MAX_COUNT, count);
            exit(1);
        }
        for (long index = 0; index < count; index++) {
            uint64_t start = now_ns();
            round_trip(context);
            samples[index] = now_ns() - start;
        }
        print_samples(samples, count);
    }
}
#endif
