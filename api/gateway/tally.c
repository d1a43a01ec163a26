/* Reading a batch of outcomes and admissions, and counting it. A plain batch is read by tally_scan(); here is
   what reads all others, and says what is wrong with them. */
#include "gateway/tally.h"

#include "base/json.h"
#include "gateway/tally_items.h"
#include "gateway/tally_scan.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { POINTER_MAX = 48 };

static enum status no_memory(struct fault *fault)
{
    return fault_set(fault, STATUS_NO_MEMORY, "Out of memory");
}

/* --- counting what was read
 * --------------------------------------------------------------------------------------- */

/* False after it was put on the list of rejected ones. */
static bool known_release(struct tally *tally, const struct tally_setting *setting, size_t index,
                          const char *release)
{
    if (rules_has_release(setting->rules, release))
        return true;
    if (tally->listed < TALLY_REJECTED_MAX) {
        struct tally_rejected *rejected = &tally->first[tally->listed++];
        snprintf(rejected->pointer, sizeof rejected->pointer, "/%s/%zu/release", setting->array, index);
        snprintf(rejected->release, sizeof rejected->release, "%s", release);
    }
    tally->rejected++;
    return false;
}

static struct counts_entry *entry_of(struct tally *tally, const struct tally_setting *setting,
                                     const char *release, const char *stratum, int64_t age_ms)
{
    return counts_delta_entry(tally->delta, release, rules_stratum(setting->rules, stratum),
                              outcome_bucket(setting->now, age_ms));
}

enum status tally_count_admission(struct tally *tally, const struct tally_setting *setting, size_t index,
                                  const struct admission *admission)
{
    if (!known_release(tally, setting, index, admission->release))
        return STATUS_OK;
    struct counts_entry *entry =
        entry_of(tally, setting, admission->release, admission->stratum, admission->age_ms);
    if (entry == NULL)
        return STATUS_NO_MEMORY;
    entry->admissions += admission->count;
    tally->accepted++;
    return STATUS_OK;
}

enum status tally_count_outcome(struct tally *tally, const struct tally_setting *setting, size_t index,
                                struct outcome *outcome, bool rescued)
{
    if (!known_release(tally, setting, index, outcome->release))
        return STATUS_OK;
    outcome_judge(outcome, setting->rules);
    if (rescued) /* whoever answered instead: the assigned release did not (law 12) */
        outcome->sli[SLI_ERROR] = OUTCOME_BAD;
    struct counts_entry *entry =
        entry_of(tally, setting, outcome->release, outcome->stratum, outcome->age_ms);
    if (entry == NULL)
        return STATUS_NO_MEMORY;
    outcome_count(outcome, setting->rules, tally->lag_ms, entry);
    tally->accepted++;
    return STATUS_OK;
}

struct wall_time tally_place(struct tally *tally, struct clocks *clocks, const char *gateway,
                             int64_t clock_ms, struct wall_time now)
{
    if (clocks == NULL)
        return now;
    struct wall_time made = clocks_place(clocks, gateway, clock_ms, now);
    tally->lag_ms = (now.us - made.us) / 1000;
    return made;
}

/* --- admissions
 * --------------------------------------------------------------------------------------------------- */

