/* Following the database: a poll that asks for marks, a notification that makes it come sooner, and a refresh
   when the marks have changed. Nobody waits for this thread; while the database is away what was published
   last is served on. */
#include "gateway/publisher.h"

#include "base/log.h"
#include "base/trace_export.h"
#include "gateway/catalog.h"
#include "gateway/keeper.h"
#include "gateway/lkg.h"
#include "gateway/overview.h"
#include "gateway/parts.h"
#include "gateway/route_body.h"
#include "store/events.h"
#include "store/listen.h"
#include "store/snapshot.h"
#include "store/tokens.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
    JOB_CONNECTIONS = 2,
    RELEASE_MAX = 4 << 20,
    CHANGES_MAX = 4 /* traced of one refresh */,
    TRACE_MS = 100
};

struct publisher {
    struct gateway *gateway;
    pthread_t thread;
    int wake_fd;
    bool running;
    atomic_bool stop;
    struct db *db;
    struct listen *listen;
    struct db_pool *pool;  /* for jobs */
    struct keeper *keeper; /* NULL: nothing is kept */
    struct catalog *catalog;
    bool serves, loaded;        /* something was published; the catalog holds all of it */
    struct snapshot_marks seen; /* of what was published */
    uint64_t tokens_version;
    size_t tokens, token_capacity;
    struct snapshot_token_entry *token;
    bool failing, listen_failing; /* it was logged */
    /* while a refresh runs */
    struct mono_time asked;
    struct wall_time asked_wall;
    struct {
        char service[NAME_MAX_LENGTH + 1];
        int64_t epoch;
    } change[CHANGES_MAX]; /* new epochs, for their traces */
    size_t changes;
    struct fault *fault;
};

/* --- what jobs ask for
 * -------------------------------------------------------------------------------------------- */

enum status publisher_read_content(struct publisher *publisher, const struct digest *digest, struct text *out,
                                   bool *json, struct fault *fault)
{
    struct db *db;
    enum status status =
        db_pool_take(publisher->pool, publisher->gateway->options.database_wait_ms, &db, fault);
    if (status != STATUS_OK)
        return status;
    status = snapshot_read_content(db, digest, out, json, fault);
    db_pool_give(publisher->pool, db);
    return status;
}

enum status publisher_write_acks(struct publisher *publisher, const struct ack *acks, size_t count)
{
    struct fault fault = {.status = STATUS_OK};
    struct db *db;
    struct mono_time now = clock_mono();
    struct snapshot_ack *rows = calloc(count, sizeof *rows);
    if (rows == NULL)
        return STATUS_NO_MEMORY;
    for (size_t i = 0; i < count; i++)
        rows[i] = (struct snapshot_ack){acks[i].service,
                                        acks[i].instance,
                                        acks[i].incarnation,
                                        acks[i].applied_epoch,
                                        acks[i].weight_step,
                                        (now.us - acks[i].heard.us) / 1000,
                                        (now.us - acks[i].applied.us) / 1000};
    enum status status =
        db_pool_take(publisher->pool, publisher->gateway->options.database_wait_ms, &db, &fault);
    if (status == STATUS_OK) {
        status = snapshot_write_acks(db, rows, count, &fault);
        db_pool_give(publisher->pool, db);
    }
    free(rows);
    return status;
}

/* --- the last known good routes
 * ----------------------------------------------------------------------------------- */

static void load_kept(struct publisher *publisher)
{
    struct fault fault = {.status = STATUS_OK};
    struct snapshot *snapshot;
    char count[24];
    enum status status = lkg_load(publisher->gateway->state_dir, &snapshot, &fault);
    if (status == STATUS_NOT_FOUND)
        return;
    if (status != STATUS_OK) {
        log_event(LOG_ERROR, "gateway", "starting without last known good routes", "error", fault.detail,
                  NULL);
        return;
    }
    snprintf(count, sizeof count, "%zu", snapshot->services);
    log_event(LOG_INFO, "gateway", "serving last known good routes until the database is reached", "services",
              count, NULL);
    publisher->seen.incarnation = snapshot->incarnation;
    publisher->seen.rev = snapshot->rev;
    publisher->serves = true;
    snapshot->overview = overview_new(snapshot, clock_wall(), clock_mono());
    gateway_publish(publisher->gateway, snapshot);
}

