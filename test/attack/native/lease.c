/*
 * Takes a write lease on standard input: whoever opens that file anew waits until the lease is given up, or the kernel breaks it
 * (45 seconds). The lease stays with the open file when this program has ended.
 */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

int main(void) {
    if (fcntl(STDIN_FILENO, F_SETLEASE, F_WRLCK) == 0) return 0;
    perror("lease: fcntl");
    return 1;
}
