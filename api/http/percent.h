/* Percent-decoding of paths and queries, strictly. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Decodes `length` bytes of `in` into `out` (`size` >= 1, NUL included) and sets *written to the bytes
   without the NUL. False if an escape is broken, the result does not fit, is not UTF-8 or holds a control
   character. With `form` a plus sign is a space. `out` may be the same memory as `in`. */
bool http_percent_decode(const char *in, size_t length, bool form, char *out, size_t size, size_t *written);
