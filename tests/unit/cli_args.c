/* Options and words of a command line. */
#include "cli/args.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(cli_args, .timeout = 10);

static const struct args_option options[] = {
    {"wait", 'w', ARGS_FLAG, NULL, ""},      {"extra", 'x', ARGS_FLAG, NULL, ""},
    {"reason", 'r', ARGS_VALUE, "TEXT", ""}, {"limit", 'n', ARGS_VALUE, "N", ""},
    {"artifact", 'a', ARGS_MANY, "REF", ""}, {0}};
static const struct args_option globals[] = {{"json", 0, ARGS_FLAG, NULL, ""}, {0}};
static const struct args_option *const tables[] = {options, globals};

static int read(struct args *args, int count, const char *const *argv)
{
    memset(args, 0, sizeof *args);
    return args_read(args, count, argv, tables, 2, false);
}

#define READ(args, ...)                                                                                      \
    read(args, (int)(sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *)), (const char *[]){__VA_ARGS__})

Test(cli_args, every_form)
{
    struct args args;
    cr_assert_eq(
        READ(&args, "one", "--wait", "--reason", "a b", "-n5", "--artifact=x", "-a", "y", "two", "--json"),
        10);
    cr_assert_eq(args.words, 2);
    cr_assert_str_eq(args.word[1], "two");
    cr_assert(args_has(&args, "wait") && args_has(&args, "json") && !args_has(&args, "extra"));
    cr_assert_str_eq(args_get(&args, "reason"), "a b");
    cr_assert_str_eq(args_get(&args, "limit"), "5");
    cr_assert_str_eq(args_nth(&args, "artifact", 0), "x");
    cr_assert_str_eq(args_nth(&args, "artifact", 1), "y");
    cr_assert_null(args_nth(&args, "artifact", 2));
}

Test(cli_args, clusters_dashes_and_values_like_options)
{
    struct args args;
    cr_assert_eq(READ(&args, "-wx", "-", "-r", "--json", "--", "--wait", "-q"), 7);
    cr_assert(args_has(&args, "wait") && args_has(&args, "extra") && !args_has(&args, "json"));
    cr_assert_str_eq(args_get(&args, "reason"), "--json");
    cr_assert_eq(args.words, 3);
    cr_assert_str_eq(args.word[0], "-");
    cr_assert_str_eq(args.word[2], "-q");
    cr_assert_eq(READ(&args, "--reason="), 1);
    cr_assert_str_eq(args_get(&args, "reason"), "");
}

static void refused(const char *const *argv, int count, const char *error)
{
    struct args args;
    cr_assert_eq(read(&args, count, argv), -1);
    cr_assert_not_null(strstr(args.error, error), "%s", args.error);
}

Test(cli_args, refused)
{
    refused((const char *[]){"--reasn", "x"}, 2, "did you mean --reason?");
    refused((const char *[]){"--frobnicate"}, 1, "there is no option --frobnicate");
    refused((const char *[]){"-q"}, 1, "there is no option -q");
    refused((const char *[]){"--wait=yes"}, 1, "takes no value");
    refused((const char *[]){"--reason"}, 1, "needs a value: --reason TEXT");
    refused((const char *[]){"-wr"}, 1, "needs a value");
    refused((const char *[]){"-r", "a", "-r", "b"}, 4, "given twice");
}

Test(cli_args, stops_at_the_first_word)
{
    struct args args = {0};
    const char *argv[] = {"--json", "rollout", "--json"};
    cr_assert_eq(args_read(&args, 3, argv, tables, 2, true), 1);
    cr_assert_eq(args.words, 0);
}

Test(cli_args, numbers)
{
    struct args args;
    int64_t number = 7, ms = 0;
    READ(&args, "-n", "12");
    cr_assert(args_integer(&args, "limit", 1, 100, &number) && number == 12);
    READ(&args, "-n", "101");
    cr_assert_not(args_integer(&args, "limit", 1, 100, &number));
    cr_assert_not_null(strstr(args.error, "from 1 to 100"));
    READ(&args, "-n", "5x");
    cr_assert_not(args_integer(&args, "limit", 1, 100, &number));
    READ(&args, "one");
    cr_assert(args_integer(&args, "limit", 1, 100, &number) && number == 12, "absent: as it was");
    READ(&args, "-r", "1h30m");
    cr_assert(args_duration(&args, "reason", &ms) && ms == 5400000);
    READ(&args, "-r", "0s");
    cr_assert_not(args_duration(&args, "reason", &ms));
    double real = 1;
    READ(&args, "-r", "nan");
    cr_assert_not(args_positive(&args, "reason", &real));
    READ(&args, "-r", "-1");
    cr_assert_not(args_positive(&args, "reason", &real));
    READ(&args, "-r", "0.5");
    cr_assert(args_positive(&args, "reason", &real) && real == 0.5);
}
