/*
 * Ranges of addresses that are mapped. Whoever has one calls range_unmap once, when nothing can use it any more.
 */
#ifndef SEALANE_RANGE_H
#define SEALANE_RANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whole pages. `base` is NULL when nothing is mapped. */
struct range {
    uint8_t *base;
    size_t span;
    /* Where in the first page the bytes begin that were asked for. */
    size_t inside;
};

/*
 * Who sees what is written: nobody, and memory for it is not reserved; all who map the file; or there is no writing, in a shared or in a
 * private mapping.
 */
enum range_kind { RANGE_PRIVATE, RANGE_SHARED, RANGE_READ_ONLY, RANGE_PRIVATE_READ_ONLY };

/* Maps `length` bytes from any `offset` of the file. False: errno says why. */
bool range_map(struct range *range, int fd, uint64_t offset, size_t length, enum range_kind kind);
/* Reads all pages in ahead, as well as the kernel can. */
void range_populate_read(const struct range *range);
/* Allocates all pages of a shared mapping. False: errno says why. */
bool range_populate_write(const struct range *range);
/* Asks for huge pages, for what is allocated from now on. False: the kernel has none. */
bool range_advise_huge(const struct range *range);
/* Keeps all pages in memory until the range ends. False: errno says why. */
bool range_lock(const struct range *range);
/* Has this processor let go of pages that it just made, so that a seal on another need not wait for it. */
void range_settle(const struct range *range);
/* Lets the file go and keeps the addresses, inaccessible. */
void range_cover(const struct range *range);
void range_unmap(const struct range *range);

/* Reserves whole pages of addresses, at which zeros are read. False: errno says why. */
bool range_reserve(struct range *range, size_t length);
/*
 * Maps `length` bytes from a page's beginning of the file over the pages at `at`, in one step for whoever reads there meanwhile. False:
 * errno says why, and the pages are what they were.
 */
bool range_place(uint8_t *at, int fd, uint64_t offset, size_t length, enum range_kind kind);
/* Puts zeros in the place of whatever is mapped there; whole pages. False: errno says why. */
bool range_clear(uint8_t *at, size_t length);

#endif
