/* What changed between two texts, line by line. Pure. */
#pragma once

#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>

struct diff_line {
    const char *text; /* lent by the input; without its line feed */
    size_t length;
};

struct diff_side {
    struct diff_line *line; /* owned */
    bool *changed; /* owned; removed (from) or added (to); the others stand in both, in the same order */
    size_t lines;
};

struct diff_script {
    struct diff_side from, to;
    bool coarse; /* too different to be compared within the bounds: what lies between the common ends is all
                    changed */
};

enum { DIFF_CONTEXT = 3, DIFF_SHOWN_MAX = 20000 };

/* Compares the texts (UTF-8; lines end at a line feed, so that a text that ends with one has an empty last
   line). The shortest script (Myers) while it has at most 1,000 changes and the search takes at most 10
   million steps, else a coarse one. *out is the caller's to free, empty on failure. NO_MEMORY. */
enum status diff_text_compare(const char *from, size_t from_length, const char *to, size_t to_length,
                              struct diff_script *out) MUST_CHECK;
void diff_script_free(struct diff_script *script);

/* Appends the hunks as JSON items with commas between them: {"op":"@","text":"-1,3 +1,4"}, then the lines
   with op " ",
   "-" or "+". Lines beyond DIFF_SHOWN_MAX are counted in a last "@" item. Nothing if nothing changed. */
void diff_text_write(const struct diff_script *script, struct text *out);
