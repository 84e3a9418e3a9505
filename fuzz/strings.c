/*
 * Any bytes as a block of strings: each string that comes out lies in the block, ends in it, and begins where the one before it ended.
 * The first byte is the room.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "parse.h"
#include "target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length) {
    char *list[256];
    if (length == 0) return 0;
    size_t capacity = data[0], bytes = length - 1;
    char *block = malloc(bytes == 0 ? 1 : bytes);
    if (block == NULL) return 0;
    memcpy(block, data + 1, bytes);
    size_t count = parse_strings(block, bytes, list, capacity);
    assert(count == parse_strings(block, bytes, NULL, 0));
    char *next = block;
    for (size_t i = 0; i < count && i < capacity; i++) {
        assert(list[i] == next);
        next += strlen(next) + 1;
        assert(next <= block + bytes);
    }
    free(block);
    return 0;
}
