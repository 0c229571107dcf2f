/* Layout and flags: GigE Vision, FORCEIP_CMD. The camera acknowledges by broadcast when it cannot reach us. */
#include "force_ip.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "bytes.h"
#include "errors.h"
#include "gvcp.h"
#include "networks.h"

enum { PAYLOAD = 56, MAC_AT = 2, IP_AT = 20, MASK_AT = 36, GATEWAY_AT = 52, REQUEST = 0x7100, TRIES = 3, WAIT_MS = 500 };

static GC_ERROR check_request(const struct camera_identity *camera, uint32_t ip, uint32_t mask) {
    bool contiguous = (mask & (~mask >> 1)) == 0 && mask != 0;
    if (ip == 0 || (contiguous && (ip & ~mask) != 0 && (ip | mask) != UINT32_MAX)) return GC_ERR_SUCCESS;
    return fail(GC_ERR_INVALID_VALUE,
                "camera %s: 0x%08x is no address of a computer under the subnet mask 0x%08x "
                "(GevDeviceForceIPAddress, GevDeviceForceSubnetMask)",
                camera->serial, ip, mask);
}

/* By every network of the interface the camera was heard on, or to its address if no broadcast reached it. */
static void send_request(int both_ways, const struct camera_identity *camera, const uint8_t *packet, size_t size) {
    struct network networks[NETWORKS_MAX];
    uint32_t count = camera->by_broadcast ? networks_list(networks) : 0;
    for (uint32_t index = 0; index < count; index++)
        if (networks[index].interface_index == camera->interface_index)
            network_broadcast(both_ways, &networks[index], false, packet, size);
    if (camera->by_broadcast) return;
    (void)!sendto(both_ways, packet, size, MSG_NOSIGNAL, (const struct sockaddr *)&camera->address,
                  sizeof camera->address);
}

static bool await_acknowledge(int both_ways, uint16_t *status) {
    uint8_t packet[GVCP_LARGEST];
    struct sockaddr_in from;
    struct gvcp_acknowledge acknowledge;
    unsigned interface_index;
    int64_t deadline_ms = monotonic_ms() + WAIT_MS;
    for (;;) {
        int left_ms = (int)(deadline_ms - monotonic_ms());
        struct pollfd ready = {.fd = both_ways, .events = POLLIN};
        if (left_ms <= 0 || poll(&ready, 1, left_ms) == 0) return false;
        ssize_t size = networks_receive(both_ways, packet, sizeof packet, &from, &interface_index);
        if (size < 0 || !gvcp_parse_acknowledge(packet, (size_t)size, &acknowledge)) continue;
        if (acknowledge.code != GVCP_FORCE_IP + 1 || acknowledge.request_id != REQUEST) continue;
        *status = acknowledge.status;
        return true;
    }
}

GC_ERROR force_ip(const struct camera_identity *camera, uint32_t ip, uint32_t mask, uint32_t gateway) {
    uint8_t packet[GVCP_HEADER + PAYLOAD] = {0};
    uint8_t *payload = packet + GVCP_HEADER;
    GC_ERROR result = check_request(camera, ip, mask);
    if (result != GC_ERR_SUCCESS) return result;
    gvcp_put_header(packet, GVCP_FLAG_ACKNOWLEDGE | GVCP_FLAG_BROADCAST_ACKNOWLEDGE, GVCP_FORCE_IP, PAYLOAD, REQUEST);
    memcpy(payload + MAC_AT, camera->mac, sizeof camera->mac);
    put_u32(payload + IP_AT, ip);
    put_u32(payload + MASK_AT, mask);
    put_u32(payload + GATEWAY_AT, gateway);
    int both_ways = networks_socket();
    if (both_ways < 0) return fail(GC_ERR_IO, "no socket for FORCEIP: %s", strerror(errno));
    uint16_t status = 0;
    bool answered = false;
    for (int attempt = 0; attempt < TRIES && !answered; attempt++) {
        send_request(both_ways, camera, packet, sizeof packet);
        answered = await_acknowledge(both_ways, &status);
    }
    close(both_ways);
    if (!answered) return fail(GC_ERR_IO, "camera %s did not answer FORCEIP", camera->serial);
    if (status == 0) return GC_ERR_SUCCESS;
    return fail(GC_ERR_ACCESS_DENIED, "camera %s refused FORCEIP: %s (status 0x%04x)", camera->serial,
                gvcp_status_text(status), status);
}
