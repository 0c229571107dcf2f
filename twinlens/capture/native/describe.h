/* GenApi descriptions of our own modules: a table of features becomes the XML a client reads through the port. */
#ifndef TWINLENS_DESCRIBE_H
#define TWINLENS_DESCRIBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum feature_type {
    FEATURE_TEXT,
    FEATURE_INTEGER,
    FEATURE_IPV4,             /* an integer that people read as 192.168.1.2 */
    FEATURE_MAC,              /* an integer that people read as 00:21:49:01:02:03 */
    FEATURE_WRITABLE_INTEGER, /* these call the module's `set` when they are written */
    FEATURE_WRITABLE_IPV4,
    FEATURE_COMMAND, /* executing it sets it to 1 */
};

/* One feature: reading it asks the module for the information `command`. */
struct feature {
    const char *name;
    enum feature_type type;
    int32_t command;
    const char *tooltip;
};

struct description {
    const char *model;     /* "System", "Interface", ... as it appears in the XML and its file name */
    const char *port_name; /* the node that GenApi connects to, fixed by the GenTL standard */
    const char *module;    /* PORT_INFO_MODULE */
    const struct feature *features;
    size_t feature_count;
};

/* The address space of such a module: one slot per feature, then the XML itself. */
enum { FEATURE_ADDRESS = 0x1000, FEATURE_SLOT = 0x100, FEATURE_TEXT_SIZE = 256, XML_ADDRESS = 0x100000 };

bool feature_is_writable(const struct feature *);

/* The XML text, or NULL when memory is short; the caller frees it. */
char *describe(const struct description *);

#endif
