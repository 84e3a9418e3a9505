/*
 * Any bytes as a text of /proc: lines are counted, and a number is read as it would be read digit by digit with more room.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "parse.h"
#include "target.h"

static size_t expected_number(const char *text, size_t length) {
    unsigned __int128 number = 0;
    for (size_t i = 0; i < length && text[i] >= '0' && text[i] <= '9'; i++) {
        number = number * 10 + (unsigned)(text[i] - '0');
        if (number > SIZE_MAX) return SIZE_MAX;
    }
    return (size_t)number;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length) {
    char *text = malloc(length == 0 ? 1 : length);
    if (text == NULL) return 0;
    memcpy(text, data, length);
    size_t lines = parse_lines(text, length);
    assert(lines <= length);
    size_t half = length / 2;
    assert(parse_lines(text, half) + parse_lines(text + half, length - half) == lines);
    assert(parse_number(text, length) == expected_number(text, length));
    free(text);
    return 0;
}
