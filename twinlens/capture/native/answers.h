/* Answers to GenTL's "get info" functions: one value, its type, and the size protocol of the standard. */
#ifndef TWINLENS_ANSWERS_H
#define TWINLENS_ANSWERS_H

#include "gentl_abi.h"

/* Where a client wants one value: `buffer` may be NULL to ask for the size only, `type` may be NULL. */
struct answer {
    INFO_DATATYPE *type;
    void *buffer;
    size_t *size;
};

GC_ERROR answer_text(const struct answer *, const char *text);
GC_ERROR answer_bool(const struct answer *, int value);
GC_ERROR answer_i32(const struct answer *, int32_t value);
GC_ERROR answer_u32(const struct answer *, uint32_t value);
GC_ERROR answer_u64(const struct answer *, uint64_t value);
GC_ERROR answer_size(const struct answer *, size_t value);
GC_ERROR answer_pointer(const struct answer *, void *value);

GC_ERROR answer_bytes(const struct answer *, const void *bytes, size_t size);

/* The answer to a command this module does not know. */
GC_ERROR answer_unknown(int32_t command);

/* A text without a type: IDs and URLs. */
GC_ERROR copy_text(const char *text, char *buffer, size_t *size);

#endif
