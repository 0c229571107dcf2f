/* Queues of buffers, and what is known about each. */
#include "buffers.h"

#include "errors.h"
#include "system.h"

void pool_init(struct buffer_pool *pool) {
    TAILQ_INIT(&pool->announced);
    TAILQ_INIT(&pool->input);
    TAILQ_INIT(&pool->output);
    pool->total = (struct stream_counters){0};
}

static struct buffer_queue *queue_of(struct buffer_pool *pool, enum buffer_place place) {
    if (place == PLACE_INPUT) return &pool->input;
    return place == PLACE_OUTPUT ? &pool->output : NULL;
}

void pool_move(struct buffer_pool *pool, struct buffer *buffer, enum buffer_place place) {
    struct buffer_queue *from = queue_of(pool, buffer->place);
    struct buffer_queue *to = queue_of(pool, place);
    if (from != NULL) TAILQ_REMOVE(from, buffer, queue_link);
    if (to != NULL) TAILQ_INSERT_TAIL(to, buffer, queue_link);
    if (place == PLACE_FILLING) buffer->picture = (struct picture){0};
    if (place == PLACE_INPUT) buffer->picture.new_data = false;
    /* Flushed out unfilled: what an earlier frame left must not be taken for a new one. */
    if (place == PLACE_OUTPUT && buffer->place == PLACE_INPUT) buffer->picture = (struct picture){0};
    buffer->place = place;
}

struct buffer *pool_take(struct buffer_pool *pool) {
    struct buffer *buffer = TAILQ_FIRST(&pool->input);
    if (buffer != NULL) pool_move(pool, buffer, PLACE_FILLING);
    return buffer;
}

void pool_move_all(struct buffer_pool *pool, enum buffer_place from, enum buffer_place to) {
    struct buffer *buffer;
    TAILQ_FOREACH(buffer, &pool->announced, announced_link)
    if (buffer->place == from) pool_move(pool, buffer, to);
}

uint64_t pool_count(const struct buffer_pool *pool, enum buffer_place place) {
    const struct buffer *buffer;
    uint64_t count = 0;
    TAILQ_FOREACH(buffer, &pool->announced, announced_link) count += buffer->place == place;
    return count;
}

/* What holds for any buffer, whatever was received. */
static GC_ERROR answer_state(const struct buffer *buffer, int32_t command, const struct answer *answer) {
    const struct picture *picture = &buffer->picture;
    switch (command) {
        case BUFFER_INFO_BASE: return answer_pointer(answer, buffer->memory);
        case BUFFER_INFO_SIZE: return answer_size(answer, buffer->size);
        case BUFFER_INFO_USER_PTR: return answer_pointer(answer, buffer->user_pointer);
        case BUFFER_INFO_TLTYPE: return answer_text(answer, TRANSPORT);
        case BUFFER_INFO_NEW_DATA: return answer_bool(answer, picture->new_data);
        case BUFFER_INFO_IS_QUEUED:
            return answer_bool(answer, buffer->place == PLACE_INPUT || buffer->place == PLACE_OUTPUT);
        case BUFFER_INFO_IS_ACQUIRING: return answer_bool(answer, buffer->place == PLACE_FILLING);
        case BUFFER_INFO_IS_INCOMPLETE: return answer_bool(answer, picture->incomplete);
        case BUFFER_INFO_SIZE_FILLED: return answer_size(answer, (size_t)picture->bytes_filled);
        case BUFFER_INFO_DATA_LARGER_THAN_BUFFER: return answer_bool(answer, picture->larger_than_buffer);
        case BUFFER_INFO_CONTAINS_CHUNKDATA: return answer_bool(answer, 0);
        case BUFFER_INFO_FRAMEID:
            if (picture->frame_id == 0) return fail(GC_ERR_NOT_AVAILABLE, "the buffer holds no frame yet");
            return answer_u64(answer, picture->frame_id);
        default: return answer_unknown(command);
    }
}

static GC_ERROR answer_nanoseconds(uint64_t ticks, uint64_t frequency, const struct answer *answer) {
    if (frequency == 0) return fail(GC_ERR_NOT_AVAILABLE, "the camera does not report its tick frequency");
    uint64_t seconds = ticks / frequency, rest = ticks % frequency;
    unsigned __int128 fraction = (unsigned __int128)rest * 1000000000u / frequency;
    return answer_u64(answer, seconds * 1000000000u + (uint64_t)fraction);
}

GC_ERROR buffer_answer(const struct buffer *buffer, uint64_t tick_frequency, int32_t command,
                       const struct answer *answer) {
    const struct picture *picture = &buffer->picture;
    const struct gvsp_leader *leader = &picture->leader;
    bool of_state = command <= BUFFER_INFO_USER_PTR ||
                    (command >= BUFFER_INFO_NEW_DATA && command <= BUFFER_INFO_SIZE_FILLED) ||
                    command == BUFFER_INFO_FRAMEID || command == BUFFER_INFO_CONTAINS_CHUNKDATA ||
                    command == BUFFER_INFO_DATA_LARGER_THAN_BUFFER;
    if (of_state) return answer_state(buffer, command, answer);
    if (!picture->described) return fail(GC_ERR_NOT_AVAILABLE, "no leader arrived for this buffer");
    switch (command) {
        case BUFFER_INFO_TIMESTAMP: return answer_u64(answer, leader->ticks);
        case BUFFER_INFO_TIMESTAMP_NS: return answer_nanoseconds(leader->ticks, tick_frequency, answer);
        case BUFFER_INFO_WIDTH: return answer_size(answer, leader->width);
        case BUFFER_INFO_HEIGHT: return answer_size(answer, leader->height);
        case BUFFER_INFO_XOFFSET: return answer_size(answer, leader->offset_x);
        case BUFFER_INFO_YOFFSET: return answer_size(answer, leader->offset_y);
        case BUFFER_INFO_XPADDING: return answer_size(answer, leader->padding_x);
        case BUFFER_INFO_YPADDING: return answer_size(answer, leader->padding_y);
        case BUFFER_INFO_IMAGEPRESENT: return answer_bool(answer, 1);
        case BUFFER_INFO_IMAGEOFFSET: return answer_size(answer, 0);
        case BUFFER_INFO_PAYLOADTYPE: return answer_size(answer, PAYLOAD_TYPE_IMAGE);
        case BUFFER_INFO_PIXELFORMAT: return answer_u64(answer, leader->pixel_format);
        case BUFFER_INFO_PIXELFORMAT_NAMESPACE: return answer_u64(answer, PIXELFORMAT_NAMESPACE_PFNC_32BIT);
        case BUFFER_INFO_PIXEL_ENDIANNESS: return answer_i32(answer, PIXELENDIANNESS_LITTLE);
        case BUFFER_INFO_DELIVERED_IMAGEHEIGHT: return answer_size(answer, picture->delivered_height);
        case BUFFER_INFO_DELIVERED_CHUNKPAYLOADSIZE: return answer_size(answer, 0);
        case BUFFER_INFO_DATA_SIZE: return answer_size(answer, (size_t)leader->payload_size);
        default: return fail(GC_ERR_NOT_AVAILABLE, "a GigE Vision image has no buffer information %d", command);
    }
}
