/* Line diff: lines become numbers, common ends are cut off, the rest goes through Myers' greedy algorithm. */
#include "control/diff_text.h"

#include "base/json.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { CHANGES_MAX = 1000, STEPS_MAX = 10000000 };

/* --- lines as numbers
 * ------------------------------------------------------------------------------------------- */

static enum status split(const char *text, size_t length, struct diff_side *side)
{
    size_t lines = 1;
    for (size_t i = 0; i < length; i++)
        lines += text[i] == '\n';
    side->line = calloc(lines, sizeof *side->line);
    side->changed = calloc(lines, sizeof *side->changed);
    if (side->line == NULL || side->changed == NULL)
        return STATUS_NO_MEMORY;
    side->lines = lines;
    size_t start = 0, at = 0;
    for (size_t i = 0; i < lines; i++) {
        while (at < length && text[at] != '\n')
            at++;
        side->line[i] = (struct diff_line){.text = text + start, .length = at - start};
        start = ++at;
    }
    return STATUS_OK;
}

static uint64_t hash_of(const struct diff_line *line)
{
    uint64_t hash = 14695981039346656037u; /* FNV-1a */
    for (size_t i = 0; i < line->length; i++)
        hash = (hash ^ (unsigned char)line->text[i]) * 1099511628211u;
    return hash ^ hash >> 29;
}

struct numbering {
    const struct diff_line **seen; /* open addressing */
    uint32_t *number;
    size_t slots;
    uint32_t next;
};

/* The same number for the same line. Few slots are taken, so that the search ends. */
static uint32_t number_of(struct numbering *numbering, const struct diff_line *line)
{
    size_t at = hash_of(line) & (numbering->slots - 1);
    while (numbering->seen[at] != NULL) {
        const struct diff_line *other = numbering->seen[at];
        if (other->length == line->length && memcmp(other->text, line->text, line->length) == 0)
            return numbering->number[at];
        at = (at + 1) & (numbering->slots - 1);
    }
    numbering->seen[at] = line;
    numbering->number[at] = numbering->next;
    return numbering->next++;
}

static enum status number_lines(const struct diff_side *from, const struct diff_side *to, uint32_t *a,
                                uint32_t *b)
{
    struct numbering numbering = {.slots = 16};
    enum status status = STATUS_NO_MEMORY;
    while (numbering.slots < 2 * (from->lines + to->lines))
        numbering.slots *= 2;
    numbering.seen = calloc(numbering.slots, sizeof *numbering.seen);
    numbering.number = calloc(numbering.slots, sizeof *numbering.number);
    if (numbering.seen != NULL && numbering.number != NULL) {
        for (size_t i = 0; i < from->lines; i++)
            a[i] = number_of(&numbering, &from->line[i]);
        for (size_t i = 0; i < to->lines; i++)
            b[i] = number_of(&numbering, &to->line[i]);
        status = STATUS_OK;
    }
    free(numbering.number);
    free(numbering.seen);
    return status;
}

/* --- the shortest script
 * ---------------------------------------------------------------------------------------- */

struct search {
    const uint32_t *a, *b; /* the middle parts */
    int64_t n, m;
    int64_t steps;
    int32_t *reach; /* furthest x on the diagonals -d .. d, for d = 0, 1, ..: row d begins at d * d */
};

/* Where the two moves onto diagonal k lead to, from the diagonals -(d-1) .. d-1 after d - 1 changes; below 0
   if a move is not possible or leaves the box. */
struct moves {
    int64_t down;  /* x after an added line */
    int64_t right; /* x after a removed line */
};

static struct moves moves_onto(const struct search *search, int64_t d, int64_t k)
{
    const int32_t *before = search->reach + (d - 1) * (d - 1);
    struct moves moves = {-1, -1};
    if (k + 1 <= d - 1)
        moves.down = before[k + 1 + d - 1];
    if (k - 1 >= -(d - 1))
        moves.right = (int64_t)before[k - 1 + d - 1] + 1;
    if (moves.down - k > search->m)
        moves.down = -1;
    if (moves.right > search->n || moves.right == 0)
        moves.right = -1;
    return moves;
}

