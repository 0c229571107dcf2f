/* The interface's nodes after the SFNC: what the selected camera answered, ForceIP, and action commands. */
#include "bytes.h"
#include "device.h"
#include "errors.h"
#include "force_ip.h"
#include "interface.h"
#include "system.h"

enum {
    NODE_UPDATE = INTERFACE_INFO_CUSTOM_ID,
    NODE_SELECTOR,
    NODE_IP,
    NODE_MASK,
    NODE_GATEWAY,
    NODE_MAC,
    NODE_REACHABLE,
    NODE_HOST_NAME,
    NODE_HOST_IP,
    NODE_HOST_MASK,
    NODE_FORCE_IP,
    NODE_FORCE_MASK,
    NODE_FORCE_GATEWAY,
    NODE_FORCE,
    NODE_DEVICE_KEY,
    NODE_GROUP_KEY,
    NODE_GROUP_MASK,
    NODE_SCHEDULED,
    NODE_TIME,
    NODE_ACTION,
    NODE_DEVICE, /* and above: DEVICE_INFO_... of the selected camera */
};
enum { UPDATE_MS = 1000 };

static const struct feature features[] = {
    {"InterfaceID", FEATURE_TEXT, INTERFACE_INFO_ID, "Identifies this interface"},
    {"InterfaceDisplayName", FEATURE_TEXT, INTERFACE_INFO_DISPLAYNAME, "Name for people"},
    {"InterfaceType", FEATURE_TEXT, INTERFACE_INFO_TLTYPE, "Transport layer"},
    {"DeviceUpdateList", FEATURE_COMMAND, NODE_UPDATE, "Look for cameras again"},
    {"DeviceSelector", FEATURE_WRITABLE_INTEGER, NODE_SELECTOR, "The camera the device nodes speak of, from 0"},
    {"DeviceID", FEATURE_TEXT, NODE_DEVICE + DEVICE_INFO_ID, "Identifies the selected camera"},
    {"DeviceVendorName", FEATURE_TEXT, NODE_DEVICE + DEVICE_INFO_VENDOR, "Who made it"},
    {"DeviceModelName", FEATURE_TEXT, NODE_DEVICE + DEVICE_INFO_MODEL, "Its model"},
    {"DeviceSerialNumber", FEATURE_TEXT, NODE_DEVICE + DEVICE_INFO_SERIAL_NUMBER, "Its serial number"},
    {"DeviceAccessStatus", FEATURE_INTEGER, NODE_DEVICE + DEVICE_INFO_ACCESS_STATUS,
     "1 free, 2 readable, 3 not reachable, 4 in use elsewhere, 5 and 6 open here"},
    {"GevDeviceIPAddress", FEATURE_IPV4, NODE_IP, "Address it has"},
    {"GevDeviceSubnetMask", FEATURE_IPV4, NODE_MASK, "Subnet mask it has"},
    {"GevDeviceGateway", FEATURE_IPV4, NODE_GATEWAY, "Gateway it has"},
    {"GevDeviceMACAddress", FEATURE_MAC, NODE_MAC, "Its hardware address"},
    {"GevDeviceIsReachable", FEATURE_INTEGER, NODE_REACHABLE, "0 when its address is in a network of its own"},
    {"GevDeviceInterfaceName", FEATURE_TEXT, NODE_HOST_NAME, "Network interface of this computer it answered by"},
    {"GevInterfaceSubnetIPAddress", FEATURE_IPV4, NODE_HOST_IP, "Address of that interface"},
    {"GevInterfaceSubnetMask", FEATURE_IPV4, NODE_HOST_MASK, "Subnet mask of that interface"},
    {"GevDeviceForceIPAddress", FEATURE_WRITABLE_IPV4, NODE_FORCE_IP, "Address to give it until its next restart"},
    {"GevDeviceForceSubnetMask", FEATURE_WRITABLE_IPV4, NODE_FORCE_MASK, "Subnet mask to give it"},
    {"GevDeviceForceGateway", FEATURE_WRITABLE_IPV4, NODE_FORCE_GATEWAY, "Gateway to give it, 0.0.0.0 for none"},
    {"GevDeviceForceIP", FEATURE_COMMAND, NODE_FORCE, "Give it these; then DeviceUpdateList"},
    {"ActionDeviceKey", FEATURE_WRITABLE_INTEGER, NODE_DEVICE_KEY, "Cameras with this key are meant"},
    {"ActionGroupKey", FEATURE_WRITABLE_INTEGER, NODE_GROUP_KEY, "Their actions of this group are meant"},
    {"ActionGroupMask", FEATURE_WRITABLE_INTEGER, NODE_GROUP_MASK, "Of those, actions with a common bit here"},
    {"ActionScheduledTimeEnable", FEATURE_WRITABLE_INTEGER, NODE_SCHEDULED, "1: act at ActionScheduledTime"},
    {"ActionScheduledTime", FEATURE_WRITABLE_INTEGER, NODE_TIME, "Time of the synchronised camera clocks, ticks"},
    {"ActionCommand", FEATURE_COMMAND, NODE_ACTION, "Send the action command to all cameras at once"},
};
const struct description interface_description = {
    .model = "Interface",
    .port_name = "InterfacePort",
    .module = "TLInterface",
    .features = features,
    .feature_count = sizeof features / sizeof *features,
};

