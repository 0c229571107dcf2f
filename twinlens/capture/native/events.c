/* GC...Event and Event...: registering and waiting, for every sort of event. */
#include "events.h"

#include <stdlib.h>
#include <time.h>

#include "device.h"
#include "errors.h"
#include "stream.h"

static void event_interrupt(struct module *module) {
    struct event *event = (struct event *)module;
    pthread_mutex_lock(event->lock);
    event->closing = true;
    pthread_cond_broadcast(event->changed);
    pthread_mutex_unlock(event->lock);
}

static void event_destroy(struct module *module) {
    struct event *event = (struct event *)module;
    pthread_mutex_lock(event->lock);
    if (*event->registered == event) *event->registered = NULL;
    pthread_mutex_unlock(event->lock);
    free(event);
}

static const struct module_class event_class = {
    .kind = KIND_EVENT,
    .name = "event",
    .interrupt = event_interrupt,
    .destroy = event_destroy,
};

/* False when this module has no such event. */
static bool init_event(struct event *event, struct module *source, int32_t type) {
    enum module_kind kind = source->class->kind;
    if (kind == KIND_STREAM && type == EVENT_NEW_BUFFER)
        new_buffer_event_init(event, (struct stream *)source);
    else if (kind == KIND_DEVICE && (type == EVENT_MODULE || type == EVENT_ERROR))
        loss_event_init(event, (struct device *)source, type);
    else
        return false;
    return true;
}

static GC_ERROR add_event(struct module *source, int32_t type, EVENT_HANDLE *handle) {
    struct event *event = calloc(1, sizeof *event);
    if (event == NULL) return fail(GC_ERR_OUT_OF_MEMORY, "no memory for the event");
    if (!init_event(event, source, type)) {
        free(event);
        return fail(GC_ERR_NOT_IMPLEMENTED, "the %s module has no event %d", source->class->name, type);
    }
    pthread_mutex_lock(event->lock);
    bool taken = *event->registered != NULL;
    if (!taken) {
        *event->registered = event;
        event->fired_before = event->kind->count_fired(event);
    }
    pthread_mutex_unlock(event->lock);
    if (!taken && module_publish(&event->module, &event_class, source)) {
        *handle = event->module.handle;
        return GC_ERR_SUCCESS;
    }
    event_destroy(&event->module);
    return taken ? fail(GC_ERR_RESOURCE_IN_USE, "event %d is registered already", type)
                 : fail(GC_ERR_OUT_OF_MEMORY, "no memory for the event");
}

GC_API GCRegisterEvent(EVENTSRC_HANDLE source, int32_t type, EVENT_HANDLE *handle) {
    struct module *module = module_borrow(source, KIND_ANY & ~KIND_EVENT);
    if (module == NULL) return GC_ERR_INVALID_HANDLE;
    if (handle == NULL) return module_return(module, fail(GC_ERR_INVALID_PARAMETER, "the handle pointer is NULL"));
    return module_return(module, add_event(module, type, handle));
}

/* The registered event of this sort, borrowed; or NULL. */
static struct module *find_event(struct module *source, int32_t type) {
    for (uint32_t index = 0;; index++) {
        struct module *module = module_child(source, KIND_EVENT, index);
        if (module == NULL || ((struct event *)module)->kind->type == type) return module;
        module_return(module, GC_ERR_SUCCESS);
    }
}

GC_API GCUnregisterEvent(EVENTSRC_HANDLE source, int32_t type) {
    struct module *module = module_borrow(source, KIND_ANY & ~KIND_EVENT);
    if (module == NULL) return GC_ERR_INVALID_HANDLE;
    struct module *event = find_event(module, type);
    GC_ERROR result = event == NULL ? fail(GC_ERR_INVALID_ID, "event %d is not registered", type) : module_close(event);
    return module_return(module, result);
}

