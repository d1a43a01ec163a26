/* What people see: tables, weights, rates, times, colours. Everything that came from the server goes through
   here and loses its control characters, so that no name or reason can speak to the terminal. */
#pragma once

#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum paint { PAINT_NONE, PAINT_BOLD, PAINT_DIM, PAINT_GREEN, PAINT_RED, PAINT_YELLOW, PAINT_BLUE };

/* Colours for what goes to `file`: only a terminal that is not "dumb", and not with NO_COLOR set. */
bool output_colors(FILE *file);

enum { OUTPUT_MAX = 64 };
/* 1/10,000 as a percentage: 1250 -> "12.5 %". Returns `out`, as all of these. */
char *output_weight(int64_t weight, char out[OUTPUT_MAX]);
/* k of n as a percentage with about three digits: "0.81 %"; "-" when n is 0. */
char *output_rate(int64_t k, int64_t n, char out[OUTPUT_MAX]);
/* A percentage as it is: 1.5 -> "1.5 %". */
char *output_percent(double percent, char out[OUTPUT_MAX]);
/* With thousands apart: "19,432". */
char *output_count(int64_t count, char out[OUTPUT_MAX]);
/* "1 request", "12.5 requests", "1,000 canary requests": what = "request", "canary request". */
char *output_requests(double requests, const char *what, char out[OUTPUT_MAX]);
/* RFC 3339 beside now: "4 min ago", "in 3 h", "just now"; the text itself if it is no time; "-" for NULL and
 * "". */
char *output_since(const char *time, char out[OUTPUT_MAX]);
/* Seconds as a span: "3 h 10 min". */
char *output_span(int64_t seconds, char out[OUTPUT_MAX]);

/* The first `columns` (below 120) of `string`, with ".." at the end if it was longer. Returns `out`. */
enum { OUTPUT_SHORT_MAX = 512 };
char *output_short(const char *string, size_t columns, char out[OUTPUT_SHORT_MAX]);

/* Appends `string` without control characters; line ends become spaces unless `lines`. */
void output_clean(struct text *out, const char *string, bool lines);
/* Appends `string`, cleaned, in a colour if `colors`. */
void output_paint(struct text *out, bool colors, enum paint paint, const char *string);
/* Columns that `string` takes on a terminal, if every character takes one. */
size_t output_width(const char *string);
/* Appends `string` (cleaned) broken at spaces so that lines hold at most `width` columns, each begun with
   `indent` spaces; ends with a line end. Line ends in it are kept. */
void output_wrap(struct text *out, const char *string, size_t indent, size_t width);
