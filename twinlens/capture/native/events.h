/* What all events have in common: who waits is woken by data, by EventKill, by closing, or by the loss of the camera. */
#ifndef TWINLENS_EVENTS_H
#define TWINLENS_EVENTS_H

#include <pthread.h>

#include "modules.h"

struct event;

/* One sort of event. All functions are called under the event's lock. */
struct event_kind {
    int32_t type; /* EVENT_... */
    size_t size;  /* of what `take` writes, at most */
    /* Success when data is there, GC_ERR_TIMEOUT when waiting makes sense, any other error ends the waiting.
     * `since` is UINT64_MAX at the first call of each wait, then whatever was left there. */
    GC_ERROR (*check)(struct event *, uint64_t *since);
    void (*take)(struct event *, void *target, size_t *size);
    GC_ERROR (*explain)(const void *data, size_t size, int32_t command, const struct answer *);
    uint64_t (*count_waiting)(const struct event *);
    uint64_t (*count_fired)(const struct event *);
    void (*flush)(struct event *);
};

struct event {
    struct module module;
    const struct event_kind *kind;
    pthread_mutex_t *lock; /* guards all below; belongs to the module that fires */
    pthread_cond_t *changed;
    struct event **registered; /* where the firing module keeps it, one for each sort */
    uint64_t kills;            /* EventKill calls not yet answered */
    uint64_t fired_before;     /* registering */
    uint64_t taken;            /* or flushed; for the sort's own use */
    bool closing;
};

struct stream;
struct device;

/* Fill in all but the module; the caller of these publishes. */
void new_buffer_event_init(struct event *, struct stream *);
void loss_event_init(struct event *, struct device *, int32_t type);

/* A condition that is waited for against CLOCK_MONOTONIC. */
void monotonic_condition_init(pthread_cond_t *);

#endif
