/* All routes in one answer, what a revision says of each service's epoch, and who follows it. No server. */
#include "base/digest.h"
#include "gateway/catalog.h"
#include "gateway/followers.h"
#include "gateway/overview.h"
#include "gateway/route_body.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(gateway_overview, .timeout = 20);

static const struct wall_time wall = {1000000000};
static const struct mono_time mono = {2000000000};
enum { SECOND = 1000000 };

static struct catalog *make(void)
{
    static const char *const names[] = {"b", "a", "idle"};
    struct catalog *catalog = catalog_new();
    cr_assert_eq(digest_start(), STATUS_OK);
    catalog_incarnation(catalog, 1);
    catalog_begin(catalog);
    for (int i = 0; i < 3; i++) {
        struct rules rules;
        rules_default(&rules);
        cr_assert_eq(catalog_service(catalog, names[i], "user", &rules), STATUS_OK);
    }
    catalog_end(catalog);
    return catalog;
}

/* A route whose lease ends so many seconds after `wall`; 0 = none. */
static void route(struct catalog *catalog, const char *service, int64_t epoch, const char *canary,
                  int lease_s)
{
    const char *of, *release;
    struct fault fault;
    struct catalog_route row = {.service = service,
                                .epoch = epoch,
                                .stable = "v1",
                                .canary = canary,
                                .canary_weight = canary[0] != '\0' ? 500 : 0,
                                .rollout = "",
                                .salt = "s",
                                .leased = lease_s > 0,
                                .lapse_wall = {wall.us + (int64_t)lease_s * SECOND},
                                .lapse_mono = {mono.us + (int64_t)lease_s * SECOND}};
    cr_assert_eq(catalog_route(catalog, &row, &fault), STATUS_OK);
    while (catalog_missing(catalog, &of, &release)) {
        struct text text;
        text_init(&text, 4096);
        cr_assert_eq(route_body_release(&text, release, "d", "{}", "", &fault), STATUS_OK);
        catalog_release(catalog, of, release, text_take(&text));
    }
}

static struct snapshot *snap(struct catalog *catalog, int64_t rev)
{
    struct snapshot *snapshot = catalog_snapshot(catalog, rev, 0);
    cr_assert_not_null(snapshot);
    snapshot_seal(snapshot);
    return snapshot;
}

Test(gateway_overview, it_holds_the_routes_in_order)
{
    char expected[4096];
    struct catalog *catalog = make();
    route(catalog, "b", 1, "", 0);
    route(catalog, "a", 4, "v2", 60);
    struct snapshot *snapshot = snap(catalog, 7);
    struct overview *overview = overview_new(snapshot, wall, mono);
    snprintf(expected, sizeof expected, "{\"incarnation\":1,\"revision\":7,\"routes\":[%s,%s]}",
             snapshot_find(snapshot, "a")->normal.body, snapshot_find(snapshot, "b")->normal.body);
    cr_assert_str_eq(overview->form.body, expected);
    cr_assert_eq(overview->form.length, strlen(expected));
    cr_assert_eq(strncmp(overview->form.etag, "\"1.7.", 5), 0, "%s", overview->form.etag);
    overview_free(overview);
    snapshot_unref(snapshot);
    catalog_free(catalog);
}

Test(gateway_overview, without_routes_it_is_empty)
{
    struct catalog *catalog = make();
    struct snapshot *snapshot = snap(catalog, 0);
    struct overview *overview = overview_new(snapshot, wall, mono);
    cr_assert_str_eq(overview->form.body, "{\"incarnation\":1,\"revision\":0,\"routes\":[]}");
    overview_free(overview);
    snapshot_unref(snapshot);
    catalog_free(catalog);
}

/* Law 10. */
Test(gateway_overview, a_lease_that_ends_takes_its_own_canary_only)
{
    struct catalog *catalog = make();
    route(catalog, "a", 1, "v2", 10);
    route(catalog, "b", 1, "v3", 60);
    struct snapshot *snapshot = snap(catalog, 7);
    struct overview *first = overview_new(snapshot, wall, mono);
    const struct wall_time before = {wall.us + 10 * SECOND - 1}, after = {wall.us + 10 * SECOND};
    const struct mono_time mono_after = {mono.us + 10 * SECOND};
    cr_assert_not_null(strstr(first->form.body, "v2"));
    cr_assert_not(overview_has_lapsed(first, before, mono));
    cr_assert(overview_has_lapsed(first, after, mono));
    cr_assert(overview_has_lapsed(first, before, mono_after));
    struct overview *second = overview_new(snapshot, after, mono_after);
    cr_assert_null(strstr(second->form.body, "v2"), "%s", second->form.body);
    cr_assert_not_null(strstr(second->form.body, "v3"));
    cr_assert_str_neq(second->form.etag, first->form.etag);
    cr_assert_not(overview_has_lapsed(second, after, mono_after), "it stands until the next lease ends");
    /* one that is about to end is taken as ended, so that this is not made anew at every request */
    const struct wall_time soon = {wall.us + 59 * SECOND + SECOND / 2};
    const struct mono_time mono_soon = {mono.us + 59 * SECOND + SECOND / 2};
    struct overview *third = overview_new(snapshot, soon, mono_soon);
    cr_assert_null(strstr(third->form.body, "v3"));
    cr_assert_not(overview_has_lapsed(third, (struct wall_time){INT64_MAX}, (struct mono_time){INT64_MAX}));
    overview_free(first);
    overview_free(second);
    overview_free(third);
    snapshot_unref(snapshot);
    catalog_free(catalog);
}

