/* The interface module: the one network, with the cameras that answered the last discovery. */
#ifndef TWINLENS_INTERFACE_H
#define TWINLENS_INTERFACE_H

#include "modules.h"

#define INTERFACE_ID "twinlens_gev_0"

/* Opens the interface as a child of the system; refuses a second time. */
GC_ERROR interface_open(struct module *system, IF_HANDLE *handle);

GC_ERROR interface_info(struct module *, int32_t command, const struct answer *);

#endif
