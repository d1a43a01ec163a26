/* Names of what can be muted. */
#include "decision/evidence.h"

#include <string.h>

static const char *const names[WATCH_END - WATCH_SPLIT] = {"split", "coverage", "late", "alert"};

const char *watch_name(int bit)
{
    if (bit >= 0 && bit < SLI_COUNT)
        return sli_name((enum sli)bit);
    return bit >= WATCH_SPLIT && bit < WATCH_END ? names[bit - WATCH_SPLIT] : NULL;
}

bool watch_parse(const char *text, int *bit)
{
    for (*bit = 0; *bit < WATCH_END; ++*bit) {
        const char *name = watch_name(*bit);
        if (name != NULL && strcmp(name, text) == 0)
            return true;
    }
    return false;
}
