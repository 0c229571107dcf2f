/* GC...Lib, GCGetInfo, GCGetLastError and TL...: the library itself and its one interface's door. */
#include "system.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "errors.h"
#include "interface.h"

#ifndef TWINLENS_VERSION
#define TWINLENS_VERSION "0"
#endif

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool initialised;
static struct module *opened; /* the one open system, or NULL */
static bool listed;           /* its interface list has been updated once */

static const struct feature features[] = {
    {"TLID", FEATURE_TEXT, TL_INFO_ID, "Identifies this producer"},
    {"TLVendorName", FEATURE_TEXT, TL_INFO_VENDOR, "Who made this producer"},
    {"TLModelName", FEATURE_TEXT, TL_INFO_MODEL, "Name of this producer"},
    {"TLVersion", FEATURE_TEXT, TL_INFO_VERSION, "Version of this producer"},
    {"TLFileName", FEATURE_TEXT, TL_INFO_NAME, "File name of this library"},
    {"TLPath", FEATURE_TEXT, TL_INFO_PATHNAME, "Full path of this library"},
    {"TLDisplayName", FEATURE_TEXT, TL_INFO_DISPLAYNAME, "Name for people"},
    {"TLType", FEATURE_TEXT, TL_INFO_TLTYPE, "Transport layer"},
    {"GenTLVersionMajor", FEATURE_INTEGER, TL_INFO_GENTL_VER_MAJOR, "Major version of the GenTL standard"},
    {"GenTLVersionMinor", FEATURE_INTEGER, TL_INFO_GENTL_VER_MINOR, "Minor version of the GenTL standard"},
};
static const struct description description = {
    .model = "System",
    .port_name = "TLPort",
    .module = "TLSystem",
    .features = features,
    .feature_count = sizeof features / sizeof *features,
};

static const char *library_path(void) {
    Dl_info found;
    bool known = dladdr((const void *)GCInitLib, &found) != 0 && found.dli_fname != NULL;
    return known ? found.dli_fname : "twinlens_gev.cti";
}

static GC_ERROR answer_file_name(const struct answer *answer) {
    const char *path = library_path();
    const char *slash = strrchr(path, '/');
    return answer_text(answer, slash == NULL ? path : slash + 1);
}

static GC_ERROR system_info(struct module *module, int32_t command, const struct answer *answer) {
    (void)module;
    switch (command) {
        case TL_INFO_ID:
        case TL_INFO_MODEL: return answer_text(answer, "twinlens_gev");
        case TL_INFO_VENDOR: return answer_text(answer, "twinlens");
        case TL_INFO_VERSION: return answer_text(answer, TWINLENS_VERSION);
        case TL_INFO_TLTYPE: return answer_text(answer, TRANSPORT);
        case TL_INFO_NAME: return answer_file_name(answer);
        case TL_INFO_PATHNAME: return answer_text(answer, library_path());
        case TL_INFO_DISPLAYNAME: return answer_text(answer, "twinlens GigE Vision producer");
        case TL_INFO_CHAR_ENCODING: return answer_i32(answer, TL_CHAR_ENCODING_UTF8);
        case TL_INFO_GENTL_VER_MAJOR: return answer_u32(answer, 1);
        case TL_INFO_GENTL_VER_MINOR: return answer_u32(answer, 5);
        default: return answer_unknown(command);
    }
}

static void system_destroy(struct module *module) {
    pthread_mutex_lock(&lock);
    opened = NULL;
    listed = false;
    pthread_mutex_unlock(&lock);
    free(module);
}

static const struct module_class system_class = {
    .kind = KIND_SYSTEM,
    .name = "system",
    .description = &description,
    .info = system_info,
    .destroy = system_destroy,
};

GC_API GCInitLib(void) {
    pthread_mutex_lock(&lock);
    bool again = initialised;
    initialised = true;
    pthread_mutex_unlock(&lock);
    return again ? fail(GC_ERR_RESOURCE_IN_USE, "GCInitLib was called already") : GC_ERR_SUCCESS;
}

GC_API GCCloseLib(void) {
    pthread_mutex_lock(&lock);
    bool was = initialised;
    void *handle = opened == NULL ? NULL : opened->handle;
    initialised = false;
    pthread_mutex_unlock(&lock);
    if (!was) return fail(GC_ERR_NOT_INITIALIZED, "GCInitLib was not called");
    struct module *module = handle == NULL ? NULL : module_borrow(handle, KIND_SYSTEM);
    if (module != NULL) module_close(module);
    return GC_ERR_SUCCESS;
}

GC_API GCGetInfo(int32_t command, INFO_DATATYPE *type, void *buffer, size_t *size) {
    struct answer answer = {type, buffer, size};
    return system_info(NULL, command, &answer);
}

