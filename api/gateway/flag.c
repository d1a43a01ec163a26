/* The body of a route is our own, canonical JSON, so that its parts are found by walking over it: they are
   lent, not copied, and no depth is too deep. */
#include "gateway/flag.h"

#include "base/digest.h"
#include "base/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { FULL = 10000 };

struct span {
    const char *at, *end;
};

/* --- walking: each takes what begins at `at` and leaves `at` behind it; false if there is no such thing
 * -------------------------------------------------------------------------------------------------- */

static bool take_char(struct span *rest, char c)
{
    if (rest->at == rest->end || *rest->at != c)
        return false;
    rest->at++;
    return true;
}

/* A string; *out is what is between its quotes. */
static bool take_string(struct span *rest, struct span *out)
{
    if (!take_char(rest, '"'))
        return false;
    for (out->at = rest->at; rest->at < rest->end && *rest->at != '"'; rest->at++) {
        if (*rest->at == '\\' && ++rest->at == rest->end)
            return false;
    }
    out->end = rest->at;
    return take_char(rest, '"');
}

static bool take_value(struct span *rest, struct span *out)
{
    struct span string;
    int64_t depth = 0;
    out->at = rest->at;
    while (rest->at < rest->end) {
        char c = *rest->at;
        if (depth == 0 && (c == ',' || c == '}' || c == ']'))
            break;
        if (c == '"') {
            if (!take_string(rest, &string))
                return false;
            continue;
        }
        depth += (c == '{' || c == '[') - (c == '}' || c == ']');
        rest->at++;
    }
    out->end = rest->at;
    return depth == 0 && out->at < out->end;
}

/* The next member of an object that was opened; *last when it was the last one. */
static bool take_member(struct span *rest, struct span *name, struct span *value, bool *last)
{
    if (!take_string(rest, name) || !take_char(rest, ':') || !take_value(rest, value))
        return false;
    *last = !take_char(rest, ',');
    return !*last || take_char(rest, '}');
}

static bool is(struct span span, const char *text)
{
    size_t length = strlen(text);
    return (size_t)(span.end - span.at) == length && memcmp(span.at, text, length) == 0;
}

/* --- reading
 * ------------------------------------------------------------------------------------------------------ */

/* A string without escapes that fits, or null, which is "". */
static bool copy(struct span value, char *out, size_t size)
{
    struct span inside;
    out[0] = '\0';
    if (is(value, "null"))
        return true;
    if (!take_string(&value, &inside) || value.at != value.end || (size_t)(inside.end - inside.at) >= size ||
        memchr(inside.at, '\\', (size_t)(inside.end - inside.at)) != NULL ||
        memchr(inside.at, '\0', (size_t)(inside.end - inside.at)) != NULL)
        return false;
    memcpy(out, inside.at, (size_t)(inside.end - inside.at));
    out[inside.end - inside.at] = '\0';
    return true;
}

static bool read_weight(struct span value, int32_t *out)
{
    *out = 0;
    if (value.end - value.at > 5)
        return false;
    for (; value.at < value.end && *value.at >= '0' && *value.at <= '9'; value.at++)
        *out = *out * 10 + (*value.at - '0');
    return value.at == value.end && *out <= FULL;
}

/* One of the releases. Role and weight stand behind what is its value. */
static bool read_arm(struct span item, struct flag_arm *arm)
{
    struct span name, value, before;
    bool last = false, role = false, weight = false, release = false, good = take_char(&item, '{');
    arm->value = item.at - 1;
    while (good && !last) {
        before = item;
        good = take_member(&item, &name, &value, &last);
        if (!good)
            break;
        if (is(name, "role")) {
            arm->canary = is(value, "\"canary\"");
            good = (arm->canary || is(value, "\"stable\"")) && before.at > arm->value + 1;
            arm->value_length = (size_t)(before.at - 1 - arm->value);
            role = true;
        } else if (is(name, "weight")) {
            good = role && read_weight(value, &arm->weight);
            weight = true;
        } else if (is(name, "release")) {
            good = !role && copy(value, arm->release, sizeof arm->release) && name_valid(arm->release);
            release = true;
        } else {
            good = !role;
        }
    }
    return good && role && weight && release && item.at == item.end;
}

