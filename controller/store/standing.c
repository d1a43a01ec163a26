/* Where everything stands. */
#include "store/standing.h"

#include "base/meter.h"

#include "standing.sql.h"

static void take_rollout(struct meter_draft *draft, const struct db_rows *rows, int row)
{
    const char *service = db_get_text(rows, row, 0);
    meter_draft_set(draft, METRIC_ROLLOUTS, 1, service, db_get_text(rows, row, 1), db_get_text(rows, row, 2),
                    NULL);
    meter_draft_set(draft, METRIC_ROLLOUT_PHASE_SECONDS, db_get_number(rows, row, 3), service, NULL);
    meter_draft_set(draft, METRIC_ROLLOUT_BLIND_SECONDS, db_get_number(rows, row, 4), service, NULL);
}

static void take_gateways(struct meter_draft *draft, const struct db_rows *rows, int row)
{
    const char *service = db_get_text(rows, row, 0);
    meter_draft_set(draft, METRIC_GATEWAYS_LIVE, db_get_number(rows, row, 1), service, NULL);
    meter_draft_set(draft, METRIC_GATEWAYS_BEHIND, db_get_number(rows, row, 2), service, NULL);
    meter_draft_set(draft, METRIC_GATEWAYS_SILENT, db_get_number(rows, row, 3), service, NULL);
    meter_draft_set(draft, METRIC_GATEWAY_EPOCHS_BEHIND, db_get_number(rows, row, 4), service, NULL);
}

static void take_route(struct meter_draft *draft, const struct db_rows *rows, int row)
{
    meter_draft_set(draft, METRIC_ROUTE_UNAPPLIED_SECONDS, db_get_number(rows, row, 1),
                    db_get_text(rows, row, 0), NULL);
}

static void take_system(struct meter_draft *draft, const struct db_rows *rows, int row)
{
    meter_draft_set(draft, METRIC_FROZEN, db_get_bool(rows, row, 0) ? 1 : 0, NULL);
    meter_draft_set(draft, METRIC_WEBHOOK_OUTBOX, db_get_number(rows, row, 1), NULL);
    meter_draft_set(draft, METRIC_WEBHOOK_OUTBOX_OLDEST_SECONDS, db_get_number(rows, row, 2), NULL);
}

enum status standing_read(struct db *db, struct meter_draft *draft, struct fault *fault)
{
    static const struct {
        const struct statement *statement;
        void (*take)(struct meter_draft *draft, const struct db_rows *rows, int row);
    } parts[] = {{&sql_standing_rollouts, take_rollout},
                 {&sql_standing_gateways, take_gateways},
                 {&sql_standing_routes, take_route},
                 {&sql_standing_system, take_system}};
    enum status status = STATUS_OK;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0] && status == STATUS_OK; i++) {
        struct db_rows *rows = NULL;
        status = db_run(db, parts[i].statement, DB_NO_PARAMS, &rows, fault);
        for (int row = 0; status == STATUS_OK && row < db_rows_count(rows); row++)
            parts[i].take(draft, rows, row);
        db_rows_free(rows);
    }
    return status;
}
