/* GVCP: the control channel of one GigE Vision device (UDP 3956). Commands, retries, registers, memory.
 *
 * Source: the published GigE Vision specification 1.2/2.0, bootstrap registers and command layouts.
 */
#ifndef TWINLENS_GVCP_H
#define TWINLENS_GVCP_H

#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "gentl_abi.h"

enum { GVCP_PORT = 3956, GVCP_HEADER = 8, GVCP_BLOCK = 512, GVCP_LARGEST = 576 };

enum gvcp_command {
    GVCP_DISCOVERY = 0x0002,
    GVCP_PACKET_RESEND = 0x0040,
    GVCP_READ_REGISTER = 0x0080,
    GVCP_WRITE_REGISTER = 0x0082,
    GVCP_READ_MEMORY = 0x0084,
    GVCP_WRITE_MEMORY = 0x0086,
};

enum bootstrap_register {
    REGISTER_FIRST_URL = 0x0200,
    REGISTER_SECOND_URL = 0x0400,
    REGISTER_HEARTBEAT_TIMEOUT_MS = 0x0938,
    REGISTER_TICK_FREQUENCY_HIGH = 0x093C,
    REGISTER_TICK_FREQUENCY_LOW = 0x0940,
    REGISTER_CONTROL_PRIVILEGE = 0x0A00,
    REGISTER_STREAM_PORT = 0x0D00,
    REGISTER_STREAM_PACKET_SIZE = 0x0D04,
    REGISTER_STREAM_DESTINATION = 0x0D18,
};
enum { PRIVILEGE_NONE = 0, PRIVILEGE_EXCLUSIVE = 1, PRIVILEGE_CONTROL = 2 };
enum { FIRE_TEST_PACKET = 1u << 31, DO_NOT_FRAGMENT = 1u << 30 };

/* One control channel: a connected UDP socket. One command at a time waits for its acknowledge. */
struct gvcp {
    int socket;
    pthread_mutex_t lock;
    atomic_uint request_count;
    int timeout_ms; /* per try */
    int tries;
    char who[96]; /* "camera VA0001 at 127.0.0.2", for error texts */
};

/* Opens a channel; `who` names the device in error texts. */
GC_ERROR gvcp_open(struct gvcp *, const struct sockaddr_in *device, const char *who);
void gvcp_close(struct gvcp *);

/* Our own address on the way to the device. */
struct in_addr gvcp_local_address(const struct gvcp *);

GC_ERROR gvcp_read_register(struct gvcp *, uint32_t address, uint32_t *value);
GC_ERROR gvcp_write_register(struct gvcp *, uint32_t address, uint32_t value);

/* Memory of any address and length; writes must be whole words. */
GC_ERROR gvcp_read(struct gvcp *, uint64_t address, void *buffer, size_t size);
GC_ERROR gvcp_write(struct gvcp *, uint64_t address, const void *buffer, size_t size);

/* A command without acknowledge, at most GVCP_LARGEST - GVCP_HEADER bytes of payload. Any thread may send, and never
 * waits for a command that another thread has under way. */
void gvcp_send(struct gvcp *, uint16_t command, const uint8_t *payload, size_t size);

/* A command header in front of `payload_size` bytes; an acknowledge is asked for. */
void gvcp_put_header(uint8_t *packet, uint16_t command, uint16_t payload_size, uint16_t request_id);

/* Milliseconds of a clock that never jumps. */
int64_t monotonic_ms(void);

#endif
