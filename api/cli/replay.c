/* serin replay: computes the decisions of a rollout anew, from the server's record or from a file. */
#include "cli/cli.h"
#include "cli/output.h"
#include "cli/pick.h"
#include "cli/record.h"
#include "cli/table.h"
#include "cli/target.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { WRAP = 100, SENTENCE_MAX = 600 };

/* --- where the pages come from ------------------------------------------------------------------------- */

static int save_page(struct cli *cli, FILE *file, const char *path, const struct client_answer *answer)
{
    if (file == NULL || (fwrite(answer->body, 1, answer->length, file) == answer->length &&
                         fputc('\n', file) != EOF && fflush(file) == 0)) {
        return CLI_OK;
    }
    return cli_refuse(cli, NULL, "%s: %s", path, strerror(errno));
}

static int from_server(struct cli *cli, const char *id, const char *save, struct record *record)
{
    FILE *file = save != NULL ? fopen(save, "we") : NULL;
    int code = CLI_OK;
    if (save != NULL && file == NULL) {
        return cli_refuse(cli, NULL, "%s: %s", save, strerror(errno));
    }
    while (code == CLI_OK && !record->last) {
        struct client_answer answer;
        struct fault fault = {0};
        struct text path;
        target_path(&path, id, "/record");
        if (record->cursor[0] != '\0') {
            client_query(&path, "cursor", record->cursor);
        }
        code = cli_get(cli, text_get(&path), &answer);
        text_free(&path);
        if (code != CLI_OK) {
            break;
        }
        code = save_page(cli, file, save, &answer);
        if (code == CLI_OK && record_page(record, answer.body, answer.length, &fault) != STATUS_OK) {
            code = cli_fault(cli, &fault);
        }
        client_answer_free(&answer);
    }
    if (file != NULL && fclose(file) != 0 && code == CLI_OK) {
        code = cli_refuse(cli, NULL, "%s: %s", save, strerror(errno));
    }
    return code;
}

/* A page is one object: what begins as one and ends otherwise has lost its end. */
static bool ends_amid(const char *page, size_t length)
{
    while (length > 0 && strchr(" \t\r\n", page[length - 1]) != NULL) {
        length--;
    }
    return length > 0 && page[0] == '{' && page[length - 1] != '}';
}

/* The whole file as one page, whatever its line ends. */
static enum status whole_file(const char *path, struct record *record, bool *cut, struct fault *fault)
{
    struct text data;
    enum status status = cli_read_file(path, RECORD_PAGE_MAX, &data, fault);
    if (status == STATUS_OK) {
        *cut = ends_amid(text_get(&data), data.length);
        status = record_page(record, text_get(&data), data.length, fault);
        text_free(&data);
    }
    return status;
}

static bool blank(const char *line)
{
    return line[strspn(line, " \t\r\n")] == '\0';
}

/* A page a line, as --save writes them; or one page over many lines, as people format JSON. */
static int from_file(struct cli *cli, const char *path, struct record *record)
{
    bool input = strcmp(path, "-") == 0;
    FILE *file = input ? stdin : fopen(path, "re");
    struct fault fault = {0};
    enum status status = STATUS_OK;
    record->saved = true;
    char *line = NULL;
    size_t room = 0, number = 0;
    ssize_t length;
    bool cut = false;
    if (file == NULL) {
        return cli_refuse(cli, NULL, "%s: %s", path, strerror(errno));
    }
    while (status == STATUS_OK && (length = getline(&line, &room, file)) >= 0) {
        number++;
        if (length > RECORD_PAGE_MAX) {
            status = fault_set(&fault, STATUS_TOO_LARGE, "A page has more than %d bytes", RECORD_PAGE_MAX);
        } else if (!blank(line)) {
            cut = ends_amid(line, (size_t)length);
            status = record_page(record, line, (size_t)length, &fault);
        }
    }
    free(line);
    if (!input) {
        fclose(file);
    }
    if (status == STATUS_MALFORMED && number == 1 && !input) {
        status = whole_file(path, record, &cut, &fault);
    }
    if ((status == STATUS_OK && !record->last) || (status == STATUS_MALFORMED && cut)) {
        return cli_refuse(cli, "Save it again: serin replay ROLLOUT --save FILE",
                          "%s ends before the record does", input ? "standard input" : path);
    }
    if (status != STATUS_OK) {
        fprintf(cli->err, "serin: %s: page %zu is no page of a record\n", input ? "standard input" : path,
                number);
    }
    return status == STATUS_OK ? CLI_OK : cli_fault(cli, &fault);
}

