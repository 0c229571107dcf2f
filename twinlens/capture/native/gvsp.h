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
    IP_UDP_HEADERS = 28,
    GVSP_OVERHEAD = IP_UDP_HEADERS + GVSP_HEADER, /* SCPS counts all headers */
    GVSP_IDS = 1 << 24,                           /* packet ids have 24 bits */
};

enum gvsp_kind { GVSP_LEADER = 1, GVSP_TRAILER = 2, GVSP_PAYLOAD = 3 };

struct gvsp_header {
    enum gvsp_kind kind;
    uint16_t block_id;
    uint32_t packet_id;
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

/* False for a datagram that is not a usable standard-id stream packet (error status, extended id, other format). */
bool gvsp_parse_header(const uint8_t header[GVSP_HEADER], struct gvsp_header *);

/* False for a leader that is short or not of a plain image. */
bool gvsp_parse_leader(const uint8_t *data, size_t size, struct gvsp_leader *);

/* The number of lines the trailer reports, 0 when it reports none. */
uint32_t gvsp_trailer_height(const uint8_t *data, size_t size);

/* True when `id` follows `reference` in the sequence 1..65535, 1, ...; half the circle counts as later. */
bool gvsp_is_later(uint16_t id, uint16_t reference);

#endif
