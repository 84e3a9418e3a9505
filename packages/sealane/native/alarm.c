/*
 * A signal to the calling thread, again and again until it has come back. The last close of a TCP socket that lingers (SO_LINGER) waits
 * in the kernel for as long as whoever sent it likes, deep inside of another close perhaps; a signal ends that wait. Owns the highest
 * real-time signal that nobody else had taken: what Node.js offers to programs are the ordinary ones.
 */
#include "alarm.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifndef SIGEV_THREAD_ID
#define SIGEV_THREAD_ID 4
#endif

/* The kernel's own struct, in which the thread stands behind the method. C libraries differ in what they call it. */
struct event {
    union sigval value;
    int signal;
    int method;
    int thread;
    char rest[64 - sizeof(union sigval) - 3 * sizeof(int)];
};
_Static_assert(sizeof(struct event) == 64, "timer_create(2) reads a struct of 64 bytes");

static pthread_once_t once = PTHREAD_ONCE_INIT;
/* 0: there is none. */
static int number;

static void come_back(int signal) { (void)signal; }

static bool is_free(int signal) {
    struct sigaction now;
    return sigaction(signal, NULL, &now) == 0 && (now.sa_flags & SA_SIGINFO) == 0 && now.sa_handler == SIG_DFL;
}

/* Without SA_RESTART, which would have the wait begin anew. */
static void take_signal(void) {
    struct sigaction action = {.sa_handler = come_back};
    sigemptyset(&action.sa_mask);
    for (int signal = SIGRTMAX; signal >= SIGRTMIN && number == 0; signal--) {
        if (is_free(signal) && sigaction(signal, &action, NULL) == 0) number = signal;
    }
}

static bool let_through(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, number);
    return pthread_sigmask(SIG_UNBLOCK, &set, NULL) == 0;
}

/* The system calls themselves: glibc 2.34 gave the functions new versions, which older ones lack. */
void alarm_begin(struct alarm *alarm, long milliseconds) {
    alarm->is_set = false;
    pthread_once(&once, take_signal);
    if (number == 0 || !let_through()) return;
    struct event event = {.signal = number, .method = SIGEV_THREAD_ID, .thread = (int)syscall(SYS_gettid)};
    if (syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &alarm->timer) == -1) return;
    const struct timespec time = {.tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1000000};
    const struct itimerspec when = {.it_value = time, .it_interval = time};
    alarm->is_set = true;
    if (syscall(SYS_timer_settime, alarm->timer, 0, &when, NULL) == -1) alarm_end(alarm);
}

void alarm_end(const struct alarm *alarm) {
    if (alarm->is_set) syscall(SYS_timer_delete, alarm->timer);
}
