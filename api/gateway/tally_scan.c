/* One pass over the outer object, which notes where its arrays are, and one over the items, when it is known
   what they are counted with. */
#include "gateway/tally_scan.h"

#include "gateway/tally_items.h"

#include <stdlib.h>
#include <string.h>

enum { DIGITS_MAX = 15 /* below 2^53 whatever they are */, SCORE_TEXT_MAX = 40 };

struct scan {
    const char *at, *end;
};

/* --- tokens: each is true when it was there, and then behind it
 * ----------------------------------------------------------------------------------- */

static void skip_space(struct scan *scan)
{
    while (scan->at < scan->end &&
           (*scan->at == ' ' || *scan->at == '\n' || *scan->at == '\r' || *scan->at == '\t'))
        scan->at++;
}

static bool take(struct scan *scan, char c)
{
    skip_space(scan);
    if (scan->at == scan->end || *scan->at != c)
        return false;
    scan->at++;
    return true;
}

static bool take_word(struct scan *scan, const char *word, size_t length)
{
    skip_space(scan);
    if ((size_t)(scan->end - scan->at) < length || memcmp(scan->at, word, length) != 0)
        return false;
    scan->at += length;
    return true;
}

static bool take_null(struct scan *scan)
{
    return take_word(scan, "null", 4);
}

static bool take_bool(struct scan *scan, bool *out)
{
    *out = take_word(scan, "true", 4);
    return *out || take_word(scan, "false", 5);
}

/* Whether the number ends here. */
static bool ends(const struct scan *scan)
{
    return scan->at < scan->end && strchr(",]} \n\r\t", *scan->at) != NULL && *scan->at != '\0';
}

static bool take_whole(struct scan *scan, int64_t min, int64_t max, int64_t *out)
{
    skip_space(scan);
    const char *begin = scan->at;
    int64_t value = 0;
    for (; scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9'; scan->at++) {
        if (scan->at - begin == DIGITS_MAX)
            return false;
        value = value * 10 + (*scan->at - '0');
    }
    *out = value;
    return scan->at > begin && (*begin != '0' || scan->at == begin + 1) && ends(scan) && value >= min &&
           value <= max;
}

static size_t digits(struct scan *scan)
{
    const char *begin = scan->at;
    while (scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9')
        scan->at++;
    return (size_t)(scan->at - begin);
}

/* Any number that JSON knows, within bounds. */
static bool take_number(struct scan *scan, double bound, double *out)
{
    char text[SCORE_TEXT_MAX];
    skip_space(scan);
    const char *begin = scan->at;
    scan->at += scan->at < scan->end && *scan->at == '-';
    const char *first = scan->at;
    size_t whole = digits(scan);
    if (whole == 0 || (whole > 1 && *first == '0'))
        return false;
    if (scan->at < scan->end && *scan->at == '.') {
        scan->at++;
        if (digits(scan) == 0)
            return false;
    }
    size_t length = (size_t)(scan->at - begin);
    if (!ends(scan) || length >= sizeof text) /* with an exponent, it does not end here */
        return false;
    memcpy(text, begin, length);
    text[length] = '\0';
    *out = strtod(text, NULL);
    return *out >= -bound && *out <= bound;
}

static bool is_letter_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z');
}

/* A name, as name_valid() has it, which needs no escapes. */
static bool take_name(struct scan *scan, char out[NAME_MAX_LENGTH + 1])
{
    size_t length = 0;
    if (!take(scan, '"'))
        return false;
    for (; scan->at < scan->end && *scan->at != '"'; scan->at++) {
        char c = *scan->at;
        if (length == NAME_MAX_LENGTH ||
            (!is_letter_or_digit(c) && (length == 0 || (c != '.' && c != '_' && c != '-'))))
            return false;
        out[length++] = c;
    }
    out[length] = '\0';
    return length > 0 && take(scan, '"');
}

/* --- members
 * ----------------------------------------------------------------------------------- */

struct member {
    const char *name;
    size_t length;
};
#define MEMBER(text)                                                                                         \
    {                                                                                                        \
        text, sizeof text - 1                                                                                \
    }

struct members {
    const struct member *known;
    size_t count;
    size_t hint;   /* where the next one probably is: items are written in one order */
    unsigned seen; /* a bit for each */
};

/* The next member of an object: its place among the known ones, behind its colon. */
enum next { NEXT_MEMBER, NEXT_END, NEXT_GIVE_UP };

