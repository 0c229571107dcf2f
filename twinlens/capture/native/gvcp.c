/* Command and acknowledge. A lost packet is repeated under the same request id, so a device can tell it is a repeat. */
#include "gvcp.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "bytes.h"
#include "errors.h"

/* A device answers in milliseconds; 0.4 s forgives a busy virtual camera. Four tries and the last question take 2 s,
 * so that together with the pause between heartbeats a dead camera is known within 3 s. */
enum { TIMEOUT_MS = 400, TRIES = 4 };
enum { PENDING_LONGEST_MS = 60000, KEEP_ALIVE_MS = 500, SMALLEST_BLOCK = 64, EXTENDED_RESEND_SIZE = 20 };

struct exchange {
    enum gvcp_command command;
    uint32_t address; /* for error texts */
    int tries;
    uint8_t packet[GVCP_LARGEST];
    size_t size;
    uint8_t answer[GVCP_LARGEST + 64];
    struct gvcp_acknowledge acknowledge;
};

int64_t monotonic_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

GC_ERROR gvcp_open(struct gvcp *gvcp, const struct sockaddr_in *device, const char *who) {
    *gvcp = (struct gvcp){.timeout_ms = TIMEOUT_MS, .tries = TRIES, .block = GVCP_BLOCK, .losing = ATOMIC_FLAG_INIT};
    snprintf(gvcp->who, sizeof gvcp->who, "%s", who);
    gvcp->socket = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    gvcp->lost_event = eventfd(0, EFD_CLOEXEC);
    int reason = gvcp->socket < 0 || gvcp->lost_event < 0 ? errno : 0;
    if (reason == 0 && connect(gvcp->socket, (const struct sockaddr *)device, sizeof *device) != 0) reason = errno;
    pthread_mutex_init(&gvcp->lock, NULL);
    if (reason == 0) return GC_ERR_SUCCESS;
    gvcp_close(gvcp);
    return fail(GC_ERR_IO, "%s: no way to it: %s", who, strerror(reason));
}

void gvcp_close(struct gvcp *gvcp) {
    if (gvcp->socket >= 0) close(gvcp->socket);
    if (gvcp->lost_event >= 0) close(gvcp->lost_event);
    pthread_mutex_destroy(&gvcp->lock);
}

struct sockaddr_in gvcp_local_end(const struct gvcp *gvcp) {
    struct sockaddr_in local = {0};
    socklen_t size = sizeof local;
    getsockname(gvcp->socket, (struct sockaddr *)&local, &size);
    return local;
}

struct in_addr gvcp_local_address(const struct gvcp *gvcp) { return gvcp_local_end(gvcp).sin_addr; }

void gvcp_lose(struct gvcp *gvcp, const char *format, ...) {
    if (atomic_flag_test_and_set(&gvcp->losing)) return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(gvcp->reason, sizeof gvcp->reason, format, arguments);
    va_end(arguments);
    atomic_store(&gvcp->lost, true);
    eventfd_write(gvcp->lost_event, 1);
}

GC_ERROR gvcp_check(const struct gvcp *gvcp) {
    if (!atomic_load(&gvcp->lost)) return GC_ERR_SUCCESS;
    return fail(GC_ERR_IO, "%s is lost: %s", gvcp->who, gvcp->reason);
}

static GC_ERROR explain_status(const struct gvcp *gvcp, const struct exchange *exchange) {
    static const GC_ERROR codes[] = {
        GC_ERR_NOT_IMPLEMENTED, GC_ERR_INVALID_VALUE,   GC_ERR_INVALID_ADDRESS, GC_ERR_ACCESS_DENIED,
        GC_ERR_INVALID_ADDRESS, GC_ERR_ACCESS_DENIED, GC_ERR_BUSY,
    }; /* of the statuses 0x8001 to 0x8007 */
    uint16_t status = exchange->acknowledge.status;
    uint32_t index = status - 0x8001u;
    GC_ERROR code = index < sizeof codes / sizeof *codes ? codes[index] : GC_ERR_IO;
    return fail(code, "%s: %s 0x%08x: %s (status 0x%04x)", gvcp->who, gvcp_command_name(exchange->command),
                exchange->address, gvcp_status_text(status), status);
}

/* 1 to 65535: a device may not answer request 0. */
static uint16_t next_request_id(struct gvcp *gvcp) {
    return (uint16_t)(atomic_fetch_add(&gvcp->request_count, 1) % UINT16_MAX + 1);
}

