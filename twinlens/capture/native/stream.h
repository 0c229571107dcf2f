/* The data stream module: buffers, acquisition, and the new-buffer event of one camera. */
#ifndef TWINLENS_STREAM_H
#define TWINLENS_STREAM_H

#include "buffers.h"
#include "device.h"
#include "receiver.h"

#define STREAM_ID "stream0"

/* Information beside the standard's, for the nodes of the stream module. */
enum {
    STREAM_INFO_INCOMPLETE = STREAM_INFO_CUSTOM_ID,
    STREAM_INFO_LOST_PACKETS,
    STREAM_INFO_TOTAL_DELIVERED,
    STREAM_INFO_PACKET_SIZE,
    STREAM_INFO_RECEIVE_BUFFER,
    STREAM_INFO_RECEIVE_BUFFER_REQUEST,
    STREAM_INFO_LOST_FRAMES,
    STREAM_INFO_RESENDS_ASKED,
    STREAM_INFO_RESENDS_RECOVERED,
    STREAM_INFO_DUPLICATES,
    STREAM_INFO_INVALID,
};

struct event;

struct stream {
    struct module module;
    pthread_mutex_t control; /* one start or stop at a time; taken before `lock` */
    pthread_mutex_t lock;    /* guards all below; the receive thread holds it while it works */
    pthread_cond_t changed;  /* a buffer was delivered, or waiting has no point any more */
    struct buffer_pool pool;
    struct receiver *receiver; /* NULL while not grabbing */
    struct event *event;       /* the registered new-buffer event, or NULL */
    bool closing;
    uint64_t stops;              /* acquisition stops so far: they abort who waits */
    struct stream_counters then; /* the totals when acquisition started last */
    uint32_t packet_size;        /* SCPS in use */
    uint32_t receive_buffer;     /* bytes of socket memory granted */
    uint32_t receive_buffer_request;
};

extern const struct description stream_description;
GC_ERROR stream_info(struct module *, int32_t command, const struct answer *);
GC_ERROR stream_set(struct module *, int32_t command, uint64_t value);

GC_ERROR stream_open(struct device *, DS_HANDLE *);

/* The packet size for the path to this camera, written to it: 8000, or the largest below that passes. */
GC_ERROR packet_size_negotiate(struct device *, uint32_t *packet_size);

#endif
