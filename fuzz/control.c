/*
 * Any bytes as the control messages of a packet: no byte outside the buffer is read, no more descriptors come out than there is room for, and
 * what a right buffer carries comes out whole. The first byte is the room.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "parse.h"
#include "target.h"

#define MOST 300

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length) {
    int fds[MOST + 1];
    if (length == 0) return 0;
    uint32_t capacity = data[0];
    size_t bytes = length - 1;
    /* Exactly as large as it is, so that a sanitizer sees what lies behind it; malloc aligns as the kernel's callers do. */
    void *control = malloc(bytes == 0 ? 1 : bytes);
    if (control == NULL) return 0;
    memcpy(control, data + 1, bytes);
    struct msghdr message = {.msg_control = control, .msg_controllen = bytes};
    fds[capacity] = -7;
    uint32_t count = parse_descriptors(&message, fds, capacity);
    assert(count <= capacity);
    assert(count * sizeof(int) <= bytes);
    assert(fds[capacity] == -7);
    free(control);
    return 0;
}
