/* Announced buffers and the two queues of a stream: the input pool and what awaits delivery.
 *
 * A pool has no lock of its own; its stream's lock guards it.
 */
#ifndef TWINLENS_BUFFERS_H
#define TWINLENS_BUFFERS_H

#include <sys/queue.h>

#include "gvsp.h"
#include "modules.h"

enum buffer_place {
    PLACE_CLIENT, /* announced, or handed over: the client may revoke or queue it */
    PLACE_INPUT,
    PLACE_FILLING,
    PLACE_OUTPUT,
};

/* What the last block left in a buffer; it stays readable until the next block begins to fill it. */
struct picture {
    bool new_data; /* since the buffer was queued last */
    bool incomplete;
    bool larger_than_buffer;
    bool described; /* the leader arrived, so `leader` holds */
    uint64_t frame_id;
    struct gvsp_leader leader;
    uint32_t delivered_height;
    uint64_t bytes_filled;
};

struct buffer {
    struct module module;
    TAILQ_ENTRY(buffer) queue_link;
    TAILQ_ENTRY(buffer) announced_link;
    enum buffer_place place;
    uint8_t *memory;
    size_t size;
    void *user_pointer;
    bool own_memory;
    struct picture picture;
};

TAILQ_HEAD(buffer_queue, buffer);

struct stream_counters {
    uint64_t delivered;    /* buffers handed over, incomplete ones included */
    uint64_t incomplete;   /* of those, with packets missing */
    uint64_t lost_frames;  /* block ids never seen */
    uint64_t lost_packets; /* of blocks that were seen at all */
    uint64_t underruns;    /* blocks that found no queued buffer */
    uint64_t started;      /* blocks that began */
    uint64_t resends_asked, resends_recovered; /* packets */
    uint64_t duplicates; /* packets that came twice, or after their block was delivered */
    uint64_t invalid;    /* packets of strangers, of no known form, or of a wrong size */
};

struct buffer_pool {
    struct buffer_queue announced; /* all of them */
    struct buffer_queue input;
    struct buffer_queue output;
    struct stream_counters total;
};

void pool_init(struct buffer_pool *);

/* The next buffer to fill, or NULL when none is queued. */
struct buffer *pool_take(struct buffer_pool *);

/* Put a buffer where it belongs now, from wherever it was. */
void pool_move(struct buffer_pool *, struct buffer *, enum buffer_place);

/* Move every buffer that is at `from` to `to`. */
void pool_move_all(struct buffer_pool *, enum buffer_place from, enum buffer_place to);

uint64_t pool_count(const struct buffer_pool *, enum buffer_place);

/* BUFFER_INFO_...; `tick_frequency` of the camera's clock in Hz, 0 when unknown. */
GC_ERROR buffer_answer(const struct buffer *, uint64_t tick_frequency, int32_t command, const struct answer *);

#endif
