/* Checks of a record beside computing its decisions anew: digests of the pages, the chain of events that the
   decisions stand in, the documents they went by, and the verdicts. */
#include "cli/pick.h"
#include "cli/record.h"

#include "spec/record_digest.h"

#include <inttypes.h>
#include <json-c/linkhash.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void record_find(struct record *record, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (record->findings < RECORD_FINDINGS_MAX) {
        vsnprintf(record->finding[record->findings], RECORD_SENTENCE_MAX, format, arguments);
    }
    va_end(arguments);
    record->findings++;
}

/* --- pages ---------------------------------------------------------------------------------------------- */

/* What `digests` says, held against itself: sha256 of it without `chain` is `chain`. Takes `chain` out. */
static bool chain_holds(struct json_object *digests, struct digest *said)
{
    struct digest now;
    bool good = digest_parse_hex(pick_text(digests, "chain"), said);
    json_object_object_del(digests, "chain");
    return good && spec_digest(digests, &now) == STATUS_OK && digest_equal(&now, said);
}

static void compare_members(struct record *record, struct json_object *said, struct json_object *now)
{
    json_object_object_foreach(now, name, digest)
    {
        const char *was = pick_text(said, name);
        if (was[0] == '\0') {
            record_find(record, "Page %zu: \"%.40s\" is not from the serind that wrote it.", record->pages,
                        name);
        } else if (strcmp(was, json_object_get_string(digest)) != 0) {
            record_find(record, "Page %zu: \"%.40s\" is not what serind wrote; it was changed since.",
                        record->pages, name);
        }
    }
    json_object_object_foreach(said, taken, unused)
    {
        (void)unused;
        if (!json_object_object_get_ex(now, taken, NULL)) {
            record_find(record, "Page %zu: \"%.40s\" was taken out.", record->pages, taken);
        }
    }
}

void record_check_page(struct record *record, struct json_object *page)
{
    static const struct digest none = {{0}};
    struct json_object *said = pick(page, "digests"), *now;
    struct digest before, ignored, chain = {{0}};
    bool more = pick_has(page, "next_cursor");
    record->pages++;
    if (!json_object_is_type(said, json_type_object) ||
        !json_object_is_type(pick(said, "members"), json_type_object)) {
        record_find(record, "Page %zu has no digests; nothing shows that it is what serind wrote.",
                    record->pages);
        return;
    }
    now = spec_page_digests(page, &none, more, &ignored);
    if (now == NULL) {
        record_find(record, "Page %zu: its digests cannot be computed.", record->pages);
        return;
    }
    compare_members(record, pick(said, "members"), pick(now, "members"));
    json_object_put(now);
    if (!digest_parse_hex(pick_text(said, "before"), &before) || !digest_equal(&before, &record->chain)) {
        record_find(record, "Page %zu does not follow the one before it: a page was taken out or moved.",
                    record->pages);
    }
    if (json_object_get_boolean(pick(said, "more")) != more) {
        record_find(record, "Page %zu was%s followed by another when serind wrote it.", record->pages,
                    more ? " not" : "");
    }
    if (!chain_holds(said, &chain)) {
        record_find(record, "Page %zu: its digests were changed.", record->pages);
    }
    record->chain = chain;
}

/* --- the chain of events ---------------------------------------------------------------------------------
 */

/* The walk along the chain: the number that must come next, and the hash it must rest on. */
struct walk {
    int64_t next;
    struct digest before;
};

static void pass(struct record *record, struct walk *walk, const struct spec_link *link)
{
    int64_t missing = link->seq - walk->next;
    if (missing == 1) {
        record_find(record,
                    "Event no. %" PRId64
                    " of %s is missing between the others: it was taken out of the record.",
                    walk->next, record->head.service);
    } else if (missing > 1) {
        record_find(record,
                    "The events no. %" PRId64 " to %" PRId64
                    " of %s are missing between the others: they were taken out of the record.",
                    walk->next, link->seq - 1, record->head.service);
    } else if (missing < 0) {
        record_find(record, "Event no. %" PRId64 " of %s stands twice, or in another place than it had.",
                    link->seq, record->head.service);
        return;
    } else if (!digest_equal(&link->before, &walk->before)) {
        record_find(record,
                    "Event no. %" PRId64 " of %s does not follow no. %" PRId64
                    ": one of them is not the one that was stored.",
                    link->seq, record->head.service, link->seq - 1);
    }
    walk->next = link->seq + 1;
    walk->before = link->hash;
}

static void check_chain(struct record *record)
{
    const struct spec_record *head = &record->head;
    struct walk walk = {head->first, head->before};
    size_t d = 0, l = 0;
    if (record->decisions > 0 && head->first == 0) {
        record_find(record, "The record does not say which events of %s its decisions are.", head->service);
        return;
    }
    while (head->first > 0 && (d < record->decisions || l < record->links)) {
        bool decision = d < record->decisions &&
                        (l == record->links || record->decision[d].link.seq <= record->link[l].seq);
        pass(record, &walk, decision ? &record->decision[d++].link : &record->link[l++]);
    }
    if (head->first > 0 && (walk.next != head->last + 1 || !digest_equal(&walk.before, &head->hash))) {
        record_find(record,
                    "The record ends with event no. %" PRId64 " of %s, and serind wrote it up to no. %" PRId64
                    ": its end was taken out or changed.",
                    walk.next - 1, head->service, head->last);
    }
}

/* --- what decisions say of the head ----------------------------------------------------------------------
 */

static void check_name(struct record *record, const struct record_decision *decision, const char *what,
                       const char *head, const char *event, bool *told)
{
    if (strcmp(head, event) != 0 && !*told) {
        record_find(record, "The record is of the %s \"%.64s\", and event %.40s of \"%.64s\".", what, head,
                    decision->event, event);
        *told = true;
    }
}

