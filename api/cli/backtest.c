/* serin backtest: from a command line to a report. */
#include "cli/backtest.h"
#include "base/spelling.h"
#include "cli/cli.h"
#include "cli/manifest.h"
#include "cli/output.h"
#include "cli/pick.h"
#include "spec/plan.h"
#include "spec/slos.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    SEEDS_DEFAULT = 100,
    SEEDS_MAX = 100000,
    SETTLE_S = 3, /* SERIN_SETTLE_MS */
    UNTIL_DEFAULT_S = 6 * 3600,
    UNTIL_LIKE_S = 86400, /* however long the arrivals last, unless --until says more */
    UNTIL_MAX_S = 366 * 86400,
    RPS_MAX = 100000
};

struct work {
    struct cli *cli;
    struct args *args;
    struct outcomes outcomes, arrivals;
    struct backtest backtest;
    int64_t seed, seeds, shown;
    char arrivals_text[512];
};

/* --- policy and plan ------------------------------------------------------------------------------- */

static const char *shown_path(const char *path)
{
    return strcmp(path, "-") == 0 ? "standard input" : path;
}

/* The one document of a kind, or that of the service of --service. */
static int find_one(struct work *work, const struct manifests *manifests, enum manifest_kind kind,
                    const char *word, const struct manifest **out)
{
    const char *service = args_get(work->args, "service");
    *out = NULL;
    for (size_t i = 0; i < manifests->count; i++) {
        const struct manifest *one = &manifests->item[i];
        if (one->kind != kind || (service != NULL && strcmp(one->service, service) != 0)) {
            continue;
        }
        if (*out != NULL) {
            return cli_refuse(work->cli, "Say which with --service NAME",
                              "%s holds documents kind: %s of more than one service", manifests->path, word);
        }
        *out = one;
    }
    return CLI_OK;
}

static int read_slos(struct work *work, const struct manifests *manifests)
{
    const struct manifest *slos = NULL;
    struct fault fault = {0};
    int code = manifest_check_service(work->cli, manifests, args_get(work->args, "service"));
    code = code == CLI_OK ? find_one(work, manifests, MANIFEST_SLOS, "Slos", &slos) : code;
    if (code != CLI_OK) {
        return code;
    }
    if (slos == NULL) {
        return cli_refuse(work->cli,
                          "Add a document kind: Slos, or give the file that has it with --slos FILE",
                          "%s holds no objectives to judge by", shown_path(manifests->path));
    }
    if (spec_read_slos(pick(slos->body, "slos"), "/slos", &work->backtest.setup.slos, &fault) != STATUS_OK) {
        return cli_fault_in(work->cli, &fault, slos->document, shown_path(manifests->path));
    }
    return CLI_OK;
}

static int read_policy(struct work *work, const struct manifests *manifests)
{
    const struct manifest *policy = NULL;
    struct backtest_setup *setup = &work->backtest.setup;
    struct fault fault = {0};
    int code = manifest_check_service(work->cli, manifests, args_get(work->args, "service"));
    code = code == CLI_OK ? find_one(work, manifests, MANIFEST_POLICY, "Policy", &policy) : code;
    if (code != CLI_OK) {
        return code;
    }
    struct json_object *empty = json_object_new_object();
    enum status status = empty != NULL ? spec_read_policy(policy != NULL ? policy->body : empty, "",
                                                          &setup->slos, &setup->spec, &fault)
                                       : STATUS_NO_MEMORY;
    json_object_put(empty);
    setup->plan = setup->spec.plan;
    return status == STATUS_OK ? CLI_OK
                               : cli_fault_in(work->cli, &fault, policy != NULL ? policy->document : NULL,
                                              shown_path(manifests->path));
}

static int read_documents(struct work *work)
{
    struct manifests manifests, others;
    const char *policy = args_get(work->args, "policy"), *slos = args_get(work->args, "slos");
    int code = manifest_read(work->cli, policy, &manifests);
    if (code != CLI_OK) {
        return code;
    }
    if (slos == NULL) {
        code = read_slos(work, &manifests);
    } else {
        code = manifest_read(work->cli, slos, &others);
        if (code == CLI_OK) {
            code = read_slos(work, &others);
            manifest_free(&others);
        }
    }
    code = code == CLI_OK ? read_policy(work, &manifests) : code;
    manifest_free(&manifests);
    work->backtest.policy_path = policy;
    return code;
}

/* The plan in a document: of a Rollout, a Policy or of its own. */
static struct json_object *plan_in(struct json_object *document, const char **pointer)
{
    *pointer = pick_has(document, "plan") ? "/plan" : "";
    return pick_has(document, "plan") ? pick(document, "plan") : document;
}

