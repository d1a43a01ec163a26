/* Alerts. */
#include "store/alerts.h"

#include "alerts.sql.h"

#include <stdio.h>

static enum status read_state(struct db *db, const struct alert *alert, bool *known, bool *fires,
                              struct alert_aim *aim, struct fault *fault)
{
    struct db_params params = {.count = 0};
    struct db_rows *rows = NULL;
    db_text(&params, alert->service);
    db_text(&params, alert->fingerprint);
    db_text(&params, alert->release);
    enum status status = db_run(db, &sql_alert_state, &params, &rows, fault);
    if (status == STATUS_OK) {
        *known = db_get_bool(rows, 0, 0);
        *fires = db_get_bool(rows, 0, 1);
        *aim = (struct alert_aim){db_get_bool(rows, 0, 2), db_get_bool(rows, 0, 3), db_get_bool(rows, 0, 4)};
    }
    db_rows_free(rows);
    return status;
}

/* Whether one more row may be stored. */
static enum status find_room(struct db *db, const struct alert *alert, bool *room, struct fault *fault)
{
    static const struct statement *const makes[] = {NULL, &sql_alert_make_room, &sql_alert_make_place};
    enum status status = STATUS_OK;
    int tries = alert->release[0] != '\0' ? 3 : 2;
    *room = false;
    for (int i = 0; i < tries && status == STATUS_OK && !*room; i++) {
        struct db_params params = {.count = 0};
        struct db_rows *rows = NULL;
        db_text(&params, alert->service);
        if (makes[i] != NULL)
            status = db_run(db, makes[i], &params, NULL, fault);
        if (status == STATUS_OK)
            status = db_run(db, &sql_alert_count, &params, &rows, fault);
        *room = status == STATUS_OK && db_get_integer(rows, 0, 0) < ALERTS_EACH_MAX;
        db_rows_free(rows);
    }
    return status;
}

static enum status fire(struct db *db, const struct alert *alert, int64_t expires_s, bool anew,
                        struct fault *fault)
{
    struct db_params params = {.count = 0};
    db_text(&params, alert->service);
    db_text(&params, alert->fingerprint);
    db_text(&params, alert->name);
    db_text(&params, alert->release[0] != '\0' ? alert->release : NULL);
    db_text(&params, alert->summary);
    db_time(&params, alert->starts_at);
    if (alert->ends_at.us != 0)
        db_time(&params, alert->ends_at);
    else
        db_null(&params);
    db_number(&params, (double)expires_s);
    db_bool(&params, anew);
    return db_run(db, &sql_alert_fire, &params, NULL, fault);
}

static enum status resolve(struct db *db, const struct alert *alert, struct fault *fault)
{
    struct db_params params = {.count = 0};
    db_text(&params, alert->service);
    db_text(&params, alert->fingerprint);
    return db_run(db, &sql_alert_resolve, &params, NULL, fault);
}

enum status alerts_store(struct db *db, const struct alert *alert, int64_t expires_s, enum alert_news *news,
                         struct alert_aim *aim, struct fault *fault)
{
    bool known = false, fires = false, room = true;
    *news = ALERT_SAME;
    enum status status = read_state(db, alert, &known, &fires, aim, fault);
    if (status == STATUS_OK && alert->firing && !known)
        status = find_room(db, alert, &room, fault);
    if (status != STATUS_OK)
        return status;
    if (!room) {
        *news = ALERT_NO_ROOM;
        return STATUS_OK;
    }
    if (alert->firing) {
        *news = fires ? ALERT_SAME : ALERT_FIRES;
        return fire(db, alert, expires_s, !fires, fault);
    }
    if (!fires)
        return STATUS_OK;
    *news = ALERT_RESOLVED;
    return resolve(db, alert, fault);
}

enum status alerts_firing(struct db *db, const char *service, struct firing_alert *out, int max, int *read,
                          int64_t *count, struct fault *fault)
{
    struct db_params params = {.count = 0};
    struct db_rows *rows = NULL;
    *read = 0;
    *count = 0;
    db_text(&params, service);
    db_integer(&params, max);
    enum status status = db_run(db, &sql_alerts_firing, &params, &rows, fault);
    for (int i = 0; status == STATUS_OK && i < db_rows_count(rows); i++) {
        struct firing_alert *alert = &out[i];
        snprintf(alert->name, sizeof alert->name, "%s", db_get_text(rows, i, 0));
        snprintf(alert->release, sizeof alert->release, "%s", db_get_text(rows, i, 1));
        snprintf(alert->fingerprint, sizeof alert->fingerprint, "%s", db_get_text(rows, i, 2));
        alert->firing = db_get_integer(rows, i, 3);
        *count = db_get_integer(rows, i, 4);
        *read = i + 1;
    }
    db_rows_free(rows);
    return status;
}

enum status alerts_lapsed(struct db *db, struct lapsed_alert *out, int max, int *count, struct fault *fault)
{
    struct db_params params = {.count = 0};
    struct db_rows *rows = NULL;
    *count = 0;
    db_integer(&params, max);
    enum status status = db_run(db, &sql_alerts_lapsed, &params, &rows, fault);
    for (int i = 0; status == STATUS_OK && i < db_rows_count(rows); i++) {
        snprintf(out[i].service, sizeof out[i].service, "%s", db_get_text(rows, i, 0));
        snprintf(out[i].name, sizeof out[i].name, "%s", db_get_text(rows, i, 1));
        snprintf(out[i].release, sizeof out[i].release, "%s", db_get_text(rows, i, 2));
        snprintf(out[i].fingerprint, sizeof out[i].fingerprint, "%s", db_get_text(rows, i, 3));
        out[i].heard_at = db_get_time(rows, i, 4);
        *count = i + 1;
    }
    db_rows_free(rows);
    return status;
}

enum status alerts_lapse(struct db *db, const char *service, const char *fingerprint, bool *changed,
                         struct fault *fault)
{
    struct db_params params = {.count = 0};
    struct db_rows *rows = NULL;
    db_text(&params, service);
    db_text(&params, fingerprint);
    enum status status = db_run(db, &sql_alert_lapse, &params, &rows, fault);
    *changed = status == STATUS_OK && db_rows_count(rows) == 1;
    db_rows_free(rows);
    return status;
}
