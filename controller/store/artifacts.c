/* Artifact versions. */
#include "store/artifacts.h"

#include "store/note.h"
#include "store/nul.h"

#include "artifacts.sql.h"

#include <string.h>

/* Makes the artifact's row if there is none, and locks it: versions are numbered under this lock. */
static enum status lock_artifact(struct db *db, const char *kind, const char *name, bool make,
                                 struct fault *fault)
{
    struct db_params params = {.count = 0};
    struct db_rows *rows = NULL;
    db_text(&params, kind);
    db_text(&params, name);
    enum status status = make ? db_run(db, &sql_artifact_add, &params, NULL, fault) : STATUS_OK;
    if (status == STATUS_OK)
        status = db_run(db, &sql_artifact_lock, &params, &rows, fault);
    if (status == STATUS_OK && db_rows_count(rows) == 0) {
        status = fault_set(fault, STATUS_NOT_FOUND, "There is no %s %s", kind, name);
        fault_next(fault, "Register a version of it first.");
    }
    db_rows_free(rows);
    return status;
}

enum status artifacts_register(struct db *db, const struct artifact_new *artifact, int64_t *version,
                               bool *created, struct fault *fault)
{
    struct db_params params = {.count = 0};
    struct db_rows *rows = NULL;
    struct digest digest = digest_sha256(artifact->content, artifact->length);
    char hex[DIGEST_HEX];
    *created = false;
    if (strcmp(artifact->media_type, "application/json") == 0 && nul_in_json(artifact->content)) {
        enum status refused = fault_at(fault, "/content", "holds the character U+0000");
        fault_next(fault, "Take U+0000 out of the content.");
        return refused;
    }
    enum status status = lock_artifact(db, artifact->kind, artifact->name, true, fault);
    if (status != STATUS_OK)
        return status;
    db_text(&params, artifact->kind);
    db_text(&params, artifact->name);
    db_bytes(&params, digest.bytes, sizeof digest.bytes);
    status = db_run(db, &sql_artifact_same, &params, &rows, fault);
    if (status != STATUS_OK)
        return status;
    if (db_rows_count(rows) > 0) {
        *version = db_get_integer(rows, 0, 0);
        db_rows_free(rows);
        return STATUS_OK;
    }
    db_rows_free(rows);

    db_bytes(&params, artifact->content, artifact->length);
    db_text(&params, artifact->media_type);
    db_text(&params, artifact->changelog);
    db_text(&params, artifact->actor);
    status = db_run(db, &sql_artifact_insert, &params, &rows, fault);
    if (status != STATUS_OK)
        return status;
    *version = db_get_integer(rows, 0, 0);
    *created = true;
    db_rows_free(rows);
    return note_append(db,
                       &(struct event){.type = "artifact.registered", .actor = artifact->actor, .reason = ""},
                       (const struct note_field[]){{"kind", NOTE_TEXT, artifact->kind, 0},
                                                   {"name", NOTE_TEXT, artifact->name, 0},
                                                   {"version", NOTE_INTEGER, NULL, *version},
                                                   {"digest", NOTE_TEXT, digest_hex(&digest, hex), 0},
                                                   {NULL, NOTE_TEXT, NULL, 0}},
                       fault);
}

enum status artifacts_list(struct db *db, const char *kind, struct page *page, struct fault *fault)
{
    struct db_params params = {.count = 0};
    db_text(&params, kind);
    return page_read(db, &sql_artifact_list, &params, PAGE_KEY_TEXT, page, fault);
}

enum status artifacts_versions(struct db *db, const char *kind, const char *name, struct page *page,
                               struct fault *fault)
{
    struct db_params params = {.count = 0};
    db_text(&params, kind);
    db_text(&params, name);
    return page_read(db, &sql_artifact_versions, &params, PAGE_KEY_INTEGER, page, fault);
}

static enum status no_version(const char *kind, const char *name, int64_t version, struct fault *fault)
{
    if (version != 0)
        fault_set(fault, STATUS_NOT_FOUND, "There is no version %lld of %s %s", (long long)version, kind,
                  name);
    else
        fault_set(fault, STATUS_NOT_FOUND, "There is no %s %s", kind, name);
    fault_next(fault,
               "List what there is with 'serin version list %s %s' (GET /v1/artifacts/%s/%s/versions), or "
               "register it with "
               "'serin version register' (POST).",
               kind, name, kind, name);
    return STATUS_NOT_FOUND;
}

static void put_version(struct db_params *params, int64_t version)
{
    if (version != 0)
        db_integer(params, version);
    else
        db_null(params);
}

enum status artifacts_get(struct db *db, const char *kind, const char *name, int64_t version, bool content,
                          struct text *out, struct fault *fault)
{
    struct db_params params = {.count = 0};
    struct db_rows *rows = NULL;
    db_text(&params, kind);
    db_text(&params, name);
    put_version(&params, version);
    db_bool(&params, content);
    enum status status = db_run(db, &sql_artifact_version, &params, &rows, fault);
    if (status == STATUS_OK && db_rows_count(rows) == 0)
        status = no_version(kind, name, version, fault);
    else if (status == STATUS_OK)
        text_puts(out, db_get_text(rows, 0, 0));
    db_rows_free(rows);
    return status;
}

enum status artifacts_content(struct db *db, const char *kind, const char *name, int64_t version,
                              struct text *out, bool *json, struct fault *fault)
{
    struct db_params params = {.count = 0};
    struct db_rows *rows = NULL;
    db_text(&params, kind);
    db_text(&params, name);
    db_integer(&params, version);
    enum status status = db_run(db, &sql_artifact_content, &params, &rows, fault);
    if (status == STATUS_OK && db_rows_count(rows) == 0) {
        status = no_version(kind, name, version, fault);
    } else if (status == STATUS_OK) {
        *json = db_get_text(rows, 0, 0)[0] == 'a';
        text_puts(out, db_get_text(rows, 0, 1));
    }
    db_rows_free(rows);
    return status;
}

enum status artifacts_report_corpus(struct db *db, const char *name, int64_t version, bool ready,
                                    const char *actor, int64_t *reported, struct fault *fault)
{
    struct db_params params = {.count = 0};
    struct db_rows *rows = NULL;
    enum status status = lock_artifact(db, "corpus", name, false, fault);
    if (status != STATUS_OK)
        return status;
    db_text(&params, name);
    put_version(&params, version);
    status = db_run(db, &sql_corpus_state, &params, &rows, fault);
    if (status != STATUS_OK)
        return status;
    if (db_rows_count(rows) == 0) {
        db_rows_free(rows);
        return no_version("corpus", name, version, fault);
    }
    *reported = db_get_integer(rows, 0, 0);
    bool news = db_get_bool(rows, 0, 1) != ready;
    db_rows_free(rows);
    if (!news)
        return STATUS_OK;
    db_params_clear(&params);
    db_text(&params, name);
    db_integer(&params, *reported);
    db_bool(&params, ready);
    db_text(&params, actor);
    status = db_run(db, &sql_corpus_report, &params, NULL, fault);
    if (status != STATUS_OK)
        return status;
    return note_append(db, &(struct event){.type = "corpus.ready", .actor = actor, .reason = ""},
                       (const struct note_field[]){{"name", NOTE_TEXT, name, 0},
                                                   {"version", NOTE_INTEGER, NULL, *reported},
                                                   {"ready", NOTE_BOOL, NULL, ready},
                                                   {NULL, NOTE_TEXT, NULL, 0}},
                       fault);
}
