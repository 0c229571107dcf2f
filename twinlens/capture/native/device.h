/* The device module: one camera under control, its control channel, its heartbeat, and its remote port. */
#ifndef TWINLENS_DEVICE_H
#define TWINLENS_DEVICE_H

#include "identity.h"
#include "gvcp.h"
#include "modules.h"

struct event;

struct device {
    struct module module;
    struct camera_identity identity;
    struct gvcp gvcp;
    int32_t access;          /* DEVICE_ACCESS_... it was opened with */
    uint64_t tick_frequency; /* of the camera's clock in Hz, 0 when the camera has none */
    pthread_t heartbeat;
    bool heartbeat_runs;
    bool tells_owner; /* its registers name the application in control, and named us */
    uint32_t heartbeat_period_ms;
    int stop_event;            /* eventfd that ends the heartbeat */
    pthread_mutex_t loss_lock; /* guards all below */
    pthread_cond_t loss_changed;
    uint64_t losses;       /* 0, or 1 once the loss was announced */
    struct event *events[2]; /* EVENT_ERROR and EVENT_MODULE, or NULL */
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

/* Beside the standard's, for the nodes of the device module. */
enum { DEVICE_INFO_LOST = DEVICE_INFO_CUSTOM_ID, DEVICE_INFO_LOSS_REASON };

/* The same of an open one, and what only an open one knows. */
GC_ERROR device_info(struct module *, int32_t command, const struct answer *);
extern const struct description device_description;

/* The open device with this id, borrowed; NULL when it is not open here. */
struct device *device_find_open(struct module *interface, const char *id);

/* A control channel to a camera that is not necessarily ours. */
GC_ERROR device_open_channel(struct gvcp *, const struct camera_identity *);

/* Starts and ends the thread that keeps control: a camera drops a client it has not heard of for its timeout. */
GC_ERROR heartbeat_start(struct device *);
void heartbeat_stop(struct device *);

/* Who is in control, from the camera's registers. */
GC_ERROR heartbeat_read_owner(struct device *, struct sockaddr_in *owner);

bool device_may_write(const struct device *);

/* The CCP value for an access flag. */
uint32_t device_privilege(int32_t access);

/* Wakes everybody who waits for this camera; called once, when the control channel is lost. */
void device_announce_loss(struct device *);

#endif
