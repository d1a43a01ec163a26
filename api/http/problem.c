/* Faults as problem+json (RFC 9457). */
#include "http/problem.h"

#include "base/json.h"

#include <string.h>

static void member(struct text *out, const char *name, const char *value)
{
    text_printf(out, ",\"%s\":", name);
    json_put_string(out, value, strlen(value));
}

void http_problem_open(struct text *out, const struct fault *fault, const char *request_id)
{
    text_printf(out, "{\"type\":\"https://serin.dev/problems/%s\"", status_slug(fault->status));
    member(out, "title", status_title(fault->status));
    text_printf(out, ",\"status\":%d", status_http(fault->status));
    member(out, "detail", fault->detail[0] != '\0' ? fault->detail : status_title(fault->status));
    if (request_id != NULL) {
        member(out, "instance", request_id);
    }
    if (fault->errors > 0) {
        text_puts(out, ",\"errors\":[");
        for (size_t i = 0; i < fault->errors; i++) {
            const struct fault_error *error = &fault->error[i];
            text_puts(out, i > 0 ? ",{\"pointer\":" : "{\"pointer\":");
            json_put_string(out, error->pointer, strlen(error->pointer));
            member(out, "detail", error->detail);
            text_putc(out, '}');
        }
        text_putc(out, ']');
    }
    if (fault->next_step[0] != '\0') {
        member(out, "next_step", fault->next_step);
    } else if (fault->errors > 0) {
        member(out, "next_step", "Mend the fields named under errors, and send it again.");
    }
}

void http_problem_put(struct text *out, const struct fault *fault, const char *request_id)
{
    http_problem_open(out, fault, request_id);
    text_putc(out, '}');
}
