/* Routes of services. */
#include "store/routes.h"

#include "routes.sql.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *or_null(const char *name)
{
    return name[0] != '\0' ? name : NULL;
}

enum status routes_current(struct db *db, const char *service, struct route_row *out, struct fault *fault)
{
    struct db_params params = {.count = 0};
    struct db_rows *rows = NULL;
    memset(out, 0, sizeof *out);
    db_text(&params, service);
    enum status status = db_run(db, &sql_route_current, &params, &rows, fault);
    if (status == STATUS_OK && db_rows_count(rows) > 0) {
        out->epoch = db_get_integer(rows, 0, 0);
        snprintf(out->stable, sizeof out->stable, "%s", db_get_text(rows, 0, 1));
        snprintf(out->canary, sizeof out->canary, "%s", db_get_text(rows, 0, 2));
        out->canary_weight = (int32_t)db_get_integer(rows, 0, 3);
        snprintf(out->rollout, sizeof out->rollout, "%s", db_get_text(rows, 0, 4));
        out->written_at = db_get_time(rows, 0, 5);
        out->applied_at = db_get_time(rows, 0, 6);
        out->valid_until = db_get_time(rows, 0, 7);
    }
    db_rows_free(rows);
    return status;
}

enum status routes_write(struct db *db, const char *service, const char *salt, int64_t lease_s,
                         struct route_row *route, struct fault *fault)
{
    struct db_params params = {.count = 0};
    struct db_rows *rows = NULL;
    db_text(&params, service);
    db_text(&params, or_null(route->stable));
    db_text(&params, or_null(route->canary));
    db_integer(&params, route->canary_weight);
    db_text(&params, or_null(route->rollout));
    db_text(&params, salt);
    db_time(&params, route->written_at);
    enum status status = db_run(db, &sql_route_insert, &params, &rows, fault);
    if (status != STATUS_OK)
        return status;
    route->epoch = db_get_integer(rows, 0, 0);
    db_rows_free(rows);
    route->applied_at.us = 0;
    route->valid_until.us =
        route->canary[0] != '\0' && route->stable[0] != '\0' ? route->written_at.us + lease_s * 1000000 : 0;

    db_params_clear(&params);
    db_text(&params, service);
    db_integer(&params, route->epoch);
    if (route->valid_until.us != 0)
        db_time(&params, route->valid_until);
    else
        db_null(&params);
    status = db_run(db, &sql_route_publish, &params, NULL, fault);
    if (status != STATUS_OK)
        return status;
    db_params_clear(&params);
    db_text(&params, service);
    return db_run(db, &sql_route_notify, &params, NULL, fault);
}

enum status routes_renew(struct db *db, const char *service, int64_t epoch, struct wall_time valid_until,
                         struct fault *fault)
{
    struct db_params params = {.count = 0};
    db_text(&params, service);
    db_integer(&params, epoch);
    db_time(&params, valid_until);
    return db_run(db, &sql_route_renew, &params, NULL, fault);
}

enum status routes_unapplied(struct db *db, int64_t lease_s, struct route_unapplied *out, int max, int *count,
                             struct fault *fault)
{
    struct db_params params = {.count = 0};
    struct db_rows *rows = NULL;
    *count = 0;
    db_number(&params, (double)lease_s);
    db_integer(&params, max);
    enum status status = db_run(db, &sql_routes_unapplied, &params, &rows, fault);
    for (int i = 0; status == STATUS_OK && i < db_rows_count(rows) && i < max; i++) {
        struct route_unapplied *one = &out[(*count)++];
        snprintf(one->service, sizeof one->service, "%s", db_get_text(rows, i, 0));
        one->epoch = db_get_integer(rows, i, 1);
        snprintf(one->rollout, sizeof one->rollout, "%s", db_get_text(rows, i, 2));
        one->written_at = db_get_time(rows, i, 3);
        snprintf(one->release, sizeof one->release, "%s", db_get_text(rows, i, 4));
        one->live = db_get_integer(rows, i, 5);
        snprintf(one->silent, sizeof one->silent, "%s", db_get_text(rows, i, 6));
    }
    db_rows_free(rows);
    return status;
}

/* Runs a statement on one epoch that returns a row if it changed something. */
static enum status mark(struct db *db, const struct statement *statement, const char *service, int64_t epoch,
                        bool *changed, struct fault *fault)
{
    struct db_params params = {.count = 0};
    struct db_rows *rows = NULL;
    *changed = false;
    db_text(&params, service);
    db_integer(&params, epoch);
    enum status status = db_run(db, statement, &params, &rows, fault);
    if (status == STATUS_OK)
        *changed = db_rows_count(rows) == 1;
    db_rows_free(rows);
    return status;
}

enum status routes_mark_applied(struct db *db, const char *service, int64_t epoch, bool *changed,
                                struct fault *fault)
{
    return mark(db, &sql_route_applied, service, epoch, changed, fault);
}

enum status routes_mark_strayed(struct db *db, const char *service, int64_t epoch, bool *changed,
                                struct fault *fault)
{
    return mark(db, &sql_route_strayed, service, epoch, changed, fault);
}

enum status routes_appliers(struct db *db, const char *service, int64_t epoch, struct route_applier *out,
                            int max, int *count, struct fault *fault)
{
    struct db_params params = {.count = 0};
    struct db_rows *rows = NULL;
    *count = 0;
    db_text(&params, service);
    db_integer(&params, epoch);
    db_integer(&params, max);
    enum status status = db_run(db, &sql_route_appliers, &params, &rows, fault);
    for (int i = 0; status == STATUS_OK && i < db_rows_count(rows) && i < max; i++) {
        struct route_applier *one = &out[(*count)++];
        snprintf(one->instance, sizeof one->instance, "%s", db_get_text(rows, i, 0));
        one->applied_at = db_get_time(rows, i, 1);
    }
    db_rows_free(rows);
    return status;
}

