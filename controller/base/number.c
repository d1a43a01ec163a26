/* Numbers for people. */
#include "base/number.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

char *number_count(int64_t count, char out[NUMBER_MAX])
{
    char digits[NUMBER_MAX - 8]; /* the longest has 19 digits, a sign, and six commas */
    int length = snprintf(digits, sizeof digits, "%" PRId64, count), used = 0;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0 && digits[i - 1] != '-') {
            out[used++] = ',';
        }
        out[used++] = digits[i];
    }
    out[used] = '\0';
    return out;
}

char *number_measure(double value, char out[NUMBER_MAX])
{
    if (value >= 99.95) {
        return number_count(value < 9e18 ? llround(value) : INT64_MAX, out);
    }
    if (value > 0 && value < 0.0005) {
        snprintf(out, NUMBER_MAX, "below 0.001");
        return out;
    }
    snprintf(out, NUMBER_MAX, "%.*f", value < 1 ? 3 : value < 9.995 ? 2 : 1, value);
    size_t length = strlen(out);
    while (length > 1 && out[length - 1] == '0') {
        out[--length] = '\0';
    }
    if (out[length - 1] == '.') {
        out[length - 1] = '\0';
    }
    return out;
}

const char *number_plural(const char *number)
{
    return strcmp(number, "1") == 0 ? "" : "s";
}
