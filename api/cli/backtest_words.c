/* The rollout table's sentences, filled in for a backtest. */
#include "base/clock.h"
#include "cli/backtest.h"
#include "cli/output.h"

#include <stdio.h>
#include <string.h>

static void slis(int64_t set, char *out, size_t size)
{
    size_t used = 0;
    out[0] = '\0';
    for (int i = 0; i < SLI_COUNT && used < size; i++) {
        if ((set >> i & 1) != 0) {
            used += (size_t)snprintf(out + used, size - used, "%s%s", used > 0 ? ", " : "",
                                     sli_name((enum sli)i));
        }
    }
}

static int32_t next_weight(const struct backtest_setup *setup, const struct snapshot *snapshot)
{
    size_t next = (size_t)snapshot->step; /* place of the step after the present one */
    return next < setup->plan.steps ? plan_weight(&setup->plan, &setup->spec.policy, next) : WEIGHT_FULL;
}

static bool place_number(const char *name, const struct backtest_setup *setup,
                         const struct snapshot *snapshot, char *out)
{
    int32_t next = next_weight(setup, snapshot);
    if (strcmp(name, "weight") == 0) {
        output_weight(snapshot->step == 0 ? next : snapshot->weight, out);
    } else if (strcmp(name, "next_weight") == 0) {
        output_weight(next, out);
    } else if (strcmp(name, "step") == 0) {
        output_count(snapshot->step, out);
    } else if (strcmp(name, "steps") == 0) {
        output_count(snapshot->steps, out);
    } else if (strcmp(name, "requests") == 0) {
        output_count(snapshot->step_requests, out);
    } else if (strcmp(name, "min_requests") == 0) {
        output_count(snapshot->min_requests > 0 ? snapshot->min_requests : 1, out);
    } else {
        return false;
    }
    return true;
}

static bool place_duration(const char *name, const struct snapshot *snapshot, char *out)
{
    int64_t seconds;
    if (strcmp(name, "bake") == 0) {
        seconds = snapshot->bake_s;
    } else if (strcmp(name, "deadline") == 0) {
        seconds = snapshot->deadline_s;
    } else if (strcmp(name, "paused_limit") == 0) {
        seconds = snapshot->paused_limit_s;
    } else if (strcmp(name, "blind") == 0) {
        seconds = (snapshot->now_ms - snapshot->blind_since_ms) / 1000;
    } else {
        return false;
    }
    clock_format_human(seconds * 1000, out);
    return true;
}

/* Text of one placeholder. Evidence stands in a table of its own. */
static void place(const char *name, const struct backtest_setup *setup, const struct snapshot *snapshot,
                  char *out, size_t size)
{
    out[0] = '\0';
    if (strcmp(name, "release") == 0) {
        snprintf(out, size, "%s", setup->traffic.canary.name);
    } else if (strcmp(name, "stable") == 0) {
        snprintf(out, size, "%s", setup->traffic.stable.name);
    } else if (strcmp(name, "lead") == 0) {
        snprintf(out, size, "%s", sli_name((enum sli)snapshot->lead));
    } else if (strcmp(name, "alarms") == 0) {
        slis(snapshot->alarms, out, size);
    } else if (strcmp(name, "notices") == 0) {
        slis(snapshot->notices, out, size);
    } else if (strcmp(name, "failed") == 0) {
        slis(snapshot->failed, out, size);
    } else if (strcmp(name, "uncounted") == 0) {
        slis(snapshot->uncounted, out, size);
    } else if (strcmp(name, "unreported") == 0) {
        slis(snapshot->unreported, out, size);
    } else if (strcmp(name, "burning") == 0) {
        slis(snapshot->burning, out, size);
    } else if (strcmp(name, "burn_alarms") == 0) {
        slis(snapshot->burn_alarms, out, size);
    } else if (strcmp(name, "burn_notices") == 0) {
        slis(snapshot->burn_notices, out, size);
    } else if (strcmp(name, "share") == 0) {
        snprintf(out, size, "another share");
    } else if (strcmp(name, "evidence") != 0 && strcmp(name, "coverage") != 0 &&
               strcmp(name, "source") != 0 && strcmp(name, "without") != 0 &&
               !place_number(name, setup, snapshot, out) && !place_duration(name, snapshot, out)) {
        snprintf(out, size, "{%s}", name);
    }
}

char *backtest_sentence(const struct backtest_setup *setup, const struct offline_decision *decision,
                        char out[BACKTEST_SENTENCE_MAX])
{
    size_t used = 0;
    for (const char *at = decision->rule->sentence; *at != '\0' && used + 1 < BACKTEST_SENTENCE_MAX;) {
        char name[32], value[OUTCOMES_WORD_MAX + 32];
        const char *end = *at == '{' ? strchr(at, '}') : NULL;
        if (end == NULL || (size_t)(end - at - 1) >= sizeof name) {
            out[used++] = *at++;
            continue;
        }
        snprintf(name, sizeof name, "%.*s", (int)(end - at - 1), at + 1);
        place(name, setup, &decision->snapshot, value, sizeof value);
        used += (size_t)snprintf(out + used, BACKTEST_SENTENCE_MAX - used, "%s", value);
        at = end + 1;
    }
    used = used < BACKTEST_SENTENCE_MAX ? used : BACKTEST_SENTENCE_MAX - 1;
    while (used > 0 && out[used - 1] == ' ') {
        used--;
    }
    out[used] = '\0';
    return out;
}
