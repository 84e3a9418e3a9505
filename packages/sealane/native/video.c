/*
 * A video device, V4L2: opened, and asked by ioctl(2) with structures that the caller fills in and reads. Never blocks: what is not there
 * yet is told as such. Only requests of video devices get through, each with as many bytes as its number says, so that the kernel writes
 * nowhere else.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "seam.h"

#ifndef PATH_MAX
#define PATH_MAX 4096
#endif

/* The letter of V4L2 in the numbers of its requests, and where that and the size of the structure stand in them. */
#define VIDEO_LETTER 'V'
#define LETTER_OF(request) (((request) >> 8) & 0xff)
#define SIZE_OF(request) (((request) >> 16) & 0x3fff)

static napi_value video_open(napi_env env, napi_callback_info info) {
    struct seam_call call;
    char path[PATH_MAX - 1 + 5];
    if (!seam_begin(env, info, &call) || !seam_text(&call, 0, "path", path, sizeof path)) return NULL;
    int fd;
    do fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    while (fd == -1 && errno == EINTR);
    if (fd == -1) return seam_throw(env, errno, "open");
    seam_own(call.seam, fd);
    return seam_number(env, fd);
}

static napi_value video_ask(napi_env env, napi_callback_info info) {
    struct seam_call call;
    uint64_t request;
    uint8_t *bytes;
    size_t length;
    int fd, result;
    if (!seam_begin(env, info, &call) || !seam_fd(&call, 0, &fd) || !seam_integer(&call, 1, "request", UINT32_MAX, &request) ||
        !seam_bytes(&call, 2, "bytes", &bytes, &length)) {
        return NULL;
    }
    if (LETTER_OF(request) != VIDEO_LETTER || SIZE_OF(request) != length) {
        return seam_throw_type(env, "0x%llx is no request of a video device with %zu bytes", (unsigned long long)request, length);
    }
    do result = ioctl(fd, (unsigned long)request, bytes);
    while (result == -1 && errno == EINTR);
    if (result == -1 && errno != EAGAIN) return seam_throw(env, errno, "ioctl");
    return seam_boolean(env, result != -1);
}

const struct seam_entry video_entries[] = {{"videoOpen", video_open}, {"videoAsk", video_ask}, {NULL, NULL}};
