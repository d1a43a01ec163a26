/* Reading a batch of outcomes and admissions, and counting it. */
#include "gateway/tally.h"

#include "base/json.h"
#include "gateway/outcome.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { ITEMS_MAX = 10000, COUNT_MAX = 1000000, POINTER_MAX = 48 };
static const int64_t CLOCK_MAX_MS = 9007199254740991;

#define NUMBER_MAX 9007199254740991 /* 2^53 - 1 */
#define SCORE_MAX  1000000.0

/* The release, or NULL after it was put on the list of rejected ones. */
static const char *known_release(struct tally *tally, const struct rules *rules, const char *release,
                                 const char *pointer)
{
    if (rules_has_release(rules, release))
        return release;
    if (tally->listed < TALLY_REJECTED_MAX) {
        struct tally_rejected *rejected = &tally->first[tally->listed++];
        snprintf(rejected->pointer, sizeof rejected->pointer, "%s/release", pointer);
        snprintf(rejected->release, sizeof rejected->release, "%s", release);
    }
    tally->rejected++;
    return NULL;
}

/* --- admissions
 * --------------------------------------------------------------------------------------------------- */

static enum status read_admission(struct json_object *item, const char *pointer, const struct rules *rules,
                                  struct wall_time now, struct tally *tally, struct fault *fault)
{
    struct json_fields fields;
    const char *release = NULL;
    const char *stratum = "";
    int64_t count = 0, age_ms = 0;
    json_fields_open(&fields, item, pointer, fault);
    json_fields_name(&fields, "release", JSON_REQUIRED, &release);
    json_fields_name(&fields, "stratum", JSON_OPTIONAL, &stratum);
    json_fields_integer(&fields, "count", JSON_REQUIRED, 1, COUNT_MAX, &count);
    json_fields_integer(&fields, "age_ms", JSON_REQUIRED, 0, OUTCOME_AGE_MAX_MS, &age_ms);
    enum status status = json_fields_close(&fields);
    if (status != STATUS_OK || known_release(tally, rules, release, pointer) == NULL)
        return status;
    struct counts_entry *entry =
        counts_delta_entry(tally->delta, release, rules_stratum(rules, stratum), outcome_bucket(now, age_ms));
    if (entry == NULL)
        return fault_set(fault, STATUS_NO_MEMORY, "Out of memory");
    entry->admissions += count;
    tally->accepted++;
    return STATUS_OK;
}

/* --- outcomes
 * ----------------------------------------------------------------------------------------------------- */

static enum status read_slis(struct json_fields *parent, struct outcome *outcome, struct fault *fault)
{
    struct json_object *object = NULL;
    struct json_fields fields;
    char pointer[128];
    if (!json_fields_object(parent, "sli", JSON_OPTIONAL, &object))
        return STATUS_OK;
    json_fields_open(&fields, object, json_fields_pointer(parent, "sli", pointer), fault);
    for (int i = 0; i < SLI_COUNT; i++) {
        bool bad;
        if (json_fields_bool(&fields, sli_name((enum sli)i), JSON_OPTIONAL, &bad))
            outcome->sli[i] = bad ? OUTCOME_BAD : OUTCOME_GOOD;
    }
    return json_fields_close(&fields);
}

static int64_t read_amount(struct json_fields *fields, const char *name, enum counts_sum sum,
                           struct outcome *outcome)
{
    int64_t amount = -1;
    if (json_fields_integer(fields, name, JSON_OPTIONAL, 0, NUMBER_MAX, &amount)) {
        outcome->has[sum] = true;
        outcome->value[sum] = (double)amount;
    }
    return amount;
}

static enum status read_fields(struct json_object *item, const char *pointer, struct outcome *outcome,
                               bool *rescued, struct fault *fault)
{
    struct json_fields fields;
    *outcome = (struct outcome){.stratum = ""};
    json_fields_open(&fields, item, pointer, fault);
    json_fields_name(&fields, "release", JSON_REQUIRED, &outcome->release);
    json_fields_name(&fields, "stratum", JSON_OPTIONAL, &outcome->stratum);
    json_fields_integer(&fields, "age_ms", JSON_REQUIRED, 0, OUTCOME_AGE_MAX_MS, &outcome->age_ms);
    enum status slis = read_slis(&fields, outcome, fault);
    outcome->ttft_ms = read_amount(&fields, "ttft_ms", SUM_TTFT_MS, outcome);
    outcome->latency_ms = read_amount(&fields, "latency_ms", SUM_LATENCY_MS, outcome);
    read_amount(&fields, "input_tokens", SUM_INPUT_TOKENS, outcome);
    read_amount(&fields, "output_tokens", SUM_OUTPUT_TOKENS, outcome);
    read_amount(&fields, "cost_micros", SUM_COST_MICROS, outcome);
    if (json_fields_number(&fields, "score", JSON_OPTIONAL, -SCORE_MAX, SCORE_MAX,
                           &outcome->value[SUM_SCORE]))
        outcome->has[SUM_SCORE] = true;
    json_fields_bool(&fields, "rescued", JSON_OPTIONAL, rescued);
    enum status status = json_fields_close(&fields);
    return status != STATUS_OK ? status : slis;
}

