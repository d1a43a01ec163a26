/* UTF-8, strictly: no overlong forms, no surrogates, nothing above U+10FFFF. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { UTF8_MAX = 4 /* bytes of one code point */ };

/* Length in bytes (1..4) of the valid sequence at `data`; 0 if there is none. `*code` (may be NULL) is its
 * code point. */
size_t utf8_next(const char *data, size_t length, uint32_t *code);
/* Writes a code point (a valid one, see above) and returns its length; adds no NUL. */
size_t utf8_put(uint32_t code, char out[UTF8_MAX]);
bool utf8_valid(const char *data, size_t length);
/* Removes a sequence that was cut in the middle from the end of a C string. */
void utf8_trim(char *string);
