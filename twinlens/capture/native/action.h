/* Action commands: one packet that makes several cameras act at the same moment. */
#ifndef TWINLENS_ACTION_H
#define TWINLENS_ACTION_H

#include "identity.h"

struct action {
    uint32_t device_key, group_key, group_mask;
    bool is_scheduled;
    uint64_t time; /* of the cameras' synchronised clocks, in ticks */
};

/* One broadcast for each interface that cameras were heard on, and a packet to each camera that no broadcast reaches;
 * every camera gets it once. Nothing is acknowledged: a camera that missed it makes no frame. */
GC_ERROR action_send(const struct action *, const struct camera_identity *cameras, uint32_t count);

#endif
