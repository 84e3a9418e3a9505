/*
 * The few functions of libuv that the addon calls, declared here: Node.js exports them, and node-api-headers has no uv.h.
 * Handles are opaque; their size is asked of the running libuv. Trusts that libuv keeps its ABI within a major version.
 */
#ifndef SEALANE_UV_ABI_H
#define SEALANE_UV_ABI_H

#include <stddef.h>

struct uv_loop_s;
typedef struct uv_handle_s uv_handle_t;
typedef struct uv_poll_s uv_poll_t;
typedef void (*uv_poll_cb)(uv_poll_t *handle, int status, int events);
typedef void (*uv_close_cb)(uv_handle_t *handle);

/* uv_handle_type: its order is part of the ABI. */
#define UV_POLL 8
/* uv_poll_event */
#define UV_READABLE 1
#define UV_WRITABLE 2

size_t uv_handle_size(int type);
void *uv_handle_get_data(const uv_handle_t *handle);
void uv_handle_set_data(uv_handle_t *handle, void *data);
void uv_close(uv_handle_t *handle, uv_close_cb done);
void uv_ref(uv_handle_t *handle);
void uv_unref(uv_handle_t *handle);
int uv_poll_init(struct uv_loop_s *loop, uv_poll_t *handle, int fd);
int uv_poll_start(uv_poll_t *handle, int events, uv_poll_cb ready);
int uv_poll_stop(uv_poll_t *handle);
char *uv_err_name_r(int error, char *buffer, size_t capacity);
char *uv_strerror_r(int error, char *buffer, size_t capacity);

#endif
