/* Rollouts: the rows, the lock order (service, then rollout), claims. */
#include "store/rollouts.h"

#include "base/utf8.h"

#include "rollouts.sql.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DOCUMENT_MAX = 1 << 20 };

void rollout_row_free(struct rollout_row *row)
{
    text_free(&row->plan);
    text_free(&row->policy);
    text_free(&row->slos);
    text_free(&row->muted);
}

static void copy(char *out, size_t size, const struct db_rows *rows, int column)
{
    snprintf(out, size, "%s", db_get_text(rows, 0, column));
}

/* Our own schema and tables agree on the words; an unknown one is a fault of ours. */
static enum status read_row(const struct db_rows *rows, struct rollout_row *row, struct fault *fault)
{
    copy(row->id, sizeof row->id, rows, 0);
    copy(row->service, sizeof row->service, rows, 1);
    copy(row->release, sizeof row->release, rows, 2);
    copy(row->stable, sizeof row->stable, rows, 3);
    if (!phase_parse(db_get_text(rows, 0, 4), &row->phase) ||
        !phase_parse(db_get_text(rows, 0, 5), &row->resume_phase))
        return fault_set(fault, STATUS_INTERNAL, "Rollout %s has an unknown phase", row->id);
    row->step = (int32_t)db_get_integer(rows, 0, 6);
    row->weight = (int32_t)db_get_integer(rows, 0, 7);
    text_puts(&row->plan, db_get_text(rows, 0, 8));
    text_puts(&row->policy, db_get_text(rows, 0, 9));
    text_puts(&row->slos, db_get_text(rows, 0, 10));
    copy(row->salt, sizeof row->salt, rows, 11);
    row->fix = db_get_bool(rows, 0, 12);
    row->unproven = db_get_bool(rows, 0, 13);
    copy(row->rule, sizeof row->rule, rows, 14);
    copy(row->reason, sizeof row->reason, rows, 15);
    row->created_at = db_get_time(rows, 0, 16);
    row->phase_since = db_get_time(rows, 0, 17);
    row->step_entered_at = db_get_time(rows, 0, 18);
    row->step_since = db_get_time(rows, 0, 19);
    row->blind_since = db_get_time(rows, 0, 20);
    row->alarmed = (uint32_t)db_get_integer(rows, 0, 21);
    text_puts(&row->muted, db_get_text(rows, 0, 22));
    row->row_version = db_get_integer(rows, 0, 23);
    row->lease_epoch = db_get_integer(rows, 0, 24);
    copy(row->retry_of, sizeof row->retry_of, rows, 25);
    row->incarnation = db_get_integer(rows, 0, 26);
    row->alerts_acted = db_get_integer(rows, 0, 27);
    if (text_status(&row->plan) || text_status(&row->policy) || text_status(&row->slos) ||
        text_status(&row->muted))
        return fault_set(fault, STATUS_NO_MEMORY, "Out of memory");
    return STATUS_OK;
}

static enum status fetch(struct db *db, const struct statement *statement, const char *id,
                         struct rollout_row *row, struct fault *fault)
{
    struct db_params params = {.count = 0};
    struct db_rows *rows = NULL;
    memset(row, 0, sizeof *row);
    text_init(&row->plan, DOCUMENT_MAX);
    text_init(&row->policy, DOCUMENT_MAX);
    text_init(&row->slos, DOCUMENT_MAX);
    text_init(&row->muted, DOCUMENT_MAX);
    db_text(&params, id);
    enum status status = db_run(db, statement, &params, &rows, fault);
    if (status == STATUS_OK && db_rows_count(rows) == 0) {
        status = fault_set(fault, STATUS_NOT_FOUND, "There is no rollout %s", id);
        fault_next(fault, "List them with 'serin rollout list SERVICE'.");
    }
    if (status == STATUS_OK)
        status = read_row(rows, row, fault);
    db_rows_free(rows);
    return status;
}

enum status rollouts_read(struct db *db, const char *id, struct rollout_row *row, struct fault *fault)
{
    return fetch(db, &sql_rollout_read, id, row, fault);
}

