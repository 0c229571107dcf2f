/* GC...Port: registers of the camera over GVCP, and of our own modules from their feature tables. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device.h"
#include "errors.h"
#include "system.h"
#include "url.h"

enum { PORT_KINDS = KIND_SYSTEM | KIND_INTERFACE | KIND_DEVICE | KIND_REMOTE | KIND_STREAM };
enum { URL_SIZE = 512, URL_REGISTERS = 2 };

static bool is_remote(const struct module *module) { return module->class->kind == KIND_REMOTE; }

static struct device *device_of(struct module *remote) { return (struct device *)remote->parent; }

/* The register slot of one feature, as GenApi reads it: a zero-padded text or eight little-endian bytes. */
static GC_ERROR fill_slot(struct module *module, const struct feature *feature, uint8_t *slot) {
    memset(slot, 0, FEATURE_SLOT);
    if (feature->type == FEATURE_COMMAND) return GC_ERR_SUCCESS; /* 0: nothing is under way */
    bool is_text = feature->type == FEATURE_TEXT;
    uint64_t number = 0;
    size_t size = is_text ? FEATURE_TEXT_SIZE : sizeof number;
    struct answer answer = {.buffer = is_text ? (void *)slot : (void *)&number, .size = &size};
    GC_ERROR result = module->class->info(module, feature->command, &answer);
    if (result == GC_ERR_SUCCESS && !is_text) memcpy(slot, &number, sizeof number);
    return result;
}

/* The feature whose slot holds `size` bytes at `address`; `offset` of the address in the slot. */
static const struct feature *find_feature(const struct module *module, uint64_t address, size_t size,
                                          uint64_t *offset) {
    const struct description *description = module->class->description;
    uint64_t index = (address - FEATURE_ADDRESS) / FEATURE_SLOT;
    *offset = (address - FEATURE_ADDRESS) % FEATURE_SLOT;
    if (address >= FEATURE_ADDRESS && index < description->feature_count && size <= FEATURE_SLOT - *offset)
        return &description->features[index];
    fail(GC_ERR_INVALID_ADDRESS, "the %s module has no %zu bytes at 0x%llx", module->class->name, size,
         (unsigned long long)address);
    return NULL;
}

static GC_ERROR read_own(struct module *module, uint64_t address, uint8_t *buffer, size_t size) {
    size_t xml_size = strlen(module->xml);
    if (address >= XML_ADDRESS && address - XML_ADDRESS <= xml_size && size <= xml_size - (address - XML_ADDRESS)) {
        memcpy(buffer, module->xml + (address - XML_ADDRESS), size);
        return GC_ERR_SUCCESS;
    }
    uint64_t offset;
    uint8_t slot[FEATURE_SLOT];
    const struct feature *feature = find_feature(module, address, size, &offset);
    if (feature == NULL) return GC_ERR_INVALID_ADDRESS;
    GC_ERROR result = fill_slot(module, feature, slot);
    if (result == GC_ERR_SUCCESS) memcpy(buffer, slot + offset, size);
    return result;
}

static GC_ERROR write_own(struct module *module, uint64_t address, const uint8_t *buffer, size_t size) {
    uint64_t offset, value;
    const struct feature *feature = find_feature(module, address, size, &offset);
    if (feature == NULL) return GC_ERR_INVALID_ADDRESS;
    if (module->class->set == NULL || !feature_is_writable(feature))
        return fail(GC_ERR_ACCESS_DENIED, "%s of the %s module is read-only", feature->name, module->class->name);
    if (offset != 0 || size != sizeof value)
        return fail(GC_ERR_INVALID_ADDRESS, "%s is written whole, as %zu bytes", feature->name, sizeof value);
    memcpy(&value, buffer, sizeof value);
    return module->class->set(module, feature->command, value);
}

static GC_ERROR read_port(struct module *module, uint64_t address, void *buffer, size_t *size) {
    if (buffer == NULL || size == NULL) return fail(GC_ERR_INVALID_PARAMETER, "a pointer is NULL");
    if (is_remote(module)) return gvcp_read(&device_of(module)->gvcp, address, buffer, *size);
    return read_own(module, address, buffer, *size);
}

