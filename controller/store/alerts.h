/* Rows of alerts: the newest state of each alert about a service. */
#pragma once

#include "spec/alertmanager.h"
#include "store/db.h"

enum {
    ALERTS_EACH_MAX = 500, /* rows of a service; what is resolved longest makes room, then one without a
                              release for one with */
    ALERTS_SHOWN = 20
};

enum alert_news {
    ALERT_SAME,     /* fires as before; or is resolved as before */
    ALERT_FIRES,    /* from now on */
    ALERT_RESOLVED, /* from now on */
    ALERT_NO_ROOM   /* too many fire: it was not stored */
};

/* What the release that an alert names has to do with the service's rollout. */
struct alert_aim {
    bool exists;  /* the service has such a release */
    bool rollout; /* some rollout of the service is live */
    bool part;    /* and the release is its canary or its stable */
};

/* Stores `alert` of an existing service, whose lock the caller's transaction holds. A firing alert that is
   not heard of for `expires_s`, or after its own end, is over. `aim` costs no query of its own: they are
   many, and a rollback waits for the lock. */
enum status alerts_store(struct db *db, const struct alert *alert, int64_t expires_s, enum alert_news *news,
                         struct alert_aim *aim, struct fault *fault) MUST_CHECK;

/* An alert that fires. */
struct firing_alert {
    char name[ALERT_NAME], release[NAME_MAX_LENGTH + 1], fingerprint[ALERT_FINGERPRINT];
    int64_t firing;
};
/* Those of a service that fire now, the newest first, at most `max`. *count is how many there are in all. */
enum status alerts_firing(struct db *db, const char *service, struct firing_alert *out, int max, int *read,
                          int64_t *count, struct fault *fault) MUST_CHECK;

struct lapsed_alert {
    char service[NAME_MAX_LENGTH + 1], name[ALERT_NAME], release[NAME_MAX_LENGTH + 1],
        fingerprint[ALERT_FINGERPRINT];
    struct wall_time heard_at;
};
/* Alerts that have lapsed and were not said to have, at most `max`. */
enum status alerts_lapsed(struct db *db, struct lapsed_alert *out, int max, int *count,
                          struct fault *fault) MUST_CHECK;
/* Marks one as over. *changed is false if it was heard of meanwhile, or is over already. */
enum status alerts_lapse(struct db *db, const char *service, const char *fingerprint, bool *changed,
                         struct fault *fault) MUST_CHECK;