static void send_packet(struct gvcp *gvcp, uint8_t flags, uint16_t command, const uint8_t *payload, size_t size) {
    uint8_t packet[GVCP_LARGEST];
    if (size > sizeof packet - GVCP_HEADER) return;
    gvcp_put_header(packet, flags, command, (uint16_t)size, next_request_id(gvcp));
    memcpy(packet + GVCP_HEADER, payload, size);
    (void)!send(gvcp->socket, packet, GVCP_HEADER + size, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void gvcp_send(struct gvcp *gvcp, uint16_t command, const uint8_t *payload, size_t size) {
    /* A resend command with room for a 64-bit block id says so in its flags (GigE Vision 2.0, PACKETRESEND_CMD). */
    bool is_extended = command == GVCP_PACKET_RESEND && size == EXTENDED_RESEND_SIZE;
    send_packet(gvcp, is_extended ? GVCP_FLAG_EXTENDED_ID : 0, command, payload, size);
}

/* A question whose answer nobody waits for: any command from us resets the camera's heartbeat timer. */
static void keep_alive(struct gvcp *gvcp) {
    uint8_t address[4];
    put_u32(address, REGISTER_CONTROL_PRIVILEGE);
    send_packet(gvcp, GVCP_FLAG_ACKNOWLEDGE, GVCP_READ_REGISTER, address, sizeof address);
}

/* Wait for the acknowledge of this request; others, late and repeated ones among them, are skipped. True when it came.
 * A pending acknowledge moves the deadline: the device is at work. */
static bool await_answer(struct gvcp *gvcp, struct exchange *exchange) {
    int64_t now_ms = monotonic_ms(), deadline_ms = now_ms + gvcp->timeout_ms;
    const int64_t latest_ms = now_ms + PENDING_LONGEST_MS;
    while (now_ms < deadline_ms) {
        int64_t left_ms = deadline_ms - now_ms;
        struct pollfd ready = {.fd = gvcp->socket, .events = POLLIN};
        int events = poll(&ready, 1, (int)(left_ms < KEEP_ALIVE_MS ? left_ms : KEEP_ALIVE_MS));
        now_ms = monotonic_ms();
        if (events == 0 && gvcp->watched && now_ms < deadline_ms) keep_alive(gvcp);
        if (events <= 0) continue;
        ssize_t size = recv(gvcp->socket, exchange->answer, sizeof exchange->answer, MSG_DONTWAIT);
        struct gvcp_acknowledge *acknowledge = &exchange->acknowledge;
        uint16_t wait_ms;
        if (size < 0 || !gvcp_parse_acknowledge(exchange->answer, (size_t)size, acknowledge)) continue;
        if (acknowledge->request_id != get_u16(exchange->packet + 6)) continue;
        if (acknowledge->code == exchange->command + 1) return true;
        if (!gvcp_parse_pending(acknowledge, &wait_ms)) continue;
        int64_t asked_ms = now_ms + wait_ms + gvcp->timeout_ms;
        deadline_ms = asked_ms < latest_ms ? asked_ms : latest_ms;
    }
    return false;
}

/* Sends and repeats until the answer is there; the caller holds the lock. */
static bool ask(struct gvcp *gvcp, struct exchange *exchange) {
    gvcp_put_header(exchange->packet, GVCP_FLAG_ACKNOWLEDGE, exchange->command,
                    (uint16_t)(exchange->size - GVCP_HEADER), next_request_id(gvcp));
    for (int attempt = 0; attempt < exchange->tries; attempt++) {
        /* ECONNREFUSED of an earlier packet surfaces here; the next try decides. */
        (void)!send(gvcp->socket, exchange->packet, exchange->size, MSG_NOSIGNAL);
        if (await_answer(gvcp, exchange)) return true;
    }
    return false;
}

static struct exchange reading(uint32_t address) {
    struct exchange exchange = {.command = GVCP_READ_REGISTER, .address = address, .size = GVCP_HEADER + 4};
    put_u32(exchange.packet + GVCP_HEADER, address);
    return exchange;
}

/* Silence of a watched device: one last question tells a lost device from one that ignores this very command. */
static GC_ERROR explain_silence(struct gvcp *gvcp, const struct exchange *exchange) {
    struct exchange last = reading(REGISTER_CONTROL_PRIVILEGE);
    last.tries = 1;
    const char *name = gvcp_command_name(exchange->command);
    if (gvcp->watched && !ask(gvcp, &last))
        gvcp_lose(gvcp, "no answer to %s 0x%08x after %d tries of %d ms", name, exchange->address, gvcp->tries,
                  gvcp->timeout_ms);
    return fail(GC_ERR_IO, "%s: no answer to %s 0x%08x after %d tries of %d ms", gvcp->who, name, exchange->address,
                gvcp->tries, gvcp->timeout_ms);
}

static GC_ERROR transact(struct gvcp *gvcp, struct exchange *exchange) {
    pthread_mutex_lock(&gvcp->lock);
    exchange->tries = gvcp->tries;
    GC_ERROR result = gvcp_check(gvcp);
    if (result == GC_ERR_SUCCESS && !ask(gvcp, exchange)) result = explain_silence(gvcp, exchange);
    pthread_mutex_unlock(&gvcp->lock);
    if (result != GC_ERR_SUCCESS || exchange->acknowledge.status == 0) return result;
    return explain_status(gvcp, exchange);
}

static GC_ERROR expect_answer(struct gvcp *gvcp, struct exchange *exchange, size_t size) {
    GC_ERROR result = transact(gvcp, exchange);
    if (result != GC_ERR_SUCCESS || exchange->acknowledge.size == size) return result;
    return fail(GC_ERR_IO, "%s: %s 0x%08x answered %zu bytes, %zu needed", gvcp->who,
                gvcp_command_name(exchange->command), exchange->address, exchange->acknowledge.size, size);
}

GC_ERROR gvcp_read_register(struct gvcp *gvcp, uint32_t address, uint32_t *value) {
    struct exchange exchange = reading(address);
    GC_ERROR result = expect_answer(gvcp, &exchange, 4);
    if (result == GC_ERR_SUCCESS) *value = get_u32(exchange.acknowledge.payload);
    return result;
}

GC_ERROR gvcp_write_register(struct gvcp *gvcp, uint32_t address, uint32_t value) {
    struct exchange exchange = {.command = GVCP_WRITE_REGISTER, .address = address, .size = GVCP_HEADER + 8};
    put_u32(exchange.packet + GVCP_HEADER, address);
    put_u32(exchange.packet + GVCP_HEADER + 4, value);
    return transact(gvcp, &exchange);
}

/* One READMEM of whole words. */
static GC_ERROR read_words(struct gvcp *gvcp, uint32_t address, uint16_t size, uint8_t *words) {
    struct exchange exchange = {.command = GVCP_READ_MEMORY, .address = address, .size = GVCP_HEADER + 8};
    put_u32(exchange.packet + GVCP_HEADER, address);
    put_u32(exchange.packet + GVCP_HEADER + 4, size);
    GC_ERROR result = expect_answer(gvcp, &exchange, size + 4u);
    if (result == GC_ERR_SUCCESS) memcpy(words, exchange.acknowledge.payload + 4, size);
    return result;
}

static GC_ERROR check_range(const struct gvcp *gvcp, uint64_t address, size_t size) {
    if (address <= UINT32_MAX && size <= UINT32_MAX - address + 1) return GC_ERR_SUCCESS;
    return fail(GC_ERR_INVALID_ADDRESS, "%s: %zu bytes at 0x%llx are beyond 32 bits", gvcp->who, size,
                (unsigned long long)address);
}

GC_ERROR gvcp_read(struct gvcp *gvcp, uint64_t address, void *buffer, size_t size) {
    uint8_t *target = buffer;
    GC_ERROR result = check_range(gvcp, address, size);
    if (result == GC_ERR_SUCCESS && size == 4 && address % 4 == 0) {
        uint32_t value = 0;
        result = gvcp_read_register(gvcp, (uint32_t)address, &value);
        if (result == GC_ERR_SUCCESS) put_u32(target, value);
        return result;
    }
    while (result == GC_ERR_SUCCESS && size > 0) {
        uint8_t words[GVCP_BLOCK];
        uint32_t before = (uint32_t)address % 4; /* bytes of the first word that were not asked for */
        size_t room = atomic_load(&gvcp->block) - before;
        size_t part = size < room ? size : room;
        size_t whole = (before + part + 3) / 4 * 4;
        result = read_words(gvcp, (uint32_t)address - before, (uint16_t)whole, words);
        if (result == GC_ERR_INVALID_VALUE && whole > SMALLEST_BLOCK) { /* some devices take only shorter blocks */
            atomic_store(&gvcp->block, (unsigned)(whole / 8 * 4));
            result = GC_ERR_SUCCESS;
            continue;
        }
        if (result == GC_ERR_SUCCESS) memcpy(target, words + before, part);
        address += part;
        target += part;
        size -= part;
    }
    return result;
}

GC_ERROR gvcp_write(struct gvcp *gvcp, uint64_t address, const void *buffer, size_t size) {
    const uint8_t *source = buffer;
    GC_ERROR result = check_range(gvcp, address, size);
    if (result != GC_ERR_SUCCESS) return result;
    if (address % 4 != 0 || size % 4 != 0)
        return fail(GC_ERR_INVALID_ADDRESS, "%s: cannot write %zu bytes at 0x%llx: not whole words of 32 bits",
                    gvcp->who, size, (unsigned long long)address);
    if (size == 4) return gvcp_write_register(gvcp, (uint32_t)address, get_u32(source));
    while (result == GC_ERR_SUCCESS && size > 0) {
        size_t part = size < GVCP_BLOCK ? size : GVCP_BLOCK;
        struct exchange exchange = {
            .command = GVCP_WRITE_MEMORY, .address = (uint32_t)address, .size = GVCP_HEADER + 4 + part};
        put_u32(exchange.packet + GVCP_HEADER, (uint32_t)address);
        memcpy(exchange.packet + GVCP_HEADER + 4, source, part);
        result = transact(gvcp, &exchange);
        address += part;
        source += part;
        size -= part;
    }
    return result;
}
