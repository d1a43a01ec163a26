/* The chores of a turn. */
#include "reconcile/maintain.h"

#include "store/maintenance.h"

enum status maintain(struct db *db, struct fault *fault)
{
    bool due = false;
    enum status status = maintenance_due(db, &due, fault);
    if (status != STATUS_OK || !due)
        return status;
    status = db_begin(db, fault);
    if (status == STATUS_OK)
        status = maintenance_run(db, fault);
    if (status == STATUS_OK)
        return db_commit(db, fault);
    db_rollback(db);
    return status;
}
