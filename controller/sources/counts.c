/* The writer: takes what is queued, commits it in one transaction, answers. While it writes, the next batches
   gather, so that the group grows with the load. */
#include "sources/counts.h"

#include "base/clock.h"
#include "base/log.h"
#include "sources/counts_points.h"
#include "store/observations.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

_Static_assert((int)COUNTS_SUMS == (int)OBSERVATION_SUMS, "the sums of a delta are the columns of a row");

enum {
    WAIT_MS = 2000,
    QUEUE_BYTES = 64 << 20,
    GROUP_BYTES = 16 << 20, /* of one transaction: it must end within the wait */
    ROWS_A_STATEMENT = 2048,
    ATTEMPTS = 3 /* when another transaction was in the way */
};

const double counts_bucket_s[COUNTS_BUCKETS] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                                0.1,   0.25,   0.5,   1,    2.5,   5};

struct batch {
    struct batch *next;
    struct counts_delta *delta;
    void (*on_done)(void *argument, enum counts_result result);
    void *argument;
    struct mono_time arrived;
    size_t bytes;
    enum counts_result result;
};

struct counts_writer {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stopping;              /* lock */
    struct batch *first, *last; /* lock */
    struct counts_stats stats;  /* lock */
    char *conninfo;
    int64_t wait_ms;
    size_t queue_bytes;
    pthread_t thread;
    struct db *db; /* writer's */
    bool failing;  /* writer's: the failure was logged */
};

/* --- one transaction
 * ------------------------------------------------------------------------------------------- */

static int by_key(const void *a, const void *b)
{
    const struct batch *x = *(struct batch *const *)a, *y = *(struct batch *const *)b;
    int order = strcmp(x->delta->gateway, y->delta->gateway);
    return order != 0 ? order : strcmp(x->delta->key, y->delta->key);
}

/* Decides which batches are new: result COMMITTED (once the transaction is) or DUPLICATE. Of two with one key
   in this group the first counts. */
static enum status claim(struct db *db, struct batch **batches, size_t count, struct fault *fault)
{
    struct ingest_key *keys = calloc(count, sizeof *keys);
    size_t used = 0;
    if (keys == NULL)
        return fault_set(fault, STATUS_NO_MEMORY, "Out of memory");
    qsort(batches, count, sizeof *batches, by_key);
    for (size_t i = 0; i < count; i++) {
        struct counts_delta *delta = batches[i]->delta;
        bool repeated = delta->key[0] != '\0' && i > 0 && by_key(&batches[i - 1], &batches[i]) == 0;
        batches[i]->result = repeated ? COUNTS_DUPLICATE : COUNTS_COMMITTED;
        if (delta->key[0] != '\0' && !repeated)
            keys[used++] = (struct ingest_key){.gateway = delta->gateway, .key = delta->key};
    }
    enum status status = observations_claim(db, keys, used, fault);
    for (size_t i = 0, at = 0; i < count && status == STATUS_OK; i++) {
        if (batches[i]->delta->key[0] == '\0' || batches[i]->result == COUNTS_DUPLICATE)
            continue;
        if (!keys[at++].fresh)
            batches[i]->result = COUNTS_DUPLICATE;
    }
    free(keys);
    return status;
}

static int by_row(const void *a, const void *b)
{
    const struct observation_row *x = a, *y = b;
    int order = strcmp(x->service, y->service);
    if (order == 0)
        order = (x->bucket_s > y->bucket_s) - (x->bucket_s < y->bucket_s);
    if (order == 0)
        order = strcmp(x->release, y->release);
    if (order == 0)
        order = strcmp(x->gateway, y->gateway);
    return order != 0 ? order : strcmp(x->stratum, y->stratum);
}

static void merge(struct observation_row *into, const struct observation_row *row)
{
    into->admissions += row->admissions;
    into->outcomes += row->outcomes;
    into->late_outcomes += row->late_outcomes;
    into->interval_s = into->interval_s > row->interval_s ? into->interval_s : row->interval_s;
    for (size_t i = 0; i < SLI_COUNT; i++) {
        into->n[i] += row->n[i];
        into->k[i] += row->k[i];
        into->late[i] += row->late[i];
        into->absent[i] += row->absent[i];
    }
    for (size_t i = 0; i < OBSERVATION_SUMS; i++) {
        into->sums[i] += row->sums[i];
        into->summed[i] += row->summed[i];
    }
}

