/* Read-only listings: what they show, and that nothing is lost between two pages. */
#include "base/json.h"
#include "decision/sli.h"
#include "store/note.h"
#include "store/views.h"
#include "support/database.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static struct database database;

static void make(void)
{
    database_make_migrated(&database);
    database_do(
        database.db,
        "INSERT INTO services (name) VALUES ('chat'), ('other');"
        "INSERT INTO releases (service, name, content, digest, behaviour, created_by)"
        "  SELECT 'chat', r, r::bytea, sha256(r::bytea), sha256(r::bytea), 'test'"
        "  FROM unnest(ARRAY['one', 'two']) r;"
        "INSERT INTO rollouts (id, service, release, stable, phase, step, canary_weight, plan, policy, slos,"
        "                      salt, created_at, created_by, rule, reason, phase_since, step_entered_at)"
        "  VALUES ('ro_1', 'chat', 'two', 'one', 'progressing', 2, 500, '{\"steps\":["
        "           {\"weight\":100,\"bake\":\"1m\",\"min_requests\":0,\"deadline\":\"1d\"},"
        "           {\"weight\":500,\"bake\":\"1m\",\"min_requests\":0,\"deadline\":\"1h30m\"},"
        "           {\"weight\":10000,\"bake\":\"10m\",\"min_requests\":0,\"deadline\":null}]}',"
        "          '{\"pace\":\"time\"}', '{\"error\":{\"objective\":99.5}}', 's', '2026-01-01Z', 'anna', "
        "'R',"
        "          'because', '2026-01-01Z', '2026-01-01T10:00:00Z')");
}

static void drop(void)
{
    database_drop(&database);
}

TestSuite(store_views, .init = make, .fini = drop, .timeout = 60);

/* Field `name` of the rollout as JSON text. */
static const char *of_rollout(const char *name)
{
    static char text[4096];
    struct text out;
    struct fault fault = {.detail = ""};
    struct json_object *value = NULL, *field = NULL;
    int64_t version = 0;
    text_init(&out, 1 << 20);
    cr_assert_eq(views_rollout(database.db, "ro_1", &out, &version, &fault), STATUS_OK, "%s", fault.detail);
    cr_assert_eq(json_parse(text_get(&out), out.length, &value, &fault), STATUS_OK, "%s", fault.detail);
    cr_assert_eq(json_object_object_length(value), 27);
    cr_assert(json_object_object_get_ex(value, name, &field), "%s", name);
    text_clear(&out);
    cr_assert_eq(json_canonical(field, &out), STATUS_OK);
    snprintf(text, sizeof text, "%s", text_get(&out));
    json_object_put(value);
    text_free(&out);
    return text;
}

Test(store_views, rollout)
{
    cr_assert_str_eq(of_rollout("steps"), "3");
    cr_assert_str_eq(of_rollout("step_deadline_at"), "\"2026-01-01T11:30:00.000Z\"");
    cr_assert_str_eq(of_rollout("policy"), "{\"pace\":\"time\"}");
    cr_assert_str_eq(of_rollout("slos"), "{\"error\":{\"objective\":99.5}}");
    cr_assert_str_eq(of_rollout("route"), "null");
    cr_assert_str_eq(of_rollout("verdicts"), "[]");
    cr_assert_str_eq(of_rollout("muted"), "[]");
    cr_assert_str_eq(of_rollout("resume_phase"), "null");
    database_do(database.db, "UPDATE rollouts SET step = 3");
    cr_assert_str_eq(of_rollout("step_deadline_at"), "null");
    database_do(database.db, "UPDATE rollouts SET step = 0, step_entered_at = NULL");
    cr_assert_str_eq(of_rollout("step_deadline_at"), "null");
    struct text out;
    struct fault fault;
    int64_t version;
    text_init(&out, 1 << 16);
    cr_assert_eq(views_rollout(database.db, "ro_none", &out, &version, &fault), STATUS_NOT_FOUND);
    cr_assert_neq(fault.next_step[0], '\0');
    text_free(&out);
}

