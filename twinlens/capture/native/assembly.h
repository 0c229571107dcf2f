/* Puts packets of image blocks together into queued buffers. Knows no sockets and no clock: both are given.
 *
 * At most OPEN_BLOCKS blocks are open, oldest first; blocks are delivered in the order in which they began.
 */
#ifndef TWINLENS_ASSEMBLY_H
#define TWINLENS_ASSEMBLY_H

#include "buffers.h"

enum { OPEN_BLOCKS = 2 };

struct block {
    uint16_t id;
    struct buffer *buffer; /* NULL: none was queued, the block is only watched */
    bool leader_seen, trailer_seen;
    struct gvsp_leader leader;
    uint32_t delivered_height;
    uint32_t expected; /* payload packets; 0 while the leader is missing */
    uint32_t received; /* payload packets that arrived */
    uint32_t highest;  /* highest payload packet id that arrived */
    int64_t touched_ms;
    uint8_t *arrived; /* one bit for each packet id there can be */
};

struct assembly {
    struct buffer_pool *pool;
    uint32_t stride; /* payload bytes of every packet of a block but its last */
    uint64_t frames_left;
    struct block blocks[OPEN_BLOCKS];
    uint32_t open_count;
    bool begun;
    uint16_t newest_id;
    uint64_t newest_ticks;
};

/* Where a packet should land if it is the one that comes next. */
struct landing {
    uint8_t *memory;
    size_t size;
    uint16_t block_id;
    uint32_t packet_id;
};

/* False when memory is short. */
bool assembly_init(struct assembly *, struct buffer_pool *, uint32_t stride, uint64_t frame_count);

/* Delivers what is open, marked incomplete, and frees. */
void assembly_finish(struct assembly *);

/* Forgets what is open; its buffers go back to the client. */
void assembly_discard(struct assembly *);

/* Foretells at most `limit` packets; only places that nothing has arrived at are ever given. */
uint32_t assembly_foretell(const struct assembly *, struct landing *, uint32_t limit);

/* A packet whose payload already lies at its foretold place. */
void assembly_confirm(struct assembly *, const struct landing *, int64_t now_ms);

/* Any other packet; its payload is copied to its place. Whatever does not fit is dropped. */
void assembly_take(struct assembly *, const struct gvsp_header *, const uint8_t *data, size_t size, int64_t now_ms);

/* Deliver blocks that nothing more is expected for; call when the socket is empty. */
void assembly_expire(struct assembly *, int64_t now_ms);

#endif
