/*
 * Listening sockets that another process has made and passed on: what they are, and a duplicate that never blocks. The
 * descriptor itself stays with whoever passed it; duplicates go on the environment's record.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "seam.h"

static bool read_option(int fd, int option, int *value) {
    socklen_t length = sizeof *value;
    return getsockopt(fd, SOL_SOCKET, option, value, &length) == 0;
}

/* Where it is bound: a path, @ and an abstract name, or nothing. A path that fills sun_path has no zero at its end. */
static size_t bound_text(const struct sockaddr_un *address, socklen_t length, char *text) {
    size_t prefix = offsetof(struct sockaddr_un, sun_path);
    if (address->sun_family != AF_UNIX || length <= prefix) return 0;
    size_t bytes = length - prefix;
    if (bytes > sizeof address->sun_path) bytes = sizeof address->sun_path;
    memcpy(text, address->sun_path, bytes);
    if (text[0] != 0) return strnlen(text, bytes);
    text[0] = '@';
    return bytes;
}

/* scratch: domain, type, whether it listens. Answers where it is bound. */
static napi_value listener_inspect(napi_env env, napi_callback_info info) {
    struct seam_call call;
    struct sockaddr_un address;
    socklen_t length = sizeof address;
    int fd, domain, type, listening;
    if (!seam_begin(env, info, &call) || !seam_fd(&call, 0, &fd)) return NULL;
    if (!read_option(fd, SO_DOMAIN, &domain) || !read_option(fd, SO_TYPE, &type) ||
        !read_option(fd, SO_ACCEPTCONN, &listening)) {
        return seam_throw(env, errno, "getsockopt");
    }
    if (getsockname(fd, (struct sockaddr *)&address, &length) == -1) return seam_throw(env, errno, "getsockname");
    double *out = call.seam->scratch;
    out[0] = domain;
    out[1] = type;
    out[2] = listening;
    char text[sizeof address.sun_path];
    napi_value result = NULL;
    napi_create_string_utf8(env, text, bound_text(&address, length, text), &result);
    return result;
}

/* O_NONBLOCK belongs to the open file, which the passing process shares: accepting must not wait for a client that left. */
static napi_value listener_duplicate(napi_env env, napi_callback_info info) {
    struct seam_call call;
    int fd;
    if (!seam_begin(env, info, &call) || !seam_fd(&call, 0, &fd)) return NULL;
    int copy = seam_duplicate(fd);
    if (copy == -1) return seam_throw(env, errno, "fcntl");
    int flags = fcntl(copy, F_GETFL);
    if (flags == -1 || fcntl(copy, F_SETFL, flags | O_NONBLOCK) == -1) {
        int error = errno;
        close(copy);
        return seam_throw(env, error, "fcntl");
    }
    seam_own(call.seam, copy);
    return seam_number(env, copy);
}

static napi_value descriptor_close_on_exec(napi_env env, napi_callback_info info) {
    struct seam_call call;
    int fd;
    if (!seam_begin(env, info, &call) || !seam_fd(&call, 0, &fd)) return NULL;
    return fcntl(fd, F_SETFD, FD_CLOEXEC) == -1 ? seam_throw(env, errno, "fcntl") : NULL;
}

const struct seam_entry listener_entries[] = {
    {"listenerInspect", listener_inspect},
    {"listenerDuplicate", listener_duplicate},
    {"descriptorCloseOnExec", descriptor_close_on_exec},
    {NULL, NULL},
};
