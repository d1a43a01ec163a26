/* Claims and jobs. */
#include "reconcile/reconcile.h"

#include "base/lane.h"
#include "base/log.h"
#include "base/meter.h"
#include "reconcile/announce.h"
#include "reconcile/maintain.h"
#include "reconcile/numbers.h"
#include "reconcile/observe.h"
#include "rollout/rollout.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { CLAIMS_MAX = 256, DB_TIMEOUT_MS = 5000, SOURCE_THREADS = 4 };

struct reconcile {
    struct reconcile_options options;
    char owner[ID_MAX];
    struct lane *claims, *jobs;
    struct desk *desk;
    atomic_bool claiming, stopping;
    pthread_mutex_t mutex;
    struct mono_time publish_at;   /* of the claims lane */
    char busy[CLAIMS_MAX][ID_MAX]; /* rollouts with a job under way; "" = free */
};

struct job {
    struct reconcile *reconcile;
    struct rollout_claim claim;
};

/* False if a job for this rollout is under way already, or too many are. */
static bool mark_busy(struct reconcile *reconcile, const char *id)
{
    int place = -1;
    pthread_mutex_lock(&reconcile->mutex);
    for (int i = 0; i < CLAIMS_MAX; i++) {
        if (strcmp(reconcile->busy[i], id) == 0) {
            place = -1;
            break;
        }
        if (place < 0 && reconcile->busy[i][0] == '\0')
            place = i;
    }
    if (place >= 0)
        memcpy(reconcile->busy[place], id, ID_MAX);
    pthread_mutex_unlock(&reconcile->mutex);
    return place >= 0;
}

static void mark_done(struct reconcile *reconcile, const char *id)
{
    pthread_mutex_lock(&reconcile->mutex);
    for (int i = 0; i < CLAIMS_MAX; i++)
        if (strcmp(reconcile->busy[i], id) == 0)
            reconcile->busy[i][0] = '\0';
    pthread_mutex_unlock(&reconcile->mutex);
}

static enum status commit_observation(struct db *db, const char *id, const struct observe_result *result,
                                      struct fault *fault)
{
    enum status status = db_begin(db, fault);
    if (status == STATUS_OK)
        status = tick_run(db, id, &result->observation, NULL, fault);
    if (status != STATUS_OK) {
        db_rollback(db);
        return status;
    }
    return db_commit(db, fault);
}

static void run_job(void *argument)
{
    struct job *job = argument;
    struct reconcile *reconcile = job->reconcile;
    struct observe_result result;
    struct db *db = NULL;
    struct fault fault = {.status = STATUS_OK};
    struct mono_time began = clock_mono();
    struct wall_time observed = clock_wall();
    bool has = false;
    enum status status = db_pool_take(reconcile->options.pool, DB_TIMEOUT_MS, &db, &fault);
    if (status == STATUS_OK)
        status = observe_rollout(db, reconcile->desk, job->claim.id, job->claim.lease_epoch, &result, &fault);
    if (status == STATUS_OK) {
        db_deadline(db, clock_mono_after_ms(clock_mono(), DB_TIMEOUT_MS));
        db_observed(db, observed);
        status = commit_observation(db, job->claim.id, &result, &fault);
        has = true;
    }
    numbers_tick(status, began, has ? &result : NULL);
    if (has)
        observe_free(&result);
    /* a command that came between, or another replica, is no failure: the next turn begins anew */
    if (status != STATUS_OK && status != STATUS_SUPERSEDED && status != STATUS_IN_PROGRESS)
        log_event(LOG_WARN, "reconcile", "tick failed", "rollout", job->claim.id, "error", fault.detail,
                  NULL);
    db_pool_give(reconcile->options.pool, db);
    mark_done(reconcile, job->claim.id);
    free(job);
}

static void start_job(struct reconcile *reconcile, const struct rollout_claim *claim)
{
    if (!mark_busy(reconcile, claim->id))
        return;
    struct job *job = calloc(1, sizeof *job);
    if (job != NULL) {
        job->reconcile = reconcile;
        job->claim = *claim;
        if (lane_submit(reconcile->jobs, run_job, job) == STATUS_OK)
            return;
    }
    log_event(LOG_WARN, "reconcile", "no room for a tick; the next turn tries again", "rollout", claim->id,
              NULL);
    mark_done(reconcile, claim->id);
    free(job);
}

