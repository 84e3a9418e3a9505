/*
 * mmap(2) and its kin on ranges of addresses. Owns only the ranges that the kernel refused to unmap, until it does.
 */
#include "range.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "parse.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MADV_COLD
#define MADV_COLD 20
#endif

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

/* Memory that reads as zeros, and that the kernel keeps nothing ready for. */
#define ZEROS (MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)

/* A multiple of every page size: some 50 us of work. */
#define POPULATE_STEP ((size_t)256 << 10)

/*
 * vm.max_map_count bounds the mappings of a process, and V8 and the C library abort the process when it is reached. So some are
 * left for them: we stop at seven eighths. Ranges that are next to each other may be one mapping, so the kernel's own list is
 * counted, now and then: after as many new ranges as a part of what is left.
 */
#define RESERVED_PART 8
#define CHECKED_PART 4
/* Fewer new ranges than this are never worth counting, which takes most of a microsecond for each mapping. */
#define CHECKED_LEAST 256
/* When nothing was left: how long until it may be worth another look, whatever we gave back ourselves. */
#define RECOUNT_MS 100
/* The kernel's default, where it does not say. */
#define DEFAULT_MAX_MAP_COUNT 65530
static pthread_mutex_t count_lock = PTHREAD_MUTEX_INITIALIZER;
/* New ranges until the next count; 0: nothing was left at the last. */
static size_t until_check = CHECKED_LEAST;
/* Ranges that were given back since, and when that was. */
static size_t unmapped;
static uint64_t counted_ms;

/* Calls `take` with what is in a file, piece by piece. False: it can't be read, for want of a descriptor perhaps. */
static bool read_file(const char *path, void (*take)(const char *text, size_t length, size_t *sum), size_t *sum) {
    char piece[4096];
    ssize_t length;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd == -1) return false;
    while ((length = read(fd, piece, sizeof piece)) > 0) take(piece, (size_t)length, sum);
    close(fd);
    return length == 0;
}

static void add_lines(const char *text, size_t length, size_t *sum) { *sum += parse_lines(text, length); }

/* The file has one piece. */
static void take_number(const char *text, size_t length, size_t *sum) { *sum = parse_number(text, length); }

/* How many more ranges may be mapped; SIZE_MAX where that can't be found out. */
static size_t count_left(void) {
    size_t limit = 0, used = 0;
    if (!read_file("/proc/self/maps", add_lines, &used)) return SIZE_MAX;
    if (!read_file("/proc/sys/vm/max_map_count", take_number, &limit)) limit = DEFAULT_MAX_MAP_COUNT;
    size_t allowed = limit - limit / RESERVED_PART;
    return used < allowed ? allowed - used : 0;
}

static uint64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Whether counting again could find something else: whoever tries on and on when nothing is left shall not count each time. */
static bool may_have_changed(void) { return until_check > 0 || unmapped >= CHECKED_LEAST || now_ms() - counted_ms >= RECOUNT_MS; }

/* Whether one more may be mapped. With the lock. */
static bool find_room(void) {
    if (until_check > 1) {
        until_check--;
        return true;
    }
    if (!may_have_changed()) return false;
    size_t left = count_left();
    size_t part = left / CHECKED_PART;
    counted_ms = now_ms();
    unmapped = 0;
    until_check = left == 0 ? 0 : part > CHECKED_LEAST ? part : CHECKED_LEAST;
    return left > 0;
}

static bool is_room_left(void) {
    pthread_mutex_lock(&count_lock);
    bool room = find_room();
    pthread_mutex_unlock(&count_lock);
    return room;
}

static void note_unmapped(void) {
    pthread_mutex_lock(&count_lock);
    unmapped++;
    pthread_mutex_unlock(&count_lock);
}

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

bool range_map(struct range *range, int fd, uint64_t offset, size_t length, enum range_kind kind) {
    size_t page = page_size();
    range->inside = offset % page;
    range->span = (range->inside + length + page - 1) / page * page;
    range->base = NULL;
    if (!is_room_left()) {
        errno = ENOMEM;
        return false;
    }
    int flags = kind == RANGE_PRIVATE || kind == RANGE_PRIVATE_READ_ONLY ? MAP_PRIVATE | MAP_NORESERVE : MAP_SHARED;
    int protection = kind == RANGE_PRIVATE || kind == RANGE_SHARED ? PROT_READ | PROT_WRITE : PROT_READ;
    void *base = mmap(NULL, range->span, protection, flags, fd, (off_t)(offset - range->inside));
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

bool range_advise_huge(const struct range *range) { return madvise(range->base, range->span, MADV_HUGEPAGE) == 0; }

/* The system call itself: AddressSanitizer has a function in its place that does nothing. */
bool range_lock(const struct range *range) { return syscall(SYS_mlock, range->base, range->span) == 0; }

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
        note_unmapped();
        if (__atomic_load_n(&refused_list, __ATOMIC_RELAXED) != NULL) retry_refused();
        return;
    }
    /* Without memory for the note the addresses are lost, which is safe. */
    struct refused *refused = malloc(sizeof *refused);
    if (refused == NULL) return;
    refused->range = *range;
    keep_refused(refused);
}

bool range_reserve(struct range *range, size_t length) {
    range->inside = 0;
    range->span = length;
    range->base = NULL;
    if (!is_room_left()) {
        errno = ENOMEM;
        return false;
    }
    /* Writable, so that a stray write lands on a page of its own and harms nobody; without pages until then. */
    void *base = mmap(NULL, length, PROT_READ | PROT_WRITE, ZEROS, -1, 0);
    range->base = base == MAP_FAILED ? NULL : base;
    return base != MAP_FAILED;
}

/*
 * Nothing is mapped there any more when mremap failed halfway, for want of memory in the kernel. Zeros take the place at once, unless another
 * thread's mapping got it first.
 */
static void fill_hole(uint8_t *at, size_t length) {
    /* Does nothing but say whether all of it is mapped. */
    if (msync(at, length, MS_ASYNC) == 0) return;
    for (size_t done = 0, page = page_size(); done < length; done += page) {
        unsigned char resident;
        if (mincore(at + done, page, &resident) == 0) continue;
        (void)mmap(at + done, page, PROT_READ | PROT_WRITE, ZEROS | MAP_FIXED_NOREPLACE, -1, 0);
    }
}

/*
 * Mapped elsewhere first, and then moved: mmap with MAP_FIXED takes away what was there before it asks the file, and many a device says no then.
 */
bool range_place(uint8_t *at, int fd, uint64_t offset, size_t length, enum range_kind kind) {
    struct range aside;
    if (!range_map(&aside, fd, offset, length, kind)) return false;
    if (mremap(aside.base, aside.span, aside.span, MREMAP_MAYMOVE | MREMAP_FIXED, at) != MAP_FAILED) return true;
    int error = errno;
    range_unmap(&aside);
    fill_hole(at, aside.span);
    errno = error;
    return false;
}

bool range_clear(uint8_t *at, size_t length) {
    return mmap(at, length, PROT_READ | PROT_WRITE, ZEROS | MAP_FIXED, -1, 0) != MAP_FAILED;
}
