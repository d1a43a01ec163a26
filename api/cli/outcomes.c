/* Reading recorded outcomes. CSV and JSON lines come down to the same cells. */
#include "cli/outcomes.h"

#include "base/clock.h"
#include "base/csv.h"
#include "base/json.h"
#include "base/spelling.h"
#include "base/utf8.h"

#include <json-c/json_object_iterator.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum field {
    FIELD_RELEASE,
    FIELD_ARRIVAL,
    FIELD_TTFT,
    FIELD_LATENCY,
    FIELD_RESCUED,
    FIELD_KEY,
    FIELD_STRATUM
};
static const char *const field_names[] = {"release", "arrival", "ttft_ms", "latency_ms",
                                          "rescued", "key",     "stratum"};
enum {
    FIELDS = sizeof field_names / sizeof field_names[0],
    COLUMNS = FIELDS + SLI_COUNT, /* a column is a field, or FIELDS + sli */
    IGNORED = -1
};

struct reader {
    const char *name;
    const char *const *ignored;
    struct outcomes *out;
    struct fault *fault;
    bool dated; /* arrivals are RFC 3339; as the first one is */
    bool timed; /* an arrival was read */
    double first_s;
};

/* --- words ----------------------------------------------------------------------------------------- */

static uint64_t hash_of(const char *word)
{
    uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a */
    for (; *word != '\0'; word++) {
        hash = (hash ^ (unsigned char)*word) * 0x100000001b3u;
    }
    return hash;
}

/* The place of `word` in the open hash, or the free one where it belongs. */
static size_t slot_of(const struct outcome_words *words, const char *word)
{
    size_t slot = (size_t)hash_of(word) & (words->places - 1);
    while (words->place[slot] >= 0 && strcmp(words->word[words->place[slot]], word) != 0) {
        slot = (slot + 1) & (words->places - 1);
    }
    return slot;
}

static bool grow(struct outcome_words *words)
{
    size_t places = words->places > 0 ? words->places * 2 : 64;
    char **word = realloc(words->word, places / 2 * sizeof *word);
    int32_t *place = malloc(places * sizeof *place);
    if (word != NULL) {
        words->word = word;
    }
    if (word == NULL || place == NULL) {
        free(place);
        return false;
    }
    free(words->place);
    words->place = place;
    words->places = places;
    words->capacity = places / 2;
    for (size_t i = 0; i < places; i++) {
        place[i] = -1;
    }
    for (size_t i = 0; i < words->count; i++) {
        place[slot_of(words, words->word[i])] = (int32_t)i;
    }
    return true;
}

/* Place of the word, which is added if it is new; -1 on no memory. */
static int32_t place_of(struct outcome_words *words, const char *word)
{
    if (words->count == words->capacity && !grow(words)) {
        return -1;
    }
    size_t slot = slot_of(words, word);
    if (words->place[slot] >= 0) {
        return words->place[slot];
    }
    char *copy = strdup(word);
    if (copy == NULL) {
        return -1;
    }
    words->word[words->count] = copy;
    words->place[slot] = (int32_t)words->count;
    return (int32_t)words->count++;
}

static void free_words(struct outcome_words *words)
{
    for (size_t i = 0; i < words->count; i++) {
        free(words->word[i]);
    }
    free(words->word);
    free(words->place);
}

/* --- cells ----------------------------------------------------------------------------------------- */

static const char *column_name(int column)
{
    return column < FIELDS ? field_names[column] : sli_name((enum sli)(column - FIELDS));
}

__attribute__((format(printf, 5, 6))) static enum status
refuse(struct reader *reader, size_t line, int column, const char *next, const char *format, ...)
{
    char text[256], where[64] = "";
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    utf8_trim(text);
    if (column >= 0) {
        snprintf(where, sizeof where, "%s: ", column_name(column));
    }
    fault_set(reader->fault, STATUS_INVALID, "%s:%zu: %s%s", reader->name, line, where, text);
    if (next != NULL) {
        fault_next(reader->fault, "%s", next);
    }
    return STATUS_INVALID;
}

static enum status no_memory(struct reader *reader)
{
    return fault_set(reader->fault, STATUS_NO_MEMORY, "%s: out of memory", reader->name);
}

