/* The body of POST /v1/outcomes, written by hand: at 20,000 outcomes a second a JSON library would cost more
   than all the rest. */
#pragma once

#include "base/text.h"
#include "demo/ring.h"

enum { BATCH_MAX = 2000, BATCH_BYTES_MAX = 2 << 20 };

/* Appends the document. `names[report.release]` are names that need no escapes. Ages are virtual, held
   against `now_us`; reports older than a day are left out, and counted in the return value. */
size_t batch_write(struct text *out, const char *service, const struct report *reports, size_t count,
                   const char *const *names, int64_t now_us);
