/* Answering a request. Each of these ends it; the result is what the handler returns to MHD. */
#pragma once

#include "gateway/parts.h"

/* Queues a response that stays the caller's. */
enum MHD_Result answer_with(struct request *request, unsigned code, struct MHD_Response *response);
/* A short text. */
enum MHD_Result answer_text(struct request *request, unsigned code, const char *type, const char *text);
/* The content of `body`, which is empty afterwards. */
enum MHD_Result answer_body(struct request *request, unsigned code, const char *type, struct text *body);
/* problem+json of the fault, with its HTTP code; Retry-After where it helps to try again. */
enum MHD_Result answer_problem(struct request *request, const struct fault *fault);
/* The same of one sentence and what to do now. */
enum MHD_Result answer_refusal(struct request *request, enum status status, const char *detail,
                               const char *next);

/* A request header; NULL if there is none. Lent while the request lives. */
const char *request_header(const struct request *request, const char *name);