static uint64_t mac_number(const struct camera_identity *camera) {
    return (uint64_t)get_u16(camera->mac) << 32 | get_u32(camera->mac + 2);
}

static GC_ERROR selected_camera(struct interface *interface, struct camera_identity *camera) {
    pthread_mutex_lock(&interface->lock);
    uint32_t selected = interface->selected, count = interface->camera_count;
    if (selected < count) *camera = interface->cameras[selected];
    pthread_mutex_unlock(&interface->lock);
    if (selected < count) return GC_ERR_SUCCESS;
    return fail(GC_ERR_NOT_AVAILABLE, "DeviceSelector is %u, and %u cameras answered", selected, count);
}

static GC_ERROR answer_camera(struct interface *interface, int32_t command, const struct answer *answer) {
    struct camera_identity camera;
    GC_ERROR result = selected_camera(interface, &camera);
    if (result != GC_ERR_SUCCESS) return result;
    switch (command) {
        case NODE_IP: return answer_u64(answer, camera.ip);
        case NODE_MASK: return answer_u64(answer, camera.mask);
        case NODE_GATEWAY: return answer_u64(answer, camera.gateway);
        case NODE_MAC: return answer_u64(answer, mac_number(&camera));
        case NODE_REACHABLE: return answer_u64(answer, camera.reachable);
        case NODE_HOST_NAME: return answer_text(answer, camera.interface_name);
        case NODE_HOST_IP: return answer_u64(answer, camera.host_ip);
        case NODE_HOST_MASK: return answer_u64(answer, camera.host_mask);
        default: return device_answer(&interface->module, &camera, command - NODE_DEVICE, answer);
    }
}

/* The settings of this module, each guarded by its lock; 0 when the command is another. */
static uint64_t read_setting(struct interface *interface, int32_t command) {
    switch (command) {
        case NODE_SELECTOR: return interface->selected;
        case NODE_FORCE_IP: return interface->force_ip;
        case NODE_FORCE_MASK: return interface->force_mask;
        case NODE_FORCE_GATEWAY: return interface->force_gateway;
        case NODE_DEVICE_KEY: return interface->action.device_key;
        case NODE_GROUP_KEY: return interface->action.group_key;
        case NODE_GROUP_MASK: return interface->action.group_mask;
        case NODE_SCHEDULED: return interface->action.is_scheduled;
        default: return interface->action.time;
    }
}