/* --- a refresh
 * ---------------------------------------------------------------------------------------------------- */

static void set_deadline(struct publisher *publisher)
{
    db_deadline(publisher->db,
                clock_mono_after_ms(clock_mono(), publisher->gateway->options.database_wait_ms));
}

static enum status no_memory(struct publisher *publisher)
{
    return fault_set(publisher->fault, STATUS_NO_MEMORY, "Out of memory");
}

static enum status take_service(void *argument, const struct snapshot_service *service)
{
    struct publisher *publisher = argument;
    struct fault fault = {.status = STATUS_OK};
    struct rules rules;
    rules_default(&rules);
    if (rules_read(&rules, service->slos, service->policy, &fault) != STATUS_OK)
        log_event(LOG_ERROR, "gateway",
                  "the objectives or the policy cannot be read; outcomes go by the defaults", "service",
                  service->name, "error", fault.errors > 0 ? fault.error[0].detail : fault.detail, NULL);
    return catalog_service(publisher->catalog, service->name, service->sticky, &rules);
}

static enum status take_release(void *argument, const char *service, const char *release)
{
    struct publisher *publisher = argument;
    return catalog_release_name(publisher->catalog, service, release);
}

static enum status take_token(void *argument, const struct snapshot_token *token)
{
    struct publisher *publisher = argument;
    enum token_role role;
    if (!token_role_parse(token->role, &role))
        return STATUS_OK; /* of a newer program: it allows nothing here */
    if (publisher->tokens == publisher->token_capacity) {
        size_t capacity = publisher->token_capacity == 0 ? 16 : publisher->token_capacity * 2;
        void *grown = reallocarray(publisher->token, capacity, sizeof *publisher->token);
        if (grown == NULL)
            return no_memory(publisher);
        publisher->token = grown;
        publisher->token_capacity = capacity;
    }
    struct snapshot_token_entry *entry = &publisher->token[publisher->tokens++];
    memset(entry, 0, sizeof *entry);
    entry->secret = token->secret;
    entry->role = (int)role;
    snprintf(entry->name, sizeof entry->name, "%s", token->name);
    return STATUS_OK;
}

static void note_change(struct publisher *publisher, const struct snapshot_route *route)
{
    if (!trace_export_on() || !publisher->loaded || publisher->changes == CHANGES_MAX ||
        catalog_epoch(publisher->catalog, route->service) == route->epoch)
        return;
    snprintf(publisher->change[publisher->changes].service, NAME_MAX_LENGTH + 1, "%s", route->service);
    publisher->change[publisher->changes++].epoch = route->epoch;
}

static enum status take_route(void *argument, const struct snapshot_route *route)
{
    struct publisher *publisher = argument;
    struct catalog_route row = {
        .service = route->service,
        .epoch = route->epoch,
        .stable = route->stable,
        .canary = route->canary,
        .canary_weight = route->canary_weight,
        .rollout = route->rollout,
        .salt = route->salt,
        .leased = route->leased,
        .valid_until = route->valid_until,
        /* what is left, from before the question was sent: rather too early than too late */
        .lapse_wall = {publisher->asked_wall.us + route->valid_us},
        .lapse_mono = {publisher->asked.us + route->valid_us},
    };
    note_change(publisher, route);
    return catalog_route(publisher->catalog, &row, publisher->fault);
}

struct wanted_release {
    struct publisher *publisher;
    const char *service, *release;
};