GC_API GCGetLastError(GC_ERROR *code, char *text, size_t *size) {
    if (code != NULL) *code = last_error_code();
    if (size == NULL) return GC_ERR_INVALID_PARAMETER;
    size_t need = strlen(last_error_text()) + 1;
    size_t room = *size;
    *size = need;
    if (text == NULL) return GC_ERR_SUCCESS;
    if (room < need) return GC_ERR_BUFFER_TOO_SMALL; /* and the error asked about stays the latest */
    memcpy(text, last_error_text(), need);
    return GC_ERR_SUCCESS;
}

GC_API TLOpen(TL_HANDLE *handle) {
    if (handle == NULL) return fail(GC_ERR_INVALID_PARAMETER, "the handle pointer is NULL");
    pthread_mutex_lock(&lock);
    GC_ERROR result = GC_ERR_SUCCESS;
    if (!initialised) {
        result = fail(GC_ERR_NOT_INITIALIZED, "GCInitLib was not called");
    } else if (opened != NULL) {
        result = fail(GC_ERR_RESOURCE_IN_USE, "the system is open already in this process");
    } else {
        struct module *module = calloc(1, sizeof *module);
        if (module == NULL || !module_publish(module, &system_class, NULL)) {
            free(module);
            result = fail(GC_ERR_OUT_OF_MEMORY, "no memory for the system module");
        } else {
            opened = module;
            *handle = module->handle;
        }
    }
    pthread_mutex_unlock(&lock);
    return result;
}

GC_API TLClose(TL_HANDLE handle) {
    struct module *module = module_borrow(handle, KIND_SYSTEM);
    return module == NULL ? GC_ERR_INVALID_HANDLE : module_close(module);
}

GC_API TLGetInfo(TL_HANDLE handle, int32_t command, INFO_DATATYPE *type, void *buffer, size_t *size) {
    struct answer answer = {type, buffer, size};
    struct module *module = module_borrow(handle, KIND_SYSTEM);
    return module == NULL ? GC_ERR_INVALID_HANDLE : module_return(module, system_info(module, command, &answer));
}

GC_API TLUpdateInterfaceList(TL_HANDLE handle, bool8_t *changed, uint64_t timeout_ms) {
    (void)timeout_ms;
    struct module *module = module_borrow(handle, KIND_SYSTEM);
    if (module == NULL) return GC_ERR_INVALID_HANDLE;
    pthread_mutex_lock(&lock);
    if (changed != NULL) *changed = !listed;
    listed = true;
    pthread_mutex_unlock(&lock);
    return module_return(module, GC_ERR_SUCCESS);
}

GC_API TLGetNumInterfaces(TL_HANDLE handle, uint32_t *count) {
    struct module *module = module_borrow(handle, KIND_SYSTEM);
    if (module == NULL) return GC_ERR_INVALID_HANDLE;
    if (count == NULL) return module_return(module, fail(GC_ERR_INVALID_PARAMETER, "the count pointer is NULL"));
    *count = 1;
    return module_return(module, GC_ERR_SUCCESS);
}

GC_API TLGetInterfaceID(TL_HANDLE handle, uint32_t index, char *id, size_t *size) {
    struct module *module = module_borrow(handle, KIND_SYSTEM);
    if (module == NULL) return GC_ERR_INVALID_HANDLE;
    if (index != 0) return module_return(module, fail(GC_ERR_INVALID_INDEX, "there is one interface, number 0"));
    return module_return(module, copy_text(INTERFACE_ID, id, size));
}

GC_API TLGetInterfaceInfo(TL_HANDLE handle, const char *id, int32_t command, INFO_DATATYPE *type, void *buffer,
                          size_t *size) {
    struct answer answer = {type, buffer, size};
    struct module *module = module_borrow(handle, KIND_SYSTEM);
    if (module == NULL) return GC_ERR_INVALID_HANDLE;
    if (id == NULL || strcmp(id, INTERFACE_ID) != 0)
        return module_return(module, fail(GC_ERR_INVALID_ID, "the only interface is '%s'", INTERFACE_ID));
    return module_return(module, interface_info(NULL, command, &answer));
}

GC_API TLOpenInterface(TL_HANDLE handle, const char *id, IF_HANDLE *interface) {
    struct module *module = module_borrow(handle, KIND_SYSTEM);
    if (module == NULL) return GC_ERR_INVALID_HANDLE;
    if (interface == NULL)
        return module_return(module, fail(GC_ERR_INVALID_PARAMETER, "the handle pointer is NULL"));
    if (id == NULL || strcmp(id, INTERFACE_ID) != 0)
        return module_return(module, fail(GC_ERR_INVALID_ID, "the only interface is '%s'", INTERFACE_ID));
    return module_return(module, interface_open(module, interface));
}
