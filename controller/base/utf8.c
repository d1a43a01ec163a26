/* UTF-8, strictly: the well-formed sequences of Unicode's table 3-7. */
#include "base/utf8.h"

#include <string.h>

static bool continues(unsigned char byte)
{
    return (byte & 0xC0u) == 0x80u;
}

size_t utf8_next(const char *data, size_t length, uint32_t *code)
{
    const unsigned char *in = (const unsigned char *)data;
    size_t size = 1;
    uint32_t value = 0;
    uint32_t least = 0;
    if (length == 0) {
        return 0;
    }
    if (in[0] < 0x80) {
        value = in[0];
    } else if (in[0] >= 0xC2 && in[0] <= 0xDF) {
        size = 2, value = in[0] & 0x1Fu, least = 0x80;
    } else if (in[0] >= 0xE0 && in[0] <= 0xEF) {
        size = 3, value = in[0] & 0x0Fu, least = 0x800;
    } else if (in[0] >= 0xF0 && in[0] <= 0xF4) {
        size = 4, value = in[0] & 0x07u, least = 0x10000;
    } else {
        return 0;
    }
    if (length < size) {
        return 0;
    }
    for (size_t i = 1; i < size; i++) {
        if (!continues(in[i])) {
            return 0;
        }
        value = value << 6 | (in[i] & 0x3Fu);
    }
    if (value < least || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) {
        return 0;
    }
    if (code != NULL) {
        *code = value;
    }
    return size;
}

size_t utf8_put(uint32_t code, char out[UTF8_MAX])
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xC0u | code >> 6);
        out[1] = (char)(0x80u | (code & 0x3Fu));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xE0u | code >> 12);
        out[1] = (char)(0x80u | (code >> 6 & 0x3Fu));
        out[2] = (char)(0x80u | (code & 0x3Fu));
        return 3;
    }
    out[0] = (char)(0xF0u | code >> 18);
    out[1] = (char)(0x80u | (code >> 12 & 0x3Fu));
    out[2] = (char)(0x80u | (code >> 6 & 0x3Fu));
    out[3] = (char)(0x80u | (code & 0x3Fu));
    return 4;
}

bool utf8_valid(const char *data, size_t length)
{
    size_t at = 0;
    while (at < length) {
        size_t size = utf8_next(data + at, length - at, NULL);
        if (size == 0) {
            return false;
        }
        at += size;
    }
    return true;
}

void utf8_trim(char *string)
{
    size_t length = strlen(string);
    size_t back = 0;
    while (back < UTF8_MAX && back < length && continues((unsigned char)string[length - 1 - back])) {
        back++;
    }
    if (back < length && (unsigned char)string[length - 1 - back] >= 0xC0) {
        size_t start = length - 1 - back;
        if (utf8_next(string + start, length - start, NULL) == 0) {
            string[start] = '\0';
        }
    }
}
