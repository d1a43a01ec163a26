/* The spans of a decision. */
#include "notify/decision_trace.h"

#include "base/trace_export.h"

static const char *text_of(const char *text)
{
    return text != NULL ? text : "";
}

static void part(const char *event, const char *name, struct wall_time begin, struct wall_time end)
{
    struct trace_span span = {.event = event, .name = name, .begin = begin, .end = end};
    trace_export(&span);
}

void decision_trace(const struct event_told *told, const struct db_committed *times)
{
    const struct event *event = told->event;
    bool observed = times->observed.us != 0;
    if (event->rule == NULL || !trace_export_on())
        return;
    struct trace_attribute attributes[] = {{"serin.event", told->id, 0},
                                           {"serin.event_type", event->type, 0},
                                           {"serin.service", text_of(event->service), 0},
                                           {"serin.rollout", text_of(event->rollout), 0},
                                           {"serin.release", text_of(event->release), 0},
                                           {"serin.rule", event->rule, 0},
                                           {"serin.phase", text_of(told->phase), 0},
                                           {"serin.actor", text_of(event->actor), 0},
                                           {"serin.reason", text_of(event->reason), 0},
                                           {"feature_flag.key", text_of(event->service), 0},
                                           {"feature_flag.result.variant", text_of(event->release), 0},
                                           {"feature_flag.provider.name", "serin", 0},
                                           {"serin.epoch", NULL, told->epoch},
                                           {"serin.weight", NULL, told->weight}};
    size_t count = sizeof attributes / sizeof attributes[0];
    struct trace_span root = {.event = told->id,
                              .name = TRACE_ROOT,
                              .begin = observed ? times->observed : times->began,
                              .end = times->done,
                              .attribute = attributes,
                              .attributes = told->weight >= 0 ? count : count - 1};
    trace_export(&root);
    if (observed)
        part(told->id, "rollout.observe", times->observed, times->began);
    part(told->id, "rollout.decide", times->began, times->asked);
    part(told->id, "rollout.commit", times->asked, times->done);
}

void decision_trace_applied(const struct decision_applied *applied)
{
    struct wall_time real_now = clock_wall();
    if (applied->decision[0] == '\0' || !trace_export_on())
        return;
#define REAL(at)                                                                                             \
    ((struct wall_time){real_now.us - (int64_t)((double)(applied->now.us - (at).us) / applied->rate)})
    struct trace_attribute attributes[] = {{"serin.service", applied->service, 0},
                                           {"serin.rollout", applied->rollout, 0},
                                           {"serin.gateways_silent", applied->silent, 0},
                                           {"serin.epoch", NULL, applied->epoch},
                                           {"serin.gateways_applied", NULL, (int64_t)applied->appliers}};
    struct trace_span whole = {.event = applied->decision,
                               .name = "route.apply",
                               .begin = REAL(applied->written_at),
                               .end = REAL(applied->applied_at),
                               .attribute = attributes,
                               .attributes = sizeof attributes / sizeof attributes[0]};
    trace_export(&whole);
    for (size_t i = 0; i < applied->appliers; i++) {
        const struct route_applier *applier = &applied->applier[i];
        struct trace_attribute own[] = {{"serin.gateway", applier->instance, 0},
                                        {"serin.epoch", NULL, applied->epoch}};
        struct trace_span one = {.event = applied->decision,
                                 .name = "gateway.apply",
                                 .which = applier->instance,
                                 .parent = "route.apply",
                                 .begin = REAL(applied->written_at),
                                 .end = REAL(applier->applied_at),
                                 .attribute = own,
                                 .attributes = sizeof own / sizeof own[0]};
        trace_export(&one);
    }
#undef REAL
}
