/* One image block while it arrives: which of its packets came, where they belong, and which are missing.
 *
 * Packets are counted as the protocol does: the leader is packet 0, payload packets follow. The trailer after them is
 * not in the list: when all else came it tells nothing more, so it is never missed.
 */
#ifndef TWINLENS_BLOCK_H
#define TWINLENS_BLOCK_H

#include "buffers.h"

struct packet {
    uint32_t due_ms; /* of a missing packet: when to ask for it; the low bits of the clock */
    uint8_t asks;    /* how often it was asked for */
    bool arrived;
    bool forsaken; /* will not come: the camera said so, or it was asked for often enough */
};

struct block {
    uint64_t id;
    bool extended;         /* form of its ids */
    uint32_t stride;       /* payload bytes of every packet but the last */
    struct buffer *buffer; /* NULL: none was queued, the block is only watched */
    bool leader_seen, trailer_seen;
    struct gvsp_leader leader;
    uint32_t delivered_height;
    uint32_t expected; /* payload packets; 0 while the leader is missing */
    uint32_t last;     /* the last payload packet that is to come: `expected`, or less by the trailer's word */
    uint32_t received; /* payload packets that arrived */
    uint32_t highest;  /* highest payload packet id that arrived */
    int64_t touched_ms; /* when the latest packet arrived */
    int64_t ended_ms;   /* when the camera was known to be done with it; 0: it is still sending */
    /* Of the packets before `noticed`, each has arrived or is known to be missing; before `settled`, none is open. */
    uint32_t noticed, settled;
    uint32_t probe;         /* the packet asked for to see whether the sender stalls; 0: none */
    int64_t due_ms;         /* the earliest of its missing packets, or NEVER_MS */
    struct packet *packets; /* `capacity` of them */
    uint32_t capacity;
};

#define NEVER_MS INT64_MAX

/* Begins a block of `packet_size` (as SCPS counts) in memory that an earlier one may have used; takes over the buffer
 * and returns false, without it, when memory is short. */
bool block_begin(struct block *, uint64_t id, bool extended, uint32_t packet_size, struct buffer *);

/* Forgets everything but the memory of the packet list. */
void block_clear(struct block *);

bool block_has(const struct block *, uint32_t packet_id);
bool block_has_all_payload(const struct block *);

/* The exact size the payload of a packet must have, 0 when it has no place in the buffer. */
size_t block_place_size(const struct block *, uint32_t packet_id);
uint8_t *block_place(const struct block *, uint32_t packet_id);

/* Whether a payload packet of this size, for which there is no place, can be a right one: the last packet while the
 * leader is missing, or one of a frame larger than its buffer. */
bool block_can_have(const struct block *, uint32_t packet_id, size_t size);

/* The leader or a payload packet is here. Those it overtook are noticed as missing; true when it had been asked for. */
bool block_mark(struct block *, uint32_t packet_id, int64_t now_ms);

/* Everything before `packet_id` that has not arrived is missing from now on. */
void block_notice(struct block *, uint32_t packet_id, int64_t now_ms);

/* What the leader promises; earlier packets that contradict it are thrown out. */
void block_take_leader(struct block *, const struct gvsp_leader *, int64_t now_ms);

/* The trailer, packet `packet_id`; nothing follows it. */
void block_take_trailer(struct block *, uint32_t packet_id, uint32_t height, int64_t now_ms);

/* Payload packets missing as far as one can know. */
uint32_t block_missing(const struct block *);

/* Describes the buffer's picture and blackens what did not arrive. */
void block_finish(struct block *);

#endif
