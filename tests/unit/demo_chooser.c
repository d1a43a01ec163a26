/* Which release the demo gateway gives a request to: shares, stickiness, the lease. */
#include "base/random.h"
#include "demo/chooser.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

enum { KEYS = 20000 };

static struct route route_at(int32_t weight)
{
    struct route route = {.incarnation = 1, .epoch = 1, .sticky = true, .salt = "ro_01", .has_stable = true};
    route.has_canary = weight > 0;
    snprintf(route.stable.name, sizeof route.stable.name, "v1");
    snprintf(route.canary.name, sizeof route.canary.name, "v2");
    route.stable.weight = ROUTE_FULL - weight;
    route.canary.weight = weight;
    return route;
}

static bool on_canary(const struct route *route, int user)
{
    char key[32];
    int length = snprintf(key, sizeof key, "user-%d", user);
    return chooser_choose(route, (struct wall_time){1}, key, (size_t)length, 0).canary;
}

Test(demo_chooser, splits_keys_by_weight, .timeout = 20)
{
    static const int32_t weights[] = {1, 500, 2500, 5000, 9800, 10000};
    for (size_t i = 0; i < sizeof weights / sizeof weights[0]; i++) {
        struct route route = route_at(weights[i]);
        double share = weights[i] / 1e4;
        int canary = 0;
        for (int user = 0; user < KEYS; user++) {
            canary += on_canary(&route, user);
        }
        /* five standard deviations, and one for the smallest */
        double off = canary - share * KEYS;
        cr_assert(off * off <= 25 * (share * (1 - share) * KEYS + 1), "weight %d: %d of %d", weights[i],
                  canary, KEYS);
    }
}

Test(demo_chooser, raising_the_weight_moves_nobody_off_the_canary, .timeout = 20)
{
    struct route five = route_at(500), ten = route_at(1000);
    int joined = 0;
    for (int user = 0; user < KEYS; user++) {
        cr_assert(!on_canary(&five, user) || on_canary(&ten, user), "user-%d", user);
        joined += on_canary(&ten, user) && !on_canary(&five, user);
    }
    cr_assert(joined > 800 && joined < 1200, "%d joined", joined);
}

Test(demo_chooser, another_salt_takes_other_people, .timeout = 20)
{
    struct route one = route_at(500), other = route_at(500);
    int both = 0;
    snprintf(other.salt, sizeof other.salt, "ro_02");
    for (int user = 0; user < KEYS; user++) {
        both += on_canary(&one, user) && on_canary(&other, user);
    }
    cr_assert(both < 100, "%d of about 1000 are on both", both); /* 50 by chance */
}

Test(demo_chooser, follows_the_documented_rule)
{
    /* first 8 bytes of sha256("ro_01:user-1"), big endian, modulo 10,000 */
    struct digest digest = digest_sha256("ro_01:user-1", 12);
    uint64_t number = 0;
    for (int i = 0; i < 8; i++) {
        number = number << 8 | digest.bytes[i];
    }
    int32_t bucket = (int32_t)(number % 10000);
    struct route above = route_at(bucket + 1), at = route_at(bucket);
    cr_assert(on_canary(&above, 1));
    cr_assert_not(on_canary(&at, 1));
}

Test(demo_chooser, draws_without_a_key_or_stickiness)
{
    struct route route = route_at(500);
    const struct wall_time now = {1};
    cr_assert(chooser_choose(&route, now, NULL, 0, 499).canary);
    cr_assert_not(chooser_choose(&route, now, NULL, 0, 500).canary);
    route.sticky = false;
    cr_assert(chooser_choose(&route, now, "user-1", 6, 0).canary);
    cr_assert_not(chooser_choose(&route, now, "user-1", 6, 9999).canary);
}

Test(demo_chooser, past_the_lease_everything_goes_to_stable)
{
    struct route route = route_at(9800);
    route.leased = true;
    route.valid_until = (struct wall_time){1000000};
    struct choice within = chooser_choose(&route, (struct wall_time){999999}, NULL, 0, 0);
    struct choice over = chooser_choose(&route, (struct wall_time){1000000}, NULL, 0, 0);
    cr_assert(within.canary);
    cr_assert_not(within.lease_over);
    cr_assert_not(over.canary);
    cr_assert(over.lease_over);
    cr_assert_str_eq(over.release->name, "v1");
}

Test(demo_chooser, the_first_release_has_nothing_to_go_back_to)
{
    struct route route = route_at(10000);
    route.has_stable = false;
    route.leased = true;
    struct choice choice = chooser_choose(&route, (struct wall_time){1}, NULL, 0, 9999);
    cr_assert(choice.canary);
    cr_assert_str_eq(choice.release->name, "v2");
}

Test(demo_chooser, one_release_takes_all)
{
    struct route route = route_at(0);
    cr_assert_not(chooser_choose(&route, (struct wall_time){1}, NULL, 0, 0).canary);
}