static enum status claim_all(struct reconcile *reconcile, struct db *db, struct rollout_claim *claims,
                             int *count, struct fault *fault)
{
    enum status status = db_begin(db, fault);
    if (status == STATUS_OK)
        status = rollouts_claim(db, reconcile->owner, reconcile->options.lease_s, claims, CLAIMS_MAX, count,
                                fault);
    if (status == STATUS_OK)
        return db_commit(db, fault);
    db_rollback(db);
    return status;
}

static void run_turn(void *argument)
{
    struct reconcile *reconcile = argument;
    struct rollout_claim *claims = calloc(CLAIMS_MAX, sizeof *claims);
    struct db *db = NULL;
    struct fault fault = {.status = STATUS_OK};
    struct mono_time began = clock_mono();
    int count = 0;
    enum status status = claims != NULL ? db_pool_take(reconcile->options.pool, DB_TIMEOUT_MS, &db, &fault)
                                        : fault_set(&fault, STATUS_NO_MEMORY, "Out of memory");
    if (status == STATUS_OK)
        status = claim_all(reconcile, db, claims, &count, &fault);
    if (status == STATUS_OK)
        meter_set(METRIC_LEASES, count, NULL);
    for (int i = 0; status == STATUS_OK && i < count && !atomic_load(&reconcile->stopping); i++)
        start_job(reconcile, &claims[i]);
    /* after the jobs have begun: a service whose lock is held must not hold up the others */
    if (status == STATUS_OK) {
        db_deadline(db, clock_mono_after_ms(clock_mono(), DB_TIMEOUT_MS));
        status = announce_applied(db, &fault);
        if (status == STATUS_OK &&
            announce_strays(db, &fault) != STATUS_OK) /* no reason to leave the rest undone */
            log_event(LOG_WARN, "reconcile", "requests that stray could not be looked for", "error",
                      fault.detail, NULL);
    }
    if (status == STATUS_OK)
        status = rollout_lapse_alerts(db, &fault);
    if (status == STATUS_OK)
        status = maintain(db, &fault);
    if (status == STATUS_OK && numbers_publish(db, &reconcile->publish_at, &fault) != STATUS_OK)
        log_event(LOG_WARN, "reconcile", "numbers for /metrics could not be read", "error", fault.detail,
                  NULL);
    numbers_turn(status, began);
    if (status != STATUS_OK && status != STATUS_IN_PROGRESS)
        log_event(LOG_WARN, "reconcile", "turn failed", "error", fault.detail, NULL);
    db_pool_give(reconcile->options.pool, db);
    free(claims);
    atomic_store(&reconcile->claiming, false);
}

struct reconcile *reconcile_new(const struct reconcile_options *options)
{
    struct reconcile *reconcile = calloc(1, sizeof *reconcile);
    if (reconcile == NULL)
        return NULL;
    reconcile->options = *options;
    id_new("rep", reconcile->owner);
    pthread_mutex_init(&reconcile->mutex, NULL);
    meter_set(METRIC_TURN_TIMESTAMP_SECONDS, (double)clock_wall().us / 1e6, NULL);
    reconcile->claims = lane_new("claim", 1, 2);
    reconcile->jobs = lane_new("tick", options->threads, CLAIMS_MAX);
    reconcile->desk = desk_new(SOURCE_THREADS);
    if (reconcile->claims != NULL && reconcile->jobs != NULL && reconcile->desk != NULL)
        return reconcile;
    reconcile_stop(reconcile);
    return NULL;
}

void reconcile_turn(struct reconcile *reconcile)
{
    if (atomic_load(&reconcile->stopping) || atomic_exchange(&reconcile->claiming, true))
        return;
    if (lane_submit(reconcile->claims, run_turn, reconcile) != STATUS_OK)
        atomic_store(&reconcile->claiming, false);
}

static void give_leases_back(struct reconcile *reconcile)
{
    struct db *db = NULL;
    struct fault fault = {.status = STATUS_OK};
    enum status status = db_pool_take(reconcile->options.pool, 1000, &db, &fault);
    if (status == STATUS_OK)
        status = rollouts_release_leases(db, reconcile->owner, &fault);
    if (status != STATUS_OK)
        log_event(LOG_WARN, "reconcile", "leases not given back; they run out by themselves", "error",
                  fault.detail, NULL);
    db_pool_give(reconcile->options.pool, db);
}

void reconcile_stop(struct reconcile *reconcile)
{
    if (reconcile == NULL)
        return;
    atomic_store(&reconcile->stopping, true);
    lane_stop(reconcile->claims);
    lane_stop(reconcile->jobs);
    desk_free(reconcile->desk);
    give_leases_back(reconcile);
    pthread_mutex_destroy(&reconcile->mutex);
    free(reconcile);
}
