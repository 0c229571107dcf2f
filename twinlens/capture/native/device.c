/* Dev...: opening and closing a camera, and what is known about it. */
#include "device.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "errors.h"
#include "stream.h"
#include "system.h"

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
};
static const struct description description = {
    .model = "Device",
    .port_name = "DevicePort",
    .module = "TLDevice",
    .features = features,
    .feature_count = sizeof features / sizeof *features,
};

bool device_may_write(const struct device *device) { return device->access != DEVICE_ACCESS_READONLY; }

static GC_ERROR device_info(struct module *module, int32_t command, const struct answer *answer) {
    const struct device *device = (const struct device *)module;
    if (command == DEVICE_INFO_TIMESTAMP_FREQUENCY && device->tick_frequency > 0)
        return answer_u64(answer, device->tick_frequency);
    return device_answer(module->parent, &device->identity, command, answer);
}

static void release_control(struct device *device) {
    heartbeat_stop(device);
    if (device_may_write(device)) (void)gvcp_write_register(&device->gvcp, REGISTER_CONTROL_PRIVILEGE, PRIVILEGE_NONE);
    gvcp_close(&device->gvcp);
}

static void device_destroy(struct module *module) {
    struct device *device = (struct device *)module;
    release_control(device);
    free(device);
}

static const struct module_class device_class = {
    .kind = KIND_DEVICE,
    .name = "device",
    .description = &description,
    .info = device_info,
    .destroy = device_destroy,
};

static GC_ERROR remote_info(struct module *module, int32_t command, const struct answer *answer) {
    return device_info(module->parent, command, answer);
}

static void remote_destroy(struct module *module) { free(module); }

static const struct module_class remote_class = {
    .kind = KIND_REMOTE,
    .name = "remote device",
    .info = remote_info,
    .destroy = remote_destroy,
};

static GC_ERROR open_channel(struct gvcp *gvcp, const struct camera_identity *camera) {
    char who[96];
    char address[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &camera->address.sin_addr, address, sizeof address);
    snprintf(who, sizeof who, "camera %s at %s", camera->serial, address);
    return gvcp_open(gvcp, &camera->address, who);
}

static GC_ERROR take_control(struct device *device) {
    static const uint32_t privileges[] = {
        [DEVICE_ACCESS_CONTROL] = PRIVILEGE_CONTROL,
        [DEVICE_ACCESS_EXCLUSIVE] = PRIVILEGE_EXCLUSIVE,
    };
    if (!device_may_write(device)) return GC_ERR_SUCCESS;
    GC_ERROR result = gvcp_write_register(&device->gvcp, REGISTER_CONTROL_PRIVILEGE, privileges[device->access]);
    return result == GC_ERR_SUCCESS ? heartbeat_start(device) : result;
}

static void read_tick_frequency(struct device *device) {
    uint32_t high = 0, low = 0;
    bool known = gvcp_read_register(&device->gvcp, REGISTER_TICK_FREQUENCY_HIGH, &high) == GC_ERR_SUCCESS &&
                 gvcp_read_register(&device->gvcp, REGISTER_TICK_FREQUENCY_LOW, &low) == GC_ERR_SUCCESS;
    device->tick_frequency = known ? (uint64_t)high << 32 | low : 0;
}

static GC_ERROR publish(struct device *device, struct module *interface) {
    struct remote *remote = calloc(1, sizeof *remote);
    if (remote == NULL || !module_publish(&device->module, &device_class, interface)) {
        free(remote);
        device_destroy(&device->module);
        return fail(GC_ERR_OUT_OF_MEMORY, "no memory for the device");
    }
    if (module_publish(&remote->module, &remote_class, &device->module)) return GC_ERR_SUCCESS;
    free(remote);
    module_close(module_borrow(device->module.handle, KIND_DEVICE));
    return fail(GC_ERR_OUT_OF_MEMORY, "no memory for the remote port");
}

/* The open device with this id, borrowed; NULL when it is not open here. */
static struct device *find_open(struct module *interface, const char *id) {
    for (uint32_t index = 0;; index++) {
        struct device *device = (struct device *)module_child(interface, KIND_DEVICE, index);
        if (device == NULL || strcmp(device->identity.id, id) == 0) return device;
        module_return(&device->module, GC_ERR_SUCCESS);
    }
}

GC_ERROR device_open(struct module *interface, const struct camera_identity *camera, int32_t access,
                     DEV_HANDLE *handle) {
    if (access < DEVICE_ACCESS_READONLY || access > DEVICE_ACCESS_EXCLUSIVE)
        return fail(GC_ERR_INVALID_PARAMETER, "access flag %d is not read-only, control or exclusive", access);
    struct device *open = find_open(interface, camera->id);
    if (open != NULL)
        return module_return(&open->module, fail(GC_ERR_RESOURCE_IN_USE, "%s is open already in this process",
                                                 open->gvcp.who));
    struct device *device = calloc(1, sizeof *device);
    if (device == NULL) return fail(GC_ERR_OUT_OF_MEMORY, "no memory for the device");
    device->identity = *camera;
    device->access = access;
    GC_ERROR result = open_channel(&device->gvcp, camera);
    if (result != GC_ERR_SUCCESS) {
        free(device);
        return result;
    }
    result = take_control(device);
    if (result != GC_ERR_SUCCESS) {
        gvcp_close(&device->gvcp);
        free(device);
        return result;
    }
    read_tick_frequency(device);
    result = publish(device, interface);
    if (result == GC_ERR_SUCCESS) *handle = device->module.handle;
    return result;
}

