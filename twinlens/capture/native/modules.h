/* Everything a GenTL handle can stand for: system, interface, device, remote port, stream, buffer, event.
 *
 * A handle is a number, never an address, so a stale or invented one is refused. Whoever works on a module borrows
 * it; closing waits until nobody else does, closes the children first, and only then frees.
 */
#ifndef TWINLENS_MODULES_H
#define TWINLENS_MODULES_H

#include <stdbool.h>

#include "answers.h"
#include "describe.h"

enum module_kind {
    KIND_SYSTEM = 1,
    KIND_INTERFACE = 2,
    KIND_DEVICE = 4,
    KIND_REMOTE = 8,
    KIND_STREAM = 16,
    KIND_BUFFER = 32,
    KIND_EVENT = 64,
    KIND_ANY = 127,
};

struct module;

/* What all modules of a kind share. */
struct module_class {
    enum module_kind kind;
    const char *name;                     /* for error texts: "data stream" */
    const struct description *description; /* its GenApi features; NULL when it has none of its own */
    GC_ERROR (*info)(struct module *, int32_t command, const struct answer *);
    GC_ERROR (*set)(struct module *, int32_t command, uint64_t value); /* NULL: nothing is writable */
    void (*interrupt)(struct module *); /* stop working and wake who waits inside, for good; may be NULL */
    void (*destroy)(struct module *);   /* free; nobody can reach it any more */
};

/* The first member of every module's struct. */
struct module {
    const struct module_class *class;
    struct module *parent;
    void *handle;
    char *xml; /* its GenApi description, or NULL */
    unsigned borrowers;
    unsigned children; /* published and not yet destroyed */
    bool closing;
};

/* Make a module reachable by a handle; false when memory is short (the caller still owns the module). */
bool module_publish(struct module *, const struct module_class *, struct module *parent);

/* The module behind a handle, if it is one of `kinds` (a sum of module_kind); NULL and an error text otherwise. */
struct module *module_borrow(void *handle, unsigned kinds);

/* Ends a borrowing; passes `result` through. */
GC_ERROR module_return(struct module *, GC_ERROR result);

/* Close a borrowed module and its children; the borrowing ends with it. */
GC_ERROR module_close(struct module *borrowed);

/* The child number `index` of a kind, borrowed, in order of publishing; NULL when there are fewer. */
struct module *module_child(struct module *parent, unsigned kinds, uint32_t index);

uint32_t module_count_children(struct module *parent, unsigned kinds);

#endif
