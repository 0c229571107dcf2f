/* Bookkeeping of one block. A packet that fits no place is never marked, so indices stay inside the list. */
#include "block.h"

#include <stdlib.h>
#include <string.h>

/* Packets that overtake each other on the way do so within this; later ones are taken for lost. */
enum { REORDER_MS = 3 };

/* Room for the leader and the payload packets of whatever fits the buffer. */
static bool make_room(struct block *block, const struct buffer *buffer) {
    uint64_t needed = (buffer->size + block->stride - 1) / block->stride + 1;
    if (needed > GVSP_IDS) needed = GVSP_IDS;
    if (needed <= block->capacity) return true;
    struct packet *packets = calloc(needed, sizeof *packets);
    if (packets == NULL) return false;
    free(block->packets);
    block->packets = packets;
    block->capacity = (uint32_t)needed;
    return true;
}

bool block_begin(struct block *block, uint64_t id, bool extended, uint32_t packet_size, struct buffer *buffer) {
    block->id = id;
    block->extended = extended;
    block->stride = packet_size - IP_UDP_HEADERS - (uint32_t)gvsp_header_size(extended);
    block->due_ms = NEVER_MS;
    if (buffer == NULL || !make_room(block, buffer)) return false;
    block->buffer = buffer;
    return true;
}

void block_clear(struct block *block) {
    uint32_t used = block->noticed < block->capacity ? block->noticed : block->capacity;
    if (used > 0) memset(block->packets, 0, used * sizeof *block->packets);
    *block = (struct block){.packets = block->packets, .capacity = block->capacity};
}

bool block_has(const struct block *block, uint32_t packet_id) {
    return packet_id < block->noticed && block->packets[packet_id].arrived;
}

bool block_has_all_payload(const struct block *block) {
    return block->leader_seen && block->received == block->expected;
}

size_t block_place_size(const struct block *block, uint32_t packet_id) {
    if (packet_id == 0 || block->buffer == NULL || packet_id >= block->capacity) return 0;
    if (block->leader_seen && packet_id > block->expected) return 0;
    uint64_t offset = (uint64_t)(packet_id - 1) * block->stride;
    uint64_t size = block->stride;
    if (block->leader_seen && block->leader.payload_size - offset < size) size = block->leader.payload_size - offset;
    return offset + size <= block->buffer->size ? (size_t)size : 0;
}

uint8_t *block_place(const struct block *block, uint32_t packet_id) {
    return block->buffer->memory + (size_t)(packet_id - 1) * block->stride;
}

bool block_can_have(const struct block *block, uint32_t packet_id, size_t size) {
    if (packet_id == 0 || size > block->stride) return false;
    if (!block->leader_seen) return true;
    return packet_id <= block->expected && block->leader.payload_size > block->buffer->size;
}

void block_notice(struct block *block, uint32_t packet_id, int64_t now_ms) {
    if (block->buffer == NULL) return;
    if (packet_id > block->capacity) packet_id = block->capacity;
    if (packet_id <= block->noticed) return;
    int64_t due_ms = now_ms + REORDER_MS;
    for (uint32_t id = block->noticed; id < packet_id; id++) block->packets[id].due_ms = (uint32_t)due_ms;
    block->noticed = packet_id;
    if (due_ms < block->due_ms) block->due_ms = due_ms;
}

bool block_mark(struct block *block, uint32_t packet_id, int64_t now_ms) {
    if (block->buffer == NULL || packet_id >= block->capacity) return false;
    if (packet_id > block->noticed) block_notice(block, packet_id, now_ms);
    if (packet_id == block->noticed) block->noticed++;
    if (packet_id > 0) block->received++;
    if (packet_id > block->highest) block->highest = packet_id;
    struct packet *packet = &block->packets[packet_id];
    packet->arrived = true;
    return packet->asks > 0;
}

void block_take_leader(struct block *block, const struct gvsp_leader *leader, int64_t now_ms) {
    block->leader_seen = true;
    block->leader = *leader;
    block->expected = (uint32_t)((leader->payload_size + block->stride - 1) / block->stride);
    if (!block->trailer_seen || block->last > block->expected) block->last = block->expected;
    /* Packets that came before their leader were taken at full size; keep those that turn out to be right. */
    block->received = 0;
    uint32_t highest = block->highest;
    block->highest = 0;
    for (uint32_t id = 1; id <= highest; id++) {
        struct packet *packet = &block->packets[id];
        if (!packet->arrived) continue;
        if (block_place_size(block, id) == block->stride) {
            block->received++;
            block->highest = id;
        } else {
            *packet = (struct packet){.due_ms = (uint32_t)now_ms};
            block->due_ms = now_ms;
            if (id < block->settled) block->settled = id;
        }
    }
    for (uint32_t id = block->expected + 1; id < block->noticed; id++) block->packets[id].forsaken = true;
}

void block_take_trailer(struct block *block, uint32_t packet_id, uint32_t height, int64_t now_ms) {
    block->trailer_seen = true;
    block->delivered_height = height;
    if (block->ended_ms == 0) block->ended_ms = now_ms;
    /* A frame shorter than its leader promised says so; any other early trailer overtook payload. */
    bool cut_short = block->leader_seen && height > 0 && height < block->leader.height;
    uint32_t last = packet_id > block->highest ? packet_id - 1 : block->highest;
    if (!block->leader_seen || (cut_short && last < block->expected)) block->last = last;
}

uint32_t block_missing(const struct block *block) {
    uint32_t promised = block->leader_seen ? block->expected : block->highest;
    return promised > block->received ? promised - block->received : 0;
}

/* What did not arrive is black: neither an old frame nor a misplaced packet may shine through. */
static void blacken_gaps(const struct block *block) {
    size_t size = block->buffer->size;
    for (uint32_t id = 1; (size_t)(id - 1) * block->stride < size; id++) {
        size_t offset = (size_t)(id - 1) * block->stride;
        size_t part = size - offset < block->stride ? size - offset : block->stride;
        if (!block_has(block, id)) memset(block->buffer->memory + offset, 0, part);
    }
}

void block_finish(struct block *block) {
    struct buffer *buffer = block->buffer;
    bool complete = block_has_all_payload(block);
    uint64_t received = (uint64_t)block->received * block->stride;
    buffer->picture = (struct picture){
        .new_data = true,
        .incomplete = !complete,
        .larger_than_buffer = block->leader_seen && block->leader.payload_size > buffer->size,
        .described = block->leader_seen,
        .frame_id = block->id,
        .leader = block->leader,
        .delivered_height = block->delivered_height > 0 ? block->delivered_height : block->leader.height,
        .bytes_filled = complete ? block->leader.payload_size : received < buffer->size ? received : buffer->size,
    };
    if (!complete) blacken_gaps(block);
}
