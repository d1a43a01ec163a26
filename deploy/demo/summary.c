/* What the gateway has seen. */
#include "demo/summary.h"

#include <stdio.h>
#include <string.h>

enum { SUMMARY_BYTES_MAX = 64 << 20 };

static void put_releases(struct text *out, const struct service *service)
{
    for (size_t i = 0; i < service->releases; i++) {
        const struct service_release *release = service->release[i];
        text_printf(out,
                    "%s{\"release\":\"%s\",\"requests\":%llu,\"finished\":%llu,\"bad\":%llu,\"lost\":%llu",
                    i > 0 ? "," : "", release->name, (unsigned long long)release->requests,
                    (unsigned long long)release->finished, (unsigned long long)release->bad,
                    (unsigned long long)release->lost);
        for (enum outcome_sli sli = 0; sli < OUTCOME_SLIS; sli++) {
            text_printf(out, ",\"%s\":%llu", outcome_sli_name(sli), (unsigned long long)release->slis[sli]);
        }
        if (release->ttfts > 0) {
            text_printf(out, ",\"mean_ttft_ms\":%.1f", release->ttft_ms / (double)release->ttfts);
        }
        text_putc(out, '}');
    }
}

/* Bad answers of the canary beyond those that stable would have given to the same requests, by its rate
 * meanwhile. */
static double excess(const struct service_rollout *rollout)
{
    double rate =
        rollout->stable.finished > 0 ? (double)rollout->stable.bad / (double)rollout->stable.finished : 0;
    return (double)rollout->canary.bad - rate * (double)rollout->canary.finished;
}

static void put_rollouts(struct text *out, const struct service *service)
{
    const struct service_rollout *rollout;
    for (size_t i = 0; (rollout = service_rollout_at(service, i)) != NULL; i++) {
        text_printf(
            out,
            "%s{\"rollout\":\"%s\",\"release\":\"%s\",\"canary_requests\":%llu,\"canary_finished\":%llu,"
            "\"canary_bad\":%llu,\"stable_requests\":%llu,\"stable_finished\":%llu,\"stable_bad\":%llu,"
            "\"excess_bad\":%.2f}",
            i > 0 ? "," : "", rollout->id, rollout->release, (unsigned long long)rollout->canary.requests,
            (unsigned long long)rollout->canary.finished, (unsigned long long)rollout->canary.bad,
            (unsigned long long)rollout->stable.requests, (unsigned long long)rollout->stable.finished,
            (unsigned long long)rollout->stable.bad, excess(rollout));
    }
}

static void put_epochs(struct text *out, const struct service *service)
{
    char at[CLOCK_TEXT_MAX];
    const struct service_epoch *epoch;
    for (size_t i = 0; (epoch = service_epoch_at(service, i)) != NULL; i++) {
        text_printf(out, "%s{\"incarnation\":%lld,\"epoch\":%lld,\"weight\":%d,\"applied_at\":\"%s\"",
                    i > 0 ? "," : "", (long long)epoch->incarnation, (long long)epoch->epoch, epoch->weight,
                    clock_format(epoch->applied_at, at));
        if (epoch->canary[0] != '\0') {
            text_printf(out, ",\"canary\":\"%s\"", epoch->canary);
        }
        if (epoch->lag_ms >= 0) {
            text_printf(out, ",\"written_to_applied_ms\":%lld", (long long)epoch->lag_ms);
        }
        text_putc(out, '}');
    }
}

static bool lease_over(const struct route *route)
{
    return route->leased && clock_wall().us >= route->valid_until.us;
}

static void put_route(struct text *out, const struct service *service)
{
    const struct route *route = service->route;
    if (route == NULL) {
        return;
    }
    text_printf(out, ",\"incarnation\":%lld,\"epoch\":%lld,\"weight\":%d,\"lease\":\"%s\"",
                (long long)route->incarnation, (long long)route->epoch, route->canary.weight,
                !route->leased      ? "none"
                : lease_over(route) ? "over"
                                    : "held");
    if (route->has_stable) {
        text_printf(out, ",\"stable\":\"%s\"", route->stable.name);
    }
    if (route->has_canary) {
        text_printf(out, ",\"canary\":\"%s\"", route->canary.name);
    }
    if (route->rollout[0] != '\0') {
        text_printf(out, ",\"rollout\":\"%s\"", route->rollout);
    }
}

static void put_service(struct text *out, struct service *service)
{
    pthread_mutex_lock(&service->lock);
    text_printf(out, "{\"service\":\"%s\"", service->name);
    put_route(out, service);
    text_printf(out,
                ",\"stale\":%s,\"behind\":%s,\"answers\":%llu,\"failures\":%llu,\"older_routes\":%llu,"
                "\"unrouted\":%llu,\"lease_over\":%llu",
                service->stale ? "true" : "false", service->behind ? "true" : "false",
                (unsigned long long)service->answers, (unsigned long long)service->failures,
                (unsigned long long)service->refused, (unsigned long long)service->unrouted,
                (unsigned long long)service->lease_over);
    if (service->answered.us != 0) {
        text_printf(out, ",\"answered_ms_ago\":%lld", (long long)clock_mono_since_ms(service->answered));
    }
    text_puts(out, ",\"releases\":[");
    put_releases(out, service);
    text_puts(out, "],\"rollouts\":[");
    put_rollouts(out, service);
    text_puts(out, "],\"epochs\":[");
    put_epochs(out, service);
    text_puts(out, "]}");
    pthread_mutex_unlock(&service->lock);
}