Test(store_views, route_of_a_rollout_and_when_it_was_applied)
{
#define ROUTE(epoch, canary, weight, rollout, at)                                                            \
    "INSERT INTO routes (service, epoch, stable, canary, canary_weight, rollout, written_at)"                \
    " VALUES ('chat', " epoch ", 'one', " canary ", " weight ", " rollout ", '" at                           \
    "');"                                                                                                    \
    "INSERT INTO route_state (service, epoch, rev) VALUES ('chat', " epoch                                   \
    ", 1)"                                                                                                   \
    " ON CONFLICT (service) DO UPDATE SET epoch = excluded.epoch, applied_at = NULL"
    database_do(database.db, ROUTE("1", "'two'", "100", "'ro_1'", "2026-01-01T10:00:00Z"));
    cr_assert_str_eq(of_rollout("route"),
                     "{\"applied_at\":null,\"epoch\":1,\"weight\":100,"
                     "\"written_at\":\"2026-01-01T10:00:00.000Z\"}");
    database_do(database.db, "UPDATE route_state SET applied_at = '2026-01-01T10:00:05Z'");
    cr_assert_not_null(strstr(of_rollout("route"), "\"applied_at\":\"2026-01-01T10:00:05.000Z\""));
    /* another one follows, of somebody else: applied at the latest then */
    database_do(database.db, ROUTE("2", "NULL", "0", "NULL", "2026-01-01T11:00:00Z"));
    cr_assert_str_eq(of_rollout("route"),
                     "{\"applied_at\":\"2026-01-01T11:00:00.000Z\",\"epoch\":1,\"weight\":100,"
                     "\"written_at\":\"2026-01-01T10:00:00.000Z\"}");
}

Test(store_views, verdicts_newest_of_each)
{
    struct page page;
    struct fault fault;
    database_do(database.db,
                "INSERT INTO verdicts (rollout, sli, verdict, at, detail) VALUES"
                "  ('ro_1', 'refusal', 'pass', '2026-01-01Z', '{\"n\":1}'), ('ro_1', 'error', 'no_data', "
                "'2026-01-02Z', '{}'),"
                "  ('ro_1', 'refusal', 'fail', '2026-01-03Z', '{}')");
    cr_assert_str_eq(of_rollout("verdicts"),
                     "[{\"since\":\"2026-01-02T00:00:00.000Z\",\"sli\":\"error\",\"verdict\":\"no_data\"},"
                     "{\"since\":\"2026-01-03T00:00:00.000Z\",\"sli\":\"refusal\",\"verdict\":\"fail\"}]");
    page_init(&page, "", 2);
    cr_assert_eq(views_verdicts(database.db, "ro_1", &page, &fault), STATUS_OK);
    cr_assert_eq(page.count, 2);
    char after[PAGE_KEY_MAX];
    snprintf(after, sizeof after, "%s", page.next);
    page_free(&page);
    page_init(&page, after, 2);
    cr_assert_eq(views_verdicts(database.db, "ro_1", &page, &fault), STATUS_OK);
    cr_assert_eq(page.count, 1);
    cr_assert_not_null(strstr(text_get(&page.items), "\"detail\" : {\"n\": 1}"));
    page_free(&page);
    page_init(&page, "", 2);
    cr_assert_eq(views_verdicts(database.db, "ro_none", &page, &fault), STATUS_NOT_FOUND);
    page_free(&page);
}

Test(store_views, blocks_oldest_first)
{
    struct page page;
    struct fault fault;
    database_do(database.db,
                "INSERT INTO blocks SELECT 'ro_1', i, 4, i, 1.5, 100, i = 1, 10, 1, 90, 2"
                " FROM generate_series(1, 5) i");
    page_init(&page, "3", 10);
    cr_assert_eq(views_blocks(database.db, "ro_1", &page, &fault), STATUS_OK);
    cr_assert_eq(page.count, 2);
    cr_assert_not_null(
        strstr(text_get(&page.items),
               "{\"seq\" : 4, \"sli\" : \"ttft\", \"start_s\" : 4, \"length_s\" : 1.5, \"weight\" : 100, "
               "\"new_step\" : false, \"canary\" : {\"n\" : 10, \"k\" : 1}, \"stable\" : {\"n\" : 90, "
               "\"k\" : 2}, \"strata\" : null, \"coverage\" : null}"),
        "%s", text_get(&page.items));
    page_free(&page);
    database_do(database.db,
                "INSERT INTO blocks VALUES ('ro_1', 6, 4, 6, 1, 100, false, 10, 1, 90, 2, "
                "'{4,1,40,1,6,0,50,1}', '{10,2,90,3}')");
    page_init(&page, "5", 10);
    cr_assert_eq(views_blocks(database.db, "ro_1", &page, &fault), STATUS_OK);
    cr_assert_not_null(
        strstr(text_get(&page.items), "\"strata\" : [4,1,40,1,6,0,50,1], \"coverage\" : [10,2,90,3]}"), "%s",
        text_get(&page.items));
    page_free(&page);
}