static int read_plan(struct work *work)
{
    const char *path = args_get(work->args, "plan"), *pointer;
    struct backtest_setup *setup = &work->backtest.setup;
    struct yamldoc_stream stream;
    struct fault fault = {0};
    if (path == NULL) {
        return CLI_OK;
    }
    int code = cli_read_yaml(work->cli, path, &stream);
    if (code != CLI_OK) {
        return code;
    }
    struct json_object *plan = plan_in(stream.document[0].value, &pointer);
    enum status status = spec_read_plan(plan, pointer, &setup->plan, &fault);
    if (status == STATUS_OK) {
        status = spec_check_plan(&setup->plan, &setup->spec.policy, pointer, &fault);
    }
    if (status != STATUS_OK) {
        code = cli_fault_in(work->cli, &fault, &stream.document[0], shown_path(path));
    }
    yamldoc_free(&stream);
    return code;
}

/* --- outcomes -------------------------------------------------------------------------------------- */

static int read_outcomes(struct work *work, const char *path, struct outcomes *out)
{
    const char *ignored[ARGS_GIVEN_MAX + 1] = {NULL};
    struct text data;
    struct fault fault = {0};
    for (size_t i = 0; i < ARGS_GIVEN_MAX; i++) {
        ignored[i] = args_nth(work->args, "ignore", i);
        if (ignored[i] == NULL) {
            break;
        }
    }
    enum status status = cli_read_file(path, OUTCOMES_BYTES_MAX, &data, &fault);
    if (status == STATUS_OK) {
        status = outcomes_read(text_get(&data), data.length, shown_path(path), ignored, out, &fault);
        text_free(&data);
    }
    return status == STATUS_OK ? CLI_OK : cli_fault(work->cli, &fault);
}

static void list_words(const struct outcome_words *words, char *out, size_t size)
{
    spelling_list(out, size, (const char *const *)words->word, words->count);
}

/* Refuses an --ignore that names no column of what was read: a slip of the finger would leave it in. */
static int check_ignored(struct work *work)
{
    const char *name;
    char next[400], list[320];
    for (size_t i = 0; (name = args_nth(work->args, "ignore", i)) != NULL; i++) {
        if (outcomes_has_column(&work->outcomes, name) || outcomes_has_column(&work->arrivals, name)) {
            continue;
        }
        list_words(&work->outcomes.names, list, sizeof list);
        snprintf(next, sizeof next, "Name one of its columns: %s.", list);
        return cli_refuse(work->cli, next, "--ignore: %s has no column %.70s",
                          shown_path(args_get(work->args, "outcomes")), name);
    }
    return CLI_OK;
}

/* "has no column release", or that it has and is to be left out. */
static int refuse_column(struct work *work, const char *path, const struct outcomes *outcomes,
                         const char *name, const char *next)
{
    if (outcomes_has_column(outcomes, name)) {
        return cli_refuse(work->cli, next, "the column %s of %s is left out by --ignore", name, path);
    }
    return cli_refuse(work->cli, next, "%s has no column %s", path, name);
}

static int find_release(struct work *work, const char *option, int32_t *out)
{
    char list[300];
    const char *name = args_get(work->args, option);
    const char *path = shown_path(args_get(work->args, "outcomes"));
    if (!work->outcomes.has_release) {
        return refuse_column(work, path, &work->outcomes, "release",
                             "Give a column release that says for each row which release answered.");
    }
    list_words(&work->outcomes.releases, list, sizeof list);
    if (name == NULL) {
        return cli_usage(work->cli, "say which release is which with --stable NAME --canary NAME; %s has: %s",
                         path, list);
    }
    *out = outcomes_release(&work->outcomes, name);
    if (*out < 0) {
        char next[400];
        snprintf(next, sizeof next, "It has: %s.", list);
        return cli_refuse(work->cli, next, "%s has no release %s", path, name);
    }
    return CLI_OK;
}

