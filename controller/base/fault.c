/* A fault: plain data that is filled where something goes wrong. */
#include "base/fault.h"

#include "base/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void put(char *out, size_t size, const char *format, va_list arguments)
{
    if (vsnprintf(out, size, format, arguments) < 0) {
        out[0] = '\0';
    }
    utf8_trim(out);
}

enum status fault_set(struct fault *fault, enum status status, const char *format, ...)
{
    va_list arguments;
    if (fault == NULL) {
        return status;
    }
    fault->status = status;
    fault->next_step[0] = '\0';
    fault->errors = 0;
    va_start(arguments, format);
    put(fault->detail, sizeof fault->detail, format, arguments);
    va_end(arguments);
    return status;
}

void fault_next(struct fault *fault, const char *format, ...)
{
    va_list arguments;
    if (fault == NULL) {
        return;
    }
    va_start(arguments, format);
    put(fault->next_step, sizeof fault->next_step, format, arguments);
    va_end(arguments);
}

enum status fault_at(struct fault *fault, const char *pointer, const char *format, ...)
{
    va_list arguments;
    if (fault == NULL) {
        return STATUS_INVALID;
    }
    if (fault->status != STATUS_INVALID) {
        fault->status = STATUS_INVALID;
        fault->errors = 0;
        fault->next_step[0] = '\0';
    }
    if (fault->errors == FAULT_ERRORS_MAX) {
        snprintf(fault->detail, sizeof fault->detail, "more than %d fields break a rule", FAULT_ERRORS_MAX);
        return STATUS_INVALID;
    }
    struct fault_error *error = &fault->error[fault->errors++];
    snprintf(error->pointer, sizeof error->pointer, "%s", pointer);
    utf8_trim(error->pointer);
    va_start(arguments, format);
    put(error->detail, sizeof error->detail, format, arguments);
    va_end(arguments);
    if (fault->errors == 1) {
        snprintf(fault->detail, sizeof fault->detail, "1 field breaks a rule");
    } else {
        snprintf(fault->detail, sizeof fault->detail, "%zu fields break a rule", fault->errors);
    }
    return STATUS_INVALID;
}