static GC_ERROR write_port(struct module *module, uint64_t address, const void *buffer, const size_t *size) {
    if (buffer == NULL || size == NULL) return fail(GC_ERR_INVALID_PARAMETER, "a pointer is NULL");
    if (!is_remote(module)) return write_own(module, address, buffer, *size);
    struct device *device = device_of(module);
    if (!device_may_write(device))
        return fail(GC_ERR_ACCESS_DENIED, "%s was opened read-only", device->gvcp.who);
    return gvcp_write(&device->gvcp, address, buffer, *size);
}

GC_API GCReadPort(PORT_HANDLE handle, uint64_t address, void *buffer, size_t *size) {
    struct module *module = module_borrow(handle, PORT_KINDS);
    return module == NULL ? GC_ERR_INVALID_HANDLE : module_return(module, read_port(module, address, buffer, size));
}

GC_API GCWritePort(PORT_HANDLE handle, uint64_t address, const void *buffer, size_t *size) {
    struct module *module = module_borrow(handle, PORT_KINDS);
    return module == NULL ? GC_ERR_INVALID_HANDLE : module_return(module, write_port(module, address, buffer, size));
}

static GC_ERROR for_each(PORT_HANDLE handle, struct stacked_register *entries, size_t *count, bool writing) {
    struct module *module = module_borrow(handle, PORT_KINDS);
    if (module == NULL) return GC_ERR_INVALID_HANDLE;
    if (entries == NULL || count == NULL) return module_return(module, fail(GC_ERR_INVALID_PARAMETER, "NULL pointer"));
    size_t wanted = *count;
    GC_ERROR result = GC_ERR_SUCCESS;
    for (*count = 0; *count < wanted && result == GC_ERR_SUCCESS;) {
        struct stacked_register entry = entries[*count];
        result = writing ? write_port(module, entry.address, entry.buffer, &entry.size)
                         : read_port(module, entry.address, entry.buffer, &entry.size);
        if (result == GC_ERR_SUCCESS) (*count)++;
    }
    return module_return(module, result);
}

GC_API GCReadPortStacked(PORT_HANDLE handle, struct stacked_register *entries, size_t *count) {
    return for_each(handle, entries, count, false);
}

GC_API GCWritePortStacked(PORT_HANDLE handle, struct stacked_register *entries, size_t *count) {
    return for_each(handle, entries, count, true);
}

/* The URL number `index`; text has URL_SIZE + 1 bytes and is empty when the camera has no such URL. */
static GC_ERROR find_url(struct module *module, uint32_t index, char *text) {
    static const uint32_t registers[URL_REGISTERS] = {REGISTER_FIRST_URL, REGISTER_SECOND_URL};
    memset(text, 0, URL_SIZE + 1);
    if (index >= URL_REGISTERS) return GC_ERR_SUCCESS;
    if (is_remote(module)) return gvcp_read(&device_of(module)->gvcp, registers[index], text, URL_SIZE);
    if (index == 0)
        snprintf(text, URL_SIZE, "Local:twinlens_%s.xml;%x;%zx", module->class->description->model, XML_ADDRESS,
                 strlen(module->xml));
    return GC_ERR_SUCCESS;
}

static GC_ERROR require_url(struct module *module, uint32_t index, char *text) {
    GC_ERROR result = find_url(module, index, text);
    if (result != GC_ERR_SUCCESS || text[0] != 0) return result;
    return fail(GC_ERR_INVALID_INDEX, "the %s module has no URL number %u", module->class->name, index);
}

GC_API GCGetNumPortURLs(PORT_HANDLE handle, uint32_t *count) {
    char text[URL_SIZE + 1];
    struct module *module = module_borrow(handle, PORT_KINDS);
    if (module == NULL) return GC_ERR_INVALID_HANDLE;
    if (count == NULL) return module_return(module, fail(GC_ERR_INVALID_PARAMETER, "the count pointer is NULL"));
    GC_ERROR result = find_url(module, 0, text);
    *count = text[0] != 0;
    if (result == GC_ERR_SUCCESS && find_url(module, 1, text) == GC_ERR_SUCCESS) *count += text[0] != 0;
    return module_return(module, result);
}

GC_API GCGetPortURL(PORT_HANDLE handle, char *url, size_t *size) {
    char text[URL_SIZE + 1];
    struct module *module = module_borrow(handle, PORT_KINDS);
    if (module == NULL) return GC_ERR_INVALID_HANDLE;
    GC_ERROR result = require_url(module, 0, text);
    return module_return(module, result == GC_ERR_SUCCESS ? copy_text(text, url, size) : result);
}