static struct observation_row row_of(const struct counts_delta *delta, const struct counts_entry *entry)
{
    struct observation_row row = {
        .service = delta->service,
        .release = entry->release,
        .gateway = delta->gateway,
        .stratum = entry->stratum,
        .bucket_s = entry->bucket_s,
        .admissions = entry->admissions,
        .outcomes = entry->outcomes,
        .late_outcomes = entry->late_outcomes,
        .interval_s = entry->interval_s,
    };
    memcpy(row.n, entry->n, sizeof row.n);
    memcpy(row.k, entry->k, sizeof row.k);
    memcpy(row.late, entry->late, sizeof row.late);
    memcpy(row.absent, entry->absent, sizeof row.absent);
    memcpy(row.sums, entry->sums, sizeof row.sums);
    memcpy(row.summed, entry->summed, sizeof row.summed);
    return row;
}

static size_t put_rows(const struct counts_delta *delta, struct observation_row *out)
{
    size_t used = 0;
    for (; delta != NULL; delta = delta->ended) {
        for (size_t i = 0; i < delta->entries && out != NULL; i++)
            out[used + i] = row_of(delta, &delta->entry[i]);
        used += delta->entries;
    }
    return used;
}

static enum status add(struct db *db, struct batch **batches, size_t count, struct fault *fault)
{
    size_t total = 0, used = 0;
    for (size_t i = 0; i < count; i++)
        total += batches[i]->result == COUNTS_COMMITTED ? put_rows(batches[i]->delta, NULL) : 0;
    if (total == 0)
        return STATUS_OK;
    struct observation_row *rows = calloc(total, sizeof *rows);
    if (rows == NULL)
        return fault_set(fault, STATUS_NO_MEMORY, "Out of memory");
    for (size_t i = 0; i < count; i++)
        used += batches[i]->result == COUNTS_COMMITTED ? put_rows(batches[i]->delta, rows + used) : 0;
    qsort(rows, used, sizeof *rows, by_row);
    size_t merged = 0;
    for (size_t i = 1; i < used; i++) {
        if (by_row(&rows[merged], &rows[i]) == 0)
            merge(&rows[merged], &rows[i]);
        else
            rows[++merged] = rows[i];
    }
    enum status status = STATUS_OK;
    for (size_t at = 0; at <= merged && status == STATUS_OK; at += ROWS_A_STATEMENT) {
        size_t left = merged + 1 - at;
        status = observations_add(db, rows + at, left < ROWS_A_STATEMENT ? left : ROWS_A_STATEMENT, fault);
    }
    free(rows);
    return status;
}

/* Cumulative points become what they have grown by. */
static enum status end_points(struct db *db, struct batch **batches, size_t count, struct fault *fault)
{
    size_t used = 0;
    struct counts_delta **deltas = calloc(count, sizeof *deltas);
    if (deltas == NULL)
        return fault_set(fault, STATUS_NO_MEMORY, "Out of memory");
    for (size_t i = 0; i < count; i++) {
        if (batches[i]->result == COUNTS_COMMITTED && batches[i]->delta->points > 0)
            deltas[used++] = batches[i]->delta;
    }
    enum status status = counts_points_end(db, deltas, used, fault);
    free(deltas);
    return status;
}

static int by_reporter(const void *a, const void *b)
{
    const struct ingest_reporter *x = a, *y = b;
    int order = strcmp(x->service, y->service);
    return order != 0 ? order : strcmp(x->instance, y->instance);
}

static enum status reported(struct db *db, struct batch **batches, size_t count, struct fault *fault)
{
    struct ingest_reporter *reporters = calloc(count, sizeof *reporters);
    size_t last = 0;
    if (reporters == NULL)
        return fault_set(fault, STATUS_NO_MEMORY, "Out of memory");
    for (size_t i = 0; i < count; i++)
        reporters[i] = (struct ingest_reporter){batches[i]->delta->service, batches[i]->delta->gateway};
    qsort(reporters, count, sizeof *reporters, by_reporter);
    for (size_t i = 1; i < count; i++) {
        if (by_reporter(&reporters[last], &reporters[i]) != 0)
            reporters[++last] = reporters[i];
    }
    enum status status = observations_reported(db, reporters, last + 1, fault);
    free(reporters);
    return status;
}

/* Sets the result of every batch; they hold only if this is OK. */
static enum status commit(struct db *db, struct batch **batches, size_t count, struct fault *fault)
{
    enum status status = db_begin(db, fault);
    if (status == STATUS_OK)
        status = claim(db, batches, count, fault);
    if (status == STATUS_OK)
        status = end_points(db, batches, count, fault);
    if (status == STATUS_OK)
        status = add(db, batches, count, fault);
    if (status == STATUS_OK)
        status = reported(db, batches, count, fault);
    if (status == STATUS_OK)
        status = db_commit(db, fault);
    if (status != STATUS_OK)
        db_rollback(db);
    return status;
}

