/* The gateway port under test, and a small HTTP client. */
#include "gateway_world.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <curl/curl.h>
#include <libpq-fe.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static const char fixture[] =
    "INSERT INTO services (name, sticky) VALUES ('chat', 'user'), ('idle', 'none');"
    "INSERT INTO artifacts (kind, name) VALUES ('model', 'm'), ('prompt', 'p');"
    "INSERT INTO artifact_versions (kind, name, version, digest, content, media_type, created_by)"
    "  SELECT k, n, 1, sha256(c::bytea), c::bytea, t, 'test' FROM (VALUES"
    "    ('model', 'm', '{\"model\":\"large\",\"provider\":\"acme\"}', 'application/json'),"
    "    ('prompt', 'p', 'Be kind.', 'text/plain')) v (k, n, c, t);"
    "INSERT INTO releases (service, name, content, digest, behaviour, created_by)"
    "  SELECT 'chat', r, c::bytea, sha256(c::bytea), sha256(c::bytea), 'test'"
    "  FROM (SELECT r, "
    "'{\"artifacts\":[],\"fallback\":{},\"history_compatible\":false,\"parameters\":{\"name\":\"' || r"
    "               || '\"}}' AS c FROM unnest(ARRAY['v1', 'v2', 'v3']) r) x;"
    "INSERT INTO release_artifacts SELECT 'chat', r, 'model', 'm', 1 FROM unnest(ARRAY['v1', 'v2', 'v3']) r;"
    "INSERT INTO slos (service, version, document, created_by) VALUES ('chat', 1, '{\"error\": "
    "{\"objective\": 99},"
    "  \"ttft\": {\"objective\": 95, \"threshold\": \"500ms\"}, \"latency\": {\"objective\": 95, "
    "\"threshold\": \"1s\"},"
    "  \"timeout\": {\"objective\": 99, \"threshold\": \"2s\"}}', 'test');"
    "INSERT INTO policies (service, version, document, created_by) VALUES ('chat', 1,"
    "  '{\"guardrails\": {\"latency\": {\"maturity\": \"20s\"}}}', 'test');"
    "INSERT INTO tokens (id, name, role, secret_sha256) VALUES"
    "  ('tk_1', 'edge', 'gateway', sha256('" GATEWAY_TOKEN
    "')), ('tk_2', 'eyes', 'viewer', sha256('" VIEWER_TOKEN "'));";

void gateway_world_open(struct gateway_world *world)
{
    *world = (struct gateway_world){.options = {.listen = "127.0.0.1:0"}};
    curl_global_init(CURL_GLOBAL_ALL);
    cr_assert_eq(digest_start(), STATUS_OK);
    database_make_migrated(&world->database);
    database_do(world->database.db, fixture);
    snprintf(world->state_dir, sizeof world->state_dir, "/tmp/serin-test-XXXXXX");
    cr_assert_not_null(mkdtemp(world->state_dir));
    gateway_world_route(world, "v1", NULL, 0, NULL);
}

void gateway_world_close(struct gateway_world *world)
{
    char path[128];
    gateway_world_stop(world);
    snprintf(path, sizeof path, "%s/routes.lkg", world->state_dir);
    unlink(path);
    rmdir(world->state_dir);
    gateway_world_mend(world);
    database_drop(&world->database);
}

void gateway_world_start(struct gateway_world *world)
{
    struct fault fault = {.status = STATUS_OK};
    struct counts_options counts = {.conninfo = world->database.url, .queue_bytes = world->queue_bytes};
    world->options.conninfo = world->database.url;
    world->options.state_dir = world->state_dir;
    cr_assert_eq(counts_start(&counts, &world->counts, &fault), STATUS_OK, "%s", fault.detail);
    world->options.counts = world->counts;
    cr_assert_eq(gateway_start(&world->options, &world->gateway, &fault), STATUS_OK, "%s", fault.detail);
}

