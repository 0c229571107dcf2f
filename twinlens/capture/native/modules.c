/* The table of open modules. One lock for the table; each module's own state has its own lock. */
#include "modules.h"

#include <pthread.h>
#include <stdlib.h>

#include "errors.h"

enum { GENERATION_SHIFT = 20, SLOT_LIMIT = 1 << GENERATION_SHIFT };

struct slot {
    struct module *module; /* NULL when free */
    uint32_t generation;   /* makes a handle of an earlier tenant invalid */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t returned = PTHREAD_COND_INITIALIZER;
static struct slot *slots;
static size_t slot_count;

static void *make_handle(size_t index) {
    return (void *)((uintptr_t)slots[index].generation << GENERATION_SHIFT | (uintptr_t)(index + 1));
}

static struct slot *find_slot(const void *handle) {
    size_t index = (uintptr_t)handle & (SLOT_LIMIT - 1);
    if (index == 0 || index > slot_count) return NULL;
    return make_handle(index - 1) == handle ? &slots[index - 1] : NULL;
}

static bool grow(void) {
    size_t count = slot_count == 0 ? 64 : 2 * slot_count;
    if (count >= SLOT_LIMIT) return false;
    struct slot *larger = realloc(slots, count * sizeof *slots);
    if (larger == NULL) return false;
    for (size_t index = slot_count; index < count; index++) larger[index] = (struct slot){NULL, 1};
    slots = larger;
    slot_count = count;
    return true;
}

bool module_publish(struct module *module, const struct module_class *class, struct module *parent) {
    module->class = class;
    module->parent = parent;
    module->borrowers = 0;
    module->children = 0;
    module->closing = false;
    module->xml = class->description == NULL ? NULL : describe(class->description);
    if (class->description != NULL && module->xml == NULL) return false;
    pthread_mutex_lock(&lock);
    size_t index = 0;
    while (index < slot_count && slots[index].module != NULL) index++;
    bool published = (parent == NULL || !parent->closing) && (index < slot_count || grow());
    if (published) {
        slots[index].module = module;
        module->handle = make_handle(index);
        if (parent != NULL) parent->children++;
    }
    pthread_mutex_unlock(&lock);
    if (!published) free(module->xml);
    return published;
}

struct module *module_borrow(void *handle, unsigned kinds) {
    pthread_mutex_lock(&lock);
    struct slot *slot = find_slot(handle);
    struct module *module = slot == NULL ? NULL : slot->module;
    if (module != NULL && (module->closing || !(module->class->kind & kinds))) module = NULL;
    if (module != NULL) module->borrowers++;
    pthread_mutex_unlock(&lock);
    if (module == NULL) fail(GC_ERR_INVALID_HANDLE, "handle %p is closed, or of another kind of module", handle);
    return module;
}

GC_ERROR module_return(struct module *module, GC_ERROR result) {
    pthread_mutex_lock(&lock);
    module->borrowers--;
    pthread_cond_broadcast(&returned);
    pthread_mutex_unlock(&lock);
    return result;
}

static struct module *find_child(const struct module *parent, unsigned kinds, uint32_t index) {
    for (size_t slot = 0; slot < slot_count; slot++) {
        struct module *module = slots[slot].module;
        if (module == NULL || module->parent != parent || module->closing || !(module->class->kind & kinds)) continue;
        if (index-- == 0) return module;
    }
    return NULL;
}

struct module *module_child(struct module *parent, unsigned kinds, uint32_t index) {
    pthread_mutex_lock(&lock);
    struct module *child = find_child(parent, kinds, index);
    if (child != NULL) child->borrowers++;
    pthread_mutex_unlock(&lock);
    return child;
}

uint32_t module_count_children(struct module *parent, unsigned kinds) {
    pthread_mutex_lock(&lock);
    uint32_t count = 0;
    while (find_child(parent, kinds, count) != NULL) count++;
    pthread_mutex_unlock(&lock);
    return count;
}

/* Wait until the closer is the only borrower and every child is gone, then forget the handle. */
static void withdraw(struct module *module) {
    pthread_mutex_lock(&lock);
    while (module->borrowers > 1 || module->children > 0) pthread_cond_wait(&returned, &lock);
    struct slot *slot = find_slot(module->handle);
    slot->module = NULL;
    slot->generation++;
    pthread_mutex_unlock(&lock);
}

/* Free a withdrawn module, and only then let its parent go. */
static void destroy(struct module *module) {
    struct module *parent = module->parent;
    free(module->xml);
    module->class->destroy(module);
    if (parent == NULL) return;
    pthread_mutex_lock(&lock);
    parent->children--;
    pthread_cond_broadcast(&returned);
    pthread_mutex_unlock(&lock);
}

GC_ERROR module_close(struct module *module) {
    pthread_mutex_lock(&lock);
    bool first = !module->closing;
    module->closing = true;
    pthread_mutex_unlock(&lock);
    if (!first) return module_return(module, fail(GC_ERR_INVALID_HANDLE, "the module is being closed already"));
    if (module->class->interrupt != NULL) module->class->interrupt(module);
    struct module *child;
    while ((child = module_child(module, KIND_ANY, 0)) != NULL) module_close(child);
    withdraw(module);
    destroy(module);
    return GC_ERR_SUCCESS;
}
