/*
 * DMA-BUFs: the memory of devices behind a descriptor. Their size, the brackets around a processor's access, and two ways to have one made:
 * by a DMA heap, and by udmabuf out of a memfd. Owns nothing beyond a call; what it makes goes on the environment's record.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "seam.h"

/* linux/dma-buf.h, linux/dma-heap.h and linux/udmabuf.h, which not every C library comes with. */
struct dma_buf_sync {
    uint64_t flags;
};
struct dma_heap_allocation {
    uint64_t length;
    uint32_t fd;
    uint32_t fd_flags;
    uint64_t heap_flags;
};
struct udmabuf_create {
    uint32_t memfd;
    uint32_t flags;
    uint64_t offset;
    uint64_t size;
};
_Static_assert(sizeof(struct dma_heap_allocation) == 24, "the size is part of the request's number");
_Static_assert(sizeof(struct udmabuf_create) == 24, "the size is part of the request's number");
#define DMA_BUF_SYNC _IOW('b', 0, struct dma_buf_sync)
#define DMA_HEAP_ALLOCATE _IOWR('H', 0, struct dma_heap_allocation)
#define UDMABUF_CREATE _IOW('u', 0x42, struct udmabuf_create)
#define UDMABUF_CLOSE_ON_EXEC 1
/* Read, write and end of an access. */
#define SYNC_FLAGS 7

/* Room for a path of a device, and what seam_text needs. */
#define PATH_CAPACITY (4096 + 5)

static int repeated_ioctl(int fd, unsigned long request, void *argument) {
    int result;
    do result = ioctl(fd, request, argument);
    while (result == -1 && (errno == EINTR || errno == EAGAIN));
    return result;
}

static napi_value dma_buf_size(napi_env env, napi_callback_info info) {
    struct seam_call call;
    int fd;
    if (!seam_begin(env, info, &call) || !seam_fd(&call, 0, &fd)) return NULL;
    off_t size = lseek(fd, 0, SEEK_END);
    return size == -1 ? seam_throw(env, errno, "lseek") : seam_number(env, (double)size);
}

static napi_value dma_buf_sync(napi_env env, napi_callback_info info) {
    struct seam_call call;
    int fd;
    struct dma_buf_sync sync;
    if (!seam_begin(env, info, &call) || !seam_fd(&call, 0, &fd) || !seam_integer(&call, 1, "flags", SYNC_FLAGS, &sync.flags)) {
        return NULL;
    }
    return repeated_ioctl(fd, DMA_BUF_SYNC, &sync) == -1 ? seam_throw(env, errno, "ioctl") : NULL;
}

static int open_device(const char *path) {
    int fd;
    do fd = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
    while (fd == -1 && errno == EINTR);
    return fd;
}

/* Closes the device; `made` is the new buffer, or -1 with errno. */
static napi_value finish(struct seam_call *call, int device, int made) {
    int error = errno;
    close(device);
    if (made == -1) return seam_throw(call->env, error, "ioctl");
    seam_own(call->seam, made);
    return seam_number(call->env, made);
}

static napi_value dma_heap_allocate(napi_env env, napi_callback_info info) {
    struct seam_call call;
    char path[PATH_CAPACITY];
    struct dma_heap_allocation request = {.fd_flags = O_RDWR | O_CLOEXEC};
    if (!seam_begin(env, info, &call) || !seam_text(&call, 0, "path", path, sizeof path) ||
        !seam_integer(&call, 1, "length", SEAM_MAX_INTEGER, &request.length)) {
        return NULL;
    }
    int device = open_device(path);
    if (device == -1) return seam_throw(env, errno, "open");
    int result = repeated_ioctl(device, DMA_HEAP_ALLOCATE, &request);
    return finish(&call, device, result == -1 ? -1 : (int)request.fd);
}

static napi_value udmabuf_make(napi_env env, napi_callback_info info) {
    struct seam_call call;
    char path[PATH_CAPACITY];
    int memfd;
    struct udmabuf_create request = {.flags = UDMABUF_CLOSE_ON_EXEC};
    if (!seam_begin(env, info, &call) || !seam_text(&call, 0, "path", path, sizeof path) || !seam_fd(&call, 1, &memfd) ||
        !seam_integer(&call, 2, "offset", SEAM_MAX_INTEGER, &request.offset) ||
        !seam_integer(&call, 3, "length", SEAM_MAX_INTEGER, &request.size)) {
        return NULL;
    }
    int device = open_device(path);
    if (device == -1) return seam_throw(env, errno, "open");
    request.memfd = (uint32_t)memfd;
    return finish(&call, device, repeated_ioctl(device, UDMABUF_CREATE, &request));
}

const struct seam_entry dma_buf_entries[] = {
    {"dmaBufSize", dma_buf_size},
    {"dmaBufSync", dma_buf_sync},
    {"dmaHeapAllocate", dma_heap_allocate},
    {"udmabufMake", udmabuf_make},
    {NULL, NULL},
};
