/* Services and their two documents in the store. */
#include "store/documents.h"
#include "support/database.h"

#include <criterion/criterion.h>
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

TestSuite(store_services, .init = make, .fini = drop, .timeout = 60);

static enum status put(const char *name, const char *description, const char *sticky, int64_t if_version,
                       bool *created)
{
    struct fault fault = {.detail = ""};
    cr_assert_eq(db_begin(database.db, &fault), STATUS_OK);
    enum status status =
        services_put(database.db, name, description, sticky, if_version, "anna", created, &fault);
    cr_assert(status == STATUS_OK || fault.next_step[0] != '\0');
    if (status == STATUS_OK)
        cr_assert_eq(db_commit(database.db, &fault), STATUS_OK);
    db_rollback(database.db);
    return status;
}

#define ANY STORE_ANY_VERSION

Test(store_services, put_creates_then_changes)
{
    struct text out;
    struct fault fault;
    int64_t version = 0;
    bool created = false;
    text_init(&out, 1 << 16);
    cr_assert_eq(put("chat", "first", NULL, ANY, &created), STATUS_OK);
    cr_assert(created);
    cr_assert_eq(put("chat", NULL, "conversation", ANY, &created), STATUS_OK);
    cr_assert(!created);
    cr_assert_eq(services_get(database.db, "chat", &out, &version, &fault), STATUS_OK);
    cr_assert_eq(version, 2);
    cr_assert_not_null(strstr(text_get(&out), "\"description\" : \"first\""));
    cr_assert_not_null(strstr(text_get(&out), "\"sticky\" : \"conversation\""));
    cr_assert_not_null(strstr(text_get(&out), "\"stable\" : null"));
    cr_assert_not_null(strstr(text_get(&out), "\"live_rollout\" : null"));
    /* the same again changes nothing */
    cr_assert_eq(put("chat", "first", "conversation", ANY, &created), STATUS_OK);
    text_clear(&out);
    cr_assert_eq(services_get(database.db, "chat", &out, &version, &fault), STATUS_OK);
    cr_assert_eq(version, 2);
    cr_assert_eq(database_number(&database, "SELECT count(*) FROM events WHERE service = 'chat'"), 2);
    cr_assert_str_eq(database_text(&database, "SELECT string_agg(type, ' ' ORDER BY seq) FROM events"),
                     "service.created service.changed");
    cr_assert_eq(services_get(database.db, "none", &out, &version, &fault), STATUS_NOT_FOUND);
    cr_assert_eq(services_exists(database.db, "none", &fault), STATUS_NOT_FOUND);
    cr_assert_eq(services_exists(database.db, "chat", &fault), STATUS_OK);
    text_free(&out);
}

Test(store_services, the_version_that_was_seen)
{
    bool created;
    cr_assert_eq(put("chat", "a", NULL, 1, &created), STATUS_STALE_VERSION, "there is no such service yet");
    cr_assert_eq(put("chat", "a", NULL, ANY, &created), STATUS_OK);
    cr_assert_eq(put("chat", "b", NULL, 1, &created), STATUS_OK);
    cr_assert_eq(put("chat", "c", NULL, 1, &created), STATUS_STALE_VERSION);
    cr_assert_str_eq(database_text(&database, "SELECT description FROM services"), "b");
}

Test(store_services, sticky_stays_under_a_live_rollout)
{
    bool created;
    cr_assert_eq(put("chat", "a", "user", ANY, &created), STATUS_OK);
    database_do(
        database.db,
        "INSERT INTO releases (service, name, content, digest, behaviour, created_by)"
        "  VALUES ('chat', 'one', '{}', sha256('{}'), sha256('{}'), 't');"
        "INSERT INTO rollouts (id, service, release, phase, plan, policy, slos, salt, created_at,"
        "  created_by, rule, reason, phase_since)"
        "  VALUES ('ro_1', 'chat', 'one', 'pending', '{}', '{}', '{}', 's', now(), 't', 'R', '', now())");
    cr_assert_eq(put("chat", "b", "user", ANY, &created), STATUS_OK);
    cr_assert_eq(put("chat", "b", "none", ANY, &created), STATUS_CONFLICT);
    database_do(database.db, "UPDATE rollouts SET phase = 'aborted', ended_at = now()");
    cr_assert_eq(put("chat", "b", "none", ANY, &created), STATUS_OK);
}