GC_ERROR interface_info(struct module *module, int32_t command, const struct answer *answer) {
    struct interface *interface = (struct interface *)module;
    if (command == INTERFACE_INFO_ID) return answer_text(answer, INTERFACE_ID);
    if (command == INTERFACE_INFO_DISPLAYNAME) return answer_text(answer, "GigE Vision cameras on all networks");
    if (command == INTERFACE_INFO_TLTYPE) return answer_text(answer, TRANSPORT);
    if (module == NULL || command < NODE_SELECTOR || command > NODE_DEVICE + DEVICE_INFO_TIMESTAMP_FREQUENCY)
        return answer_unknown(command);
    bool of_camera = (command >= NODE_IP && command <= NODE_HOST_MASK) || command >= NODE_DEVICE;
    if (of_camera) return answer_camera(interface, command, answer);
    pthread_mutex_lock(&interface->lock);
    uint64_t value = read_setting(interface, command);
    pthread_mutex_unlock(&interface->lock);
    return answer_u64(answer, value);
}

static GC_ERROR force_selected(struct interface *interface) {
    struct camera_identity camera;
    GC_ERROR result = selected_camera(interface, &camera);
    if (result != GC_ERR_SUCCESS) return result;
    pthread_mutex_lock(&interface->lock);
    uint32_t ip = interface->force_ip, mask = interface->force_mask, gateway = interface->force_gateway;
    pthread_mutex_unlock(&interface->lock);
    return force_ip(&camera, ip, mask, gateway);
}

static GC_ERROR fire_action(struct interface *interface) {
    pthread_mutex_lock(&interface->lock); /* held while sending, which does not wait */
    GC_ERROR result = action_send(&interface->action, interface->cameras, interface->camera_count);
    pthread_mutex_unlock(&interface->lock);
    return result;
}

/* Success when the value was taken; the caller holds the lock. */
static GC_ERROR write_setting(struct interface *interface, int32_t command, uint64_t value) {
    if (command != NODE_TIME && value > UINT32_MAX)
        return fail(GC_ERR_INVALID_VALUE, "%llu does not fit into 32 bits", (unsigned long long)value);
    uint32_t word = (uint32_t)value;
    switch (command) {
        case NODE_SELECTOR: interface->selected = word; return GC_ERR_SUCCESS;
        case NODE_FORCE_IP: interface->force_ip = word; return GC_ERR_SUCCESS;
        case NODE_FORCE_MASK: interface->force_mask = word; return GC_ERR_SUCCESS;
        case NODE_FORCE_GATEWAY: interface->force_gateway = word; return GC_ERR_SUCCESS;
        case NODE_DEVICE_KEY: interface->action.device_key = word; return GC_ERR_SUCCESS;
        case NODE_GROUP_KEY: interface->action.group_key = word; return GC_ERR_SUCCESS;
        case NODE_GROUP_MASK: interface->action.group_mask = word; return GC_ERR_SUCCESS;
        case NODE_SCHEDULED: interface->action.is_scheduled = word != 0; return GC_ERR_SUCCESS;
        case NODE_TIME: interface->action.time = value; return GC_ERR_SUCCESS;
        default: return answer_unknown(command);
    }
}

GC_ERROR interface_set(struct module *module, int32_t command, uint64_t value) {
    struct interface *interface = (struct interface *)module;
    if (command == NODE_UPDATE) return interface_update(interface, NULL, UPDATE_MS);
    if (command == NODE_FORCE) return force_selected(interface);
    if (command == NODE_ACTION) return fire_action(interface);
    pthread_mutex_lock(&interface->lock);
    GC_ERROR result = GC_ERR_SUCCESS;
    if (command == NODE_SELECTOR && value >= interface->camera_count)
        result = fail(GC_ERR_INVALID_VALUE, "%u cameras answered, so DeviceSelector %llu is none of them",
                      interface->camera_count, (unsigned long long)value);
    else
        result = write_setting(interface, command, value);
    pthread_mutex_unlock(&interface->lock);
    return result;
}
