/*
 * Closing what others sent, on threads of its own. close(2) waits for as long as the maker of a file likes: for the server of
 * a FUSE file system, or for the peer of a socket that lingers; and it frees what the file held, which takes long for
 * gigabytes. Owns each descriptor from its hand-over until the kernel has taken it back.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "alarm.h"
#include "seam.h"

/* Each close that waits holds one; with all of them held, the rest waits in the queue. A thread costs some 24 KiB. */
#define MAX_THREADS 256
/* Two frames of ours, and room for what a C library or a sanitizer keeps there. */
#define STACK_BYTES ((size_t)256 << 10)
/* A thread that had nothing to do for so long ends. */
#define IDLE_SECONDS 1
/* How long a close may wait where its wait can be ended. */
#define PATIENCE_MS 20
/* From this size on freeing memory takes longer than handing it over. */
#define SMALL_BYTES 1048576
/* A thread that closed memory looks again after so long: to be woken for each of thousands of frames a second would cost more than closing them. */
#define LINGER_NS 1000000
/* Memory that waits; beyond, its users free it themselves, so that they hold no more of it than they can free. */
#define MAX_MEMORY 64

struct waiting {
    int fd;
    /* Nobody can keep its close waiting. */
    bool is_memory;
    struct waiting *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t more = PTHREAD_COND_INITIALIZER;
static struct waiting *first, **end = &first;
/* How many wait in the queue, of them memory, threads there are, threads that wait for work, and those that will look again by themselves. */
static unsigned queued, memory, threads, idle, lingering;

/*
 * A socket that lingers would have its last close wait for its peer. What is no socket refuses the option, and those that lie in the
 * queue of another can't be reached: the alarm ends their wait.
 */
static void close_unknown(int fd) {
    const struct linger off = {0};
    struct alarm alarm;
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &off, sizeof off);
    alarm_begin(&alarm, PATIENCE_MS);
    close(fd);
    alarm_end(&alarm);
}

/* With the lock; another thread may have it meanwhile. Whether it was memory. */
static bool close_first(void) {
    struct waiting *taken = first;
    bool is_memory = taken->is_memory;
    first = taken->next;
    if (first == NULL) end = &first;
    queued--;
    memory -= is_memory;
    pthread_mutex_unlock(&lock);
    if (is_memory) close(taken->fd);
    else close_unknown(taken->fd);
    free(taken);
    pthread_mutex_lock(&lock);
    return is_memory;
}

/* With the lock. */
static void linger(void) {
    const struct timespec time = {.tv_nsec = LINGER_NS};
    lingering++;
    pthread_mutex_unlock(&lock);
    nanosleep(&time, NULL);
    pthread_mutex_lock(&lock);
    lingering--;
}

/* With the lock: whether there is something before the time is up. */
static bool wait_for_more(void) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += IDLE_SECONDS;
    int error = 0;
    idle++;
    while (first == NULL && error != ETIMEDOUT) error = pthread_cond_timedwait(&more, &lock, &until);
    idle--;
    return first != NULL;
}

static void *run(void *unused) {
    (void)unused;
    pthread_mutex_lock(&lock);
    while (first != NULL || wait_for_more()) {
        if (close_first() && first == NULL) linger();
    }
    threads--;
    pthread_mutex_unlock(&lock);
    return NULL;
}

/* Signals stay with the threads of Node.js; only the alarm is let through. */
static bool start_thread(void) {
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all, before;
    if (pthread_attr_init(&attributes) != 0) return false;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = pthread_attr_setstacksize(&attributes, STACK_BYTES) == 0 &&
                   pthread_create(&thread, &attributes, run, NULL) == 0;
    if (started) pthread_detach(thread);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return started;
}

/* With the lock. Where no thread can be had, the caller's own has to do. */
static void find_thread(void) {
    if (queued <= idle) {
        pthread_cond_signal(&more);
        return;
    }
    if (threads == MAX_THREADS) return;
    if (start_thread()) threads++;
    else if (threads == 0) close_first();
}

/* With the lock. */
static void append(struct waiting *waiting) {
    *end = waiting;
    end = &waiting->next;
    queued++;
    memory += waiting->is_memory;
    if (!waiting->is_memory || lingering == 0) find_thread();
}

void seam_dispose(int fd) {
    struct waiting *waiting = malloc(sizeof *waiting);
    if (waiting == NULL) {
        close_unknown(fd);
        return;
    }
    *waiting = (struct waiting){.fd = fd};
    pthread_mutex_lock(&lock);
    append(waiting);
    pthread_mutex_unlock(&lock);
}

static void dispose_memory(int fd) {
    struct waiting *waiting = malloc(sizeof *waiting);
    pthread_mutex_lock(&lock);
    bool waits = waiting != NULL && memory < MAX_MEMORY;
    if (waits) {
        *waiting = (struct waiting){.fd = fd, .is_memory = true};
        append(waiting);
    }
    pthread_mutex_unlock(&lock);
    if (waits) return;
    free(waiting);
    close(fd);
}

/* Memory that is soon freed: nobody can keep its close waiting. Only tmpfs and hugetlbfs know seals. */
static bool is_small_memory(int fd) {
    struct statx status;
    return fcntl(fd, F_GET_SEALS) != -1 && seam_stat(fd, &status) && status.stx_blocks < SMALL_BYTES / 512;
}

static napi_value dispose(napi_env env, napi_callback_info info) {
    struct seam_call call;
    int fd;
    if (!seam_begin(env, info, &call) || !seam_fd(&call, 0, &fd)) return NULL;
    if (fcntl(fd, F_GETFD) == -1) return seam_throw(env, errno, "fcntl");
    seam_disown(call.seam, fd);
    if (is_small_memory(fd)) close(fd);
    else seam_dispose(fd);
    return NULL;
}

static napi_value dispose_memory_call(napi_env env, napi_callback_info info) {
    struct seam_call call;
    int fd;
    if (!seam_begin(env, info, &call) || !seam_fd(&call, 0, &fd)) return NULL;
    seam_disown(call.seam, fd);
    dispose_memory(fd);
    return NULL;
}

const struct seam_entry dispose_entries[] = {
    {"dispose", dispose}, {"disposeMemory", dispose_memory_call}, {NULL, NULL},
};
