/* What each server of each HAProxy was told last. From that follow two things that the protocol has no words
   for. An acknowledgement: HAProxy applies an answer as it reads it, so that a server which asks again has
   applied what it was told before; an HAProxy has applied what all its servers have. And the order of
   changes: a server is taken out only when another one of the same HAProxy has taken up its weight, since
   each asks at its own time. A weight that can be said only with the next lower one is told so at once, but
   not acknowledged: what was applied is not what the route says. Memory only, one thread. */
#pragma once

#include "base/clock.h"
#include "gateway/acks.h"
#include "gateway/agent_line.h"

struct agent_book;

/* Remembers at most `maximum` servers; those beyond are told weights, but acknowledge nothing. NULL on no
   memory. */
struct agent_book *agent_book_new(size_t maximum);
void agent_book_free(struct agent_book *book); /* NULL is fine */

enum { AGENT_ANSWER_MAX = 160 };

struct agent_answer {
    char line[AGENT_ANSWER_MAX]; /* with its line feed */
    bool heard;                  /* `ack` is to be passed on */
    bool less;                   /* the canary is told less than its route says */
    struct ack ack;              /* of the whole HAProxy */
};

/* Answers `ask`, whose instance is not empty. `view` is NULL for a service that is not known; `lapsed`: its
   canary's lease has run out. `now` never goes back. */
void agent_book_answer(struct agent_book *book, const struct agent_ask *ask, const struct service_view *view,
                       bool lapsed, struct mono_time now, struct agent_answer *out);
/* The last answer to `ask` did not get through: it acknowledges nothing. */
void agent_book_lost(struct agent_book *book, const struct agent_ask *ask);
/* Forgets what has not asked for a minute. Called now and then. */
void agent_book_sweep(struct agent_book *book, struct mono_time now);
size_t agent_book_count(const struct agent_book *book);
