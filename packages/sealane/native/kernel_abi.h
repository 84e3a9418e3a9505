/*
 * What the kernel offers and the headers of an older C library (musl before 1.2.5) don't declare, declared here after
 * statx(2). Where the headers have it, theirs is used.
 */
#ifndef SEALANE_KERNEL_ABI_H
#define SEALANE_KERNEL_ABI_H

#include <stdint.h>
#include <sys/stat.h>

#ifndef STATX_BASIC_STATS
#define STATX_BASIC_STATS 0x7ffU

struct statx_timestamp {
    int64_t tv_sec;
    uint32_t tv_nsec;
    int32_t reserved;
};

struct statx {
    uint32_t stx_mask;
    uint32_t stx_blksize;
    uint64_t stx_attributes;
    uint32_t stx_nlink;
    uint32_t stx_uid;
    uint32_t stx_gid;
    uint16_t stx_mode;
    uint16_t reserved;
    uint64_t stx_ino;
    uint64_t stx_size;
    uint64_t stx_blocks;
    uint64_t stx_attributes_mask;
    struct statx_timestamp stx_atime, stx_btime, stx_ctime, stx_mtime;
    uint32_t stx_rdev_major, stx_rdev_minor;
    uint32_t stx_dev_major, stx_dev_minor;
    /* Room for what later kernels fill in: the kernel writes no more than 256 bytes. */
    uint64_t spare[14];
};
_Static_assert(sizeof(struct statx) == 256, "statx(2) writes a struct of 256 bytes");
#endif

#endif
