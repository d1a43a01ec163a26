/* Tests of the line diff: hunks as the API shows them, and that a script always leads from one text to the
 * other. */
#include "control/diff_text.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(control_diff_text, .timeout = 30);

/* The hunks as plain lines: op, text. */
static char *shown(const char *from, const char *to)
{
    struct diff_script script;
    struct text out;
    cr_assert_eq(diff_text_compare(from, strlen(from), to, strlen(to), &script), STATUS_OK);
    text_init(&out, 1 << 22);
    diff_text_write(&script, &out);
    cr_assert_eq(text_status(&out), STATUS_OK);
    diff_script_free(&script);
    return text_take(&out);
}

static void expect(const char *from, const char *to, const char *json)
{
    char *got = shown(from, to);
    cr_assert_str_eq(got, json);
    free(got);
}

Test(control_diff_text, nothing_changed)
{
    expect("", "", "");
    expect("a\nb\n", "a\nb\n", "");
}

Test(control_diff_text, one_line)
{
    expect(
        "a\nb\nc", "a\nB\nc",
        "{\"op\":\"@\",\"text\":\"-1,3 +1,3\"},{\"op\":\" \",\"text\":\"a\"},{\"op\":\"-\",\"text\":\"b\"},"
        "{\"op\":\"+\",\"text\":\"B\"},{\"op\":\" \",\"text\":\"c\"}");
}

Test(control_diff_text, last_line_feed)
{
    expect(
        "a", "a\n",
        "{\"op\":\"@\",\"text\":\"-1,1 +1,2\"},{\"op\":\" \",\"text\":\"a\"},{\"op\":\"+\",\"text\":\"\"}");
}

Test(control_diff_text, quotes_are_escaped)
{
    expect("\"", "\\",
           "{\"op\":\"@\",\"text\":\"-1,1 +1,1\"},{\"op\":\"-\",\"text\":\"\\\"\"},"
           "{\"op\":\"+\",\"text\":\"\\\\\"}");
}

Test(control_diff_text, three_lines_of_context_and_two_hunks)
{
    char *got = shown("1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12", "1\nx\n3\n4\n5\n6\n7\n8\n9\n10\ny\n12");
    cr_assert_not_null(strstr(got, "\"-1,5 +1,5\""));
    cr_assert_not_null(strstr(got, "\"-8,5 +8,5\""));
    free(got);
    got = shown("1\n2\n3\n4\n5\n6\n7\n8\n9\n10", "1\nx\n3\n4\n5\n6\n7\n8\ny\n10");
    cr_assert_not_null(strstr(got, "\"-1,10 +1,10\""), "six lines between two changes: one hunk, got %s",
                       got);
    free(got);
}

Test(control_diff_text, shortest)
{
    struct diff_script script;
    const char *from = "a\nb\nc\na\nb\nb\na", *to = "c\nb\na\nb\na\nc";
    size_t changes = 0;
    cr_assert_eq(diff_text_compare(from, strlen(from), to, strlen(to), &script), STATUS_OK);
    for (size_t i = 0; i < script.from.lines; i++)
        changes += script.from.changed[i];
    for (size_t i = 0; i < script.to.lines; i++)
        changes += script.to.changed[i];
    cr_assert_eq(changes, 5, "Myers' own example has 5 changes, not %zu", changes);
    diff_script_free(&script);
}

/* What is not changed must stand in both, in the same order. */
static void check(const struct diff_script *script)
{
    size_t i = 0, j = 0;
    for (;;) {
        while (i < script->from.lines && script->from.changed[i])
            i++;
        while (j < script->to.lines && script->to.changed[j])
            j++;
        if (i == script->from.lines || j == script->to.lines)
            break;
        cr_assert_eq(script->from.line[i].length, script->to.line[j].length);
        cr_assert_eq(memcmp(script->from.line[i].text, script->to.line[j].text, script->to.line[j].length),
                     0);
        i++;
        j++;
    }
    cr_assert_eq(i, script->from.lines);
    cr_assert_eq(j, script->to.lines);
}

/* Length of the longest common subsequence, the slow way. */
static size_t longest_common(const char *a, size_t n, const char *b, size_t m)
{
    size_t row[64] = {0};
    for (size_t i = 0; i < n; i++) {
        size_t corner = 0;
        for (size_t j = 0; j < m; j++) {
            size_t above = row[j + 1];
            row[j + 1] = a[i] == b[j] ? corner + 1 : above > row[j] ? above : row[j];
            corner = above;
        }
    }
    return row[m];
}

Test(control_diff_text, random_texts_against_the_slow_way)
{
    uint64_t seed = 88172645463325252u;
    for (int round = 0; round < 20000; round++) {
        char text[2][64], letters[2][32];
        size_t count[2];
        for (int side = 0; side < 2; side++) {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            count[side] = 1 + seed % 12;
            for (size_t i = 0; i < count[side]; i++) {
                letters[side][i] = (char)('a' + (seed >> (8 + 3 * i)) % 3);
                text[side][2 * i] = letters[side][i];
                text[side][2 * i + 1] = '\n';
            }
        }
        struct diff_script script;
        size_t removed = 0;
        cr_assert_eq(diff_text_compare(text[0], 2 * count[0] - 1, text[1], 2 * count[1] - 1, &script),
                     STATUS_OK);
        check(&script);
        for (size_t i = 0; i < script.from.lines; i++)
            removed += script.from.changed[i];
        cr_assert_eq(count[0] - removed, longest_common(letters[0], count[0], letters[1], count[1]));
        diff_script_free(&script);
    }
}

Test(control_diff_text, too_different_is_coarse_and_bounded)
{
    struct text from, to, out;
    struct diff_script script;
    text_init(&from, 1 << 22);
    text_init(&to, 1 << 22);
    text_init(&out, 1 << 26);
    text_puts(&from, "same\n");
    text_puts(&to, "same\n");
    for (int i = 0; i < 100000; i++) {
        text_printf(&from, "%d\n", i);
        text_printf(&to, "%d\n", 100000 - i);
    }
    cr_assert_eq(diff_text_compare(text_get(&from), from.length, text_get(&to), to.length, &script),
                 STATUS_OK);
    cr_assert(script.coarse);
    check(&script);
    diff_text_write(&script, &out);
    cr_assert_not_null(strstr(text_get(&out), "more lines are not shown"));
    diff_script_free(&script);
    text_free(&out);
    text_free(&to);
    text_free(&from);
}

Test(control_diff_text, a_million_equal_lines_end)
{
    size_t n = 1 << 20, m = n - 3000;
    char *from = malloc(n), *to = malloc(m);
    struct diff_script script;
    cr_assert(from != NULL && to != NULL);
    memset(from, '\n', n);
    memset(to, '\n', m);
    from[0] = 'a';
    to[0] = 'b';
    from[n - 1] = 'c';
    to[m - 1] = 'd';
    cr_assert_eq(diff_text_compare(from, n, to, m, &script), STATUS_OK);
    check(&script);
    diff_script_free(&script);
    free(to);
    free(from);
}
