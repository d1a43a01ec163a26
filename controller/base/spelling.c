/* Near spellings: "did you mean ...". */
#include "base/spelling.h"

#include <stdio.h>
#include <string.h>

enum { WORD_MAX = 64 };

/* Edit distance with transpositions, of words that are shorter than WORD_MAX; others are far apart. */
static size_t distance(const char *a, const char *b)
{
    size_t rows[3][WORD_MAX + 1];
    size_t *two = rows[0], *one = rows[1], *now = rows[2];
    size_t a_length = strlen(a), b_length = strlen(b);
    if (a_length >= WORD_MAX || b_length >= WORD_MAX) {
        return WORD_MAX;
    }
    for (size_t j = 0; j <= b_length; j++) {
        one[j] = j;
        two[j] = j;
    }
    for (size_t i = 1; i <= a_length; i++) {
        now[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            size_t best = one[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
            best = one[j] + 1 < best ? one[j] + 1 : best;
            best = now[j - 1] + 1 < best ? now[j - 1] + 1 : best;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && two[j - 2] + 1 < best) {
                best = two[j - 2] + 1;
            }
            now[j] = best;
        }
        size_t *spare = two;
        two = one;
        one = now;
        now = spare;
    }
    return one[b_length];
}

const char *spelling_nearest(const char *word, const char *const *known, size_t count)
{
    const char *best = NULL;
    size_t least = strlen(word) > 5 ? 3 : 2; /* one mistake in a short word, two in a longer one */
    if (strlen(word) < 3) {
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        size_t far = distance(word, known[i]);
        if (far < least) {
            least = far;
            best = known[i];
        }
    }
    return best;
}

void spelling_list(char *out, size_t size, const char *const *words, size_t count)
{
    static const char rest[] = ", ..";
    size_t at = 0;
    out[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        int wrote = snprintf(out + at, size - at, "%s%s", i > 0 ? ", " : "", words[i]);
        if (wrote < 0 || (size_t)wrote + sizeof rest > size - at) {
            memcpy(out + at, rest, sizeof rest);
            return;
        }
        at += (size_t)wrote;
    }
}
