/* Layout and flags: GigE Vision 2.0, ACTION_CMD. */
#include "action.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "bytes.h"
#include "errors.h"
#include "networks.h"

enum { PAYLOAD = 12, SCHEDULED_PAYLOAD = 20 };

static size_t write_packet(uint8_t *packet, const struct action *action) {
    static atomic_uint sent;
    uint16_t payload_size = action->is_scheduled ? SCHEDULED_PAYLOAD : PAYLOAD;
    uint8_t *payload = packet + GVCP_HEADER;
    gvcp_put_header(packet, action->is_scheduled ? GVCP_FLAG_SCHEDULED : 0, GVCP_ACTION, payload_size,
                    (uint16_t)(atomic_fetch_add(&sent, 1) % UINT16_MAX + 1));
    put_u32(payload, action->device_key);
    put_u32(payload + 4, action->group_key);
    put_u32(payload + 8, action->group_mask);
    put_u32(payload + 12, (uint32_t)(action->time >> 32));
    put_u32(payload + 16, (uint32_t)action->time);
    return GVCP_HEADER + payload_size;
}

static bool is_wanted(const struct network *network, const struct camera_identity *cameras, uint32_t count) {
    for (uint32_t index = 0; index < count; index++)
        if (cameras[index].by_broadcast && cameras[index].interface_index == network->interface_index &&
            cameras[index].host_ip == network->ip)
            return true;
    return false;
}

GC_ERROR action_send(const struct action *action, const struct camera_identity *cameras, uint32_t count) {
    uint8_t packet[GVCP_HEADER + SCHEDULED_PAYLOAD];
    struct network networks[NETWORKS_MAX];
    size_t size = write_packet(packet, action);
    uint32_t network_count = networks_list(networks);
    int sender = networks_socket();
    if (sender < 0) return fail(GC_ERR_IO, "no socket for the action command: %s", strerror(errno));
    for (uint32_t index = 0; index < network_count; index++)
        if (networks[index].broadcasts && is_wanted(&networks[index], cameras, count))
            network_broadcast(sender, &networks[index], false, packet, size);
    for (uint32_t index = 0; index < count; index++)
        if (!cameras[index].by_broadcast)
            (void)!sendto(sender, packet, size, MSG_NOSIGNAL | MSG_DONTWAIT,
                          (const struct sockaddr *)&cameras[index].address, sizeof cameras[index].address);
    close(sender);
    return GC_ERR_SUCCESS;
}
