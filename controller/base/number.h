/* Numbers for people: thousands apart, never an exponent. */
#pragma once

#include <stdint.h>

enum { NUMBER_MAX = 32 };

/* "19,432". Returns `out`, as both of these. */
char *number_count(int64_t count, char out[NUMBER_MAX]);
/* A rate or another measured number of at least 0 with about three digits: "0.25", "12.5", "1,000". */
char *number_measure(double value, char out[NUMBER_MAX]);
/* "" after the number "1", else "s": of "1 request" and "2 requests". Lent. */
const char *number_plural(const char *number);