static GC_ERROR answer_url(const char *text, int32_t command, const struct answer *answer) {
    struct url url;
    if (command == URL_INFO_URL) return answer_text(answer, text);
    if (!url_parse(text, &url))
        return fail(GC_ERR_NOT_AVAILABLE, "'%s' does not say where the description lies", text);
    if (command == URL_INFO_SCHEME) return answer_i32(answer, url.scheme);
    if (url.scheme != URL_SCHEME_LOCAL)
        return fail(GC_ERR_NOT_AVAILABLE, "'%s' is not in the device's own memory", text);
    switch (command) {
        case URL_INFO_FILE_REGISTER_ADDRESS: return answer_u64(answer, url.address);
        case URL_INFO_FILE_SIZE: return answer_u64(answer, url.length);
        case URL_INFO_FILENAME: return answer_text(answer, url.name);
        default: return fail(GC_ERR_NOT_AVAILABLE, "URL information %d is not known", command);
    }
}

GC_API GCGetPortURLInfo(PORT_HANDLE handle, uint32_t index, int32_t command, INFO_DATATYPE *type, void *buffer,
                        size_t *size) {
    char text[URL_SIZE + 1];
    struct answer answer = {type, buffer, size};
    struct module *module = module_borrow(handle, PORT_KINDS);
    if (module == NULL) return GC_ERR_INVALID_HANDLE;
    GC_ERROR result = require_url(module, index, text);
    return module_return(module, result == GC_ERR_SUCCESS ? answer_url(text, command, &answer) : result);
}

/* Vendor, model, id and version differ in number from module to module. */
static GC_ERROR answer_identity(struct module *module, int32_t command, const struct answer *answer) {
    bool of_camera = module->class->kind & (KIND_DEVICE | KIND_REMOTE | KIND_STREAM);
    if (!of_camera) {
        if (command == PORT_INFO_ID) return module->class->info(module, 0, answer);
        if (command == PORT_INFO_VENDOR) return answer_text(answer, "twinlens");
        return answer_text(answer, command == PORT_INFO_MODEL ? "twinlens_gev" : "1.0");
    }
    struct module *device = module->class->kind == KIND_DEVICE ? module : module->parent;
    static const int32_t commands[] = {
        [PORT_INFO_ID] = DEVICE_INFO_ID,
        [PORT_INFO_VENDOR] = DEVICE_INFO_VENDOR,
        [PORT_INFO_MODEL] = DEVICE_INFO_MODEL,
        [PORT_INFO_VERSION] = DEVICE_INFO_VERSION,
    };
    return device->class->info(device, commands[command], answer);
}

static GC_ERROR port_info(struct module *module, int32_t command, const struct answer *answer) {
    const struct description *description = module->class->description;
    switch (command) {
        case PORT_INFO_ID:
        case PORT_INFO_VENDOR:
        case PORT_INFO_MODEL:
        case PORT_INFO_VERSION: return answer_identity(module, command, answer);
        case PORT_INFO_TLTYPE: return answer_text(answer, TRANSPORT);
        case PORT_INFO_MODULE: return answer_text(answer, is_remote(module) ? "Device" : description->module);
        case PORT_INFO_PORTNAME: return answer_text(answer, is_remote(module) ? "Device" : description->port_name);
        case PORT_INFO_LITTLE_ENDIAN: return answer_bool(answer, !is_remote(module));
        case PORT_INFO_BIG_ENDIAN: return answer_bool(answer, is_remote(module));
        case PORT_INFO_ACCESS_READ: return answer_bool(answer, 1);
        case PORT_INFO_ACCESS_WRITE:
            return answer_bool(answer, is_remote(module) ? device_may_write(device_of(module))
                                                         : module->class->set != NULL);
        case PORT_INFO_ACCESS_NA:
        case PORT_INFO_ACCESS_NI: return answer_bool(answer, 0);
        default: return answer_unknown(command);
    }
}

GC_API GCGetPortInfo(PORT_HANDLE handle, int32_t command, INFO_DATATYPE *type, void *buffer, size_t *size) {
    struct answer answer = {type, buffer, size};
    struct module *module = module_borrow(handle, PORT_KINDS);
    return module == NULL ? GC_ERR_INVALID_HANDLE : module_return(module, port_info(module, command, &answer));
}
