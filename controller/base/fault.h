/* A fault: what went wrong, where in the input, and what the caller can do next. Filled by whoever finds it,
   shown by the surface (problem+json, CLI). Plain data: copy it freely; nothing to free. */
#pragma once

#include "base/status.h"

#include <stddef.h>

enum { FAULT_ERRORS_MAX = 16 };

struct fault_error {
    char pointer[128]; /* RFC 6901 JSON pointer into the input, "" for the whole */
    char detail[192];
};

/* Begins as {.status = STATUS_OK}: fault_at() adds to what is there. */
struct fault {
    enum status status;
    char detail[512];
    char next_step[320];
    size_t errors; /* used entries of `error`; what is beyond FAULT_ERRORS_MAX is dropped */
    struct fault_error error[FAULT_ERRORS_MAX];
};

/* Sets status and detail (printf), clears next_step and the list of errors. Returns `status`, so that a
   caller can write `return fault_set(...)`. `fault` may be NULL: then nothing is stored. */
enum status fault_set(struct fault *fault, enum status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Sets what the user should do now (printf). `fault` may be NULL. */
void fault_next(struct fault *fault, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Adds one error at `pointer` and makes the status INVALID (detail: "N fields break a rule" style, kept up to
   date). Returns STATUS_INVALID. `fault` may be NULL. */
enum status fault_at(struct fault *fault, const char *pointer, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