enum status rollouts_lock_service(struct db *db, const char *service, struct fault *fault)
{
    struct db_params params = {.count = 0};
    struct db_rows *rows = NULL;
    db_text(&params, service);
    enum status status = db_run(db, &sql_service_lock, &params, &rows, fault);
    if (status == STATUS_OK && db_rows_count(rows) == 0) {
        status = fault_set(fault, STATUS_NOT_FOUND, "There is no service %s", service);
        fault_next(fault, "List them with 'serin service list', or create it.");
    }
    db_rows_free(rows);
    return status;
}

enum status rollouts_try_lock_service(struct db *db, const char *service, bool *locked, struct fault *fault)
{
    struct db_params params = {.count = 0};
    struct db_rows *rows = NULL;
    db_text(&params, service);
    enum status status = db_run(db, &sql_service_try_lock, &params, &rows, fault);
    *locked = status == STATUS_OK && db_rows_count(rows) == 1;
    db_rows_free(rows);
    return status;
}

enum status rollouts_lock(struct db *db, const char *id, struct rollout_row *row, struct fault *fault)
{
    struct db_params params = {.count = 0};
    struct db_rows *rows = NULL;
    memset(row, 0, sizeof *row);
    db_text(&params, id);
    enum status status = db_run(db, &sql_rollout_service, &params, &rows, fault);
    if (status == STATUS_OK && db_rows_count(rows) == 1)
        status = rollouts_lock_service(db, db_get_text(rows, 0, 0), fault);
    db_rows_free(rows);
    return status == STATUS_OK ? fetch(db, &sql_rollout_lock, id, row, fault) : status;
}

enum status rollouts_live(struct db *db, const char *service, char id[ID_MAX], struct fault *fault)
{
    struct db_params params = {.count = 0};
    struct db_rows *rows = NULL;
    id[0] = '\0';
    db_text(&params, service);
    enum status status = db_run(db, &sql_rollout_live, &params, &rows, fault);
    if (status == STATUS_OK && db_rows_count(rows) > 0)
        snprintf(id, ID_MAX, "%s", db_get_text(rows, 0, 0));
    db_rows_free(rows);
    return status;
}

static void name_or_null(struct db_params *params, const char *name)
{
    db_text(params, name[0] != '\0' ? name : NULL);
}

static void time_or_null(struct db_params *params, struct wall_time time)
{
    if (time.us != 0)
        db_time(params, time);
    else
        db_null(params);
}

enum status rollouts_insert(struct db *db, const struct rollout_row *row, const char *created_by,
                            struct fault *fault)
{
    struct db_params params = {.count = 0};
    db_text(&params, row->id);
    db_text(&params, row->service);
    db_text(&params, row->release);
    name_or_null(&params, row->stable);
    db_text(&params, text_get(&row->plan));
    db_text(&params, text_get(&row->policy));
    db_text(&params, text_get(&row->slos));
    db_text(&params, row->salt);
    db_bool(&params, row->fix);
    name_or_null(&params, row->retry_of);
    db_time(&params, row->created_at);
    db_text(&params, created_by);
    db_text(&params, row->rule);
    db_text(&params, row->reason);
    return db_run(db, &sql_rollout_insert, &params, NULL, fault);
}

static enum status run_update(struct db *db, const struct statement *statement,
                              const struct db_params *params, const char *id, struct fault *fault)
{
    struct db_rows *rows = NULL;
    enum status status = db_run(db, statement, params, &rows, fault);
    if (status == STATUS_OK && db_rows_affected(rows) != 1)
        status = fault_set(fault, STATUS_SUPERSEDED, "Rollout %s was changed by somebody else", id);
    db_rows_free(rows);
    return status;
}

enum status rollouts_update_reason(struct db *db, const struct rollout_row *row, struct fault *fault)
{
    struct db_params params = {.count = 0};
    db_text(&params, row->id);
    db_text(&params, row->reason);
    db_integer(&params, row->row_version);
    return run_update(db, &sql_rollout_reason, &params, row->id, fault);
}

