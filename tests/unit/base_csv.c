/* Comma-separated values: what is read, what is refused, and where. */
#include "base/csv.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

TestSuite(base_csv, .timeout = 60);

static struct csv parse(const char *text)
{
    struct csv csv;
    struct fault fault = {0};
    cr_assert_eq(csv_parse(text, strlen(text), "f", &csv, &fault), STATUS_OK, "%s", fault.detail);
    return csv;
}

static void refused(const char *text, const char *because)
{
    struct csv csv;
    struct fault fault = {0};
    cr_assert_neq(csv_parse(text, strlen(text), "f", &csv, &fault), STATUS_OK, "%s", text);
    cr_assert_not_null(strstr(fault.detail, because), "\"%s\" does not say \"%s\"", fault.detail, because);
    cr_assert(fault.next_step[0] != '\0', "\"%s\" has no next step", fault.detail);
    cr_assert_null(csv.data);
}

Test(base_csv, reads_quotes_line_breaks_and_endings)
{
    struct csv csv = parse(
        "\xef\xbb\xbf"
        "a,b,c\r\n\n1,\"two, and \"\"a half\"\"\",\r\n\"x\ny\",,z");
    size_t column;
    cr_assert_eq(csv.rows, 2);
    cr_assert_eq(csv.columns, 3);
    cr_assert(csv_column(&csv, "c", &column) && column == 2);
    cr_assert_not(csv_column(&csv, "d", &column));
    cr_assert_str_eq(csv_cell(&csv, 0, 0), "1");
    cr_assert_str_eq(csv_cell(&csv, 0, 1), "two, and \"a half\"");
    cr_assert_str_eq(csv_cell(&csv, 0, 2), "");
    cr_assert_str_eq(csv_cell(&csv, 1, 0), "x\ny");
    cr_assert_str_eq(csv_cell(&csv, 1, 1), "");
    cr_assert_str_eq(csv_cell(&csv, 1, 2), "z");
    csv_free(&csv);
}

Test(base_csv, a_header_alone_has_no_rows)
{
    struct csv csv = parse("only\n");
    cr_assert_eq(csv.rows, 0);
    cr_assert_eq(csv.columns, 1);
    csv_free(&csv);
    csv = parse("a,\n\"\",\"\"");
    cr_assert_eq(csv.rows, 1);
    cr_assert_str_eq(csv_cell(&csv, 0, 1), "");
    csv_free(&csv);
}

Test(base_csv, says_which_line_is_wrong)
{
    refused("", "f:1: there is no header line");
    refused("a,b\n1,2\n3\n", "f:3: 1 cell, but the header has 2");
    refused("a,b\n1,2\n3,4,5\n", "f:3: 3 cells, but");
    refused("a\n\"1\n2\n", "f:2: a quote is not closed");
    refused("a\n\"1\"x\n", "f:2: text");
    refused("a\n1\"2\n", "f:2: a quote inside");
    refused("a\rb\n", "f:1: ");
}

Test(base_csv, reads_numbers)
{
    double number = 7;
    cr_assert(csv_number("-1.5e3", &number));
    cr_assert_float_eq(number, -1500, 0);
    cr_assert_not(csv_number("12x", &number));
    cr_assert_not(csv_number("inf", &number));
    cr_assert_float_eq(number, -1500, 0);
    cr_assert_not(csv_number("", &number));
    cr_assert(isnan(number));
}

Test(base_csv, a_row_knows_its_line)
{
    struct csv csv = parse("a,b\n\n1,\"x\ny\"\n\r\n2,z\n");
    cr_assert_eq(csv.rows, 2);
    cr_assert_eq(csv_line(&csv, 0), 3);
    cr_assert_eq(csv_line(&csv, 1), 6);
    csv_free(&csv);
}
