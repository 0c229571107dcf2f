/* The interface module: all networks in one, with the cameras that answered the last discovery. */
#ifndef TWINLENS_INTERFACE_H
#define TWINLENS_INTERFACE_H

#include <pthread.h>

#include "action.h"
#include "discovery.h"
#include "modules.h"

#define INTERFACE_ID "twinlens_gev_0"

struct interface {
    struct module module;
    pthread_mutex_t lock; /* guards all below */
    struct camera_identity cameras[CAMERAS_MAX];
    uint32_t camera_count;
    uint32_t selected; /* DeviceSelector */
    uint32_t force_ip, force_mask, force_gateway;
    struct action action;
};

/* Opens the interface as a child of the system; refuses a second time. */
GC_ERROR interface_open(struct module *system, IF_HANDLE *handle);

/* Discovers anew; `changed` may be NULL. */
GC_ERROR interface_update(struct interface *, bool8_t *changed, uint64_t timeout_ms);

/* INTERFACE_INFO_... and the nodes; the module is NULL while the interface is closed. */
GC_ERROR interface_info(struct module *, int32_t command, const struct answer *);
GC_ERROR interface_set(struct module *, int32_t command, uint64_t value);
extern const struct description interface_description;

#endif
