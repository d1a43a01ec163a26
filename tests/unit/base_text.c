/* Tests of the bounded text. */
#include "base/text.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(base_text, .timeout = 10);

Test(base_text, empty_is_a_string)
{
    struct text text;
    text_init(&text, 10);
    cr_assert_str_eq(text_get(&text), "");
    char *taken = text_take(&text);
    cr_assert_str_eq(taken, "");
    free(taken);
    text_free(&text);
}

Test(base_text, grows_to_its_maximum_and_no_further)
{
    struct text text;
    text_init(&text, 1000);
    for (int i = 0; i < 1000; i++) {
        text_putc(&text, 'x');
    }
    cr_assert_eq(text_status(&text), STATUS_OK);
    cr_assert_eq(text.length, 1000);
    cr_assert_eq(strlen(text_get(&text)), 1000);
    cr_assert(text.capacity <= 1001);
    text_putc(&text, 'y');
    cr_assert_eq(text_status(&text), STATUS_TOO_LARGE);
    cr_assert_eq(text.length, 1000);
    text_free(&text);
    cr_assert_eq(text.maximum, 1000);
    cr_assert_eq(text_status(&text), STATUS_OK);
}

Test(base_text, broken_stays_broken_until_cleared)
{
    struct text text;
    text_init(&text, 4);
    text_puts(&text, "12345");
    text_puts(&text, "1");
    cr_assert_eq(text.length, 0);
    cr_assert_null(text_take(&text));
    text_clear(&text);
    text_puts(&text, "1");
    cr_assert_str_eq(text_get(&text), "1");
    text_free(&text);
}

Test(base_text, printf_short_long_and_too_long)
{
    struct text text;
    char wide[600];
    memset(wide, 'w', sizeof wide - 1);
    wide[sizeof wide - 1] = '\0';
    text_init(&text, 1300);
    text_printf(&text, "%d-%s", 7, "a");
    text_printf(&text, "<%s>", wide);
    cr_assert_eq(text.length, 3 + 601);
    cr_assert_eq(text_get(&text)[text.length - 1], '>');
    text_printf(&text, "%s%s", wide, wide);
    cr_assert_eq(text_status(&text), STATUS_TOO_LARGE);
    text_free(&text);
}

Test(base_text, an_integer_is_written_as_printf_does)
{
    static const int64_t values[] = {0, 1, -1, 9, 10, -10, 1234567890, INT64_MAX, INT64_MIN, INT64_MIN + 1};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        char expected[32];
        struct text text;
        text_init(&text, 64);
        text_puts(&text, "n=");
        text_integer(&text, values[i]);
        snprintf(expected, sizeof expected, "n=%lld", (long long)values[i]);
        cr_assert_str_eq(text_get(&text), expected);
        text_free(&text);
    }
}

Test(base_text, take_gives_the_memory_away)
{
    struct text text;
    text_init(&text, 100);
    text_add(&text, "a\0b", 3);
    char *taken = text_take(&text);
    cr_assert_eq(memcmp(taken, "a\0b", 4), 0);
    cr_assert_eq(text.length, 0);
    cr_assert_null(text.data);
    free(taken);
}

#if defined(__SANITIZE_ADDRESS__)
#define NO_HUGE_ALLOCATION true
#elif defined(__has_feature)
#define NO_HUGE_ALLOCATION __has_feature(address_sanitizer)
#else
#define NO_HUGE_ALLOCATION false
#endif

/* AddressSanitizer ends the program at an allocation that large. */
Test(base_text, no_memory_is_told_from_too_large, .disabled = NO_HUGE_ALLOCATION)
{
    struct text text;
    text_init(&text, SIZE_MAX / 2);
    text_puts(&text, "a");
    size_t huge = SIZE_MAX / 2 - 16;
    text_add(&text, "b", huge); /* fails before a byte is read */
    cr_assert_eq(text_status(&text), STATUS_NO_MEMORY);
    cr_assert_str_eq(text_get(&text), "a");
    text_free(&text);
}

Test(base_text, reserve_changes_nothing_but_room)
{
    struct text text;
    text_init(&text, 100);
    text_reserve(&text, 101); /* more than it may ever hold */
    cr_assert_null(text.data);
    text_reserve(&text, 100);
    cr_assert_str_eq(text_get(&text), "");
    const char *place = text.data;
    for (int i = 0; i < 100; i++)
        text_putc(&text, 'a');
    cr_assert_eq(text.data, place);
    text_reserve(&text, 1);
    cr_assert_eq(text_status(&text), STATUS_OK);
    cr_assert_eq(strlen(text_get(&text)), 100);
    text_free(&text);
}
