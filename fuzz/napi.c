/*
 * The Node-API of the fuzz target of the seam. A napi_value is a pointer to a struct fake_value; of what is made, only the texts of an error
 * are kept.
 */
#include "napi.h"

#include <node_api.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_BYTES 512

static bool pending;
static char code[TEXT_BYTES], syscall_name[TEXT_BYTES], last_text[TEXT_BYTES];
static struct fake_value made;

static const struct fake_value *value_of(napi_value value) { return (const struct fake_value *)value; }

struct fake_value fake_make(uint8_t choice, const uint8_t *data, size_t length) {
    struct fake_value value = {.kind = (enum fake_kind)(choice % FAKE_KINDS), .length = length, .detached = choice >= 128};
    value.bytes = malloc(length < sizeof(uint32_t) ? sizeof(uint32_t) : length);
    if (value.bytes == NULL) abort();
    memset(value.bytes, 0, sizeof(uint32_t));
    memcpy(value.bytes, data, length);
    memcpy(&value.number, data, length < sizeof value.number ? length : sizeof value.number);
    if (value.detached && (value.kind == FAKE_BYTES || value.kind == FAKE_FLOATS)) value.length = 0;
    return value;
}

void fake_drop(struct fake_value *value) { free(value->bytes); }

bool fake_thrown(void) { return pending; }

void fake_forget(void) {
    pending = false;
    code[0] = syscall_name[0] = 0;
}

const char *fake_text(const char *property) { return strcmp(property, "code") == 0 ? code : syscall_name; }

napi_status napi_typeof(napi_env env, napi_value value, napi_valuetype *type) {
    static const napi_valuetype types[] = {napi_undefined, napi_boolean, napi_number, napi_string, napi_object, napi_object, napi_external};
    (void)env;
    *type = types[value_of(value)->kind];
    return napi_ok;
}

napi_status napi_get_value_double(napi_env env, napi_value value, double *number) {
    (void)env;
    if (value_of(value)->kind != FAKE_NUMBER) return napi_number_expected;
    *number = value_of(value)->number;
    return napi_ok;
}

napi_status napi_get_value_bool(napi_env env, napi_value value, bool *boolean) {
    (void)env;
    if (value_of(value)->kind != FAKE_BOOLEAN) return napi_boolean_expected;
    *boolean = value_of(value)->length % 2 == 1;
    return napi_ok;
}

/* What does not fit is cut off, never inside a character: those have up to 4 bytes. */
napi_status napi_get_value_string_utf8(napi_env env, napi_value value, char *into, size_t capacity, size_t *length) {
    const struct fake_value *text = value_of(value);
    (void)env;
    if (text->kind != FAKE_TEXT) return napi_string_expected;
    size_t count = text->length < capacity ? text->length : capacity - 1;
    for (int back = 0; back < 3 && count > 0 && count < text->length && (text->bytes[count] & 0xc0) == 0x80; back++) count--;
    memcpy(into, text->bytes, count);
    into[count] = 0;
    *length = count;
    return napi_ok;
}

napi_status napi_get_typedarray_info(napi_env env, napi_value value, napi_typedarray_type *type, size_t *length, void **data,
                                     napi_value *buffer, size_t *offset) {
    const struct fake_value *array = value_of(value);
    (void)env;
    (void)offset;
    if (array->kind != FAKE_BYTES && array->kind != FAKE_FLOATS) return napi_invalid_arg;
    *type = array->kind == FAKE_BYTES ? napi_uint8_array : napi_float64_array;
    *length = array->kind == FAKE_BYTES ? array->length : array->length / sizeof(double);
    *data = array->detached ? NULL : array->bytes;
    *buffer = value;
    return napi_ok;
}

napi_status napi_is_detached_arraybuffer(napi_env env, napi_value buffer, bool *detached) {
    (void)env;
    *detached = value_of(buffer)->detached;
    return napi_ok;
}

napi_status napi_get_value_external(napi_env env, napi_value value, void **object) {
    (void)env;
    if (value_of(value)->kind != FAKE_EXTERNAL) return napi_invalid_arg;
    *object = value_of(value)->bytes;
    return napi_ok;
}

napi_status napi_get_cb_info(napi_env env, napi_callback_info info, size_t *count, napi_value *values, napi_value *self, void **data) {
    (void)env, (void)info, (void)count, (void)values, (void)self, (void)data;
    return napi_generic_failure;
}

napi_status napi_create_double(napi_env env, double number, napi_value *value) {
    (void)env, (void)number;
    *value = (napi_value)&made;
    return napi_ok;
}

napi_status napi_create_int32(napi_env env, int32_t number, napi_value *value) { return napi_create_double(env, number, value); }

napi_status napi_get_boolean(napi_env env, bool boolean, napi_value *value) { return napi_create_double(env, boolean, value); }

napi_status napi_create_external(napi_env env, void *data, napi_finalize finalize, void *hint, napi_value *value) {
    (void)data, (void)finalize, (void)hint;
    return napi_create_double(env, 0, value);
}

napi_status napi_create_string_utf8(napi_env env, const char *text, size_t length, napi_value *value) {
    (void)length;
    if (strlen(text) >= sizeof last_text) abort();
    strcpy(last_text, text);
    return napi_create_double(env, 0, value);
}

napi_status napi_create_error(napi_env env, napi_value name, napi_value message, napi_value *error) {
    (void)name, (void)message;
    return napi_create_double(env, 0, error);
}

napi_status napi_set_named_property(napi_env env, napi_value object, const char *name, napi_value value) {
    (void)env, (void)object, (void)value;
    if (strcmp(name, "code") == 0) strcpy(code, last_text);
    if (strcmp(name, "syscall") == 0) strcpy(syscall_name, last_text);
    return napi_ok;
}

napi_status napi_throw(napi_env env, napi_value error) {
    (void)env, (void)error;
    if (pending) abort();
    pending = true;
    return napi_ok;
}

napi_status napi_throw_type_error(napi_env env, const char *name, const char *message) {
    (void)name;
    if (strlen(message) >= TEXT_BYTES) abort();
    return napi_throw(env, NULL);
}
