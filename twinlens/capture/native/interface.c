/* IF...: the list of cameras, and what each says about itself before it is opened. */
#include "interface.h"

#include <stdlib.h>
#include <string.h>

#include "device.h"
#include "errors.h"

static void interface_destroy(struct module *module) {
    struct interface *interface = (struct interface *)module;
    pthread_mutex_destroy(&interface->lock);
    free(interface);
}

static const struct module_class interface_class = {
    .kind = KIND_INTERFACE,
    .name = "interface",
    .description = &interface_description,
    .info = interface_info,
    .set = interface_set,
    .destroy = interface_destroy,
};

GC_ERROR interface_open(struct module *system, IF_HANDLE *handle) {
    if (module_count_children(system, KIND_INTERFACE) > 0)
        return fail(GC_ERR_RESOURCE_IN_USE, "the interface is open already in this process");
    struct interface *interface = calloc(1, sizeof *interface);
    if (interface == NULL) return fail(GC_ERR_OUT_OF_MEMORY, "no memory for the interface");
    pthread_mutex_init(&interface->lock, NULL);
    if (!module_publish(&interface->module, &interface_class, system)) {
        interface_destroy(&interface->module);
        return fail(GC_ERR_OUT_OF_MEMORY, "no memory for the interface");
    }
    *handle = interface->module.handle;
    return GC_ERR_SUCCESS;
}

static struct interface *borrow(IF_HANDLE handle) { return (struct interface *)module_borrow(handle, KIND_INTERFACE); }

GC_API IFClose(IF_HANDLE handle) {
    struct interface *interface = borrow(handle);
    return interface == NULL ? GC_ERR_INVALID_HANDLE : module_close(&interface->module);
}

GC_API IFGetInfo(IF_HANDLE handle, int32_t command, INFO_DATATYPE *type, void *buffer, size_t *size) {
    struct answer answer = {type, buffer, size};
    struct interface *interface = borrow(handle);
    if (interface == NULL) return GC_ERR_INVALID_HANDLE;
    return module_return(&interface->module, interface_info(&interface->module, command, &answer));
}

GC_API IFGetParentTL(IF_HANDLE handle, TL_HANDLE *system) {
    struct interface *interface = borrow(handle);
    if (interface == NULL) return GC_ERR_INVALID_HANDLE;
    if (system == NULL)
        return module_return(&interface->module, fail(GC_ERR_INVALID_PARAMETER, "the handle pointer is NULL"));
    *system = interface->module.parent->handle;
    return module_return(&interface->module, GC_ERR_SUCCESS);
}

static bool same_cameras(const struct interface *interface, const struct camera_identity *cameras, uint32_t count) {
    if (interface->camera_count != count) return false;
    for (uint32_t index = 0; index < count; index++)
        if (strcmp(interface->cameras[index].id, cameras[index].id) != 0) return false;
    return true;
}

GC_ERROR interface_update(struct interface *interface, bool8_t *changed, uint64_t timeout_ms) {
    struct camera_identity *cameras = calloc(CAMERAS_MAX, sizeof *cameras);
    if (cameras == NULL) return fail(GC_ERR_OUT_OF_MEMORY, "no memory for discovery");
    uint32_t count = 0;
    GC_ERROR result = discover(cameras, &count, timeout_ms);
    if (result == GC_ERR_SUCCESS) {
        pthread_mutex_lock(&interface->lock);
        if (changed != NULL) *changed = !same_cameras(interface, cameras, count);
        memcpy(interface->cameras, cameras, sizeof interface->cameras);
        interface->camera_count = count;
        if (interface->selected >= count) interface->selected = 0;
        pthread_mutex_unlock(&interface->lock);
    }
    free(cameras);
    return result;
}

GC_API IFUpdateDeviceList(IF_HANDLE handle, bool8_t *changed, uint64_t timeout_ms) {
    struct interface *interface = borrow(handle);
    if (interface == NULL) return GC_ERR_INVALID_HANDLE;
    return module_return(&interface->module, interface_update(interface, changed, timeout_ms));
}

GC_API IFGetNumDevices(IF_HANDLE handle, uint32_t *count) {
    struct interface *interface = borrow(handle);
    if (interface == NULL) return GC_ERR_INVALID_HANDLE;
    if (count == NULL)
        return module_return(&interface->module, fail(GC_ERR_INVALID_PARAMETER, "the count pointer is NULL"));
    pthread_mutex_lock(&interface->lock);
    *count = interface->camera_count;
    pthread_mutex_unlock(&interface->lock);
    return module_return(&interface->module, GC_ERR_SUCCESS);
}

GC_API IFGetDeviceID(IF_HANDLE handle, uint32_t index, char *id, size_t *size) {
    struct interface *interface = borrow(handle);
    if (interface == NULL) return GC_ERR_INVALID_HANDLE;
    pthread_mutex_lock(&interface->lock);
    GC_ERROR result = index < interface->camera_count
                          ? copy_text(interface->cameras[index].id, id, size)
                          : fail(GC_ERR_INVALID_INDEX, "no camera number %u, %u found", index, interface->camera_count);
    pthread_mutex_unlock(&interface->lock);
    return module_return(&interface->module, result);
}

/* A copy of the camera with this id, from the last discovery. */
static GC_ERROR find_camera(struct interface *interface, const char *id, struct camera_identity *camera) {
    if (id == NULL) return fail(GC_ERR_INVALID_PARAMETER, "the camera id is NULL");
    GC_ERROR result = GC_ERR_INVALID_ID;
    pthread_mutex_lock(&interface->lock);
    for (uint32_t index = 0; index < interface->camera_count; index++) {
        if (strcmp(interface->cameras[index].id, id) != 0) continue;
        *camera = interface->cameras[index];
        result = GC_ERR_SUCCESS;
    }
    pthread_mutex_unlock(&interface->lock);
    if (result == GC_ERR_SUCCESS) return result;
    return fail(result, "no camera '%s' answered the last discovery (IFUpdateDeviceList)", id);
}

GC_API IFGetDeviceInfo(IF_HANDLE handle, const char *id, int32_t command, INFO_DATATYPE *type, void *buffer,
                       size_t *size) {
    struct answer answer = {type, buffer, size};
    struct camera_identity camera;
    struct interface *interface = borrow(handle);
    if (interface == NULL) return GC_ERR_INVALID_HANDLE;
    GC_ERROR result = find_camera(interface, id, &camera);
    if (result == GC_ERR_SUCCESS) result = device_answer(&interface->module, &camera, command, &answer);
    return module_return(&interface->module, result);
}

GC_API IFOpenDevice(IF_HANDLE handle, const char *id, int32_t access, DEV_HANDLE *device) {
    struct camera_identity camera;
    struct interface *interface = borrow(handle);
    if (interface == NULL) return GC_ERR_INVALID_HANDLE;
    GC_ERROR result = device == NULL ? fail(GC_ERR_INVALID_PARAMETER, "the handle pointer is NULL")
                                     : find_camera(interface, id, &camera);
    if (result == GC_ERR_SUCCESS) result = device_open(&interface->module, &camera, access, device);
    return module_return(&interface->module, result);
}
