/* Content of an artifact version from a file, as its kind wants it. */
#pragma once

#include "cli/cli.h"
#include "spec/artifact.h"

#include <json-c/json_object.h>

enum { CONTENT_MAX = 8 << 20 };

/* Reads the file: a prompt is text as it stands, unless the name ends in .json, .yaml or .yml; every other
   kind is YAML or JSON. "-" is standard input. NULL on failure, which is then told in *fault. Owned by the
   caller. */
struct json_object *content_from_file(const char *path, enum spec_kind kind, struct fault *fault);
/* The same from a string of the command line. */
struct json_object *content_from_string(const char *string, enum spec_kind kind, struct fault *fault);
/* Appends `path` as seen from the folder of the file `from` ("-" = the working directory). */
void content_path(struct text *out, const char *from, const char *path);