static enum status read_admission(struct json_object *item, const char *pointer, size_t index,
                                  const struct tally_setting *setting, struct tally *tally,
                                  struct fault *fault)
{
    struct json_fields fields;
    struct admission admission = {.release = NULL, .stratum = ""};
    json_fields_open(&fields, item, pointer, fault);
    json_fields_name(&fields, "release", JSON_REQUIRED, &admission.release);
    json_fields_name(&fields, "stratum", JSON_OPTIONAL, &admission.stratum);
    json_fields_integer(&fields, "count", JSON_REQUIRED, 1, TALLY_COUNT_MAX, &admission.count);
    json_fields_integer(&fields, "age_ms", JSON_REQUIRED, 0, OUTCOME_AGE_MAX_MS, &admission.age_ms);
    enum status status = json_fields_close(&fields);
    if (status == STATUS_OK && tally_count_admission(tally, setting, index, &admission) != STATUS_OK)
        status = no_memory(fault);
    return status;
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
    if (json_fields_integer(fields, name, JSON_OPTIONAL, 0, TALLY_NUMBER_MAX, &amount)) {
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
    if (json_fields_number(&fields, "score", JSON_OPTIONAL, -TALLY_SCORE_MAX, TALLY_SCORE_MAX,
                           &outcome->value[SUM_SCORE]))
        outcome->has[SUM_SCORE] = true;
    json_fields_bool(&fields, "rescued", JSON_OPTIONAL, rescued);
    enum status status = json_fields_close(&fields);
    return status != STATUS_OK ? status : slis;
}

static enum status read_outcome(struct json_object *item, const char *pointer, size_t index,
                                const struct tally_setting *setting, struct tally *tally, struct fault *fault)
{
    struct outcome outcome;
    bool rescued = false;
    enum status status = read_fields(item, pointer, &outcome, &rescued, fault);
    if (status == STATUS_OK && tally_count_outcome(tally, setting, index, &outcome, rescued) != STATUS_OK)
        status = no_memory(fault);
    return status;
}

/* --- the batch
 * ---------------------------------------------------------------------------------------------------- */

typedef enum status (*read_item)(struct json_object *item, const char *pointer, size_t index,
                                 const struct tally_setting *setting, struct tally *tally,
                                 struct fault *fault);

/* Reads on after an item that breaks the schema, so that the sender sees more than the first. */
static enum status read_items(struct json_object *array, read_item read, const struct tally_setting *setting,
                              struct tally *tally, struct fault *fault)
{
    char pointer[POINTER_MAX];
    enum status result = STATUS_OK;
    size_t length = array != NULL ? json_object_array_length(array) : 0;
    for (size_t i = 0; i < length && fault->errors < FAULT_ERRORS_MAX; i++) {
        snprintf(pointer, sizeof pointer, "/%s/%zu", setting->array, i);
        enum status status = read(json_object_array_get_idx(array, i), pointer, i, setting, tally, fault);
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
    bool timed = json_fields_integer(&fields, "clock_ms", JSON_OPTIONAL, 0, TALLY_NUMBER_MAX, &clock_ms);
    json_fields_array(&fields, "admissions", JSON_OPTIONAL, 0, TALLY_ITEMS_MAX, &admissions);
    json_fields_array(&fields, "outcomes", JSON_OPTIONAL, 0, TALLY_ITEMS_MAX, &outcomes);
    enum status status = json_fields_close(&fields);
    if (status != STATUS_OK)
        return status;
    const struct service_view *view = snapshot_find(snapshot, service);
    if (view == NULL) {
        fault_set(fault, STATUS_NOT_FOUND, "There is no service %s", service);
        fault_next(fault,
                   "If it was made just now, send it again: this port may learn of it a second later. "
                   "Else look at the names with GET /v1/services on the control port.");
        return STATUS_NOT_FOUND;
    }
    struct tally_setting setting = {&view->rules, now, "admissions"};
    if (timed)
        setting.now = tally_place(out, clocks, gateway, clock_ms, now);
    out->delta = counts_delta_new(gateway, key, service);
    if (out->delta == NULL)
        return no_memory(fault);
    enum status first = read_items(admissions, read_admission, &setting, out, fault);
    if (first == STATUS_NO_MEMORY)
        return first;
    setting.array = "outcomes";
    enum status second = read_items(outcomes, read_outcome, &setting, out, fault);
    return first != STATUS_OK ? first : second;
}

enum status tally_read_any(const char *body, size_t length, const struct snapshot *snapshot,
                           struct wall_time now, struct clocks *clocks, const char *gateway, const char *key,
                           struct tally *out, struct fault *fault)
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

enum status tally_read(const char *body, size_t length, const struct snapshot *snapshot, struct wall_time now,
                       struct clocks *clocks, const char *gateway, const char *key, struct tally *out,
                       struct fault *fault)
{
    memset(out, 0, sizeof *out);
    if (tally_scan(body, length, snapshot, now, clocks, gateway, key, out))
        return STATUS_OK;
    return tally_read_any(body, length, snapshot, now, clocks, gateway, key, out, fault);
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
