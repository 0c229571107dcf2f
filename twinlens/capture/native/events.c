/* GC...Event and Event...: the new-buffer event of a stream. Other modules have no events. */
#include <stdlib.h>
#include <time.h>

#include "errors.h"
#include "stream.h"

struct event {
    struct module module;
    /* all below under the stream's lock */
    uint64_t kills;         /* EventKill calls not yet answered */
    uint64_t first_counted; /* buffers delivered before registering */
    bool closing;
};

static struct stream *stream_of(const struct event *event) { return (struct stream *)event->module.parent; }

static void event_interrupt(struct module *module) {
    struct event *event = (struct event *)module;
    struct stream *stream = stream_of(event);
    pthread_mutex_lock(&stream->lock);
    event->closing = true;
    pthread_cond_broadcast(&stream->changed);
    pthread_mutex_unlock(&stream->lock);
}

static void event_destroy(struct module *module) {
    struct event *event = (struct event *)module;
    struct stream *stream = stream_of(event);
    pthread_mutex_lock(&stream->lock);
    if (stream->event == event) stream->event = NULL;
    pthread_mutex_unlock(&stream->lock);
    free(event);
}

static const struct module_class event_class = {
    .kind = KIND_EVENT,
    .name = "event",
    .interrupt = event_interrupt,
    .destroy = event_destroy,
};

static GC_ERROR add_event(struct stream *stream, EVENT_HANDLE *handle) {
    struct event *event = calloc(1, sizeof *event);
    if (event == NULL) return fail(GC_ERR_OUT_OF_MEMORY, "no memory for the event");
    pthread_mutex_lock(&stream->lock);
    bool taken = stream->event != NULL;
    if (!taken) stream->event = event;
    event->first_counted = stream->pool.total.delivered;
    pthread_mutex_unlock(&stream->lock);
    event->module.parent = &stream->module;
    if (!taken && module_publish(&event->module, &event_class, &stream->module)) {
        *handle = event->module.handle;
        return GC_ERR_SUCCESS;
    }
    event_destroy(&event->module);
    return taken ? fail(GC_ERR_RESOURCE_IN_USE, "the new-buffer event is registered already")
                 : fail(GC_ERR_OUT_OF_MEMORY, "no memory for the event");
}

GC_API GCRegisterEvent(EVENTSRC_HANDLE source, int32_t type, EVENT_HANDLE *handle) {
    struct module *module = module_borrow(source, KIND_ANY & ~KIND_EVENT);
    if (module == NULL) return GC_ERR_INVALID_HANDLE;
    if (handle == NULL) return module_return(module, fail(GC_ERR_INVALID_PARAMETER, "the handle pointer is NULL"));
    if (type != EVENT_NEW_BUFFER || module->class->kind != KIND_STREAM)
        return module_return(module, fail(GC_ERR_NOT_IMPLEMENTED, "the %s module has no event %d", module->class->name,
                                          type));
    return module_return(module, add_event((struct stream *)module, handle));
}

