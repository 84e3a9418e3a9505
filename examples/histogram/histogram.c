/*
 * The guest: a WebAssembly module that counts how bright the pixels of a frame are. The frame lies in the module's memory, where its host has
 * mapped it. Owns the counts; trusts its host that the pixels are where it says.
 */
#include <stdint.h>

#define LEVELS 256

static uint32_t counts[LEVELS];

/* Counts `pixels` pixels of red, green, blue and opacity, a byte each, by their luminance (ITU-R BT.601). Answers where the counts are. */
__attribute__((export_name("histogram"))) const uint32_t *histogram(const uint8_t *rgba, uint32_t pixels) {
    for (uint32_t level = 0; level < LEVELS; level++) counts[level] = 0;
    for (uint32_t i = 0; i < pixels; i++, rgba += 4) counts[(77 * rgba[0] + 150 * rgba[1] + 29 * rgba[2]) >> 8]++;
    return counts;
}
