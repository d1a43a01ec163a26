/* What a YAML scalar means under the core schema. */
#pragma once

#include <json-c/json_object.h>
#include <stdbool.h>
#include <stddef.h>

/* Resolves a plain scalar (no quotes, no tag). NULL in *out may be the value null. On false, *problem
   (static) says why it is refused; false with *problem == NULL is no memory. *out is owned by the caller. */
bool yamlscalar_plain(const char *text, size_t length, struct json_object **out, const char **problem);
/* The same for a scalar with a tag such as tag:yaml.org,2002:int. */
bool yamlscalar_tagged(const char *tag, const char *text, size_t length, struct json_object **out,
                       const char **problem);
