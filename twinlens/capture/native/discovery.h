/* Which cameras answer: by broadcast on every network, and at the addresses listed in TWINLENS_GEV_DEVICES. */
#ifndef TWINLENS_DISCOVERY_H
#define TWINLENS_DISCOVERY_H

#include "identity.h"

enum { CAMERAS_MAX = 64 };

/* Ask everywhere; ends when every listed address and the broadcasts had their time, at the latest after `timeout_ms`.
 * Listed cameras first, in order of the list, then the others by id; nobody twice. */
GC_ERROR discover(struct camera_identity *cameras, uint32_t *count, uint64_t timeout_ms);

#endif
