/* GVCP: the control channel of one GigE Vision device (UDP 3956). Commands, retries, registers, memory.
 *
 * A channel that is watched (a camera under control) can be declared lost, once and for good: by a command that is
 * never answered, or by the heartbeat. From then on every command fails at once and says why.
 */
#ifndef TWINLENS_GVCP_H
#define TWINLENS_GVCP_H

#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>

#include "gentl_abi.h"
#include "gvcp_packets.h"

/* One control channel: a connected UDP socket. One command at a time waits for its acknowledge. */
struct gvcp {
    int socket;
    pthread_mutex_t lock;
    atomic_uint request_count;
    int timeout_ms; /* per try */
    int tries;
    atomic_uint block; /* bytes a READMEM may ask for; shrinks when the device refuses */
    bool watched;      /* silence means that the device is lost */
    int lost_event;    /* eventfd, readable once lost */
    atomic_flag losing;
    atomic_bool lost;
    char reason[160]; /* why it is lost; constant once `lost` is set */
    char who[96];     /* "camera VA0001 at 127.0.0.2", for error texts */
};

/* Opens a channel; `who` names the device in error texts. */
GC_ERROR gvcp_open(struct gvcp *, const struct sockaddr_in *device, const char *who);
void gvcp_close(struct gvcp *);

/* Our own end on the way to the device. */
struct sockaddr_in gvcp_local_end(const struct gvcp *);
struct in_addr gvcp_local_address(const struct gvcp *);

GC_ERROR gvcp_read_register(struct gvcp *, uint32_t address, uint32_t *value);
GC_ERROR gvcp_write_register(struct gvcp *, uint32_t address, uint32_t value);

/* Memory of any address and length; writes must be whole words. */
GC_ERROR gvcp_read(struct gvcp *, uint64_t address, void *buffer, size_t size);
GC_ERROR gvcp_write(struct gvcp *, uint64_t address, const void *buffer, size_t size);

/* A command without acknowledge, at most GVCP_LARGEST - GVCP_HEADER bytes of payload. Any thread may send, and never
 * waits for a command that another thread has under way. */
void gvcp_send(struct gvcp *, uint16_t command, const uint8_t *payload, size_t size);

/* Declares the device lost; only the first reason counts. */
void gvcp_lose(struct gvcp *, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* GC_ERR_IO with the reason when the device is lost, else success. */
GC_ERROR gvcp_check(const struct gvcp *);

/* Milliseconds of a clock that never jumps. */
int64_t monotonic_ms(void);

#endif
