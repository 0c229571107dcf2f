/* One unbound socket serves all interfaces: IP_PKTINFO chooses the one a packet leaves by and tells the one it came by.
 * Bound to an interface's address, a socket would not hear a camera that answers by broadcast. */
#include "networks.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gvcp_packets.h"

static uint32_t ip_of(const struct sockaddr *address) {
    return address == NULL ? 0 : ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr);
}

uint32_t networks_list(struct network *networks) {
    struct ifaddrs *all = NULL;
    uint32_t count = 0;
    if (getifaddrs(&all) != 0) return 0;
    for (const struct ifaddrs *entry = all; entry != NULL && count < NETWORKS_MAX; entry = entry->ifa_next) {
        if (entry->ifa_addr == NULL || entry->ifa_addr->sa_family != AF_INET || !(entry->ifa_flags & IFF_UP)) continue;
        struct network *network = &networks[count++];
        *network = (struct network){.ip = ip_of(entry->ifa_addr), .mask = ip_of(entry->ifa_netmask)};
        network->broadcast = network->ip | ~network->mask;
        network->interface_index = if_nametoindex(entry->ifa_name);
        network->broadcasts = (entry->ifa_flags & IFF_BROADCAST) && !(entry->ifa_flags & IFF_LOOPBACK);
        strncpy(network->name, entry->ifa_name, sizeof network->name - 1);
    }
    freeifaddrs(all);
    return count;
}

bool network_holds(const struct network *network, uint32_t ip) {
    return ((network->ip ^ ip) & network->mask) == 0;
}

int networks_socket(void) {
    int on = 1;
    int both_ways = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (both_ways < 0) return -1;
    setsockopt(both_ways, SOL_SOCKET, SO_BROADCAST, &on, sizeof on);
    setsockopt(both_ways, IPPROTO_IP, IP_PKTINFO, &on, sizeof on);
    return both_ways;
}

/* Room for one in_pktinfo, aligned as the macros want it. */
union control {
    struct cmsghdr header;
    char room[CMSG_SPACE(sizeof(struct in_pktinfo))];
};

void network_broadcast(int socket, const struct network *network, bool directed, const uint8_t *packet, size_t size) {
    struct sockaddr_in target = {.sin_family = AF_INET, .sin_port = htons(GVCP_PORT)};
    target.sin_addr.s_addr = htonl(directed ? network->broadcast : INADDR_BROADCAST);
    struct in_pktinfo route = {.ipi_ifindex = (int)network->interface_index,
                               .ipi_spec_dst.s_addr = htonl(network->ip)};
    struct iovec vector = {(void *)packet, size};
    union control control = {0};
    struct msghdr message = {.msg_name = &target,
                             .msg_namelen = sizeof target,
                             .msg_iov = &vector,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = IPPROTO_IP;
    header->cmsg_type = IP_PKTINFO;
    header->cmsg_len = CMSG_LEN(sizeof route);
    memcpy(CMSG_DATA(header), &route, sizeof route);
    (void)!sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

ssize_t networks_receive(int socket, uint8_t *packet, size_t room, struct sockaddr_in *from,
                         unsigned *interface_index) {
    struct iovec vector = {packet, room};
    union control control = {0};
    struct msghdr message = {.msg_name = from,
                             .msg_namelen = sizeof *from,
                             .msg_iov = &vector,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    ssize_t size = recvmsg(socket, &message, MSG_DONTWAIT);
    *interface_index = 0;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); size >= 0 && header != NULL;
         header = CMSG_NXTHDR(&message, header)) {
        struct in_pktinfo route;
        if (header->cmsg_level != IPPROTO_IP || header->cmsg_type != IP_PKTINFO) continue;
        memcpy(&route, CMSG_DATA(header), sizeof route);
        *interface_index = (unsigned)route.ipi_ifindex;
    }
    return size;
}
