/* GVSP packets: what one UDP datagram of the image stream says. Nothing here trusts a length from the network.
 *
 * Source: the published GigE Vision specification, GVSP packet header, image leader and image trailer.
 */
#ifndef TWINLENS_GVSP_H
#define TWINLENS_GVSP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    GVSP_HEADER = 8,
    GVSP_EXTENDED_HEADER = 20, /* GigE Vision 2: block ids of 64 bits, packet ids of 32 */
    IP_UDP_HEADERS = 28,
    GVSP_OVERHEAD = IP_UDP_HEADERS + GVSP_HEADER, /* SCPS counts all headers */
    GVSP_IDS = 1 << 24,                           /* packet ids we follow; standard ones have 24 bits */
};

enum gvsp_kind { GVSP_LEADER = 1, GVSP_TRAILER = 2, GVSP_PAYLOAD = 3 };

struct gvsp_header {
    enum gvsp_kind kind;
    uint16_t status; /* 0, or above GVSP_ERROR: the packet has no data, and says why */
    bool extended;
    uint64_t block_id;
    uint32_t packet_id;
};

/* Answers to a resend command. The first two mean "ask again later", every other error "this packet will not come". */
enum gvsp_status {
    GVSP_ERROR = 0x8000,
    GVSP_NOT_YET_AVAILABLE = 0x8010,
    GVSP_TEMPORARILY_UNAVAILABLE = 0x8014,
    GVSP_UNAVAILABLE = 0x800C,
    GVSP_PREVIOUS_REMOVED_TOO = 0x8011, /* this packet and all before it */
};

/* What the leader of an image block promises. */
struct gvsp_leader {
    uint64_t ticks; /* camera clock at exposure */
    uint32_t pixel_format;
    uint32_t width, height;
    uint32_t offset_x, offset_y;
    uint16_t padding_x, padding_y;
    uint64_t payload_size; /* bytes, from the fields above */
};

static inline size_t gvsp_header_size(bool extended) { return extended ? GVSP_EXTENDED_HEADER : GVSP_HEADER; }

/* False for a datagram that is no usable stream packet (too short, unknown format, block 0). */
bool gvsp_parse_header(const uint8_t *datagram, size_t size, struct gvsp_header *);

/* True when this header of the given form is that of one certain payload packet in perfect state. */
bool gvsp_is_payload(const uint8_t *header, bool extended, uint64_t block_id, uint32_t packet_id);

/* False for a leader that is short or not of a plain image. */
bool gvsp_parse_leader(const uint8_t *data, size_t size, struct gvsp_leader *);

/* The number of lines the trailer reports, 0 when it reports none. */
uint32_t gvsp_trailer_height(const uint8_t *data, size_t size);

/* How far `id` is ahead of `reference`: 1 for the next block, 0 for the same or an earlier one. Standard ids run
 * 1..65535, 1, ..., and half the circle counts as ahead; extended ids never wrap. */
uint64_t gvsp_ahead(uint64_t id, uint64_t reference, bool extended);

#endif