/* The chain as anyone can check it from what the API gives: body, then hash. */
Test(store_views, events_carry_their_chain)
{
    struct page page;
    struct fault fault = {.detail = ""};
    struct json_object *list = NULL;
    struct text items;
    for (int i = 0; i < 6; i++) {
        cr_assert_eq(note_append(database.db,
                                 &(struct event){.type = "test.one",
                                                 .service = i % 3 == 0 ? NULL : "chat",
                                                 .rollout = i == 1 ? "ro_1" : NULL,
                                                 .actor = "anna \"q\"",
                                                 .reason = "because\n\xe2\x82\xac"},
                                 (const struct note_field[]){{"i", NOTE_INTEGER, NULL, i},
                                                             {"none", NOTE_TEXT, NULL, 0},
                                                             {NULL, NOTE_TEXT, NULL, 0}},
                                 &fault),
                     STATUS_OK, "%s", fault.detail);
    }
    page_init(&page, "", 200);
    cr_assert_eq(views_events(database.db, "chat", NULL, &page, &fault), STATUS_OK, "%s", fault.detail);
    cr_assert_eq(page.count, 4);
    text_init(&items, 1 << 20);
    text_printf(&items, "[%s]", text_get(&page.items));
    cr_assert_eq(json_parse(text_get(&items), items.length, &list, &fault), STATUS_OK, "%s", fault.detail);
    struct digest hash = digest_sha256("serin", 5);
    for (size_t i = 4; i-- > 0;) { /* oldest first */
        struct json_object *event = json_object_array_get_idx(list, i), *field = NULL;
        struct text body;
        char hex[DIGEST_HEX], stated[DIGEST_HEX];
        cr_assert_eq(json_object_object_length(event), 12);
        cr_assert(json_object_object_get_ex(event, "seq", &field));
        cr_assert_eq(json_object_get_int64(field), (int64_t)(4 - i));
        cr_assert(json_object_object_get_ex(event, "hash", &field));
        snprintf(stated, sizeof stated, "%s", json_object_get_string(field));
        json_object_object_del(event, "hash");
        text_init(&body, 1 << 16);
        text_add(&body, (const char *)hash.bytes, sizeof hash.bytes);
        cr_assert_eq(json_canonical(event, &body), STATUS_OK);
        hash = digest_sha256(body.data, body.length);
        cr_assert_str_eq(digest_hex(&hash, hex), stated);
        text_free(&body);
    }
    json_object_put(list);
    text_free(&items);
    page_free(&page);
    page_init(&page, "", 200);
    cr_assert_eq(views_events(database.db, NULL, "ro_1", &page, &fault), STATUS_OK);
    cr_assert_eq(page.count, 1);
    page_free(&page);
}

Test(store_views, events_of_one_instant_in_order_and_none_lost)
{
    struct page page;
    struct fault fault = {.detail = ""};
    char after[PAGE_KEY_MAX] = "";
    int64_t newest = 1 << 20;
    int seen = 0;
    database_do(database.db, "UPDATE clock SET origin = now(), origin_real = now(), rate = 0.000001");
    for (int i = 0; i < 20; i++)
        cr_assert_eq(note_append(database.db,
                                 &(struct event){.type = "t", .service = "chat", .actor = "a", .reason = ""},
                                 (const struct note_field[]){{NULL, NOTE_TEXT, NULL, 0}}, &fault),
                     STATUS_OK);
    do {
        page_init(&page, after, 3);
        cr_assert_eq(views_events(database.db, NULL, NULL, &page, &fault), STATUS_OK);
        const char *at = text_get(&page.items);
        while ((at = strstr(at, "\"seq\":")) != NULL) {
            int64_t seq = strtoll(at + 6, NULL, 10);
            cr_assert(seq < newest);
            newest = seq;
            seen++;
            at++;
        }
        snprintf(after, sizeof after, "%s", page.next);
        page_free(&page);
    } while (after[0] != '\0');
    cr_assert_eq(seen, 20);
    page_init(&page, "ev_none", 3);
    cr_assert_eq(views_events(database.db, NULL, NULL, &page, &fault), STATUS_OK);
    cr_assert_eq(page.count, 0, "a cursor that names nothing leads nowhere");
    page_free(&page);
}

