/* The scatter lists of the receiver: this file stands in for recvmmsg (see fuzz.py) and lays the fuzzer's datagrams, and
 * messages of several packets, wherever they were prepared for. */
#include <netinet/udp.h>
#include <sys/socket.h>

#include "../twinlens/capture/native/receiver_batch.h"
#include "stream_pool.h"

#ifndef UDP_GRO
#define UDP_GRO 104
#endif

enum { CAMERA = 0x0A4D0002, MOST = 3000 };

/* The receiver's 8 MiB of spare memory come from here: mapping them anew each time is all a run would do. */
static uint8_t spare[64 * 2 * 65536];

#undef malloc
#undef free
void *malloc(size_t);
void free(void *);
void *fuzz_malloc(size_t size) { return size == sizeof spare ? spare : malloc(size); }

void fuzz_free(void *memory) {
    if (memory != spare) free(memory);
}

static struct input packets;

int64_t monotonic_ms(void) { return 5; }

static void scatter(const struct msghdr *message, const uint8_t *bytes, size_t size, unsigned *length) {
    size_t at = 0;
    for (size_t part = 0; part < message->msg_iovlen && at < size; part++) {
        size_t piece = size - at < message->msg_iov[part].iov_len ? size - at : message->msg_iov[part].iov_len;
        if (piece > 0) memcpy(message->msg_iov[part].iov_base, bytes + at, piece);
        at += piece;
    }
    *length = (unsigned)at;
}

static void tell_packet_size(struct msghdr *message, int size) {
    struct cmsghdr *control = CMSG_FIRSTHDR(message);
    if (size == 0 || control == NULL) {
        message->msg_controllen = 0;
        return;
    }
    control->cmsg_level = IPPROTO_UDP;
    control->cmsg_type = UDP_GRO;
    control->cmsg_len = CMSG_LEN(sizeof size);
    memcpy(CMSG_DATA(control), &size, sizeof size);
}

int fuzz_recvmmsg(int socket, struct mmsghdr *messages, unsigned count, int flags, struct timespec *timeout) {
    (void)socket, (void)flags, (void)timeout;
    unsigned used = 0;
    for (; used < count && packets.left > 0; used++) {
        uint8_t control = next_u8(&packets);
        if (control == 0xFF) break;
        size_t size = next_u16(&packets) % MOST;
        uint8_t *bytes = next_copy(&packets, &size);
        struct sockaddr_in *source = messages[used].msg_hdr.msg_name;
        source->sin_addr.s_addr = htonl(control & 1 ? CAMERA + 1 : CAMERA);
        scatter(&messages[used].msg_hdr, bytes, size, &messages[used].msg_len);
        messages[used].msg_hdr.msg_flags = control & 2 ? MSG_TRUNC : 0;
        tell_packet_size(&messages[used].msg_hdr, control & 4 ? control >> 3 << 5 : 0);
        free(bytes);
    }
    return used > 0 ? (int)used : -1;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct input input = {bytes, size};
    struct stream_pool pool;
    struct assembly assembly;
    bool any;
    stream_pool_open(&pool, &input);
    stream_assembly_open(&assembly, &pool, &input);
    struct batch *batch = batch_new(assembly.packet_size);
    if (batch == NULL) abort();
    packets = input;
    while (packets.left > 0) {
        (void)batch_receive(batch, -1, (struct in_addr){htonl(CAMERA)}, &assembly, &any);
        stream_pool_requeue(&pool);
    }
    batch_free(batch);
    assembly_finish(&assembly);
    stream_pool_close(&pool);
    return 0;
}
