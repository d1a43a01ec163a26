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

/* Over malloc'ed bytes, which are taken over; the caller destroys it. NULL on no memory. */
struct MHD_Response *answer_response(char *bytes, size_t length, const char *type);

/* A request header; NULL if there is none. Lent while the request lives. */
const char *request_header(const struct request *request, const char *name);
/* Takes Serin-Gateway into request->instance ("" if there is none). MALFORMED if it is not a name. */
enum status request_instance(struct request *request, struct fault *fault) MUST_CHECK;
/* MEDIA_TYPE if the body says that it is not JSON. */
enum status request_is_json(const struct request *request, struct fault *fault) MUST_CHECK;
