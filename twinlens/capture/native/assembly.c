/* One block at a time in the usual case; more while late packets of earlier ones may still come. */
#include "assembly.h"

#include <string.h>

#include "delivery.h"

/* Ids that jump farther were not lost, the camera counts anew: 50 s of frames at 20 frames/s. */
enum { FARTHEST_LOSS = 1000 };

void assembly_init(struct assembly *assembly, struct buffer_pool *pool, const struct resend *resend,
                   uint32_t packet_size, uint64_t frame_count) {
    *assembly = (struct assembly){
        .pool = pool, .resend = *resend, .packet_size = packet_size, .frames_left = frame_count};
}

/* --- opening ------------------------------------------------------------------------------------------------- */

/* True for the leader of a camera that counts anew. It is known by the time, which only grows; time is measured against
 * whole frames, so that no damaged leader locks the stream out. The late leader of a closed block is not one. */
static bool counts_anew(const struct assembly *assembly, const struct gvsp_header *header,
                        const struct gvsp_leader *leader) {
    uint64_t known = assembly->closed_count < CLOSED_BLOCKS ? assembly->closed_count : CLOSED_BLOCKS;
    for (uint64_t back = 1; back <= known; back++) {
        const struct closed_block *closed = &assembly->closed[(assembly->closed_count - back) % CLOSED_BLOCKS];
        if (closed->id == header->block_id) return closed->has_leader && leader->ticks > closed->ticks;
    }
    return leader->ticks > assembly->proven_ticks;
}

/* How many ids the block of a packet, not an open one, is ahead of the newest; 0 when the packet begins no block. */
static uint64_t find_progress(const struct assembly *assembly, const struct gvsp_header *header,
                              const struct gvsp_leader *leader) {
    bool trailer_tells = resend_is_offered(&assembly->resend); /* then all before the trailer can be asked for */
    if (assembly->frames_left == 0 || (header->kind == GVSP_TRAILER && !trailer_tells)) return 0;
    if (!assembly->begun) return 1;
    if (header->extended != assembly->extended) return leader != NULL;
    uint64_t ahead = gvsp_ahead(header->block_id, assembly->newest_id, header->extended);
    if (ahead > 0 && ahead <= FARTHEST_LOSS) return ahead;
    return leader != NULL && (ahead > 0 || counts_anew(assembly, header, leader));
}

static struct block *open_block(struct assembly *assembly, const struct gvsp_header *header, int64_t now_ms) {
    struct stream_counters *total = &assembly->pool->total;
    if (assembly->open_count == OPEN_BLOCKS) assembly_close_oldest(assembly, 1, false);
    for (uint32_t index = 0; index < assembly->open_count; index++)
        if (assembly->blocks[index].ended_ms == 0) assembly->blocks[index].ended_ms = now_ms;
    struct block *block = &assembly->blocks[assembly->open_count++];
    struct buffer *buffer = pool_take(assembly->pool);
    if (!block_begin(block, header->block_id, header->extended, assembly->packet_size, buffer) && buffer != NULL)
        pool_move(assembly->pool, buffer, PLACE_INPUT);
    total->underruns += block->buffer == NULL;
    total->started++;
    assembly->begun = true;
    assembly->extended = header->extended;
    assembly->newest_id = header->block_id;
    if (assembly->frames_left != GENTL_INFINITE) assembly->frames_left--;
    return block;
}

static struct block *find_open(struct assembly *assembly, const struct gvsp_header *header) {
    for (uint32_t index = 0; index < assembly->open_count; index++) {
        struct block *block = &assembly->blocks[index];
        if (block->id == header->block_id && block->extended == header->extended) return block;
    }
    return NULL;
}

/* The block a packet belongs to, opened if need be; NULL for a packet that is late. */
static struct block *find_block(struct assembly *assembly, const struct gvsp_header *header,
                                const struct gvsp_leader *leader, int64_t now_ms) {
    struct block *block = find_open(assembly, header);
    if (block != NULL && leader != NULL && block->leader_seen && leader->ticks > block->leader.ticks) {
        assembly_close_oldest(assembly, assembly->open_count, false); /* the camera began again, with the same id */
        block = NULL;
    }
    if (block != NULL) return block;
    uint64_t progress = find_progress(assembly, header, leader);
    if (progress == 0) {
        bool is_late = gvsp_ahead(header->block_id, assembly->newest_id, header->extended) == 0;
        if (is_late) assembly->pool->total.duplicates++;
        return NULL;
    }
    assembly->pool->total.lost_frames += progress - 1;
    return open_block(assembly, header, now_ms);
}