/* One release that cannot be written must not stop the routes of all others. */
static enum status take_text(void *argument, const struct snapshot_release *release)
{
    const struct wanted_release *wanted = argument;
    struct fault fault = {.status = STATUS_OK};
    struct text text;
    text_init(&text, RELEASE_MAX);
    char *bytes = NULL;
    if (route_body_release(&text, wanted->release, release->digest, release->content, release->model,
                           &fault) == STATUS_OK)
        bytes = text_take(&text);
    if (bytes == NULL)
        log_event(LOG_ERROR, "gateway", "a route cannot be served, the one before stays", "service",
                  wanted->service, "release", wanted->release, "error", fault.detail, NULL);
    text_free(&text);
    catalog_release(wanted->publisher->catalog, wanted->service, wanted->release, bytes);
    return STATUS_OK;
}

/* Services, objectives, policies, releases and tokens. */
static enum status refresh_rules(struct publisher *publisher)
{
    struct fault *fault = publisher->fault;
    publisher->tokens = 0;
    publisher->tokens_version++;
    catalog_begin(publisher->catalog);
    enum status status = snapshot_read_services(publisher->db, take_service, publisher, fault);
    if (status == STATUS_OK)
        status = snapshot_read_names(publisher->db, take_release, publisher, fault);
    if (status == STATUS_OK)
        status = snapshot_read_tokens(publisher->db, take_token, publisher, fault);
    if (status == STATUS_OK)
        catalog_end(publisher->catalog);
    return status;
}

static enum status refresh_routes(struct publisher *publisher, int64_t since)
{
    struct wanted_release wanted = {.publisher = publisher};
    publisher->asked = clock_mono();
    publisher->asked_wall = clock_wall();
    enum status status = snapshot_read_routes(publisher->db, since, take_route, publisher, publisher->fault);
    while (status == STATUS_OK && catalog_missing(publisher->catalog, &wanted.service, &wanted.release)) {
        set_deadline(publisher); /* there may be thousands at the start */
        status = snapshot_read_release(publisher->db, wanted.service, wanted.release, take_text, &wanted,
                                       publisher->fault);
    }
    return status;
}

static enum status publish(struct publisher *publisher, const struct snapshot_marks *marks)
{
    struct snapshot *snapshot = catalog_snapshot(publisher->catalog, marks->rev, publisher->tokens);
    if (snapshot == NULL)
        return no_memory(publisher);
    if (publisher->tokens > 0)
        memcpy(snapshot->token, publisher->token, publisher->tokens * sizeof *publisher->token);
    snapshot->tokens = publisher->tokens;
    snapshot->tokens_version = publisher->tokens_version;
    snapshot_seal(snapshot);
    snapshot->overview = overview_new(snapshot, clock_wall(), clock_mono()); /* NULL: the threads try again */
    if (publisher->keeper != NULL)
        keeper_take(publisher->keeper, snapshot_ref(snapshot));
    publisher->seen = *marks;
    publisher->serves = publisher->loaded = true;
    gateway_publish(publisher->gateway, snapshot);
    return STATUS_OK;
}

/* In the traces of the decisions: from now on this replica serves their routes. After the fact; and few and
   soon given up, since the next route waits for this thread. */
static void trace_changes(struct publisher *publisher)
{
    struct wall_time published = clock_wall();
    struct mono_time give_up = clock_mono_after_ms(clock_mono(), TRACE_MS);
    for (size_t i = 0; i < publisher->changes && clock_mono().us < give_up.us; i++) {
        struct fault fault = {.status = STATUS_OK};
        char decision[ID_MAX];
        struct trace_attribute attributes[] = {{"serin.service", publisher->change[i].service, 0},
                                               {"serin.replica", trace_export_instance(), 0},
                                               {"serin.epoch", NULL, publisher->change[i].epoch}};
        if (events_decision(publisher->db, publisher->change[i].service, publisher->change[i].epoch, decision,
                            &fault) != STATUS_OK)
            break;
        struct trace_span span = {.event = decision,
                                  .name = "route.publish",
                                  .which = trace_export_instance(),
                                  .begin = publisher->asked_wall,
                                  .end = published,
                                  .attribute = attributes,
                                  .attributes = sizeof attributes / sizeof attributes[0]};
        if (decision[0] != '\0')
            trace_export(&span);
    }
}