GC_API GCUnregisterEvent(EVENTSRC_HANDLE source, int32_t type) {
    struct module *module = module_borrow(source, KIND_ANY & ~KIND_EVENT);
    if (module == NULL) return GC_ERR_INVALID_HANDLE;
    struct module *event = type == EVENT_NEW_BUFFER ? module_child(module, KIND_EVENT, 0) : NULL;
    GC_ERROR result = event == NULL ? fail(GC_ERR_INVALID_ID, "event %d is not registered", type) : module_close(event);
    return module_return(module, result);
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

/* Waits, under the lock, until a buffer is there or waiting has no point. */
static GC_ERROR await_buffer(struct stream *stream, struct event *event, uint64_t timeout_ms) {
    struct timespec deadline = deadline_after(timeout_ms);
    uint64_t stops = stream->stops;
    bool late = timeout_ms == 0;
    for (;;) {
        if (event->closing || stream->closing) return fail(GC_ERR_ABORT, "the event is being closed");
        if (event->kills > 0) {
            event->kills--;
            return fail(GC_ERR_ABORT, "EventKill was called");
        }
        if (!TAILQ_EMPTY(&stream->pool.output)) return GC_ERR_SUCCESS;
        if (stream->stops != stops) return fail(GC_ERR_ABORT, "acquisition was stopped");
        if (late) return fail(GC_ERR_TIMEOUT, "no buffer within %llu ms", (unsigned long long)timeout_ms);
        late = pthread_cond_timedwait(&stream->changed, &stream->lock, &deadline) != 0;
    }
}

static GC_ERROR get_data(struct event *event, void *target, size_t *size, uint64_t timeout_ms) {
    if (target == NULL || size == NULL) return fail(GC_ERR_INVALID_PARAMETER, "a pointer is NULL");
    if (*size < sizeof(struct new_buffer_event))
        return fail(GC_ERR_BUFFER_TOO_SMALL, "a new-buffer event has %zu bytes", sizeof(struct new_buffer_event));
    struct stream *stream = stream_of(event);
    pthread_mutex_lock(&stream->lock);
    GC_ERROR result = await_buffer(stream, event, timeout_ms);
    if (result == GC_ERR_SUCCESS) {
        struct buffer *buffer = TAILQ_FIRST(&stream->pool.output);
        pool_move(&stream->pool, buffer, PLACE_CLIENT);
        *(struct new_buffer_event *)target = (struct new_buffer_event){buffer->module.handle, buffer->user_pointer};
        *size = sizeof(struct new_buffer_event);
    }
    pthread_mutex_unlock(&stream->lock);
    return result;
}

static struct event *borrow(EVENT_HANDLE handle) { return (struct event *)module_borrow(handle, KIND_EVENT); }

GC_API EventGetData(EVENT_HANDLE handle, void *target, size_t *size, uint64_t timeout_ms) {
    struct event *event = borrow(handle);
    if (event == NULL) return GC_ERR_INVALID_HANDLE;
    return module_return(&event->module, get_data(event, target, size, timeout_ms));
}

GC_API EventGetDataInfo(EVENT_HANDLE handle, const void *data, size_t data_size, int32_t command, INFO_DATATYPE *type,
                        void *buffer, size_t *size) {
    struct answer answer = {type, buffer, size};
    const struct new_buffer_event *fired = data;
    struct event *event = borrow(handle);
    if (event == NULL) return GC_ERR_INVALID_HANDLE;
    GC_ERROR result;
    if (fired == NULL || data_size < sizeof *fired)
        result = fail(GC_ERR_INVALID_PARAMETER, "the event data is not that of a new-buffer event");
    else if (command == EVENT_DATA_ID)
        result = answer_pointer(&answer, fired->buffer);
    else if (command == EVENT_DATA_VALUE)
        result = answer_pointer(&answer, fired->user_pointer);
    else
        result = answer_unknown(command);
    return module_return(&event->module, result);
}

static GC_ERROR event_info(struct event *event, int32_t command, const struct answer *answer) {
    struct stream *stream = stream_of(event);
    pthread_mutex_lock(&stream->lock);
    uint64_t waiting = pool_count(&stream->pool, PLACE_OUTPUT);
    uint64_t fired = stream->pool.total.delivered - event->first_counted;
    pthread_mutex_unlock(&stream->lock);
    switch (command) {
        case EVENT_EVENT_TYPE: return answer_i32(answer, EVENT_NEW_BUFFER);
        case EVENT_NUM_IN_QUEUE: return answer_size(answer, waiting);
        case EVENT_NUM_FIRED: return answer_u64(answer, fired);
        case EVENT_SIZE_MAX: return answer_size(answer, sizeof(struct new_buffer_event));
        case EVENT_INFO_DATA_SIZE_MAX: return answer_size(answer, sizeof(void *));
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
    struct stream *stream = stream_of(event);
    pthread_mutex_lock(&stream->lock);
    pool_move_all(&stream->pool, PLACE_OUTPUT, PLACE_CLIENT);
    pthread_mutex_unlock(&stream->lock);
    return module_return(&event->module, GC_ERR_SUCCESS);
}

GC_API EventKill(EVENT_HANDLE handle) {
    struct event *event = borrow(handle);
    if (event == NULL) return GC_ERR_INVALID_HANDLE;
    struct stream *stream = stream_of(event);
    pthread_mutex_lock(&stream->lock);
    event->kills++;
    pthread_cond_broadcast(&stream->changed);
    pthread_mutex_unlock(&stream->lock);
    return module_return(&event->module, GC_ERR_SUCCESS);
}
