/* GVCP as bytes: headers, acknowledges, register addresses. Knows no sockets; every parser takes whatever came.
 *
 * Source: the published GigE Vision specification 1.2/2.0, bootstrap registers and command layouts.
 */
#ifndef TWINLENS_GVCP_PACKETS_H
#define TWINLENS_GVCP_PACKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { GVCP_PORT = 3956, GVCP_HEADER = 8, GVCP_BLOCK = 512, GVCP_LARGEST = 576 };

/* The code of an acknowledge is that of its command plus one; PENDING may come before any of them. */
enum gvcp_command {
    GVCP_DISCOVERY = 0x0002,
    GVCP_FORCE_IP = 0x0004,
    GVCP_PACKET_RESEND = 0x0040,
    GVCP_READ_REGISTER = 0x0080,
    GVCP_WRITE_REGISTER = 0x0082,
    GVCP_READ_MEMORY = 0x0084,
    GVCP_WRITE_MEMORY = 0x0086,
    GVCP_PENDING_ACKNOWLEDGE = 0x0089,
    GVCP_EVENT_DATA = 0x00C2,
    GVCP_ACTION = 0x0100,
};

enum gvcp_flag {
    GVCP_FLAG_ACKNOWLEDGE = 0x01,
    GVCP_FLAG_BROADCAST_ACKNOWLEDGE = 0x10, /* DISCOVERY, FORCEIP: a host on another subnet may be answered too */
    GVCP_FLAG_EXTENDED_ID = 0x10,           /* PACKETRESEND: the block id has 64 bits */
    GVCP_FLAG_SCHEDULED = 0x80,             /* ACTION: at a time of the synchronised clocks */
};

enum bootstrap_register {
    REGISTER_FIRST_URL = 0x0200,
    REGISTER_SECOND_URL = 0x0400,
    REGISTER_HEARTBEAT_TIMEOUT_MS = 0x0938,
    REGISTER_TICK_FREQUENCY_HIGH = 0x093C,
    REGISTER_TICK_FREQUENCY_LOW = 0x0940,
    REGISTER_CONTROL_PRIVILEGE = 0x0A00,
    REGISTER_OWNER_PORT = 0x0A04,
    REGISTER_OWNER_ADDRESS = 0x0A14,
    REGISTER_STREAM_PORT = 0x0D00,
    REGISTER_STREAM_PACKET_SIZE = 0x0D04,
    REGISTER_STREAM_DESTINATION = 0x0D18,
};
enum { PRIVILEGE_NONE = 0, PRIVILEGE_EXCLUSIVE = 1, PRIVILEGE_CONTROL = 2 };
enum { FIRE_TEST_PACKET = 1u << 31, DO_NOT_FRAGMENT = 1u << 30 };

/* A command header in front of `payload_size` bytes. */
void gvcp_put_header(uint8_t *packet, uint8_t flags, uint16_t command, uint16_t payload_size, uint16_t request_id);

struct gvcp_acknowledge {
    uint16_t status;
    uint16_t code;
    uint16_t request_id;
    const uint8_t *payload; /* inside the packet */
    size_t size;
};

/* False for a datagram that is no acknowledge, or whose length contradicts its header. */
bool gvcp_parse_acknowledge(const uint8_t *packet, size_t size, struct gvcp_acknowledge *);

/* How long the device asks us to wait for its real answer; false when this is no pending acknowledge. */
bool gvcp_parse_pending(const struct gvcp_acknowledge *, uint16_t *wait_ms);

/* What a status other than 0 means, for error texts. */
const char *gvcp_status_text(uint16_t status);

const char *gvcp_command_name(uint16_t command);

#endif
