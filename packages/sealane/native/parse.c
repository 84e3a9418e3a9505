/*
 * Reading of what others wrote. Trusts nothing of it; owns nothing.
 */
#include "parse.h"

#include <string.h>

/* CMSG_NXTHDR trusts the length of the header that it leaves: it is checked before. */
static size_t length_in(const struct msghdr *message, const struct cmsghdr *header) {
    size_t before = (size_t)((const char *)header - (const char *)message->msg_control);
    size_t left = message->msg_controllen - before;
    return header->cmsg_len < sizeof *header || header->cmsg_len > left ? 0 : header->cmsg_len;
}

uint32_t parse_descriptors(const struct msghdr *message, int *fds, uint32_t capacity) {
    uint32_t count = 0;
    struct cmsghdr *header = CMSG_FIRSTHDR(message);
    for (; header != NULL; header = CMSG_NXTHDR((struct msghdr *)message, header)) {
        size_t length = length_in(message, header);
        if (length == 0) break;
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS || length < CMSG_LEN(0)) continue;
        size_t found = (length - CMSG_LEN(0)) / sizeof(int);
        if (found > capacity - count) found = capacity - count;
        memcpy(fds + count, CMSG_DATA(header), found * sizeof(int));
        count += (uint32_t)found;
    }
    return count;
}

size_t parse_lines(const char *text, size_t length) {
    size_t lines = 0;
    for (size_t i = 0; i < length; i++) lines += text[i] == '\n';
    return lines;
}

size_t parse_number(const char *text, size_t length) {
    size_t number = 0;
    for (size_t i = 0; i < length && text[i] >= '0' && text[i] <= '9'; i++) {
        size_t digit = (size_t)(text[i] - '0');
        if (number > (SIZE_MAX - digit) / 10) return SIZE_MAX;
        number = number * 10 + digit;
    }
    return number;
}

size_t parse_strings(char *block, size_t length, char **list, size_t capacity) {
    size_t count = 0;
    char *begin = block;
    for (size_t i = 0; i < length; i++) {
        if (block[i] != 0) continue;
        if (count < capacity) list[count] = begin;
        count++;
        begin = block + i + 1;
    }
    return count;
}
