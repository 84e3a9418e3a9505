/*
 * execve: this process becomes another program, and is before that what it was when it was started. Owns nothing beyond the call: either
 * nothing of this program is left, or everything is as before and the error is thrown.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "parse.h"
#include "seam.h"

/* linux/close_range.h, Linux 5.9 and 5.11; the number is the same on all architectures */
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef CLOSE_RANGE_UNSHARE
#define CLOSE_RANGE_UNSHARE (1U << 1)
#endif
#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif

/* Node.js sets what these do when it starts, and leaves the real-time signals alone. */
#define LAST_STANDARD_SIGNAL 31
#define FIRST_DESCRIPTOR 3
#define MAX_PASSED 65536

/* What a descriptor that is passed on shall be: blocking, non-blocking, or as it is. */
enum blocking { BLOCKING_ON, BLOCKING_OFF, BLOCKING_KEEP };

struct passed {
    int fd;
    enum blocking blocking;
    /* As they were, to go back to. */
    int descriptor_flags, status_flags;
};

/* What the program is started with: the soft limit of descriptors (below 0: as it is), and sets of signals, bit 0 for signal 1. */
struct start {
    double open_files;
    uint64_t ignored, blocked;
};

struct image {
    char **words, **environment;
    int object, target;
    struct passed *passed;
    uint32_t passed_count;
    struct start start;
};

/* What was there before, to go back to. */
struct before {
    uint64_t blocked;
    struct sigaction actions[LAST_STANDARD_SIGNAL + 1];
    struct rlimit open_files;
    int target;
};

/* The system call itself: the library's own refuses the two signals that it keeps for itself, which a parent may have blocked. */
static void set_blocked(const uint64_t *blocked, uint64_t *before) {
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, blocked, before, sizeof *blocked);
}

/* Every standard signal, so that none that comes now ends in a handler of a program that is about to go. */
static void set_actions(uint64_t ignored, struct sigaction *before) {
    for (int signal = 1; signal <= LAST_STANDARD_SIGNAL; signal++) {
        struct sigaction action = {.sa_handler = ignored >> (signal - 1) & 1 ? SIG_IGN : SIG_DFL};
        sigaction(signal, &action, &before[signal]);
    }
}

static void restore_actions(const struct sigaction *before) {
    for (int signal = 1; signal <= LAST_STANDARD_SIGNAL; signal++) sigaction(signal, &before[signal], NULL);
}

