/* What people see: numbers, times, tables, and that nothing harmful reaches the terminal. */
#include "base/clock.h"
#include "cli/output.h"
#include "cli/table.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(cli_output, .timeout = 10);

Test(cli_output, weights_and_rates)
{
    char out[OUTPUT_MAX];
    cr_assert_str_eq(output_weight(1250, out), "12.5 %");
    cr_assert_str_eq(output_weight(10000, out), "100 %");
    cr_assert_str_eq(output_weight(0, out), "0 %");
    cr_assert_str_eq(output_weight(1, out), "0.01 %");
    cr_assert_str_eq(output_weight(9800, out), "98 %");
    cr_assert_str_eq(output_rate(12, 1000, out), "1.20 %");
    cr_assert_str_eq(output_rate(1, 3, out), "33.3 %");
    cr_assert_str_eq(output_rate(1, 30000, out), "0.003 %");
    cr_assert_str_eq(output_rate(0, 500, out), "0.00 %");
    cr_assert_str_eq(output_rate(0, 0, out), "-");
    cr_assert_str_eq(output_percent(1.5, out), "1.5 %");
    cr_assert_str_eq(output_count(1234567, out), "1,234,567");
    cr_assert_str_eq(output_count(999, out), "999");
    cr_assert_str_eq(output_count(-1000, out), "-1,000");
    cr_assert_str_eq(output_span(11400, out), "3 h 10 min");
}

Test(cli_output, times)
{
    char out[OUTPUT_MAX], time[CLOCK_TEXT_MAX];
    struct wall_time at = clock_wall();
    at.us -= 240500000;
    cr_assert_str_eq(output_since(clock_format(at, time), out), "4 min 1 s ago", "%s", out);
    at.us += 240500000 + 7200000000;
    cr_assert_str_eq(output_since(clock_format(at, time), out), "in 2 h", "%s", out);
    cr_assert_str_eq(output_since("", out), "-");
    cr_assert_str_eq(output_since(NULL, out), "-");
    cr_assert_str_eq(output_since("soon", out), "soon");
}

Test(cli_output, nothing_speaks_to_the_terminal)
{
    struct text text;
    text_init(&text, 4096);
    output_clean(&text,
                 "a\033[31mb\x07\nc\td\xc2\x9b"
                 "e\xff\xe2\x80\xaeg",
                 false);
    cr_assert_str_eq(text_get(&text),
                     "a\xef\xbf\xbd[31mb\xef\xbf\xbd c d\xef\xbf\xbd"
                     "e\xef\xbf\xbd\xef\xbf\xbdg");
    text_clear(&text);
    output_clean(&text, "a\nb\tc\r", true);
    cr_assert_str_eq(text_get(&text), "a\nb\tc ");
    text_free(&text);
}

Test(cli_output, short_and_wrapped)
{
    struct text text;
    char out[OUTPUT_SHORT_MAX];
    cr_assert_str_eq(output_short("abcdef", 6, out), "abcdef");
    cr_assert_str_eq(output_short("abcdefg", 6, out), "abcd..");
    cr_assert_str_eq(output_short("\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9", 3, out), "\xc3\xa9..");
    text_init(&text, 4096);
    output_wrap(&text, "one two three four\nfive", 2, 12);
    cr_assert_str_eq(text_get(&text), "  one two\n  three four\n  five\n");
    text_free(&text);
}

Test(cli_output, tables)
{
    struct table table;
    struct text text;
    text_init(&text, 4096);
    table_begin(&table, "NAME", "N", "WHY", NULL);
    table.right[1] = true;
    table_cell(&table, "\xc3\xa9t\xc3\xa9");
    table_cell(&table, "7");
    table_cell(&table, "x\033y");
    table_cell(&table, "longer");
    table_cell(&table, "1,234");
    table_cell(&table, NULL);
    table_end(&table, false, &text);
    cr_assert_str_eq(text_get(&text),
                     "NAME        N  WHY\n"
                     "\xc3\xa9t\xc3\xa9         7  x\xef\xbf\xbdy\n"
                     "longer  1,234  -\n");
    text_clear(&text);
    table_begin(&table, "A", NULL);
    table_cell_painted(&table, PAINT_RED, "bad");
    table_end(&table, true, &text);
    cr_assert_not_null(strstr(text_get(&text), "\033[31mbad\033[0m\n"));
    text_free(&text);
}