/* Objectives of which the outcomes say nothing are left out. */
static int leave_out(struct work *work, int32_t stable, int32_t canary, uint32_t *watched)
{
    struct backtest *backtest = &work->backtest;
    uint32_t known = 0;
    for (size_t i = 0; i < work->outcomes.count; i++) {
        const struct outcome *outcome = &work->outcomes.item[i];
        if (outcome->release == stable || outcome->release == canary) {
            known |= outcome->known;
        }
    }
    *watched = 0;
    for (int i = 0; i < SLI_COUNT; i++) {
        struct guardrail *guardrail = &backtest->setup.spec.policy.guardrail[i];
        if (!guardrail->used) {
            continue;
        }
        if ((known >> i & 1) != 0) {
            *watched |= 1u << i;
            continue;
        }
        guardrail->used = backtest->setup.slos.of[i].used = false;
        backtest->left_out |= 1u << i;
    }
    if (*watched != 0) {
        return CLI_OK;
    }
    return cli_refuse(
        work->cli,
        "Add a column with the name of an SLI that has an objective, such as refusal or error; or "
        "ttft_ms or latency_ms where those have one.",
        "%s has no column%s for any of the objectives", shown_path(backtest->outcomes_path),
        args_has(work->args, "ignore") ? " that is not ignored" : "");
}

/* --- traffic --------------------------------------------------------------------------------------- */

static int check_arrivals(struct work *work, const char *path, const struct outcomes *outcomes)
{
    return outcomes->has_arrival
               ? CLI_OK
               : refuse_column(work, shown_path(path), outcomes, "arrival",
                               "Give a column arrival with the time of each request (seconds, or RFC 3339), "
                               "or another file that has one with --arrivals FILE, or --rps N for requests "
                               "that come at random.");
}

static int set_arrivals(struct work *work, int32_t stable, int32_t canary)
{
    struct backtest_traffic *traffic = &work->backtest.setup.traffic;
    const char *path = args_get(work->args, "arrivals"), *from = work->backtest.outcomes_path;
    double rps = 0;
    struct fault fault = {0};
    enum status status = STATUS_OK;
    int code = CLI_OK;
    if (!args_positive(work->args, "rps", &rps)) {
        return CLI_USAGE;
    }
    if (rps > RPS_MAX) {
        return cli_usage(work->cli, "--rps must not be above %d", RPS_MAX);
    }
    if (args_has(work->args, "as-recorded")) {
        code = check_arrivals(work, from, &work->outcomes);
        if (code != CLI_OK) {
            return code;
        }
        snprintf(work->arrivals_text, sizeof work->arrivals_text, "as recorded, in both arms");
        status = traffic_as_recorded(traffic, shown_path(from), &fault);
    } else if (rps > 0) {
        snprintf(work->arrivals_text, sizeof work->arrivals_text, "at random");
        traffic_at_random(traffic, rps);
    } else if (path != NULL) {
        code = check_arrivals(work, path, &work->arrivals);
        if (code != CLI_OK) {
            return code;
        }
        snprintf(work->arrivals_text, sizeof work->arrivals_text, "arriving as in %s", shown_path(path));
        status = traffic_like(traffic, &work->arrivals, -1, -1, shown_path(path), &fault);
    } else {
        code = check_arrivals(work, from, &work->outcomes);
        if (code != CLI_OK) {
            return code;
        }
        snprintf(work->arrivals_text, sizeof work->arrivals_text, "arriving as recorded");
        status = traffic_like(traffic, &work->outcomes, stable, canary, shown_path(from), &fault);
    }
    if (traffic->sorted) {
        size_t used = strlen(work->arrivals_text);
        snprintf(work->arrivals_text + used, sizeof work->arrivals_text - used,
                 " (sorted: the rows are not in order of arrival)");
    }
    work->backtest.arrivals = work->arrivals_text;
    return status == STATUS_OK ? CLI_OK : cli_fault(work->cli, &fault);
}

static int set_traffic(struct work *work)
{
    struct backtest *backtest = &work->backtest;
    struct backtest_setup *setup = &backtest->setup;
    int32_t stable = -1, canary = -1;
    uint32_t watched = 0;
    struct fault fault = {0};
    backtest->outcomes_path = args_get(work->args, "outcomes");
    backtest->ignores = args_has(work->args, "ignore");
    int code = read_outcomes(work, backtest->outcomes_path, &work->outcomes);
    const char *arrivals = args_get(work->args, "arrivals");
    code = code == CLI_OK && arrivals != NULL ? read_outcomes(work, arrivals, &work->arrivals) : code;
    code = code == CLI_OK ? check_ignored(work) : code;
    code = code == CLI_OK ? find_release(work, "stable", &stable) : code;
    code = code == CLI_OK ? find_release(work, "canary", &canary) : code;
    if (code != CLI_OK) {
        return code;
    }
    if (args_has(work->args, "as-recorded") && stable == canary) {
        return cli_usage(work->cli, "with --as-recorded the two arms must be two releases of the file");
    }
    outcomes_judge(&work->outcomes, &setup->slos);
    code = leave_out(work, stable, canary, &watched);
    if (code != CLI_OK) {
        return code;
    }
    if (traffic_init(&setup->traffic, &work->outcomes, stable, canary, watched, &setup->spec, &fault) !=
        STATUS_OK) {
        return cli_fault(work->cli, &fault);
    }
    setup->traffic.in_order = args_has(work->args, "in-order");
    backtest->strata = work->outcomes.strata.count;
    spec_policy_keyed(&setup->spec, work->outcomes.keys.count > 0);
    /* shares that no weight has drawn; few recorded keys that are drawn over and over */
    if (args_has(work->args, "as-recorded") || work->outcomes.keys.count > 0) {
        setup->spec.policy.split_check = false;
    }
    code = set_arrivals(work, stable, canary);
    if (code != CLI_OK) {
        return code;
    }
    if (setup->spec.policy.rps_milli == 0) { /* as a start measures it */
        setup->spec.policy.rps_milli = (int64_t)(setup->traffic.rps * 1000);
    }
    policy_allowances(&setup->slos, &setup->spec.policy);
    return CLI_OK;
}

