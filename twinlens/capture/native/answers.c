/* The size protocol: buffer NULL asks how much is needed, a small buffer is refused and told the need. */
#include "answers.h"

#include <string.h>

#include "errors.h"

static GC_ERROR give(const struct answer *answer, INFO_DATATYPE type, const void *value, size_t size) {
    if (answer->size == NULL) return fail(GC_ERR_INVALID_PARAMETER, "the size pointer is NULL");
    if (answer->type != NULL) *answer->type = type;
    size_t room = *answer->size;
    *answer->size = size;
    if (answer->buffer == NULL) return GC_ERR_SUCCESS;
    if (room < size) return fail(GC_ERR_BUFFER_TOO_SMALL, "the value needs %zu bytes, the buffer has %zu", size, room);
    memcpy(answer->buffer, value, size);
    return GC_ERR_SUCCESS;
}

GC_ERROR answer_text(const struct answer *answer, const char *text) {
    return give(answer, INFO_DATATYPE_STRING, text, strlen(text) + 1);
}

GC_ERROR answer_bool(const struct answer *answer, int value) {
    bool8_t truth = value != 0;
    return give(answer, INFO_DATATYPE_BOOL8, &truth, sizeof truth);
}

GC_ERROR answer_i32(const struct answer *answer, int32_t value) {
    return give(answer, INFO_DATATYPE_INT32, &value, sizeof value);
}

GC_ERROR answer_u32(const struct answer *answer, uint32_t value) {
    return give(answer, INFO_DATATYPE_UINT32, &value, sizeof value);
}

GC_ERROR answer_u64(const struct answer *answer, uint64_t value) {
    return give(answer, INFO_DATATYPE_UINT64, &value, sizeof value);
}

GC_ERROR answer_size(const struct answer *answer, size_t value) {
    return give(answer, INFO_DATATYPE_SIZET, &value, sizeof value);
}

GC_ERROR answer_pointer(const struct answer *answer, void *value) {
    return give(answer, INFO_DATATYPE_PTR, &value, sizeof value);
}

GC_ERROR answer_bytes(const struct answer *answer, const void *bytes, size_t size) {
    return give(answer, INFO_DATATYPE_BUFFER, bytes, size);
}

GC_ERROR answer_unknown(int32_t command) {
    return fail(GC_ERR_NOT_IMPLEMENTED, "this module has no information %d", command);
}

GC_ERROR copy_text(const char *text, char *buffer, size_t *size) {
    struct answer answer = {.buffer = buffer, .size = size};
    return answer_text(&answer, text);
}
