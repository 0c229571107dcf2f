/* Command and acknowledge. A lost packet is repeated under the same request id, so a device can tell it is a repeat. */
#include "gvcp.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bytes.h"
#include "errors.h"

enum { KEY_COMMAND = 0x42, FLAG_ACKNOWLEDGE = 0x01, FLAG_EXTENDED_ID = 0x10 };
enum { FLAGS_AT = 1, EXTENDED_RESEND_SIZE = 20 };
/* A device answers in milliseconds; half a second forgives a busy virtual camera without repeating a trigger. */
enum { TIMEOUT_MS = 500, TRIES = 4 };

struct exchange {
    enum gvcp_command command;
    uint32_t address; /* for error texts */
    uint8_t packet[GVCP_LARGEST];
    size_t size;
    uint8_t answer[GVCP_LARGEST + 64];
    size_t answer_size;
};

int64_t monotonic_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

GC_ERROR gvcp_open(struct gvcp *gvcp, const struct sockaddr_in *device, const char *who) {
    *gvcp = (struct gvcp){.timeout_ms = TIMEOUT_MS, .tries = TRIES};
    snprintf(gvcp->who, sizeof gvcp->who, "%s", who);
    gvcp->socket = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (gvcp->socket < 0) return fail(GC_ERR_IO, "%s: no control socket: %s", who, strerror(errno));
    if (connect(gvcp->socket, (const struct sockaddr *)device, sizeof *device) != 0) {
        int reason = errno;
        close(gvcp->socket);
        return fail(GC_ERR_IO, "%s: no route: %s", who, strerror(reason));
    }
    pthread_mutex_init(&gvcp->lock, NULL);
    return GC_ERR_SUCCESS;
}

void gvcp_close(struct gvcp *gvcp) {
    close(gvcp->socket);
    pthread_mutex_destroy(&gvcp->lock);
}

struct in_addr gvcp_local_address(const struct gvcp *gvcp) {
    struct sockaddr_in local = {0};
    socklen_t size = sizeof local;
    getsockname(gvcp->socket, (struct sockaddr *)&local, &size);
    return local.sin_addr;
}

void gvcp_put_header(uint8_t *packet, uint16_t command, uint16_t payload_size, uint16_t request_id) {
    packet[0] = KEY_COMMAND;
    packet[1] = FLAG_ACKNOWLEDGE;
    put_u16(packet + 2, command);
    put_u16(packet + 4, payload_size);
    put_u16(packet + 6, request_id);
}

static const char *command_name(enum gvcp_command command) {
    switch (command) {
        case GVCP_READ_REGISTER: return "READREG";
        case GVCP_WRITE_REGISTER: return "WRITEREG";
        case GVCP_READ_MEMORY: return "READMEM";
        case GVCP_WRITE_MEMORY: return "WRITEMEM";
        default: return "DISCOVERY";
    }
}

static GC_ERROR explain_status(const struct gvcp *gvcp, const struct exchange *exchange, uint16_t status) {
    static const struct {
        uint16_t status;
        GC_ERROR code;
        const char *text;
    } known[] = {
        {0x8001, GC_ERR_NOT_IMPLEMENTED, "command not implemented"},
        {0x8002, GC_ERR_INVALID_VALUE, "value refused"},
        {0x8003, GC_ERR_INVALID_ADDRESS, "no such address"},
        {0x8004, GC_ERR_ACCESS_DENIED, "register is read-only"},
        {0x8005, GC_ERR_INVALID_ADDRESS, "address not aligned"},
        {0x8006, GC_ERR_ACCESS_DENIED, "access denied, another application controls the camera"},
        {0x8007, GC_ERR_BUSY, "busy"},
    };
    GC_ERROR code = GC_ERR_IO;
    const char *text = "failed";
    for (size_t index = 0; index < sizeof known / sizeof *known; index++) {
        if (known[index].status != status) continue;
        code = known[index].code;
        text = known[index].text;
    }
    return fail(code, "%s: %s 0x%08x: %s (status 0x%04x)", gvcp->who, command_name(exchange->command),
                exchange->address, text, status);
}

/* Wait for the acknowledge of this request; older ones are skipped. True when it came. */
static bool await_answer(const struct gvcp *gvcp, struct exchange *exchange) {
    int64_t deadline_ms = monotonic_ms() + gvcp->timeout_ms;
    for (;;) {
        int left_ms = (int)(deadline_ms - monotonic_ms());
        struct pollfd ready = {.fd = gvcp->socket, .events = POLLIN};
        if (left_ms <= 0 || (poll(&ready, 1, left_ms) == 0)) return false;
        ssize_t size = recv(gvcp->socket, exchange->answer, sizeof exchange->answer, MSG_DONTWAIT);
        if (size < GVCP_HEADER) continue;
        if (get_u16(exchange->answer + 2) != exchange->command + 1) continue;
        if (get_u16(exchange->answer + 6) != get_u16(exchange->packet + 6)) continue;
        exchange->answer_size = (size_t)size - GVCP_HEADER;
        return true;
    }
}

/* 1 to 65535: a device may not answer request 0. */
static uint16_t next_request_id(struct gvcp *gvcp) {
    return (uint16_t)(atomic_fetch_add(&gvcp->request_count, 1) % UINT16_MAX + 1);
}

