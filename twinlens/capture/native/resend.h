/* When a missing packet is asked for, and when it is given up. Knows no sockets and no clock: both are given. */
#ifndef TWINLENS_RESEND_H
#define TWINLENS_RESEND_H

#include "block.h"

struct resend_request {
    uint64_t block_id;
    bool extended;
    uint32_t first, last; /* packet ids, both included */
};

struct resend {
    void (*ask)(void *context, const struct resend_request *); /* NULL: the camera sends nothing twice */
    void *context;
    /* A camera sends what we ask on top of its images, so the link and our socket bound how much that may be. */
    uint32_t packets_per_s;
    uint32_t most_at_once; /* what may be asked after a quiet time */
    int64_t allowance;     /* packets that may be asked now, in thousandths */
    int64_t counted_ms;    /* when the allowance was last topped up */
};

/* Bounds for packets of this size and this much socket memory; `ask` may be NULL. */
void resend_init(struct resend *, uint32_t packet_size, uint32_t receive_buffer);

static inline bool resend_is_offered(const struct resend *resend) { return resend->ask != NULL; }

/* Asks for what is due in a block, in as few requests as possible; the packets asked for are counted in `total`. */
void resend_ask_due(struct resend *, struct block *, int64_t now_ms, struct stream_counters *total);

/* The camera answered that it cannot send a packet, with this status. */
void resend_forsake(struct block *, uint32_t packet_id, uint16_t status);

/* True when no packet of an ended block can still come. */
bool resend_is_settled(struct block *);

#endif
