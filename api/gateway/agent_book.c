/* Servers by service and instance. */
#include "gateway/agent_book.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SLOTS = 1024,
    FORGET_MS = 60000, /* as long as a gateway counts as live */
    SETTLE_MS = 5000,  /* after this every server of an HAProxy has asked once */
    LESS_MAX = 96,
    RAISE_MS = 2000 /* one with a health check is up a moment after it was made ready */
};

struct told {
    int64_t incarnation, epoch; /* epoch -1: nothing that could be acknowledged */
    int percent;                /* -1: nothing */
};

static const struct told nothing = {-1, -1, -1};

struct server {
    struct server *next;
    struct agent_ask ask;
    struct mono_time heard;
    struct told last, applied; /* applied: it asked again after that */
    struct mono_time raised;   /* since when it is told that it has weight */
};

struct proxy {
    struct proxy *next;
    char service[NAME_MAX_LENGTH + 1], instance[NAME_MAX_LENGTH + 1];
    struct mono_time first;
    struct server *servers;
};

struct agent_book {
    size_t count, maximum; /* servers */
    struct proxy *slot[SLOTS];
};

struct agent_book *agent_book_new(size_t maximum)
{
    struct agent_book *book = calloc(1, sizeof *book);
    if (book != NULL)
        book->maximum = maximum;
    return book;
}

static struct proxy **slot_of(struct agent_book *book, const struct agent_ask *ask)
{
    uint64_t value = 14695981039346656037u; /* FNV-1a */
    for (const char *at = ask->service; *at != '\0'; at++)
        value = (value ^ (unsigned char)*at) * 1099511628211u;
    value *= 1099511628211u;
    for (const char *at = ask->instance; *at != '\0'; at++)
        value = (value ^ (unsigned char)*at) * 1099511628211u;
    return &book->slot[(value ^ value >> 32) % SLOTS];
}

static struct proxy *find_proxy(struct agent_book *book, const struct agent_ask *ask)
{
    struct proxy *proxy = *slot_of(book, ask);
    while (proxy != NULL &&
           (strcmp(proxy->service, ask->service) != 0 || strcmp(proxy->instance, ask->instance) != 0))
        proxy = proxy->next;
    return proxy;
}

static struct server *find_server(const struct proxy *proxy, const struct agent_ask *ask)
{
    struct server *server = proxy != NULL ? proxy->servers : NULL;
    while (server != NULL &&
           (server->ask.target != ask->target || strcmp(server->ask.release, ask->release) != 0 ||
            strcmp(server->ask.server, ask->server) != 0))
        server = server->next;
    return server;
}

/* The server, which is added if it is new; NULL: there is no room. */
static struct server *get(struct agent_book *book, const struct agent_ask *ask, struct mono_time now,
                          struct proxy **proxy)
{
    *proxy = find_proxy(book, ask);
    struct server *server = find_server(*proxy, ask);
    if (server != NULL || book->count >= book->maximum)
        return server;
    server = calloc(1, sizeof *server);
    if (*proxy == NULL && server != NULL) {
        struct proxy **slot = slot_of(book, ask);
        *proxy = calloc(1, sizeof **proxy);
        if (*proxy == NULL) {
            free(server);
            return NULL;
        }
        memcpy((*proxy)->service, ask->service, sizeof ask->service);
        memcpy((*proxy)->instance, ask->instance, sizeof ask->instance);
        (*proxy)->first = now;
        (*proxy)->next = *slot;
        *slot = *proxy;
    }
    if (server == NULL)
        return NULL;
    server->ask = *ask;
    server->last = server->applied = nothing;
    server->next = (*proxy)->servers;
    (*proxy)->servers = server;
    book->count++;
    return server;
}

static bool is_live(const struct server *server, struct mono_time now)
{
    return now.us - server->heard.us < (int64_t)FORGET_MS * 1000;
}

/* The epoch of `view` that every server has applied, at the least; -1: one of them has not said. */
static int64_t applied_by_all(const struct proxy *proxy, const struct service_view *view,
                              struct mono_time now)
{
    int64_t least = INT64_MAX;
    for (const struct server *at = proxy->servers; at != NULL; at = at->next) {
        if (!is_live(at, now))
            continue;
        int64_t epoch = at->applied.incarnation == view->incarnation ? at->applied.epoch : -1;
        least = epoch < least ? epoch : least;
    }
    return least;
}

enum relief {
    RELIEF_NONE,   /* no other server is to have weight, as far as is known */
    RELIEF_COMING, /* one is to have weight, but does not say yet that it has */
    RELIEF_THERE
};

/* Who would serve if `server` were taken out. */
static enum relief relief_of(const struct proxy *proxy, const struct server *server,
                             const struct service_view *view, bool lapsed, struct mono_time now)
{
    enum relief relief = now.us - proxy->first.us < (int64_t)SETTLE_MS * 1000 ? RELIEF_COMING : RELIEF_NONE;
    for (const struct server *at = proxy->servers; at != NULL; at = at->next) {
        if (at == server || !is_live(at, now) || agent_share(view, lapsed, &at->ask) <= 0)
            continue;
        if (at->applied.percent > 0 && at->last.percent > 0 &&
            now.us - at->raised.us >= (int64_t)RAISE_MS * 1000)
            return RELIEF_THERE;
        relief = RELIEF_COMING;
    }
    return relief;
}

