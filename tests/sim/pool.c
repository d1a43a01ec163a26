/* Independent jobs on a few threads. */
#include "pool.h"

#include <pthread.h>
#include <stdatomic.h>

enum { THREADS_MAX = 64 };

struct pool {
    atomic_size_t next;
    size_t count;
    void (*job)(void *context, size_t at);
    void *context;
};

static void *work(void *argument)
{
    struct pool *pool = argument;
    for (size_t at; (at = atomic_fetch_add(&pool->next, 1)) < pool->count;)
        pool->job(pool->context, at);
    return NULL;
}

void pool_run(int threads, size_t count, void (*job)(void *context, size_t at), void *context)
{
    struct pool pool = {.count = count, .job = job, .context = context};
    pthread_t others[THREADS_MAX];
    int started = 0;
    for (int i = 1; i < threads && i < THREADS_MAX; i++)
        if (pthread_create(&others[started], NULL, work, &pool) == 0)
            started++;
    work(&pool);
    for (int i = 0; i < started; i++)
        pthread_join(others[i], NULL);
}
