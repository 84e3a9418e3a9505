/*
 * mmap(2) and its kin on ranges of addresses. Owns only the ranges that the kernel refused to unmap, until it does.
 */
#include "range.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MADV_COLD
#define MADV_COLD 20
#endif

/* A multiple of every page size: some 50 us of work. */
#define POPULATE_STEP ((size_t)256 << 10)

/*
 * munmap in the middle of merged ranges makes one mapping into two, and so can itself meet vm.max_map_count. What failed
 * is tried again whenever something else was unmapped.
 */
struct refused {
    struct range range;
    struct refused *next;
};
static pthread_mutex_t refused_lock = PTHREAD_MUTEX_INITIALIZER;
static struct refused *refused_list;

static size_t page_size(void) { return (size_t)sysconf(_SC_PAGESIZE); }

bool range_map(struct range *range, int fd, uint64_t offset, size_t length, bool shared) {
    size_t page = page_size();
    range->inside = offset % page;
    range->span = (range->inside + length + page - 1) / page * page;
    int flags = shared ? MAP_SHARED : MAP_PRIVATE | MAP_NORESERVE;
    void *base = mmap(NULL, range->span, PROT_READ | PROT_WRITE, flags, fd, (off_t)(offset - range->inside));
    range->base = base == MAP_FAILED ? NULL : base;
    return base != MAP_FAILED;
}

/* Kernels before 5.14 don't know the advice; without it the pages come one by one when they are first read. */
void range_populate_read(const struct range *range) { (void)madvise(range->base, range->span, MADV_POPULATE_READ); }

static bool populate_step(uint8_t *base, size_t bytes) {
    int result;
    do result = madvise(base, bytes, MADV_POPULATE_WRITE);
    while (result == -1 && errno == EINTR);
    if (result == 0 || errno != EINVAL) return result == 0;
    size_t page = page_size();
    for (size_t i = 0; i < bytes; i += page) *(volatile uint8_t *)(base + i) = 0;
    return true;
}

/* In steps: the kernel holds the lock of the address space meanwhile, and other threads want to map too. */
bool range_populate_write(const struct range *range) {
    for (size_t done = 0; done < range->span; done += POPULATE_STEP) {
        size_t left = range->span - done;
        if (!populate_step(range->base + done, left < POPULATE_STEP ? left : POPULATE_STEP)) return false;
    }
    return true;
}

/* The advice itself is of no account; every kernel that has it first empties this processor's list of new pages. */
void range_settle(const struct range *range) { (void)madvise(range->base, page_size(), MADV_COLD); }

/* Where the kernel refuses, for lack of memory, the file's pages stay in place until the end: no harm is done by it. */
void range_cover(const struct range *range) {
    (void)mmap(range->base, range->span, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
}

static void keep_refused(struct refused *refused) {
    pthread_mutex_lock(&refused_lock);
    refused->next = refused_list;
    refused_list = refused;
    pthread_mutex_unlock(&refused_lock);
}

static struct refused *take_refused(void) {
    pthread_mutex_lock(&refused_lock);
    struct refused *refused = refused_list;
    if (refused != NULL) refused_list = refused->next;
    pthread_mutex_unlock(&refused_lock);
    return refused;
}

/* Ends with the first one that is refused again. */
static void retry_refused(void) {
    struct refused *refused;
    while ((refused = take_refused()) != NULL) {
        if (munmap(refused->range.base, refused->range.span) == -1) {
            keep_refused(refused);
            return;
        }
        free(refused);
    }
}

void range_unmap(const struct range *range) {
    if (munmap(range->base, range->span) == 0) {
        if (__atomic_load_n(&refused_list, __ATOMIC_RELAXED) != NULL) retry_refused();
        return;
    }
    /* Without memory for the note the addresses are lost, which is safe. */
    struct refused *refused = malloc(sizeof *refused);
    if (refused == NULL) return;
    refused->range = *range;
    keep_refused(refused);
}
