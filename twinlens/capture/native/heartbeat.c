/* Reads the control privilege three times per heartbeat timeout; any command from us resets the camera's timer. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "device.h"
#include "errors.h"

enum { BEATS_PER_TIMEOUT = 3, DEFAULT_TIMEOUT_MS = 3000, SHORTEST_PERIOD_MS = 50 };

static void *beat(void *argument) {
    struct device *device = argument;
    struct pollfd stop = {.fd = device->stop_event, .events = POLLIN};
    while (poll(&stop, 1, (int)device->heartbeat_period_ms) <= 0) {
        uint32_t privilege;
        /* A silent camera is noticed by whoever reads next; the beat itself just goes on. */
        (void)gvcp_read_register(&device->gvcp, REGISTER_CONTROL_PRIVILEGE, &privilege);
    }
    return NULL;
}

GC_ERROR heartbeat_start(struct device *device) {
    uint32_t timeout_ms = DEFAULT_TIMEOUT_MS;
    (void)gvcp_read_register(&device->gvcp, REGISTER_HEARTBEAT_TIMEOUT_MS, &timeout_ms);
    if (timeout_ms == 0 || timeout_ms > 60000) timeout_ms = DEFAULT_TIMEOUT_MS;
    uint32_t period_ms = timeout_ms / BEATS_PER_TIMEOUT;
    device->heartbeat_period_ms = period_ms < SHORTEST_PERIOD_MS ? SHORTEST_PERIOD_MS : period_ms;
    device->stop_event = eventfd(0, EFD_CLOEXEC);
    if (device->stop_event < 0) return fail(GC_ERR_IO, "%s: no event for the heartbeat", device->gvcp.who);
    int error = pthread_create(&device->heartbeat, NULL, beat, device);
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
