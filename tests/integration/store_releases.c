/* Releases in the store. */
#include "base/json.h"
#include "store/artifacts.h"
#include "store/releases.h"
#include "support/database.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static struct database database;

static void register_one(const char *kind, const char *name, const char *content)
{
    struct fault fault = {.detail = ""};
    int64_t version;
    bool created;
    cr_assert_eq(artifacts_register(database.db,
                                    &(struct artifact_new){.kind = kind,
                                                           .name = name,
                                                           .content = content,
                                                           .length = strlen(content),
                                                           .media_type = "application/json",
                                                           .changelog = "",
                                                           .actor = "anna"},
                                    &version, &created, &fault),
                 STATUS_OK, "%s", fault.detail);
}

static void make(void)
{
    database_make_migrated(&database);
    database_do(database.db, "INSERT INTO services (name) VALUES ('chat'), ('other')");
    register_one("model", "m", "{\"model\":\"x\",\"provider\":\"y\"}");
    register_one("model", "m", "{\"model\":\"x2\",\"provider\":\"y\"}");
    register_one("prompt", "system", "{\"say\":\"a\"}");
    register_one("prompt", "again", "{\"say\":\"a\"}");
}

static void drop(void)
{
    database_drop(&database);
}

TestSuite(store_releases, .init = make, .fini = drop, .timeout = 60);

static struct fault last;

static enum status create(const char *service, const char *document, bool *created)
{
    struct json_object *value = NULL;
    struct spec_release release;
    cr_assert_eq(json_parse(document, strlen(document), &value, &last), STATUS_OK, "%s", last.detail);
    cr_assert_eq(spec_read_release(value, "", &release, &last), STATUS_OK, "%s %s", last.detail,
                 last.error[0].detail);
    json_object_put(value);
    last = (struct fault){.status = STATUS_OK};
    cr_assert_eq(db_begin(database.db, &last), STATUS_OK);
    enum status status = releases_create(database.db, service, &release, "anna", created, &last);
    cr_assert(status == STATUS_OK || last.next_step[0] != '\0', "%s", last.detail);
    if (status == STATUS_OK)
        cr_assert_eq(db_commit(database.db, &last), STATUS_OK);
    db_rollback(database.db);
    spec_release_free(&release);
    return status;
}

#define MODEL "{\"kind\":\"model\",\"name\":\"m\",\"version\":1}"

static const char full[] =
    "{\"name\":\"v1\",\"artifacts\":[{\"kind\":\"prompt\",\"name\":\"system\",\"version\":1}," MODEL
    "],"
    "\"parameters\":{\"temperature\":0.70,\"b\":[1,{\"x\":\"\\u20ac\"}]},\"changelog\":\"first\\nline\","
    "\"compatibility\":\"\",\"history_compatible\":false,\"fallback\":{\"default\":{\"message\":\"Sorry\"}},"
    "\"worksheets\":{\"cost\":1}}";

Test(store_releases, content_is_canonical_and_addressed)
{
    bool created = false;
    struct text out;
    struct fault fault;
    text_init(&out, 1 << 20);
    cr_assert_eq(create("chat", full, &created), STATUS_OK, "%s", last.detail);
    cr_assert(created);
    cr_assert_eq(releases_content(database.db, "chat", "v1", &out, &fault), STATUS_OK);
    struct json_object *value = NULL;
    struct text again;
    text_init(&again, 1 << 20);
    cr_assert_eq(json_parse(text_get(&out), out.length, &value, &fault), STATUS_OK);
    cr_assert_eq(json_canonical(value, &again), STATUS_OK);
    cr_assert_str_eq(text_get(&again), text_get(&out), "the stored content is canonical");
    json_object_put(value);
    /* what a request can notice, computed by hand: prompts stand before models */
    cr_assert_str_eq(
        database_text(
            &database,
            "SELECT behaviour = sha256(convert_to('{\"artifacts\":[' || (SELECT string_agg("
            "  '{\"digest\":\"' || encode(v.digest, 'hex') || '\",\"kind\":\"' || v.kind || '\",\"name\":\"'"
            "  || v.name || '\"}', ',' ORDER BY v.kind DESC) FROM artifact_versions v"
            "  JOIN release_artifacts a USING (kind, name, version))"
            "  || '],\"parameters\":{\"b\":[1,{\"x\":\"\xe2\x82\xac\"}],\"temperature\":0.7}}', 'UTF8'))"
            " FROM releases"),
        "t");
    text_free(&again);
    text_free(&out);
}

Test(store_releases, same_name_same_content_is_no_error_other_content_is)
{
    bool created = true;
    cr_assert_eq(create("chat", full, &created), STATUS_OK);
    cr_assert_eq(create("chat", full, &created), STATUS_OK);
    cr_assert(!created);
    /* the order of the pins and of the keys is no difference */
    cr_assert_eq(create("chat",
                        "{\"worksheets\":{\"cost\":1},\"artifacts\":[" MODEL
                        ",{\"name\":\"system\",\"kind\":\"prompt\",\"version\":1}],\"name\":\"v1\","
                        "\"parameters\":{\"b\":[1,{\"x\":\"\xe2\x82\xac\"}],\"temperature\":0.7},"
                        "\"changelog\":\"first\\nline\",\"history_compatible\":false,"
                        "\"fallback\":{\"default\":{\"message\":\"Sorry\"}}}",
                        &created),
                 STATUS_OK, "%s", last.detail);
    cr_assert(!created);
    cr_assert_eq(create("chat", "{\"name\":\"v1\",\"artifacts\":[" MODEL "]}", &created), STATUS_CONFLICT);
    cr_assert_eq(create("other", "{\"name\":\"v1\",\"artifacts\":[" MODEL "]}", &created), STATUS_OK);
    cr_assert_eq(database_number(&database, "SELECT count(*) FROM events WHERE type = 'release.created'"), 2);
}

