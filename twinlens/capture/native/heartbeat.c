/* The thread that keeps control of a camera and notices when it is gone.
 *
 * It reads the control privilege: any command from us resets the camera's timer, and the value tells whether the
 * camera still belongs to somebody. Who that is, is read from the owner registers where the camera has them; where it
 * has none, writing our privilege again is refused as soon as it is no longer ours.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "device.h"
#include "errors.h"

enum { BEATS_PER_TIMEOUT = 3, DEFAULT_TIMEOUT_MS = 3000, SHORTEST_PERIOD_MS = 50, LONGEST_PERIOD_MS = 500 };

GC_ERROR heartbeat_read_owner(struct device *device, struct sockaddr_in *owner) {
    uint32_t address = 0, port = 0;
    GC_ERROR result = gvcp_read_register(&device->gvcp, REGISTER_OWNER_ADDRESS, &address);
    if (result == GC_ERR_SUCCESS) result = gvcp_read_register(&device->gvcp, REGISTER_OWNER_PORT, &port);
    *owner = (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(address)};
    return result;
}

static bool is_ours(const struct device *device, const struct sockaddr_in *owner) {
    struct sockaddr_in local = gvcp_local_end(&device->gvcp);
    return owner->sin_addr.s_addr == local.sin_addr.s_addr && owner->sin_port == local.sin_port;
}

static void check_owner(struct device *device) {
    struct sockaddr_in owner;
    char address[INET_ADDRSTRLEN];
    GC_ERROR result = device->tells_owner ? heartbeat_read_owner(device, &owner)
                                          : gvcp_write_register(&device->gvcp, REGISTER_CONTROL_PRIVILEGE,
                                                                device_privilege(device->access));
    if (result == GC_ERR_ACCESS_DENIED) { /* one with exclusive access hides its address, too */
        gvcp_lose(&device->gvcp, "another application took control of it");
    } else if (result == GC_ERR_SUCCESS && device->tells_owner && !is_ours(device, &owner)) {
        inet_ntop(AF_INET, &owner.sin_addr, address, sizeof address);
        gvcp_lose(&device->gvcp, "control was taken by %s, port %u", address, ntohs(owner.sin_port));
    }
}

static void beat(struct device *device) {
    uint32_t privilege = 0;
    GC_ERROR result = gvcp_read_register(&device->gvcp, REGISTER_CONTROL_PRIVILEGE, &privilege);
    if (!device_may_write(device)) return; /* who only reads controls nothing: an answer, whatever it is, will do */
    if (result == GC_ERR_ACCESS_DENIED)
        gvcp_lose(&device->gvcp, "another application took control of it");
    else if (result == GC_ERR_SUCCESS && (privilege & (PRIVILEGE_EXCLUSIVE | PRIVILEGE_CONTROL)) == 0)
        gvcp_lose(&device->gvcp, "the camera took control away; it was restarted, or heard nothing from this computer");
    else if (result == GC_ERR_SUCCESS)
        check_owner(device);
}

static void *keep_beating(void *argument) {
    struct device *device = argument;
    struct pollfd wake[] = {
        {.fd = device->stop_event, .events = POLLIN},
        {.fd = device->gvcp.lost_event, .events = POLLIN},
    };
    while (poll(wake, 2, (int)device->heartbeat_period_ms) <= 0) beat(device);
    if (wake[1].revents != 0) device_announce_loss(device);
    return NULL;
}

GC_ERROR heartbeat_start(struct device *device) {
    struct sockaddr_in owner;
    uint32_t timeout_ms = DEFAULT_TIMEOUT_MS;
    (void)gvcp_read_register(&device->gvcp, REGISTER_HEARTBEAT_TIMEOUT_MS, &timeout_ms);
    if (timeout_ms == 0 || timeout_ms > 60000) timeout_ms = DEFAULT_TIMEOUT_MS;
    uint32_t period_ms = timeout_ms / BEATS_PER_TIMEOUT;
    if (period_ms > LONGEST_PERIOD_MS) period_ms = LONGEST_PERIOD_MS;
    device->heartbeat_period_ms = period_ms < SHORTEST_PERIOD_MS ? SHORTEST_PERIOD_MS : period_ms;
    device->tells_owner = device_may_write(device) && heartbeat_read_owner(device, &owner) == GC_ERR_SUCCESS &&
                          is_ours(device, &owner);
    device->gvcp.watched = true;
    device->stop_event = eventfd(0, EFD_CLOEXEC);
    if (device->stop_event < 0) return fail(GC_ERR_IO, "%s: no event for the heartbeat", device->gvcp.who);
    int error = pthread_create(&device->heartbeat, NULL, keep_beating, device);
    if (error != 0) {
        close(device->stop_event);
        return fail(GC_ERR_IO, "%s: no heartbeat thread: %s", device->gvcp.who, strerror(error));
    }
    device->heartbeat_runs = true;
    return GC_ERR_SUCCESS;
}

void heartbeat_stop(struct device *device) {
    if (!device->heartbeat_runs) return;
    eventfd_write(device->stop_event, 1);
    pthread_join(device->heartbeat, NULL);
    close(device->stop_event);
    device->heartbeat_runs = false;
}
