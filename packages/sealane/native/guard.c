/*
 * Survives writes into memory that is mapped for reading only. Owns the guards, which are never freed but used again, since a signal
 * handler reads their list without a lock; and the process's SIGSEGV handler, which hands every fault that is none of its own to the
 * handler that was there before: V8's, which makes a RangeError of some of WebAssembly's, and else ends the process.
 *
 * The handler maps a private copy of the whole block over the block, so that the write goes there when it is tried again. It stays
 * until guard_restore. The kernel copies a page only when it is written to. What the handler does is safe in a signal handler: loads and
 * stores of atomics, and the bare system call, since mmap() of a C library or of a sanitizer may do more.
 */
#include "guard.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "seam.h"

struct guard {
    /* Where the range is; both 0 while the guard is free. What they say without the lock is a hint, except of a range that is in use. */
    atomic_uintptr_t begin;
    atomic_uintptr_t end;
    /* The guard after this one; never changes. */
    struct guard *next;
    /* Another free one, while this is free. */
    struct guard *next_free;
    /* Held for a system call or two: by a handler, or by a thread that is in none and touches no guarded memory meanwhile. */
    atomic_bool locked;
    int fd;
    size_t block;
    /* The blocks that are private copies, in the order in which they were written into. */
    size_t written[GUARD_BLOCKS];
    size_t count;
    /* All of the range is a private copy. */
    bool whole;
};

/* All guards, the newest first. */
static _Atomic(struct guard *) guards;
/* Writes that were survived: what JavaScript compares to find out, at the price of a load, that there is something to restore. */
static atomic_int writes;

static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;
/* With list_lock. */
static struct guard *free_guards;
static bool installed;
/* Written once, before the handler is there. */
static struct sigaction previous;
static size_t page;

static void lock(struct guard *guard) {
    while (atomic_exchange_explicit(&guard->locked, true, memory_order_acquire)) sched_yield();
}

static void unlock(struct guard *guard) { atomic_store_explicit(&guard->locked, false, memory_order_release); }

static bool covers(struct guard *guard, uintptr_t address) {
    return address >= atomic_load_explicit(&guard->begin, memory_order_relaxed) &&
           address < atomic_load_explicit(&guard->end, memory_order_relaxed);
}

/* Maps the file anew over a part of the range: private copies for writing, or what is in it. With the lock. */
static bool remap(struct guard *guard, size_t from, size_t to, bool private) {
    uintptr_t begin = atomic_load_explicit(&guard->begin, memory_order_relaxed);
    int protection = private ? PROT_READ | PROT_WRITE : PROT_READ;
    int flags = MAP_FIXED | (private ? MAP_PRIVATE | MAP_NORESERVE : MAP_SHARED);
    return syscall(SYS_mmap, begin + from, to - from, protection, flags, guard->fd, from) != -1;
}

static size_t span(struct guard *guard) {
    return atomic_load_explicit(&guard->end, memory_order_relaxed) - atomic_load_explicit(&guard->begin, memory_order_relaxed);
}

/* Where the pages begin in which a block has bytes, and where they end. */
static size_t block_begin(const struct guard *guard, size_t block) { return block * guard->block / page * page; }

static size_t block_end(struct guard *guard, size_t block) {
    size_t to = ((block + 1) * guard->block + page - 1) / page * page;
    return to < span(guard) ? to : span(guard);
}

/* Whether the page is a copy already, for another block that has bytes in it. */
static bool is_copy(struct guard *guard, size_t at) {
    for (size_t i = 0; i < guard->count; i++) {
        if (at >= block_begin(guard, guard->written[i]) && at < block_end(guard, guard->written[i])) return true;
    }
    return false;
}

/* A private copy of all pages in which a block has bytes. Those that it shares with blocks that were written into keep what was written. */
static bool copy_block(struct guard *guard, size_t block) {
    size_t from = block_begin(guard, block);
    size_t to = block_end(guard, block);
    while (from < to && is_copy(guard, from)) from += page;
    while (from < to && is_copy(guard, to - page)) to -= page;
    return from == to || remap(guard, from, to, true);
}

static bool is_written(const struct guard *guard, size_t block) {
    for (size_t i = 0; i < guard->count; i++) {
        if (guard->written[i] == block) return true;
    }
    return guard->whole;
}

/*
 * Has a write into the block go to a private copy. One that is a copy already was made one by another thread a moment ago. Where too many
 * are, or the kernel has no mapping left to cut the range up with, the whole range becomes a copy, which takes one mapping. With the lock.
 */
static bool divert(struct guard *guard, size_t block) {
    if (is_written(guard, block)) return true;
    bool room = guard->count < GUARD_BLOCKS;
    if (room && copy_block(guard, block)) {
        guard->written[guard->count++] = block;
        return true;
    }
    guard->whole = remap(guard, 0, span(guard), true);
    if (guard->whole && room) guard->written[guard->count++] = block;
    return guard->whole;
}

/* Between the look without the lock and the one with it the range may have ended. */
static bool divert_address(struct guard *guard, uintptr_t address) {
    lock(guard);
    bool diverted = covers(guard, address) &&
                    divert(guard, (address - atomic_load_explicit(&guard->begin, memory_order_relaxed)) / guard->block);
    unlock(guard);
    if (diverted) atomic_fetch_add_explicit(&writes, 1, memory_order_relaxed);
    return diverted;
}

