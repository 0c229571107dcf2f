/* A packet is asked for at most ASKS times with doubling pauses: 0.3 s from the first question to giving it up. */
#include "resend.h"

/* The first pause is several round trips of a local network; a busy camera gets the longer ones. */
enum { ASKS = 5, FIRST_PAUSE_MS = 10 };
/* 20 MB/s is what a 1 Gbit/s link has left beside a camera's images at 20 frames/s. */
enum { BYTES_PER_S = 20000000, LEAST_AT_ONCE = 16 };
/* Part of the socket memory that answers may take; the kernel's own bookkeeping and the images need the rest. */
enum { SOCKET_SHARE = 8, MOST_BYTES_AT_ONCE = 2 << 20 };

void resend_init(struct resend *resend, uint32_t packet_size, uint32_t receive_buffer) {
    uint32_t bytes = receive_buffer / SOCKET_SHARE;
    if (bytes > MOST_BYTES_AT_ONCE) bytes = MOST_BYTES_AT_ONCE;
    resend->packets_per_s = BYTES_PER_S / packet_size;
    resend->most_at_once = bytes / packet_size > LEAST_AT_ONCE ? bytes / packet_size : LEAST_AT_ONCE;
    resend->allowance = (int64_t)resend->most_at_once * 1000;
}

static void top_up(struct resend *resend, int64_t now_ms) {
    int64_t most = (int64_t)resend->most_at_once * 1000;
    int64_t gained = (now_ms - resend->counted_ms) * resend->packets_per_s;
    resend->allowance = gained > most - resend->allowance ? most : resend->allowance + gained;
    resend->counted_ms = now_ms;
}

static bool is_open(const struct packet *packet) { return !packet->arrived && !packet->forsaken; }

static void settle(struct block *block) {
    while (block->settled < block->noticed && !is_open(&block->packets[block->settled])) block->settled++;
}

/* Milliseconds until a packet is due, negative when it is overdue; the clock's low bits may wrap. */
static int32_t due_in(const struct packet *packet, int64_t now_ms) {
    return (int32_t)(packet->due_ms - (uint32_t)now_ms);
}

/* True when the packet is to be asked for now; gives it up after the last pause. */
static bool is_due(struct packet *packet, int64_t now_ms) {
    if (!is_open(packet) || due_in(packet, now_ms) > 0) return false;
    if (packet->asks < ASKS) return true;
    packet->forsaken = true;
    return false;
}

void resend_ask_due(struct resend *resend, struct block *block, int64_t now_ms, struct stream_counters *total) {
    if (block->due_ms > now_ms) return;
    top_up(resend, now_ms);
    settle(block);
    block->due_ms = NEVER_MS;
    struct resend_request request = {.block_id = block->id, .extended = block->extended};
    uint32_t length = 0;
    for (uint32_t id = block->settled; id < block->noticed; id++) {
        struct packet *packet = &block->packets[id];
        bool asked = is_due(packet, now_ms) && resend->allowance >= 1000;
        if (asked) {
            packet->due_ms = (uint32_t)(now_ms + (FIRST_PAUSE_MS << packet->asks++));
            resend->allowance -= 1000;
            total->resends_asked++;
            if (length++ == 0) request.first = id;
            request.last = id;
        }
        if (length > 0 && (!asked || id + 1 == block->noticed)) {
            resend->ask(resend->context, &request);
            length = 0;
        }
        int64_t wait_ms = due_in(packet, now_ms);
        if (is_open(packet) && now_ms + (wait_ms > 1 ? wait_ms : 1) < block->due_ms)
            block->due_ms = now_ms + (wait_ms > 1 ? wait_ms : 1);
    }
}

void resend_forsake(struct block *block, uint32_t packet_id, uint16_t status) {
    if (status == GVSP_NOT_YET_AVAILABLE || status == GVSP_TEMPORARILY_UNAVAILABLE) return;
    if (packet_id >= block->noticed) return;
    uint32_t first = status == GVSP_PREVIOUS_REMOVED_TOO ? block->settled : packet_id;
    for (uint32_t id = first; id <= packet_id; id++) block->packets[id].forsaken = true;
}

bool resend_is_settled(struct block *block) {
    settle(block);
    bool all_noticed = !block->leader_seen || block->noticed > block->last;
    return all_noticed && block->settled == block->noticed;
}
