/* Counters of a polled source that have never been there: they count as 0, as one that has not counted yet
   does; a misspelt one looks the same. */
#include "base/json.h"
#include "rollout/explain.h"

#include <stdio.h>
#include <string.h>

/* The selector is watched, was asked for, and what it did not have was counted as 0. */
static bool shown(const struct rollout_state *state, enum sli sli)
{
    const struct counts *total = &state->evidence.evidence.sli[sli].total;
    return state->spec.policy.guardrail[sli].used && state->spec.source.bad[sli][0] != '\0' &&
           (total->n_c > 0 || total->n_b > 0);
}

uint32_t explain_unseen(const struct rollout_state *state)
{
    struct json_object *cursor = NULL, *list = NULL;
    const struct text *text = &state->evidence.source_state;
    uint32_t set = 0;
    enum sli sli;
    if (!spec_source_kind(state->spec.source.kind)->polled || text->length == 0 ||
        json_parse(text_get(text), text->length, &cursor, NULL) != STATUS_OK)
        return 0;
    if (json_object_object_get_ex(cursor, "unseen", &list) && json_object_is_type(list, json_type_array))
        for (size_t i = 0; i < json_object_array_length(list); i++) {
            struct json_object *name = json_object_array_get_idx(list, i);
            if (json_object_is_type(name, json_type_string) &&
                sli_parse(json_object_get_string(name), &sli) && shown(state, sli))
                set |= 1u << sli;
        }
    json_object_put(cursor);
    return set;
}

/* "v1 or v2", or the canary alone. */
static void releases(const struct rollout_state *state, char *out, size_t size)
{
    snprintf(out, size, "%s%s%s", state->row.stable, state->row.stable[0] != '\0' ? " or " : "",
             state->row.release);
}

void explain_unseen_words(const struct rollout_state *state, enum sli sli, uint32_t unseen, char *out,
                          size_t size)
{
    size_t used = strlen(out);
    char of[2 * NAME_SIZE + 8];
    releases(state, of, sizeof of);
    if ((unseen >> sli & 1) != 0 && used < size)
        snprintf(out + used, size - used, " No series of %.200s of %s seen; counted as 0.",
                 state->spec.source.bad[sli], of);
}

struct json_object *explain_unseen_object(const struct rollout_state *state, uint32_t unseen)
{
    struct json_object *list = json_object_new_array();
    char says[700], of[2 * NAME_SIZE + 8];
    releases(state, of, sizeof of);
    for (int i = 0; list != NULL && i < SLI_COUNT; i++) {
        struct json_object *one = (unseen >> i & 1) != 0 ? json_object_new_object() : NULL;
        if (one == NULL)
            continue;
        snprintf(says, sizeof says,
                 "No series of %.200s of %s seen; counted as 0: right if there was no %s yet, wrong if the "
                 "counter "
                 "has another name or other labels. Look for it in Prometheus.",
                 state->spec.source.bad[i], of, sli_name((enum sli)i));
        explain_put_text(one, "sli", sli_name((enum sli)i));
        explain_put_text(one, "selector", state->spec.source.bad[i]);
        explain_put_text(one, "says", says);
        json_object_array_add(list, one);
    }
    return list;
}
