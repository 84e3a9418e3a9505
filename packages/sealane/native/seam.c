/*
 * The seam: conversion and checks of arguments, results, errors. Owns nothing beyond a call.
 * Trusts nothing that JavaScript passes: a wrong argument is a TypeError.
 */
#include "seam.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "uv_abi.h"

bool seam_begin(napi_env env, napi_callback_info info, struct seam_call *call) {
    void *data = NULL;
    call->env = env;
    call->argc = SEAM_ARGUMENTS;
    /* Arguments that were not passed are undefined. */
    if (napi_get_cb_info(env, info, &call->argc, call->argv, NULL, &data) != napi_ok) return false;
    call->seam = data;
    return true;
}

bool seam_fd(struct seam_call *call, size_t index, int *fd) {
    double value;
    if (napi_get_value_double(call->env, call->argv[index], &value) == napi_ok && value >= 0 && value <= INT32_MAX &&
        value == floor(value)) {
        *fd = (int)value;
        return true;
    }
    seam_throw_type(call->env, "a descriptor must be an integer from 0 to 2147483647");
    return false;
}

bool seam_integer(struct seam_call *call, size_t index, const char *name, double max, uint64_t *value) {
    double number;
    if (napi_get_value_double(call->env, call->argv[index], &number) == napi_ok && number >= 0 && number <= max &&
        number == floor(number)) {
        *value = (uint64_t)number;
        return true;
    }
    seam_throw_type(call->env, "%s must be an integer from 0 to %.0f", name, max);
    return false;
}

bool seam_bool(struct seam_call *call, size_t index, const char *name, bool *value) {
    if (napi_get_value_bool(call->env, call->argv[index], value) == napi_ok) return true;
    seam_throw_type(call->env, "%s must be a boolean", name);
    return false;
}

/*
 * Text of up to capacity - 5 bytes. Node-API cuts a longer one off without a word, and never inside a character of up to
 * 4 bytes: with 4 bytes of room beyond the limit, what was cut is still over the limit.
 */
bool seam_text(struct seam_call *call, size_t index, const char *name, char *buffer, size_t capacity) {
    size_t length = 0;
    if (napi_get_value_string_utf8(call->env, call->argv[index], buffer, capacity, &length) != napi_ok) {
        seam_throw_type(call->env, "%s must be a string", name);
    } else if (length > capacity - 5) {
        seam_throw_type(call->env, "%s must have at most %zu bytes in UTF-8", name, capacity - 5);
    } else if (memchr(buffer, 0, length) != NULL) {
        seam_throw_type(call->env, "%s must not contain a zero character", name);
    } else {
        return true;
    }
    return false;
}

static bool is_detached(napi_env env, napi_value buffer) {
    bool detached = false;
    /* A SharedArrayBuffer is no ArrayBuffer to Node-API, and is never detached. */
    napi_is_detached_arraybuffer(env, buffer, &detached);
    return detached;
}

bool seam_bytes(struct seam_call *call, size_t index, const char *name, uint8_t **data, size_t *length) {
    napi_typedarray_type type;
    napi_value buffer;
    void *address = NULL;
    napi_status status = napi_get_typedarray_info(call->env, call->argv[index], &type, length, &address, &buffer, NULL);
    if (status != napi_ok || type != napi_uint8_array) {
        seam_throw_type(call->env, "%s must be a Uint8Array", name);
        return false;
    }
    if (*length == 0 && is_detached(call->env, buffer)) {
        seam_throw_type(call->env, "%s must not be detached: its memory was closed or transferred", name);
        return false;
    }
    *data = address;
    return true;
}

void *seam_object(struct seam_call *call, size_t index, enum seam_kind kind) {
    napi_valuetype type;
    void *object = NULL;
    if (napi_typeof(call->env, call->argv[index], &type) == napi_ok && type == napi_external &&
        napi_get_value_external(call->env, call->argv[index], &object) == napi_ok && object != NULL &&
        *(const uint32_t *)object == (uint32_t)kind) {
        return object;
    }
    seam_throw_type(call->env, "argument %zu must be a handle of this addon, of the right kind", index);
    return NULL;
}

napi_value seam_number(napi_env env, double value) {
    napi_value result = NULL;
    napi_create_double(env, value, &result);
    return result;
}

napi_value seam_boolean(napi_env env, bool value) {
    napi_value result = NULL;
    napi_get_boolean(env, value, &result);
    return result;
}

/* The handle owns the object from now on; without a handle (NULL) it is still the caller's. */
napi_value seam_handle(napi_env env, void *object, napi_finalize finalize) {
    napi_value handle = NULL;
    if (napi_create_external(env, object, finalize, NULL, &handle) != napi_ok) return NULL;
    return handle;
}

/* ETOOMANYREFS and others that libuv has no name for become E and their number, so that a name is always one word. */
static void error_name(int error, char *name, size_t capacity) {
    uv_err_name_r(-error, name, capacity);
    if (error == 109) snprintf(name, capacity, "ETOOMANYREFS");
    if (strchr(name, ' ') != NULL) snprintf(name, capacity, "E%d", error);
}

static void set_text(napi_env env, napi_value object, const char *key, const char *text) {
    napi_value value;
    if (napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &value) == napi_ok) {
        napi_set_named_property(env, object, key, value);
    }
}

napi_value seam_error(napi_env env, int error, const char *syscall) {
    char name[64], reason[128], message[256];
    napi_value text, result, number;
    error_name(error, name, sizeof name);
    uv_strerror_r(-error, reason, sizeof reason);
    snprintf(message, sizeof message, "%s: %s (%s)", syscall, reason, name);
    if (napi_create_string_utf8(env, message, NAPI_AUTO_LENGTH, &text) != napi_ok) return NULL;
    if (napi_create_error(env, NULL, text, &result) != napi_ok) return NULL;
    set_text(env, result, "code", name);
    set_text(env, result, "syscall", syscall);
    if (napi_create_int32(env, error, &number) == napi_ok) napi_set_named_property(env, result, "errno", number);
    return result;
}

napi_value seam_throw(napi_env env, int error, const char *syscall) {
    napi_value value = seam_error(env, error, syscall);
    if (value != NULL) napi_throw(env, value);
    return NULL;
}

napi_value seam_throw_type(napi_env env, const char *format, ...) {
    char message[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    napi_throw_type_error(env, "ERR_INVALID_ARG_VALUE", message);
    return NULL;
}
