/*
 * A set of descriptors: bit by descriptor, in memory that grows with the greatest one. Zeroed, it is empty.
 */
#ifndef SEALANE_RECORD_H
#define SEALANE_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct record {
    uint8_t *bits;
    size_t bytes;
};

/* False: no memory for it; the set is as before. `fd` is not negative. */
bool record_add(struct record *record, int fd);
void record_remove(struct record *record, int fd);
/* Calls `each` with every member, frees the memory, and leaves the set empty. */
void record_end(struct record *record, void (*each)(int fd));

#endif
