/* Percent-decoding, strictly: what is not exactly an escape is an error and never passed on as it stands. */
#include "http/percent.h"

#include "base/utf8.h"

static int hex(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool http_percent_decode(const char *in, size_t length, bool form, char *out, size_t size, size_t *written)
{
    size_t at = 0;
    for (size_t i = 0; i < length; i++) {
        char c = in[i];
        if (c == '%') {
            if (length - i < 3 || hex(in[i + 1]) < 0 || hex(in[i + 2]) < 0) {
                return false;
            }
            c = (char)(hex(in[i + 1]) << 4 | hex(in[i + 2]));
            i += 2;
        } else if (c == '+' && form) {
            c = ' ';
        }
        if (at + 1 >= size || (unsigned char)c < 0x20 || c == 0x7F) {
            return false;
        }
        out[at++] = c;
    }
    out[at] = '\0';
    *written = at;
    return utf8_valid(out, at);
}
