/* The character U+0000: JSON may hold it, text in Postgres may not. */
#pragma once

#include <stdbool.h>

/* Whether canonical JSON (a C string) has U+0000 in one of its strings, which Postgres could not read out of
 * it. */
bool nul_in_json(const char *json);
