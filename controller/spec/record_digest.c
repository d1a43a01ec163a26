/* Digests of the pages of a record. */
#include "spec/record_digest.h"

#include "base/json.h"

#include <json-c/linkhash.h>
#include <string.h>

enum { MEMBER_MAX = 64 << 20 };

enum status spec_digest(struct json_object *value, struct digest *out)
{
    struct text text;
    text_init(&text, MEMBER_MAX);
    enum status status = json_canonical(value, &text);
    if (status == STATUS_OK) {
        *out = digest_sha256(text_get(&text), text.length);
    }
    text_free(&text);
    return status;
}

static bool put(struct json_object *object, const char *name, struct json_object *value)
{
    if (value != NULL && json_object_object_add(object, name, value) == 0) {
        return true;
    }
    json_object_put(value);
    return false;
}

static bool put_digest(struct json_object *object, const char *name, const struct digest *digest)
{
    char hex[DIGEST_HEX];
    return put(object, name, json_object_new_string(digest_hex(digest, hex)));
}

static struct json_object *members_of(struct json_object *page)
{
    struct json_object *members = json_object_new_object();
    struct digest digest;
    bool good = members != NULL;
    json_object_object_foreach(page, name, value)
    {
        if (good && strcmp(name, "digests") != 0 && strcmp(name, "next_cursor") != 0) {
            good = spec_digest(value, &digest) == STATUS_OK && put_digest(members, name, &digest);
        }
    }
    if (good) {
        return members;
    }
    json_object_put(members);
    return NULL;
}

struct json_object *spec_page_digests(struct json_object *page, const struct digest *before, bool more,
                                      struct digest *chain)
{
    struct json_object *object = json_object_new_object();
    bool good = object != NULL && put_digest(object, "before", before) &&
                put(object, "more", json_object_new_boolean(more)) &&
                put(object, "members", members_of(page)) && spec_digest(object, chain) == STATUS_OK &&
                put_digest(object, "chain", chain);
    if (good) {
        return object;
    }
    json_object_put(object);
    return NULL;
}