static enum next next_member(struct scan *scan, struct members *members, size_t *place)
{
    if (take(scan, '}'))
        return NEXT_END;
    if ((members->seen != 0 && !take(scan, ',')) || !take(scan, '"'))
        return NEXT_GIVE_UP;
    const char *name = scan->at, *close = memchr(name, '"', (size_t)(scan->end - name));
    if (close == NULL)
        return NEXT_GIVE_UP;
    size_t length = (size_t)(close - name);
    for (size_t i = 0; i < members->count; i++) {
        size_t at =
            members->hint + i < members->count ? members->hint + i : members->hint + i - members->count;
        if (members->known[at].length != length || memcmp(members->known[at].name, name, length) != 0)
            continue;
        if ((members->seen & 1u << at) != 0)
            return NEXT_GIVE_UP; /* twice */
        members->seen |= 1u << at;
        members->hint = at + 1 < members->count ? at + 1 : 0;
        *place = at;
        scan->at = close + 1;
        return take(scan, ':') ? NEXT_MEMBER : NEXT_GIVE_UP;
    }
    return NEXT_GIVE_UP;
}

/* --- items
 * ----------------------------------------------------------------------------------- */

static bool scan_admission(struct scan *scan, struct tally *tally, const struct tally_setting *setting,
                           size_t index)
{
    enum { RELEASE, STRATUM, COUNT, AGE, MEMBERS };
    static const struct member known[MEMBERS] = {MEMBER("release"), MEMBER("stratum"), MEMBER("count"),
                                                 MEMBER("age_ms")};
    const unsigned required = 1u << RELEASE | 1u << COUNT | 1u << AGE;
    struct members members = {known, MEMBERS, 0, 0};
    char release[NAME_MAX_LENGTH + 1], stratum[NAME_MAX_LENGTH + 1] = "";
    struct admission admission = {release, stratum, 0, 0};
    enum next next = NEXT_GIVE_UP;
    size_t place;
    if (!take(scan, '{'))
        return false;
    while ((next = next_member(scan, &members, &place)) == NEXT_MEMBER) {
        bool good = place == RELEASE   ? take_name(scan, release)
                    : place == STRATUM ? take_null(scan) || take_name(scan, stratum)
                    : place == COUNT   ? take_whole(scan, 1, TALLY_COUNT_MAX, &admission.count)
                                       : take_whole(scan, 0, OUTCOME_AGE_MAX_MS, &admission.age_ms);
        if (!good)
            return false;
    }
    return next == NEXT_END && (members.seen & required) == required &&
           tally_count_admission(tally, setting, index, &admission) == STATUS_OK;
}

static bool scan_slis(struct scan *scan, struct outcome *outcome)
{
    static const struct member known[SLI_COUNT] = {
#define X(name, text, deadline, latency) MEMBER(text),
        SLI_TABLE(X)
#undef X
    };
    struct members members = {known, SLI_COUNT, 0, 0};
    enum next next = NEXT_GIVE_UP;
    size_t place;
    bool bad;
    if (!take(scan, '{'))
        return false;
    while ((next = next_member(scan, &members, &place)) == NEXT_MEMBER) {
        if (take_null(scan))
            continue;
        if (!take_bool(scan, &bad))
            return false;
        outcome->sli[place] = bad ? OUTCOME_BAD : OUTCOME_GOOD;
    }
    return next == NEXT_END;
}

/* An amount that goes into a sum; *amount stays as it is if it is null. */
static bool take_amount(struct scan *scan, struct outcome *outcome, enum counts_sum sum, int64_t *amount)
{
    if (take_null(scan))
        return true;
    if (!take_whole(scan, 0, TALLY_NUMBER_MAX, amount))
        return false;
    outcome->has[sum] = true;
    outcome->value[sum] = (double)*amount;
    return true;
}

static bool scan_outcome(struct scan *scan, struct tally *tally, const struct tally_setting *setting,
                         size_t index)
{
    enum { RELEASE, STRATUM, AGE, SLI, TTFT, LATENCY, INPUT, OUTPUT, COST, SCORE, RESCUED, MEMBERS };
    static const struct member known[MEMBERS] = {
        MEMBER("release"),     MEMBER("stratum"),    MEMBER("age_ms"),       MEMBER("sli"),
        MEMBER("ttft_ms"),     MEMBER("latency_ms"), MEMBER("input_tokens"), MEMBER("output_tokens"),
        MEMBER("cost_micros"), MEMBER("score"),      MEMBER("rescued")};
    const unsigned required = 1u << RELEASE | 1u << AGE;
    struct members members = {known, MEMBERS, 0, 0};
    char release[NAME_MAX_LENGTH + 1], stratum[NAME_MAX_LENGTH + 1] = "";
    struct outcome outcome = {.release = release, .stratum = stratum, .ttft_ms = -1, .latency_ms = -1};
    bool rescued = false, good = take(scan, '{');
    enum next next = NEXT_GIVE_UP;
    size_t place;
    int64_t amount;
    while (good && (next = next_member(scan, &members, &place)) == NEXT_MEMBER) {
        switch (place) {
        case RELEASE:
            good = take_name(scan, release);
            break;
        case STRATUM:
            good = take_null(scan) || take_name(scan, stratum);
            break;
        case AGE:
            good = take_whole(scan, 0, OUTCOME_AGE_MAX_MS, &outcome.age_ms);
            break;
        case SLI:
            good = take_null(scan) || scan_slis(scan, &outcome);
            break;
        case TTFT:
            good = take_amount(scan, &outcome, SUM_TTFT_MS, &outcome.ttft_ms);
            break;
        case LATENCY:
            good = take_amount(scan, &outcome, SUM_LATENCY_MS, &outcome.latency_ms);
            break;
        case INPUT:
            good = take_amount(scan, &outcome, SUM_INPUT_TOKENS, &amount);
            break;
        case OUTPUT:
            good = take_amount(scan, &outcome, SUM_OUTPUT_TOKENS, &amount);
            break;
        case COST:
            good = take_amount(scan, &outcome, SUM_COST_MICROS, &amount);
            break;
        case SCORE:
            outcome.has[SUM_SCORE] = !take_null(scan);
            good = !outcome.has[SUM_SCORE] || take_number(scan, TALLY_SCORE_MAX, &outcome.value[SUM_SCORE]);
            break;
        default:
            good = take_null(scan) || take_bool(scan, &rescued);
        }
    }
    return good && next == NEXT_END && (members.seen & required) == required &&
           tally_count_outcome(tally, setting, index, &outcome, rescued) == STATUS_OK;
}

