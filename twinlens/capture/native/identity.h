/* One camera as it answered discovery: who it is, where it is, and whether we could talk to it. */
#ifndef TWINLENS_IDENTITY_H
#define TWINLENS_IDENTITY_H

#include <net/if.h>
#include <netinet/in.h>

#include "gentl_abi.h"
#include "gvcp_packets.h"

struct camera_identity {
    struct sockaddr_in address; /* of its control channel */
    char id[64];                /* stable and unique: serial number and MAC address */
    char vendor[33];
    char model[33];
    char version[33];
    char serial[17];
    char user_name[17];
    uint8_t mac[6];
    uint32_t ip, mask, gateway; /* as the camera says, host byte order */
    bool by_broadcast;          /* heard on the interface below */
    bool reachable;             /* answered a packet to its own address, or lives in the interface's network */
    unsigned interface_index;   /* 0 when only its listed address is known */
    char interface_name[IF_NAMESIZE];
    uint32_t host_ip, host_mask; /* of that interface */
};

/* False for anything that is no whole discovery acknowledge. Fills in what the camera says. */
bool identity_parse(const struct gvcp_acknowledge *, struct camera_identity *);

/* GC_ERR_ACCESS_DENIED with both addresses, for a camera that only broadcasts reach. */
GC_ERROR identity_explain_unreachable(const struct camera_identity *);

#endif