/* --- options --------------------------------------------------------------------------------------- */

static int read_numbers(struct work *work)
{
    struct backtest_setup *setup = &work->backtest.setup;
    struct args *args = work->args;
    bool recorded = args_has(args, "as-recorded");
    int64_t until_ms = 0, apply_ms = 1000;
    work->seed = 1;
    work->seeds = recorded ? 1 : SEEDS_DEFAULT;
    work->shown = -1;
    if (!args_integer(args, "seeds", 1, SEEDS_MAX, &work->seeds) ||
        !args_integer(args, "seed", 0, INT32_MAX, &work->seed) ||
        !args_integer(args, "show", 0, INT32_MAX, &work->shown) || !args_duration(args, "until", &until_ms) ||
        !args_duration(args, "apply", &apply_ms)) {
        return CLI_USAGE;
    }
    if (work->shown >= 0 && (work->shown < work->seed || work->shown >= work->seed + work->seeds)) {
        return cli_usage(work->cli, "--show must be one of the seeds %lld to %lld", (long long)work->seed,
                         (long long)(work->seed + work->seeds - 1));
    }
    if (until_ms / 1000 > UNTIL_MAX_S) {
        return cli_usage(work->cli, "--until must not be above %d d", UNTIL_MAX_S / 86400);
    }
    setup->settle_s = SETTLE_S;
    setup->apply_s = (double)apply_ms / 1000;
    setup->fix = args_has(args, "fix");
    setup->until_s = (until_ms + 999) / 1000;
    return CLI_OK;
}

static int check_options(struct work *work)
{
    struct args *args = work->args;
    if (args_get(args, "outcomes") == NULL || args_get(args, "policy") == NULL) {
        return cli_usage(work->cli,
                         "give the outcomes with --outcomes FILE and the policy with --policy FILE");
    }
    if (args_has(args, "as-recorded") && (args_has(args, "rps") || args_has(args, "arrivals") ||
                                          args_has(args, "in-order") || args_has(args, "seeds"))) {
        return cli_usage(work->cli,
                         "--as-recorded draws nothing: leave out --rps, --arrivals, --in-order and --seeds");
    }
    if (args_has(args, "rps") && args_has(args, "arrivals")) {
        return cli_usage(work->cli, "requests come either at random (--rps) or as in a file (--arrivals)");
    }
    return read_numbers(work);
}

/* --- running --------------------------------------------------------------------------------------- */

static void set_until(struct backtest_setup *setup)
{
    int64_t longest = 0;
    if (setup->until_s > 0) {
        return;
    }
    for (int i = 0; i < SLI_COUNT; i++) {
        const struct guardrail *guardrail = &setup->spec.policy.guardrail[i];
        longest = guardrail->used && guardrail->maturity_s > longest ? guardrail->maturity_s : longest;
    }
    setup->until_s = UNTIL_DEFAULT_S;
    if (setup->traffic.arrival != NULL) {
        double span = setup->traffic.span_s < UNTIL_LIKE_S ? setup->traffic.span_s : UNTIL_LIKE_S;
        /* what is admitted last is still counted */
        setup->until_s = (int64_t)ceil(span) + longest + setup->settle_s + 2;
    }
}

