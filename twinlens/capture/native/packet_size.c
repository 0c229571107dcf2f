/* How large a packet may be: the kernel knows the MTU of our end, test packets that may not be cut prove the rest.
 *
 * 8000 bytes are preferred to the 9000 some paths carry: the headers of 9000 are 0.1 % of the traffic less, and many
 * switches and network cards end somewhere between the two. Below that, the largest size that passes is searched.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "errors.h"
#include "stream.h"

/* The camera fires before it acknowledges, so a test packet is there at once or was lost; a second one tells. */
enum { PREFERRED = 8000, CLASSIC = 1500, SMALLEST = 576, RESOLUTION = 64, TEST_WAIT_MS = 100, TEST_TRIES = 2 };

struct probe {
    struct device *device;
    int receiver;
    uint16_t port;
};

static uint32_t path_mtu(const struct gvcp *gvcp) {
    int mtu = CLASSIC;
    socklen_t size = sizeof mtu;
    if (getsockopt(gvcp->socket, IPPROTO_IP, IP_MTU, &mtu, &size) != 0 || mtu < SMALLEST) return CLASSIC;
    return (uint32_t)mtu;
}

static bool await_test_packet(const struct probe *probe, uint32_t packet_size) {
    uint8_t packet[PREFERRED];
    int64_t deadline_ms = monotonic_ms() + TEST_WAIT_MS;
    for (;;) {
        int left_ms = (int)(deadline_ms - monotonic_ms());
        struct pollfd ready = {.fd = probe->receiver, .events = POLLIN};
        if (left_ms <= 0 || poll(&ready, 1, left_ms) == 0) return false;
        struct sockaddr_in from = {0};
        socklen_t from_size = sizeof from;
        ssize_t size =
            recvfrom(probe->receiver, packet, sizeof packet, MSG_DONTWAIT, (struct sockaddr *)&from, &from_size);
        bool from_camera = from.sin_addr.s_addr == probe->device->identity.address.sin_addr.s_addr;
        /* A late packet of a smaller test proves nothing about this size. */
        if (size > 0 && from_camera && (uint32_t)size + IP_UDP_HEADERS >= packet_size) return true;
    }
}

static bool passes(const struct probe *probe, uint32_t packet_size) {
    for (int attempt = 0; attempt < TEST_TRIES; attempt++) {
        uint32_t request = FIRE_TEST_PACKET | DO_NOT_FRAGMENT | packet_size;
        if (gvcp_write_register(&probe->device->gvcp, REGISTER_STREAM_PACKET_SIZE, request) != GC_ERR_SUCCESS)
            return false; /* more than the camera can */
        if (await_test_packet(probe, packet_size)) return true;
    }
    return false;
}

/* Between a size that passes and one that does not, until they are close. */
static uint32_t bisect(const struct probe *probe, uint32_t good, uint32_t bad) {
    while (bad - good > RESOLUTION) {
        uint32_t middle = (good + bad) / 2 & ~3u; /* cameras take multiples of 4 */
        if (passes(probe, middle))
            good = middle;
        else
            bad = middle;
    }
    return good;
}

static uint32_t choose(const struct probe *probe) {
    uint32_t mtu = path_mtu(&probe->device->gvcp) & ~3u;
    uint32_t largest = mtu < PREFERRED ? mtu : PREFERRED;
    uint32_t usual = mtu < CLASSIC ? mtu : CLASSIC;
    if (passes(probe, largest)) return largest;
    if (largest > usual && passes(probe, usual)) return bisect(probe, usual, largest);
    if (usual > SMALLEST && passes(probe, SMALLEST)) return bisect(probe, SMALLEST, usual);
    return usual; /* the camera sends no test packets: every Ethernet carries this much */
}

static GC_ERROR direct_tests(const struct probe *probe) {
    struct gvcp *gvcp = &probe->device->gvcp;
    uint32_t local = ntohl(gvcp_local_address(gvcp).s_addr);
    GC_ERROR result = gvcp_write_register(gvcp, REGISTER_STREAM_DESTINATION, local);
    return result == GC_ERR_SUCCESS ? gvcp_write_register(gvcp, REGISTER_STREAM_PORT, probe->port) : result;
}

/* Sets the size; the camera has the last word, it may round to its own increment. */
static GC_ERROR settle(struct gvcp *gvcp, uint32_t *packet_size) {
    uint32_t value = 0;
    GC_ERROR result = gvcp_write_register(gvcp, REGISTER_STREAM_PORT, 0);
    if (result == GC_ERR_SUCCESS)
        result = gvcp_write_register(gvcp, REGISTER_STREAM_PACKET_SIZE, DO_NOT_FRAGMENT | *packet_size);
    if (result == GC_ERR_SUCCESS) result = gvcp_read_register(gvcp, REGISTER_STREAM_PACKET_SIZE, &value);
    if (result == GC_ERR_SUCCESS) *packet_size = value & UINT16_MAX;
    return result;
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
    struct probe probe = {.device = device, .receiver = receiver, .port = ntohs(local.sin_port)};
    GC_ERROR result = direct_tests(&probe);
    if (result == GC_ERR_SUCCESS) *packet_size = choose(&probe);
    close(receiver);
    return result == GC_ERR_SUCCESS ? settle(&device->gvcp, packet_size) : result;
}
