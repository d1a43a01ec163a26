/* Numbers as people read them. */
#include "base/number.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdint.h>

TestSuite(base_number, .timeout = 60);

Test(base_number, counts_have_their_thousands_apart)
{
    char text[NUMBER_MAX];
    cr_expect_str_eq(number_count(0, text), "0");
    cr_expect_str_eq(number_count(999, text), "999");
    cr_expect_str_eq(number_count(1000, text), "1,000");
    cr_expect_str_eq(number_count(-1234567, text), "-1,234,567");
    cr_expect_str_eq(number_count(-123, text), "-123");
    cr_expect_str_eq(number_count(INT64_MIN, text), "-9,223,372,036,854,775,808");
}

Test(base_number, measures_have_three_digits_and_no_exponent)
{
    char text[NUMBER_MAX];
    static const struct {
        double value;
        const char *text;
    } cases[] = {{0, "0"},
                 {1e-9, "below 0.001"},
                 {0.0123, "0.012"},
                 {0.5, "0.5"},
                 {1, "1"},
                 {1.004, "1"},
                 {9.994, "9.99"},
                 {9.999, "10"},
                 {12.04, "12"},
                 {12.34, "12.3"},
                 {99.94, "99.9"},
                 {99.96, "100"},
                 {100, "100"},
                 {1000, "1,000"},
                 {123456.7, "123,457"},
                 {0.9999, "1"},
                 {1e300, "9,223,372,036,854,775,807"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cr_expect_str_eq(number_measure(cases[i].value, text), cases[i].text, "%g is %s, not %s",
                         cases[i].value, text, cases[i].text);
    }
}

Test(base_number, only_one_is_one)
{
    cr_expect_str_eq(number_plural("1"), "");
    cr_expect_str_eq(number_plural("0"), "s");
    cr_expect_str_eq(number_plural("1,001"), "s");
}
