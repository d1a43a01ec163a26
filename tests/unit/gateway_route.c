/* The body of a route, the catalog that makes snapshots, entity tags: all without a server. */
#include "base/json.h"
#include "gateway/catalog.h"
#include "gateway/route_body.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(gateway_route, .timeout = 20);

static char *release_text(const char *name)
{
    struct text text;
    struct fault fault;
    text_init(&text, 4096);
    cr_assert_eq(route_body_release(&text, name, "d1",
                                    "{\"parameters\":{\"b\":1,\"a\":2},\"history_compatible\":false}",
                                    "{\"provider\":\"p\",\"model\":\"m\"}", &fault),
                 STATUS_OK);
    return text_take(&text);
}

Test(gateway_route, a_release_is_canonical_and_complete)
{
    char *text = release_text("v1");
    cr_assert_str_eq(
        text,
        "{\"artifacts\":[],\"digest\":\"d1\",\"fallback\":{},\"history_compatible\":false,\"model\":"
        "{\"model\":\"m\",\"provider\":\"p\"},\"parameters\":{\"a\":2,\"b\":1},\"release\":\"v1\"");
    free(text);
}

Test(gateway_route, a_release_that_is_not_json_is_refused)
{
    static const char *const wrong[] = {"", "[]", "{", "nonsense", "{\"a\":1,\"a\":2}"};
    struct fault fault;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct text text;
        text_init(&text, 4096);
        cr_assert_neq(route_body_release(&text, "v1", "d", wrong[i], "", &fault), STATUS_OK);
        text_free(&text);
    }
}

static void take_service(struct catalog *catalog, const char *name)
{
    struct rules rules;
    rules_default(&rules);
    cr_assert_eq(catalog_service(catalog, name, "user", &rules), STATUS_OK);
}

/* A catalog of chat and idle in incarnation 1. */
static struct catalog *make(void)
{
    struct catalog *catalog = catalog_new();
    catalog_incarnation(catalog, 1);
    catalog_begin(catalog);
    take_service(catalog, "idle");
    take_service(catalog, "chat");
    cr_assert_eq(catalog_release_name(catalog, "chat", "v2"), STATUS_OK);
    cr_assert_eq(catalog_release_name(catalog, "chat", "v1"), STATUS_OK);
    catalog_end(catalog);
    return catalog;
}

static void fill(struct catalog *catalog)
{
    const char *service, *release;
    while (catalog_missing(catalog, &service, &release))
        catalog_release(catalog, service, release, release_text(release));
}

static enum status route(struct catalog *catalog, int64_t epoch, const char *stable, const char *canary,
                         int weight, bool leased)
{
    struct fault fault;
    struct catalog_route row = {.service = "chat",
                                .epoch = epoch,
                                .stable = stable,
                                .canary = canary,
                                .canary_weight = weight,
                                .rollout = "",
                                .salt = "s",
                                .leased = leased,
                                .valid_until = {1000000},
                                .lapse_wall = {2000000},
                                .lapse_mono = {3000000}};
    enum status status = catalog_route(catalog, &row, &fault);
    if (status == STATUS_OK)
        fill(catalog);
    return status;
}

static struct snapshot *snap(struct catalog *catalog)
{
    struct snapshot *snapshot = catalog_snapshot(catalog, 7, 0);
    cr_assert_not_null(snapshot);
    snapshot_seal(snapshot);
    return snapshot;
}

static int sum_of_weights(const char *body)
{
    struct json_object *parsed, *releases, *weight;
    int sum = 0;
    cr_assert_eq(json_parse(body, strlen(body), &parsed, NULL), STATUS_OK, "%s", body);
    cr_assert(json_object_object_get_ex(parsed, "releases", &releases));
    for (size_t i = 0; i < json_object_array_length(releases); i++) {
        cr_assert(json_object_object_get_ex(json_object_array_get_idx(releases, i), "weight", &weight));
        sum += json_object_get_int(weight);
    }
    json_object_put(parsed);
    return sum;
}

/* Law 1, in what gateways read. */
Test(gateway_route, weights_sum_to_10000_in_both_forms)
{
    static const int weights[] = {0, 1, 500, 9999, 10000};
    struct catalog *catalog = make();
    for (size_t i = 0; i < sizeof weights / sizeof weights[0]; i++) {
        cr_assert_eq(route(catalog, (int64_t)i + 1, "v1", "v2", weights[i], true), STATUS_OK);
        struct snapshot *snapshot = snap(catalog);
        const struct service_view *view = snapshot_find(snapshot, "chat");
        cr_assert_eq(sum_of_weights(view->normal.body), 10000);
        cr_assert_eq(sum_of_weights(view->lapsed.body), 10000);
        cr_assert_null(strstr(view->lapsed.body, "v2"));
        cr_assert_not_null(strstr(view->lapsed.body, "\"valid_until\":null"));
        cr_assert_not_null(strstr(view->normal.body, "\"valid_until\":\"1970-01-01T00:00:01.000Z\""));
        snapshot_unref(snapshot);
    }
    catalog_free(catalog);
}

