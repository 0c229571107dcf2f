/* Before each call the assembly foretells which packets come next, and their places become the targets of the scatter
 * list. A packet that is not the foretold one has landed at a wrong (still empty) place: from the first such packet
 * on, everything is rescued into spare memory and taken from there.
 *
 * The kernel may hand over packets one by one, or several in one message (UDP_GRO: 64 KiB of packets that came back to
 * back). Scatter lists differ for the two, so what came last decides what is prepared for next.
 */
#include "receiver_batch.h"

#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "gvcp.h"

#ifndef UDP_GRO
#define UDP_GRO 104
#endif

enum { PARTS = 64, LARGEST_MESSAGE = 1 << 16 };
/* Messages of one packet in a row until packets are expected singly again; frames begin and end with such ones. */
enum { SINGLES_IN_A_ROW = 32 };

struct message {
    struct sockaddr_in source;
    union {
        struct cmsghdr align;
        uint8_t bytes[CMSG_SPACE(sizeof(int))];
    } control;
    /* The foretold packets of this message; what is longer runs over into the spare memory. */
    uint32_t first, count;
    uint8_t *overrun; /* LARGEST_MESSAGE bytes, and as many in front of it for what is rescued */
};

struct batch {
    bool merged; /* one message of many packets is prepared for, not many messages of one packet */
    uint32_t singles;
    size_t header_size;
    uint32_t foretold;
    struct landing landings[PARTS];
    uint8_t headers[PARTS][GVSP_EXTENDED_HEADER]; /* where the header of each foretold packet lands */
    struct message messages[PARTS];
    struct mmsghdr calls[PARTS];
    struct iovec vectors[3 * PARTS];
    uint32_t most_merged; /* packets of full size in one message */
    uint8_t *spare;
};

struct batch *batch_new(uint32_t packet_size) {
    struct batch *batch = calloc(1, sizeof *batch);
    if (batch == NULL) return NULL;
    batch->most_merged = LARGEST_MESSAGE / (packet_size - IP_UDP_HEADERS) + 1;
    if (batch->most_merged > PARTS) batch->most_merged = PARTS;
    batch->spare = malloc((size_t)PARTS * 2 * LARGEST_MESSAGE); /* the system gives only the part that is used */
    if (batch->spare == NULL) {
        free(batch);
        return NULL;
    }
    for (uint32_t index = 0; index < PARTS; index++)
        batch->messages[index].overrun = batch->spare + (2 * (size_t)index + 1) * LARGEST_MESSAGE;
    return batch;
}

void batch_free(struct batch *batch) {
    free(batch->spare);
    free(batch);
}

/* --- before the call ----------------------------------------------------------------------------------------- */

static struct iovec *add_message(struct batch *batch, uint32_t index, uint32_t part, uint32_t count,
                                 struct iovec *vector) {
    struct message *message = &batch->messages[index];
    struct iovec *first_vector = vector;
    message->first = part;
    message->count = count;
    for (uint32_t end = part + count; part < end; part++) {
        *vector++ = (struct iovec){batch->headers[part], batch->header_size};
        *vector++ = (struct iovec){batch->landings[part].memory, batch->landings[part].size};
    }
    *vector++ = (struct iovec){message->overrun, LARGEST_MESSAGE};
    batch->calls[index].msg_hdr = (struct msghdr){
        .msg_name = &message->source,
        .msg_namelen = sizeof message->source,
        .msg_iov = first_vector,
        .msg_iovlen = (size_t)(vector - first_vector),
        .msg_control = &message->control,
        .msg_controllen = sizeof message->control,
    };
    return vector;
}

/* How many messages are prepared. */
static uint32_t prepare(struct batch *batch, const struct assembly *assembly) {
    batch->header_size = gvsp_header_size(assembly->extended);
    batch->foretold = assembly_foretell(assembly, batch->landings, batch->merged ? batch->most_merged : PARTS);
    struct iovec *vector = batch->vectors;
    if (batch->merged) {
        add_message(batch, 0, 0, batch->foretold, vector);
        return 1;
    }
    for (uint32_t index = 0; index < PARTS; index++)
        vector = add_message(batch, index, index, index < batch->foretold, vector);
    return PARTS;
}

/* --- after the call ------------------------------------------------------------------------------------------ */

/* The size of the packets in a message, its last one may be shorter; the message's own when it is a single packet. */
static uint32_t packet_size_in(struct mmsghdr *call, bool *merged) {
    struct cmsghdr *control = CMSG_FIRSTHDR(&call->msg_hdr);
    *merged = false;
    if (control == NULL || control->cmsg_level != IPPROTO_UDP || control->cmsg_type != UDP_GRO) return call->msg_len;
    int size = 0;
    memcpy(&size, CMSG_DATA(control), sizeof size);
    *merged = size > 0 && (uint32_t)size < call->msg_len;
    return *merged ? (uint32_t)size : call->msg_len;
}

