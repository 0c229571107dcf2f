/* DS...Buffer and DSFlushQueue: announcing, queueing, revoking buffers, and asking about them. */
#include <stdlib.h>

#include "errors.h"
#include "stream.h"

static struct stream *borrow(DS_HANDLE handle) { return (struct stream *)module_borrow(handle, KIND_STREAM); }

static void buffer_destroy(struct module *module) {
    struct buffer *buffer = (struct buffer *)module;
    struct stream *stream = (struct stream *)module->parent;
    pthread_mutex_lock(&stream->lock);
    pool_move(&stream->pool, buffer, PLACE_CLIENT);
    TAILQ_REMOVE(&stream->pool.announced, buffer, announced_link);
    pthread_mutex_unlock(&stream->lock);
    if (buffer->own_memory) free(buffer->memory);
    free(buffer);
}

static const struct module_class buffer_class = {.kind = KIND_BUFFER, .name = "buffer", .destroy = buffer_destroy};

/* Takes over `buffer`, whether it succeeds or not. */
static GC_ERROR announce(struct stream *stream, struct buffer *buffer, BUFFER_HANDLE *handle) {
    pthread_mutex_lock(&stream->lock);
    TAILQ_INSERT_TAIL(&stream->pool.announced, buffer, announced_link);
    pthread_mutex_unlock(&stream->lock);
    if (module_publish(&buffer->module, &buffer_class, &stream->module)) {
        *handle = buffer->module.handle;
        return GC_ERR_SUCCESS;
    }
    buffer->module.parent = &stream->module;
    buffer_destroy(&buffer->module);
    return fail(GC_ERR_OUT_OF_MEMORY, "no memory for a buffer");
}

static GC_ERROR announce_memory(struct stream *stream, void *memory, size_t size, void *user_pointer,
                                BUFFER_HANDLE *handle) {
    bool own_memory = memory == NULL;
    if (size == 0 || handle == NULL)
        return fail(GC_ERR_INVALID_PARAMETER, "a buffer needs a size and a handle pointer");
    struct buffer *buffer = calloc(1, sizeof *buffer);
    if (buffer != NULL && own_memory) memory = calloc(1, size);
    if (memory == NULL || buffer == NULL) {
        free(buffer);
        return fail(GC_ERR_OUT_OF_MEMORY, "no memory for a buffer of %zu bytes", size);
    }
    buffer->memory = memory;
    buffer->size = size;
    buffer->user_pointer = user_pointer;
    buffer->own_memory = own_memory;
    return announce(stream, buffer, handle);
}

GC_API DSAnnounceBuffer(DS_HANDLE handle, void *memory, size_t size, void *user_pointer, BUFFER_HANDLE *buffer) {
    struct stream *stream = borrow(handle);
    if (stream == NULL) return GC_ERR_INVALID_HANDLE;
    GC_ERROR result = memory == NULL ? fail(GC_ERR_INVALID_PARAMETER, "the buffer memory is NULL")
                                     : announce_memory(stream, memory, size, user_pointer, buffer);
    return module_return(&stream->module, result);
}

GC_API DSAllocAndAnnounceBuffer(DS_HANDLE handle, size_t size, void *user_pointer, BUFFER_HANDLE *buffer) {
    struct stream *stream = borrow(handle);
    if (stream == NULL) return GC_ERR_INVALID_HANDLE;
    return module_return(&stream->module, announce_memory(stream, NULL, size, user_pointer, buffer));
}

/* A buffer of this very stream, borrowed; or NULL. */
static struct buffer *borrow_buffer(struct stream *stream, BUFFER_HANDLE handle) {
    struct buffer *buffer = (struct buffer *)module_borrow(handle, KIND_BUFFER);
    if (buffer == NULL || buffer->module.parent == &stream->module) return buffer;
    module_return(&buffer->module, fail(GC_ERR_INVALID_HANDLE, "the buffer belongs to another stream"));
    return NULL;
}

static GC_ERROR revoke(struct stream *stream, struct buffer *buffer, void **memory, void **user_pointer) {
    pthread_mutex_lock(&stream->lock);
    bool free_to_go = buffer->place == PLACE_CLIENT;
    if (memory != NULL) *memory = buffer->own_memory ? NULL : buffer->memory;
    if (user_pointer != NULL) *user_pointer = buffer->user_pointer;
    pthread_mutex_unlock(&stream->lock);
    if (free_to_go) return module_close(&buffer->module);
    return module_return(&buffer->module, fail(GC_ERR_BUSY, "the buffer is queued; flush the queues first"));
}

GC_API DSRevokeBuffer(DS_HANDLE handle, BUFFER_HANDLE buffer_handle, void **memory, void **user_pointer) {
    struct stream *stream = borrow(handle);
    if (stream == NULL) return GC_ERR_INVALID_HANDLE;
    struct buffer *buffer = borrow_buffer(stream, buffer_handle);
    if (buffer == NULL) return module_return(&stream->module, GC_ERR_INVALID_HANDLE);
    return module_return(&stream->module, revoke(stream, buffer, memory, user_pointer));
}

GC_API DSQueueBuffer(DS_HANDLE handle, BUFFER_HANDLE buffer_handle) {
    struct stream *stream = borrow(handle);
    if (stream == NULL) return GC_ERR_INVALID_HANDLE;
    struct buffer *buffer = borrow_buffer(stream, buffer_handle);
    if (buffer == NULL) return module_return(&stream->module, GC_ERR_INVALID_HANDLE);
    pthread_mutex_lock(&stream->lock);
    bool free_to_go = buffer->place == PLACE_CLIENT;
    if (free_to_go) pool_move(&stream->pool, buffer, PLACE_INPUT);
    pthread_mutex_unlock(&stream->lock);
    GC_ERROR result = free_to_go ? GC_ERR_SUCCESS : fail(GC_ERR_RESOURCE_IN_USE, "the buffer is queued already");
    return module_return(&stream->module, module_return(&buffer->module, result));
}

