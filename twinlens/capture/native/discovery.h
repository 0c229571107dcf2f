/* Which cameras answer: unicast discovery to the addresses listed in TWINLENS_GEV_DEVICES. */
#ifndef TWINLENS_DISCOVERY_H
#define TWINLENS_DISCOVERY_H

#include <netinet/in.h>
#include <stdint.h>

#include "gentl_abi.h"

enum { CAMERAS_MAX = 64 };

/* What a camera says about itself in the discovery acknowledge. */
struct camera_identity {
    struct sockaddr_in address;
    char id[64]; /* stable and unique: serial number and MAC address */
    char vendor[33];
    char model[33];
    char version[33];
    char serial[17];
    char user_name[17];
};

/* Ask every listed address; ends when all have answered or after `timeout_ms`. Order of the list, no duplicates. */
GC_ERROR discover(struct camera_identity *cameras, uint32_t *count, uint64_t timeout_ms);

#endif