static void check_documents(struct record *record, const struct record_decision *decision,
                            bool told[SPEC_FROZEN])
{
    for (size_t i = 0; i < SPEC_FROZEN && decision->has_frozen; i++) {
        if (!digest_equal(&decision->frozen[i], &record->head.frozen[i]) && !told[i]) {
            record_find(record, "The record's \"%s\" is not what was frozen: event %.40s went by another.",
                        spec_frozen_name[i], decision->event);
            told[i] = true;
        }
    }
}

void record_check_decisions(struct record *record)
{
    const struct spec_record *head = &record->head;
    bool documents[SPEC_FROZEN] = {false}, names[4] = {false};
    check_chain(record);
    for (size_t i = 0; i < record->decisions; i++) {
        const struct record_decision *decision = &record->decision[i];
        check_name(record, decision, "rollout", head->rollout, decision->rollout, &names[0]);
        check_name(record, decision, "service", head->service, decision->service, &names[1]);
        check_name(record, decision, "release", head->release, decision->release, &names[2]);
        check_name(record, decision, "stable release", head->stable, decision->stable, &names[3]);
        check_documents(record, decision, documents);
    }
}

/* --- verdicts ------------------------------------------------------------------------------------------- */

static bool settled(const struct record_verdict *verdict)
{
    return verdict->match == REPLAY_SAME || verdict->match == REPLAY_PAST;
}

/* Compares one with the walk as it stands; true if it is settled. */
static bool try_verdict(struct record *record, struct record_verdict *verdict)
{
    enum verdict computed = verdict->computed;
    if (verdict->tries == RECORD_TRIES_MAX) {
        return true;
    }
    enum replay_match match = replay_match_verdict(&record->replay, &verdict->stored, &computed);
    if (match == REPLAY_PAST && verdict->match == REPLAY_OTHER) {
        verdict->tries = RECORD_TRIES_MAX; /* it had its chance: what came out then stays */
        return true;
    }
    verdict->tries += match == REPLAY_OTHER ? 1 : 0;
    verdict->match = match;
    verdict->computed = computed;
    return settled(verdict) || verdict->tries == RECORD_TRIES_MAX;
}

/* Those of one SLI are settled in their order. */
void record_check_verdicts(struct record *record)
{
    for (int sli = 0; sli < SLI_COUNT && record->verdicts_open > 0; sli++) {
        size_t *next = &record->verdict_next[sli];
        while (*next < record->verdicts) {
            struct record_verdict *verdict = &record->verdict[*next];
            if (verdict->stored.sli == (enum sli)sli) {
                if (!try_verdict(record, verdict)) {
                    break;
                }
                record->verdicts_open--;
            }
            ++*next;
        }
    }
}

/* The newest verdict of each SLI when a tick decided: what it acted on must stand there. */
static void check_acted_on(struct record *record, const struct record_decision *decision,
                           const struct record_verdict *const newest[SLI_COUNT])
{
    const struct replay_decision *stored = &decision->stored;
    const struct snapshot *seen = &stored->snapshot;
    if (stored->verb != VERB_TICK || stored->bare) {
        return;
    }
    for (int sli = 0; sli < SLI_COUNT; sli++) {
        const struct record_verdict *verdict = newest[sli];
        bool led = seen->judgement == JUDGE_ROLLBACK && seen->lead == sli;
        if (!record->head.policy.policy.guardrail[sli].used) {
            continue;
        }
        if (led && (verdict == NULL || verdict->stored.verdict != VERDICT_FAIL)) {
            record_find(record,
                        "Event %.40s rolled back because of %s, and no verdict \"fail\" stands before it.",
                        decision->event, sli_name((enum sli)sli));
        } else if (seen->proven && (verdict == NULL || verdict->stored.verdict == VERDICT_INCONCLUSIVE)) {
            record_find(record, "Event %.40s found %s proven, and no verdict \"pass\" stands before it.",
                        decision->event, sli_name((enum sli)sli));
        }
    }
}

static void tell_verdict(struct record *record, const struct record_verdict *verdict)
{
    const char *sli = sli_name(verdict->stored.sli), *word = verdict_name(verdict->stored.verdict);
    if (verdict->match == REPLAY_OTHER && verdict->computed == verdict->stored.verdict) {
        record_find(record, "The verdict \"%s\" of %s at %.30s: another proof comes out of the blocks.", word,
                    sli, verdict->at);
    } else if (verdict->match == REPLAY_OTHER) {
        record_find(record, "The verdict of %s at %.30s: stored \"%s\", computed \"%s\".", sli, verdict->at,
                    word, verdict_name(verdict->computed));
    } else {
        record_find(record, "The verdict \"%s\" of %s at %.30s: the counts that it states never stood there.",
                    word, sli, verdict->at);
    }
}

void record_end_verdicts(struct record *record)
{
    const struct record_verdict *newest[SLI_COUNT] = {NULL};
    size_t next = 0;
    if (!record->head.weights_complete) {
        return; /* without all changes of the weight the proof of a step cannot be computed */
    }
    for (size_t i = 0; i < record->verdicts; i++) {
        if (record->verdict[i].match != REPLAY_SAME) {
            tell_verdict(record, &record->verdict[i]);
        }
    }
    for (size_t i = 0; i < record->decisions; i++) {
        const struct record_decision *decision = &record->decision[i];
        for (; next < record->verdicts && record->verdict[next].stored.at_s <= decision->stored.at_s + 1e-3;
             next++) {
            newest[record->verdict[next].stored.sli] = &record->verdict[next];
        }
        check_acted_on(record, decision, newest);
    }
}
