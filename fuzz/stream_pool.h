/* A pool of real buffers for the stream targets, and what must hold of every frame that is delivered from it. */
#ifndef TWINLENS_FUZZ_STREAM_POOL_H
#define TWINLENS_FUZZ_STREAM_POOL_H

#include "../twinlens/capture/native/assembly.h"
#include "input.h"

enum { BUFFERS = 4, BUFFER_MOST = 20000 };

struct stream_pool {
    struct buffer_pool pool;
    struct buffer buffers[BUFFERS];
};

/* Each buffer in memory of exactly its size, so that writing past its end is seen. */
static inline void stream_pool_open(struct stream_pool *pool, struct input *input) {
    pool_init(&pool->pool);
    for (int index = 0; index < BUFFERS; index++) {
        struct buffer *buffer = &pool->buffers[index];
        *buffer = (struct buffer){.size = next_u16(input) % BUFFER_MOST + 1, .place = PLACE_CLIENT};
        buffer->memory = malloc(buffer->size);
        if (buffer->memory == NULL) abort();
        TAILQ_INSERT_TAIL(&pool->pool.announced, buffer, announced_link);
        pool_move(&pool->pool, buffer, PLACE_INPUT);
    }
}

static inline void stream_pool_requeue(struct stream_pool *pool) {
    struct buffer *buffer;
    while ((buffer = TAILQ_FIRST(&pool->pool.output)) != NULL) {
        const struct picture *picture = &buffer->picture;
        require(picture->new_data && picture->bytes_filled <= buffer->size);
        if (!picture->incomplete && !picture->larger_than_buffer)
            require(picture->described && picture->bytes_filled == picture->leader.payload_size);
        pool_move(&pool->pool, buffer, PLACE_INPUT);
    }
    pool_move_all(&pool->pool, PLACE_CLIENT, PLACE_INPUT); /* what was discarded */
}

static inline void stream_pool_close(struct stream_pool *pool) {
    stream_pool_requeue(pool);
    for (int index = 0; index < BUFFERS; index++) {
        require(pool->buffers[index].place != PLACE_FILLING);
        free(pool->buffers[index].memory);
    }
}

static inline void ask_nobody(void *context, const struct resend_request *request) {
    (void)context;
    require(request->first <= request->last);
}

static inline void stream_assembly_open(struct assembly *assembly, struct stream_pool *pool, struct input *input) {
    uint8_t choice = next_u8(input);
    uint32_t packet_size = 128 + next_u16(input) % 8900;
    struct resend resend = {0};
    resend_init(&resend, packet_size, 1u << 20);
    if (choice & 1) resend.ask = ask_nobody;
    assembly_init(assembly, &pool->pool, &resend, packet_size, choice & 2 ? 3 : GENTL_INFINITE);
}

#endif
