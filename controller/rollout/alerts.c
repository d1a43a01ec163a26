/* Alerts that others raise, taken in: stored for the next turn of the loop, with an event for each that
   begins or ends. What they do to a rollout the rollout table decides. */
#include "rollout/rollout.h"

#include "base/log.h"
#include "store/alerts.h"
#include "store/note.h"
#include "store/rollouts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LAPSED_AT_ONCE = 64, ALERTS_A_TRANSACTION = 50 };

const char *rollout_alert_word(enum alert_fate fate)
{
    static const char *const words[ALERT_FATE_COUNT] = {
#define X(id, word) word,
        ALERT_FATES(X)
#undef X
    };
    return words[fate];
}

void rollout_alert_why(enum alert_fate fate, const struct alert *alert, char out[ALERT_WHY])
{
    const char *service = alert->service, *release = alert->release;
    out[0] = '\0';
    switch (fate) {
    case ALERT_TAKEN:
    case ALERT_FATE_COUNT:
        break;
    case ALERT_UNKNOWN_RELEASE:
        snprintf(out, ALERT_WHY, "%s has no release %s", service, release);
        break;
    case ALERT_OTHER_RELEASE:
        snprintf(out, ALERT_WHY, "%s takes no part in the rollout of %s", release, service);
        break;
    case ALERT_NO_ROLLOUT:
        snprintf(out, ALERT_WHY, "no rollout of %s is live", service);
        break;
    case ALERT_IGNORE_LABEL:
        snprintf(out, ALERT_WHY, "its label serin is ignore");
        break;
    case ALERT_NO_SERVICE:
        snprintf(out, ALERT_WHY, "it has no label service that can be the name of one");
        break;
    case ALERT_UNKNOWN_SERVICE:
        snprintf(out, ALERT_WHY, "Serin has no service %s", service);
        break;
    case ALERT_CROWDED:
        snprintf(out, ALERT_WHY, "%d other alerts of %s fire", ALERTS_EACH_MAX, service);
        break;
    }
}

static enum status tell(struct db *db, const struct alert *alert, enum alert_fate fate, const char *actor,
                        struct fault *fault)
{
    char reason[ALERT_NAME + ALERT_SUMMARY + ALERT_WHY + 60], starts[CLOCK_TEXT_MAX], why[ALERT_WHY];
    bool firing = alert->firing;
    rollout_alert_why(fate, alert, why);
    snprintf(reason, sizeof reason, "The alert %s %s%s%s%s%s", alert->name, firing ? "fires" : "is resolved",
             why[0] != '\0' ? ", and holds nothing now, as " : "", why,
             firing && alert->summary[0] != '\0' ? ": " : ".", firing ? alert->summary : "");
    struct note_field fields[] = {
        {"alert", NOTE_TEXT, alert->name, 0},
        {"fingerprint", NOTE_TEXT, alert->fingerprint, 0},
        {"release", NOTE_TEXT, alert->release[0] != '\0' ? alert->release : NULL, 0},
        {"starts_at", NOTE_TEXT, clock_format(alert->starts_at, starts), 0},
        {"without_effect", NOTE_TEXT, why[0] != '\0' ? rollout_alert_word(fate) : NULL, 0},
        {.name = NULL}};
    struct event event = {.type = firing ? "alert.firing" : "alert.resolved",
                          .service = alert->service,
                          .release = alert->release[0] != '\0' ? alert->release : NULL,
                          .actor = actor,
                          .reason = reason};
    return note_append(db, &event, fields, fault);
}

/* Whether one that fires can hold, by the release that it names. One that names none can, also the next
   rollout; what is resolved holds nothing, and that needs no saying. */
static enum alert_fate fate_of(const struct alert *alert, const struct alert_aim *aim)
{
    if (!alert->firing || alert->release[0] == '\0' || aim->part)
        return ALERT_TAKEN;
    return !aim->exists ? ALERT_UNKNOWN_RELEASE : !aim->rollout ? ALERT_NO_ROLLOUT : ALERT_OTHER_RELEASE;
}

static enum status take_one(struct db *db, const struct alert *alert, int64_t expires_s, const char *actor,
                            enum alert_fate *fate, struct fault *fault)
{
    enum alert_news news;
    struct alert_aim aim = {.exists = false};
    enum status status = alerts_store(db, alert, expires_s, &news, &aim, fault);
    *fate = fate_of(alert, &aim);
    if (status == STATUS_OK && (news == ALERT_FIRES || news == ALERT_RESOLVED))
        status = tell(db, alert, *fate, actor, fault);
    if (status == STATUS_OK && news == ALERT_NO_ROOM) {
        log_event(LOG_WARN, "rollout", "too many alerts fire for this service; one was not stored", "service",
                  alert->service, "alert", alert->name, NULL);
        *fate = ALERT_CROWDED;
    }
    return status;
}

