/* Last error per thread: GenTL reports codes, and the sentence is fetched afterwards by the same thread. */
#include "errors.h"

#include <stdarg.h>
#include <stdio.h>

static _Thread_local GC_ERROR latest_code = GC_ERR_SUCCESS;
static _Thread_local char latest_text[512] = "no error";

GC_ERROR fail(GC_ERROR code, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(latest_text, sizeof latest_text, format, arguments);
    va_end(arguments);
    latest_code = code;
    return code;
}

GC_ERROR last_error_code(void) { return latest_code; }

const char *last_error_text(void) { return latest_text; }
