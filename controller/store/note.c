/* Events whose data are a few plain fields. */
#include "store/note.h"

static struct json_object *value_of(const struct note_field *field)
{
    if (field->kind == NOTE_BOOL)
        return json_object_new_boolean(field->number != 0);
    if (field->kind == NOTE_INTEGER)
        return json_object_new_int64(field->number);
    return json_object_new_string(field->text);
}

enum status note_append(struct db *db, const struct event *event, const struct note_field *fields,
                        struct fault *fault)
{
    char id[ID_MAX];
    struct event full = *event;
    enum status status = STATUS_NO_MEMORY;
    full.data = json_object_new_object();
    if (full.data == NULL)
        goto out;
    for (; fields->name != NULL; fields++) {
        bool null = fields->kind == NOTE_TEXT && fields->text == NULL;
        struct json_object *value = null ? NULL : value_of(fields);
        if (!null && value == NULL)
            goto out;
        if (json_object_object_add(full.data, fields->name, value) != 0) {
            json_object_put(value);
            goto out;
        }
    }
    status = events_append(db, &full, id, fault);
out:
    if (full.data == NULL || status == STATUS_NO_MEMORY)
        fault_set(fault, STATUS_NO_MEMORY, "Out of memory");
    json_object_put(full.data);
    return status;
}
