/* The character U+0000 in JSON. */
#include "store/nul.h"

#include <stddef.h>
#include <string.h>

bool nul_in_json(const char *json)
{
    for (const char *at = json; (at = strstr(at, "\\u0000")) != NULL; at += 6) {
        size_t slashes = 0; /* before this one: an odd number escapes it */
        while (slashes < (size_t)(at - json) && *(at - slashes - 1) == '\\')
            slashes++;
        if (slashes % 2 == 0)
            return true;
    }
    return false;
}