Test(gateway_overview, a_revision_stands_for_an_epoch_of_each_service)
{
    struct catalog *catalog = make();
    route(catalog, "a", 5, "", 0);
    route(catalog, "b", 2, "", 0);
    snapshot_unref(snap(catalog, 10));
    route(catalog, "a", 6, "", 0);
    snapshot_unref(snap(catalog, 12));
    route(catalog, "b", 2, "", 0); /* the same epoch anew, as when a lease is renewed */
    struct snapshot *snapshot = snap(catalog, 14);
    const struct service_view *a = snapshot_find(snapshot, "a"), *b = snapshot_find(snapshot, "b");
    static const struct {
        int64_t rev, a, b;
    } rows[] = {{-1, -1, -1}, {9, -1, -1}, {10, 5, 2}, {11, 5, 2}, {12, 6, 2}, {13, 6, 2}, {14, 6, 2}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        cr_assert_eq(service_view_epoch_at(a, rows[i].rev), rows[i].a, "revision %d", (int)rows[i].rev);
        cr_assert_eq(service_view_epoch_at(b, rows[i].rev), rows[i].b, "revision %d", (int)rows[i].rev);
    }
    cr_assert_eq(service_view_epoch_at(snapshot_find(snapshot, "idle"), 14), -1);
    snapshot_unref(snapshot);
    /* nothing of another incarnation is known */
    catalog_incarnation(catalog, 2);
    catalog_forget(catalog);
    route(catalog, "a", 3, "", 0);
    snapshot = snap(catalog, 15);
    cr_assert_eq(service_view_epoch_at(snapshot_find(snapshot, "a"), 14), -1);
    cr_assert_eq(service_view_epoch_at(snapshot_find(snapshot, "a"), 15), 3);
    snapshot_unref(snapshot);
    catalog_free(catalog);
}

/* --- who follows
 * -------------------------------------------------------------------------------------------------- */

static struct mono_time at_ms(int64_t ms)
{
    return (struct mono_time){(1000000 + ms) * 1000};
}

/* What is to be written at this time, "-" = nothing: "who:rev/since ...". */
static const char *taken(struct followers *followers, int64_t ms)
{
    static char text[512];
    struct follower_word *words;
    size_t count = followers_take(followers, at_ms(ms), &words), length = 0;
    text[0] = '\0';
    for (size_t i = 0; i < count; i++)
        length += (size_t)snprintf(text + length, sizeof text - length, "%s%s:%d/%d", i > 0 ? " " : "",
                                   words[i].instance, (int)words[i].rev, (int)words[i].since);
    free(words);
    return count == 0 ? "-" : text;
}

Test(gateway_overview, a_follower_is_written_when_it_has_something_new)
{
    struct followers *followers = followers_new(10);
    followers_heard(followers, "gw", 1, -1, at_ms(0));
    cr_assert_str_eq(taken(followers, 10), "gw:-1/-1");
    cr_assert_str_eq(taken(followers, 20), "-");
    followers_heard(followers, "gw", 1, 7, at_ms(30));
    cr_assert_str_eq(taken(followers, 40), "gw:7/-1");
    followers_heard(followers, "gw", 1, 7, at_ms(1000));
    cr_assert_str_eq(taken(followers, 1010), "-");
    followers_heard(followers, "gw", 1, 9, at_ms(2000));
    cr_assert_str_eq(taken(followers, 2010), "gw:9/7", "only what has changed since");
    followers_heard(followers, "gw", 1, 8, at_ms(3000));
    cr_assert_str_eq(taken(followers, 3010), "gw:8/-1", "it has gone back: all of it");
    followers_heard(followers, "gw", 1, 9, at_ms(2500));
    cr_assert_str_eq(taken(followers, 3020), "-", "an older word does not count");
    /* that it is there is written now and then, and for the last time it was */
    followers_heard(followers, "gw", 1, 8, at_ms(8000));
    cr_assert_str_eq(taken(followers, 8020), "gw:8/-1");
    cr_assert_str_eq(taken(followers, 20000), "-");
    followers_heard(followers, "gw", 1, 8, at_ms(20000));
    cr_assert_str_eq(taken(followers, 20000), "gw:8/-1");
    followers_heard(followers, "gw", 2, 8, at_ms(20100));
    cr_assert_str_eq(taken(followers, 20110), "gw:8/-1", "of another incarnation: all of it");
    followers_free(followers);
}

