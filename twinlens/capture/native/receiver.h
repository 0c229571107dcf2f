/* The receive thread of one stream: a UDP socket whose packets land in announced buffers. */
#ifndef TWINLENS_RECEIVER_H
#define TWINLENS_RECEIVER_H

#include <netinet/in.h>
#include <pthread.h>

#include "assembly.h"
#include "gvcp.h"

struct receiver;

/* What a receiver needs from its stream; `lock` guards pool and assembly, `delivered` is signalled. */
struct receiver_terms {
    pthread_mutex_t *lock;
    pthread_cond_t *delivered;
    struct buffer_pool *pool;
    struct in_addr local;
    struct in_addr camera;   /* packets of others are dropped */
    uint32_t packet_size;    /* as SCPS counts: with IP, UDP and GVSP headers */
    uint32_t receive_buffer; /* bytes of socket memory to ask for */
    struct gvcp *gvcp;       /* control channel, for asking for lost packets */
    bool resends;            /* the camera offers that */
    uint64_t frame_count;    /* GENTL_INFINITE, or stop taking blocks after so many */
    const char *who;         /* for error texts */
};

/* Opens the socket and starts the thread; `port` and `granted_bytes` of socket memory are reported. */
GC_ERROR receiver_start(const struct receiver_terms *, struct receiver **, uint16_t *port, uint32_t *granted_bytes);

/* Ends the thread and frees; `finish_frames` waits for a block that is just arriving. */
void receiver_stop(struct receiver *, bool finish_frames);

/* Gives back the buffers of blocks that are just arriving; the caller holds the lock. */
void receiver_discard(struct receiver *);

#endif
