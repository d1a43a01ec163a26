/* Identifiers: a prefix that says the kind, then 26 digits of Crockford base32: 48 bits of wall milliseconds
   and 80 random bits, so that ids of one kind sort by creation: "ro_01JD4Y...". */
#pragma once

#include <stdbool.h>

enum { ID_MAX = 40 };

/* Writes a new id. `prefix` is at most 8 lower-case letters, without the underscore. Returns `out`. Any
 * thread. */
char *id_new(const char *prefix, char out[ID_MAX]);
/* True if `text` is an id with this prefix. */
bool id_valid(const char *prefix, const char *text);

enum { NAME_MAX_LENGTH = 63 };
/* Names of services, artifacts, releases, gateways ...: 1 to 63 of a-z A-Z 0-9 . _ -, first a letter or
   digit. They stand in paths, labels and headers unescaped. */
bool name_valid(const char *text);
