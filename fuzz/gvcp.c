/* Everything that reads a GVCP datagram or a text from a camera: acknowledges, discovery, URLs, and the whole exchange.
 *
 * The exchange runs without a network and without waiting: this file stands in for send, poll, recv and the clock (see
 * fuzz.py), and hands out the fuzzer's datagrams as answers.
 */
#include <poll.h>
#include <sys/socket.h>
#include <time.h>

#include "../twinlens/capture/native/bytes.h"
#include "../twinlens/capture/native/errors.h"
#include "../twinlens/capture/native/gvcp.h"
#include "../twinlens/capture/native/identity.h"
#include "../twinlens/capture/native/url.h"
#include "input.h"

enum { READ_MOST = 1500, REQUEST_ID_AT = 6 };

static struct input answers;
static uint8_t sent_id[2];
static int64_t clock_ms;

ssize_t fuzz_send(int socket, const void *packet, size_t size, int flags) {
    (void)socket, (void)flags;
    require(size >= GVCP_HEADER && size <= GVCP_LARGEST);
    memcpy(sent_id, (const uint8_t *)packet + REQUEST_ID_AT, sizeof sent_id);
    return (ssize_t)size;
}

int fuzz_poll(struct pollfd *ready, nfds_t count, int timeout_ms) {
    (void)ready, (void)count;
    clock_ms += answers.left > 0 ? 1 : timeout_ms;
    return answers.left > 0;
}

ssize_t fuzz_recv(int socket, void *buffer, size_t room, int flags) {
    (void)socket, (void)flags;
    uint8_t control = next_u8(&answers);
    size_t size = (size_t)(control & 3) << 8 | next_u8(&answers);
    uint8_t *datagram = next_copy(&answers, &size);
    if (size >= GVCP_HEADER && (control & 0x80)) memcpy(datagram + REQUEST_ID_AT, sent_id, sizeof sent_id);
    if (size >= GVCP_HEADER && (control & 0x40)) put_u16(datagram + 4, (uint16_t)(size - GVCP_HEADER));
    if (size > room) size = room;
    if (size > 0) memcpy(buffer, datagram, size);
    free(datagram);
    return (ssize_t)size;
}

int fuzz_clock_gettime(clockid_t clock, struct timespec *now) {
    (void)clock;
    *now = (struct timespec){.tv_sec = clock_ms / 1000, .tv_nsec = clock_ms % 1000 * 1000000};
    return 0;
}

static void parse_datagram(struct input *input) {
    struct gvcp_acknowledge acknowledge;
    struct camera_identity camera;
    uint16_t wait_ms;
    size_t size = input->left;
    uint8_t *datagram = next_copy(input, &size);
    if (gvcp_parse_acknowledge(datagram, size, &acknowledge)) {
        require(acknowledge.size == size - GVCP_HEADER);
        (void)gvcp_parse_pending(&acknowledge, &wait_ms);
        (void)gvcp_status_text(acknowledge.status);
        if (identity_parse(&acknowledge, &camera)) require(strlen(camera.id) < sizeof camera.id);
    }
    free(datagram);
}

static void parse_url(struct input *input) {
    struct url url;
    char *text = malloc(input->left + 1);
    if (text == NULL) abort();
    if (input->left > 0) memcpy(text, input->bytes, input->left);
    text[input->left] = 0;
    if (url_parse(text, &url)) require(strlen(url.name) < sizeof url.name);
    free(text);
}

static void exchange(struct input *input) {
    struct gvcp gvcp;
    struct sockaddr_in nowhere = {.sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    uint32_t address = (uint32_t)next_u16(input) << 16 | next_u16(input);
    size_t size = next_u16(input) % READ_MOST;
    uint8_t deed = next_u8(input);
    uint32_t value;
    uint8_t *memory = calloc(1, size);
    if (memory == NULL || gvcp_open(&gvcp, &nowhere, "camera") != GC_ERR_SUCCESS) abort();
    gvcp.watched = deed & 0x80;
    answers = *input;
    if ((deed & 3) == 0) (void)gvcp_read_register(&gvcp, address, &value);
    if ((deed & 3) == 1) (void)gvcp_write(&gvcp, address, memory, size);
    if ((deed & 3) >= 2) (void)gvcp_read(&gvcp, address, memory, size);
    (void)gvcp_check(&gvcp);
    gvcp_close(&gvcp);
    free(memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct input input = {bytes, size};
    switch (next_u8(&input) % 3) {
        case 0: parse_datagram(&input); break;
        case 1: parse_url(&input); break;
        default: exchange(&input); break;
    }
    return 0;
}
