/* recvmmsg straight into the buffers.
 *
 * Before each batch the assembly foretells which packets come next, and their places become the targets of the
 * scatter list. A packet that is not the foretold one has landed at a wrong (still empty) place: from the first
 * such packet on, the batch is rescued into spare memory and copied from there.
 */
#include "receiver.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "errors.h"
#include "gvcp.h"

enum { BATCH = 64, BATCHES_PER_TURN = 16 };
enum { SOCKET_MEMORY = 16 << 20, SPARSE_MEMORY = 2 << 20 };
enum { NAP_US = 300, IDLE_POLL_MS = 250, BUSY_POLL_MS = 10, LAST_FRAME_MS = 100 };

struct message {
    uint8_t header[GVSP_HEADER];
    struct sockaddr_in source;
    struct landing landing; /* memory NULL when nothing was foretold */
    uint8_t *spare;         /* rescue room: `room` bytes for what landed, `room` for what ran over */
    struct iovec vectors[3];
};

struct receiver {
    struct receiver_terms terms;
    struct assembly assembly;
    pthread_t thread;
    int socket;
    int stop_event;
    bool stopping, finish_frames; /* under the lock */
    bool may_nap;                 /* the socket holds enough to look only now and then */
    size_t room;
    uint8_t *spare;
    struct message messages[BATCH];
    struct mmsghdr headers[BATCH];
};

static void prepare(struct receiver *receiver) {
    struct landing landings[BATCH];
    uint32_t foretold = assembly_foretell(&receiver->assembly, landings, BATCH);
    for (uint32_t index = 0; index < BATCH; index++) {
        struct message *message = &receiver->messages[index];
        message->landing = index < foretold ? landings[index] : (struct landing){0};
        message->vectors[0] = (struct iovec){message->header, GVSP_HEADER};
        message->vectors[1] = (struct iovec){message->landing.memory, message->landing.size};
        message->vectors[2] = (struct iovec){message->spare + receiver->room, receiver->room};
        receiver->headers[index].msg_hdr = (struct msghdr){
            .msg_name = &message->source,
            .msg_namelen = sizeof message->source,
            .msg_iov = message->vectors,
            .msg_iovlen = 3,
        };
    }
}

/* True for a whole stream packet from our camera. */
static bool read_header(const struct receiver *receiver, uint32_t index, struct gvsp_header *header) {
    const struct mmsghdr *datagram = &receiver->headers[index];
    const struct message *message = &receiver->messages[index];
    return datagram->msg_len >= GVSP_HEADER && !(datagram->msg_hdr.msg_flags & MSG_TRUNC) &&
           message->source.sin_addr.s_addr == receiver->terms.camera.s_addr &&
           gvsp_parse_header(message->header, header);
}

static size_t payload_size(const struct receiver *receiver, uint32_t index) {
    return receiver->headers[index].msg_len - GVSP_HEADER;
}

static bool landed_well(const struct receiver *receiver, uint32_t index, const struct gvsp_header *header) {
    const struct landing *landing = &receiver->messages[index].landing;
    return landing->memory != NULL && header->kind == GVSP_PAYLOAD && header->block_id == landing->block_id &&
           header->packet_id == landing->packet_id && payload_size(receiver, index) == landing->size;
}

/* Makes the payload contiguous in the spare memory: what lies at the wrong place, then what ran over. */
static const uint8_t *rescue(const struct receiver *receiver, uint32_t index) {
    const struct message *message = &receiver->messages[index];
    uint32_t length = receiver->headers[index].msg_len;
    size_t size = length < GVSP_HEADER ? 0 : length - GVSP_HEADER;
    size_t misplaced = size < message->landing.size ? size : message->landing.size;
    uint8_t *start = message->spare + receiver->room - misplaced;
    if (misplaced > 0) memcpy(start, message->landing.memory, misplaced);
    return start;
}

static void sort_in(struct receiver *receiver, uint32_t count) {
    const uint8_t *payloads[BATCH];
    struct gvsp_header header;
    int64_t now_ms = monotonic_ms();
    uint32_t index = 0;
    while (index < count && read_header(receiver, index, &header) && landed_well(receiver, index, &header)) {
        assembly_confirm(&receiver->assembly, &receiver->messages[index].landing, now_ms);
        index++;
    }
    for (uint32_t late = index; late < count; late++) payloads[late] = rescue(receiver, late);
    for (; index < count; index++) {
        if (!read_header(receiver, index, &header)) continue;
        assembly_take(&receiver->assembly, &header, payloads[index], payload_size(receiver, index), now_ms);
    }
}

/* Empties the socket, or as much of it as one turn may; true when it is empty. */
static bool receive_turn(struct receiver *receiver, uint32_t *packets) {
    *packets = 0;
    for (int batch = 0; batch < BATCHES_PER_TURN; batch++) {
        prepare(receiver);
        int count = recvmmsg(receiver->socket, receiver->headers, BATCH, MSG_DONTWAIT, NULL);
        if (count <= 0) return true;
        sort_in(receiver, (uint32_t)count);
        *packets += (uint32_t)count;
        if (count < BATCH) return true;
    }
    return false;
}

/* One locked turn; false when the thread shall end. */
static bool work(struct receiver *receiver, uint32_t *packets, bool *block_open) {
    pthread_mutex_lock(receiver->terms.lock);
    uint64_t delivered = receiver->terms.pool->total.delivered;
    if (receive_turn(receiver, packets)) assembly_expire(&receiver->assembly, monotonic_ms());
    if (receiver->terms.pool->total.delivered != delivered) pthread_cond_broadcast(receiver->terms.delivered);
    *block_open = receiver->assembly.open_count > 0;
    bool goes_on = !receiver->stopping || (receiver->finish_frames && *block_open);
    pthread_mutex_unlock(receiver->terms.lock);
    return goes_on;
}