void gateway_world_stop(struct gateway_world *world)
{
    if (world->gateway == NULL)
        return;
    gateway_quiesce(world->gateway);
    gateway_stop(world->gateway);
    counts_stop(world->counts);
    world->gateway = NULL;
    world->counts = NULL;
}

void gateway_sleep_ms(int ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000L}, NULL);
}

void gateway_world_ready(struct gateway_world *world)
{
    for (int i = 0; i < 500; i++) {
        struct reply reply = gateway_get(world, "/readyz");
        if (reply.code == 200)
            return;
        gateway_sleep_ms(10);
    }
    cr_assert_fail("the gateway did not become ready");
}

struct reply gateway_world_await(struct gateway_world *world, long long epoch)
{
    struct reply reply = gateway_get(world, "/v1/routes/chat");
    for (int i = 0; i < 500 && gateway_number(&reply, "epoch") != epoch; i++) {
        gateway_sleep_ms(10);
        reply = gateway_get(world, "/v1/routes/chat");
    }
    cr_assert_eq(gateway_number(&reply, "epoch"), epoch, "%s", reply.body);
    return reply;
}

void gateway_world_route(struct gateway_world *world, const char *stable, const char *canary, int weight,
                         const char *lease)
{
    char sql[2048], quoted[80] = "NULL", until[160] = "NULL";
    if (canary != NULL)
        snprintf(quoted, sizeof quoted, "'%s'", canary);
    if (lease != NULL)
        snprintf(until, sizeof until, "serin_now() + interval '%s'", lease);
    snprintf(sql, sizeof sql,
             "BEGIN;"
             "INSERT INTO routes (service, epoch, stable, canary, canary_weight, salt, written_at)"
             "  SELECT 'chat', coalesce(max(epoch), 0) + 1, '%s', %s, %d, 'salt', serin_now() FROM routes"
             "  WHERE service = 'chat';"
             "UPDATE route_rev SET rev = rev + 1;"
             "INSERT INTO route_state (service, epoch, rev, valid_until)"
             "  SELECT 'chat', (SELECT max(epoch) FROM routes WHERE service = 'chat'), rev, %s FROM route_rev"
             "  ON CONFLICT (service) DO UPDATE SET epoch = excluded.epoch, rev = excluded.rev,"
             "                                      valid_until = excluded.valid_until;"
             "NOTIFY serin_routes; COMMIT",
             stable, quoted, weight, until);
    database_do(world->database.db, sql);
}

/* On the server's own database, since this one is closed or about to be. */
static void on_server(const char *sql)
{
    PGconn *connection = PQconnectdb(getenv("SERIN_TEST_DATABASE_URL"));
    PGresult *result = PQexec(connection, sql);
    ExecStatusType status = PQresultStatus(result);
    cr_expect(status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK, "%s: %s", sql,
              PQerrorMessage(connection));
    PQclear(result);
    PQfinish(connection);
}

void gateway_world_cut(struct gateway_world *world)
{
    char sql[256];
    db_close(world->database.db);
    world->database.db = NULL;
    snprintf(sql, sizeof sql, "ALTER DATABASE %s ALLOW_CONNECTIONS false", world->database.name);
    on_server(sql);
    snprintf(sql, sizeof sql, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '%s'",
             world->database.name);
    on_server(sql);
}

void gateway_world_mend(struct gateway_world *world)
{
    char sql[256];
    if (world->database.db != NULL)
        return;
    snprintf(sql, sizeof sql, "ALTER DATABASE %s ALLOW_CONNECTIONS true", world->database.name);
    on_server(sql);
    world->database.db = database_connect(&world->database);
}

/* --- the client
 * --------------------------------------------------------------------------------------------------- */

static size_t take_body(char *data, size_t size, size_t count, void *argument)
{
    struct reply *reply = argument;
    size_t have = strlen(reply->body), room = sizeof reply->body - 1 - have, length = size * count;
    strncat(reply->body, data, length < room ? length : room);
    return length;
}