Test(gateway_route, the_body_is_canonical)
{
    struct catalog *catalog = make();
    struct text canonical;
    struct json_object *parsed;
    cr_assert_eq(route(catalog, 1, "v1", "v2", 10, true), STATUS_OK);
    struct snapshot *snapshot = snap(catalog);
    const struct route_form *form = &snapshot_find(snapshot, "chat")->normal;
    text_init(&canonical, 1 << 16);
    cr_assert_eq(json_parse(form->body, form->length, &parsed, NULL), STATUS_OK);
    cr_assert_eq(json_canonical(parsed, &canonical), STATUS_OK);
    cr_assert_str_eq(text_get(&canonical), form->body);
    json_object_put(parsed);
    text_free(&canonical);
    snapshot_unref(snapshot);
    catalog_free(catalog);
}

Test(gateway_route, a_lease_ends_by_either_clock)
{
    struct catalog *catalog = make();
    cr_assert_eq(route(catalog, 1, "v1", "v2", 10, true), STATUS_OK);
    struct snapshot *snapshot = snap(catalog);
    const struct service_view *view = snapshot_find(snapshot, "chat");
    const struct wall_time wall_before = {1999999}, wall_after = {2000000};
    const struct mono_time mono_before = {2999999}, mono_after = {3000000};
    cr_assert_eq(service_view_form(view, wall_before, mono_before), &view->normal);
    cr_assert_eq(service_view_form(view, wall_after, mono_before), &view->lapsed);
    cr_assert_eq(service_view_form(view, wall_before, mono_after), &view->lapsed);
    cr_assert_str_neq(view->normal.etag, view->lapsed.etag);
    snapshot_unref(snapshot);
    catalog_free(catalog);
}

Test(gateway_route, a_first_release_has_all_and_nothing_to_lapse_to)
{
    struct catalog *catalog = make();
    cr_assert_eq(route(catalog, 1, "", "v1", 10000, true), STATUS_OK);
    struct snapshot *snapshot = snap(catalog);
    const struct service_view *view = snapshot_find(snapshot, "chat");
    cr_assert_eq(sum_of_weights(view->normal.body), 10000);
    cr_assert_eq(service_view_form(view, (struct wall_time){INT64_MAX}, (struct mono_time){INT64_MAX}),
                 &view->normal);
    cr_assert_eq(view->weights, 1);
    cr_assert_eq(view->weight[0].weight, 10000);
    snapshot_unref(snapshot);
    catalog_free(catalog);
}

Test(gateway_route, a_service_without_route_is_known_but_not_routed)
{
    struct catalog *catalog = make();
    struct snapshot *snapshot = snap(catalog);
    cr_assert_not(snapshot_find(snapshot, "idle")->routed);
    cr_assert_null(snapshot_find(snapshot, "nobody"));
    cr_assert(rules_has_release(&snapshot_find(snapshot, "chat")->rules, "v2"));
    cr_assert_not(rules_has_release(&snapshot_find(snapshot, "chat")->rules, "v3"));
    snapshot_unref(snapshot);
    catalog_free(catalog);
}

Test(gateway_route, each_of_many_services_is_found_and_no_other)
{
    enum { MANY = 3000 };
    char name[NAME_MAX_LENGTH + 1];
    struct snapshot *snapshot = snapshot_new(1, 1, MANY, 0);
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "svc-%d", i);
        snapshot->service[snapshot->services++] = service_view_new(name);
    }
    snapshot_seal(snapshot);
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "svc-%d", i);
        const struct service_view *view = snapshot_find(snapshot, name);
        cr_assert(view != NULL && strcmp(view->name, name) == 0, "%s", name);
    }
    cr_assert_null(snapshot_find(snapshot, "svc-3000"));
    cr_assert_null(snapshot_find(snapshot, ""));
    snapshot_unref(snapshot);
    snapshot = snapshot_new(1, 1, 0, 0);
    snapshot_seal(snapshot);
    cr_assert_null(snapshot_find(snapshot, "svc-1"));
    snapshot_unref(snapshot);
}

Test(gateway_route, what_did_not_change_is_not_made_anew)
{
    struct catalog *catalog = make();
    cr_assert_eq(route(catalog, 1, "v1", "", 0, false), STATUS_OK);
    struct snapshot *first = snap(catalog), *second = snap(catalog);
    cr_assert_eq(snapshot_find(first, "chat"), snapshot_find(second, "chat"));
    snapshot_unref(first);
    cr_assert_eq(route(catalog, 2, "v2", "", 0, false), STATUS_OK);
    struct snapshot *third = snap(catalog);
    cr_assert_neq(snapshot_find(second, "chat"), snapshot_find(third, "chat"));
    cr_assert_eq(snapshot_find(second, "idle"), snapshot_find(third, "idle"));
    /* the old one still stands while somebody holds it */
    cr_assert_not_null(strstr(snapshot_find(second, "chat")->normal.body, "v1"));
    snapshot_unref(second);
    snapshot_unref(third);
    catalog_free(catalog);
}

