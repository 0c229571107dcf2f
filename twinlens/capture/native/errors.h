/* The error a thread saw last, with a sentence for the person at the bench (GCGetLastError reads it). */
#ifndef TWINLENS_ERRORS_H
#define TWINLENS_ERRORS_H

#include "gentl_abi.h"

/* Remember `code` and the sentence for this thread; returns `code`, so that callers write `return fail(...)`. */
GC_ERROR fail(GC_ERROR code, const char *format, ...) __attribute__((format(printf, 2, 3)));

GC_ERROR last_error_code(void);
const char *last_error_text(void);

#endif
