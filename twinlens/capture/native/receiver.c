/* The receive thread: it empties the socket, asks for what is missing, and naps between. */
#include "receiver.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "bytes.h"
#include "errors.h"
#include "receiver_batch.h"

#ifndef UDP_GRO
#define UDP_GRO 104
#endif

enum { CALLS_PER_TURN = 16 };
enum { SPARSE_MEMORY = 2 << 20 };
enum { NAP_US = 300, IDLE_POLL_MS = 250, LAST_FRAME_MS = 100 };

struct receiver {
    struct receiver_terms terms;
    struct assembly assembly;
    struct batch *batch;
    pthread_t thread;
    int socket;
    int stop_event;
    bool stopping, finish_frames; /* under the lock */
    bool may_nap;                 /* the socket holds enough to look only now and then */
};

/* PACKETRESEND: standard ids as 16 and 24 bits, extended ones as 64 and 32. */
static void ask(void *context, const struct resend_request *request) {
    struct gvcp *gvcp = context;
    uint8_t command[20] = {0}; /* begins with the stream channel, which is 0 */
    put_u16(command + 2, request->extended ? 0 : (uint16_t)request->block_id);
    put_u32(command + 4, request->first);
    put_u32(command + 8, request->last);
    put_u32(command + 12, (uint32_t)(request->block_id >> 32));
    put_u32(command + 16, (uint32_t)request->block_id);
    gvcp_send(gvcp, GVCP_PACKET_RESEND, command, request->extended ? 20 : 12);
}

/* Empties the socket, or as much of it as one turn may; true when it is empty. */
static bool receive_turn(struct receiver *receiver, bool *any) {
    for (int call = 0; call < CALLS_PER_TURN; call++)
        if (!batch_receive(receiver->batch, receiver->socket, receiver->terms.camera, &receiver->assembly, any))
            return true;
    return false;
}

/* One locked turn; false when the thread shall end. `may_nap`: packets came, and no more are waiting. */
static bool work(struct receiver *receiver, bool *may_nap, int *patience_ms) {
    pthread_mutex_lock(receiver->terms.lock);
    uint64_t delivered = receiver->terms.pool->total.delivered;
    bool any = false, is_empty = receive_turn(receiver, &any);
    int64_t now_ms = monotonic_ms();
    if (!receiver->stopping || receiver->finish_frames) assembly_ask(&receiver->assembly, now_ms);
    if (is_empty) assembly_expire(&receiver->assembly, now_ms);
    if (receiver->terms.pool->total.delivered != delivered) pthread_cond_broadcast(receiver->terms.delivered);
    *may_nap = receiver->may_nap && any && is_empty;
    *patience_ms = assembly_patience_ms(&receiver->assembly, now_ms);
    bool block_open = *patience_ms >= 0;
    bool goes_on = !receiver->stopping || (receiver->finish_frames && block_open);
    pthread_mutex_unlock(receiver->terms.lock);
    return goes_on;
}

static void *receive(void *argument) {
    struct receiver *receiver = argument;
    struct pollfd ready[] = {
        {.fd = receiver->socket, .events = POLLIN},
        {.fd = receiver->stop_event, .events = POLLIN},
    };
    bool may_nap = false;
    int patience_ms = 0;
    int64_t stop_seen_ms = 0;
    while (work(receiver, &may_nap, &patience_ms)) {
        /* With room in the socket, sleeping a little makes one system call serve many packets. */
        if (may_nap) nanosleep(&(struct timespec){.tv_nsec = NAP_US * 1000}, NULL);
        nfds_t watched = stop_seen_ms == 0 ? 2 : 1;
        poll(ready, watched, patience_ms >= 0 ? patience_ms : IDLE_POLL_MS);
        if (stop_seen_ms == 0 && ready[1].revents != 0) stop_seen_ms = monotonic_ms();
        if (stop_seen_ms != 0 && monotonic_ms() - stop_seen_ms > LAST_FRAME_MS) break;
    }
    return NULL;
}

static GC_ERROR open_socket(struct receiver *receiver, uint16_t *port, uint32_t *granted_bytes) {
    const char *who = receiver->terms.who;
    receiver->socket = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (receiver->socket < 0) return fail(GC_ERR_IO, "%s: no stream socket: %s", who, strerror(errno));
    int wanted = receiver->terms.receive_buffer > INT_MAX / 2 ? INT_MAX / 2 : (int)receiver->terms.receive_buffer;
    /* FORCE needs a privilege and ignores the system's limit; without it the limit decides. */
    if (setsockopt(receiver->socket, SOL_SOCKET, SO_RCVBUFFORCE, &wanted, sizeof wanted) != 0)
        setsockopt(receiver->socket, SOL_SOCKET, SO_RCVBUF, &wanted, sizeof wanted);
    int doubled = 0; /* Linux reports twice what was asked for, its bookkeeping included */
    socklen_t size = sizeof doubled;
    getsockopt(receiver->socket, SOL_SOCKET, SO_RCVBUF, &doubled, &size);
    *granted_bytes = (uint32_t)doubled / 2;
    receiver->may_nap = *granted_bytes >= SPARSE_MEMORY;
    /* Packets of one burst come in one message where the kernel can do that; nothing depends on it. */
    (void)setsockopt(receiver->socket, IPPROTO_UDP, UDP_GRO, &(int){1}, sizeof(int));
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
    if (receiver->batch != NULL) batch_free(receiver->batch);
    free(receiver);
}

static GC_ERROR start_thread(struct receiver *receiver, uint32_t granted_bytes) {
    const struct receiver_terms *terms = &receiver->terms;
    receiver->batch = batch_new(terms->packet_size);
    receiver->stop_event = eventfd(0, EFD_CLOEXEC);
    if (receiver->batch == NULL || receiver->stop_event < 0)
        return fail(GC_ERR_OUT_OF_MEMORY, "%s: no memory for the receiver", terms->who);
    struct resend resend = {.ask = terms->resends ? ask : NULL, .context = terms->gvcp};
    resend_init(&resend, terms->packet_size, granted_bytes);
    assembly_init(&receiver->assembly, terms->pool, &resend, terms->packet_size, terms->frame_count);
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
    if (result == GC_ERR_SUCCESS) result = start_thread(receiver, *granted_bytes);
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
