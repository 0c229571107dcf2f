/* One block at a time in the usual case; a second one while late packets of the first may still come. */
#include "assembly.h"

#include <stdlib.h>
#include <string.h>

/* After its trailer, or once a newer block began, a block gets this long for packets that overtook each other. */
enum { GRACE_MS = 20 };
/* A block that falls silent in its middle: a sender may stall, so this is long. */
enum { SILENCE_MS = 1000 };

bool assembly_init(struct assembly *assembly, struct buffer_pool *pool, uint32_t stride, uint64_t frame_count) {
    *assembly = (struct assembly){.pool = pool, .stride = stride, .frames_left = frame_count};
    bool complete = true;
    for (int index = 0; index < OPEN_BLOCKS; index++) {
        assembly->blocks[index].arrived = calloc(GVSP_IDS / 8, 1);
        complete = complete && assembly->blocks[index].arrived != NULL;
    }
    if (!complete) assembly_finish(assembly);
    return complete;
}

static bool has_arrived(const struct block *block, uint32_t id) { return block->arrived[id / 8] >> (id % 8) & 1; }

static void mark_arrived(struct block *block, uint32_t id) {
    block->arrived[id / 8] |= (uint8_t)(1 << id % 8);
    block->received++;
    if (id > block->highest) block->highest = id;
}

/* The exact payload size packet `id` must have, 0 when it has no place in the buffer. */
static size_t place_size(const struct assembly *assembly, const struct block *block, uint32_t id) {
    if (id == 0 || id >= GVSP_IDS || block->buffer == NULL) return 0;
    if (block->leader_seen && id > block->expected) return 0;
    uint64_t offset = (uint64_t)(id - 1) * assembly->stride;
    uint64_t size = assembly->stride;
    if (block->leader_seen && block->leader.payload_size - offset < size) size = block->leader.payload_size - offset;
    return offset + size <= block->buffer->size ? (size_t)size : 0;
}

static uint8_t *place_of(const struct assembly *assembly, const struct block *block, uint32_t id) {
    return block->buffer->memory + (size_t)(id - 1) * assembly->stride;
}

/* --- closing ------------------------------------------------------------------------------------------------- */

static bool has_all_payload(const struct block *block) {
    return block->leader_seen && block->received == block->expected;
}

/* What did not arrive is black: neither an old frame nor a misplaced packet may shine through. */
static void blacken_gaps(const struct assembly *assembly, const struct block *block) {
    size_t size = block->buffer->size;
    for (uint32_t id = 1; id < GVSP_IDS; id++) {
        size_t offset = (size_t)(id - 1) * assembly->stride;
        if (offset >= size) return;
        size_t part = size - offset < assembly->stride ? size - offset : assembly->stride;
        if (!has_arrived(block, id)) memset(block->buffer->memory + offset, 0, part);
    }
}

static void describe_buffer(const struct assembly *assembly, const struct block *block) {
    uint64_t received = (uint64_t)block->received * assembly->stride;
    if (received > block->buffer->size) received = block->buffer->size;
    bool complete = has_all_payload(block);
    block->buffer->picture = (struct picture){
        .new_data = true,
        .incomplete = !complete,
        .larger_than_buffer = block->leader_seen && block->leader.payload_size > block->buffer->size,
        .described = block->leader_seen,
        .frame_id = block->id,
        .leader = block->leader,
        .delivered_height = block->delivered_height > 0 ? block->delivered_height : block->leader.height,
        .bytes_filled = complete ? block->leader.payload_size : received,
    };
}

static void deliver(struct assembly *assembly, const struct block *block, bool cut_short) {
    struct stream_counters *total = &assembly->pool->total;
    if (block->buffer == NULL) return;
    describe_buffer(assembly, block);
    if (!has_all_payload(block)) blacken_gaps(assembly, block);
    total->delivered++;
    if (!cut_short) { /* a block the client itself cut off is not a loss */
        uint32_t promised = block->leader_seen ? block->expected : block->highest;
        uint32_t missing = promised > block->received ? promised - block->received : 0;
        total->lost_packets += missing + !block->leader_seen + !block->trailer_seen;
        total->incomplete += !has_all_payload(block);
    }
    pool_move(assembly->pool, block->buffer, PLACE_OUTPUT);
}

static void clear_block(struct block *block) {
    uint8_t *arrived = block->arrived;
    if (arrived != NULL) memset(arrived, 0, block->highest / 8 + 1);
    *block = (struct block){.arrived = arrived};
}

/* Takes the oldest block off the list. */
static void drop_oldest(struct assembly *assembly) {
    struct block oldest = assembly->blocks[0];
    clear_block(&oldest);
    for (int index = 1; index < OPEN_BLOCKS; index++) assembly->blocks[index - 1] = assembly->blocks[index];
    assembly->blocks[OPEN_BLOCKS - 1] = oldest;
    assembly->open_count--;
}

static void close_oldest(struct assembly *assembly, uint32_t count, bool cut_short) {
    while (count-- > 0) {
        deliver(assembly, &assembly->blocks[0], cut_short);
        drop_oldest(assembly);
    }
}

void assembly_finish(struct assembly *assembly) {
    close_oldest(assembly, assembly->open_count, true);
    for (int index = 0; index < OPEN_BLOCKS; index++) free(assembly->blocks[index].arrived);
}

void assembly_discard(struct assembly *assembly) {
    while (assembly->open_count > 0) {
        struct buffer *buffer = assembly->blocks[0].buffer;
        if (buffer != NULL) pool_move(assembly->pool, buffer, PLACE_CLIENT);
        drop_oldest(assembly);
    }
}