static enum status read_outcome(struct json_object *item, const char *pointer, const struct rules *rules,
                                struct wall_time now, struct tally *tally, struct fault *fault)
{
    struct outcome outcome;
    bool rescued = false;
    enum status status = read_fields(item, pointer, &outcome, &rescued, fault);
    if (status != STATUS_OK || known_release(tally, rules, outcome.release, pointer) == NULL)
        return status;
    outcome_judge(&outcome, rules);
    if (rescued) /* whoever answered instead: the assigned release did not (law 12) */
        outcome.sli[SLI_ERROR] = OUTCOME_BAD;
    struct counts_entry *entry =
        counts_delta_entry(tally->delta, outcome.release, rules_stratum(rules, outcome.stratum),
                           outcome_bucket(now, outcome.age_ms));
    if (entry == NULL)
        return fault_set(fault, STATUS_NO_MEMORY, "Out of memory");
    outcome_count(&outcome, rules, tally->lag_ms, entry);
    tally->accepted++;
    return STATUS_OK;
}

/* --- the batch
 * ---------------------------------------------------------------------------------------------------- */

typedef enum status (*read_item)(struct json_object *item, const char *pointer, const struct rules *rules,
                                 struct wall_time now, struct tally *tally, struct fault *fault);

/* Reads on after an item that breaks the schema, so that the sender sees more than the first. */
static enum status read_items(struct json_object *array, const char *name, read_item read,
                              const struct rules *rules, struct wall_time now, struct tally *tally,
                              struct fault *fault)
{
    char pointer[POINTER_MAX];
    enum status result = STATUS_OK;
    size_t length = array != NULL ? json_object_array_length(array) : 0;
    for (size_t i = 0; i < length && fault->errors < FAULT_ERRORS_MAX; i++) {
        snprintf(pointer, sizeof pointer, "/%s/%zu", name, i);
        enum status status = read(json_object_array_get_idx(array, i), pointer, rules, now, tally, fault);
        if (status != STATUS_OK)
            result = status;
        if (status == STATUS_NO_MEMORY)
            break;
    }
    return result;
}

static enum status read_batch(struct json_object *batch, const struct snapshot *snapshot,
                              struct wall_time now, struct clocks *clocks, const char *gateway,
                              const char *key, struct tally *out, struct fault *fault)
{
    struct json_fields fields;
    int64_t clock_ms = 0;
    struct json_object *admissions = NULL, *outcomes = NULL;
    const char *service = NULL;
    json_fields_open(&fields, batch, "", fault);
    json_fields_name(&fields, "service", JSON_REQUIRED, &service);
    bool timed = json_fields_integer(&fields, "clock_ms", JSON_OPTIONAL, 0, CLOCK_MAX_MS, &clock_ms);
    json_fields_array(&fields, "admissions", JSON_OPTIONAL, 0, ITEMS_MAX, &admissions);
    json_fields_array(&fields, "outcomes", JSON_OPTIONAL, 0, ITEMS_MAX, &outcomes);
    enum status status = json_fields_close(&fields);
    if (status != STATUS_OK)
        return status;
    const struct service_view *view = snapshot_find(snapshot, service);
    if (view == NULL) {
        fault_set(fault, STATUS_NOT_FOUND, "There is no service %s", service);
        fault_next(fault, "Look at the names with GET /v1/services on the control port.");
        return STATUS_NOT_FOUND;
    }
    if (timed && clocks != NULL) {
        struct wall_time made = clocks_place(clocks, gateway, clock_ms, now);
        out->lag_ms = (now.us - made.us) / 1000;
        now = made;
    }
    out->delta = counts_delta_new(gateway, key, service);
    if (out->delta == NULL)
        return fault_set(fault, STATUS_NO_MEMORY, "Out of memory");
    enum status first = read_items(admissions, "admissions", read_admission, &view->rules, now, out, fault);
    if (first == STATUS_NO_MEMORY)
        return first;
    enum status second = read_items(outcomes, "outcomes", read_outcome, &view->rules, now, out, fault);
    return first != STATUS_OK ? first : second;
}

enum status tally_read(const char *body, size_t length, const struct snapshot *snapshot, struct wall_time now,
                       struct clocks *clocks, const char *gateway, const char *key, struct tally *out,
                       struct fault *fault)
{
    struct json_object *batch = NULL;
    memset(out, 0, sizeof *out);
    enum status status = json_parse(body, length, &batch, fault);
    if (status == STATUS_OK)
        status = read_batch(batch, snapshot, now, clocks, gateway, key, out, fault);
    json_object_put(batch);
    if (status != STATUS_OK)
        tally_free(out);
    return status;
}

void tally_free(struct tally *tally)
{
    counts_delta_free(tally->delta);
    tally->delta = NULL;
}

void tally_put_result(const struct tally *tally, bool duplicate, struct text *out)
{
    text_printf(out, "{\"accepted\":%" PRId64 ",\"duplicate\":%s,\"rejected\":[",
                duplicate ? 0 : tally->accepted, duplicate ? "true" : "false");
    for (size_t i = 0; i < tally->listed; i++) {
        text_puts(out, i == 0 ? "{\"pointer\":" : ",{\"pointer\":");
        json_put_string(out, tally->first[i].pointer, strlen(tally->first[i].pointer));
        text_printf(out, ",\"detail\":\"this service has no release %s\"}", tally->first[i].release);
    }
    text_puts(out, "]}");
}
