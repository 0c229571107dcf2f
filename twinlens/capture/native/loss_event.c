/* The loss of a camera as a GenTL event of its device module: EVENT_ERROR, or EVENT_MODULE with the number 1. */
#include <stdio.h>
#include <string.h>

#include "bytes.h"
#include "device.h"
#include "errors.h"
#include "events.h"

enum { DEVICE_LOST_NUMBER = 1 };
enum { EVENT_FIELDS = 16, EVENT_NUMBER_AT = 2 }; /* layout: GigE Vision, EVENTDATA_CMD */

struct loss { /* what EventGetData writes; read back with EventGetDataInfo */
    int32_t type;
    char text[288];
};

static struct device *device_of(const struct event *event) { return (struct device *)event->module.parent; }

static uint64_t count_fired(const struct event *event) { return device_of(event)->losses; }

static uint64_t count_waiting(const struct event *event) { return count_fired(event) - event->taken; }

static GC_ERROR check(struct event *event, uint64_t *since) {
    (void)since;
    return count_waiting(event) > 0 ? GC_ERR_SUCCESS : GC_ERR_TIMEOUT;
}

static void flush(struct event *event) { event->taken = count_fired(event); }

static void take(struct event *event, void *target, size_t *size) {
    const struct gvcp *gvcp = &device_of(event)->gvcp;
    struct loss loss = {.type = event->kind->type};
    snprintf(loss.text, sizeof loss.text, "%s is lost: %s", gvcp->who, gvcp->reason);
    memcpy(target, &loss, sizeof loss);
    *size = sizeof loss;
    flush(event);
}

/* GenICam's adapter for GigE Vision takes the value of a module event for a message of the camera, so it looks like one:
 * an EVENTDATA_CMD with our number and the text as its data. */
static GC_ERROR answer_message(const struct loss *loss, const struct answer *answer) {
    uint8_t message[GVCP_HEADER + EVENT_FIELDS + sizeof loss->text] = {0};
    size_t text_size = strlen(loss->text) + 1;
    gvcp_put_header(message, 0, GVCP_EVENT_DATA, (uint16_t)(EVENT_FIELDS + text_size), 1);
    put_u16(message + GVCP_HEADER + EVENT_NUMBER_AT, DEVICE_LOST_NUMBER);
    memcpy(message + GVCP_HEADER + EVENT_FIELDS, loss->text, text_size);
    return answer_bytes(answer, message, GVCP_HEADER + EVENT_FIELDS + text_size);
}

static GC_ERROR explain(const void *data, size_t size, int32_t command, const struct answer *answer) {
    struct loss loss;
    if (size < sizeof loss) return fail(GC_ERR_INVALID_PARAMETER, "the event data is not that of a lost device");
    memcpy(&loss, data, sizeof loss);
    loss.text[sizeof loss.text - 1] = 0;
    bool is_error = loss.type == EVENT_ERROR;
    switch (command) {
        case EVENT_DATA_ID: return is_error ? answer_i32(answer, GC_ERR_IO) : answer_text(answer, "1");
        case EVENT_DATA_VALUE: return is_error ? answer_text(answer, loss.text) : answer_message(&loss, answer);
        case EVENT_DATA_NUMID: return answer_u64(answer, DEVICE_LOST_NUMBER);
        default: return answer_unknown(command);
    }
}

#define LOSS_EVENT(event_type)                                                                                    \
    {                                                                                                             \
        .type = event_type, .size = sizeof(struct loss), .check = check, .take = take, .explain = explain,        \
        .count_waiting = count_waiting, .count_fired = count_fired, .flush = flush,                               \
    }
static const struct event_kind kinds[] = {LOSS_EVENT(EVENT_ERROR), LOSS_EVENT(EVENT_MODULE)};

void loss_event_init(struct event *event, struct device *device, int32_t type) {
    int index = type == EVENT_MODULE;
    event->module.parent = &device->module;
    event->kind = &kinds[index];
    event->lock = &device->loss_lock;
    event->changed = &device->loss_changed;
    event->registered = &device->events[index];
}
