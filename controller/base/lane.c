/* A job lane: a ring of jobs, a few threads, one lock. */
#include "base/lane.h"

#include "base/meter.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

enum { THREADS_MAX = 64, THREAD_NAME_MAX = 16 /* Linux's limit, with NUL */ };

struct job {
    void (*run)(void *argument);
    void *argument;
};

struct lane {
    struct lane *next; /* of those that lane_meter() shows; lanes_lock */
    char name[THREAD_NAME_MAX];
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stopping;              /* lock */
    size_t head, queued, limit; /* lock; ring of `limit` jobs */
    struct job *ring;
    size_t started;
    pthread_t thread[THREADS_MAX];
};

static pthread_mutex_t lanes_lock = PTHREAD_MUTEX_INITIALIZER;
static struct lane *lanes; /* lanes_lock */

static void show(struct lane *lane)
{
    pthread_mutex_lock(&lanes_lock);
    lane->next = lanes;
    lanes = lane;
    pthread_mutex_unlock(&lanes_lock);
}

static void hide(struct lane *lane)
{
    pthread_mutex_lock(&lanes_lock);
    struct lane **at = &lanes;
    while (*at != NULL && *at != lane) {
        at = &(*at)->next;
    }
    if (*at != NULL) {
        *at = lane->next;
    }
    pthread_mutex_unlock(&lanes_lock);
}

void lane_meter(void)
{
    pthread_mutex_lock(&lanes_lock);
    for (struct lane *lane = lanes; lane != NULL; lane = lane->next) {
        pthread_mutex_lock(&lane->lock);
        size_t queued = lane->queued;
        pthread_mutex_unlock(&lane->lock);
        meter_set(METRIC_LANE_QUEUED, (double)queued, lane->name, NULL);
    }
    pthread_mutex_unlock(&lanes_lock);
}

static void *work(void *argument)
{
    struct lane *lane = argument;
    pthread_mutex_lock(&lane->lock);
    for (;;) {
        while (lane->queued == 0 && !lane->stopping) {
            pthread_cond_wait(&lane->wake, &lane->lock);
        }
        if (lane->queued == 0) {
            break;
        }
        struct job job = lane->ring[lane->head];
        lane->head = (lane->head + 1) % lane->limit;
        lane->queued--;
        pthread_mutex_unlock(&lane->lock);
        job.run(job.argument);
        pthread_mutex_lock(&lane->lock);
    }
    pthread_mutex_unlock(&lane->lock);
    return NULL;
}

/* Signals belong to the main loop: a lane's threads are started with all of them blocked. */
static bool start_threads(struct lane *lane, const char *name, size_t threads)
{
    sigset_t all, before;
    snprintf(lane->name, sizeof lane->name, "%s", name);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (lane->started < threads && pthread_create(&lane->thread[lane->started], NULL, work, lane) == 0) {
        pthread_setname_np(lane->thread[lane->started], lane->name);
        lane->started++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return lane->started == threads;
}

struct lane *lane_new(const char *name, size_t threads, size_t queue_max)
{
    if (threads < 1 || threads > THREADS_MAX || queue_max < 1) {
        return NULL;
    }
    struct lane *lane = calloc(1, sizeof *lane);
    if (lane == NULL) {
        return NULL;
    }
    lane->limit = queue_max;
    lane->ring = calloc(queue_max, sizeof *lane->ring);
    if (lane->ring == NULL) {
        goto free_lane;
    }
    if (pthread_mutex_init(&lane->lock, NULL) != 0) {
        goto free_ring;
    }
    if (pthread_cond_init(&lane->wake, NULL) != 0) {
        goto destroy_lock;
    }
    if (!start_threads(lane, name, threads)) {
        lane_stop(lane);
        return NULL;
    }
    show(lane);
    return lane;

destroy_lock:
    pthread_mutex_destroy(&lane->lock);
free_ring:
    free(lane->ring);
free_lane:
    free(lane);
    return NULL;
}

enum status lane_submit(struct lane *lane, void (*run)(void *argument), void *argument)
{
    enum status status = STATUS_UNAVAILABLE;
    pthread_mutex_lock(&lane->lock);
    if (!lane->stopping && lane->queued < lane->limit) {
        lane->ring[(lane->head + lane->queued) % lane->limit] = (struct job){run, argument};
        lane->queued++;
        pthread_cond_signal(&lane->wake);
        status = STATUS_OK;
    }
    pthread_mutex_unlock(&lane->lock);
    return status;
}

void lane_stop(struct lane *lane)
{
    if (lane == NULL) {
        return;
    }
    hide(lane);
    pthread_mutex_lock(&lane->lock);
    lane->stopping = true;
    pthread_cond_broadcast(&lane->wake);
    pthread_mutex_unlock(&lane->lock);
    for (size_t i = 0; i < lane->started; i++) {
        pthread_join(lane->thread[i], NULL);
    }
    pthread_cond_destroy(&lane->wake);
    pthread_mutex_destroy(&lane->lock);
    free(lane->ring);
    free(lane);
}