Test(gateway_route, an_epoch_that_goes_back_is_told)
{
    struct catalog *catalog = make();
    cr_assert_eq(route(catalog, 5, "v1", "", 0, false), STATUS_OK);
    cr_assert_eq(route(catalog, 4, "v1", "", 0, false), STATUS_SUPERSEDED);
    catalog_forget(catalog);
    cr_assert_eq(route(catalog, 4, "v1", "", 0, false), STATUS_OK);
    catalog_free(catalog);
}

Test(gateway_route, another_incarnation_is_another_body_and_tag)
{
    struct catalog *catalog = make();
    cr_assert_eq(route(catalog, 1, "v1", "", 0, false), STATUS_OK);
    struct snapshot *first = snap(catalog);
    catalog_incarnation(catalog, 2);
    struct snapshot *second = snap(catalog);
    cr_assert_str_neq(snapshot_find(first, "chat")->normal.etag, snapshot_find(second, "chat")->normal.etag);
    cr_assert_eq(strncmp(snapshot_find(second, "chat")->normal.etag, "\"2.1.", 5), 0);
    cr_assert_not_null(strstr(snapshot_find(second, "chat")->normal.body, "\"incarnation\":2"));
    snapshot_unref(first);
    snapshot_unref(second);
    catalog_free(catalog);
}

Test(gateway_route, a_release_that_cannot_be_written_leaves_the_route_before)
{
    struct catalog *catalog = make();
    const char *service, *release;
    struct fault fault;
    cr_assert_eq(route(catalog, 1, "v1", "", 0, false), STATUS_OK);
    struct snapshot *first = snap(catalog);
    struct catalog_route row = {.service = "chat",
                                .epoch = 2,
                                .stable = "v1",
                                .canary = "v2",
                                .canary_weight = 5,
                                .rollout = "",
                                .salt = ""};
    cr_assert_eq(catalog_route(catalog, &row, &fault), STATUS_OK);
    cr_assert(catalog_missing(catalog, &service, &release));
    cr_assert_str_eq(release, "v2");
    catalog_release(catalog, service, release, NULL);
    cr_assert_not(catalog_missing(catalog, &service, &release));
    struct snapshot *second = snap(catalog);
    cr_assert_eq(snapshot_find(first, "chat"), snapshot_find(second, "chat"));
    snapshot_unref(first);
    snapshot_unref(second);
    catalog_free(catalog);
}

Test(gateway_route, a_service_that_is_gone_is_forgotten)
{
    struct catalog *catalog = make();
    catalog_begin(catalog);
    take_service(catalog, "idle");
    catalog_end(catalog);
    struct snapshot *snapshot = snap(catalog);
    cr_assert_null(snapshot_find(snapshot, "chat"));
    cr_assert_eq(snapshot->services, 1);
    snapshot_unref(snapshot);
    catalog_free(catalog);
}

Test(gateway_route, where_a_client_stands)
{
    static const char current[] = "\"2.5.00112233445566aa\"";
    static const struct {
        const char *header;
        enum etag_standing standing;
        int64_t applied;
    } rows[] = {
        {NULL, ETAG_NONE, -1},
        {"", ETAG_NONE, -1},
        {"*", ETAG_NONE, -1},
        {"nonsense", ETAG_NONE, -1},
        {"\"x\"", ETAG_NONE, -1},
        {"\"2.5\"", ETAG_NONE, -1},
        {"\"2.5.00112233445566aa\"", ETAG_CURRENT, 5},
        {"W/\"2.5.00112233445566aa\"", ETAG_CURRENT, 5},
        {"\"2.4.00112233445566aa\"", ETAG_OLDER, 4},
        {"\"2.5.ffffffffffffffff\"", ETAG_OLDER, 5},
        {"\"1.9.00112233445566aa\"", ETAG_OLDER, -1},
        {"\"2.6.00112233445566aa\"", ETAG_NEWER, 6},
        {"\"3.1.00112233445566aa\"", ETAG_NEWER, -1},
        {"\"2.4.a\", \"2.5.00112233445566aa\"", ETAG_CURRENT, 5},
        {"\"99999999999999999999.1.a\"", ETAG_NONE, -1},
        {"\"-1.1.a\"", ETAG_NONE, -1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t applied = 0;
        cr_assert_eq(etag_stand(rows[i].header, current, 2, 5, &applied), rows[i].standing, "%s",
                     rows[i].header);
        cr_assert_eq(applied, rows[i].applied, "%s", rows[i].header);
    }
}
