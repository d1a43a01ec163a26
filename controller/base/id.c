/* Identifiers and names. */
#include "base/id.h"

#include "base/clock.h"
#include "base/digest.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { PREFIX_MAX = 8, DIGITS = 26, TIME_DIGITS = 10, RANDOM_BYTES = 10 };

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

char *id_new(const char *prefix, char out[ID_MAX])
{
    uint8_t noise[RANDOM_BYTES];
    size_t at = strnlen(prefix, PREFIX_MAX);
    uint64_t ms = (uint64_t)(clock_wall().us / 1000) & UINT64_C(0xFFFFFFFFFFFF);
    memcpy(out, prefix, at);
    out[at++] = '_';
    for (int i = TIME_DIGITS - 1; i >= 0; i--) {
        out[at++] = alphabet[ms >> (5 * i) & 31];
    }
    digest_random(noise, sizeof noise);
    for (size_t half = 0; half < 2; half++) {
        uint64_t bits = 0;
        for (size_t i = 0; i < 5; i++) {
            bits = bits << 8 | noise[half * 5 + i];
        }
        for (int i = 7; i >= 0; i--) {
            out[at++] = alphabet[bits >> (5 * i) & 31];
        }
    }
    out[at] = '\0';
    return out;
}

bool id_valid(const char *prefix, const char *text)
{
    size_t length = strlen(prefix);
    if (strncmp(text, prefix, length) != 0 || text[length] != '_') {
        return false;
    }
    const char *at = text + length + 1;
    if (*at < '0' || *at > '7') { /* 26 digits hold 130 bits; the first two are always 0 */
        return false;
    }
    for (size_t i = 0; i < DIGITS; i++, at++) {
        if (*at == '\0' || strchr(alphabet, *at) == NULL) {
            return false;
        }
    }
    return *at == '\0';
}

static bool is_alphanumeric(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool name_valid(const char *text)
{
    size_t length = 0;
    if (!is_alphanumeric(text[0])) {
        return false;
    }
    for (; text[length] != '\0'; length++) {
        char c = text[length];
        if (length == NAME_MAX_LENGTH || (!is_alphanumeric(c) && c != '.' && c != '_' && c != '-')) {
            return false;
        }
    }
    return true;
}