Test(gateway_overview, what_could_not_be_written_is_given_again)
{
    struct followers *followers = followers_new(10);
    struct follower_word *words;
    followers_heard(followers, "gw", 1, 7, at_ms(0));
    cr_assert_str_eq(taken(followers, 10), "gw:7/-1");
    followers_heard(followers, "gw", 1, 8, at_ms(20));
    cr_assert_eq(followers_take(followers, at_ms(30), &words), 1);
    cr_assert_eq(words[0].since, 7);
    followers_return(followers, words, 1);
    free(words);
    cr_assert_str_eq(taken(followers, 40), "gw:8/-1");
    followers_free(followers);
}

Test(gateway_overview, who_has_left_is_forgotten_and_too_many_are_not_noted)
{
    struct followers *followers = followers_new(2000);
    char name[16];
    for (int i = 0; i < 3000; i++) {
        snprintf(name, sizeof name, "gw-%d", i);
        followers_heard(followers, name, 1, i, at_ms(0));
    }
    struct follower_word *words;
    cr_assert_eq(followers_take(followers, at_ms(1), &words), 2000);
    for (int i = 0; i < 2000; i++)
        cr_assert_eq(atoi(words[i].instance + 3), words[i].rev);
    free(words);
    followers_heard(followers, "gw-5", 1, 5, at_ms(FOLLOWERS_KEPT_MS));
    taken(followers, FOLLOWERS_KEPT_MS + 1);
    followers_heard(followers, "gw-5", 1, 6, at_ms(FOLLOWERS_KEPT_MS + 2));
    followers_heard(followers, "new", 1, 1, at_ms(FOLLOWERS_KEPT_MS + 2));
    cr_assert_str_eq(taken(followers, FOLLOWERS_KEPT_MS + 3), "gw-5:6/5 new:1/-1");
    followers_free(followers);
}

Test(gateway_overview, words_become_epochs_in_order)
{
    struct catalog *catalog = make();
    route(catalog, "a", 5, "", 0);
    route(catalog, "b", 2, "", 0);
    snapshot_unref(snap(catalog, 10));
    route(catalog, "a", 6, "", 0);
    struct snapshot *snapshot = snap(catalog, 12);
    const struct follower_word words[] = {{"gw-2", 1, 12, -1, {5}},
                                          {"gw-1", 1, 10, -1, {6}},
                                          {"gw-3", 1, 12, 10, {7}},
                                          {"gw-4", 1, -1, -1, {8}},
                                          {"gw-5", 2, 12, -1, {9}}};
    static const struct {
        const char *service, *instance;
        int64_t epoch, heard;
    } expected[] = {{"a", "gw-1", 5, 6},  {"a", "gw-2", 6, 5},  {"a", "gw-3", 6, 7},
                    {"a", "gw-4", -1, 8}, {"a", "gw-5", -1, 9}, {"b", "gw-1", 2, 6},
                    {"b", "gw-2", 2, 5},  {"b", "gw-4", -1, 8}, {"b", "gw-5", -1, 9}};
    struct ack *acks;
    bool failed;
    size_t count = followers_expand(words, 5, snapshot, &acks, &failed);
    cr_assert_not(failed);
    cr_assert_eq(count, 9);
    for (size_t i = 0; i < 9; i++) {
        cr_assert_str_eq(acks[i].service, expected[i].service);
        cr_assert_str_eq(acks[i].instance, expected[i].instance);
        cr_assert_eq(acks[i].applied_epoch, expected[i].epoch, "%zu", i);
        cr_assert_eq(acks[i].heard.us, expected[i].heard);
        cr_assert_eq(acks[i].incarnation, expected[i].heard == 9 ? 2 : 1);
    }
    free(acks);
    snapshot_unref(snapshot);
    catalog_free(catalog);
}

static bool keep_even(void *argument, struct ack *ack)
{
    (void)argument;
    ack->applied_epoch += 100;
    return ack->applied_epoch % 2 == 0;
}

Test(gateway_overview, a_sweep_changes_and_forgets)
{
    struct acks *acks = acks_new(1000);
    struct ack *out;
    char name[16];
    for (int i = 0; i < 500; i++) {
        snprintf(name, sizeof name, "gw-%03d", i);
        acks_heard(acks, "chat", name, 1, i, at_ms(0));
    }
    acks_sweep(acks, keep_even, NULL);
    cr_assert_eq(acks_take(acks, &out), 250);
    for (int i = 0; i < 250; i++)
        cr_assert_eq(out[i].applied_epoch, 2 * i + 100);
    free(out);
    acks_free(acks);
}
