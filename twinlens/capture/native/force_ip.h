/* FORCEIP: giving an address to a camera that cannot be talked to, by broadcast to its hardware address. */
#ifndef TWINLENS_FORCE_IP_H
#define TWINLENS_FORCE_IP_H

#include "identity.h"

/* Addresses in host byte order; ip 0 makes the camera configure itself anew. Kept until its next restart. */
GC_ERROR force_ip(const struct camera_identity *, uint32_t ip, uint32_t mask, uint32_t gateway);

#endif
