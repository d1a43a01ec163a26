/* What the gateway port answers from: an immutable, reference-counted picture of all routes, with every
   answer prepared, and of the tokens. The publisher builds one whenever something changed; each gateway
   thread and each running job holds a reference. Reading needs no lock. */
#pragma once

#include "base/clock.h"
#include "base/digest.h"
#include "base/id.h"
#include "gateway/flag.h"
#include "gateway/rules.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct MHD_Response;
struct overview;

enum { ETAG_MAX = 80 };

/* One form of an answer. The responses carry ETag, Cache-Control, Serin-Epoch (of all routes: Serin-Revision)
   and Content-Type; `stale` also Serin-Stale. They serve 200 and 304 alike. */
struct route_form {
    char etag[ETAG_MAX]; /* with its quotes */
    const char *body;    /* lent by the responses */
    size_t length;
    struct MHD_Response *fresh, *stale; /* owned; NULL: there is no such form */
};

struct route_weight {
    char release[NAME_MAX_LENGTH + 1];
    bool canary;
    int32_t weight; /* in 1/10,000 */
};

/* One service as it is served. Immutable but for the count. */
struct service_view {
    atomic_int references;
    char name[NAME_MAX_LENGTH + 1];
    bool routed; /* else it has no route yet */
    int64_t incarnation, epoch;
    /* The epoch is served from this route revision on, the one before it from `before_rev` on; -1 = not
     * known.
     */
    int64_t since_rev, before_rev, before_epoch;
    struct route_form normal;
    /* A canary's weight is a lease. Past either of these times only the lapsed form is served: stable alone.
       The wall clock is there for a machine that slept, the monotonic one for a wall clock that was set back.
     */
    bool leased;
    struct wall_time lapse_wall;
    struct mono_time lapse_mono;
    struct route_form lapsed;
    size_t weights;
    struct route_weight weight[2];
    struct flag flag; /* lent by normal.body */
    struct rules rules;
};

struct snapshot_token_entry {
    struct digest secret; /* SHA-256 of the token */
    int role;             /* enum role of http/bearer.h */
    char name[NAME_MAX_LENGTH + 1];
};

/* A place of the hash over the services' names. */
struct snapshot_slot {
    uint32_t hash, at; /* at: place in `service`, counted from 1; 0 = free */
};

struct snapshot {
    atomic_int references;
    int64_t incarnation, rev;
    bool restored;           /* read from a file: it knows routes and tokens, but no rules */
    uint64_t tokens_version; /* differs whenever the tokens do; not 0 */
    size_t services, tokens;
    struct service_view **service;      /* sorted by name */
    struct snapshot_slot *slot;         /* owned; at most half of them are taken */
    size_t slots;                       /* a power of two */
    struct snapshot_token_entry *token; /* sorted by secret */
    struct overview *overview; /* all routes in one answer; owned; NULL: to be made by who needs it */
};

/* --- building (one thread)
 * --------------------------------------------------------------------------------------- */

/* Prepares a form of `body`, which is malloc'ed and taken over also on failure. NO_MEMORY. */
enum status snapshot_form(struct route_form *form, int64_t incarnation, int64_t epoch, char *body,
                          size_t length) MUST_CHECK;
/* The same of something that is numbered in `header` and known by `digest`. */
enum status snapshot_form_as(struct route_form *form, int64_t incarnation, int64_t number, const char *header,
                             const struct digest *digest, char *body, size_t length) MUST_CHECK;
void snapshot_form_free(struct route_form *form);
/* A view without route, with one reference. NULL on no memory. */
struct service_view *service_view_new(const char *name);
void service_view_ref(struct service_view *view);
void service_view_unref(struct service_view *view); /* NULL is fine */

/* A snapshot with room for that many, with one reference. NULL on no memory. */
struct snapshot *snapshot_new(int64_t incarnation, int64_t rev, size_t services, size_t tokens);
/* Puts the services and tokens that were added into order; after this nothing may change. */
void snapshot_seal(struct snapshot *snapshot);

/* --- reading (any thread)
 * ---------------------------------------------------------------------------------------- */

struct snapshot *snapshot_ref(struct snapshot *snapshot);
void snapshot_unref(struct snapshot *snapshot); /* NULL is fine */
/* In a sealed snapshot. NULL: unknown. */
const struct service_view *snapshot_find(const struct snapshot *snapshot, const char *service);
const struct snapshot_token_entry *snapshot_find_token(const struct snapshot *snapshot,
                                                       const struct digest *secret);
bool service_view_has_lapsed(const struct service_view *view, struct wall_time wall, struct mono_time mono);
/* The newest epoch that whoever applied all routes of this revision is sure to have; -1 = not known. */
int64_t service_view_epoch_at(const struct service_view *view, int64_t rev);
/* The form to serve now. */
const struct route_form *service_view_form(const struct service_view *view, struct wall_time wall,
                                           struct mono_time mono);

/* --- entity tags
 * ------------------------------------------------------------------------------------------------- */

/* "<incarnation>.<number>.<first 16 of these hex digits>", with quotes. The number is the epoch of a
   service's route, or the revision of all of them. */
void etag_write(char out[ETAG_MAX], int64_t incarnation, int64_t number, const char *hex);

/* Where a client stands, by what it sent in If-None-Match. */
enum etag_standing {
    ETAG_NONE,    /* it has nothing, or nothing we know */
    ETAG_OLDER,   /* another form of this epoch, or an older one */
    ETAG_CURRENT, /* just this form */
    ETAG_NEWER    /* a newer epoch or incarnation than ours: we are behind */
};
/* `header` may be NULL. *applied is the epoch it holds of our incarnation, else -1. */
enum etag_standing etag_stand(const char *header, const char *current, int64_t incarnation, int64_t epoch,
                              int64_t *applied);
