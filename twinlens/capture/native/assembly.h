/* Puts packets of image blocks together into queued buffers. Knows no sockets and no clock: both are given.
 *
 * At most OPEN_BLOCKS blocks are open, oldest first; blocks are delivered in the order in which they began, so one
 * that waits for packets sent again holds up those behind it until it is whole or given up.
 */
#ifndef TWINLENS_ASSEMBLY_H
#define TWINLENS_ASSEMBLY_H

#include "resend.h"

enum { OPEN_BLOCKS = 8, CLOSED_BLOCKS = 16 };

/* What is remembered of a block after delivery. */
struct closed_block {
    uint64_t id;
    bool has_leader;
    uint64_t ticks;
};

struct assembly {
    struct buffer_pool *pool;
    struct resend resend;
    uint32_t packet_size; /* as SCPS counts: with IP, UDP and GVSP headers */
    uint64_t frames_left;
    struct block blocks[OPEN_BLOCKS];
    uint32_t open_count;
    bool begun, extended; /* form of the ids last seen */
    uint64_t newest_id;
    uint64_t proven_ticks; /* camera time of the latest whole frame */
    struct closed_block closed[CLOSED_BLOCKS];
    uint64_t closed_count;
};

/* Where a packet should land if it is the one that comes next. */
struct landing {
    uint8_t *memory;
    size_t size;
    uint64_t block_id;
    uint32_t packet_id;
};

/* Keeps a copy of `resend`. */
void assembly_init(struct assembly *, struct buffer_pool *, const struct resend *, uint32_t packet_size,
                   uint64_t frame_count);

/* Delivers what is open, marked incomplete, and frees. */
void assembly_finish(struct assembly *);

/* Forgets what is open; its buffers go back to the client. */
void assembly_discard(struct assembly *);

/* Foretells at most `limit` packets; only places that nothing has arrived at are ever given. */
uint32_t assembly_foretell(const struct assembly *, struct landing *, uint32_t limit);

/* A packet whose payload already lies at its foretold place. */
void assembly_confirm(struct assembly *, const struct landing *, int64_t now_ms);

/* Any other datagram, whole; its payload is copied to its place. Whatever does not fit is dropped and counted. */
void assembly_take(struct assembly *, const uint8_t *datagram, size_t size, int64_t now_ms);

/* Asks for missing packets that are due; call it now and then. */
void assembly_ask(struct assembly *, int64_t now_ms);

/* Delivers blocks that nothing more is expected for; call it when the socket is empty. */
void assembly_expire(struct assembly *, int64_t now_ms);

/* How long the caller may wait for packets before it calls again; -1: for ever. */
int assembly_patience_ms(const struct assembly *, int64_t now_ms);

#endif
