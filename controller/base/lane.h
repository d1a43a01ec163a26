/* A job lane: a small number of threads that run blocking jobs in the order they were given. Each lane is its
   own, so that slow jobs of one kind never stop another kind. */
#pragma once

#include "base/status.h"

#include <stddef.h>

struct lane;

/* Starts `threads` (1..64) threads named `name`; at most `queue_max` jobs wait. NULL if that fails. */
struct lane *lane_new(const char *name, size_t threads, size_t queue_max);
/* Hands over a job: `run(argument)` is called once on one of the lane's threads. UNAVAILABLE if the queue is
   full or the lane is stopping: then `run` is never called and `argument` stays the caller's. Any thread. */
enum status lane_submit(struct lane *lane, void (*run)(void *argument), void *argument) MUST_CHECK;
/* Sets serin_lane_queued of every lane of the process. Any thread. */
void lane_meter(void);
/* Refuses new jobs, runs what is queued, joins the threads, frees. NULL is fine. Not from a job. */
void lane_stop(struct lane *lane);
