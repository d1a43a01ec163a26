/* A lane of one thread with room for one job, and the newest snapshot that did not get in. */
#include "gateway/keeper.h"

#include "base/lane.h"
#include "base/log.h"
#include "gateway/lkg.h"

#include <stdlib.h>
#include <string.h>

struct keeper {
    char *directory;
    struct lane *lane;
    struct snapshot *waiting; /* NULL: all is kept */
};

struct job {
    const char *directory;
    struct snapshot *snapshot;
};

struct keeper *keeper_new(const char *directory)
{
    struct keeper *keeper = calloc(1, sizeof *keeper);
    if (keeper == NULL)
        return NULL;
    keeper->directory = strdup(directory);
    keeper->lane = lane_new("gw-keep", 1, 1);
    if (keeper->directory == NULL || keeper->lane == NULL) {
        keeper_free(keeper);
        return NULL;
    }
    return keeper;
}

static void write_down(void *argument)
{
    struct job *job = argument;
    struct fault fault = {.status = STATUS_OK};
    if (lkg_save(job->directory, job->snapshot, &fault) != STATUS_OK)
        log_event(LOG_ERROR, "gateway", "the last known good routes were not kept", "error", fault.detail,
                  NULL);
    snapshot_unref(job->snapshot);
    free(job);
}

void keeper_take(struct keeper *keeper, struct snapshot *snapshot)
{
    snapshot_unref(keeper->waiting);
    keeper->waiting = snapshot;
}

void keeper_step(struct keeper *keeper)
{
    struct job *job = keeper->waiting != NULL ? calloc(1, sizeof *job) : NULL;
    if (job == NULL)
        return;
    job->directory = keeper->directory;
    job->snapshot = keeper->waiting;
    if (lane_submit(keeper->lane, write_down, job) == STATUS_OK)
        keeper->waiting = NULL;
    else
        free(job);
}

void keeper_free(struct keeper *keeper)
{
    if (keeper == NULL)
        return;
    lane_stop(keeper->lane);
    if (keeper->waiting != NULL) {
        struct job *job = calloc(1, sizeof *job);
        if (job != NULL) {
            *job = (struct job){keeper->directory, keeper->waiting};
            write_down(job);
        } else {
            snapshot_unref(keeper->waiting);
        }
    }
    free(keeper->directory);
    free(keeper);
}