Test(store_services, list)
{
    struct page page;
    struct fault fault;
    bool created;
    cr_assert_eq(put("b", NULL, NULL, ANY, &created), STATUS_OK);
    cr_assert_eq(put("a", NULL, NULL, ANY, &created), STATUS_OK);
    cr_assert_eq(put("c", NULL, NULL, ANY, &created), STATUS_OK);
    page_init(&page, "a", 1);
    cr_assert_eq(services_list(database.db, &page, &fault), STATUS_OK);
    cr_assert_eq(page.count, 1);
    cr_assert_str_eq(page.next, "b");
    page_free(&page);
    page_init(&page, "b", 1);
    cr_assert_eq(services_list(database.db, &page, &fault), STATUS_OK);
    cr_assert_str_eq(page.next, "");
    page_free(&page);
}

static enum status put_document(enum document_kind kind, const char *document, int64_t if_version)
{
    struct fault fault = {.detail = ""};
    cr_assert_eq(db_begin(database.db, &fault), STATUS_OK);
    enum status status = documents_put(database.db, kind, "chat", document, if_version, "anna", &fault);
    cr_assert(status == STATUS_OK || fault.next_step[0] != '\0');
    if (status == STATUS_OK)
        cr_assert_eq(db_commit(database.db, &fault), STATUS_OK);
    db_rollback(database.db);
    return status;
}

Test(store_services, documents_keep_all_versions)
{
    struct text whole, document;
    struct fault fault;
    int64_t version = -1;
    bool created;
    text_init(&whole, 1 << 16);
    text_init(&document, 1 << 16);
    cr_assert_eq(put_document(DOCUMENT_SLOS, "{}", ANY), STATUS_NOT_FOUND);
    cr_assert_eq(put("chat", NULL, NULL, ANY, &created), STATUS_OK);
    for (int kind = DOCUMENT_SLOS; kind <= DOCUMENT_POLICY; kind++) {
        enum document_kind which = (enum document_kind)kind;
        cr_assert_eq(documents_get(database.db, which, "chat", &whole, &document, &version, &fault),
                     STATUS_OK);
        cr_assert_eq(version, 0);
        cr_assert_eq(whole.length, 0);
        cr_assert_eq(put_document(which, "{\"error\":{\"objective\":99.50}}", 0), STATUS_OK);
        cr_assert_eq(put_document(which, "{\"error\":{\"objective\":99.9}}", 0), STATUS_STALE_VERSION);
        cr_assert_eq(put_document(which, "{\"error\": {\"objective\": 99.5}}", ANY), STATUS_OK,
                     "says the same");
        cr_assert_eq(put_document(which, "{\"error\":{\"objective\":99.9}}", 1), STATUS_OK);
        cr_assert_eq(documents_get(database.db, which, "chat", &whole, &document, &version, &fault),
                     STATUS_OK);
        cr_assert_eq(version, 2);
        cr_assert_str_eq(text_get(&document), "{\"error\": {\"objective\": 99.9}}");
        cr_assert_not_null(
            strstr(text_get(&whole), which == DOCUMENT_SLOS ? "\"slos\" : {" : "\"policy\" : {"));
        text_clear(&whole);
        text_clear(&document);
    }
    cr_assert_eq(database_number(&database, "SELECT count(*) FROM slos"), 2);
    cr_assert_eq(database_number(&database, "SELECT count(*) FROM policies"), 2);
    cr_assert_eq(database_number(&database, "SELECT count(*) FROM events WHERE type = 'slos.changed'"), 2);
    cr_assert_eq(database_number(&database, "SELECT count(*) FROM events WHERE type = 'policy.changed'"), 2);
    text_free(&whole);
    text_free(&document);
}