/* Number of changes of the shortest script, or -1 if it is out of bounds. Diagonals of the wrong parity, or
   outside the box, hold -2, which no path comes from. */
static int64_t search_forward(struct search *search)
{
    for (int64_t d = 0; d <= CHANGES_MAX; d++) {
        int32_t *row = search->reach + d * d;
        for (int64_t k = -d; k <= d; k++) {
            row[k + d] = -1;
            if (((k ^ d) & 1) != 0)
                continue;
            struct moves moves = d > 0 ? moves_onto(search, d, k) : (struct moves){0, -1};
            int64_t x = moves.right > moves.down ? moves.right : moves.down, y = x - k;
            if (x < 0)
                continue;
            while (x < search->n && y < search->m && search->a[x] == search->b[y]) {
                x++;
                y++;
                search->steps++;
            }
            row[k + d] = (int32_t)x;
            if (x == search->n && y == search->m)
                return d;
            if (++search->steps > STEPS_MAX)
                return -1;
        }
    }
    return -1;
}

/* Walks back from the end and marks what was removed and added. */
static void mark_back(const struct search *search, int64_t changes, bool *removed, bool *added)
{
    int64_t k = search->n - search->m;
    for (int64_t d = changes; d > 0; d--) {
        struct moves moves = moves_onto(search, d, k);
        if (moves.right > moves.down) {
            removed[moves.right - 1] = true;
            k--;
        } else {
            added[moves.down - k - 1] = true;
            k++;
        }
    }
}

static enum status compare_middle(struct search *search, bool *removed, bool *added, bool *coarse)
{
    if (search->n > 0 && search->m > 0) {
        int64_t rows = CHANGES_MAX + 1;
        if (rows > search->n + search->m + 1)
            rows = search->n + search->m + 1;
        search->reach = malloc((size_t)(rows * rows) * sizeof *search->reach);
        if (search->reach == NULL)
            return STATUS_NO_MEMORY;
        int64_t changes = search_forward(search);
        if (changes >= 0)
            mark_back(search, changes, removed, added);
        free(search->reach);
        if (changes >= 0)
            return STATUS_OK;
        *coarse = true;
    }
    memset(removed, true, (size_t)search->n);
    memset(added, true, (size_t)search->m);
    return STATUS_OK;
}

enum status diff_text_compare(const char *from, size_t from_length, const char *to, size_t to_length,
                              struct diff_script *out)
{
    uint32_t *a = NULL, *b = NULL;
    memset(out, 0, sizeof *out);
    enum status status = split(from, from_length, &out->from);
    if (status == STATUS_OK)
        status = split(to, to_length, &out->to);
    if (status != STATUS_OK)
        goto out;
    a = malloc(out->from.lines * sizeof *a);
    b = malloc(out->to.lines * sizeof *b);
    status = a != NULL && b != NULL ? number_lines(&out->from, &out->to, a, b) : STATUS_NO_MEMORY;
    if (status != STATUS_OK)
        goto out;
    size_t head = 0, n = out->from.lines, m = out->to.lines;
    while (head < n && head < m && a[head] == b[head])
        head++;
    while (n > head && m > head && a[n - 1] == b[m - 1]) {
        n--;
        m--;
    }
    struct search search = {.a = a + head, .b = b + head, .n = (int64_t)(n - head), .m = (int64_t)(m - head)};
    status = compare_middle(&search, out->from.changed + head, out->to.changed + head, &out->coarse);
out:
    free(b);
    free(a);
    if (status != STATUS_OK)
        diff_script_free(out);
    return status;
}

void diff_script_free(struct diff_script *script)
{
    free(script->from.line);
    free(script->from.changed);
    free(script->to.line);
    free(script->to.changed);
    memset(script, 0, sizeof *script);
}