/* --- filling ------------------------------------------------------------------------------------------------- */

static void mark(struct assembly *assembly, struct block *block, uint32_t packet_id, int64_t now_ms) {
    if (block_mark(block, packet_id, now_ms)) assembly->pool->total.resends_recovered++;
}

static void take_leader(struct assembly *assembly, struct block *block, const struct gvsp_leader *leader,
                        int64_t now_ms) {
    if (block->leader_seen) {
        assembly->pool->total.duplicates++;
        return;
    }
    block_take_leader(block, leader, now_ms);
    mark(assembly, block, 0, now_ms);
}

static void take_payload(struct assembly *assembly, struct block *block, uint32_t packet_id, const uint8_t *data,
                         size_t size, int64_t now_ms) {
    struct stream_counters *total = &assembly->pool->total;
    size_t place = block_place_size(block, packet_id);
    if (place == 0 || place != size) {
        if (block->buffer != NULL && !block_can_have(block, packet_id, size)) total->invalid++;
    } else if (block_has(block, packet_id)) {
        total->duplicates++;
    } else {
        memcpy(block_place(block, packet_id), data, size);
        mark(assembly, block, packet_id, now_ms);
    }
}

/* Whether the leader is one of an image that can be received at this packet size. */
static bool is_understood(const struct assembly *assembly, const struct gvsp_header *header, const uint8_t *data,
                          size_t size, struct gvsp_leader *leader) {
    uint64_t stride = assembly->packet_size - IP_UDP_HEADERS - gvsp_header_size(header->extended);
    return gvsp_parse_leader(data, size, leader) && leader->payload_size / stride < GVSP_IDS - 2;
}

void assembly_take(struct assembly *assembly, const uint8_t *datagram, size_t size, int64_t now_ms) {
    struct stream_counters *total = &assembly->pool->total;
    struct gvsp_header header;
    struct gvsp_leader leader;
    if (!gvsp_parse_header(datagram, size, &header)) {
        total->invalid++;
        return;
    }
    const uint8_t *data = datagram + gvsp_header_size(header.extended);
    size -= gvsp_header_size(header.extended);
    if (header.status != 0) {
        struct block *block = find_open(assembly, &header);
        if (block != NULL) resend_forsake(block, header.packet_id, header.status);
        return;
    }
    bool is_leader = header.kind == GVSP_LEADER;
    if (is_leader && !is_understood(assembly, &header, data, size, &leader)) {
        total->invalid++;
        return;
    }
    struct block *block = find_block(assembly, &header, is_leader ? &leader : NULL, now_ms);
    if (block == NULL) return;
    block->touched_ms = now_ms;
    if (is_leader) take_leader(assembly, block, &leader, now_ms);
    if (header.kind == GVSP_PAYLOAD) take_payload(assembly, block, header.packet_id, data, size, now_ms);
    if (header.kind == GVSP_TRAILER && block->trailer_seen) total->duplicates++;
    if (header.kind == GVSP_TRAILER && !block->trailer_seen)
        block_take_trailer(block, header.packet_id, gvsp_trailer_height(data, size), now_ms);
    assembly_close_finished(assembly);
}

/* --- foretelling --------------------------------------------------------------------------------------------- */

uint32_t assembly_foretell(const struct assembly *assembly, struct landing *landings, uint32_t limit) {
    if (assembly->open_count == 0) return 0;
    const struct block *block = &assembly->blocks[assembly->open_count - 1];
    if (!block->leader_seen) return 0;
    uint32_t count = 0;
    for (uint32_t id = block->highest + 1; count < limit; id++) {
        size_t size = block_place_size(block, id);
        if (size == 0) break;
        landings[count++] = (struct landing){block_place(block, id), size, block->id, id};
    }
    return count;
}

void assembly_confirm(struct assembly *assembly, const struct landing *landing, int64_t now_ms) {
    struct block *block = &assembly->blocks[assembly->open_count - 1];
    block->touched_ms = now_ms;
    mark(assembly, block, landing->packet_id, now_ms);
}
