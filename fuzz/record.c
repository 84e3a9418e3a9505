/*
 * Any series of additions and removals: the set of descriptors is what a plain array says. Each three bytes are one step: what to do, and with
 * which number.
 */
#include "record.h"

#include <assert.h>
#include <string.h>

#include "target.h"

#define MOST 4096

static uint8_t expected[MOST];
static size_t found;

static void expect_member(int fd) {
    assert(fd >= 0 && fd < MOST && expected[fd]);
    found++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length) {
    struct record record = {0};
    memset(expected, 0, sizeof expected);
    for (size_t i = 0; i + 3 <= length; i += 3) {
        int fd = (data[i + 1] | data[i + 2] << 8) % MOST;
        if (data[i] % 4 != 0) {
            expected[fd] = record_add(&record, fd);
        } else {
            record_remove(&record, fd);
            expected[fd] = 0;
        }
    }
    size_t members = 0;
    for (size_t i = 0; i < MOST; i++) members += expected[i];
    found = 0;
    record_end(&record, expect_member);
    assert(found == members);
    assert(record.bits == NULL && record.bytes == 0);
    return 0;
}