/* --- what came out ------------------------------------------------------------------------------------- */

static void result_words(const struct record_decision *decision, char out[SENTENCE_MAX])
{
    const struct replay_result *result = &decision->result;
    if (!record_equal(decision)) {
        snprintf(out, SENTENCE_MAX, "DIFFERS");
    } else if (!result->compared) {
        snprintf(out, SENTENCE_MAX, "equal, without evidence");
    } else if (result->bits) {
        snprintf(out, SENTENCE_MAX, "equal, bit by bit");
    } else {
        snprintf(out, SENTENCE_MAX, "equal to %.0e", result->difference);
    }
}

static void say(struct text *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* One sentence, wrapped, below its decision. */
static void say(struct text *out, const char *format, ...)
{
    char sentence[SENTENCE_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    output_wrap(out, sentence, 4, WRAP);
}

static void put_evidence(struct text *out, const struct replay_result *result)
{
    char what[80];
    if (result->largest == NULL || result->difference <= REPLAY_TOLERANCE) {
        return;
    }
    snprintf(what, sizeof what, "%s%s%s",
             result->largest_sli < SLI_COUNT ? sli_name(result->largest_sli) : "",
             result->largest_sli < SLI_COUNT ? " " : "", result->largest);
    if (isfinite(result->difference)) {
        say(out, "Evidence: %s differs most, by %.3g relative (%.0e is allowed).", what, result->difference,
            REPLAY_TOLERANCE);
    } else {
        say(out, "Evidence: %s is finite in one and not in the other.", what);
    }
}

/* What is not equal, and how. */
static void put_differences(struct text *out, const struct record_decision *decision)
{
    const struct replay_decision *stored = &decision->stored;
    const struct replay_result *result = &decision->result;
    const struct snapshot *inputs = &stored->snapshot;
    if (!decision->hash) {
        say(out, "Event: it is not what was hashed when it was stored; it has been changed since.");
    }
    if (!decision->decided) {
        if (decision->broken[0] != '\0') {
            say(out, "Blocks: %s.", decision->broken);
        } else {
            say(out, "Blocks: it rests on %" PRId64 ", and the record has fewer.", stored->blocks);
        }
        return;
    }
    if (!result->rule) {
        say(out, "Rule: stored %s, computed %s.", stored->rule, result->decision.rule->id);
    }
    if (!result->phase) {
        say(out, "Phase after it: stored %s, computed %s.", phase_name(stored->phase),
            phase_name(result->decision.phase));
    }
    if (!result->step) {
        say(out, "Step after it: stored %d, computed %d.", (int)stored->step, (int)result->decision.step);
    }
    if (!result->action) {
        say(out, "Action of the evidence: stored %s (%s, %s, step %s), computed %s (%s, %s, step %s).",
            judgement_action_name(inputs->judgement), judgement_reason_name(inputs->judgement_reason),
            sli_name((enum sli)inputs->lead), inputs->proven ? "proven" : "not proven",
            judgement_action_name(result->judgement.action), judgement_reason_name(result->judgement.reason),
            sli_name(result->judgement.lead), result->proven ? "proven" : "not proven");
    }
    put_evidence(out, result);
    if (decision->missing > 0) {
        say(out,
            "The event is older than %zu of the fields that a decision looks at in this version; they were "
            "taken as absent.",
            decision->missing);
    }
}

struct summary {
    size_t shown, different, without_evidence;
    bool bits;
    double largest;
};

static struct summary sum_up(const struct record *record, const char *event)
{
    struct summary summary = {.bits = true};
    for (size_t i = 0; i < record->decisions; i++) {
        const struct record_decision *decision = &record->decision[i];
        if (event != NULL && strcmp(event, decision->event) != 0) {
            continue;
        }
        summary.shown++;
        summary.different += record_equal(decision) ? 0 : 1;
        summary.without_evidence += decision->decided && !decision->result.compared ? 1 : 0;
        summary.bits = summary.bits && decision->decided && decision->result.bits;
        if (decision->result.difference > summary.largest) {
            summary.largest = decision->result.difference;
        }
    }
    return summary;
}

static void put_table(const struct record *record, const char *event, bool colors, struct text *out)
{
    struct table table;
    table_begin(&table, "WHEN", "RULE", "THEN", "STEP", "BLOCKS", "COMPUTED ANEW", NULL);
    table.right[3] = table.right[4] = true;
    table.indent = 2;
    for (size_t i = 0; i < record->decisions; i++) {
        const struct record_decision *decision = &record->decision[i];
        char text[SENTENCE_MAX], number[OUTPUT_MAX];
        if (event != NULL && strcmp(event, decision->event) != 0) {
            continue;
        }
        table_cell(&table, output_since(decision->at, number));
        table_cell(&table, decision->stored.rule);
        table_cell(&table, phase_name(decision->stored.phase));
        snprintf(number, sizeof number, "%d", (int)decision->stored.step);
        table_cell(&table, number);
        table_cell(&table, output_count(decision->stored.blocks, number));
        result_words(decision, text);
        table_cell_painted(&table, record_equal(decision) ? PAINT_GREEN : PAINT_RED, text);
    }
    table_end(&table, colors, out);
}

/* What is wrong beside decisions that come out otherwise. */
static void put_findings(const struct record *record, bool colors, struct text *out)
{
    size_t shown = record->findings < RECORD_FINDINGS_MAX ? record->findings : RECORD_FINDINGS_MAX;
    if (record->findings > 0) {
        text_puts(out, "  ");
        output_paint(out, colors, PAINT_RED, "the record");
        text_putc(out, '\n');
    }
    for (size_t i = 0; i < shown; i++) {
        say(out, "%s", record->finding[i]);
    }
    if (record->findings > shown) {
        say(out, "And %zu more.", record->findings - shown);
    }
}

static void put_summary(const struct record *record, const struct summary *summary, struct text *out)
{
    char decisions[OUTPUT_MAX], blocks[OUTPUT_MAX];
    char sentence[SENTENCE_MAX];
    output_count((int64_t)summary->shown, decisions);
    output_count(record->blocks, blocks);
    if (summary->different > 0) {
        snprintf(sentence, sizeof sentence,
                 "%zu of %s decisions do not come out as they were stored. Either the record was changed, or "
                 "this serin (%s) decides otherwise than the serind that decided then (the record is of %s).",
                 summary->different, decisions, SERIN_VERSION, record->head.version);
    } else if (record->findings > 0) {
        snprintf(sentence, sizeof sentence,
                 "%s decision%s come out as they were stored, but the record is not the one that serind "
                 "wrote. Save it again from the server: serin replay %s --save FILE",
                 decisions, summary->shown == 1 ? "" : "s", record->head.rollout);
    } else if (summary->shown == 0) {
        snprintf(sentence, sizeof sentence, "Nothing has been decided yet.");
    } else if (summary->bits) {
        snprintf(sentence, sizeof sentence,
                 "%s decision%s, computed anew from %s blocks: all equal, bit by bit.", decisions,
                 summary->shown == 1 ? "" : "s", blocks);
    } else {
        snprintf(
            sentence, sizeof sentence,
            "%s decision%s, computed anew from %s blocks: all equal; the evidence differs by at most %.1e "
            "relative (%.0e is allowed).",
            decisions, summary->shown == 1 ? "" : "s", blocks, summary->largest, REPLAY_TOLERANCE);
    }
    output_wrap(out, sentence, 0, WRAP);
    if (record->saved && record->findings == 0 && summary->different == 0 && record->head.first > 0) {
        char hex[DIGEST_HEX];
        snprintf(sentence, sizeof sentence,
                 "It ends with event no. %" PRId64
                 " of %s, hash %s. Who made all hashes anew is found out only "
                 "there: 'serin events %s --json' must show the same.",
                 record->head.last, record->head.service, digest_hex(&record->head.hash, hex),
                 record->head.service);
        output_wrap(out, sentence, 0, WRAP);
    }
    if (!record->head.weights_complete) {
        output_wrap(out,
                    "The weight was changed more often than the record remembers (63 changes); decisions "
                    "before that may come out differently.",
                    0, WRAP);
    }
}

static int show(struct cli *cli, const struct record *record, const char *event,
                const struct summary *summary)
{
    struct text out;
    text_init(&out, 32 << 20);
    text_printf(&out, "%s: ", record->head.service);
    output_clean(&out, record->head.stable[0] != '\0' ? record->head.stable : "nothing", false);
    text_puts(&out, " -> ");
    output_clean(&out, record->head.release, false);
    text_puts(&out, "  ");
    output_paint(&out, cli->out_colors, PAINT_DIM, record->head.rollout);
    text_putc(&out, '\n');
    put_table(record, event, cli->out_colors, &out);
    for (size_t i = 0; i < record->decisions; i++) {
        const struct record_decision *decision = &record->decision[i];
        if ((event == NULL || strcmp(event, decision->event) == 0) && !record_equal(decision)) {
            text_puts(&out, "  ");
            output_paint(&out, cli->out_colors, PAINT_RED, decision->stored.rule);
            text_puts(&out, ", event ");
            output_clean(&out, decision->event, false);
            text_putc(&out, '\n');
            put_differences(&out, decision);
        }
    }
    put_findings(record, cli->out_colors, &out);
    put_summary(record, summary, &out);
    return cli_print(cli, &out);
}

/* --- as JSON ------------------------------------------------------------------------------------------- */

static struct json_object *number_or_null(double value)
{
    return isfinite(value) ? json_object_new_double(value) : NULL;
}

static struct json_object *decision_json(const struct record_decision *decision)
{
    const struct replay_decision *stored = &decision->stored;
    const struct replay_result *result = &decision->result;
    struct json_object *object = json_object_new_object();
    cli_add_text(&object, "event", decision->event);
    cli_add_text(&object, "at", decision->at);
    cli_add_text(&object, "verb", verb_name(stored->verb));
    cli_add(&object, "blocks", json_object_new_int64(stored->blocks));
    cli_add(&object, "equal", json_object_new_boolean(record_equal(decision)));
    cli_add(&object, "hash_holds", json_object_new_boolean(decision->hash));
    cli_add(&object, "decided", json_object_new_boolean(decision->decided));
    cli_add_text(&object, "rule", stored->rule);
    cli_add_text(&object, "phase", phase_name(stored->phase));
    cli_add(&object, "step", json_object_new_int(stored->step));
    cli_add_text(&object, "judgement", judgement_action_name(stored->snapshot.judgement));
    cli_add(&object, "proven", json_object_new_boolean(stored->snapshot.proven));
    cli_add(&object, "missing_inputs", json_object_new_int64((int64_t)decision->missing));
    if (object == NULL || !decision->decided) {
        return object;
    }
    struct json_object *now = json_object_new_object();
    cli_add_text(&now, "rule", result->decision.rule->id);
    cli_add_text(&now, "phase", phase_name(result->decision.phase));
    cli_add(&now, "step", json_object_new_int(result->decision.step));
    cli_add_text(&now, "judgement", judgement_action_name(result->judgement.action));
    cli_add(&now, "proven", json_object_new_boolean(result->proven));
    cli_add(&object, "computed", now);
    cli_add(&object, "evidence_compared", json_object_new_boolean(result->compared));
    cli_add(&object, "bit_equal", json_object_new_boolean(result->compared && result->bits));
    if (isfinite(result->difference)) {
        cli_add(&object, "largest_difference", number_or_null(result->difference));
    }
    return object;
}

static struct json_object *findings_json(const struct record *record)
{
    struct json_object *list = json_object_new_array();
    for (size_t i = 0; i < record->findings && i < RECORD_FINDINGS_MAX && list != NULL; i++) {
        struct json_object *text = json_object_new_string(record->finding[i]);
        if (text == NULL || json_object_array_add(list, text) != 0) {
            json_object_put(text);
            json_object_put(list);
            list = NULL;
        }
    }
    return list;
}

/* The end of the chain that the record stands in: what the server has there tells a forger who made all
 * hashes anew. */
static struct json_object *last_event_json(const struct record *record)
{
    struct json_object *object = NULL;
    char hex[DIGEST_HEX];
    if (record->head.first > 0) {
        object = json_object_new_object();
        cli_add(&object, "seq", json_object_new_int64(record->head.last));
        cli_add_text(&object, "hash", digest_hex(&record->head.hash, hex));
    }
    return object;
}

static int print_json(struct cli *cli, const struct record *record, const char *event,
                      const struct summary *summary)
{
    struct json_object *whole = json_object_new_object(), *list = json_object_new_array();
    bool good = list != NULL;
    for (size_t i = 0; i < record->decisions && good; i++) {
        const struct record_decision *decision = &record->decision[i];
        struct json_object *one = NULL;
        if (event != NULL && strcmp(event, decision->event) != 0) {
            continue;
        }
        one = decision_json(decision);
        good = one != NULL && json_object_array_add(list, one) == 0;
    }
    cli_add_text(&whole, "rollout", record->head.rollout);
    cli_add_text(&whole, "record_version", record->head.version);
    cli_add_text(&whole, "replay_version", SERIN_VERSION);
    cli_add(&whole, "blocks", json_object_new_int64(record->blocks));
    cli_add(&whole, "equal", json_object_new_boolean(summary->different == 0 && record->findings == 0));
    cli_add(&whole, "bit_equal", json_object_new_boolean(summary->bits));
    cli_add(&whole, "weights_complete", json_object_new_boolean(record->head.weights_complete));
    cli_add(&whole, "decisions", list);
    cli_add(&whole, "verdicts", json_object_new_int64((int64_t)record->verdicts));
    cli_add(&whole, "findings", findings_json(record));
    cli_add(&whole, "last_event", last_event_json(record));
    if (!good || whole == NULL) {
        json_object_put(whole);
        return cli_refuse(cli, NULL, "out of memory");
    }
    fprintf(cli->out, "%s\n", json_object_to_json_string_ext(whole, JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(whole);
    return CLI_OK;
}

/* --- the command ---------------------------------------------------------------------------------------- */

static int fill(struct cli *cli, struct args *args, struct record *record)
{
    const char *file = args_get(args, "file"), *save = args_get(args, "save");
    char id[ID_MAX];
    if (file != NULL && args->words > 0) {
        return cli_usage(cli, "give a rollout or service, or --file FILE, not both");
    }
    if (file == NULL && args->words == 0) {
        return cli_usage(cli, "give a rollout or service, or --file FILE");
    }
    if (file != NULL) {
        return save == NULL ? from_file(cli, file, record)
                            : cli_usage(cli, "--save is for a record of the server");
    }
    int code = target_find(cli, args->word[0], TARGET_NEWEST, id);
    return code == CLI_OK ? from_server(cli, id, save, record) : code;
}

static int run_replay(struct cli *cli, struct args *args)
{
    const char *event = args_get(args, "event");
    struct record *record = record_new();
    if (record == NULL) {
        return cli_refuse(cli, NULL, "out of memory");
    }
    int code = fill(cli, args, record);
    if (code == CLI_OK) {
        record_end(record);
        struct summary summary = sum_up(record, event);
        if (event != NULL && summary.shown == 0) {
            code =
                cli_refuse(cli, "List them: serin replay ROLLOUT", "the record holds no decision %s", event);
        } else {
            code = cli->json ? print_json(cli, record, event, &summary) : show(cli, record, event, &summary);
        }
        if (code == CLI_OK && (summary.different > 0 || record->findings > 0)) {
            code = CLI_REFUSED;
        }
    }
    record_free(record);
    return code;
}

static const struct args_option replay_options[] = {
    {"event", 0, ARGS_VALUE, "ID", "only the decision of this event"},
    {"save", 0, ARGS_VALUE, "FILE", "keep the record: a page a line"},
    {"file", 'f', ARGS_VALUE, "FILE", "a record that was saved, without a server; - is standard input"},
    {0}};

const struct command replay_commands[] = {
    {"replay", "ID|SERVICE | --file FILE", "compute stored decisions anew, and say whether they are equal",
     "From the frozen policy and plan and the stored blocks of evidence alone. Rule, phase, step and action "
     "must be equal, and the evidence to 1e-9 relative; on one build and CPU type it is equal bit by bit. "
     "Exit "
     "code 0 if all are equal, 1 if one differs. With --json the result, not the API's answer. At most "
     "20,000 "
     "decisions and 20,000,000 blocks.\n\n  serin replay chat --save chat.record\n  serin replay --file "
     "chat.record",
     replay_options, 0, 1, run_replay},
    {0}};