enum status routes_strayed(struct db *db, int64_t grace_s, struct route_stray *out, int max, int *count,
                           struct fault *fault)
{
    struct db_params params = {.count = 0};
    struct db_rows *rows = NULL;
    *count = 0;
    db_integer(&params, grace_s);
    enum status status = db_run(db, &sql_routes_strayed, &params, &rows, fault);
    for (int i = 0; status == STATUS_OK && i < db_rows_count(rows) && i < max; i++) {
        struct route_stray *one = &out[(*count)++];
        snprintf(one->service, sizeof one->service, "%s", db_get_text(rows, i, 0));
        one->epoch = db_get_integer(rows, i, 1);
        snprintf(one->rollout, sizeof one->rollout, "%s", db_get_text(rows, i, 2));
        snprintf(one->stable, sizeof one->stable, "%s", db_get_text(rows, i, 3));
        snprintf(one->release, sizeof one->release, "%s", db_get_text(rows, i, 4));
        one->requests = db_get_integer(rows, i, 5);
        snprintf(one->gateways, sizeof one->gateways, "%s", db_get_text(rows, i, 6));
    }
    db_rows_free(rows);
    return status;
}

enum status routes_live_gateways(struct db *db, const char *service, int64_t *out, struct fault *fault)
{
    struct db_params params = {.count = 0};
    struct db_rows *rows = NULL;
    db_text(&params, service);
    enum status status = db_run(db, &sql_gateways_live, &params, &rows, fault);
    if (status == STATUS_OK)
        *out = db_get_integer(rows, 0, 0);
    db_rows_free(rows);
    return status;
}

enum status routes_gateways(struct db *db, const char *service, struct route_gateway **out, size_t *count,
                            struct fault *fault)
{
    struct db_params params = {.count = 0};
    struct db_rows *rows = NULL;
    *out = NULL;
    *count = 0;
    db_text(&params, service);
    enum status status = db_run(db, &sql_gateways_behind, &params, &rows, fault);
    if (status == STATUS_OK) {
        *out = calloc((size_t)db_rows_count(rows) + 1, sizeof **out);
        if (*out == NULL)
            status = fault_set(fault, STATUS_NO_MEMORY, "Out of memory");
    }
    for (int i = 0; status == STATUS_OK && i < db_rows_count(rows); i++) {
        struct route_gateway *gateway = &(*out)[(*count)++];
        snprintf(gateway->instance, sizeof gateway->instance, "%s", db_get_text(rows, i, 0));
        gateway->behind = db_get_bool(rows, i, 1);
    }
    db_rows_free(rows);
    return status;
}

enum status routes_coarsest(struct db *db, const char *service, int64_t heard_s, struct route_coarsest *out,
                            struct fault *fault)
{
    struct db_params params = {.count = 0};
    struct db_rows *rows = NULL;
    *out = (struct route_coarsest){.weight_step = 1};
    db_text(&params, service);
    db_integer(&params, heard_s);
    enum status status = db_run(db, &sql_gateways_coarsest, &params, &rows, fault);
    if (status == STATUS_OK && db_rows_count(rows) > 0) {
        snprintf(out->instance, sizeof out->instance, "%s", db_get_text(rows, 0, 0));
        out->weight_step = (int32_t)db_get_integer(rows, 0, 1);
    }
    db_rows_free(rows);
    return status;
}

enum status routes_add_departure(struct db *db, const char *service, const char *release, const char *target,
                                 struct wall_time at, struct fault *fault)
{
    struct db_params params = {.count = 0};
    db_text(&params, service);
    db_text(&params, release);
    db_time(&params, at);
    db_text(&params, target);
    return db_run(db, &sql_departure_insert, &params, NULL, fault);
}

enum status routes_add_return(struct db *db, const char *service, const char *release, struct wall_time at,
                              struct fault *fault)
{
    struct db_params params = {.count = 0};
    db_text(&params, service);
    db_text(&params, release);
    db_time(&params, at);
    return db_run(db, &sql_return_insert, &params, NULL, fault);
}

enum status routes_rollback_target(struct db *db, const char *service, const char *stable,
                                   char out[NAME_SIZE], struct fault *fault)
{
    struct db_params params = {.count = 0};
    struct db_rows *rows = NULL;
    out[0] = '\0';
    db_text(&params, service);
    db_text(&params, stable);
    enum status status = db_run(db, &sql_rollback_target, &params, &rows, fault);
    if (status == STATUS_OK && db_rows_count(rows) > 0)
        snprintf(out, NAME_SIZE, "%s", db_get_text(rows, 0, 0));
    db_rows_free(rows);
    return status;
}

enum status routes_rollback_candidates(struct db *db, const char *service, const char *stable,
                                       struct rollback_candidate *out, int max, int *count, int64_t *all,
                                       struct fault *fault)
{
    struct db_params params = {.count = 0};
    struct db_rows *rows = NULL;
    *count = 0;
    *all = 0;
    db_text(&params, service);
    db_text(&params, stable);
    db_integer(&params, max);
    enum status status = db_run(db, &sql_rollback_candidates, &params, &rows, fault);
    for (int i = 0; status == STATUS_OK && i < db_rows_count(rows) && i < max; i++) {
        snprintf(out[i].release, sizeof out[i].release, "%s", db_get_text(rows, i, 0));
        snprintf(out[i].skip, sizeof out[i].skip, "%s", db_get_text(rows, i, 1));
        out[i].baked = db_get_bool(rows, i, 2);
        *all = db_get_integer(rows, i, 3);
        ++*count;
    }
    db_rows_free(rows);
    return status;
}
