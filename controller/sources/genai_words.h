/* How a request ended, by the words of providers. Pure. */
#pragma once

#include "sources/genai.h"

enum { GENAI_WORD_MAX = 64 };

/* Letters and digits alone count, in either case, behind the last '.': "FinishReason.MAX_TOKENS" and
   "maxTokens" become "maxtokens". False if it is longer than any word. */
bool genai_simplify(const char *text, size_t length, char out[GENAI_WORD_MAX]);
/* One by the words of providers' finish reasons, and of error types. */
enum genai_end genai_finish_reason(const char *text, size_t length);
enum genai_end genai_error_type(const char *text, size_t length);
