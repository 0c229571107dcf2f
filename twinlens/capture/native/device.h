/* The device module: one camera under control, its control channel, its heartbeat, and its remote port. */
#ifndef TWINLENS_DEVICE_H
#define TWINLENS_DEVICE_H

#include "discovery.h"
#include "gvcp.h"
#include "modules.h"

struct device {
    struct module module;
    struct camera_identity identity;
    struct gvcp gvcp;
    int32_t access;          /* DEVICE_ACCESS_... it was opened with */
    uint64_t tick_frequency; /* of the camera's clock in Hz, 0 when the camera has none */
    pthread_t heartbeat;
    bool heartbeat_runs;
    uint32_t heartbeat_period_ms;
    int stop_event; /* eventfd that ends the heartbeat */
};

/* The camera's own registers as a port; child of the device. */
struct remote {
    struct module module;
};

/* Takes control (CCP) as `access` asks, starts the heartbeat, publishes device and remote port. */
GC_ERROR device_open(struct module *interface, const struct camera_identity *, int32_t access, DEV_HANDLE *);

/* DEVICE_INFO_... of a camera that may be open here, elsewhere, or not at all. */
GC_ERROR device_answer(struct module *interface, const struct camera_identity *, int32_t command,
                       const struct answer *);

/* Starts and ends the thread that keeps control: a camera drops a client it has not heard of for its timeout. */
GC_ERROR heartbeat_start(struct device *);
void heartbeat_stop(struct device *);

bool device_may_write(const struct device *);

#endif