/* --- the writer
 * ------------------------------------------------------------------------------------------------- */

static void note_failure(struct counts_writer *counts, const struct fault *fault)
{
    if (!counts->failing)
        log_event(LOG_ERROR, "sources", "counts cannot be committed; senders are asked to repeat", "error",
                  fault->detail, NULL);
    counts->failing = true;
}

static void note_success(struct counts_writer *counts)
{
    if (counts->failing)
        log_event(LOG_INFO, "sources", "counts are committed again", NULL);
    counts->failing = false;
}

static enum status connect_by(struct counts_writer *counts, struct mono_time deadline, struct fault *fault)
{
    if (counts->db != NULL && !db_healthy(counts->db)) {
        db_close(counts->db);
        counts->db = NULL;
    }
    if (counts->db == NULL) {
        int64_t left_ms = (deadline.us - clock_mono().us) / 1000;
        enum status status = db_open(counts->conninfo, left_ms > 1 ? left_ms : 1, &counts->db, fault);
        if (status != STATUS_OK)
            return status;
    }
    db_deadline(counts->db, deadline);
    return STATUS_OK;
}

static enum status attempt(struct counts_writer *counts, struct batch **batches, size_t count,
                           struct mono_time deadline, struct fault *fault)
{
    enum status status = STATUS_IN_PROGRESS;
    for (int i = 0; i < ATTEMPTS && status == STATUS_IN_PROGRESS; i++) {
        status = connect_by(counts, deadline, fault);
        if (status == STATUS_OK)
            status = commit(counts->db, batches, count, fault);
    }
    return status;
}

/* Commits the group; if the database answers but refuses it, each batch for itself, so that one that cannot
   be stored does not take the others with it. */
static void flush(struct counts_writer *counts, struct batch **batches, size_t count,
                  struct mono_time deadline)
{
    struct fault fault = {.status = STATUS_OK};
    if (count == 0)
        return;
    enum status status = attempt(counts, batches, count, deadline, &fault);
    if (status == STATUS_OK) {
        note_success(counts);
        return;
    }
    bool alone = count > 1 && status != STATUS_TIMEOUT && counts->db != NULL && db_healthy(counts->db);
    for (size_t i = 0; i < count; i++) {
        if (alone)
            status = attempt(counts, &batches[i], 1, deadline, &fault);
        if (status != STATUS_OK)
            batches[i]->result = COUNTS_UNKNOWN;
        alone = alone && counts->db != NULL && db_healthy(counts->db);
    }
    note_failure(counts, &fault);
}

static size_t bucket_of(double seconds)
{
    size_t bucket = 0;
    while (bucket < COUNTS_BUCKETS && seconds > counts_bucket_s[bucket])
        bucket++;
    return bucket;
}

static void record(struct counts_writer *counts, struct mono_time began, const struct batch *taken,
                   size_t freed)
{
    double took_s = (double)(clock_mono().us - began.us) / 1e6;
    pthread_mutex_lock(&counts->lock);
    counts->stats.flushes[bucket_of(took_s)]++;
    counts->stats.flush_s += took_s;
    counts->stats.queued_bytes -= freed;
    for (; taken != NULL; taken = taken->next) {
        double waited_s = (double)(began.us - taken->arrived.us) / 1e6;
        counts->stats.waits[bucket_of(waited_s)]++;
        counts->stats.wait_s += waited_s;
        counts->stats.committed += taken->result == COUNTS_COMMITTED;
        counts->stats.duplicate += taken->result == COUNTS_DUPLICATE;
        counts->stats.unknown += taken->result == COUNTS_UNKNOWN;
    }
    pthread_mutex_unlock(&counts->lock);
}

/* Flushes a list of batches and answers each. One that has waited too long is not begun any more: it would
   not be answered in time, and would shorten the time of the others. */
static void serve(struct counts_writer *counts, struct batch *taken)
{
    struct mono_time began = clock_mono(), oldest = began;
    size_t count = 0, used = 0, freed = 0;
    for (struct batch *batch = taken; batch != NULL; batch = batch->next) {
        batch->result = COUNTS_UNKNOWN;
        freed += batch->bytes;
        count++;
    }
    struct batch **batches = calloc(count, sizeof *batches);
    for (struct batch *batch = taken; batch != NULL && batches != NULL; batch = batch->next) {
        if ((began.us - batch->arrived.us) / 1000 > counts->wait_ms * 3 / 4)
            continue;
        if (batch->arrived.us < oldest.us)
            oldest = batch->arrived;
        batches[used++] = batch;
    }
    flush(counts, batches, used, clock_mono_after_ms(oldest, counts->wait_ms));
    record(counts, began, taken, freed);
    free(batches);
    while (taken != NULL) {
        struct batch *batch = taken;
        taken = batch->next;
        batch->on_done(batch->argument, batch->result);
        counts_delta_free(batch->delta);
        free(batch);
    }
}

