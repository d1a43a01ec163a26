/* Keeps the routes of all services, with one curl multi handle. */
#include "demo/route_client.h"

#include "base/json.h"
#include "base/log.h"

#include <json-c/json_object.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ROUTE_BYTES_MAX = 1 << 20,
    GRACE_MS = 5000, /* beyond `wait` */
    FIRST_PAUSE_MS = 100,
    NO_ROUTE_MS = 300, /* until asked again for a service that has no route yet */
    WRITTEN_MS = 2000,
};

static void start_poll(struct route_client *client, struct route_poll *poll)
{
    char path[128], wait[32];
    int length = snprintf(path, sizeof path, "/v1/routes/%s", poll->service->name);
    bool held = client->wait_ms > 0 && poll->etag[0] != '\0' && poll->failures == 0;
    if (held) {
        snprintf(path + length, sizeof path - (size_t)length, "?wait=%s",
                 clock_format_duration(client->wait_ms, wait));
    }
    call_prepare(&poll->call, client->connection, client->connection->url, path,
                 GRACE_MS + (held ? client->wait_ms : 0));
    if (poll->etag[0] != '\0') {
        call_header(&poll->call, "If-None-Match", poll->etag);
    }
    call_ready(&poll->call);
    poll->in_flight = curl_multi_add_handle(client->multi, poll->call.handle) == CURLM_OK;
}

/* --- when a route was written, for the summary
 * ------------------------------------------------------------------------ */

static void ask_written(struct route_client *client)
{
    if (!client->written_wanted || client->written_in_flight) {
        return;
    }
    client->written_wanted = false;
    call_prepare(&client->written, client->connection, client->connection->control_url,
                 "/v1/routes?limit=200", WRITTEN_MS);
    call_ready(&client->written);
    client->written_in_flight = curl_multi_add_handle(client->multi, client->written.handle) == CURLM_OK;
}

static void note_written(struct route_client *client, struct json_object *route)
{
    struct json_object *name, *epoch, *at;
    struct wall_time written_at;
    if (!json_object_object_get_ex(route, "service", &name) ||
        !json_object_object_get_ex(route, "epoch", &epoch) ||
        !json_object_object_get_ex(route, "written_at", &at) || !json_object_is_type(at, json_type_string) ||
        !clock_parse(json_object_get_string(at), &written_at)) {
        return;
    }
    for (size_t i = 0; i < client->polls; i++) {
        if (strcmp(client->poll[i].service->name, json_object_get_string(name)) == 0) {
            service_written(client->poll[i].service, json_object_get_int64(epoch), written_at);
        }
    }
}

static void written_came(struct route_client *client, CURLcode result)
{
    struct json_object *page = NULL, *items;
    client->written_in_flight = false;
    if (call_status(&client->written, result) == 200 &&
        json_parse(text_get(&client->written.body), client->written.body.length, &page, NULL) == STATUS_OK &&
        json_object_object_get_ex(page, "items", &items) && json_object_is_type(items, json_type_array)) {
        for (size_t i = 0; i < json_object_array_length(items); i++) {
            note_written(client, json_object_array_get_idx(items, i));
        }
    }
    json_object_put(page);
}

/* --- answers
 * ------------------------------------------------------------------------------------------------------- */

static void note_answer(struct route_poll *poll)
{
    char mark[8];
    struct service *service = poll->service;
    pthread_mutex_lock(&service->lock);
    service->answers++;
    service->answered = clock_mono();
    call_answer_header(&poll->call, "Serin-Stale", mark, sizeof mark);
    service->stale = strcmp(mark, "true") == 0;
    call_answer_header(&poll->call, "Serin-Behind", mark, sizeof mark);
    service->behind = strcmp(mark, "true") == 0;
    pthread_mutex_unlock(&service->lock);
}

/* Applies the route of a 200. The ETag is taken over only then: it is how Serin learns what this gateway has
 * applied. */
static bool apply(struct route_client *client, struct route_poll *poll, char why[512])
{
    struct route *route = malloc(sizeof *route);
    struct fault fault = {0};
    if (route == NULL) {
        snprintf(why, 512, "out of memory");
        return false;
    }
    bool good = route_read(text_get(&poll->call.body), poll->call.body.length, route, &fault) == STATUS_OK;
    if (!good) {
        snprintf(why, 512, "the route is not understood: %.100s %.300s",
                 fault.errors > 0 ? fault.error[0].pointer : "",
                 fault.errors > 0 ? fault.error[0].detail : fault.detail);
    } else if (fault.detail[0] != '\0') {
        log_line(LOG_WARN, "routes", "%s: %s", poll->service->name, fault.detail);
    }
    const struct route_release *both[] = {&route->stable, &route->canary};
    for (size_t i = 0; i < 2 && good && client->fetch_content; i++) {
        good = both[i]->weight == 0 || content_have(&client->content, client->connection, both[i], why);
    }
    if (good) {
        if (service_apply(poll->service, route)) {
            call_answer_header(&poll->call, "ETag", poll->etag, sizeof poll->etag);
            client->written_wanted = client->connection->control_url[0] != '\0';
        } else {
            snprintf(why, 512, "the route of epoch %lld is older than the one that is applied",
                     (long long)route->epoch);
            good = false;
        }
    }
    free(route);
    return good;
}