/* Deliver every block up to the newest finished one. */
static void close_finished(struct assembly *assembly) {
    for (uint32_t index = assembly->open_count; index-- > 0;) {
        const struct block *block = &assembly->blocks[index];
        if (!block->trailer_seen || (block->buffer != NULL && !has_all_payload(block))) continue;
        close_oldest(assembly, index + 1, false);
        return;
    }
}

void assembly_expire(struct assembly *assembly, int64_t now_ms) {
    close_finished(assembly);
    for (uint32_t index = assembly->open_count; index-- > 0;) {
        const struct block *block = &assembly->blocks[index];
        bool newer_open = index + 1 < assembly->open_count;
        bool nearly_done = block->trailer_seen || has_all_payload(block) || newer_open;
        if (now_ms - block->touched_ms < (nearly_done ? GRACE_MS : SILENCE_MS)) continue;
        close_oldest(assembly, index + 1, false);
        return;
    }
}

/* --- opening ------------------------------------------------------------------------------------------------- */

/* A block is new when its id is later; a camera that restarts its ids is known by the time in its leader. */
static bool begins_block(const struct assembly *assembly, const struct gvsp_header *header,
                         const struct gvsp_leader *leader) {
    if (assembly->frames_left == 0 || header->kind == GVSP_TRAILER) return false;
    if (!assembly->begun || gvsp_is_later(header->block_id, assembly->newest_id)) return true;
    return leader != NULL && leader->ticks > assembly->newest_ticks;
}

static struct block *open_block(struct assembly *assembly, uint16_t id) {
    if (assembly->open_count == OPEN_BLOCKS) close_oldest(assembly, 1, false);
    struct block *block = &assembly->blocks[assembly->open_count++];
    block->id = id;
    block->buffer = pool_take(assembly->pool);
    assembly->pool->total.underruns += block->buffer == NULL;
    assembly->pool->total.started++;
    assembly->begun = true;
    assembly->newest_id = id;
    if (assembly->frames_left != GENTL_INFINITE) assembly->frames_left--;
    return block;
}

static struct block *find_open(struct assembly *assembly, uint16_t id) {
    for (uint32_t index = 0; index < assembly->open_count; index++)
        if (assembly->blocks[index].id == id) return &assembly->blocks[index];
    return NULL;
}

/* --- filling ------------------------------------------------------------------------------------------------- */

static void take_leader(struct assembly *assembly, struct block *block, const struct gvsp_leader *leader) {
    uint64_t expected = (leader->payload_size + assembly->stride - 1) / assembly->stride;
    if (block->leader_seen || expected >= GVSP_IDS - 1) return;
    block->leader_seen = true;
    block->leader = *leader;
    block->expected = (uint32_t)expected;
    if (leader->ticks > assembly->newest_ticks) assembly->newest_ticks = leader->ticks;
    /* Packets that came before their leader were taken at full size; keep those that turn out to be right. */
    block->received = 0;
    for (uint32_t id = 1; id <= block->highest; id++) {
        if (!has_arrived(block, id)) continue;
        if (place_size(assembly, block, id) == assembly->stride)
            block->received++;
        else
            block->arrived[id / 8] &= (uint8_t)~(1 << id % 8);
    }
}

static void take_payload(struct assembly *assembly, struct block *block, uint32_t id, const uint8_t *data,
                         size_t size) {
    size_t place = place_size(assembly, block, id);
    if (place == 0 || place != size || has_arrived(block, id)) return;
    memcpy(place_of(assembly, block, id), data, size);
    mark_arrived(block, id);
}

void assembly_take(struct assembly *assembly, const struct gvsp_header *header, const uint8_t *data, size_t size,
                   int64_t now_ms) {
    struct gvsp_leader leader;
    bool is_leader = header->kind == GVSP_LEADER;
    if (is_leader && !gvsp_parse_leader(data, size, &leader)) return;
    struct block *block = find_open(assembly, header->block_id);
    if (block != NULL && is_leader && block->leader_seen && leader.ticks > block->leader.ticks) {
        close_oldest(assembly, assembly->open_count, false); /* the camera began again, with the same id */
        block = NULL;
    }
    if (block == NULL && begins_block(assembly, header, is_leader ? &leader : NULL))
        block = open_block(assembly, header->block_id);
    if (block == NULL) return;
    block->touched_ms = now_ms;
    if (is_leader) take_leader(assembly, block, &leader);
    if (header->kind == GVSP_PAYLOAD) take_payload(assembly, block, header->packet_id, data, size);
    if (header->kind == GVSP_TRAILER) {
        block->trailer_seen = true;
        block->delivered_height = gvsp_trailer_height(data, size);
    }
    close_finished(assembly);
}

uint32_t assembly_foretell(const struct assembly *assembly, struct landing *landings, uint32_t limit) {
    if (assembly->open_count == 0) return 0;
    const struct block *block = &assembly->blocks[assembly->open_count - 1];
    if (!block->leader_seen) return 0;
    uint32_t count = 0;
    for (uint32_t id = block->highest + 1; count < limit; id++) {
        size_t size = place_size(assembly, block, id);
        if (size == 0) break;
        landings[count++] = (struct landing){place_of(assembly, block, id), size, block->id, id};
    }
    return count;
}

void assembly_confirm(struct assembly *assembly, const struct landing *landing, int64_t now_ms) {
    struct block *block = &assembly->blocks[assembly->open_count - 1];
    block->touched_ms = now_ms;
    mark_arrived(block, landing->packet_id);
}
