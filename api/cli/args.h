/* The words of a command line: options with and without values, and what is left. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum args_kind {
    ARGS_FLAG,  /* --wait, -w */
    ARGS_VALUE, /* --reason TEXT, --reason=TEXT, -f FILE, -fFILE; at most once */
    ARGS_MANY   /* the same, as often as wanted */
};

struct args_option {
    const char *name; /* without the dashes; NULL ends a table */
    char letter;      /* of the short form; 0 = none */
    enum args_kind kind;
    const char *value; /* what the value is called in the help: "FILE" */
    const char *help;
};

enum { ARGS_WORDS_MAX = 16, ARGS_GIVEN_MAX = 128, ARGS_ERROR_MAX = 256 };

struct args {
    const char *word[ARGS_WORDS_MAX]; /* lent by argv */
    size_t words;
    struct {
        const struct args_option *option;
        const char *value; /* lent by argv; NULL for a flag */
    } given[ARGS_GIVEN_MAX];
    size_t givens;
    char error[ARGS_ERROR_MAX]; /* what is wrong with the line, for people */
};

/* Adds the `count` words at `argv` to *args (zeroed before the first call; several calls add up). `tables`
   are `n` tables of options that may stand here. "--" ends the options; "-" alone is a word. If `stop` is
   true the first word that is not an option ends the reading. Returns how many words were taken, or -1 with
   args->error. */
int args_read(struct args *args, int count, const char *const *argv, const struct args_option *const *tables,
              size_t n, bool stop);

bool args_has(const struct args *args, const char *name);
/* Value of an option, NULL if it was not given. Lent. */
const char *args_get(const struct args *args, const char *name);
/* The `index`-th value of a repeated option; NULL behind the last. */
const char *args_nth(const struct args *args, const char *name, size_t index);
/* A whole number within min..max; *out stays as it is if the option was not given. False with args->error. */
bool args_integer(struct args *args, const char *name, int64_t min, int64_t max, int64_t *out);
/* A number above 0. */
bool args_positive(struct args *args, const char *name, double *out);
/* A duration ("30m"), in milliseconds, above 0. */
bool args_duration(struct args *args, const char *name, int64_t *out_ms);