static bool is_foretold(const struct batch *batch, const struct assembly *assembly, uint32_t part, size_t size) {
    const struct landing *landing = &batch->landings[part];
    return size == batch->header_size + landing->size &&
           gvsp_is_payload(batch->headers[part], assembly->extended, landing->block_id, landing->packet_id);
}

/* Confirms the packets of a message that lie where they belong; returns how many bytes of it those are. */
static size_t confirm(struct batch *batch, const struct message *message, size_t length, size_t packet_size,
                      struct assembly *assembly, int64_t now_ms) {
    size_t done = 0;
    for (uint32_t part = message->first; part < message->first + message->count && done < length; part++) {
        size_t size = length - done < packet_size ? length - done : packet_size;
        if (!is_foretold(batch, assembly, part, size)) break;
        assembly_confirm(assembly, &batch->landings[part], now_ms);
        done += size;
    }
    return done;
}

/* Makes a message contiguous again from byte `from` on: what lies at wrong places, then what ran over. */
static const uint8_t *rescue(const struct batch *batch, uint32_t index, size_t from) {
    const struct msghdr *call = &batch->calls[index].msg_hdr;
    size_t length = batch->calls[index].msg_len, room = 0, at = 0;
    for (size_t part = 0; part + 1 < call->msg_iovlen; part++) room += call->msg_iov[part].iov_len;
    size_t misplaced = length < room ? length : room;
    uint8_t *overrun = batch->messages[index].overrun;
    uint8_t *start = overrun - (misplaced > from ? misplaced - from : 0);
    uint8_t *target = start;
    for (size_t part = 0; part + 1 < call->msg_iovlen && at < misplaced; part++) {
        const struct iovec *vector = &call->msg_iov[part];
        size_t size = misplaced - at < vector->iov_len ? misplaced - at : vector->iov_len;
        size_t skip = from > at ? (from - at < size ? from - at : size) : 0;
        memcpy(target, (const uint8_t *)vector->iov_base + skip, size - skip);
        target += size - skip;
        at += size;
    }
    return start;
}

struct leftover {
    const uint8_t *bytes;
    size_t size, packet_size;
};

static void take(struct assembly *assembly, const struct leftover *left, int64_t now_ms) {
    for (size_t at = 0; at < left->size; at += left->packet_size) {
        size_t size = left->size - at < left->packet_size ? left->size - at : left->packet_size;
        assembly_take(assembly, left->bytes + at, size, now_ms);
    }
}

/* A whole message from our camera; anything else is dropped and counted. */
static bool is_ours(const struct batch *batch, uint32_t index, struct in_addr camera, struct assembly *assembly) {
    const struct mmsghdr *call = &batch->calls[index];
    bool is_whole = !(call->msg_hdr.msg_flags & MSG_TRUNC) && call->msg_len > 0;
    if (is_whole && batch->messages[index].source.sin_addr.s_addr == camera.s_addr) return true;
    assembly->pool->total.invalid++;
    return false;
}

static void sort_in(struct batch *batch, uint32_t count, struct in_addr camera, struct assembly *assembly) {
    struct leftover leftovers[PARTS];
    int64_t now_ms = monotonic_ms();
    bool all_well = true; /* once a packet lies wrong, those behind it do, too */
    for (uint32_t index = 0; index < count; index++) {
        bool merged, ours = is_ours(batch, index, camera, assembly);
        size_t length = batch->calls[index].msg_len, done = 0;
        size_t packet_size = packet_size_in(&batch->calls[index], &merged);
        batch->singles = merged ? 0 : batch->singles + 1;
        batch->merged = batch->singles < SINGLES_IN_A_ROW && (merged || batch->merged);
        if (all_well && ours)
            done = confirm(batch, &batch->messages[index], length, packet_size, assembly, now_ms);
        all_well = all_well && ours && done == length;
        leftovers[index] = (struct leftover){NULL, ours ? length - done : 0, packet_size};
        if (leftovers[index].size > 0) leftovers[index].bytes = rescue(batch, index, done);
    }
    if (all_well) return;
    /* Taking writes to places where later packets may have landed: only now are all of those rescued. */
    for (uint32_t index = 0; index < count; index++)
        if (leftovers[index].size > 0) take(assembly, &leftovers[index], now_ms);
}

bool batch_receive(struct batch *batch, int socket, struct in_addr camera, struct assembly *assembly, bool *any) {
    uint32_t prepared = prepare(batch, assembly);
    int count = recvmmsg(socket, batch->calls, prepared, MSG_DONTWAIT, NULL);
    if (count <= 0) return false;
    *any = true;
    sort_in(batch, (uint32_t)count, camera, assembly);
    return batch->merged || (uint32_t)count == prepared;
}
