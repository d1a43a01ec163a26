/* Events whose data are a few plain fields. */
#pragma once

#include "store/events.h"

struct note_field {
    const char *name; /* NULL closes the list */
    enum { NOTE_TEXT, NOTE_INTEGER, NOTE_BOOL } kind;
    const char *text; /* NULL = null */
    int64_t number;   /* for NOTE_BOOL 0 or 1 */
};

/* Appends `event` (its `data` is not looked at) with `fields` as its data, in the caller's transaction. */
enum status note_append(struct db *db, const struct event *event, const struct note_field *fields,
                        struct fault *fault) MUST_CHECK;