static void set_open_files(double soft, struct rlimit *before) {
    if (getrlimit(RLIMIT_NOFILE, before) == -1 || soft < 0 || soft > (double)before->rlim_max) return;
    struct rlimit limit = *before;
    limit.rlim_cur = isinf(soft) ? RLIM_INFINITY : (rlim_t)soft;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static void mark_all_one_by_one(void) {
    DIR *open = opendir("/proc/self/fd");
    if (open == NULL) return;
    for (struct dirent *entry; (entry = readdir(open)) != NULL;) {
        int fd = atoi(entry->d_name);
        if (fd >= FIRST_DESCRIPTOR) fcntl(fd, F_SETFD, FD_CLOEXEC);
    }
    closedir(open);
}

/*
 * Nothing beyond the standard descriptors is inherited unless it is passed on, also what was inherited itself. The table becomes this
 * thread's own, where the kernel allows that: other threads must not meet the object under a number that was theirs.
 */
static void mark_all(void) {
    if (syscall(SYS_close_range, FIRST_DESCRIPTOR, UINT_MAX, CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC) == 0) return;
    unshare(CLONE_FILES);
    mark_all_one_by_one();
}

/* Gives the object the number `target`, and the offset 0; what has that number now is kept aside. */
static bool place_object(const struct image *image, int *kept) {
    *kept = fcntl(image->target, F_DUPFD_CLOEXEC, FIRST_DESCRIPTOR);
    if (*kept == -1 && errno != EBADF) return false;
    lseek(image->object, 0, SEEK_SET);
    if (dup2(image->object, image->target) != -1) return fcntl(image->target, F_SETFD, 0) == 0;
    int error = errno;
    if (*kept != -1) close(*kept);
    errno = error;
    return false;
}

static void displace_object(const struct image *image, int kept) {
    if (kept == -1) {
        close(image->target);
        return;
    }
    dup3(kept, image->target, O_CLOEXEC);
    close(kept);
}

static int with_blocking(int flags, enum blocking blocking) {
    if (blocking == BLOCKING_KEEP) return flags;
    return blocking == BLOCKING_ON ? flags & ~O_NONBLOCK : flags | O_NONBLOCK;
}

/* F_SETFL only where something changes: the flags belong to all processes that hold the open file. */
static void set_status(const struct passed *passed, int flags, int wanted) {
    if (flags != -1 && wanted != flags) fcntl(passed->fd, F_SETFL, wanted);
}

static void pass_on(struct passed *passed) {
    passed->descriptor_flags = fcntl(passed->fd, F_GETFD);
    passed->status_flags = fcntl(passed->fd, F_GETFL);
    if (passed->descriptor_flags == -1) return;
    fcntl(passed->fd, F_SETFD, passed->descriptor_flags & ~FD_CLOEXEC);
    set_status(passed, passed->status_flags, with_blocking(passed->status_flags, passed->blocking));
}

static void take_back(const struct passed *passed) {
    if (passed->descriptor_flags == -1) return;
    fcntl(passed->fd, F_SETFD, passed->descriptor_flags);
    set_status(passed, with_blocking(passed->status_flags, passed->blocking), passed->status_flags);
}

/* Comes back only with an error. Signals that come meanwhile wait, and meet the new program or this one as it was. */
static int become(struct image *image) {
    const uint64_t all = UINT64_MAX;
    struct before before;
    set_blocked(&all, &before.blocked);
    mark_all();
    int error = place_object(image, &before.target) ? 0 : errno;
    if (error == 0) {
        for (uint32_t i = 0; i < image->passed_count; i++) pass_on(&image->passed[i]);
        set_open_files(image->start.open_files, &before.open_files);
        set_actions(image->start.ignored, before.actions);
        set_blocked(&image->start.blocked, NULL);
        execvpe(image->words[0], image->words, image->environment);
        error = errno;
        set_blocked(&all, NULL);
        restore_actions(before.actions);
        setrlimit(RLIMIT_NOFILE, &before.open_files);
        for (uint32_t i = 0; i < image->passed_count; i++) take_back(&image->passed[i]);
        displace_object(image, before.target);
    }
    set_blocked(&before.blocked, NULL);
    return error;
}

/* The strings of a block, as a list that NULL ends. The caller frees the list, not the strings. */
static char **split(struct seam_call *call, size_t index, const char *name) {
    uint8_t *block;
    size_t length;
    if (!seam_bytes(call, index, name, &block, &length)) return NULL;
    if (length > 0 && block[length - 1] != 0) {
        seam_throw_type(call->env, "%s must end with a zero byte", name);
        return NULL;
    }
    size_t count = parse_strings((char *)block, length, NULL, 0);
    char **list = calloc(count + 1, sizeof *list);
    if (list == NULL) seam_throw(call->env, ENOMEM, "calloc");
    else parse_strings((char *)block, length, list, count);
    return list;
}

static bool element(struct seam_call *call, size_t index, uint32_t at, double max, uint64_t *value) {
    struct seam_call part = *call;
    return napi_get_element(call->env, call->argv[index], at, &part.argv[0]) == napi_ok &&
           seam_integer(&part, 0, "an element", max, value);
}

static bool array_length(struct seam_call *call, size_t index, uint32_t max, uint32_t *length) {
    bool is_array = false;
    if (napi_is_array(call->env, call->argv[index], &is_array) == napi_ok && is_array &&
        napi_get_array_length(call->env, call->argv[index], length) == napi_ok && *length <= max) {
        return true;
    }
    seam_throw_type(call->env, "argument %zu must be an array of at most %u numbers", index, max);
    return false;
}

/* Pairs of a descriptor and an enum blocking. */
static bool read_passed(struct seam_call *call, size_t index, struct image *image) {
    uint32_t length;
    if (!array_length(call, index, 2 * MAX_PASSED, &length)) return false;
    image->passed = calloc(length / 2 + 1, sizeof *image->passed);
    if (image->passed == NULL) return seam_throw(call->env, ENOMEM, "calloc") != NULL;
    image->passed_count = length / 2;
    for (uint32_t i = 0; i < image->passed_count; i++) {
        uint64_t fd, blocking;
        if (!element(call, index, 2 * i, INT32_MAX, &fd) || !element(call, index, 2 * i + 1, BLOCKING_KEEP, &blocking))
            return false;
        image->passed[i] = (struct passed){.fd = (int)fd, .blocking = (enum blocking)blocking};
    }
    return true;
}

/* The soft limit (a number below 0, or Infinity, among others), then low and high halves of both sets of signals. */
static bool read_start(struct seam_call *call, size_t index, struct start *start) {
    uint32_t length;
    uint64_t half[4];
    napi_value limit;
    if (!array_length(call, index, 5, &length)) return false;
    if (napi_get_element(call->env, call->argv[index], 0, &limit) != napi_ok ||
        napi_get_value_double(call->env, limit, &start->open_files) != napi_ok || isnan(start->open_files)) {
        seam_throw_type(call->env, "argument %zu must begin with a limit", index);
        return false;
    }
    for (uint32_t i = 0; i < 4; i++) {
        if (!element(call, index, i + 1, UINT32_MAX, &half[i])) return false;
    }
    start->ignored = half[0] | half[1] << 32;
    start->blocked = half[2] | half[3] << 32;
    return true;
}

static bool read_image(struct seam_call *call, struct image *image) {
    uint64_t target;
    image->words = split(call, 0, "words");
    if (image->words == NULL) return false;
    if (image->words[0] == NULL) return seam_throw_type(call->env, "words must name a program") != NULL;
    image->environment = split(call, 1, "environment");
    if (image->environment == NULL || !seam_fd(call, 2, &image->object) ||
        !seam_integer(call, 3, "target", INT32_MAX, &target) || !read_passed(call, 4, image) ||
        !read_start(call, 5, &image->start)) {
        return false;
    }
    image->target = (int)target;
    return true;
}

/* Nothing is touched for an object that is not there. */
static napi_value exec_call(napi_env env, napi_callback_info info) {
    struct seam_call call;
    struct image image = {0};
    if (!seam_begin(env, info, &call)) return NULL;
    if (read_image(&call, &image)) {
        int error = fcntl(image.object, F_GETFD) == -1 ? errno : become(&image);
        seam_throw(env, error, "execve");
    }
    free(image.words);
    free(image.environment);
    free(image.passed);
    return NULL;
}

const struct seam_entry exec_entries[] = {{"exec", exec_call}, {NULL, NULL}};