/* --- hunks
 * ------------------------------------------------------------------------------------------------------ */

struct writer {
    const struct diff_script *script;
    struct text *out;
    size_t shown, hidden;
    bool any;
};

static void put_item(struct writer *writer, char op, const char *text, size_t length)
{
    if (writer->any)
        text_putc(writer->out, ',');
    writer->any = true;
    text_printf(writer->out, "{\"op\":\"%c\",\"text\":", op);
    json_put_string(writer->out, text, length);
    text_putc(writer->out, '}');
}

static void put_line(struct writer *writer, char op, const struct diff_line *line)
{
    if (writer->shown == DIFF_SHOWN_MAX) {
        writer->hidden++;
        return;
    }
    writer->shown++;
    put_item(writer, op, line->text, line->length);
}

/* A place in both texts. */
struct place {
    size_t from, to;
};

static bool changed_here(const struct diff_script *script, struct place at)
{
    return (at.from < script->from.lines && script->from.changed[at.from]) ||
           (at.to < script->to.lines && script->to.changed[at.to]);
}

/* Past the run of changes that begins at `at`. */
static struct place after_run(const struct diff_script *script, struct place at)
{
    while (at.from < script->from.lines && script->from.changed[at.from])
        at.from++;
    while (at.to < script->to.lines && script->to.changed[at.to])
        at.to++;
    return at;
}

/* How many lines stand unchanged in both from `at` on, counted up to `most`. */
static size_t common_run(const struct diff_script *script, struct place at, size_t most)
{
    size_t run = 0;
    while (run < most && at.from + run < script->from.lines &&
           !changed_here(script, (struct place){at.from + run, at.to + run}))
        run++;
    return run;
}

static void put_range(struct writer *writer, struct place start, struct place end)
{
    struct text range;
    text_init(&range, 128);
    text_printf(&range, "-%zu,%zu +%zu,%zu", start.from + 1, end.from - start.from, start.to + 1,
                end.to - start.to);
    put_item(writer, '@', text_get(&range), range.length);
    text_free(&range);
}

static void put_hunk(struct writer *writer, struct place start, struct place end)
{
    const struct diff_script *script = writer->script;
    if (writer->shown < DIFF_SHOWN_MAX)
        put_range(writer, start, end);
    while (start.from < end.from || start.to < end.to) {
        if (start.from < end.from && script->from.changed[start.from]) {
            put_line(writer, '-', &script->from.line[start.from++]);
        } else if (start.to < end.to && script->to.changed[start.to]) {
            put_line(writer, '+', &script->to.line[start.to++]);
        } else {
            put_line(writer, ' ', &script->from.line[start.from++]);
            start.to++;
        }
    }
}

void diff_text_write(const struct diff_script *script, struct text *out)
{
    struct writer writer = {.script = script, .out = out};
    struct place at = {0, 0};
    while (at.from < script->from.lines || at.to < script->to.lines) {
        size_t before = common_run(script, at, SIZE_MAX);
        at.from += before;
        at.to += before;
        if (!changed_here(script, at))
            break;
        size_t lead = before < DIFF_CONTEXT ? before : DIFF_CONTEXT;
        struct place start = {at.from - lead, at.to - lead};
        size_t tail;
        for (;;) { /* runs that are near each other share a hunk */
            at = after_run(script, at);
            tail = common_run(script, at, 2 * DIFF_CONTEXT + 1);
            struct place next = {at.from + tail, at.to + tail};
            if (tail > 2 * DIFF_CONTEXT || !changed_here(script, next))
                break;
            at = next;
        }
        if (tail > DIFF_CONTEXT)
            tail = DIFF_CONTEXT;
        at.from += tail;
        at.to += tail;
        put_hunk(&writer, start, at);
    }
    if (writer.hidden > 0) {
        struct text note;
        text_init(&note, 128);
        text_printf(&note, "%zu more lines are not shown", writer.hidden);
        put_item(&writer, '@', text_get(&note), note.length);
        text_free(&note);
    }
}