static void take_value(const char *line, size_t length, const char *name, char *out, size_t size)
{
    size_t begin = strlen(name);
    if (length < begin || strncasecmp(line, name, begin) != 0)
        return;
    while (begin < length && line[begin] == ' ')
        begin++;
    while (length > begin && (line[length - 1] == '\r' || line[length - 1] == '\n'))
        length--;
    snprintf(out, size, "%.*s", (int)(length - begin), line + begin);
}

static size_t take_header(char *data, size_t size, size_t count, void *argument)
{
    struct reply *reply = argument;
    size_t length = size * count;
    take_value(data, length, "etag:", reply->etag, sizeof reply->etag);
    take_value(data, length, "serin-stale:", reply->stale, sizeof reply->stale);
    take_value(data, length, "serin-behind:", reply->behind, sizeof reply->behind);
    take_value(data, length, "serin-epoch:", reply->epoch, sizeof reply->epoch);
    take_value(data, length, "serin-revision:", reply->revision, sizeof reply->revision);
    take_value(data, length, "retry-after:", reply->retry_after, sizeof reply->retry_after);
    return length;
}

static struct curl_slist *add_header(struct curl_slist *headers, const char *name, const char *value)
{
    char line[512];
    if (value == NULL)
        return headers;
    snprintf(line, sizeof line, "%s: %s", name, value);
    return curl_slist_append(headers, line);
}

struct reply gateway_ask(const struct gateway_world *world, const char *path, const struct ask *ask)
{
    struct reply reply = {.code = 0};
    char url[512], bearer[256];
    struct curl_slist *headers = NULL;
    CURL *curl = curl_easy_init();
    const char *token = ask->token != NULL ? ask->token : GATEWAY_TOKEN;
    snprintf(url, sizeof url, "http://%s%s", gateway_addr(world->gateway), path);
    snprintf(bearer, sizeof bearer, "Bearer %s", token);
    headers = add_header(headers, "Authorization", token[0] != '\0' ? bearer : NULL);
    headers = add_header(headers, "If-None-Match", ask->if_none_match);
    headers = add_header(headers, "Serin-Gateway", ask->instance);
    headers = add_header(headers, "Idempotency-Key", ask->key);
    headers = add_header(headers, "Content-Type",
                         ask->type != NULL   ? ask->type
                         : ask->body != NULL ? "application/json"
                                             : NULL);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, 20000L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &reply);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, &reply);
    if (ask->body != NULL) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, ask->body);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(ask->body));
    }
    if (curl_easy_perform(curl) == CURLE_OK)
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &reply.code);
    curl_easy_getinfo(curl, CURLINFO_TOTAL_TIME, &reply.seconds);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    return reply;
}

struct reply gateway_get(const struct gateway_world *world, const char *path)
{
    return gateway_ask(world, path, &(struct ask){.body = NULL});
}

struct reply gateway_post(const struct gateway_world *world, const char *key, const char *body)
{
    return gateway_ask(world, "/v1/outcomes", &(struct ask){.key = key, .body = body, .instance = "gw-1"});
}

int gateway_dial(const struct gateway_world *world)
{
    const char *port = strrchr(gateway_addr(world->gateway), ':') + 1;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_geq(fd, 0);
    cr_assert_eq(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

void gateway_expect(const struct reply *reply, long code)
{
    cr_assert_eq(reply->code, code, "%ld instead of %ld: %s", reply->code, code, reply->body);
}

long long gateway_number(const struct reply *reply, const char *name)
{
    char wanted[64];
    snprintf(wanted, sizeof wanted, "\"%s\":", name);
    const char *at = strstr(reply->body, wanted);
    return at != NULL ? atoll(at + strlen(wanted)) : -1;
}

long long gateway_weight(const struct reply *reply, const char *release)
{
    char wanted[96];
    snprintf(wanted, sizeof wanted, "\"release\":\"%s\"", release);
    const char *at = strstr(reply->body, wanted);
    at = at != NULL ? strstr(at, "\"weight\":") : NULL;
    return at != NULL ? atoll(at + strlen("\"weight\":")) : -1;
}