static int32_t find_access_status(struct module *interface, const struct camera_identity *camera) {
    struct device *open = find_open(interface, camera->id);
    if (open != NULL) {
        int32_t status =
            device_may_write(open) ? DEVICE_ACCESS_STATUS_OPEN_READWRITE : DEVICE_ACCESS_STATUS_OPEN_READONLY;
        return module_return(&open->module, status);
    }
    struct gvcp gvcp;
    uint32_t privilege = 0;
    if (open_channel(&gvcp, camera) != GC_ERR_SUCCESS) return DEVICE_ACCESS_STATUS_NOACCESS;
    GC_ERROR result = gvcp_read_register(&gvcp, REGISTER_CONTROL_PRIVILEGE, &privilege);
    gvcp_close(&gvcp);
    if (result == GC_ERR_ACCESS_DENIED) return DEVICE_ACCESS_STATUS_BUSY;
    if (result != GC_ERR_SUCCESS) return DEVICE_ACCESS_STATUS_NOACCESS;
    return privilege == PRIVILEGE_NONE ? DEVICE_ACCESS_STATUS_READWRITE : DEVICE_ACCESS_STATUS_BUSY;
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

static struct device *borrow(DEV_HANDLE handle) { return (struct device *)module_borrow(handle, KIND_DEVICE); }

GC_API DevClose(DEV_HANDLE handle) {
    struct device *device = borrow(handle);
    return device == NULL ? GC_ERR_INVALID_HANDLE : module_close(&device->module);
}

GC_API DevGetInfo(DEV_HANDLE handle, int32_t command, INFO_DATATYPE *type, void *buffer, size_t *size) {
    struct answer answer = {type, buffer, size};
    struct device *device = borrow(handle);
    if (device == NULL) return GC_ERR_INVALID_HANDLE;
    return module_return(&device->module, device_info(&device->module, command, &answer));
}

GC_API DevGetPort(DEV_HANDLE handle, PORT_HANDLE *port) {
    struct device *device = borrow(handle);
    if (device == NULL) return GC_ERR_INVALID_HANDLE;
    if (port == NULL)
        return module_return(&device->module, fail(GC_ERR_INVALID_PARAMETER, "the handle pointer is NULL"));
    struct module *remote = module_child(&device->module, KIND_REMOTE, 0);
    if (remote == NULL) return module_return(&device->module, fail(GC_ERR_INVALID_HANDLE, "the device is closing"));
    *port = remote->handle;
    return module_return(&device->module, module_return(remote, GC_ERR_SUCCESS));
}

GC_API DevGetParentIF(DEV_HANDLE handle, IF_HANDLE *interface) {
    struct device *device = borrow(handle);
    if (device == NULL) return GC_ERR_INVALID_HANDLE;
    if (interface == NULL)
        return module_return(&device->module, fail(GC_ERR_INVALID_PARAMETER, "the handle pointer is NULL"));
    *interface = device->module.parent->handle;
    return module_return(&device->module, GC_ERR_SUCCESS);
}

GC_API DevGetNumDataStreams(DEV_HANDLE handle, uint32_t *count) {
    struct device *device = borrow(handle);
    if (device == NULL) return GC_ERR_INVALID_HANDLE;
    if (count == NULL)
        return module_return(&device->module, fail(GC_ERR_INVALID_PARAMETER, "the count pointer is NULL"));
    *count = 1;
    return module_return(&device->module, GC_ERR_SUCCESS);
}

GC_API DevGetDataStreamID(DEV_HANDLE handle, uint32_t index, char *id, size_t *size) {
    struct device *device = borrow(handle);
    if (device == NULL) return GC_ERR_INVALID_HANDLE;
    if (index != 0) return module_return(&device->module, fail(GC_ERR_INVALID_INDEX, "there is one stream, number 0"));
    return module_return(&device->module, copy_text(STREAM_ID, id, size));
}

GC_API DevOpenDataStream(DEV_HANDLE handle, const char *id, DS_HANDLE *stream) {
    struct device *device = borrow(handle);
    if (device == NULL) return GC_ERR_INVALID_HANDLE;
    if (stream == NULL)
        return module_return(&device->module, fail(GC_ERR_INVALID_PARAMETER, "the handle pointer is NULL"));
    if (id == NULL || strcmp(id, STREAM_ID) != 0)
        return module_return(&device->module, fail(GC_ERR_INVALID_ID, "the only stream is '%s'", STREAM_ID));
    return module_return(&device->module, stream_open(device, stream));
}
