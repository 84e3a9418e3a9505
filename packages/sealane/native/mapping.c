/*
 * mmap(2): a range of a file as an external ArrayBuffer. Owns the addresses of every mapping until nobody can hold them.
 *
 * An address must not be reused while anything may still read or write through it: Node.js hands raw addresses to system
 * calls and threads, and keeps only the ArrayBuffer object alive meanwhile. So closing detaches the ArrayBuffer (views in
 * JavaScript are empty) and puts inaccessible memory over the range (the file's pages are let go, calls in flight fail with
 * EFAULT), and the range is unmapped only when three things came true:
 *   closed   the handle was closed, or collected;
 *   object   the ArrayBuffer object was collected, so nothing in flight uses its address;
 *   store    V8 freed the backing store, so nobody who took it over (buffer.transfer()) uses it either.
 * Ranges that wait like this lie side by side and merge, so they hardly count against vm.max_map_count.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "seam.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif

/* The kernel's limit for a name, and the room that seam_text needs. */
#define NAME_CAPACITY (249 + 5)

struct mapping {
    uint32_t kind;
    /* Whole pages, and where in them the range begins that was asked for. */
    uint8_t *base;
    size_t span;
    size_t inside;
    size_t length;
    /* Weak: answers the ArrayBuffer as long as it was not collected. */
    napi_ref buffer;
    bool made;
    bool closed;
    bool object_done;
    bool store_done;
    bool unmapped;
    /* The handle was collected: the last use of this struct is near. */
    bool collected;
    /* Another thread may hold the memory: its addresses are never given back. */
    bool kept;
    /* Next in the list of ranges whose munmap failed. */
    struct mapping *next;
};

/*
 * munmap in the middle of merged ranges makes one mapping into two, and so can itself meet vm.max_map_count. What failed
 * is tried again when something else was unmapped.
 */
static pthread_mutex_t failed_lock = PTHREAD_MUTEX_INITIALIZER;
static struct mapping *failed;

static void end_unmapped(struct mapping *mapping) {
    mapping->unmapped = true;
    if (mapping->collected) free(mapping);
}

static struct mapping *take_failed(void) {
    pthread_mutex_lock(&failed_lock);
    struct mapping *list = failed;
    failed = NULL;
    pthread_mutex_unlock(&failed_lock);
    return list;
}

static void add_failed(struct mapping *mapping) {
    pthread_mutex_lock(&failed_lock);
    mapping->next = failed;
    failed = mapping;
    pthread_mutex_unlock(&failed_lock);
}