void monotonic_condition_init(pthread_cond_t *condition) {
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

static struct timespec deadline_after(uint64_t timeout_ms) {
    enum { LONGEST_S = 100 * 365 * 24 * 3600L };
    struct timespec deadline;
    clock_gettime(CLOCK_MONOTONIC, &deadline);
    uint64_t seconds = timeout_ms / 1000;
    deadline.tv_sec += (time_t)(seconds < LONGEST_S ? seconds : LONGEST_S);
    deadline.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    if (deadline.tv_nsec >= 1000000000) {
        deadline.tv_sec++;
        deadline.tv_nsec -= 1000000000;
    }
    return deadline;
}

/* Waits, under the lock, until data is there or waiting has no point. */
static GC_ERROR await_data(struct event *event, uint64_t timeout_ms) {
    struct timespec deadline = deadline_after(timeout_ms);
    uint64_t since = UINT64_MAX;
    bool late = timeout_ms == 0;
    for (;;) {
        if (event->closing) return fail(GC_ERR_ABORT, "the event is being closed");
        if (event->kills > 0) {
            event->kills--;
            return fail(GC_ERR_ABORT, "EventKill was called");
        }
        GC_ERROR result = event->kind->check(event, &since);
        if (result != GC_ERR_TIMEOUT) return result;
        if (late) return fail(GC_ERR_TIMEOUT, "nothing happened within %llu ms", (unsigned long long)timeout_ms);
        late = pthread_cond_timedwait(event->changed, event->lock, &deadline) != 0;
    }
}

static struct event *borrow(EVENT_HANDLE handle) { return (struct event *)module_borrow(handle, KIND_EVENT); }

static GC_ERROR get_data(struct event *event, void *target, size_t *size, uint64_t timeout_ms) {
    if (target == NULL || size == NULL) return fail(GC_ERR_INVALID_PARAMETER, "a pointer is NULL");
    if (*size < event->kind->size)
        return fail(GC_ERR_BUFFER_TOO_SMALL, "this event needs %zu bytes", event->kind->size);
    pthread_mutex_lock(event->lock);
    GC_ERROR result = await_data(event, timeout_ms);
    if (result == GC_ERR_SUCCESS) event->kind->take(event, target, size);
    pthread_mutex_unlock(event->lock);
    return result;
}

GC_API EventGetData(EVENT_HANDLE handle, void *target, size_t *size, uint64_t timeout_ms) {
    struct event *event = borrow(handle);
    if (event == NULL) return GC_ERR_INVALID_HANDLE;
    return module_return(&event->module, get_data(event, target, size, timeout_ms));
}

GC_API EventGetDataInfo(EVENT_HANDLE handle, const void *data, size_t data_size, int32_t command, INFO_DATATYPE *type,
                        void *buffer, size_t *size) {
    struct answer answer = {type, buffer, size};
    struct event *event = borrow(handle);
    if (event == NULL) return GC_ERR_INVALID_HANDLE;
    GC_ERROR result = data == NULL ? fail(GC_ERR_INVALID_PARAMETER, "the event data is NULL")
                                   : event->kind->explain(data, data_size, command, &answer);
    return module_return(&event->module, result);
}

static GC_ERROR event_info(struct event *event, int32_t command, const struct answer *answer) {
    pthread_mutex_lock(event->lock);
    uint64_t waiting = event->kind->count_waiting(event);
    uint64_t fired = event->kind->count_fired(event) - event->fired_before;
    pthread_mutex_unlock(event->lock);
    switch (command) {
        case EVENT_EVENT_TYPE: return answer_i32(answer, event->kind->type);
        case EVENT_NUM_IN_QUEUE: return answer_size(answer, waiting);
        case EVENT_NUM_FIRED: return answer_u64(answer, fired);
        case EVENT_SIZE_MAX:
        case EVENT_INFO_DATA_SIZE_MAX: return answer_size(answer, event->kind->size);
        default: return answer_unknown(command);
    }
}

GC_API EventGetInfo(EVENT_HANDLE handle, int32_t command, INFO_DATATYPE *type, void *buffer, size_t *size) {
    struct answer answer = {type, buffer, size};
    struct event *event = borrow(handle);
    if (event == NULL) return GC_ERR_INVALID_HANDLE;
    return module_return(&event->module, event_info(event, command, &answer));
}

GC_API EventFlush(EVENT_HANDLE handle) {
    struct event *event = borrow(handle);
    if (event == NULL) return GC_ERR_INVALID_HANDLE;
    pthread_mutex_lock(event->lock);
    event->kind->flush(event);
    pthread_mutex_unlock(event->lock);
    return module_return(&event->module, GC_ERR_SUCCESS);
}

GC_API EventKill(EVENT_HANDLE handle) {
    struct event *event = borrow(handle);
    if (event == NULL) return GC_ERR_INVALID_HANDLE;
    pthread_mutex_lock(event->lock);
    event->kills++;
    pthread_cond_broadcast(event->changed);
    pthread_mutex_unlock(event->lock);
    return module_return(&event->module, GC_ERR_SUCCESS);
}
