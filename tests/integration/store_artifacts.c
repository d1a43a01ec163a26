/* Artifact versions in the store. */
#include "base/json.h"
#include "store/artifacts.h"
#include "support/database.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

static struct database database;

static void make(void)
{
    database_make_migrated(&database);
}

static void drop(void)
{
    database_drop(&database);
}

TestSuite(store_artifacts, .init = make, .fini = drop, .timeout = 60);

static enum status put(struct db *db, const char *kind, const char *name, const char *content,
                       int64_t *version, bool *created)
{
    struct fault fault = {.detail = ""};
    struct artifact_new artifact = {.kind = kind,
                                    .name = name,
                                    .content = content,
                                    .length = strlen(content),
                                    .media_type = content[0] == '{' ? "application/json" : "text/plain",
                                    .changelog = "why",
                                    .actor = "anna"};
    db_deadline(db, clock_mono_after_ms(clock_mono(), 20000));
    enum status status = db_begin(db, &fault);
    if (status == STATUS_OK)
        status = artifacts_register(db, &artifact, version, created, &fault);
    if (status == STATUS_OK)
        status = db_commit(db, &fault);
    db_rollback(db);
    return status;
}

static void must_put(const char *kind, const char *name, const char *content, int64_t wanted,
                     bool wanted_created)
{
    int64_t version = 0;
    bool created = false;
    cr_assert_eq(put(database.db, kind, name, content, &version, &created), STATUS_OK);
    cr_assert_eq(version, wanted);
    cr_assert_eq(created, wanted_created);
}

static struct json_object *parsed(struct text *text)
{
    struct json_object *value = NULL;
    struct fault fault = {.detail = ""};
    cr_assert_eq(json_parse(text_get(text), text->length, &value, &fault), STATUS_OK, "%s: %s",
                 text_get(text), fault.detail);
    text_clear(text);
    return value;
}

Test(store_artifacts, the_same_content_is_the_same_version)
{
    must_put("prompt", "system", "Be kind.", 1, true);
    must_put("prompt", "system", "Be kind.", 1, false);
    must_put("prompt", "system", "Be brief.", 2, true);
    must_put("prompt", "system", "Be kind.", 1, false);
    must_put("prompt", "other", "Be kind.", 1, true);
    must_put("tool", "system", "{\"a\":1}", 1, true);
    cr_assert_eq(database_number(&database, "SELECT count(*) FROM events WHERE type = 'artifact.registered'"),
                 4);
    cr_assert_eq(database_number(&database, "SELECT count(*) FROM artifact_versions"), 4);
}

Test(store_artifacts, get_with_content)
{
    struct text out;
    struct fault fault = {.detail = ""};
    struct json_object *value, *field;
    text_init(&out, 1 << 20);
    must_put("prompt", "system", "A \"quoted\"\nline \xe2\x82\xac", 1, true);
    must_put("tool", "search", "{\"a\":[1,2.5,null]}", 1, true);

    cr_assert_eq(artifacts_get(database.db, "prompt", "system", 1, true, &out, &fault), STATUS_OK);
    value = parsed(&out);
    cr_assert(json_object_object_get_ex(value, "content", &field));
    cr_assert_str_eq(json_object_get_string(field), "A \"quoted\"\nline \xe2\x82\xac");
    cr_assert(json_object_object_get_ex(value, "media_type", &field));
    cr_assert_str_eq(json_object_get_string(field), "text/plain");
    cr_assert(json_object_object_get_ex(value, "size_bytes", &field));
    cr_assert_eq(json_object_get_int(field), 19);
    cr_assert(json_object_object_get_ex(value, "ready", &field));
    cr_assert(json_object_get_boolean(field));
    cr_assert_eq(json_object_object_length(value), 11);
    json_object_put(value);

    cr_assert_eq(artifacts_get(database.db, "tool", "search", 0, true, &out, &fault), STATUS_OK);
    value = parsed(&out);
    cr_assert(json_object_object_get_ex(value, "content", &field));
    cr_assert(json_object_is_type(field, json_type_object));
    json_object_put(value);

    cr_assert_eq(artifacts_get(database.db, "tool", "search", 0, false, &out, &fault), STATUS_OK);
    value = parsed(&out);
    cr_assert_eq(json_object_object_length(value), 10);
    json_object_put(value);

    cr_assert_eq(artifacts_get(database.db, "tool", "search", 2, true, &out, &fault), STATUS_NOT_FOUND);
    cr_assert_neq(fault.next_step[0], '\0');
    cr_assert_eq(artifacts_get(database.db, "tool", "none", 0, true, &out, &fault), STATUS_NOT_FOUND);
    text_free(&out);
}

Test(store_artifacts, content_alone)
{
    struct text out;
    struct fault fault;
    bool json = false;
    text_init(&out, 1 << 20);
    must_put("tool", "search", "{\"a\":1}", 1, true);
    cr_assert_eq(artifacts_content(database.db, "tool", "search", 1, &out, &json, &fault), STATUS_OK);
    cr_assert_str_eq(text_get(&out), "{\"a\":1}");
    cr_assert(json);
    cr_assert_eq(artifacts_content(database.db, "tool", "search", 9, &out, &json, &fault), STATUS_NOT_FOUND);
    text_free(&out);
}

Test(store_artifacts, nul_is_refused_and_an_escaped_backslash_is_not)
{
    int64_t version;
    bool created;
    cr_assert_eq(put(database.db, "tool", "t", "{\"a\":\"\\u0000\"}", &version, &created), STATUS_INVALID);
    cr_assert_eq(put(database.db, "tool", "t", "{\"a\":\"\\\\\\u0000\"}", &version, &created),
                 STATUS_INVALID);
    cr_assert_eq(put(database.db, "tool", "t", "{\"a\":\"\\\\u0000\"}", &version, &created), STATUS_OK);
    cr_assert_eq(put(database.db, "prompt", "t", "say \\u0000", &version, &created), STATUS_OK);
}