static void put_counts(struct text *out, const struct gateway *gateway)
{
    const struct reporter_counts *counts = &gateway->reporter.counts;
    text_printf(
        out,
        "\"reports\":{\"batches\":%llu,\"repeated\":%llu,\"accepted\":%llu,\"duplicates\":%llu,"
        "\"rejected\":%llu,\"refused_batches\":%llu,\"failures\":%llu,\"dropped\":%llu,\"waiting\":%llu,"
        "\"longest_ms\":%llu}",
        (unsigned long long)counts->batches, (unsigned long long)counts->repeated,
        (unsigned long long)counts->accepted, (unsigned long long)counts->duplicates,
        (unsigned long long)counts->rejected, (unsigned long long)counts->refused,
        (unsigned long long)counts->failures, (unsigned long long)counts->dropped,
        (unsigned long long)counts->waiting, (unsigned long long)counts->longest_ms);
    text_printf(out, ",\"open_requests\":%llu,\"late_ms\":%llu", (unsigned long long)gateway->traffic.open,
                (unsigned long long)gateway->traffic.late_ms);
}

static bool replace(const char *path, const struct text *text)
{
    char aside[4096];
    if (text->broken || snprintf(aside, sizeof aside, "%s.new", path) >= (int)sizeof aside) {
        return false;
    }
    FILE *file = fopen(aside, "we");
    if (file == NULL) {
        return false;
    }
    bool good = fwrite(text->data, 1, text->length, file) == text->length;
    good = fclose(file) == 0 && good;
    return good && rename(aside, path) == 0;
}

bool summary_write(const struct gateway *gateway, const char *path)
{
    struct text text;
    char at[CLOCK_TEXT_MAX], started[CLOCK_TEXT_MAX];
    text_init(&text, SUMMARY_BYTES_MAX);
    text_printf(&text, "{\"instance\":\"%s\",\"started_at\":\"%s\",\"at\":\"%s\",\"virtual_s\":%.3f,",
                gateway->connection.instance, clock_format(gateway->started_at, started),
                clock_format(clock_wall(), at), (double)vclock_now_us(&gateway->clock) / 1e6);
    put_counts(&text, gateway);
    text_puts(&text, ",\"services\":[");
    for (size_t i = 0; i < gateway->services; i++) {
        if (i > 0) {
            text_putc(&text, ',');
        }
        put_service(&text, gateway->service[i]);
    }
    text_puts(&text, "]}\n");
    bool good = replace(path, &text);
    text_free(&text);
    return good;
}

static void show_arm(const struct service *service, const struct route_release *arm, const char *role,
                     size_t index, const struct summary_lines *before)
{
    const struct service_release *release = service->release[arm->slot];
    printf(" | %s %s %g %%: %llu requests, %llu of %llu answers bad", role, arm->name, arm->weight / 100.0,
           (unsigned long long)(release->requests - before->requests[index][arm->slot]),
           (unsigned long long)(release->bad - before->bad[index][arm->slot]),
           (unsigned long long)(release->finished - before->finished[index][arm->slot]));
}

static void show_service(struct service *service, size_t index, struct summary_lines *before)
{
    char at[CLOCK_TEXT_MAX];
    pthread_mutex_lock(&service->lock);
    const struct route *route = service->route;
    printf("%.8s %s: ", clock_format(clock_wall(), at) + 11, service->name);
    if (route == NULL) {
        printf("no route yet, %llu requests turned away\n", (unsigned long long)service->unrouted);
    } else {
        printf("epoch %lld", (long long)route->epoch);
        if (route->has_stable) {
            show_arm(service, &route->stable, "stable", index, before);
        }
        if (route->has_canary) {
            show_arm(service, &route->canary, "canary", index, before);
        }
        puts(lease_over(route) ? " | the lease is over: all to stable" : "");
    }
    for (size_t i = 0; i < service->releases; i++) {
        before->requests[index][i] = service->release[i]->requests;
        before->finished[index][i] = service->release[i]->finished;
        before->bad[index][i] = service->release[i]->bad;
    }
    pthread_mutex_unlock(&service->lock);
}

void summary_show(const struct gateway *gateway, struct summary_lines *before)
{
    for (size_t i = 0; i < gateway->services && i < SUMMARY_SERVICES_MAX; i++) {
        show_service(gateway->service[i], i, before);
    }
    fflush(stdout);
}
