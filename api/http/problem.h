/* Faults as problem+json (RFC 9457). */
#pragma once

#include "base/fault.h"
#include "base/text.h"

#define HTTP_PROBLEM_TYPE "application/problem+json"

/* Appends {type, title, status, detail, instance, errors, next_step}. `request_id` may be NULL: then there is
   no instance; a next_step that is empty and a list of errors that is empty are left out. */
void http_problem_put(struct text *out, const struct fault *fault, const char *request_id);
/* The same without the closing brace, for members that some protocol wants beside these. */
void http_problem_open(struct text *out, const struct fault *fault, const char *request_id);