/* The caller holds the lock. */
static GC_ERROR flush(struct stream *stream, int32_t operation) {
    struct buffer_pool *pool = &stream->pool;
    bool everything = operation == ACQ_QUEUE_ALL_DISCARD || operation == ACQ_QUEUE_ALL_TO_INPUT;
    if (everything && stream->receiver != NULL) receiver_discard(stream->receiver);
    switch (operation) {
        case ACQ_QUEUE_INPUT_TO_OUTPUT:
            pool_move_all(pool, PLACE_INPUT, PLACE_OUTPUT);
            pthread_cond_broadcast(&stream->changed);
            return GC_ERR_SUCCESS;
        case ACQ_QUEUE_OUTPUT_DISCARD: pool_move_all(pool, PLACE_OUTPUT, PLACE_CLIENT); return GC_ERR_SUCCESS;
        case ACQ_QUEUE_ALL_TO_INPUT: pool_move_all(pool, PLACE_OUTPUT, PLACE_CLIENT); /* fall through */
        case ACQ_QUEUE_UNQUEUED_TO_INPUT: pool_move_all(pool, PLACE_CLIENT, PLACE_INPUT); return GC_ERR_SUCCESS;
        case ACQ_QUEUE_ALL_DISCARD:
            pool_move_all(pool, PLACE_OUTPUT, PLACE_CLIENT);
            pool_move_all(pool, PLACE_INPUT, PLACE_CLIENT);
            return GC_ERR_SUCCESS;
        default: return fail(GC_ERR_INVALID_PARAMETER, "there is no flush operation %d", operation);
    }
}

GC_API DSFlushQueue(DS_HANDLE handle, int32_t operation) {
    struct stream *stream = borrow(handle);
    if (stream == NULL) return GC_ERR_INVALID_HANDLE;
    pthread_mutex_lock(&stream->lock);
    GC_ERROR result = flush(stream, operation);
    pthread_mutex_unlock(&stream->lock);
    return module_return(&stream->module, result);
}

GC_API DSGetBufferID(DS_HANDLE handle, uint32_t index, BUFFER_HANDLE *buffer_handle) {
    struct stream *stream = borrow(handle);
    if (stream == NULL) return GC_ERR_INVALID_HANDLE;
    struct module *buffer = buffer_handle == NULL ? NULL : module_child(&stream->module, KIND_BUFFER, index);
    if (buffer == NULL)
        return module_return(&stream->module, fail(GC_ERR_INVALID_INDEX, "there is no buffer number %u", index));
    *buffer_handle = buffer->handle;
    return module_return(&stream->module, module_return(buffer, GC_ERR_SUCCESS));
}

GC_API DSGetBufferInfo(DS_HANDLE handle, BUFFER_HANDLE buffer_handle, int32_t command, INFO_DATATYPE *type,
                       void *target, size_t *size) {
    struct answer answer = {type, target, size};
    struct stream *stream = borrow(handle);
    if (stream == NULL) return GC_ERR_INVALID_HANDLE;
    struct buffer *buffer = borrow_buffer(stream, buffer_handle);
    if (buffer == NULL) return module_return(&stream->module, GC_ERR_INVALID_HANDLE);
    uint64_t tick_frequency = ((const struct device *)stream->module.parent)->tick_frequency;
    pthread_mutex_lock(&stream->lock);
    GC_ERROR result = buffer_answer(buffer, tick_frequency, command, &answer);
    pthread_mutex_unlock(&stream->lock);
    return module_return(&stream->module, module_return(&buffer->module, result));
}

/* What a plain image has none of: the handles are checked, then the answer is the same for all. */
static GC_ERROR refuse(DS_HANDLE handle, BUFFER_HANDLE buffer_handle, GC_ERROR code, const char *text) {
    struct stream *stream = borrow(handle);
    if (stream == NULL) return GC_ERR_INVALID_HANDLE;
    struct buffer *buffer = borrow_buffer(stream, buffer_handle);
    if (buffer == NULL) return module_return(&stream->module, GC_ERR_INVALID_HANDLE);
    GC_ERROR result = code == GC_ERR_SUCCESS ? code : fail(code, "%s", text);
    return module_return(&stream->module, module_return(&buffer->module, result));
}

GC_API DSGetBufferChunkData(DS_HANDLE handle, BUFFER_HANDLE buffer, struct chunk_place *places, size_t *count) {
    (void)places;
    (void)count;
    return refuse(handle, buffer, GC_ERR_NO_DATA, "the buffer holds a plain image without chunks");
}

GC_API DSGetNumBufferParts(DS_HANDLE handle, BUFFER_HANDLE buffer, uint32_t *count) {
    if (count == NULL) return fail(GC_ERR_INVALID_PARAMETER, "the count pointer is NULL");
    *count = 0;
    return refuse(handle, buffer, GC_ERR_SUCCESS, "");
}

GC_API DSGetBufferPartInfo(DS_HANDLE handle, BUFFER_HANDLE buffer, uint32_t part, int32_t command,
                           INFO_DATATYPE *type, void *target, size_t *size) {
    (void)part;
    (void)command;
    (void)type;
    (void)target;
    (void)size;
    return refuse(handle, buffer, GC_ERR_INVALID_INDEX, "the buffer holds a plain image, not parts");
}
