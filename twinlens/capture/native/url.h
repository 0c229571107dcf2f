/* Where a GenApi description lies: "Local:name.zip;41a30000;8810", as cameras write it into their URL registers. */
#ifndef TWINLENS_URL_H
#define TWINLENS_URL_H

#include <stdbool.h>
#include <stdint.h>

struct url {
    int32_t scheme; /* URL_SCHEME_... */
    /* below of local URLs only */
    char name[256];
    uint64_t address;
    uint64_t length;
};

/* False for a text that is no URL of a known scheme, or a local one without a name, an address and a length. */
bool url_parse(const char *text, struct url *);

#endif
