/* Layout of the acknowledge: the first 0xF8 bytes of the bootstrap registers (GigE Vision, DISCOVERY_ACK). */
#include "identity.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "bytes.h"
#include "errors.h"

enum { ACKNOWLEDGE_SIZE = 248 };

/* Copies a fixed field, up to its first zero, without what would break a line. */
static void copy_field(char *text, const uint8_t *field, size_t size) {
    size_t length = 0;
    while (length < size && field[length] >= ' ') length++;
    memcpy(text, field, length);
    text[length] = 0;
}

bool identity_parse(const struct gvcp_acknowledge *acknowledge, struct camera_identity *camera) {
    if (acknowledge->code != GVCP_DISCOVERY + 1 || acknowledge->status != 0) return false;
    if (acknowledge->size < ACKNOWLEDGE_SIZE) return false;
    const uint8_t *data = acknowledge->payload;
    *camera = (struct camera_identity){.ip = get_u32(data + 36), .mask = get_u32(data + 52)};
    camera->gateway = get_u32(data + 68);
    memcpy(camera->mac, data + 10, sizeof camera->mac);
    copy_field(camera->vendor, data + 72, 32);
    copy_field(camera->model, data + 104, 32);
    copy_field(camera->version, data + 136, 32);
    copy_field(camera->serial, data + 216, 16);
    copy_field(camera->user_name, data + 232, 16);
    const uint8_t *mac = camera->mac;
    snprintf(camera->id, sizeof camera->id, "%s-%02x%02x%02x%02x%02x%02x", camera->serial, mac[0], mac[1], mac[2],
             mac[3], mac[4], mac[5]);
    return true;
}

static const char *dotted(uint32_t address, char *text) {
    struct in_addr network_order = {.s_addr = htonl(address)};
    return inet_ntop(AF_INET, &network_order, text, INET_ADDRSTRLEN);
}

GC_ERROR identity_explain_unreachable(const struct camera_identity *camera) {
    char theirs[INET_ADDRSTRLEN], ours[INET_ADDRSTRLEN], mask[INET_ADDRSTRLEN];
    return fail(GC_ERR_ACCESS_DENIED,
                "camera %s has the address %s, which is not in the network of %s (%s, mask %s): give it an address "
                "that fits (GevDeviceForceIP)",
                camera->serial, dotted(camera->ip, theirs), camera->interface_name, dotted(camera->host_ip, ours),
                dotted(camera->host_mask, mask));
}
