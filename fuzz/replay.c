/*
 * Runs a target on files, for compilers without libFuzzer: each argument is one.
 */
#include <stdio.h>
#include <stdlib.h>

#include "target.h"

#define MOST_BYTES (1 << 20)

int main(int argc, char **argv) {
    uint8_t *bytes = malloc(MOST_BYTES);
    if (bytes == NULL) return 1;
    for (int i = 1; i < argc; i++) {
        FILE *file = fopen(argv[i], "rb");
        if (file == NULL) {
            perror(argv[i]);
            return 1;
        }
        size_t length = fread(bytes, 1, MOST_BYTES, file);
        fclose(file);
        uint8_t *exact = malloc(length == 0 ? 1 : length);
        if (exact == NULL) return 1;
        for (size_t at = 0; at < length; at++) exact[at] = bytes[at];
        LLVMFuzzerTestOneInput(exact, length);
        free(exact);
    }
    free(bytes);
    printf("%d inputs\n", argc - 1);
    return 0;
}
