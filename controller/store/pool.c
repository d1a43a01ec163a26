/* The pool of connections: a mutex, a condition and an array. */
#include "store/db.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct db_pool {
    char *conninfo;
    pthread_mutex_t mutex;
    pthread_cond_t freed;
    size_t size, used; /* used: lent or being opened */
    size_t idle_count;
    int64_t served, refused; /* of those that had to wait */
    struct db *idle[];
};

struct db_pool *db_pool_new(const char *conninfo, size_t size)
{
    struct db_pool *pool = calloc(1, sizeof *pool + size * sizeof(struct db *));
    pthread_condattr_t attributes;
    if (pool == NULL)
        return NULL;
    pool->conninfo = strdup(conninfo);
    if (pool->conninfo == NULL) {
        free(pool);
        return NULL;
    }
    pool->size = size;
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&pool->freed, &attributes);
    pthread_condattr_destroy(&attributes);
    return pool;
}

void db_pool_free(struct db_pool *pool)
{
    if (pool == NULL)
        return;
    for (size_t i = 0; i < pool->idle_count; i++)
        db_close(pool->idle[i]);
    pthread_cond_destroy(&pool->freed);
    pthread_mutex_destroy(&pool->mutex);
    free(pool->conninfo);
    free(pool);
}

static void release_place(struct db_pool *pool)
{
    pthread_mutex_lock(&pool->mutex);
    pool->used--;
    pthread_cond_signal(&pool->freed);
    pthread_mutex_unlock(&pool->mutex);
}

enum status db_pool_take(struct db_pool *pool, int64_t timeout_ms, struct db **out, struct fault *fault)
{
    struct mono_time deadline = clock_mono_after_ms(clock_mono(), timeout_ms);
    struct timespec until = {.tv_sec = deadline.us / 1000000, .tv_nsec = deadline.us % 1000000 * 1000};
    *out = NULL;
    pthread_mutex_lock(&pool->mutex);
    bool waits = pool->used >= pool->size;
    while (pool->used >= pool->size) {
        if (pthread_cond_timedwait(&pool->freed, &pool->mutex, &until) == ETIMEDOUT &&
            pool->used >= pool->size) {
            pool->refused++;
            pthread_mutex_unlock(&pool->mutex);
            fault_set(fault, STATUS_UNAVAILABLE, "All database connections are in use");
            fault_next(fault, "Try again in a moment.");
            return STATUS_UNAVAILABLE;
        }
    }
    pool->used++;
    pool->served += waits ? 1 : 0;
    struct db *db = pool->idle_count > 0 ? pool->idle[--pool->idle_count] : NULL;
    pthread_mutex_unlock(&pool->mutex);

    if (db == NULL) {
        int64_t left_ms = (deadline.us - clock_mono().us) / 1000;
        enum status status = db_open(pool->conninfo, left_ms > 100 ? left_ms : 100, &db, fault);
        if (status != STATUS_OK) {
            release_place(pool);
            return status;
        }
    }
    db_deadline(db, deadline);
    *out = db;
    return STATUS_OK;
}

void db_pool_read_stats(struct db_pool *pool, struct db_pool_stats *out)
{
    pthread_mutex_lock(&pool->mutex);
    *out = (struct db_pool_stats){pool->size, pool->used, pool->idle_count, pool->served, pool->refused};
    pthread_mutex_unlock(&pool->mutex);
}

void db_pool_give(struct db_pool *pool, struct db *db)
{
    if (db == NULL)
        return;
    db_rollback(db);
    if (!db_healthy(db)) {
        db_close(db);
        db = NULL;
    }
    pthread_mutex_lock(&pool->mutex);
    if (db != NULL)
        pool->idle[pool->idle_count++] = db;
    pool->used--;
    pthread_cond_signal(&pool->freed);
    pthread_mutex_unlock(&pool->mutex);
}
