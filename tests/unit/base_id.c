/* Tests of identifiers and names. */
#include "base/id.h"

#include "base/digest.h"

#include <criterion/criterion.h>
#include <string.h>
#include <time.h>

static void start(void)
{
    cr_assert_eq(digest_start(), STATUS_OK);
}

TestSuite(base_id, .timeout = 10, .init = start);

Test(base_id, shape)
{
    char id[ID_MAX];
    id_new("ro", id);
    cr_assert_eq(strlen(id), 2 + 1 + 26);
    cr_assert(id_valid("ro", id), "%s", id);
    cr_assert(!id_valid("r", id));
    cr_assert(!id_valid("rel", id));
    id_new("abcdefghijk", id);
    cr_assert(id_valid("abcdefgh", id), "%s", id);
}

Test(base_id, unique_and_sorted_by_time)
{
    char first[ID_MAX], same[ID_MAX], later[ID_MAX];
    struct timespec pause = {.tv_nsec = 3000000};
    id_new("ev", first);
    id_new("ev", same);
    nanosleep(&pause, NULL);
    id_new("ev", later);
    cr_assert_str_neq(first, same);
    cr_assert_lt(strcmp(first, later), 0);
}

Test(base_id, refuses)
{
    cr_assert(id_valid("ro", "ro_01JD4Y0000000000000000000Z"));
    cr_assert(!id_valid("ro", ""));
    cr_assert(!id_valid("ro", "ro_"));
    cr_assert(!id_valid("ro", "ro_01JD4Y0000000000000000000"));
    cr_assert(!id_valid("ro", "ro_01JD4Y0000000000000000000ZZ"));
    cr_assert(!id_valid("ro", "ro_01jd4y0000000000000000000z"));
    cr_assert(!id_valid("ro", "ro_01JD4YU000000000000000000Z"));
    cr_assert(!id_valid("ro", "ro_81JD4Y0000000000000000000Z"));
    cr_assert(!id_valid("ro", "rel_01JD4Y000000000000000000Z"));
}

Test(base_id, names)
{
    char longest[NAME_MAX_LENGTH + 2];
    memset(longest, 'a', sizeof longest);
    longest[NAME_MAX_LENGTH] = '\0';
    cr_assert(name_valid(longest));
    longest[NAME_MAX_LENGTH] = 'a';
    longest[NAME_MAX_LENGTH + 1] = '\0';
    cr_assert(!name_valid(longest));
    cr_assert(name_valid("a"));
    cr_assert(name_valid("9.A_b-c"));
    cr_assert(!name_valid(""));
    cr_assert(!name_valid(".a"));
    cr_assert(!name_valid("-a"));
    cr_assert(!name_valid("a b"));
    cr_assert(!name_valid("a/b"));
    cr_assert(!name_valid("\xC3\xA9"));
}