static int by_service(const void *a, const void *b)
{
    const struct alert *const *left = a, *const *right = b;
    return strcmp((*left)->service, (*right)->service);
}

/* Ends the open transaction and begins the next. */
static enum status next_piece(struct db *db, struct fault *fault)
{
    enum status status = db_commit(db, fault);
    return status == STATUS_OK ? db_begin(db, fault) : status;
}

/* Service by service and in pieces: a rollback waits for the service's lock, and must not wait for an
   outage's hundreds of alerts (law 2). */
static enum status take_all(struct db *db, const struct alert **sorted, size_t count, int64_t expires_s,
                            const char *actor, const struct alert *alerts, enum alert_fate *fate,
                            struct fault *fault)
{
    enum status status = STATUS_OK;
    bool exists = false;
    size_t held = 0; /* alerts under the lock of their service */
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        const char *service = sorted[i]->service;
        enum alert_fate *mine = &fate[sorted[i] - alerts];
        bool other = i == 0 || strcmp(service, sorted[i - 1]->service) != 0,
             full = held == ALERTS_A_TRANSACTION;
        if (held > 0 && (other || full)) {
            status = next_piece(db, fault);
            held = 0;
        }
        if (status == STATUS_OK && (other || (full && exists))) {
            status = service[0] != '\0' ? rollouts_lock_service(db, service, fault) : STATUS_NOT_FOUND;
            exists = status == STATUS_OK;
            status = status == STATUS_NOT_FOUND ? STATUS_OK : status;
        }
        held += exists;
        if (status == STATUS_OK && exists)
            status = take_one(db, sorted[i], expires_s, actor, mine, fault);
        else if (status == STATUS_OK)
            *mine = service[0] != '\0' ? ALERT_UNKNOWN_SERVICE : ALERT_NO_SERVICE;
    }
    return status;
}

enum status rollout_take_alerts(struct db *db, const struct alert *alerts, size_t count, int64_t expires_s,
                                const char *actor, enum alert_fate *fate, struct fault *fault)
{
    const struct alert **sorted = calloc(count > 0 ? count : 1, sizeof *sorted);
    size_t used = 0;
    if (sorted == NULL)
        return fault_set(fault, STATUS_NO_MEMORY, "Out of memory");
    for (size_t i = 0; i < count; i++) {
        fate[i] = ALERT_IGNORE_LABEL;
        if (!alerts[i].ignore)
            sorted[used++] = &alerts[i];
    }
    qsort(sorted, used, sizeof *sorted, by_service);
    enum status status = take_all(db, sorted, used, expires_s, actor, alerts, fate, fault);
    free(sorted);
    return status;
}

/* --- silence --------------------------------------------------------------------------------------- */

static enum status say_lapsed(struct db *db, const struct lapsed_alert *alert, struct fault *fault)
{
    char reason[ALERT_NAME + 200], heard[CLOCK_TEXT_MAX];
    clock_format(alert->heard_at, heard);
    snprintf(reason, sizeof reason,
             "The alert %s was last heard of at %s and never resolved; it counts as over. Is Alertmanager "
             "still there?",
             alert->name, heard);
    struct note_field fields[] = {{"alert", NOTE_TEXT, alert->name, 0},
                                  {"fingerprint", NOTE_TEXT, alert->fingerprint, 0},
                                  {"heard_at", NOTE_TEXT, heard, 0},
                                  {"page", NOTE_BOOL, NULL, 1},
                                  {.name = NULL}};
    struct event event = {.type = "alert.expired",
                          .service = alert->service,
                          .release = alert->release[0] != '\0' ? alert->release : NULL,
                          .actor = "serin",
                          .reason = reason};
    return note_append(db, &event, fields, fault);
}

static enum status lapse(struct db *db, const struct lapsed_alert *alert, struct fault *fault)
{
    bool locked = false, changed = false;
    enum status status = db_begin(db, fault);
    if (status == STATUS_OK)
        status = rollouts_try_lock_service(db, alert->service, &locked, fault);
    if (status == STATUS_OK && locked)
        status = alerts_lapse(db, alert->service, alert->fingerprint, &changed, fault);
    if (status == STATUS_OK && changed)
        status = say_lapsed(db, alert, fault);
    if (status == STATUS_OK)
        return db_commit(db, fault);
    db_rollback(db);
    return status;
}

enum status rollout_lapse_alerts(struct db *db, struct fault *fault)
{
    struct lapsed_alert *lapsed = calloc(LAPSED_AT_ONCE, sizeof *lapsed);
    int count = 0;
    if (lapsed == NULL)
        return fault_set(fault, STATUS_NO_MEMORY, "Out of memory");
    enum status status = alerts_lapsed(db, lapsed, LAPSED_AT_ONCE, &count, fault);
    for (int i = 0; i < count && status == STATUS_OK; i++)
        status = lapse(db, &lapsed[i], fault);
    free(lapsed);
    return status;
}
