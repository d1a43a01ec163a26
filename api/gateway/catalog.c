/* Services by name, each with its row of the routes and the answers made from it. */
#include "gateway/catalog.h"

#include "base/clock.h"
#include "decision/policy.h"
#include "gateway/route_body.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BODY_MAX = 8 << 20, ROLLOUT_MAX = ID_MAX };

struct arm {
    char release[NAME_MAX_LENGTH + 1]; /* "" = none */
    char *text;                        /* owned; NULL: missing */
};

struct service {
    char name[NAME_MAX_LENGTH + 1], sticky[16], next_sticky[16];
    struct rules rules, next; /* next: of the pass that is going on */
    bool named, dirty;
    bool routed; /* there is a row */
    bool broken; /* a release of it cannot be written: what was served before stays */
    int64_t epoch;
    struct arm stable, canary;
    int32_t canary_weight;
    char rollout[ROLLOUT_MAX], *salt;
    bool leased;
    struct wall_time valid_until, lapse_wall;
    struct mono_time lapse_mono;
    struct service_view *view; /* what was made of it last; owned reference, may be NULL */
};

struct catalog {
    int64_t incarnation;
    size_t count, capacity;
    struct service **service; /* sorted by name */
};

struct catalog *catalog_new(void)
{
    return calloc(1, sizeof(struct catalog));
}

static void service_free(struct service *service)
{
    service_view_unref(service->view);
    rules_free(&service->rules);
    rules_free(&service->next);
    free(service->stable.text);
    free(service->canary.text);
    free(service->salt);
    free(service);
}

void catalog_free(struct catalog *catalog)
{
    if (catalog == NULL)
        return;
    for (size_t i = 0; i < catalog->count; i++)
        service_free(catalog->service[i]);
    free(catalog->service);
    free(catalog);
}

