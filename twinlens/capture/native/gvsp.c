/* Field by field, with every length checked before it is used. */
#include "gvsp.h"

#include "bytes.h"

enum { FORMAT_AT = 4, EXTENDED_ID = 0x80, FORMAT_MASK = 0x7F };
enum { PAYLOAD_IMAGE = 1, LEADER_SIZE = 36, TRAILER_SIZE = 8 };

bool gvsp_parse_header(const uint8_t *datagram, size_t size, struct gvsp_header *parsed) {
    if (size < GVSP_HEADER) return false;
    uint8_t format = datagram[FORMAT_AT] & FORMAT_MASK;
    parsed->extended = (datagram[FORMAT_AT] & EXTENDED_ID) != 0;
    if (size < gvsp_header_size(parsed->extended)) return false;
    uint16_t status = get_u16(datagram);
    parsed->status = status >= GVSP_ERROR ? status : 0; /* 0x0100, "this was asked for", is a success too */
    /* An error has no data, and cameras differ in the format they give it. */
    if (parsed->status != 0 && format < GVSP_LEADER) format = GVSP_PAYLOAD;
    if (format != GVSP_LEADER && format != GVSP_TRAILER && format != GVSP_PAYLOAD) return false;
    parsed->kind = (enum gvsp_kind)format;
    parsed->block_id = parsed->extended ? get_u64(datagram + 8) : get_u16(datagram + 2);
    parsed->packet_id = parsed->extended ? get_u32(datagram + 16) : get_u24(datagram + 5);
    return parsed->block_id != 0;
}

bool gvsp_is_payload(const uint8_t *header, bool extended, uint64_t block_id, uint32_t packet_id) {
    if (get_u16(header) != 0 || header[FORMAT_AT] != (extended ? EXTENDED_ID | GVSP_PAYLOAD : GVSP_PAYLOAD))
        return false;
    if (extended) return get_u64(header + 8) == block_id && get_u32(header + 16) == packet_id;
    return get_u16(header + 2) == block_id && get_u24(header + 5) == packet_id;
}

/* Pixels of packed formats share bytes across the whole image; PFNC keeps the bits per pixel in byte 2. */
static uint64_t image_size(const struct gvsp_leader *leader) {
    uint64_t bits_per_pixel = leader->pixel_format >> 16 & 0xFF;
    if (leader->padding_x == 0)
        return ((uint64_t)leader->width * leader->height * bits_per_pixel + 7) / 8 + leader->padding_y;
    return ((leader->width * bits_per_pixel + 7) / 8 + leader->padding_x) * leader->height + leader->padding_y;
}

bool gvsp_parse_leader(const uint8_t *data, size_t size, struct gvsp_leader *leader) {
    if (size < LEADER_SIZE || get_u16(data + 2) != PAYLOAD_IMAGE) return false;
    leader->ticks = get_u64(data + 4);
    leader->pixel_format = get_u32(data + 12);
    leader->width = get_u32(data + 16);
    leader->height = get_u32(data + 20);
    leader->offset_x = get_u32(data + 24);
    leader->offset_y = get_u32(data + 28);
    leader->padding_x = get_u16(data + 32);
    leader->padding_y = get_u16(data + 34);
    if (leader->width == 0 || leader->height == 0 || leader->width > UINT16_MAX || leader->height > UINT16_MAX)
        return false;
    leader->payload_size = image_size(leader);
    return leader->payload_size > 0;
}

uint32_t gvsp_trailer_height(const uint8_t *data, size_t size) {
    return size >= TRAILER_SIZE && get_u16(data + 2) == PAYLOAD_IMAGE ? get_u32(data + 4) : 0;
}

uint64_t gvsp_ahead(uint64_t id, uint64_t reference, bool extended) {
    if (id == reference) return 0;
    if (extended) return id > reference ? id - reference : 0;
    uint64_t ahead = (id + UINT16_MAX - reference) % UINT16_MAX; /* on the circle of 65535 ids */
    return ahead <= UINT16_MAX / 2 ? ahead : 0;
}
