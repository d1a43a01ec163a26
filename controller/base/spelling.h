/* Near spellings, for "did you mean ..." in messages about fields, words and commands. */
#pragma once

#include <stddef.h>

/* The one of `known` that `word` was probably meant to be: one slip of the finger in a word of 3 to 5 bytes,
   two in a longer one. NULL if none is near. Lent from `known`. */
const char *spelling_nearest(const char *word, const char *const *known, size_t count);
/* Writes "a, b, c" into `out`, cut after a whole word with ", .." if it does not fit. `size` >= 8. */
void spelling_list(char *out, size_t size, const char *const *words, size_t count);
