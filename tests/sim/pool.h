/* Independent jobs on a few threads. */
#pragma once

#include <stddef.h>

/* Calls job(context, i) once for each i < count, from `threads` threads (>= 1); returns when all are done. A
   job writes only to what is its own, and its randomness comes from i: the result does not depend on
   `threads`. */
void pool_run(int threads, size_t count, void (*job)(void *context, size_t at), void *context);
