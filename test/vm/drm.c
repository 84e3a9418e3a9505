/*
 * A program for the tests in the virtual machine: has a graphics driver import a buffer or export one, and hands descriptors back through a socket.
 * Owns nothing beyond its run. Descriptor 3: the buffer to import; 4: the socket. Says on standard output what it did, as JSON.
 * Numbers and structures are those of the kernel's drm.h, drm_mode.h and dma-heap.h, which not every machine has installed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define BUFFER 3
#define SOCKET 4
#define MAX_CARDS 16
#define BITS_PER_PIXEL 32

struct drm_version {
    int major, minor, patch;
    size_t name_length;
    char *name;
    size_t date_length;
    char *date;
    size_t description_length;
    char *description;
};

struct drm_prime {
    uint32_t handle, flags;
    int32_t fd;
};

struct drm_dumb {
    uint32_t height, width, bits_per_pixel, flags, handle, pitch;
    uint64_t size;
};

struct drm_framebuffer {
    uint32_t id, width, height, fourcc, flags;
    uint32_t handles[4], pitches[4], offsets[4];
    uint64_t modifiers[4];
};

struct heap_allocation {
    uint64_t bytes;
    uint32_t fd, fd_flags;
    uint64_t heap_flags;
};

#define DRM_VERSION _IOWR('d', 0x00, struct drm_version)
#define DRM_PRIME_HANDLE_TO_FD _IOWR('d', 0x2d, struct drm_prime)
#define DRM_PRIME_FD_TO_HANDLE _IOWR('d', 0x2e, struct drm_prime)
#define DRM_CREATE_DUMB _IOWR('d', 0xb2, struct drm_dumb)
#define DRM_ADD_FRAMEBUFFER _IOWR('d', 0xb8, struct drm_framebuffer)
#define DRM_REMOVE_FRAMEBUFFER _IOWR('d', 0xaf, unsigned int)
#define HEAP_ALLOCATE _IOWR('H', 0x0, struct heap_allocation)

static void fail(const char *what) {
    printf("{\"failed\":\"%s\",\"errno\":\"%s\"}\n", what, strerrorname_np(errno));
    exit(1);
}

static void ask(int fd, unsigned long request, void *argument, const char *what) {
    if (ioctl(fd, request, argument) < 0) fail(what);
}

static int is_driver(int card, const char *driver) {
    char name[64] = {0};
    struct drm_version version = {.name_length = sizeof name - 1, .name = name};
    return ioctl(card, DRM_VERSION, &version) == 0 && strcmp(name, driver) == 0;
}

/* The card of a driver. */
static int open_card(const char *driver) {
    for (int number = 0; number < MAX_CARDS; number++) {
        char path[32];
        snprintf(path, sizeof path, "/dev/dri/card%d", number);
        int card = open(path, O_RDWR | O_CLOEXEC);
        if (card >= 0 && is_driver(card, driver)) return card;
        if (card >= 0) close(card);
    }
    errno = ENODEV;
    fail("open");
    return -1;
}

/* Hands a descriptor to the test. */
static void hand_back(int fd) {
    char byte = 0;
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof fd)];
    } control = {0};
    struct iovec data = {&byte, 1};
    struct msghdr message = {.msg_iov = &data,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    control.header = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof fd), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
    if (sendmsg(SOCKET, &message, MSG_NOSIGNAL) < 0) fail("sendmsg");
}

static uint32_t import_buffer(int card, int fd) {
    struct drm_prime prime = {.fd = fd};
    ask(card, DRM_PRIME_FD_TO_HANDLE, &prime, "import");
    return prime.handle;
}

static int export_buffer(int card, uint32_t handle, uint32_t access) {
    struct drm_prime prime = {.handle = handle, .flags = O_CLOEXEC | access};
    ask(card, DRM_PRIME_HANDLE_TO_FD, &prime, "export");
    return prime.fd;
}

static uint32_t number(const char *text) {
    return (uint32_t)strtoul(text, NULL, 0);
}

/* Imports the buffer, makes a framebuffer of it, exports it again. Words: width, height, fourcc, stride, offset. */
static void import(const char *driver, char **words) {
    int card = open_card(driver);
    uint32_t handle = import_buffer(card, BUFFER);
    struct drm_framebuffer frame = {.width = number(words[0]),
                                    .height = number(words[1]),
                                    .fourcc = number(words[2]),
                                    .handles = {handle},
                                    .pitches = {number(words[3])},
                                    .offsets = {number(words[4])}};
    ask(card, DRM_ADD_FRAMEBUFFER, &frame, "framebuffer");
    int again = export_buffer(card, handle, O_RDWR);
    hand_back(again);
    printf("{\"handle\":%u,\"again\":%u,\"framebuffer\":%u}\n", handle, import_buffer(card, again), frame.id);
    ask(card, DRM_REMOVE_FRAMEBUFFER, &frame.id, "removal");
}

/* Exports a buffer of the driver's own. Words: width, height, `read` or `read-write`. */
static void export(const char *driver, char **words) {
    int card = open_card(driver);
    struct drm_dumb dumb = {.width = number(words[0]), .height = number(words[1]), .bits_per_pixel = BITS_PER_PIXEL};
    ask(card, DRM_CREATE_DUMB, &dumb, "dumb buffer");
    hand_back(export_buffer(card, dumb.handle, strcmp(words[2], "read") == 0 ? O_RDONLY : O_RDWR));
    printf("{\"bytes\":%llu,\"stride\":%u}\n", (unsigned long long)dumb.size, dumb.pitch);
}

/* A buffer of a heap that may be written and not read, so that no mapping of it is allowed. Words: bytes. */
static void write_only(const char *heap, char **words) {
    char path[64];
    snprintf(path, sizeof path, "/dev/dma_heap/%s", heap);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) fail("open");
    struct heap_allocation allocation = {.bytes = number(words[0]), .fd_flags = O_WRONLY | O_CLOEXEC};
    ask(fd, HEAP_ALLOCATE, &allocation, "allocation");
    hand_back((int)allocation.fd);
    printf("{\"bytes\":%llu}\n", (unsigned long long)allocation.bytes);
}

int main(int count, char **words) {
    if (count == 8 && strcmp(words[1], "import") == 0) import(words[2], words + 3);
    else if (count == 6 && strcmp(words[1], "export") == 0) export(words[2], words + 3);
    else if (count == 4 && strcmp(words[1], "write-only") == 0) write_only(words[2], words + 3);
    else return fprintf(stderr, "drm import|export|write-only DRIVER ...; see the source\n"), 2;
    return 0;
}
