/*
 * Ranges that are mapped for reading only and survive that this process writes into them: who writes does so on a private copy.
 */
#ifndef SEALANE_GUARD_H
#define SEALANE_GUARD_H

#include <stdbool.h>
#include <stddef.h>

#include "range.h"

/* Most blocks of a range that are copied, and told, one by one. */
#define GUARD_BLOCKS 32

struct guard;

/*
 * Guards a range that maps a file from its begin on, in blocks of `block` bytes (1 at least). Takes the descriptor if it succeeds.
 * NULL: errno says why not.
 */
struct guard *guard_begin(const struct range *range, int fd, size_t block);
/* Ends it, before the addresses are given back or used for anything else. */
void guard_end(struct guard *guard);
/*
 * Maps the file again over whatever was written into. Answers how many of `blocks` it filled in: those that were written into first,
 * by their number in the range. -1: errno says why not; to be tried again.
 */
int guard_restore(struct guard *guard, size_t blocks[GUARD_BLOCKS]);

#endif