__attribute__((format(printf, 2, 3))) static void say(struct agent_answer *out, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(out->line, sizeof out->line, format, arguments);
    va_end(arguments);
}

/* 0.20 % as the next lower weight that can be said; "" for what can be. */
static void say_less(int32_t weight, char out[LESS_MAX])
{
    int32_t lower = weight - weight % AGENT_WEIGHT_STEP;
    out[0] = '\0';
    if (lower != weight)
        snprintf(out, LESS_MAX, ": %d.%02d %% cannot be said, %d.%d %% is the next lower", (int)weight / 100,
                 (int)weight % 100, (int)lower / 100, (int)lower % 100 / 10);
}

static void tell(struct agent_answer *out, const struct service_view *view, bool lapsed, int percent)
{
    char less[LESS_MAX];
    say_less(agent_weight(view, lapsed), less);
    if (percent > 0)
        say(out, "ready %d%% # epoch %" PRId64 "%s\n", percent, view->epoch, less);
    else
        say(out, "maint # epoch %" PRId64 " gives it no weight%s\n", view->epoch, less);
}

/* What a server is told whose weight is to be 0 while nobody has taken it up: as little as there is, or, if
   it is not known what it has, no change. It has not applied the epoch by that. */
static void keep(struct agent_answer *out, struct server *server)
{
    if (server->last.percent > 0) {
        server->last.percent = 1;
        say(out, "ready 1%% # until another server has taken up its weight\n");
    } else {
        say(out, "# no change until another server has taken up the weight\n");
    }
}

void agent_book_answer(struct agent_book *book, const struct agent_ask *ask, const struct service_view *view,
                       bool lapsed, struct mono_time now, struct agent_answer *out)
{
    struct proxy *proxy;
    int percent = agent_share(view, lapsed, ask);
    memset(out, 0, sizeof *out);
    if (view == NULL) {
        say(out, "# there is no service %s\n", ask->service);
        return;
    }
    struct server *server = get(book, ask, now, &proxy);
    if (server == NULL) {
        say(out, "# no change: it is not known what this server is\n");
        if (percent >= 0)
            tell(out, view, lapsed, percent);
        return;
    }
    server->heard = now;
    server->applied = server->last;
    memcpy(out->ack.service, ask->service, sizeof out->ack.service);
    memcpy(out->ack.instance, ask->instance, sizeof out->ack.instance);
    out->ack.heard = now;
    out->ack.weight_step = AGENT_WEIGHT_STEP;
    out->ack.incarnation = view->incarnation;
    out->ack.applied_epoch = applied_by_all(proxy, view, now);
    out->heard = true;
    if (percent < 0) {
        server->last = nothing;
        say(out, view->routed ? "# service %s has no release %s\n" : "# service %s has no route\n",
            ask->service, ask->release);
        return;
    }
    out->less = agent_weight(view, lapsed) % AGENT_WEIGHT_STEP != 0;
    if (percent == 0 && server->last.percent != 0 &&
        relief_of(proxy, server, view, lapsed, now) == RELIEF_COMING) {
        keep(out, server);
        return;
    }
    if (server->last.percent <= 0)
        server->raised = now;
    server->last.percent = percent;
    if (!out->less) { /* else the epoch before is what it has applied as it was written */
        server->last.incarnation = view->incarnation;
        server->last.epoch = view->epoch;
    } else if (server->last.epoch == view->epoch) {
        server->last.epoch = nothing.epoch; /* applied while its lease was over, without the canary */
    }
    tell(out, view, lapsed, percent);
}

void agent_book_lost(struct agent_book *book, const struct agent_ask *ask)
{
    struct server *server = find_server(find_proxy(book, ask), ask);
    if (server != NULL)
        server->last = nothing;
}

static void forget_servers(struct agent_book *book, struct proxy *proxy, struct mono_time now, bool all)
{
    struct server **at = &proxy->servers;
    while (*at != NULL) {
        struct server *server = *at;
        if (!all && is_live(server, now)) {
            at = &server->next;
            continue;
        }
        *at = server->next;
        free(server);
        book->count--;
    }
}

static void forget(struct agent_book *book, struct mono_time now, bool all)
{
    for (size_t i = 0; i < SLOTS; i++) {
        struct proxy **at = &book->slot[i];
        while (*at != NULL) {
            struct proxy *proxy = *at;
            forget_servers(book, proxy, now, all);
            if (proxy->servers != NULL) {
                at = &proxy->next;
                continue;
            }
            *at = proxy->next;
            free(proxy);
        }
    }
}

void agent_book_sweep(struct agent_book *book, struct mono_time now)
{
    forget(book, now, false);
}

size_t agent_book_count(const struct agent_book *book)
{
    return book->count;
}

void agent_book_free(struct agent_book *book)
{
    if (book == NULL)
        return;
    forget(book, (struct mono_time){0}, true);
    free(book);
}