/* Takes the oldest batches, up to the size of a group. */
static struct batch *take(struct counts_writer *counts)
{
    struct batch *taken = counts->first, *end = taken;
    size_t bytes = end->bytes;
    while (end->next != NULL && bytes + end->next->bytes <= GROUP_BYTES) {
        end = end->next;
        bytes += end->bytes;
    }
    counts->first = end->next;
    if (counts->first == NULL)
        counts->last = NULL;
    end->next = NULL;
    return taken;
}

static void *write_counts(void *argument)
{
    struct counts_writer *counts = argument;
    pthread_mutex_lock(&counts->lock);
    for (;;) {
        while (counts->first == NULL && !counts->stopping)
            pthread_cond_wait(&counts->wake, &counts->lock);
        if (counts->first == NULL)
            break;
        struct batch *taken = take(counts);
        pthread_mutex_unlock(&counts->lock);
        serve(counts, taken);
        pthread_mutex_lock(&counts->lock);
    }
    pthread_mutex_unlock(&counts->lock);
    db_close(counts->db);
    counts->db = NULL;
    return NULL;
}

enum status counts_start(const struct counts_options *options, struct counts_writer **out,
                         struct fault *fault)
{
    sigset_t all, before;
    struct counts_writer *counts = calloc(1, sizeof *counts);
    *out = NULL;
    if (counts == NULL)
        return fault_set(fault, STATUS_NO_MEMORY, "Out of memory");
    counts->wait_ms = options->wait_ms > 0 ? options->wait_ms : WAIT_MS;
    counts->queue_bytes = options->queue_bytes > 0 ? options->queue_bytes : QUEUE_BYTES;
    counts->conninfo = strdup(options->conninfo);
    if (counts->conninfo == NULL) {
        free(counts);
        return fault_set(fault, STATUS_NO_MEMORY, "Out of memory");
    }
    pthread_mutex_init(&counts->lock, NULL);
    pthread_cond_init(&counts->wake, NULL);
    /* signals belong to the main loop */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&counts->thread, NULL, write_counts, counts);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed != 0) {
        pthread_cond_destroy(&counts->wake);
        pthread_mutex_destroy(&counts->lock);
        free(counts->conninfo);
        free(counts);
        return fault_set(fault, STATUS_INTERNAL, "The writer of counts could not be started: %s",
                         strerror(failed));
    }
    pthread_setname_np(counts->thread, "counts");
    *out = counts;
    return STATUS_OK;
}

enum status counts_submit(struct counts_writer *counts, struct counts_delta *delta,
                          void (*on_done)(void *argument, enum counts_result result), void *argument)
{
    struct batch *batch = malloc(sizeof *batch);
    size_t bytes = sizeof *batch + sizeof *delta + delta->capacity * sizeof *delta->entry +
                   delta->slots * sizeof *delta->slot + delta->points_capacity * sizeof *delta->point;
    if (batch == NULL)
        return STATUS_UNAVAILABLE;
    *batch = (struct batch){
        .delta = delta, .on_done = on_done, .argument = argument, .arrived = clock_mono(), .bytes = bytes};
    pthread_mutex_lock(&counts->lock);
    if (counts->stats.queued_bytes + bytes > counts->queue_bytes) {
        counts->stats.refused++;
        pthread_mutex_unlock(&counts->lock);
        free(batch);
        return STATUS_UNAVAILABLE;
    }
    counts->stats.queued_bytes += bytes;
    if (counts->last != NULL)
        counts->last->next = batch;
    else
        counts->first = batch;
    counts->last = batch;
    pthread_cond_signal(&counts->wake);
    pthread_mutex_unlock(&counts->lock);
    return STATUS_OK;
}

void counts_read_stats(struct counts_writer *counts, struct counts_stats *out)
{
    pthread_mutex_lock(&counts->lock);
    *out = counts->stats;
    pthread_mutex_unlock(&counts->lock);
}

void counts_stop(struct counts_writer *counts)
{
    if (counts == NULL)
        return;
    pthread_mutex_lock(&counts->lock);
    counts->stopping = true;
    pthread_cond_signal(&counts->wake);
    pthread_mutex_unlock(&counts->lock);
    pthread_join(counts->thread, NULL);
    pthread_cond_destroy(&counts->wake);
    pthread_mutex_destroy(&counts->lock);
    free(counts->conninfo);
    free(counts);
}
