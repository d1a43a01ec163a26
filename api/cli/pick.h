/* Reading the server's answers field by field, leniently: what is absent or of another type reads as nothing.
 */
#pragma once

#include <json-c/json_object.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* "" if absent or null. Lent by `object`, which may be NULL. */
const char *pick_text(struct json_object *object, const char *name);
int64_t pick_integer(struct json_object *object, const char *name); /* 0 */
double pick_number(struct json_object *object, const char *name);   /* 0 */
bool pick_bool(struct json_object *object, const char *name);       /* false */
/* An object, an array or any value; NULL if absent. Lent. */
struct json_object *pick(struct json_object *object, const char *name);
/* Present and not null? */
bool pick_has(struct json_object *object, const char *name);
/* Length of the array `name`, 0 if it is none; and its entries, lent. */
size_t pick_length(struct json_object *object, const char *name);
struct json_object *pick_nth(struct json_object *object, const char *name, size_t index);
