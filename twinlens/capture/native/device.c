/* Dev...: opening and closing a camera, and what is known about it. */
#include "device.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "errors.h"
#include "events.h"
#include "stream.h"

bool device_may_write(const struct device *device) { return device->access != DEVICE_ACCESS_READONLY; }

static void release_control(struct device *device) {
    heartbeat_stop(device);
    if (device_may_write(device)) (void)gvcp_write_register(&device->gvcp, REGISTER_CONTROL_PRIVILEGE, PRIVILEGE_NONE);
}

static void dispose(struct device *device) {
    gvcp_close(&device->gvcp);
    pthread_cond_destroy(&device->loss_changed);
    pthread_mutex_destroy(&device->loss_lock);
    free(device);
}

static void device_destroy(struct module *module) {
    struct device *device = (struct device *)module;
    release_control(device);
    dispose(device);
}

void device_announce_loss(struct device *device) {
    pthread_mutex_lock(&device->loss_lock);
    device->losses = 1;
    pthread_cond_broadcast(&device->loss_changed);
    pthread_mutex_unlock(&device->loss_lock);
    struct stream *stream = (struct stream *)module_child(&device->module, KIND_STREAM, 0);
    if (stream == NULL) return;
    pthread_mutex_lock(&stream->lock);
    pthread_cond_broadcast(&stream->changed);
    pthread_mutex_unlock(&stream->lock);
    module_return(&stream->module, GC_ERR_SUCCESS);
}

static const struct module_class device_class = {
    .kind = KIND_DEVICE,
    .name = "device",
    .description = &device_description,
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

GC_ERROR device_open_channel(struct gvcp *gvcp, const struct camera_identity *camera) {
    char who[96];
    char address[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &camera->address.sin_addr, address, sizeof address);
    snprintf(who, sizeof who, "camera %s at %s", camera->serial, address);
    return gvcp_open(gvcp, &camera->address, who);
}

uint32_t device_privilege(int32_t access) {
    return access == DEVICE_ACCESS_EXCLUSIVE ? PRIVILEGE_EXCLUSIVE : PRIVILEGE_CONTROL;
}

/* Somebody else has control; a camera may tell who. */
static GC_ERROR explain_denial(struct device *device) {
    struct sockaddr_in owner;
    char address[40] = "its registers do not say which";
    if (heartbeat_read_owner(device, &owner) == GC_ERR_SUCCESS)
        inet_ntop(AF_INET, &owner.sin_addr, address, sizeof address);
    return fail(GC_ERR_ACCESS_DENIED, "%s: access denied, another application controls it (%s)", device->gvcp.who,
                address);
}

static GC_ERROR take_control(struct device *device) {
    GC_ERROR result = GC_ERR_SUCCESS;
    if (device_may_write(device))
        result = gvcp_write_register(&device->gvcp, REGISTER_CONTROL_PRIVILEGE, device_privilege(device->access));
    if (result == GC_ERR_ACCESS_DENIED) return explain_denial(device);
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

struct device *device_find_open(struct module *interface, const char *id) {
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
    struct device *open = device_find_open(interface, camera->id);
    if (open != NULL)
        return module_return(&open->module, fail(GC_ERR_RESOURCE_IN_USE, "%s is open already in this process",
                                                 open->gvcp.who));
    if (!camera->reachable) return identity_explain_unreachable(camera);
    struct device *device = calloc(1, sizeof *device);
    if (device == NULL) return fail(GC_ERR_OUT_OF_MEMORY, "no memory for the device");
    device->identity = *camera;
    device->access = access;
    GC_ERROR result = device_open_channel(&device->gvcp, camera);
    if (result != GC_ERR_SUCCESS) {
        free(device);
        return result;
    }
    pthread_mutex_init(&device->loss_lock, NULL);
    monotonic_condition_init(&device->loss_changed);
    result = take_control(device);
    if (result != GC_ERR_SUCCESS) {
        dispose(device);
        return result;
    }
    read_tick_frequency(device);
    result = publish(device, interface);
    if (result == GC_ERR_SUCCESS) *handle = device->module.handle;
    return result;
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