/* Reads what is newer than what was published, all in one state of the database. */
static enum status refresh(struct publisher *publisher)
{
    struct snapshot_marks marks;
    enum status status = snapshot_begin(publisher->db, publisher->fault);
    if (status == STATUS_OK)
        status = snapshot_read_marks(publisher->db, &marks, publisher->fault);
    bool all = !publisher->loaded;
    publisher->changes = 0;
    if (status == STATUS_OK && marks.incarnation != publisher->seen.incarnation)
        all = true;
    if (status == STATUS_OK && all) {
        publisher->loaded = false;
        catalog_forget(publisher->catalog);
    }
    if (status == STATUS_OK) {
        catalog_incarnation(publisher->catalog, marks.incarnation);
        if (all || strcmp(marks.else_hash, publisher->seen.else_hash) != 0)
            status = refresh_rules(publisher);
    }
    if (status == STATUS_OK)
        status = refresh_routes(publisher, all ? -1 : publisher->seen.rev);
    db_rollback(publisher->db);
    if (status == STATUS_OK)
        status = publish(publisher, &marks);
    if (status == STATUS_OK)
        trace_changes(publisher);
    else
        publisher->loaded = false; /* it may have been taken in part: begin anew */
    return status;
}

/* --- the loop
 * ----------------------------------------------------------------------------------------------------- */

/* The database lost what was served: a restore, or a failover to a standby that was behind. Its epochs may
   now name something else, so that it counts on in a new incarnation. */
static enum status went_back(struct publisher *publisher, const char *why)
{
    int64_t incarnation = 0;
    char number[24];
    log_event(LOG_ERROR, "gateway",
              "the database is behind the routes that were served; it may have been restored", "found", why,
              NULL);
    set_deadline(publisher);
    enum status status =
        snapshot_new_incarnation(publisher->db, publisher->seen.incarnation, &incarnation, publisher->fault);
    if (status != STATUS_OK)
        return status;
    snprintf(number, sizeof number, "%" PRId64, incarnation);
    log_event(LOG_WARN, "gateway", "routes count in a new incarnation from now on", "incarnation", number,
              NULL);
    publisher->loaded = false;
    return STATUS_OK;
}

static enum status poll_database(struct publisher *publisher)
{
    struct snapshot_marks marks;
    const struct snapshot_marks *seen = &publisher->seen;
    struct mono_time before = clock_mono();
    set_deadline(publisher);
    enum status status = snapshot_read_marks(publisher->db, &marks, publisher->fault);
    struct mono_time middle = {(before.us + clock_mono().us) / 2};
    if (status == STATUS_OK && publisher->serves &&
        (marks.incarnation < seen->incarnation ||
         (marks.incarnation == seen->incarnation && marks.rev < seen->rev)))
        status = went_back(publisher, "an older revision");
    if (status == STATUS_OK && (!publisher->loaded || marks.incarnation != seen->incarnation ||
                                marks.rev != seen->rev || strcmp(marks.else_hash, seen->else_hash) != 0)) {
        status = refresh(publisher);
        if (status == STATUS_SUPERSEDED) {
            status = went_back(publisher, publisher->fault->detail);
            if (status == STATUS_OK)
                status = refresh(publisher);
        }
    }
    if (status == STATUS_OK)
        gateway_checked(publisher->gateway, middle, marks.now, marks.rate);
    return status;
}

static void note(struct publisher *publisher, enum status status, const struct fault *fault)
{
    if (status != STATUS_OK && !publisher->failing)
        log_event(LOG_ERROR, "gateway", "routes cannot be checked; the last known good ones are served",
                  "error", fault->detail, NULL);
    if (status == STATUS_OK && publisher->failing)
        log_event(LOG_INFO, "gateway", "routes are checked again", NULL);
    publisher->failing = status != STATUS_OK;
}