static enum status set_word(struct reader *reader, size_t line, int column, const char *cell,
                            struct outcome *out)
{
    struct outcomes *outcomes = reader->out;
    if (strlen(cell) > OUTCOMES_WORD_MAX) {
        return refuse(reader, line, column, "Put a short name there, such as a digest of the text.",
                      "is longer than %d bytes", OUTCOMES_WORD_MAX);
    }
    struct outcome_words *words = column == FIELD_RELEASE ? &outcomes->releases
                                  : column == FIELD_KEY   ? &outcomes->keys
                                                          : &outcomes->strata;
    int32_t place = place_of(words, cell);
    if (place < 0) {
        return no_memory(reader);
    }
    if (column == FIELD_RELEASE && place >= OUTCOMES_RELEASES_MAX) {
        return refuse(reader, line, column, "Is this the column of releases? Name the one that is: release.",
                      "more than %d different releases", OUTCOMES_RELEASES_MAX);
    }
    if (column == FIELD_STRATUM && place >= OUTCOMES_STRATA_MAX) {
        return refuse(reader, line, column, "Strata are few, such as languages or tiers; a user is a key.",
                      "more than %d different strata", OUTCOMES_STRATA_MAX);
    }
    if (column == FIELD_RELEASE) {
        out->release = place;
    } else if (column == FIELD_KEY) {
        out->key = place;
    } else {
        out->stratum = place;
    }
    return STATUS_OK;
}

static enum status set_arrival(struct reader *reader, size_t line, const char *cell, struct outcome *out)
{
    static const char *const next =
        "Write all arrivals as seconds (12.5), or all as RFC 3339 "
        "(2026-01-20T10:00:00Z).";
    struct wall_time time;
    double seconds;
    bool number = csv_number(cell, &seconds), dated = !number && clock_parse(cell, &time);
    if (!number && !dated) {
        return refuse(reader, line, FIELD_ARRIVAL, next,
                      "\"%.40s\" is neither a number of seconds nor a time", cell);
    }
    if (dated) {
        seconds = (double)time.us / 1e6;
    }
    if (fabs(seconds) > 1e11) {
        return refuse(reader, line, FIELD_ARRIVAL, next, "\"%.40s\" is out of range", cell);
    }
    if (reader->timed && dated != reader->dated) {
        return refuse(reader, line, FIELD_ARRIVAL, next, "\"%.40s\" is not of the kind of the rows before",
                      cell);
    }
    if (!reader->timed) {
        reader->timed = true;
        reader->dated = dated;
        reader->first_s = seconds;
    }
    out->arrival_s = seconds - reader->first_s;
    return STATUS_OK;
}

static enum status set_time(struct reader *reader, size_t line, int column, const char *cell,
                            struct outcome *out)
{
    double ms;
    if (!csv_number(cell, &ms) || ms < 0 || ms > 1e12) {
        return refuse(reader, line, column,
                      "Write milliseconds, or leave it empty where it was not measured.",
                      "\"%.40s\" is no time in ms", cell);
    }
    int64_t *to = column == FIELD_TTFT ? &out->ttft_ms : &out->latency_ms;
    *to = (int64_t)llround(ms);
    return STATUS_OK;
}

static enum status set_flag(struct reader *reader, size_t line, int column, const char *cell,
                            struct outcome *out)
{
    bool bad = strcmp(cell, "true") == 0 || strcmp(cell, "1") == 0;
    if (!bad && strcmp(cell, "false") != 0 && strcmp(cell, "0") != 0) {
        return refuse(
            reader, line, column,
            "An SLI says whether the request was bad: true or 1, false or 0, empty where it was not "
            "measured.",
            "\"%.40s\" is not true, false, 1, 0 or empty", cell);
    }
    if (column == FIELD_RESCUED) {
        out->known |= bad ? 1u << SLI_ERROR : 0;
        out->bad |= bad ? 1u << SLI_ERROR : 0;
        return STATUS_OK;
    }
    uint32_t bit = 1u << (column - FIELDS);
    out->known |= bit;
    out->bad |= bad ? bit : 0;
    return STATUS_OK;
}

static enum status set(struct reader *reader, size_t line, int column, const char *cell, struct outcome *out)
{
    if (*cell == '\0' || column == IGNORED) {
        return STATUS_OK;
    }
    switch (column) {
    case FIELD_RELEASE:
    case FIELD_KEY:
    case FIELD_STRATUM:
        return set_word(reader, line, column, cell, out);
    case FIELD_ARRIVAL:
        return set_arrival(reader, line, cell, out);
    case FIELD_TTFT:
    case FIELD_LATENCY:
        return set_time(reader, line, column, cell, out);
    default:
        return set_flag(reader, line, column, cell, out);
    }
}

/* --- rows ------------------------------------------------------------------------------------------ */

static struct outcome *next_row(struct reader *reader, size_t line)
{
    struct outcomes *out = reader->out;
    if (out->count == out->capacity) {
        size_t capacity = out->capacity > 0 ? out->capacity * 2 : 1024;
        struct outcome *grown = realloc(out->item, capacity * sizeof *grown);
        if (grown == NULL) {
            no_memory(reader);
            return NULL;
        }
        out->item = grown;
        out->capacity = capacity;
    }
    struct outcome *row = &out->item[out->count];
    *row = (struct outcome){.arrival_s = NAN,
                            .release = -1,
                            .key = -1,
                            .stratum = -1,
                            .ttft_ms = -1,
                            .latency_ms = -1,
                            .line = (int32_t)line};
    return row;
}

