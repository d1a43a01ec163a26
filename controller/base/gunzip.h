/* Content-Encoding: gzip, undone with a limit. */
#pragma once

#include "base/fault.h"
#include "base/text.h"

#include <stddef.h>

/* Appends what the gzip members in `data` hold to `out`, whose maximum is the limit: a bomb ends there, and
   what it would have become is never held. Trailing bytes that are no member, a wrong checksum and an end in
   the middle are MALFORMED; TOO_LARGE beyond the limit; NO_MEMORY. On failure `out` is empty. */
enum status gunzip(const char *data, size_t length, struct text *out, struct fault *fault) MUST_CHECK;
