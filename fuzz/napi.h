/*
 * A Node-API for one value at a time: what the seam asks of Node.js, answered as Node.js answers it, for a value that a fuzzer chose.
 */
#ifndef SEALANE_FUZZ_NAPI_H
#define SEALANE_FUZZ_NAPI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum fake_kind { FAKE_UNDEFINED, FAKE_BOOLEAN, FAKE_NUMBER, FAKE_TEXT, FAKE_BYTES, FAKE_FLOATS, FAKE_EXTERNAL, FAKE_KINDS };

struct fake_value {
    enum fake_kind kind;
    double number;
    /* Of a text (UTF-8), an array or an external: a copy of its own. */
    uint8_t *bytes;
    size_t length;
    /* Of an array: its memory was taken away. */
    bool detached;
};

/* Makes a value of the kind that `choice` names. */
struct fake_value fake_make(uint8_t choice, const uint8_t *data, size_t length);
void fake_drop(struct fake_value *value);

/* Whether an exception is pending; and that none is. */
bool fake_thrown(void);
void fake_forget(void);
/* The text of a property of the last error that was made. */
const char *fake_text(const char *property);

#endif