static void failed(struct route_poll *poll, const char *why)
{
    struct service *service = poll->service;
    pthread_mutex_lock(&service->lock);
    service->failures++;
    pthread_mutex_unlock(&service->lock);
    poll->failures++;
    poll->due = clock_mono_after_ms(clock_mono(), call_pause_ms(poll->failures, FIRST_PAUSE_MS));
    if (poll->failures == 3) {
        log_event(LOG_WARN, "routes", "no new route; the last one goes on within its lease", "service",
                  service->name, "reason", why, NULL);
    }
}

static void finished(struct route_client *client, struct route_poll *poll, CURLcode result)
{
    char why[512] = "", before[sizeof poll->etag];
    curl_off_t took_us = 0;
    long status = call_status(&poll->call, result);
    poll->in_flight = false;
    if (status == 304 || status == 200) {
        note_answer(poll);
    }
    snprintf(before, sizeof before, "%s", poll->etag);
    if (status == 304 || (status == 200 && apply(client, poll, why))) {
        if (poll->failures >= 3) {
            log_event(LOG_INFO, "routes", "routes come again", "service", poll->service->name, NULL);
        }
        /* What changed is acknowledged by the next poll, so it goes at once. An answer that came at once and
           said nothing new (a replica that does not hold polls, or is behind) must not make this a busy loop.
         */
        curl_easy_getinfo(poll->call.handle, CURLINFO_TOTAL_TIME_T, &took_us);
        bool news = strcmp(before, poll->etag) != 0, was_held = took_us / 1000 >= client->every_ms;
        poll->failures = 0;
        poll->due = clock_mono_after_ms(clock_mono(),
                                        news || (client->wait_ms > 0 && was_held) ? 0 : client->every_ms);
        return;
    }
    if (status == 404 && poll->etag[0] == '\0') {
        poll->due = clock_mono_after_ms(clock_mono(), NO_ROUTE_MS);
        return;
    }
    if (status != 200) {
        call_reason(&poll->call, result, why, sizeof why);
    }
    failed(poll, why);
}

static void collect(struct route_client *client)
{
    int left;
    for (CURLMsg *message; (message = curl_multi_info_read(client->multi, &left)) != NULL;) {
        if (message->msg != CURLMSG_DONE) {
            continue;
        }
        CURL *handle = message->easy_handle;
        CURLcode result = message->data.result; /* the message goes with the handle */
        curl_multi_remove_handle(client->multi, handle);
        if (handle == client->written.handle) {
            written_came(client, result);
        }
        for (size_t i = 0; i < client->polls; i++) {
            if (client->poll[i].call.handle == handle) {
                finished(client, &client->poll[i], result);
            }
        }
    }
}

/* Starts the polls that are due; milliseconds until the next one is. */
static int start_due(struct route_client *client)
{
    int64_t next = 1000;
    for (size_t i = 0; i < client->polls; i++) {
        struct route_poll *poll = &client->poll[i];
        if (poll->in_flight) {
            continue;
        }
        int64_t in = -clock_mono_since_ms(poll->due);
        if (in <= 0) {
            start_poll(client, poll);
        } else if (in < next) {
            next = in;
        }
    }
    return (int)next;
}

static void *run(void *argument)
{
    struct route_client *client = argument;
    while (!client->stopping) {
        int active = 0, timeout = start_due(client);
        ask_written(client);
        curl_multi_perform(client->multi, &active);
        collect(client);
        int next = start_due(client);
        curl_multi_poll(client->multi, NULL, 0, next < timeout ? next : timeout, NULL);
    }
    return NULL;
}

enum status route_client_start(struct route_client *client, const struct connection *connection,
                               struct service *const *services, size_t count, long wait_ms, long every_ms,
                               bool fetch_content)
{
    client->connection = connection;
    client->wait_ms = wait_ms;
    client->every_ms = every_ms;
    client->fetch_content = fetch_content;
    client->multi = curl_multi_init();
    client->poll = calloc(count, sizeof *client->poll);
    if (client->multi == NULL || client->poll == NULL || content_init(&client->content) != STATUS_OK ||
        call_init(&client->written, ROUTE_BYTES_MAX) != STATUS_OK) {
        return STATUS_NO_MEMORY;
    }
    for (; client->polls < count; client->polls++) {
        struct route_poll *poll = &client->poll[client->polls];
        poll->service = services[client->polls];
        poll->due = clock_mono();
        if (call_init(&poll->call, ROUTE_BYTES_MAX) != STATUS_OK) {
            return STATUS_NO_MEMORY;
        }
    }
    client->running = pthread_create(&client->thread, NULL, run, client) == 0;
    return client->running ? STATUS_OK : STATUS_NO_MEMORY;
}

void route_client_stop(struct route_client *client)
{
    if (client->running) {
        client->stopping = true;
        curl_multi_wakeup(client->multi);
        pthread_join(client->thread, NULL);
        client->running = false;
    }
    for (size_t i = 0; i < client->polls; i++) {
        if (client->poll[i].in_flight) {
            curl_multi_remove_handle(client->multi, client->poll[i].call.handle);
        }
        call_free(&client->poll[i].call);
    }
    if (client->written_in_flight) {
        curl_multi_remove_handle(client->multi, client->written.handle);
    }
    call_free(&client->written);
    content_free(&client->content);
    free(client->poll);
    client->poll = NULL;
    client->polls = 0;
    if (client->multi != NULL) {
        curl_multi_cleanup(client->multi);
        client->multi = NULL;
    }
}
