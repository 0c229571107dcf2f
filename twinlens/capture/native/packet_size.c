/* How large a packet may be: the kernel knows the MTU of our end, a test packet proves the rest of the path. */
#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "errors.h"
#include "stream.h"

enum { JUMBO = 8000, CLASSIC = 1500, SMALLEST = 576, TEST_WAIT_MS = 150 };

static uint32_t path_mtu(const struct gvcp *gvcp) {
    int mtu = CLASSIC;
    socklen_t size = sizeof mtu;
    if (getsockopt(gvcp->socket, IPPROTO_IP, IP_MTU, &mtu, &size) != 0 || mtu < SMALLEST) return CLASSIC;
    return (uint32_t)mtu;
}

/* The largest test packet that arrives within the wait, 0 when none does. */
static uint32_t await_test_packet(int receiver, struct in_addr camera, uint32_t packet_size) {
    uint8_t packet[JUMBO];
    int64_t deadline_ms = monotonic_ms() + TEST_WAIT_MS;
    for (;;) {
        int left_ms = (int)(deadline_ms - monotonic_ms());
        struct pollfd ready = {.fd = receiver, .events = POLLIN};
        if (left_ms <= 0 || poll(&ready, 1, left_ms) == 0) return 0;
        struct sockaddr_in from = {0};
        socklen_t from_size = sizeof from;
        ssize_t size =
            recvfrom(receiver, packet, sizeof packet, MSG_DONTWAIT, (struct sockaddr *)&from, &from_size);
        if (size <= 0 || from.sin_addr.s_addr != camera.s_addr) continue;
        uint32_t arrived = (uint32_t)size + IP_UDP_HEADERS;
        if (arrived >= packet_size) return arrived;
    }
}

static uint32_t test(struct device *device, int receiver, uint16_t port, uint32_t packet_size) {
    struct gvcp *gvcp = &device->gvcp;
    uint32_t local = ntohl(gvcp_local_address(gvcp).s_addr);
    bool asked =
        gvcp_write_register(gvcp, REGISTER_STREAM_DESTINATION, local) == GC_ERR_SUCCESS &&
        gvcp_write_register(gvcp, REGISTER_STREAM_PORT, port) == GC_ERR_SUCCESS &&
        gvcp_write_register(gvcp, REGISTER_STREAM_PACKET_SIZE, FIRE_TEST_PACKET | DO_NOT_FRAGMENT | packet_size) ==
            GC_ERR_SUCCESS;
    return asked ? await_test_packet(receiver, device->identity.address.sin_addr, packet_size) : 0;
}

/* Some cameras send no test packets; then only the loopback, which has no switch, is trusted with large ones. */
static uint32_t choose(struct device *device, int receiver, uint16_t port) {
    uint32_t mtu = path_mtu(&device->gvcp);
    uint32_t small = (mtu < CLASSIC ? mtu : CLASSIC) & ~3u; /* cameras take multiples of 4 */
    if (mtu < JUMBO || test(device, receiver, port, JUMBO) > 0) return mtu < JUMBO ? small : JUMBO;
    if (test(device, receiver, port, small) > 0) return small;
    bool loopback = ntohl(device->identity.address.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    return loopback ? JUMBO : small;
}

GC_ERROR packet_size_negotiate(struct device *device, uint32_t *packet_size) {
    struct sockaddr_in local = {.sin_family = AF_INET, .sin_addr = gvcp_local_address(&device->gvcp)};
    socklen_t size = sizeof local;
    int receiver = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (receiver < 0 || bind(receiver, (struct sockaddr *)&local, sizeof local) != 0 ||
        getsockname(receiver, (struct sockaddr *)&local, &size) != 0) {
        if (receiver >= 0) close(receiver);
        return fail(GC_ERR_IO, "%s: no socket for test packets", device->gvcp.who);
    }
    *packet_size = choose(device, receiver, ntohs(local.sin_port));
    close(receiver);
    GC_ERROR result = gvcp_write_register(&device->gvcp, REGISTER_STREAM_PORT, 0);
    if (result != GC_ERR_SUCCESS) return result;
    return gvcp_write_register(&device->gvcp, REGISTER_STREAM_PACKET_SIZE, DO_NOT_FRAGMENT | *packet_size);
}
