/* A growable text that is born with its maximum size. After an overflow or a failed allocation it is
   `broken`: further writes do nothing, and the writer checks once at the end. Always NUL-terminated when data
   is not NULL. */
#pragma once

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text {
    char *data; /* owned; NULL while empty */
    size_t length, capacity, maximum;
    bool broken;
    bool no_memory; /* why it is broken: else it would have grown beyond the maximum */
};

/* Makes `text` empty with at most `maximum` bytes (without the NUL). Allocates nothing yet. */
void text_init(struct text *text, size_t maximum);
/* Frees the content and makes it empty, keeping the maximum. */
void text_free(struct text *text);
/* Length to zero, not broken; keeps the memory. */
void text_clear(struct text *text);
/* Makes room for `more` bytes at once, where it is known how many come; never breaks the text. */
void text_reserve(struct text *text, size_t more);
void text_add(struct text *text, const char *data, size_t length);
void text_puts(struct text *text, const char *string);
void text_putc(struct text *text, char c);
/* In decimal: what printf would write, at a tenth of its price. */
void text_integer(struct text *text, int64_t value);
void text_printf(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Content as a C string ("" while empty); lent until the next change. */
const char *text_get(const struct text *text);
/* Gives the content (malloc'ed, NUL-terminated; "" if empty) to the caller, who frees it; `text` is empty
   afterwards. NULL if broken or out of memory. */
char *text_take(struct text *text);
/* OK, or TOO_LARGE / NO_MEMORY if broken. */
enum status text_status(const struct text *text) MUST_CHECK;
