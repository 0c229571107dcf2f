/* Texts come from cameras: nothing is trusted. Upper and lower case, slashes after the scheme, "0x" and a query such as
 * "?SchemaVersion=1.1.0" all occur. */
#include "url.h"

#include <string.h>
#include <strings.h>

#include "gentl_abi.h"

/* A hexadecimal number that ends at one of `ends` or at the end of the text; moves `text` there. */
static bool parse_hex(const char **text, const char *ends, uint64_t *value) {
    const char *at = *text;
    if (at[0] == '0' && (at[1] == 'x' || at[1] == 'X')) at += 2;
    size_t digits = strspn(at, "0123456789abcdefABCDEF");
    if (digits == 0 || digits > 16 || (at[digits] != 0 && strchr(ends, at[digits]) == NULL)) return false;
    for (*value = 0; digits > 0; digits--, at++) {
        unsigned digit = (unsigned char)*at;
        *value = *value << 4 | (digit <= '9' ? digit - '0' : (digit | 0x20) - 'a' + 10);
    }
    *text = at;
    return true;
}

static bool parse_local(const char *text, struct url *url) {
    text += strspn(text, "/");
    size_t size = strcspn(text, ";");
    if (size == 0 || size >= sizeof url->name || text[size] != ';') return false;
    memcpy(url->name, text, size);
    text += size + 1;
    if (!parse_hex(&text, ";", &url->address) || *text != ';') return false;
    text++;
    return parse_hex(&text, "? \t\r\n", &url->length) && url->length > 0;
}

bool url_parse(const char *text, struct url *url) {
    *url = (struct url){.scheme = URL_SCHEME_LOCAL};
    if (strncasecmp(text, "local:", 6) == 0) return parse_local(text + 6, url);
    if (strncasecmp(text, "http", 4) == 0)
        url->scheme = URL_SCHEME_HTTP;
    else if (strncasecmp(text, "file:", 5) == 0)
        url->scheme = URL_SCHEME_FILE;
    else
        return false;
    return true;
}