Test(store_views, routes_gateways_freeze)
{
    struct page page;
    struct text out;
    struct fault fault;
    text_init(&out, 1 << 16);
    database_do(database.db, ROUTE("1", "'two'", "100", "'ro_1'", "2026-01-01T10:00:00Z"));
    database_do(database.db,
                "INSERT INTO gateways (service, instance, applied_epoch, heard_at) VALUES"
                "  ('chat', 'a', 1, serin_now()), ('chat', 'b', NULL, serin_now() - interval '2 min'),"
                "  ('other', 'a', NULL, serin_now())");
    database_do(database.db,
                "INSERT INTO gateways (service, instance, heard_at, weight_step) VALUES"
                "  ('chat', 'c', serin_now(), 50), ('chat', 'd', serin_now(), 70),"
                "  ('chat', 'e', serin_now() - interval '2 min', 70)");
    page_init(&page, "", 10);
    cr_assert_eq(views_routes(database.db, &page, &fault), STATUS_OK);
    cr_assert_eq(page.count, 1);
    page_free(&page);
    page_init(&page, "chat/a", 10);
    cr_assert_eq(views_gateways(database.db, "chat", 900, &page, &fault), STATUS_OK);
    cr_assert_eq(page.count, 4);
    const char *problem = strstr(text_get(&page.items),
                                 "\"problem\" : \"It cannot apply 1 %: its weights are "
                                 "multiples of 0.7 %. It applies 0.7 %.\"");
    cr_assert_not_null(problem, "%s", text_get(&page.items));
    cr_assert_not_null(strstr(problem, "\"weight_step\" : 70, \"problem\" : null"),
                       "a silent one is waited for, whatever it can apply");
    cr_assert_null(strstr(text_get(&page.items), "multiples of 0.5 %"), "1 %% is one");
    cr_assert_not_null(
        strstr(text_get(&page.items), "\"applied_epoch\" : null, \"current_epoch\" : 1, \"behind\" : true"));
    cr_assert_not_null(strstr(text_get(&page.items), "\"live\" : false"));
    page_free(&page);
    page_init(&page, "", 10);
    cr_assert_eq(views_gateways(database.db, NULL, 900, &page, &fault), STATUS_OK);
    cr_assert_eq(page.count, 6);
    cr_assert_not_null(strstr(text_get(&page.items), "\"current_epoch\" : null, \"behind\" : false"));
    page_free(&page);
    cr_assert_eq(views_freeze(database.db, &out, &fault), STATUS_OK);
    cr_assert_not_null(strstr(text_get(&out), "\"frozen\" : false, \"reason\" : null"));
    database_do(database.db,
                "INSERT INTO freezes (reason, since, by) VALUES ('holidays', '2026-01-01Z', 'anna')");
    text_clear(&out);
    cr_assert_eq(views_freeze(database.db, &out, &fault), STATUS_OK);
    cr_assert_not_null(strstr(text_get(&out), "\"frozen\" : true, \"reason\" : \"holidays\""));
    text_clear(&out);
    cr_assert_eq(views_rollback(database.db, "chat", "two", "", &out, &fault), STATUS_OK);
    cr_assert_not_null(strstr(
        text_get(&out), "\"stable\" : \"one\", \"baked\" : false, \"left\" : \"two\", \"rollout\" : null"));
    text_free(&out);
}

Test(store_views, sql_and_c_call_slis_the_same)
{
    char sql[64];
    for (int i = 0; i < SLI_COUNT; i++) {
        snprintf(sql, sizeof sql, "SELECT sli_name(%d)", i);
        cr_assert_str_eq(database_text(&database, sql), sli_name((enum sli)i));
    }
    snprintf(sql, sizeof sql, "SELECT sli_name(%d)", SLI_COUNT);
    cr_assert_str_eq(database_text(&database, sql), "");
}

Test(store_views, sql_and_c_read_durations_the_same)
{
    static const char *const durations[] = {"90s", "1h30m", "500ms", "2.5s", "1w2d3h4m5s6ms",
                                            "0s",  "24h",   "10y",   "",     "5",
                                            "h",   "1h-",   "1 h",   "1.s",  "-1s"};
    for (size_t i = 0; i < sizeof durations / sizeof durations[0]; i++) {
        char sql[96];
        int64_t ms = -1;
        bool known = clock_parse_duration(durations[i], &ms);
        snprintf(sql, sizeof sql, "SELECT round(duration_seconds('%s') * 1000)", durations[i]);
        const char *text = database_text(&database, sql);
        if (known)
            cr_assert_eq(strtoll(text, NULL, 10), ms, "%s", durations[i]);
        else
            cr_assert_str_eq(text, "", "%s", durations[i]);
    }
}