enum status rollouts_update(struct db *db, struct rollout_row *row, struct fault *fault)
{
    struct db_params params = {.count = 0};
    db_text(&params, row->id);
    db_text(&params, phase_name(row->phase));
    db_text(&params, row->phase == PHASE_PAUSED ? phase_name(row->resume_phase) : NULL);
    db_integer(&params, row->step);
    db_integer(&params, row->weight);
    db_bool(&params, row->unproven);
    db_text(&params, row->rule);
    db_text(&params, row->reason);
    db_time(&params, row->phase_since);
    time_or_null(&params, row->step_entered_at);
    time_or_null(&params, row->step_since);
    time_or_null(&params, row->blind_since);
    db_integer(&params, row->alarmed);
    db_text(&params, text_get(&row->muted));
    time_or_null(&params, row->ended_at);
    db_integer(&params, row->row_version);
    db_integer(&params, row->incarnation);
    db_integer(&params, row->alerts_acted);
    enum status status = run_update(db, &sql_rollout_update, &params, row->id, fault);
    if (status == STATUS_OK)
        row->row_version++;
    return status;
}

enum status rollouts_claim(struct db *db, const char *owner, int64_t lease_s, struct rollout_claim *claims,
                           int max, int *count, struct fault *fault)
{
    struct db_params params = {.count = 0};
    struct db_rows *rows = NULL;
    *count = 0;
    db_text(&params, owner);
    db_number(&params, (double)lease_s);
    db_integer(&params, max);
    enum status status = db_run(db, &sql_rollout_claim, &params, &rows, fault);
    for (int i = 0; status == STATUS_OK && i < db_rows_count(rows); i++) {
        snprintf(claims[i].id, sizeof claims[i].id, "%s", db_get_text(rows, i, 0));
        claims[i].lease_epoch = db_get_integer(rows, i, 1);
        *count = i + 1;
    }
    db_rows_free(rows);
    return status;
}

enum status rollouts_release_leases(struct db *db, const char *owner, struct fault *fault)
{
    struct db_params params = {.count = 0};
    db_text(&params, owner);
    return db_run(db, &sql_rollout_release_leases, &params, NULL, fault);
}

enum status rollouts_world(struct db *db, const char *service, const char *release, struct rollout_world *out,
                           struct fault *fault)
{
    struct db_params params = {.count = 0};
    struct db_rows *rows = NULL;
    db_text(&params, service);
    db_text(&params, release);
    enum status status = db_run(db, &sql_rollout_now, &params, &rows, fault);
    if (status == STATUS_OK) {
        out->now = db_get_time(rows, 0, 0);
        out->frozen = !db_is_null(rows, 0, 1);
        snprintf(out->freeze_reason, sizeof out->freeze_reason, "%s", db_get_text(rows, 0, 1));
        utf8_trim(out->freeze_reason);
        out->corpora_ready = db_get_bool(rows, 0, 2);
        out->clock_rate = db_get_number(rows, 0, 3);
        out->incarnation = db_get_integer(rows, 0, 4);
        snprintf(out->corpora, sizeof out->corpora, "%s", db_get_text(rows, 0, 5));
    }
    db_rows_free(rows);
    return status;
}

enum status rollouts_add_bake(struct db *db, const struct rollout_row *row, struct wall_time at,
                              struct fault *fault)
{
    struct db_params params = {.count = 0};
    db_text(&params, row->service);
    db_text(&params, row->release);
    db_text(&params, row->id);
    db_time(&params, at);
    return db_run(db, &sql_rollout_bake, &params, NULL, fault);
}

enum status rollouts_add_quarantine(struct db *db, const struct rollout_row *row, const char *reason,
                                    struct wall_time at, struct fault *fault)
{
    struct db_params params = {.count = 0};
    db_text(&params, row->service);
    db_text(&params, row->release);
    db_text(&params, row->id);
    db_text(&params, reason);
    db_time(&params, at);
    return db_run(db, &sql_rollout_quarantine, &params, NULL, fault);
}