void gvcp_send(struct gvcp *gvcp, uint16_t command, const uint8_t *payload, size_t size) {
    uint8_t packet[GVCP_LARGEST];
    if (size > sizeof packet - GVCP_HEADER) return;
    gvcp_put_header(packet, command, (uint16_t)size, next_request_id(gvcp));
    /* A resend command with room for a 64-bit block id says so in its flags (GigE Vision 2.0, PACKETRESEND_CMD). */
    packet[FLAGS_AT] = command == GVCP_PACKET_RESEND && size == EXTENDED_RESEND_SIZE ? FLAG_EXTENDED_ID : 0;
    memcpy(packet + GVCP_HEADER, payload, size);
    (void)!send(gvcp->socket, packet, GVCP_HEADER + size, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static GC_ERROR transact(struct gvcp *gvcp, struct exchange *exchange) {
    pthread_mutex_lock(&gvcp->lock);
    gvcp_put_header(exchange->packet, exchange->command, (uint16_t)(exchange->size - GVCP_HEADER),
                    next_request_id(gvcp));
    bool answered = false;
    for (int attempt = 0; attempt < gvcp->tries && !answered; attempt++) {
        /* ECONNREFUSED of an earlier packet surfaces here; the next try decides. */
        (void)!send(gvcp->socket, exchange->packet, exchange->size, MSG_NOSIGNAL);
        answered = await_answer(gvcp, exchange);
    }
    pthread_mutex_unlock(&gvcp->lock);
    if (!answered)
        return fail(GC_ERR_IO, "%s: no answer to %s 0x%08x after %d tries of %d ms", gvcp->who,
                    command_name(exchange->command), exchange->address, gvcp->tries, gvcp->timeout_ms);
    uint16_t status = get_u16(exchange->answer);
    return status == 0 ? GC_ERR_SUCCESS : explain_status(gvcp, exchange, status);
}

static GC_ERROR expect_answer(struct gvcp *gvcp, struct exchange *exchange, size_t size) {
    GC_ERROR result = transact(gvcp, exchange);
    if (result != GC_ERR_SUCCESS || exchange->answer_size >= size) return result;
    return fail(GC_ERR_IO, "%s: %s 0x%08x answered %zu bytes, %zu needed", gvcp->who, command_name(exchange->command),
                exchange->address, exchange->answer_size, size);
}

GC_ERROR gvcp_read_register(struct gvcp *gvcp, uint32_t address, uint32_t *value) {
    struct exchange exchange = {.command = GVCP_READ_REGISTER, .address = address, .size = GVCP_HEADER + 4};
    put_u32(exchange.packet + GVCP_HEADER, address);
    GC_ERROR result = expect_answer(gvcp, &exchange, 4);
    if (result == GC_ERR_SUCCESS) *value = get_u32(exchange.answer + GVCP_HEADER);
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
    if (result == GC_ERR_SUCCESS) memcpy(words, exchange.answer + GVCP_HEADER + 4, size);
    return result;
}

GC_ERROR gvcp_read(struct gvcp *gvcp, uint64_t address, void *buffer, size_t size) {
    if (address > UINT32_MAX || size > UINT32_MAX - address)
        return fail(GC_ERR_INVALID_ADDRESS, "%s: address 0x%llx is beyond 32 bits", gvcp->who,
                    (unsigned long long)address);
    uint8_t *target = buffer;
    if (size == 4 && address % 4 == 0) {
        uint32_t value;
        GC_ERROR result = gvcp_read_register(gvcp, (uint32_t)address, &value);
        if (result == GC_ERR_SUCCESS) put_u32(target, value);
        return result;
    }
    while (size > 0) {
        uint8_t words[GVCP_BLOCK];
        uint32_t before = (uint32_t)address % 4; /* bytes of the first word that were not asked for */
        size_t part = size < GVCP_BLOCK - before ? size : GVCP_BLOCK - before;
        GC_ERROR result =
            read_words(gvcp, (uint32_t)address - before, (uint16_t)((before + part + 3) / 4 * 4), words);
        if (result != GC_ERR_SUCCESS) return result;
        memcpy(target, words + before, part);
        address += part;
        target += part;
        size -= part;
    }
    return GC_ERR_SUCCESS;
}

GC_ERROR gvcp_write(struct gvcp *gvcp, uint64_t address, const void *buffer, size_t size) {
    if (address > UINT32_MAX || size > UINT32_MAX - address || address % 4 != 0 || size % 4 != 0)
        return fail(GC_ERR_INVALID_ADDRESS, "%s: cannot write %zu bytes at 0x%llx: not whole words of 32 bits",
                    gvcp->who, size, (unsigned long long)address);
    const uint8_t *source = buffer;
    if (size == 4) return gvcp_write_register(gvcp, (uint32_t)address, get_u32(source));
    while (size > 0) {
        size_t part = size < GVCP_BLOCK ? size : GVCP_BLOCK;
        struct exchange exchange = {
            .command = GVCP_WRITE_MEMORY, .address = (uint32_t)address, .size = GVCP_HEADER + 4 + part};
        put_u32(exchange.packet + GVCP_HEADER, (uint32_t)address);
        memcpy(exchange.packet + GVCP_HEADER + 4, source, part);
        GC_ERROR result = transact(gvcp, &exchange);
        if (result != GC_ERR_SUCCESS) return result;
        address += part;
        source += part;
        size -= part;
    }
    return GC_ERR_SUCCESS;
}