Test(store_artifacts, lists_in_pages)
{
    struct page page;
    struct fault fault = {.detail = ""};
    char name[16], content[16], seen[8][PAGE_KEY_MAX];
    int pages = 0;
    for (int i = 0; i < 5; i++) {
        snprintf(name, sizeof name, "p%d", i);
        must_put("prompt", name, "text", 1, true);
        snprintf(content, sizeof content, "v%d", i + 2);
        must_put("prompt", "p0", content, i + 2, true);
    }
    must_put("model", "m", "{}", 1, true);

    page_init(&page, "", 2);
    cr_assert_eq(artifacts_list(database.db, NULL, &page, &fault), STATUS_OK, "%s", fault.detail);
    cr_assert_eq(page.count, 2);
    cr_assert_str_eq(page.next, "prompt/p0");
    do {
        snprintf(seen[pages++], PAGE_KEY_MAX, "%s", page.next);
        page_free(&page);
        page_init(&page, seen[pages - 1], 2);
        cr_assert_eq(artifacts_list(database.db, NULL, &page, &fault), STATUS_OK);
    } while (page.next[0] != '\0');
    cr_assert_eq(pages, 2);
    cr_assert_eq(page.count, 2);
    page_free(&page);

    page_init(&page, "", 200);
    cr_assert_eq(artifacts_list(database.db, "model", &page, &fault), STATUS_OK);
    cr_assert_eq(page.count, 1);
    page_free(&page);

    page_init(&page, "4", 2);
    cr_assert_eq(artifacts_versions(database.db, "prompt", "p0", &page, &fault), STATUS_OK);
    cr_assert_not_null(strstr(text_get(&page.items), "\"version\" : 3"));
    cr_assert_null(strstr(text_get(&page.items), "\"version\" : 4"));
    cr_assert_str_eq(page.next, "2");
    page_free(&page);

    const char *const bad[] = {"x", "1; DROP TABLE tokens", "99999999999999999999", "-1", "1e3"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        page_init(&page, bad[i], 2);
        cr_assert_eq(artifacts_versions(database.db, "prompt", "p0", &page, &fault), STATUS_INVALID);
        cr_assert_neq(fault.next_step[0], '\0');
        page_free(&page);
    }
}

Test(store_artifacts, corpus_is_ready_when_it_is_said)
{
    struct fault fault = {.detail = ""};
    int64_t reported = 0;
    must_put("corpus", "docs", "{\"uri\":\"a\"}", 1, true);
    must_put("corpus", "docs", "{\"uri\":\"b\"}", 2, true);
#define READY "SELECT artifact_ready('corpus', 'docs', "
    cr_assert_str_eq(database_text(&database, READY "1)"), "f");
    cr_assert_eq(db_begin(database.db, &fault), STATUS_OK);
    cr_assert_eq(artifacts_report_corpus(database.db, "docs", 0, true, "anna", &reported, &fault), STATUS_OK);
    cr_assert_eq(reported, 2);
    cr_assert_eq(artifacts_report_corpus(database.db, "docs", 2, true, "anna", &reported, &fault), STATUS_OK);
    cr_assert_eq(artifacts_report_corpus(database.db, "docs", 1, false, "anna", &reported, &fault),
                 STATUS_OK);
    cr_assert_eq(db_commit(database.db, &fault), STATUS_OK);
    cr_assert_str_eq(database_text(&database, READY "1)"), "f");
    cr_assert_str_eq(database_text(&database, READY "2)"), "t");
    cr_assert_eq(database_number(&database, "SELECT count(*) FROM events WHERE type = 'corpus.ready'"), 1);
    cr_assert_eq(artifacts_report_corpus(database.db, "docs", 2, false, "anna", &reported, &fault),
                 STATUS_OK);
    cr_assert_str_eq(database_text(&database, READY "2)"), "f");
    cr_assert_eq(artifacts_report_corpus(database.db, "docs", 7, true, "anna", &reported, &fault),
                 STATUS_NOT_FOUND);
    cr_assert_eq(artifacts_report_corpus(database.db, "none", 0, true, "anna", &reported, &fault),
                 STATUS_NOT_FOUND);
}

struct racer {
    struct db *db;
    int number, made;
};

static void *race(void *argument)
{
    struct racer *racer = argument;
    for (int i = 0; i < 20; i++) {
        char content[32];
        int64_t version;
        bool created = false;
        snprintf(content, sizeof content, "%d of %s", i,
                 i % 2 == 0           ? "all"
                 : racer->number == 0 ? "one"
                                      : "other");
        if (put(racer->db, "prompt", "raced", content, &version, &created) == STATUS_OK)
            racer->made += created;
    }
    return NULL;
}

/* Two at once: no version is lost, none is double, and what both register is one. */
Test(store_artifacts, versions_are_numbered_without_gaps)
{
    struct racer racer[2];
    pthread_t thread[2];
    for (int i = 0; i < 2; i++) {
        racer[i] = (struct racer){.db = database_connect(&database), .number = i};
        cr_assert_eq(pthread_create(&thread[i], NULL, race, &racer[i]), 0);
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(thread[i], NULL);
        db_close(racer[i].db);
    }
    cr_assert_eq(racer[0].made + racer[1].made, 30);
    cr_assert_eq(database_number(&database, "SELECT count(*) FROM artifact_versions"), 30);
    cr_assert_eq(database_number(&database, "SELECT max(version) FROM artifact_versions"), 30);
}