/* --- the batch
 * ----------------------------------------------------------------------------------- */

typedef bool (*scan_item)(struct scan *scan, struct tally *tally, const struct tally_setting *setting,
                          size_t index);

/* The array that `scan` holds, and nothing behind it. */
static bool scan_items(struct scan scan, scan_item item, struct tally *tally,
                       const struct tally_setting *setting)
{
    if (scan.at == NULL) /* there is none */
        return true;
    size_t index = 0;
    if (!take(&scan, '['))
        return false;
    if (take(&scan, ']'))
        return scan.at == scan.end;
    do {
        if (index == TALLY_ITEMS_MAX || !item(&scan, tally, setting, index++))
            return false;
    } while (take(&scan, ','));
    return take(&scan, ']') && scan.at == scan.end;
}

/* Goes to the bracket that closes the array, and notes where it is. What stands in it is looked at later. */
static bool skip_array(struct scan *scan, struct scan *array)
{
    size_t depth = 0;
    skip_space(scan);
    array->at = scan->at;
    for (; scan->at < scan->end; scan->at++) {
        char c = *scan->at;
        if (c == '"') {
            const char *close = memchr(scan->at + 1, '"', (size_t)(scan->end - scan->at - 1));
            if (close == NULL || close[-1] == '\\')
                return false;
            scan->at = close;
        } else if (c == '[' || c == '{') {
            depth++;
        } else if ((c == ']' || c == '}') && --depth == 0) {
            array->end = ++scan->at;
            return true;
        } else if (depth == 0) {
            return false;
        }
    }
    return false;
}

struct batch {
    char service[NAME_MAX_LENGTH + 1];
    bool timed;
    int64_t clock_ms;
    struct scan admissions, outcomes; /* NULL: there is none */
};

static bool scan_batch(struct scan scan, struct batch *out)
{
    enum { SERVICE, CLOCK, ADMISSIONS, OUTCOMES, MEMBERS };
    static const struct member known[MEMBERS] = {MEMBER("service"), MEMBER("clock_ms"), MEMBER("admissions"),
                                                 MEMBER("outcomes")};
    struct members members = {known, MEMBERS, 0, 0};
    enum next next = NEXT_GIVE_UP;
    size_t place;
    bool good = take(&scan, '{');
    while (good && (next = next_member(&scan, &members, &place)) == NEXT_MEMBER) {
        if (place == SERVICE)
            good = take_name(&scan, out->service);
        else if (take_null(&scan))
            continue;
        else if (place == CLOCK)
            good = out->timed = take_whole(&scan, 0, TALLY_NUMBER_MAX, &out->clock_ms);
        else
            good = skip_array(&scan, place == ADMISSIONS ? &out->admissions : &out->outcomes);
    }
    skip_space(&scan);
    return good && next == NEXT_END && scan.at == scan.end && (members.seen & 1u << SERVICE) != 0;
}

bool tally_scan(const char *body, size_t length, const struct snapshot *snapshot, struct wall_time now,
                struct clocks *clocks, const char *gateway, const char *key, struct tally *out)
{
    struct batch batch = {.timed = false};
    if (!scan_batch((struct scan){body, body + length}, &batch))
        return false;
    const struct service_view *view = snapshot_find(snapshot, batch.service);
    if (view == NULL)
        return false;
    struct tally_setting setting = {&view->rules, now, "admissions"};
    if (batch.timed)
        setting.now = tally_place(out, clocks, gateway, batch.clock_ms, now);
    out->delta = counts_delta_new(gateway, key, batch.service);
    bool good = out->delta != NULL && scan_items(batch.admissions, scan_admission, out, &setting);
    setting.array = "outcomes";
    good = good && scan_items(batch.outcomes, scan_outcome, out, &setting);
    if (!good)
        tally_free(out);
    return good;
}