static void *receive(void *argument) {
    struct receiver *receiver = argument;
    struct pollfd ready[] = {
        {.fd = receiver->socket, .events = POLLIN},
        {.fd = receiver->stop_event, .events = POLLIN},
    };
    bool block_open = false;
    uint32_t packets = 0;
    int64_t stop_seen_ms = 0;
    while (work(receiver, &packets, &block_open)) {
        /* With room in the socket, sleeping a little makes one system call serve many packets. */
        if (packets > 0 && receiver->may_nap) nanosleep(&(struct timespec){.tv_nsec = NAP_US * 1000}, NULL);
        nfds_t watched = stop_seen_ms == 0 ? 2 : 1;
        poll(ready, watched, block_open ? BUSY_POLL_MS : IDLE_POLL_MS);
        if (stop_seen_ms == 0 && ready[1].revents != 0) stop_seen_ms = monotonic_ms();
        if (stop_seen_ms != 0 && monotonic_ms() - stop_seen_ms > LAST_FRAME_MS) break;
    }
    return NULL;
}

static GC_ERROR open_socket(struct receiver *receiver, uint16_t *port, uint32_t *granted_bytes) {
    const char *who = receiver->terms.who;
    receiver->socket = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (receiver->socket < 0) return fail(GC_ERR_IO, "%s: no stream socket: %s", who, strerror(errno));
    int wanted = SOCKET_MEMORY;
    /* FORCE needs a privilege and ignores the system's limit; without it the limit decides. */
    if (setsockopt(receiver->socket, SOL_SOCKET, SO_RCVBUFFORCE, &wanted, sizeof wanted) != 0)
        setsockopt(receiver->socket, SOL_SOCKET, SO_RCVBUF, &wanted, sizeof wanted);
    int doubled = 0; /* Linux reports twice what was asked for, its bookkeeping included */
    socklen_t size = sizeof doubled;
    getsockopt(receiver->socket, SOL_SOCKET, SO_RCVBUF, &doubled, &size);
    *granted_bytes = (uint32_t)doubled / 2;
    receiver->may_nap = *granted_bytes >= SPARSE_MEMORY;
    struct sockaddr_in local = {.sin_family = AF_INET, .sin_addr = receiver->terms.local};
    socklen_t local_size = sizeof local;
    if (bind(receiver->socket, (struct sockaddr *)&local, sizeof local) != 0 ||
        getsockname(receiver->socket, (struct sockaddr *)&local, &local_size) != 0)
        return fail(GC_ERR_IO, "%s: no port for the stream: %s", who, strerror(errno));
    *port = ntohs(local.sin_port);
    return GC_ERR_SUCCESS;
}

static void release(struct receiver *receiver) {
    if (receiver->socket >= 0) close(receiver->socket);
    if (receiver->stop_event >= 0) close(receiver->stop_event);
    free(receiver->spare);
    free(receiver);
}

static GC_ERROR start_thread(struct receiver *receiver) {
    const struct receiver_terms *terms = &receiver->terms;
    uint32_t stride = terms->packet_size - GVSP_OVERHEAD;
    receiver->room = stride < 64 ? 64 : stride; /* a leader must fit too */
    receiver->spare = malloc(2 * receiver->room * BATCH);
    receiver->stop_event = eventfd(0, EFD_CLOEXEC);
    if (receiver->spare == NULL || receiver->stop_event < 0)
        return fail(GC_ERR_OUT_OF_MEMORY, "%s: no memory for the receiver", terms->who);
    for (uint32_t index = 0; index < BATCH; index++)
        receiver->messages[index].spare = receiver->spare + 2 * receiver->room * index;
    if (!assembly_init(&receiver->assembly, terms->pool, stride, terms->frame_count))
        return fail(GC_ERR_OUT_OF_MEMORY, "%s: no memory for the packet lists", terms->who);
    int error = pthread_create(&receiver->thread, NULL, receive, receiver);
    if (error == 0) return GC_ERR_SUCCESS;
    assembly_finish(&receiver->assembly);
    return fail(GC_ERR_IO, "%s: no receive thread: %s", terms->who, strerror(error));
}

GC_ERROR receiver_start(const struct receiver_terms *terms, struct receiver **started, uint16_t *port,
                        uint32_t *granted_bytes) {
    struct receiver *receiver = calloc(1, sizeof *receiver);
    if (receiver == NULL) return fail(GC_ERR_OUT_OF_MEMORY, "%s: no memory for the receiver", terms->who);
    receiver->terms = *terms;
    receiver->stop_event = -1;
    GC_ERROR result = open_socket(receiver, port, granted_bytes);
    if (result == GC_ERR_SUCCESS) result = start_thread(receiver);
    if (result == GC_ERR_SUCCESS)
        *started = receiver;
    else
        release(receiver);
    return result;
}

void receiver_stop(struct receiver *receiver, bool finish_frames) {
    pthread_mutex_lock(receiver->terms.lock);
    receiver->stopping = true;
    receiver->finish_frames = finish_frames;
    pthread_mutex_unlock(receiver->terms.lock);
    eventfd_write(receiver->stop_event, 1);
    pthread_join(receiver->thread, NULL);
    pthread_mutex_lock(receiver->terms.lock);
    assembly_finish(&receiver->assembly);
    pthread_cond_broadcast(receiver->terms.delivered);
    pthread_mutex_unlock(receiver->terms.lock);
    release(receiver);
}

void receiver_discard(struct receiver *receiver) { assembly_discard(&receiver->assembly); }