static enum status end_row(struct reader *reader, size_t line, const struct outcome *row)
{
    if (reader->out->has_release && row->release < 0) {
        return refuse(reader, line, FIELD_RELEASE, "Say in each row which release answered.", "is empty");
    }
    reader->out->count++;
    return STATUS_OK;
}

static bool is_ignored(const struct reader *reader, const char *name)
{
    for (size_t i = 0; reader->ignored != NULL && reader->ignored[i] != NULL; i++) {
        if (strcmp(name, reader->ignored[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* Which column this name is. */
static enum status find_column(struct reader *reader, size_t line, const char *name, int *out)
{
    const char *known[COLUMNS], *near;
    char list[320];
    *out = IGNORED;
    if (is_ignored(reader, name)) {
        return place_of(&reader->out->names, name) >= 0 ? STATUS_OK : no_memory(reader);
    }
    for (int i = 0; i < COLUMNS; i++) {
        known[i] = column_name(i);
        if (strcmp(name, known[i]) == 0) {
            *out = i;
            return place_of(&reader->out->names, name) >= 0 ? STATUS_OK : no_memory(reader);
        }
    }
    near = spelling_nearest(name, known, COLUMNS);
    if (near != NULL) {
        refuse(reader, line, IGNORED, NULL, "the column \"%.40s\" is not known; did you mean %s?", name,
               near);
    } else {
        refuse(reader, line, IGNORED, NULL, "the column \"%.40s\" is not known", name);
    }
    spelling_list(list, 240, known, COLUMNS);
    fault_next(reader->fault, "Rename it to one of %s; or leave it out with --ignore NAME.", list);
    return STATUS_INVALID;
}

static void note_column(struct outcomes *out, int column)
{
    out->has_release |= column == FIELD_RELEASE;
    out->has_arrival |= column == FIELD_ARRIVAL;
    out->has_ttft |= column == FIELD_TTFT;
    out->has_latency |= column == FIELD_LATENCY;
    out->columns |= column >= FIELDS ? 1u << (column - FIELDS) : 0;
    out->columns |= column == FIELD_RESCUED ? 1u << SLI_ERROR : 0;
}

static enum status read_header(struct reader *reader, const struct csv *csv, int column[CSV_COLUMNS_MAX])
{
    uint64_t seen = 0;
    for (size_t i = 0; i < csv->columns; i++) {
        enum status status = find_column(reader, 1, csv->cell[i], &column[i]);
        if (status != STATUS_OK) {
            return status;
        }
        if (column[i] != IGNORED && (seen >> column[i] & 1) != 0) {
            return refuse(reader, 1, column[i], "Leave one of them out of the file, or rename it.",
                          "stands twice in the header");
        }
        seen |= column[i] != IGNORED ? (uint64_t)1 << column[i] : 0;
        note_column(reader->out, column[i]);
    }
    return STATUS_OK;
}

static enum status read_csv(struct reader *reader, const char *data, size_t length)
{
    int column[CSV_COLUMNS_MAX] = {0};
    struct csv csv;
    enum status status = csv_parse(data, length, reader->name, &csv, reader->fault);
    if (status != STATUS_OK) {
        return status;
    }
    status = read_header(reader, &csv, column);
    for (size_t i = 0; status == STATUS_OK && i < csv.rows; i++) {
        size_t line = csv_line(&csv, i);
        struct outcome *row = next_row(reader, line);
        status = row == NULL ? STATUS_NO_MEMORY : STATUS_OK;
        for (size_t c = 0; status == STATUS_OK && c < csv.columns; c++) {
            status = set(reader, line, column[c], csv_cell(&csv, i, c), row);
        }
        if (status == STATUS_OK) {
            status = end_row(reader, line, row);
        }
    }
    csv_free(&csv);
    return status;
}

/* --- JSON lines ------------------------------------------------------------------------------------ */

static enum status read_member(struct reader *reader, size_t line, const char *name,
                               struct json_object *value, struct outcome *row)
{
    int column;
    enum status status = find_column(reader, line, name, &column);
    if (status != STATUS_OK || column == IGNORED) {
        return status;
    }
    note_column(reader->out, column);
    if (value == NULL) {
        return STATUS_OK;
    }
    if (json_object_is_type(value, json_type_object) || json_object_is_type(value, json_type_array)) {
        return refuse(reader, line, column, "Put the value itself there, not an object or a list of values.",
                      "must be a string, a number, true, false or null");
    }
    if (strlen(json_object_get_string(value)) != (size_t)json_object_get_string_len(value) &&
        json_object_is_type(value, json_type_string)) {
        return refuse(reader, line, column, "Take the character \\u0000 out.", "has a NUL in it");
    }
    return set(reader, line, column, json_object_get_string(value), row);
}

static enum status read_line(struct reader *reader, const char *data, size_t length, size_t line)
{
    struct json_object *object = NULL;
    struct fault fault = {0};
    enum status status = json_parse(data, length, &object, &fault);
    if (status != STATUS_OK) {
        return refuse(reader, line, IGNORED, "Each line must be one JSON object.", "%s", fault.detail);
    }
    if (!json_object_is_type(object, json_type_object)) {
        json_object_put(object);
        return refuse(reader, line, IGNORED, "Each line must be one JSON object.", "this is no JSON object");
    }
    struct outcome *row = next_row(reader, line);
    status = row == NULL ? STATUS_NO_MEMORY : STATUS_OK;
    struct json_object_iterator at = json_object_iter_begin(object), end = json_object_iter_end(object);
    for (; status == STATUS_OK && !json_object_iter_equal(&at, &end); json_object_iter_next(&at)) {
        status =
            read_member(reader, line, json_object_iter_peek_name(&at), json_object_iter_peek_value(&at), row);
    }
    json_object_put(object);
    return status == STATUS_OK ? end_row(reader, line, row) : status;
}

/* Bytes of a byte order mark. */
static size_t marked(const char *data, size_t length)
{
    return length >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
}

static enum status read_lines(struct reader *reader, const char *data, size_t length)
{
    enum status status = STATUS_OK;
    size_t line = 1, mark = marked(data, length);
    for (const char *at = data + mark, *end = data + length; at < end && status == STATUS_OK; line++) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t bytes = (size_t)((stop != NULL ? stop : end) - at), blank = 0;
        while (blank < bytes && strchr(" \t\r", at[blank]) != NULL && at[blank] != '\0') {
            blank++;
        }
        if (blank < bytes) {
            status = read_line(reader, at, bytes, line);
        }
        at += bytes + (stop != NULL ? 1 : 0);
    }
    return status;
}

/* --- the file -------------------------------------------------------------------------------------- */

static bool is_json(const char *data, size_t length)
{
    size_t at = marked(data, length);
    while (at < length && (data[at] == ' ' || data[at] == '\n' || data[at] == '\r' || data[at] == '\t')) {
        at++;
    }
    return at < length && (data[at] == '{' || data[at] == '[');
}

enum status outcomes_read(const char *data, size_t length, const char *name, const char *const *ignored,
                          struct outcomes *out, struct fault *fault)
{
    struct reader reader = {.name = name, .ignored = ignored, .out = out, .fault = fault};
    *out = (struct outcomes){0};
    enum status status =
        is_json(data, length) ? read_lines(&reader, data, length) : read_csv(&reader, data, length);
    if (status == STATUS_OK && out->count == 0) {
        status = fault_set(fault, STATUS_INVALID, "%s: there are no rows", name);
        fault_next(fault, "The first line names the columns; each line after it is one request.");
    }
    if (status != STATUS_OK) {
        outcomes_free(out);
    }
    return status;
}

void outcomes_free(struct outcomes *outcomes)
{
    free(outcomes->item);
    free_words(&outcomes->releases);
    free_words(&outcomes->keys);
    free_words(&outcomes->strata);
    free_words(&outcomes->names);
    *outcomes = (struct outcomes){0};
}

static void judge(struct outcome *outcome, enum sli sli, int64_t measured_ms, const struct slos *slos)
{
    const struct slo *slo = &slos->of[sli];
    uint32_t bit = 1u << sli;
    if (!slo->used || slo->threshold_ms <= 0 || measured_ms < 0 || (outcome->known & bit) != 0) {
        return;
    }
    outcome->known |= bit;
    outcome->bad |= sli_over(sli, measured_ms, slo->threshold_ms) ? bit : 0;
}

void outcomes_judge(struct outcomes *outcomes, const struct slos *slos)
{
    for (size_t i = 0; i < outcomes->count; i++) {
        struct outcome *outcome = &outcomes->item[i];
        judge(outcome, SLI_TTFT, outcome->ttft_ms, slos);
        judge(outcome, SLI_LATENCY, outcome->latency_ms, slos);
        judge(outcome, SLI_TIMEOUT, outcome->latency_ms, slos);
    }
}

static int32_t find_word(const struct outcome_words *words, const char *name)
{
    for (size_t i = 0; i < words->count; i++) {
        if (strcmp(words->word[i], name) == 0) {
            return (int32_t)i;
        }
    }
    return -1;
}

int32_t outcomes_release(const struct outcomes *outcomes, const char *name)
{
    return find_word(&outcomes->releases, name);
}

bool outcomes_has_column(const struct outcomes *outcomes, const char *name)
{
    return find_word(&outcomes->names, name) >= 0;
}