static enum status run_all(struct work *work, struct fault *fault)
{
    struct backtest *backtest = &work->backtest;
    size_t count = (size_t)work->seeds;
    enum status status = STATUS_OK;
    set_until(&backtest->setup);
    backtest->result = calloc(count, sizeof *backtest->result);
    if (backtest->result == NULL) {
        return fault_set(fault, STATUS_NO_MEMORY, "out of memory");
    }
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        status = backtest_run(&backtest->setup, (uint64_t)work->seed + i, work->cli->json,
                              &backtest->result[i], fault);
        backtest->results++;
    }
    if (status == STATUS_OK) {
        status = backtest_sum_up(backtest->result, count, &backtest->summary, fault);
    }
    if (status == STATUS_OK && !work->cli->json) {
        uint64_t seed =
            work->shown >= 0 ? (uint64_t)work->shown : backtest->result[backtest->summary.typical].seed;
        status = backtest_run(&backtest->setup, seed, true, &backtest->shown, fault);
    }
    return status;
}

static void free_work(struct work *work)
{
    struct backtest *backtest = &work->backtest;
    for (size_t i = 0; i < backtest->results; i++) {
        backtest_result_free(&backtest->result[i]);
    }
    free(backtest->result);
    backtest_result_free(&backtest->shown);
    traffic_free(&backtest->setup.traffic);
    outcomes_free(&work->outcomes);
    outcomes_free(&work->arrivals);
    free(work);
}

static int run_backtest(struct cli *cli, struct args *args)
{
    struct fault fault = {0};
    struct work *work = calloc(1, sizeof *work);
    if (work == NULL) {
        return cli_refuse(cli, NULL, "out of memory");
    }
    work->cli = cli;
    work->args = args;
    int code = check_options(work);
    code = code == CLI_OK ? read_documents(work) : code;
    code = code == CLI_OK ? read_plan(work) : code;
    code = code == CLI_OK ? set_traffic(work) : code;
    if (code == CLI_OK && run_all(work, &fault) != STATUS_OK) {
        code = cli_fault(cli, &fault);
    } else if (code == CLI_OK) {
        code = cli->json ? backtest_json(cli, &work->backtest) : backtest_report(cli, &work->backtest);
    }
    free_work(work);
    return code;
}

static const struct args_option backtest_options[] = {
    {"outcomes", 0, ARGS_VALUE, "FILE",
     "recorded outcomes, CSV or JSON lines: release, arrival, refusal ..., latency_ms, ttft_ms; - is "
     "standard "
     "input"},
    {"policy", 0, ARGS_VALUE, "FILE", "documents as for apply: Slos and Policy"},
    {"slos", 0, ARGS_VALUE, "FILE", "the document Slos, if it is in another file"},
    {"service", 0, ARGS_VALUE, "NAME", "whose documents, if the file has several"},
    {"plan", 0, ARGS_VALUE, "FILE", "a plan (steps: ...), or a document with one; else the policy's"},
    {"stable", 0, ARGS_VALUE, "NAME", "the release of the file that is stable"},
    {"canary", 0, ARGS_VALUE, "NAME", "the one that is the canary; the same name: stable against itself"},
    {"rps", 0, ARGS_VALUE, "N", "requests come at random, N a second"},
    {"arrivals", 0, ARGS_VALUE, "FILE", "they come as in the column arrival of this file"},
    {"in-order", 0, ARGS_FLAG, NULL, "outcomes are taken in the order of the file, not drawn"},
    {"as-recorded", 0, ARGS_FLAG, NULL, "both releases as they are in the file, at their times"},
    {"seeds", 0, ARGS_VALUE, "N", "how many rollouts (100)"},
    {"seed", 0, ARGS_VALUE, "N", "the first seed (1)"},
    {"show", 0, ARGS_VALUE, "SEED", "which rollout to show step by step; else a typical one"},
    {"until", 0, ARGS_VALUE, "DURATION",
     "how long to look; else as long as the arrivals, at most 24h, or 6h with --rps"},
    {"apply", 0, ARGS_VALUE, "DURATION", "from a decision to the gateways (1s)"},
    {"fix", 0, ARGS_FLAG, NULL, "the rollout mends a broken stable, as with rollout start --fix"},
    {"ignore", 0, ARGS_MANY, "COLUMN", "leave out a column of the file, whichever it is"},
    {0}};

const struct command backtest_commands[] = {
    {"backtest", "--outcomes FILE --policy FILE --stable NAME --canary NAME",
     "what a policy would have done with recorded outcomes",
     "Needs no server. Whole rollouts are played by the code that decides in production, each with another "
     "seed; the report says how they ended, how fast, and how many users were worse off. See the handbook, "
     "backtest.md.",
     backtest_options, 0, 0, run_backtest},
    {0}};
