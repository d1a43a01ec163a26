/* The traffic. */
#include "demo/traffic.h"

#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { TICK_MS = 2 };

static bool arrive_next(struct traffic *traffic, uint32_t index, int64_t after_us)
{
    struct traffic_source *source = &traffic->source[index];
    struct event event = {.service = index,
                          .arrival = true,
                          .at_us = after_us + arrivals_next_us(&source->arrivals, &source->arrival_random)};
    return heap_add(&traffic->heap, &event);
}

/* A request arrives: it is assigned, admitted and answered; its end is an event to come. */
static bool arrive(struct traffic *traffic, uint32_t index, int64_t at_us)
{
    struct traffic_source *source = &traffic->source[index];
    struct event end = {.service = index, .admitted_us = at_us};
    struct behaviour behaviour;
    char key[32];
    int length = snprintf(key, sizeof key, "user-%llu",
                          (unsigned long long)random_below(&source->user_random, traffic->users));
    int draw = (int)random_below(&source->user_random, ROUTE_FULL);
    if (!service_assign(source->service, clock_wall(), key, (size_t)length, draw, &end.assignment,
                        &behaviour)) {
        return true;
    }
    reporter_admitted(traffic->reporter, index, end.assignment.release, at_us);
    end.answer = model_answer(&behaviour, &source->model_random);
    end.at_us = at_us + end.answer.takes_us;
    traffic->open++;
    return heap_add(&traffic->heap, &end);
}

static void finish(struct traffic *traffic, const struct event *event)
{
    traffic->open--;
    service_finish(traffic->source[event->service].service, &event->assignment, &event->answer);
    if (!event->answer.lost) {
        reporter_ended(traffic->reporter, event->service, event->assignment.release, event->admitted_us,
                       &event->answer.outcome);
    }
}

static void *run(void *argument)
{
    struct traffic *traffic = argument;
    const struct timespec tick = {0, TICK_MS * 1000000L};
    bool good = true;
    for (uint32_t i = 0; i < traffic->sources && good; i++) {
        good = arrive_next(traffic, i, vclock_now_us(traffic->clock));
    }
    while (!traffic->stopping && good) {
        int64_t now = vclock_now_us(traffic->clock);
        const struct event *first;
        while (good && (first = heap_first(&traffic->heap)) != NULL && first->at_us <= now) {
            struct event event = *first;
            heap_drop_first(&traffic->heap);
            if (!event.arrival) {
                finish(traffic, &event);
            } else if (!traffic->closing) {
                good = arrive(traffic, event.service, event.at_us) &&
                       arrive_next(traffic, event.service, event.at_us);
            }
        }
        int64_t late_ms =
            (int64_t)((double)(vclock_now_us(traffic->clock) - now) / traffic->clock->scale) / 1000;
        if (late_ms > (int64_t)traffic->late_ms) {
            traffic->late_ms = (uint64_t)late_ms;
        }
        nanosleep(&tick, NULL);
    }
    if (!good) {
        log_event(LOG_ERROR, "traffic", "out of memory: no more requests", NULL);
    }
    return NULL;
}

enum status traffic_start(struct traffic *traffic, const struct vclock *clock, struct reporter *reporter,
                          struct service *const *services, size_t count, const struct trace *trace,
                          double rps, uint64_t users, uint64_t seed)
{
    traffic->clock = clock;
    traffic->reporter = reporter;
    traffic->users = users;
    traffic->source = calloc(count, sizeof *traffic->source);
    if (traffic->source == NULL) {
        return STATUS_NO_MEMORY;
    }
    traffic->sources = count;
    for (size_t i = 0; i < count; i++) {
        struct traffic_source *source = &traffic->source[i];
        source->service = services[i];
        random_seed(&source->arrival_random, seed + i);
        random_seed(&source->user_random, random_next(&source->arrival_random));
        random_seed(&source->model_random, random_next(&source->arrival_random));
        arrivals_start(&source->arrivals, trace, rps, &source->arrival_random);
    }
    traffic->running = pthread_create(&traffic->thread, NULL, run, traffic) == 0;
    return traffic->running ? STATUS_OK : STATUS_NO_MEMORY;
}

void traffic_stop(struct traffic *traffic, long within_ms)
{
    if (traffic->running) {
        const struct timespec tick = {0, 10 * 1000000L};
        struct mono_time end = clock_mono_after_ms(clock_mono(), within_ms);
        traffic->closing = true;
        while (traffic->open > 0 && clock_mono_since_ms(end) < 0) {
            nanosleep(&tick, NULL);
        }
        traffic->stopping = true;
        pthread_join(traffic->thread, NULL);
        traffic->running = false;
    }
    heap_free(&traffic->heap);
    free(traffic->source);
    traffic->source = NULL;
    traffic->sources = 0;
}