static void listen_again(struct publisher *publisher)
{
    struct fault fault = {.status = STATUS_OK};
    if (publisher->listen != NULL)
        return;
    enum status status =
        listen_open(publisher->gateway->conninfo, publisher->gateway->options.database_wait_ms,
                    &publisher->listen, &fault);
    if (status != STATUS_OK && !publisher->listen_failing)
        log_event(LOG_WARN, "gateway", "no notifications: changes are found by polling", "error",
                  fault.detail, NULL);
    publisher->listen_failing = status != STATUS_OK;
}

static void step(struct publisher *publisher)
{
    struct fault fault = {.status = STATUS_OK};
    enum status status = STATUS_OK;
    publisher->fault = &fault;
    if (publisher->db != NULL && !db_healthy(publisher->db)) {
        db_close(publisher->db);
        publisher->db = NULL;
    }
    if (publisher->db == NULL)
        status = db_open(publisher->gateway->conninfo, publisher->gateway->options.database_wait_ms,
                         &publisher->db, &fault);
    if (status == STATUS_OK) {
        listen_again(publisher); /* before the read: what comes in between is then read or notified */
        status = poll_database(publisher);
    }
    note(publisher, status, &fault);
    if (publisher->keeper != NULL)
        keeper_step(publisher->keeper);
    publisher->fault = NULL;
}

static void *follow(void *argument)
{
    struct publisher *publisher = argument;
    while (!atomic_load(&publisher->stop)) {
        step(publisher);
        switch (listen_wait(publisher->listen, publisher->wake_fd, publisher->gateway->options.poll_ms)) {
        case LISTEN_LOST:
            listen_close(publisher->listen);
            publisher->listen = NULL;
            break;
        case LISTEN_NOTHING:
        case LISTEN_NOTIFIED:
        case LISTEN_WOKEN:
            break;
        }
    }
    db_close(publisher->db);
    listen_close(publisher->listen);
    publisher->db = NULL;
    publisher->listen = NULL;
    return NULL;
}

struct publisher *publisher_new(struct gateway *gateway)
{
    struct publisher *publisher = calloc(1, sizeof *publisher);
    if (publisher == NULL)
        return NULL;
    publisher->gateway = gateway;
    publisher->tokens_version = 1; /* what is read from a file has this one */
    publisher->catalog = catalog_new();
    publisher->pool = db_pool_new(gateway->conninfo, JOB_CONNECTIONS);
    publisher->wake_fd = eventfd(0, EFD_CLOEXEC);
    if (gateway->state_dir != NULL)
        publisher->keeper = keeper_new(gateway->state_dir);
    if (publisher->catalog == NULL || publisher->pool == NULL || publisher->wake_fd < 0 ||
        (gateway->state_dir != NULL && publisher->keeper == NULL)) {
        publisher_free(publisher);
        return NULL;
    }
    if (gateway->state_dir != NULL)
        load_kept(publisher);
    return publisher;
}

enum status publisher_run(struct publisher *publisher, struct fault *fault)
{
    sigset_t all, before;
    /* signals belong to the main loop */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&publisher->thread, NULL, follow, publisher);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed != 0)
        return fault_set(fault, STATUS_INTERNAL, "The publisher could not be started: %s", strerror(failed));
    publisher->running = true;
    pthread_setname_np(publisher->thread, "publisher");
    return STATUS_OK;
}

void publisher_stop(struct publisher *publisher)
{
    const uint64_t one = 1;
    if (publisher == NULL || !publisher->running)
        return;
    atomic_store(&publisher->stop, true);
    if (write(publisher->wake_fd, &one, sizeof one) != (ssize_t)sizeof one)
        log_event(LOG_ERROR, "gateway", "the publisher could not be woken; it stops with its next poll",
                  "error", strerror(errno), NULL);
    pthread_join(publisher->thread, NULL);
    publisher->running = false;
}

void publisher_free(struct publisher *publisher)
{
    if (publisher == NULL)
        return;
    keeper_free(publisher->keeper);
    free(publisher->token);
    catalog_free(publisher->catalog);
    db_pool_free(publisher->pool);
    if (publisher->wake_fd >= 0)
        close(publisher->wake_fd);
    free(publisher);
}
