/*
 * What C itself reads of what others wrote: control messages of packets, texts of /proc, blocks of strings. Pure: no system call, no Node-API,
 * no memory of its own; fuzz/ tries it on anything.
 */
#ifndef SEALANE_PARSE_H
#define SEALANE_PARSE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/*
 * SCM_MAX_FD, all that a packet can carry. What does not fit the kernel would close within recvmsg, in the thread that receives, and a
 * close can take as long as the sender likes.
 */
#define PARSE_MAX_DESCRIPTORS 253

/* Puts the descriptors that came with a packet into `fds`, at most `capacity` of them. Answers how many. */
uint32_t parse_descriptors(const struct msghdr *message, int *fds, uint32_t capacity);

/* How many lines end in the text. */
size_t parse_lines(const char *text, size_t length);

/* The number with which the text begins: 0 without one, SIZE_MAX for one that is larger. */
size_t parse_number(const char *text, size_t length);

/*
 * The strings of a block in which each ends with a zero byte; bytes behind the last zero are none. Fills the first `capacity` places of `list`
 * with their beginnings. Answers how many there are.
 */
size_t parse_strings(char *block, size_t length, char **list, size_t capacity);

#endif