/* Where the thread is in its program. */
static uintptr_t program_counter(const ucontext_t *context) {
#if defined(__aarch64__)
    return (uintptr_t)context->uc_mcontext.pc;
#else
    return (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
#endif
}

/*
 * Whether the fault was a write into a guarded range, which can be tried again now. Reading is allowed there, and who executes what is there
 * faults where it is in its program. (What the processor says of the fault, some kernels don't tell.)
 */
static bool survive(const siginfo_t *info, const ucontext_t *context) {
    uintptr_t address = (uintptr_t)info->si_addr;
    if (info->si_code != SEGV_ACCERR || address == program_counter(context)) return false;
    struct guard *guard = atomic_load_explicit(&guards, memory_order_acquire);
    while (guard != NULL && !covers(guard, address)) guard = guard->next;
    return guard != NULL && divert_address(guard, address);
}

/* What the kernel would do without any handler. A fault happens again when the handler returns; what was sent is sent again. */
static void act_by_default(const siginfo_t *info) {
    bool sent = info->si_code <= 0;
    if (sent && previous.sa_handler == SIG_IGN) return;
    struct sigaction action = {.sa_handler = SIG_DFL};
    sigaction(SIGSEGV, &action, NULL);
    if (sent) raise(SIGSEGV);
}

static void hand_on(int signal, siginfo_t *info, void *context) {
    bool is_function = (previous.sa_flags & SA_SIGINFO) != 0 || (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN);
    if (!is_function) return act_by_default(info);
    struct sigaction action = {.sa_handler = SIG_DFL};
    if ((previous.sa_flags & (int)SA_RESETHAND) != 0) sigaction(SIGSEGV, &action, NULL);
    if ((previous.sa_flags & SA_SIGINFO) != 0) previous.sa_sigaction(signal, info, context);
    else previous.sa_handler(signal);
}

static void on_fault(int signal, siginfo_t *info, void *context) {
    int error = errno;
    if (!survive(info, context)) hand_on(signal, info, context);
    errno = error;
}

/*
 * Puts the handler in place, and again where there is none by now, as when process.on('SIGSEGV') was used and given up. A handler that
 * came later is left alone: it calls this one, or its owner wants no other. With list_lock.
 */
static bool install(void) {
    struct sigaction now;
    if (sigaction(SIGSEGV, NULL, &now) == -1) return false;
    if (installed && now.sa_handler != SIG_DFL) return true;
    if (!installed) {
        previous = now;
        page = (size_t)sysconf(_SC_PAGESIZE);
    }
    /* As the handler before was to be called. On a signal stack, where a thread has one: its owner counts on that. */
    struct sigaction action = {.sa_mask = previous.sa_mask};
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | (previous.sa_flags & (SA_RESTART | SA_NODEFER));
    if (sigaction(SIGSEGV, &action, NULL) == -1) return false;
    installed = true;
    return true;
}

/* A free one or a new one. With list_lock. */
static struct guard *obtain(void) {
    struct guard *guard = free_guards;
    if (guard != NULL) {
        free_guards = guard->next_free;
        return guard;
    }
    guard = calloc(1, sizeof *guard);
    if (guard == NULL) return NULL;
    guard->next = atomic_load_explicit(&guards, memory_order_relaxed);
    atomic_store_explicit(&guards, guard, memory_order_release);
    return guard;
}

struct guard *guard_begin(const struct range *range, int fd, size_t block) {
    pthread_mutex_lock(&list_lock);
    struct guard *guard = install() ? obtain() : NULL;
    pthread_mutex_unlock(&list_lock);
    if (guard == NULL) return NULL;
    lock(guard);
    guard->fd = fd;
    guard->block = block;
    guard->count = 0;
    guard->whole = false;
    atomic_store_explicit(&guard->end, (uintptr_t)range->base + range->span, memory_order_relaxed);
    atomic_store_explicit(&guard->begin, (uintptr_t)range->base, memory_order_relaxed);
    unlock(guard);
    return guard;
}

void guard_end(struct guard *guard) {
    lock(guard);
    int fd = guard->fd;
    atomic_store_explicit(&guard->end, 0, memory_order_relaxed);
    atomic_store_explicit(&guard->begin, 0, memory_order_relaxed);
    unlock(guard);
    close(fd);
    pthread_mutex_lock(&list_lock);
    guard->next_free = free_guards;
    free_guards = guard;
    pthread_mutex_unlock(&list_lock);
}

/* With the lock. */
static bool restore_blocks(struct guard *guard) {
    for (size_t i = 0; i < guard->count; i++) {
        size_t block = guard->written[i];
        if (!remap(guard, block_begin(guard, block), block_end(guard, block), false)) return false;
    }
    return true;
}

int guard_restore(struct guard *guard, size_t blocks[GUARD_BLOCKS]) {
    lock(guard);
    bool restored = (!guard->whole && restore_blocks(guard)) || remap(guard, 0, span(guard), false);
    int error = errno;
    size_t count = guard->count;
    if (restored) {
        memcpy(blocks, guard->written, count * sizeof *blocks);
        guard->count = 0;
        guard->whole = false;
    }
    unlock(guard);
    errno = error;
    return restored ? (int)count : -1;
}

/* Over memory that is never freed: nothing has to be known of its end. */
static napi_value guard_writes(napi_env env, napi_callback_info info) {
    napi_value buffer;
    (void)info;
    napi_status status = napi_create_external_arraybuffer(env, &writes, sizeof writes, NULL, NULL, &buffer);
    if (status == napi_no_external_buffers_allowed) return NULL;
    return status == napi_ok ? buffer : seam_throw(env, ENOMEM, "napi_create_external_arraybuffer");
}

const struct seam_entry guard_entries[] = {
    {"guardWrites", guard_writes},
    {NULL, NULL},
};