/* Where the service stands, or where it belongs. */
static size_t place(const struct catalog *catalog, const char *name, bool *found)
{
    size_t low = 0, high = catalog->count;
    *found = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(catalog->service[middle]->name, name);
        if (order == 0) {
            *found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct service *get(struct catalog *catalog, const char *name)
{
    bool found;
    size_t at = place(catalog, name, &found);
    if (found)
        return catalog->service[at];
    if (catalog->count == catalog->capacity) {
        size_t capacity = catalog->capacity == 0 ? 16 : catalog->capacity * 2;
        struct service **grown = reallocarray(catalog->service, capacity, sizeof(struct service *));
        if (grown == NULL)
            return NULL;
        catalog->service = grown;
        catalog->capacity = capacity;
    }
    struct service *service = calloc(1, sizeof *service);
    if (service == NULL)
        return NULL;
    snprintf(service->name, sizeof service->name, "%s", name);
    snprintf(service->sticky, sizeof service->sticky, "none");
    memcpy(service->next_sticky, service->sticky, sizeof service->sticky);
    rules_default(&service->rules);
    rules_default(&service->next);
    service->named = service->dirty = true;
    memmove(&catalog->service[at + 1], &catalog->service[at],
            (catalog->count - at) * sizeof(struct service *));
    catalog->service[at] = service;
    catalog->count++;
    return service;
}

void catalog_incarnation(struct catalog *catalog, int64_t incarnation)
{
    if (catalog->incarnation == incarnation)
        return;
    catalog->incarnation = incarnation;
    for (size_t i = 0; i < catalog->count; i++)
        catalog->service[i]->dirty = true;
}

void catalog_begin(struct catalog *catalog)
{
    for (size_t i = 0; i < catalog->count; i++) {
        catalog->service[i]->named = false;
        rules_free(&catalog->service[i]->next);
    }
}

enum status catalog_service(struct catalog *catalog, const char *name, const char *sticky,
                            const struct rules *rules)
{
    struct service *service = get(catalog, name);
    if (service == NULL)
        return STATUS_NO_MEMORY;
    snprintf(service->next_sticky, sizeof service->next_sticky, "%s", sticky);
    rules_free(&service->next);
    service->next = *rules;
    service->named = true;
    return STATUS_OK;
}

enum status catalog_release_name(struct catalog *catalog, const char *service, const char *release)
{
    bool found;
    size_t at = place(catalog, service, &found);
    if (found && !rules_add_release(&catalog->service[at]->next, release))
        return STATUS_NO_MEMORY;
    return STATUS_OK;
}

/* The rules of the pass become those that hold. */
static void adopt(struct service *service)
{
    rules_seal(&service->next);
    if (strcmp(service->sticky, service->next_sticky) != 0 || !rules_equal(&service->rules, &service->next))
        service->dirty = true;
    memcpy(service->sticky, service->next_sticky, sizeof service->sticky);
    rules_free(&service->rules);
    service->rules = service->next;
    rules_default(&service->next);
}

void catalog_end(struct catalog *catalog)
{
    size_t kept = 0;
    for (size_t i = 0; i < catalog->count; i++) {
        struct service *service = catalog->service[i];
        if (service->named) {
            adopt(service);
            catalog->service[kept++] = service;
        } else {
            service_free(service);
        }
    }
    catalog->count = kept;
}

/* Moves the text of `release` out of the arms as they were. */
static char *take_text(struct arm *before, const char *release)
{
    for (int i = 0; i < 2; i++) {
        if (release[0] != '\0' && strcmp(before[i].release, release) == 0 && before[i].text != NULL) {
            char *text = before[i].text;
            before[i].text = NULL;
            return text;
        }
    }
    return NULL;
}

static void set_arm(struct arm *arm, struct arm *before, const char *release)
{
    snprintf(arm->release, sizeof arm->release, "%s", release);
    arm->text = take_text(before, release);
}

int64_t catalog_epoch(const struct catalog *catalog, const char *service)
{
    bool found;
    size_t at = place(catalog, service, &found);
    return found && catalog->service[at]->routed ? catalog->service[at]->epoch : 0;
}

enum status catalog_route(struct catalog *catalog, const struct catalog_route *route, struct fault *fault)
{
    struct service *service = get(catalog, route->service);
    char *salt = strdup(route->salt);
    if (service == NULL || salt == NULL) {
        free(salt);
        return fault_set(fault, STATUS_NO_MEMORY, "Out of memory");
    }
    if (service->routed && route->epoch < service->epoch) {
        free(salt);
        return fault_set(fault, STATUS_SUPERSEDED, "Service %s has gone back from epoch %lld to %lld",
                         route->service, (long long)service->epoch, (long long)route->epoch);
    }
    struct arm before[2] = {service->stable, service->canary};
    set_arm(&service->stable, before, route->stable);
    set_arm(&service->canary, before, route->canary);
    free(before[0].text);
    free(before[1].text);
    free(service->salt);
    service->salt = salt;
    snprintf(service->rollout, sizeof service->rollout, "%s", route->rollout);
    service->epoch = route->epoch;
    service->canary_weight = route->canary_weight;
    service->leased = route->leased;
    service->valid_until = route->valid_until;
    service->lapse_wall = route->lapse_wall;
    service->lapse_mono = route->lapse_mono;
    service->routed = service->dirty = true;
    service->broken = false;
    return STATUS_OK;
}

bool catalog_missing(struct catalog *catalog, const char **service, const char **release)
{
    for (size_t i = 0; i < catalog->count; i++) {
        struct service *at = catalog->service[i];
        struct arm *arms[2] = {&at->stable, &at->canary};
        for (int j = 0; j < 2 && at->dirty && !at->broken; j++) {
            if (arms[j]->release[0] != '\0' && arms[j]->text == NULL) {
                *service = at->name;
                *release = arms[j]->release;
                return true;
            }
        }
    }
    return false;
}

void catalog_release(struct catalog *catalog, const char *service, const char *release, char *text)
{
    bool found;
    size_t at = place(catalog, service, &found);
    struct arm *arms[2] = {NULL, NULL};
    if (found) {
        arms[0] = &catalog->service[at]->stable;
        arms[1] = &catalog->service[at]->canary;
    }
    for (int i = 0; i < 2; i++) {
        if (arms[i] != NULL && arms[i]->text == NULL && strcmp(arms[i]->release, release) == 0) {
            arms[i]->text = text;
            catalog->service[at]->broken = text == NULL;
            return;
        }
    }
    free(text);
}

void catalog_forget(struct catalog *catalog)
{
    for (size_t i = 0; i < catalog->count; i++) {
        catalog->service[i]->epoch = 0;
        catalog->service[i]->routed = false;
        catalog->service[i]->dirty = true;
    }
}

/* The answer of a service, either as the route is or with stable alone. */
static enum status make_form(const struct catalog *catalog, const struct service *service, bool lapsed,
                             struct route_form *form)
{
    char until[CLOCK_TEXT_MAX];
    struct text out;
    struct route_body body = {
        .service = service->name,
        .incarnation = catalog->incarnation,
        .epoch = service->epoch,
        .rollout = service->rollout,
        .sticky = service->sticky,
        .salt = service->salt,
    };
    bool two = service->canary.release[0] != '\0' && !lapsed;
    if (service->leased && !lapsed)
        body.valid_until = clock_format(service->valid_until, until);
    if (service->stable.release[0] != '\0')
        body.arm[body.arms++] = (struct route_body_arm){service->stable.text, false,
                                                        WEIGHT_FULL - (two ? service->canary_weight : 0)};
    if (two)
        body.arm[body.arms++] = (struct route_body_arm){
            service->canary.text, true,
            service->stable.release[0] != '\0' ? service->canary_weight : WEIGHT_FULL};
    text_init(&out, BODY_MAX);
    enum status status = route_body_write(&out, &body);
    size_t length = out.length;
    char *bytes = text_take(&out);
    if (status == STATUS_OK && bytes == NULL)
        status = STATUS_NO_MEMORY;
    if (status != STATUS_OK) {
        free(bytes);
        return status;
    }
    return snapshot_form(form, catalog->incarnation, service->epoch, bytes, length);
}

static void set_weights(struct service_view *view, const struct service *service)
{
    bool stable = service->stable.release[0] != '\0', canary = service->canary.release[0] != '\0';
    int32_t weight = !canary ? 0 : stable ? service->canary_weight : WEIGHT_FULL;
    const struct arm *arms[2] = {&service->stable, &service->canary};
    for (int i = 0; i < 2; i++) {
        if (arms[i]->release[0] == '\0')
            continue;
        struct route_weight *at = &view->weight[view->weights++];
        memcpy(at->release, arms[i]->release, sizeof at->release);
        at->canary = i == 1;
        at->weight = i == 1 ? weight : WEIGHT_FULL - weight;
    }
}

static struct service_view *make_view(const struct catalog *catalog, const struct service *service)
{
    struct service_view *view = service_view_new(service->name);
    if (view == NULL || !rules_copy(&service->rules, &view->rules))
        goto fail;
    view->incarnation = catalog->incarnation;
    view->epoch = service->epoch;
    bool stable = service->stable.release[0] != '\0', canary = service->canary.release[0] != '\0';
    view->routed = service->routed && !service->broken && (stable || canary);
    if (!view->routed)
        return view;
    if (make_form(catalog, service, false, &view->normal) != STATUS_OK)
        goto fail;
    flag_read(view->normal.body, view->normal.length, &view->flag);
    /* a first release has nothing to lapse to */
    if (service->leased && stable && canary) {
        view->leased = true;
        view->lapse_wall = service->lapse_wall;
        view->lapse_mono = service->lapse_mono;
        if (make_form(catalog, service, true, &view->lapsed) != STATUS_OK)
            goto fail;
    }
    set_weights(view, service);
    return view;
fail:
    service_view_unref(view);
    return NULL;
}

/* Notes from which revision on the epoch is served. */
static void set_since(struct service_view *view, const struct service_view *old, int64_t rev)
{
    if (!view->routed)
        return;
    view->since_rev = rev;
    if (old == NULL || !old->routed || old->incarnation != view->incarnation)
        return;
    if (old->epoch == view->epoch) {
        view->since_rev = old->since_rev;
        view->before_rev = old->before_rev;
        view->before_epoch = old->before_epoch;
    } else {
        view->before_rev = old->since_rev;
        view->before_epoch = old->epoch;
    }
}

struct snapshot *catalog_snapshot(struct catalog *catalog, int64_t rev, size_t tokens)
{
    struct snapshot *snapshot = snapshot_new(catalog->incarnation, rev, catalog->count, tokens);
    if (snapshot == NULL)
        return NULL;
    for (size_t i = 0; i < catalog->count; i++) {
        struct service *service = catalog->service[i];
        if ((service->dirty && !service->broken) || service->view == NULL) {
            struct service_view *view = make_view(catalog, service);
            if (view == NULL) {
                snapshot_unref(snapshot);
                return NULL;
            }
            set_since(view, service->view, rev);
            service_view_unref(service->view);
            service->view = view;
            service->dirty = false;
        }
        service_view_ref(service->view);
        snapshot->service[snapshot->services++] = service->view;
    }
    return snapshot;
}
