/* The fuzzer's bytes, read from front to back; past the end there are zeros. */
#ifndef TWINLENS_FUZZ_INPUT_H
#define TWINLENS_FUZZ_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct input {
    const uint8_t *bytes;
    size_t left;
};

static inline uint8_t next_u8(struct input *input) {
    if (input->left == 0) return 0;
    input->left--;
    return *input->bytes++;
}

static inline uint16_t next_u16(struct input *input) {
    uint16_t high = next_u8(input);
    return (uint16_t)(high << 8 | next_u8(input));
}

/* A copy of at most `size` bytes in memory of exactly that size, so that reading past its end is seen. */
static inline uint8_t *next_copy(struct input *input, size_t *size) {
    if (*size > input->left) *size = input->left;
    uint8_t *copy = malloc(*size);
    if (copy == NULL) abort();
    if (*size > 0) memcpy(copy, input->bytes, *size);
    input->bytes += *size;
    input->left -= *size;
    return copy;
}

static inline void require(bool holds) {
    if (!holds) abort();
}

#endif
