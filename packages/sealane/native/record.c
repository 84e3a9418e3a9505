/*
 * The set of descriptors that one environment owns. Owns its memory, not the descriptors.
 */
#include "record.h"

#include <stdlib.h>
#include <string.h>

static bool make_room(struct record *record, int fd) {
    size_t bytes = (size_t)fd / 8 + 1;
    if (bytes <= record->bytes) return true;
    size_t wanted = bytes * 2;
    uint8_t *bits = realloc(record->bits, wanted);
    if (bits == NULL) return false;
    memset(bits + record->bytes, 0, wanted - record->bytes);
    record->bits = bits;
    record->bytes = wanted;
    return true;
}

bool record_add(struct record *record, int fd) {
    if (!make_room(record, fd)) return false;
    record->bits[fd / 8] |= (uint8_t)(1u << (fd % 8));
    return true;
}

void record_remove(struct record *record, int fd) {
    if ((size_t)fd / 8 < record->bytes) record->bits[fd / 8] &= (uint8_t)~(1u << (fd % 8));
}

void record_end(struct record *record, void (*each)(int fd)) {
    for (size_t i = 0; i < record->bytes * 8; i++) {
        if (record->bits[i / 8] & (1u << (i % 8))) each((int)i);
    }
    free(record->bits);
    *record = (struct record){0};
}
