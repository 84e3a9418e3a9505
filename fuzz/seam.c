/*
 * Any value as an argument from JavaScript, through a Node-API of our own that behaves as Node's does: what does not fit is refused with an
 * exception, and what is taken fits. The first byte says which conversion, the second what kind of value, the rest is the value.
 */
#include "seam.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "napi.h"
#include "target.h"
#include "uv_abi.h"

#define TEXT_CAPACITY 64

static void check_number(struct seam_call *call, const struct fake_value *value) {
    int fd = -1;
    uint64_t integer = 0;
    bool taken = seam_fd(call, 0, &fd);
    assert(taken != fake_thrown());
    if (taken) assert(value->kind == FAKE_NUMBER && fd >= 0 && fd == value->number);
    fake_forget();
    taken = seam_integer(call, 0, "integer", SEAM_MAX_INTEGER, &integer);
    assert(taken != fake_thrown());
    if (taken) assert(value->kind == FAKE_NUMBER && (double)integer == value->number && integer <= SEAM_MAX_INTEGER);
}

static void check_text(struct seam_call *call, const struct fake_value *value) {
    char text[TEXT_CAPACITY + 1];
    text[TEXT_CAPACITY] = 7;
    bool taken = seam_text(call, 0, "text", text, TEXT_CAPACITY);
    assert(taken != fake_thrown());
    assert(text[TEXT_CAPACITY] == 7);
    if (!taken) return;
    assert(value->kind == FAKE_TEXT && strlen(text) == value->length);
    assert(value->length <= TEXT_CAPACITY - 5 && memcmp(text, value->bytes, value->length) == 0);
}

static void check_bytes(struct seam_call *call, const struct fake_value *value) {
    uint8_t *data = NULL;
    size_t length = 0;
    bool taken = seam_bytes(call, 0, "bytes", &data, &length);
    assert(taken != fake_thrown());
    if (taken) assert(value->kind == FAKE_BYTES && length == value->length && data == value->bytes);
}

static void check_object(struct seam_call *call, const struct fake_value *value) {
    void *object = seam_object(call, 0, SEAM_POLL);
    assert((object != NULL) != fake_thrown());
    if (object != NULL) assert(value->kind == FAKE_EXTERNAL && *(uint32_t *)object == SEAM_POLL);
}

static void check_boolean(struct seam_call *call, const struct fake_value *value) {
    bool boolean;
    bool taken = seam_bool(call, 0, "boolean", &boolean);
    assert(taken != fake_thrown());
    if (taken) assert(value->kind == FAKE_BOOLEAN);
}

/* Any number of an error has a name of one word and a message. */
static void check_error(struct seam_call *call, const struct fake_value *value) {
    int error = 0;
    memcpy(&error, value->bytes, value->length < sizeof error ? value->length : sizeof error);
    if (error <= 0) return;
    seam_throw(call->env, error, "call");
    assert(fake_thrown() && strchr(fake_text("code"), ' ') == NULL && fake_text("code")[0] == 'E');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length) {
    static void (*const checks[])(struct seam_call *, const struct fake_value *) = {
        check_number, check_text, check_bytes, check_object, check_boolean, check_error,
    };
    if (length < 2) return 0;
    struct fake_value value = fake_make(data[1], data + 2, length - 2);
    struct seam_call call = {.argc = 1, .argv = {(napi_value)&value}};
    fake_forget();
    checks[data[0] % (sizeof checks / sizeof *checks)](&call, &value);
    fake_drop(&value);
    return 0;
}

/* libuv's, as far as the seam asks. Some numbers have no name. */
char *uv_err_name_r(int error, char *into, size_t capacity) {
    snprintf(into, capacity, error % 3 == 0 ? "Unknown system error %d" : "EXAMPLE", error);
    return into;
}

char *uv_strerror_r(int error, char *into, size_t capacity) {
    snprintf(into, capacity, "the reason of %d", error);
    return into;
}
