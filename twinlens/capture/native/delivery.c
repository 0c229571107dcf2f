/* The end of blocks: asking for what is missing while there is hope, and delivery. */
#include "delivery.h"

#include <stdlib.h>

/* After its trailer, or once a newer block began, a block gets this long for packets that overtook each other. */
enum { GRACE_MS = 20 };
/* A block that falls silent in its middle: a sender may stall, so this is long. */
enum { SILENCE_MS = 1000 };
/* A silence after which the end of a block may be lost, with no newer block to show it; and the silence behind the one
 * packet that is then asked for. */
enum { SUSPICION_MS = 40, PROBE_MS = 3 };
/* From the end of a block: longer than all questions about one packet, in case they had to wait for their turn. */
enum { GIVE_UP_MS = 500 };
enum { LONGEST_WAIT_MS = 10 };

static void deliver(struct assembly *assembly, struct block *block, bool cut_short) {
    struct stream_counters *total = &assembly->pool->total;
    if (block->buffer == NULL) return;
    block_finish(block);
    total->delivered++;
    if (!cut_short) { /* a block the client itself cut off is not a loss */
        total->lost_packets += block_missing(block) + !block->leader_seen + !block->trailer_seen;
        total->incomplete += !block_has_all_payload(block);
    }
    pool_move(assembly->pool, block->buffer, PLACE_OUTPUT);
}

/* Takes the oldest block off the list. */
static void drop_oldest(struct assembly *assembly) {
    struct block oldest = assembly->blocks[0];
    assembly->closed[assembly->closed_count++ % CLOSED_BLOCKS] = (struct closed_block){
        .id = oldest.id, .has_leader = oldest.leader_seen, .ticks = oldest.leader.ticks};
    if (block_has_all_payload(&oldest)) assembly->proven_ticks = oldest.leader.ticks;
    block_clear(&oldest);
    for (int index = 1; index < OPEN_BLOCKS; index++) assembly->blocks[index - 1] = assembly->blocks[index];
    assembly->blocks[OPEN_BLOCKS - 1] = oldest;
    assembly->open_count--;
}

void assembly_close_oldest(struct assembly *assembly, uint32_t count, bool cut_short) {
    while (count-- > 0) {
        deliver(assembly, &assembly->blocks[0], cut_short);
        drop_oldest(assembly);
    }
}

void assembly_finish(struct assembly *assembly) {
    assembly_close_oldest(assembly, assembly->open_count, true);
    for (int index = 0; index < OPEN_BLOCKS; index++) free(assembly->blocks[index].packets);
}

void assembly_discard(struct assembly *assembly) {
    while (assembly->open_count > 0) {
        struct buffer *buffer = assembly->blocks[0].buffer;
        if (buffer != NULL) pool_move(assembly->pool, buffer, PLACE_CLIENT);
        drop_oldest(assembly);
    }
}

static bool is_finished(const struct block *block) {
    return block->trailer_seen && (block->buffer == NULL || block_has_all_payload(block));
}

/* Whether packets of the block can be asked for; a frame larger than its buffer is lost anyway. */
static bool is_worth_asking(const struct assembly *assembly, const struct block *block) {
    return resend_is_offered(&assembly->resend) && block->buffer != NULL && !block_has_all_payload(block) &&
           (!block->leader_seen || block->leader.payload_size <= block->buffer->size);
}

/* Whether nothing more is expected of a block, or not for much longer. */
static bool is_over(struct assembly *assembly, struct block *block, int64_t now_ms) {
    int64_t quiet_ms = now_ms - block->touched_ms;
    if (is_finished(block) || quiet_ms >= SILENCE_MS) return true;
    if (block->ended_ms == 0) return block_has_all_payload(block) && quiet_ms >= GRACE_MS;
    if (!is_worth_asking(assembly, block)) return quiet_ms >= GRACE_MS;
    return resend_is_settled(block) || now_ms - block->ended_ms >= GIVE_UP_MS;
}

void assembly_expire(struct assembly *assembly, int64_t now_ms) {
    while (assembly->open_count > 0 && is_over(assembly, &assembly->blocks[0], now_ms))
        assembly_close_oldest(assembly, 1, false);
}

/* One that only waits out its grace does not hold up a finished one behind it. */
void assembly_close_finished(struct assembly *assembly) {
    uint32_t closing = 0;
    for (uint32_t index = 0; index < assembly->open_count; index++) {
        const struct block *block = &assembly->blocks[index];
        if (is_finished(block)) closing = index + 1;
        else if (is_worth_asking(assembly, block)) break;
    }
    assembly_close_oldest(assembly, closing, false);
}

/* The end of a block is lost when the block is known to be over. A block that just falls silent may also have a sender
 * that stalls, and asking for all the rest would not help that one: first only the next packet is asked for. When it
 * comes alone, the sender was past it. */
static void suspect_end(struct block *block, int64_t now_ms) {
    int64_t quiet_ms = now_ms - block->touched_ms;
    if (block->noticed > block->last) return;
    if (block->probe > 0 && block->highest > block->probe) block->probe = 0;
    bool probe_came_alone = block->probe > 0 && block->highest == block->probe && quiet_ms >= PROBE_MS;
    if (block->ended_ms != 0 || probe_came_alone) {
        block_notice(block, block->last + 1, now_ms);
    } else if (block->probe == 0 && quiet_ms >= SUSPICION_MS) {
        block->probe = block->noticed;
        block_notice(block, block->probe + 1, now_ms);
    }
}

void assembly_ask(struct assembly *assembly, int64_t now_ms) {
    for (uint32_t index = 0; index < assembly->open_count; index++) {
        struct block *block = &assembly->blocks[index];
        if (!is_worth_asking(assembly, block)) continue;
        suspect_end(block, now_ms);
        resend_ask_due(&assembly->resend, block, now_ms, &assembly->pool->total);
    }
}

int assembly_patience_ms(const struct assembly *assembly, int64_t now_ms) {
    if (assembly->open_count == 0) return -1;
    int64_t patience_ms = LONGEST_WAIT_MS;
    for (uint32_t index = 0; index < assembly->open_count; index++) {
        const struct block *block = &assembly->blocks[index];
        if (!is_worth_asking(assembly, block)) continue;
        if (block->due_ms - now_ms < patience_ms) patience_ms = block->due_ms - now_ms;
    }
    return patience_ms > 1 ? (int)patience_ms : 1;
}
