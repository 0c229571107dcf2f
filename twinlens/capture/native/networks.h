/* The IPv4 networks this computer is in, and packets that leave by a chosen one. */
#ifndef TWINLENS_NETWORKS_H
#define TWINLENS_NETWORKS_H

#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NETWORKS_MAX = 32 };

/* One address of one interface; addresses in host byte order. */
struct network {
    unsigned interface_index;
    char name[IF_NAMESIZE];
    uint32_t ip, mask, broadcast;
    bool broadcasts; /* up, and not the loopback or a point-to-point link */
};

/* At most NETWORKS_MAX; how many. */
uint32_t networks_list(struct network *);

bool network_holds(const struct network *, uint32_t ip);

/* A UDP socket that may broadcast, and learns by which interface a datagram came; -1 with errno when there is none. */
int networks_socket(void);

/* To 255.255.255.255 or, `directed`, to the network's own broadcast address. A network that is down loses it. */
void network_broadcast(int socket, const struct network *, bool directed, const uint8_t *packet, size_t size);

/* A datagram that waits, its sender and the index of the interface it came by; -1 when none waits. */
ssize_t networks_receive(int socket, uint8_t *packet, size_t room, struct sockaddr_in *from, unsigned *interface_index);

#endif
