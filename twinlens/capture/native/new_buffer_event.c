/* The new-buffer event of a stream. What is in the output queue is handed over even when the camera is lost. */
#include "errors.h"
#include "events.h"
#include "stream.h"

static struct stream *stream_of(const struct event *event) { return (struct stream *)event->module.parent; }

static GC_ERROR check(struct event *event, uint64_t *stops_before) {
    struct stream *stream = stream_of(event);
    if (*stops_before == UINT64_MAX) *stops_before = stream->stops;
    if (stream->closing) return fail(GC_ERR_ABORT, "the stream is being closed");
    if (!TAILQ_EMPTY(&stream->pool.output)) return GC_ERR_SUCCESS;
    GC_ERROR result = gvcp_check(&((struct device *)stream->module.parent)->gvcp);
    if (result != GC_ERR_SUCCESS) return result;
    if (stream->stops != *stops_before) return fail(GC_ERR_ABORT, "acquisition was stopped");
    return GC_ERR_TIMEOUT;
}

static void take(struct event *event, void *target, size_t *size) {
    struct buffer_pool *pool = &stream_of(event)->pool;
    struct buffer *buffer = TAILQ_FIRST(&pool->output);
    pool_move(pool, buffer, PLACE_CLIENT);
    *(struct new_buffer_event *)target = (struct new_buffer_event){buffer->module.handle, buffer->user_pointer};
    *size = sizeof(struct new_buffer_event);
}

static GC_ERROR explain(const void *data, size_t size, int32_t command, const struct answer *answer) {
    const struct new_buffer_event *fired = data;
    if (size < sizeof *fired)
        return fail(GC_ERR_INVALID_PARAMETER, "the event data is not that of a new-buffer event");
    if (command == EVENT_DATA_ID) return answer_pointer(answer, fired->buffer);
    if (command == EVENT_DATA_VALUE) return answer_pointer(answer, fired->user_pointer);
    return answer_unknown(command);
}

static uint64_t count_waiting(const struct event *event) { return pool_count(&stream_of(event)->pool, PLACE_OUTPUT); }

static uint64_t count_fired(const struct event *event) { return stream_of(event)->pool.total.delivered; }

static void flush(struct event *event) { pool_move_all(&stream_of(event)->pool, PLACE_OUTPUT, PLACE_CLIENT); }

static const struct event_kind kind = {
    .type = EVENT_NEW_BUFFER,
    .size = sizeof(struct new_buffer_event),
    .check = check,
    .take = take,
    .explain = explain,
    .count_waiting = count_waiting,
    .count_fired = count_fired,
    .flush = flush,
};

void new_buffer_event_init(struct event *event, struct stream *stream) {
    event->module.parent = &stream->module;
    event->kind = &kind;
    event->lock = &stream->lock;
    event->changed = &stream->changed;
    event->registered = &stream->event;
}
