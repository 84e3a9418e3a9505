/*
 * What a fuzz target is: libFuzzer calls it with bytes of its invention, replay.c with those of the corpus. It ends by assert or by a sanitizer.
 */
#ifndef SEALANE_FUZZ_TARGET_H
#define SEALANE_FUZZ_TARGET_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);

#endif