Test(store_releases, behaviour_is_the_same_under_any_name_and_changelog)
{
    bool created;
    cr_assert_eq(create("chat", "{\"name\":\"a\",\"artifacts\":[" MODEL "]}", &created), STATUS_OK);
    cr_assert_eq(
        create("chat", "{\"name\":\"b\",\"artifacts\":[" MODEL "],\"changelog\":\"again\"}", &created),
        STATUS_OK);
    cr_assert_eq(
        create("chat", "{\"name\":\"c\",\"artifacts\":[" MODEL "],\"parameters\":{\"a\":1}}", &created),
        STATUS_OK);
    cr_assert_eq(database_number(&database, "SELECT count(DISTINCT behaviour) FROM releases"), 2);
    cr_assert_eq(database_number(&database, "SELECT count(DISTINCT digest) FROM releases"), 3);
}

Test(store_releases, pins_must_exist)
{
    bool created;
    cr_assert_eq(
        create("chat",
               "{\"name\":\"a\",\"artifacts\":[{\"kind\":\"prompt\",\"name\":\"system\",\"version\":2}," MODEL
               ",{\"kind\":\"tool\",\"name\":\"x\",\"version\":1}]}",
               &created),
        STATUS_INVALID);
    cr_assert_eq(last.errors, 2);
    cr_assert_str_eq(last.error[0].pointer, "/artifacts/0/version");
    cr_assert_str_eq(last.error[1].pointer, "/artifacts/2/version");
    cr_assert_eq(create("none", "{\"name\":\"a\",\"artifacts\":[" MODEL "]}", &created), STATUS_NOT_FOUND);
    cr_assert_eq(database_number(&database, "SELECT count(*) FROM releases"), 0);
    cr_assert_eq(create("chat",
                        "{\"name\":\"a\",\"artifacts\":[" MODEL "],\"parameters\":{\"a\":\"\\u0000\"}}",
                        &created),
                 STATUS_INVALID);
}

Test(store_releases, get_shows_bake_and_quarantine)
{
    struct text out;
    struct fault fault;
    struct json_object *value = NULL, *field = NULL;
    bool created;
    text_init(&out, 1 << 20);
    cr_assert_eq(create("chat", full, &created), STATUS_OK);
    database_do(
        database.db,
        "INSERT INTO rollouts (id, service, release, phase, plan, policy, slos, salt, created_at, created_by,"
        "  rule, reason, phase_since) VALUES ('ro_1', 'chat', 'v1', 'pending', '{}', '{}', '{}', 's', now(),"
        "  't', 'R', '', now());"
        "INSERT INTO bakes (service, release, rollout, at) VALUES ('chat', 'v1', 'ro_1', '2026-01-02Z'),"
        "  ('chat', 'v1', 'ro_1', '2026-01-03T01:02:03.456Z');"
        "INSERT INTO quarantines (service, behaviour, rollout, reason, since)"
        "  SELECT 'chat', behaviour, 'ro_1', 'refusals', '2026-01-04Z' FROM releases");
    cr_assert_eq(releases_get(database.db, "chat", "v1", &out, &fault), STATUS_OK, "%s", fault.detail);
    cr_assert_eq(json_parse(text_get(&out), out.length, &value, &fault), STATUS_OK, "%s", fault.detail);
    cr_assert_eq(json_object_object_length(value), 15);
    cr_assert(json_object_object_get_ex(value, "stable", &field));
    cr_assert(!json_object_get_boolean(field), "no route names it");
    cr_assert(json_object_object_get_ex(value, "baked_at", &field));
    cr_assert_str_eq(json_object_get_string(field), "2026-01-03T01:02:03.456Z");
    cr_assert(json_object_object_get_ex(value, "quarantined", &field));
    cr_assert(json_object_object_get_ex(field, "reason", &field));
    cr_assert_str_eq(json_object_get_string(field), "refusals");
    cr_assert(json_object_object_get_ex(value, "artifacts", &field));
    cr_assert_eq(json_object_array_length(field), 2);
    cr_assert(json_object_object_get_ex(value, "history_compatible", &field));
    cr_assert(!json_object_get_boolean(field));
    json_object_put(value);
    cr_assert_eq(releases_get(database.db, "chat", "none", &out, &fault), STATUS_NOT_FOUND);
    cr_assert_eq(releases_content(database.db, "chat", "none", &out, &fault), STATUS_NOT_FOUND);
    text_free(&out);
}

/* Releases that were made in one instant are not lost between two pages. */
Test(store_releases, pages_newest_first)
{
    struct page page;
    struct fault fault;
    char document[128], after[PAGE_KEY_MAX] = "";
    bool created;
    int seen = 0;
    database_do(database.db, "UPDATE clock SET origin = now(), origin_real = now(), rate = 0.000001");
    for (int i = 0; i < 7; i++) {
        snprintf(document, sizeof document, "{\"name\":\"r%d\",\"artifacts\":[" MODEL "]}", i);
        cr_assert_eq(create("chat", document, &created), STATUS_OK);
    }
    do {
        page_init(&page, after, 3);
        cr_assert_eq(releases_list(database.db, "chat", &page, &fault), STATUS_OK);
        seen += page.count;
        snprintf(after, sizeof after, "%s", page.next);
        page_free(&page);
    } while (after[0] != '\0');
    cr_assert_eq(seen, 7);
}
