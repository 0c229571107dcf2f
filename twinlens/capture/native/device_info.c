/* What is known about a camera: of an open one, and of one that only answered discovery. */
#include <stdio.h>

#include "device.h"
#include "errors.h"
#include "system.h"

enum { GLANCE_TRIES = 2 };

static const struct feature features[] = {
    {"DeviceID", FEATURE_TEXT, DEVICE_INFO_ID, "Identifies this camera: serial number and MAC address"},
    {"DeviceVendorName", FEATURE_TEXT, DEVICE_INFO_VENDOR, "Who made the camera"},
    {"DeviceModelName", FEATURE_TEXT, DEVICE_INFO_MODEL, "Model of the camera"},
    {"DeviceVersion", FEATURE_TEXT, DEVICE_INFO_VERSION, "Version of the camera"},
    {"DeviceSerialNumber", FEATURE_TEXT, DEVICE_INFO_SERIAL_NUMBER, "Serial number of the camera"},
    {"DeviceUserID", FEATURE_TEXT, DEVICE_INFO_USER_DEFINED_NAME, "Name the user gave the camera"},
    {"DeviceDisplayName", FEATURE_TEXT, DEVICE_INFO_DISPLAYNAME, "Name for people"},
    {"DeviceType", FEATURE_TEXT, DEVICE_INFO_TLTYPE, "Transport layer"},
    {"DeviceTimestampFrequency", FEATURE_INTEGER, DEVICE_INFO_TIMESTAMP_FREQUENCY, "Ticks per second"},
    {"DeviceIsLost", FEATURE_INTEGER, DEVICE_INFO_LOST, "1 once the camera stopped answering or lost its control"},
    {"DeviceLossReason", FEATURE_TEXT, DEVICE_INFO_LOSS_REASON, "Why the camera is lost; empty while it is not"},
};
const struct description device_description = {
    .model = "Device",
    .port_name = "DevicePort",
    .module = "TLDevice",
    .features = features,
    .feature_count = sizeof features / sizeof *features,
};

static int32_t find_access_status(struct module *interface, const struct camera_identity *camera) {
    struct device *open = device_find_open(interface, camera->id);
    if (open != NULL) {
        int32_t status =
            device_may_write(open) ? DEVICE_ACCESS_STATUS_OPEN_READWRITE : DEVICE_ACCESS_STATUS_OPEN_READONLY;
        if (atomic_load(&open->gvcp.lost)) status = DEVICE_ACCESS_STATUS_NOACCESS;
        return module_return(&open->module, status);
    }
    if (!camera->reachable) return DEVICE_ACCESS_STATUS_NOACCESS;
    struct gvcp gvcp;
    uint32_t privilege = 0;
    if (device_open_channel(&gvcp, camera) != GC_ERR_SUCCESS) return DEVICE_ACCESS_STATUS_NOACCESS;
    gvcp.tries = GLANCE_TRIES;
    GC_ERROR result = gvcp_read_register(&gvcp, REGISTER_CONTROL_PRIVILEGE, &privilege);
    gvcp_close(&gvcp);
    if (result == GC_ERR_ACCESS_DENIED) return DEVICE_ACCESS_STATUS_BUSY;
    if (result != GC_ERR_SUCCESS) return DEVICE_ACCESS_STATUS_NOACCESS;
    if (privilege & PRIVILEGE_EXCLUSIVE) return DEVICE_ACCESS_STATUS_BUSY;
    return privilege & PRIVILEGE_CONTROL ? DEVICE_ACCESS_STATUS_READONLY : DEVICE_ACCESS_STATUS_READWRITE;
}

GC_ERROR device_answer(struct module *interface, const struct camera_identity *camera, int32_t command,
                       const struct answer *answer) {
    char name[128];
    switch (command) {
        case DEVICE_INFO_ID: return answer_text(answer, camera->id);
        case DEVICE_INFO_VENDOR: return answer_text(answer, camera->vendor);
        case DEVICE_INFO_MODEL: return answer_text(answer, camera->model);
        case DEVICE_INFO_TLTYPE: return answer_text(answer, TRANSPORT);
        case DEVICE_INFO_DISPLAYNAME:
            snprintf(name, sizeof name, "%s %s (%s)", camera->vendor, camera->model, camera->serial);
            return answer_text(answer, name);
        case DEVICE_INFO_ACCESS_STATUS: return answer_i32(answer, find_access_status(interface, camera));
        case DEVICE_INFO_USER_DEFINED_NAME: return answer_text(answer, camera->user_name);
        case DEVICE_INFO_SERIAL_NUMBER: return answer_text(answer, camera->serial);
        case DEVICE_INFO_VERSION: return answer_text(answer, camera->version);
        case DEVICE_INFO_TIMESTAMP_FREQUENCY:
            return fail(GC_ERR_NOT_AVAILABLE, "the tick frequency is known once the camera is open");
        default: return answer_unknown(command);
    }
}

GC_ERROR device_info(struct module *module, int32_t command, const struct answer *answer) {
    const struct device *device = (const struct device *)module;
    if (command == DEVICE_INFO_TIMESTAMP_FREQUENCY && device->tick_frequency > 0)
        return answer_u64(answer, device->tick_frequency);
    if (command == DEVICE_INFO_LOST) return answer_u64(answer, atomic_load(&device->gvcp.lost));
    if (command == DEVICE_INFO_LOSS_REASON)
        return answer_text(answer, atomic_load(&device->gvcp.lost) ? device->gvcp.reason : "");
    return device_answer(module->parent, &device->identity, command, answer);
}
