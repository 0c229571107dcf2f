/* Field by field, with every length checked before it is used. */
#include "gvsp.h"

#include "bytes.h"

enum { EXTENDED_ID = 0x80, FORMAT_MASK = 0x7F, ERROR_STATUS = 0x8000 };
enum { PAYLOAD_IMAGE = 1, LEADER_SIZE = 36, TRAILER_SIZE = 8 };

bool gvsp_parse_header(const uint8_t header[GVSP_HEADER], struct gvsp_header *parsed) {
    uint8_t format = header[4] & FORMAT_MASK;
    if ((get_u16(header) & ERROR_STATUS) != 0 || (header[4] & EXTENDED_ID) != 0) return false;
    if (format != GVSP_LEADER && format != GVSP_TRAILER && format != GVSP_PAYLOAD) return false;
    parsed->kind = (enum gvsp_kind)format;
    parsed->block_id = get_u16(header + 2);
    parsed->packet_id = get_u24(header + 5);
    return parsed->block_id != 0;
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

bool gvsp_is_later(uint16_t id, uint16_t reference) {
    if (id == reference) return false;
    uint32_t ahead = (uint32_t)(id - reference + UINT16_MAX) % UINT16_MAX; /* on the circle of 65535 ids */
    return ahead <= UINT16_MAX / 2;
}