static bool read_arms(struct span list, struct flag *flag)
{
    struct span item;
    size_t arms = 0;
    if (!take_char(&list, '['))
        return false;
    do {
        if (arms == 2 || !take_value(&list, &item) || !read_arm(item, &flag->arm[arms]))
            return false;
        arms++;
    } while (take_char(&list, ','));
    if (!take_char(&list, ']') || list.at != list.end)
        return false;
    if (arms == 2 && (flag->arm[0].canary || !flag->arm[1].canary))
        return false;
    if (flag->arm[0].weight + (arms == 2 ? flag->arm[1].weight : 0) != FULL)
        return false;
    flag->arms = arms;
    return true;
}

static bool read_sticky(struct span sticky, struct flag *flag)
{
    struct span name, value;
    bool last = false;
    if (!take_char(&sticky, '{'))
        return false;
    while (!last) {
        if (!take_member(&sticky, &name, &value, &last))
            return false;
        if (is(name, "salt") && !copy(value, flag->salt, sizeof flag->salt))
            return false;
    }
    return true;
}

void flag_read(const char *body, size_t length, struct flag *flag)
{
    struct span rest = {body, body + length}, name, value;
    bool last = false, good = take_char(&rest, '{');
    *flag = (struct flag){.arms = 0};
    while (good && !last) {
        good = take_member(&rest, &name, &value, &last);
        if (good && is(name, "releases"))
            good = read_arms(value, flag);
        else if (good && is(name, "sticky"))
            good = read_sticky(value, flag);
        else if (good && is(name, "rollout"))
            good = copy(value, flag->rollout, sizeof flag->rollout);
        else if (good && is(name, "valid_until"))
            good = copy(value, flag->valid_until, sizeof flag->valid_until);
    }
    if (!good)
        flag->arms = 0;
}

/* --- evaluating
 * --------------------------------------------------------------------------------------------------- */

const struct flag_arm *flag_choose(const struct flag *flag, bool lapsed, const char *key, size_t key_length)
{
    if (flag->arms < 2 || lapsed)
        return &flag->arm[0];
    return digest_bucket(flag->salt, key, key_length) < flag->arm[1].weight ? &flag->arm[1] : &flag->arm[0];
}

static void put_member(struct text *out, const char *name, const char *value)
{
    if (value[0] == '\0')
        return;
    text_printf(out, ",\"%s\":", name);
    json_put_string(out, value, strlen(value));
}

void flag_put(struct text *out, const struct flag *flag, const struct flag_arm *arm,
              const struct flag_answer *answer)
{
    bool split = flag->arms == 2 && !answer->lapsed;
    text_puts(out, "{\"key\":");
    json_put_string(out, answer->service, strlen(answer->service));
    text_printf(out, ",\"metadata\":{\"epoch\":%" PRId64 ",\"incarnation\":%" PRId64 ",\"role\":\"%s\"",
                answer->epoch, answer->incarnation, arm->canary ? "canary" : "stable");
    put_member(out, "rollout", flag->rollout);
    text_printf(out, ",\"stale\":%s", answer->stale ? "true" : "false");
    if (!answer->lapsed)
        put_member(out, "valid_until", flag->valid_until);
    text_printf(out, ",\"weight\":%d},\"reason\":\"%s\",\"value\":", (int)(split ? arm->weight : FULL),
                split ? "SPLIT" : "STATIC");
    text_add(out, arm->value, arm->value_length);
    text_puts(out, "},\"variant\":");
    json_put_string(out, arm->release, strlen(arm->release));
    text_putc(out, '}');
}
