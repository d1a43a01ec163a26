/* HAProxy's agent-checks without sockets: the line, weights as percents, what is told in which order, and
   what is acknowledged by asking again. */
#include "gateway/agent_book.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(gateway_agent, .timeout = 20);

/* --- the line
 * --------------------------------------------------------------------------------------------------- */

static struct agent_ask ask_of(const char *line)
{
    struct agent_ask ask;
    struct fault fault;
    cr_assert_eq(agent_line_parse(line, strlen(line), &ask, &fault), STATUS_OK, "%s", line);
    return ask;
}

Test(gateway_agent, a_line_names_service_target_instance_and_server)
{
    struct agent_ask ask = ask_of("chat/v42");
    cr_assert_str_eq(ask.service, "chat");
    cr_assert_str_eq(ask.release, "v42");
    cr_assert_eq(ask.target, AGENT_RELEASE);
    cr_assert_str_eq(ask.instance, "");
    ask = ask_of("  chat/@canary \t edge-1  b2 \r");
    cr_assert_eq(ask.target, AGENT_CANARY);
    cr_assert_str_eq(ask.release, "");
    cr_assert_str_eq(ask.instance, "edge-1");
    cr_assert_str_eq(ask.server, "b2");
    cr_assert_eq(ask_of("chat/@stable").target, AGENT_STABLE);
}

Test(gateway_agent, a_line_that_is_none_is_refused_with_what_it_should_be)
{
    static const char *const wrong[] = {"",
                                        " ",
                                        "chat",
                                        "chat/",
                                        "/v1",
                                        "chat/@",
                                        "chat/@Stable",
                                        "chat/@stablex",
                                        "chat/v1/x",
                                        "chat/-v1",
                                        "chat//v1",
                                        "chat/v1 a/b",
                                        "chat/v1 a b c",
                                        "ch at/v1",
                                        "chat/v1\x01",
                                        "chat/v1 \xff"};
    struct agent_ask ask;
    struct fault fault;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        cr_assert_eq(agent_line_parse(wrong[i], strlen(wrong[i]), &ask, &fault), STATUS_MALFORMED, "%s",
                     wrong[i]);
        cr_assert_neq(fault.next_step[0], '\0');
    }
    cr_assert_eq(agent_line_parse("chat/v1\0x", 9, &ask, &fault), STATUS_MALFORMED, "a NUL ends no name");
    char longest[AGENT_LINE_MAX + 2];
    memset(longest, ' ', sizeof longest);
    memcpy(longest, "chat/v1", 7);
    cr_assert_eq(agent_line_parse(longest, AGENT_LINE_MAX, &ask, &fault), STATUS_OK);
    cr_assert_eq(agent_line_parse(longest, AGENT_LINE_MAX + 1, &ask, &fault), STATUS_MALFORMED);
    memset(longest, 'x', 64);
    memcpy(longest + 64, "/v1", 3);
    cr_assert_eq(agent_line_parse(longest, 67, &ask, &fault), STATUS_MALFORMED, "a name of 64");
}

Test(gateway_agent, an_address_becomes_a_name)
{
    char name[NAME_MAX_LENGTH + 1];
    static const char *const address[] = {"10.0.0.7", "::1", "fe80::1%eth0", "unknown"};
    for (size_t i = 0; i < 4; i++) {
        agent_line_instance(address[i], name);
        cr_assert(name_valid(name), "%s", name);
    }
    agent_line_instance("10.0.0.7", name);
    cr_assert_str_eq(name, "haproxy-10.0.0.7");
}

/* --- weights
 * ---------------------------------------------------------------------------------------------------- */

static struct service_view *view_of(int64_t epoch, const char *stable, const char *canary, int weight)
{
    struct service_view *view = service_view_new("chat");
    static const char *const known[] = {"v1", "v2", "v3"};
    view->routed = true;
    view->incarnation = 1;
    view->epoch = epoch;
    for (size_t i = 0; i < 3; i++)
        cr_assert(rules_add_release(&view->rules, known[i]));
    rules_seal(&view->rules);
    if (stable != NULL) {
        struct route_weight *arm = &view->weight[view->weights++];
        snprintf(arm->release, sizeof arm->release, "%s", stable);
        arm->weight = 10000 - weight;
    }
    if (canary != NULL) {
        struct route_weight *arm = &view->weight[view->weights++];
        snprintf(arm->release, sizeof arm->release, "%s", canary);
        arm->canary = true;
        arm->weight = weight;
    }
    return view;
}

Test(gateway_agent, every_half_percent_can_be_said_and_between_them_the_lower)
{
    const struct agent_ask stable = ask_of("chat/@stable"), canary = ask_of("chat/v2");
    for (int weight = 0; weight <= 10000; weight++) {
        struct service_view *view = view_of(1, "v1", "v2", weight);
        int has = agent_share(view, false, &canary), rest = agent_share(view, false, &stable);
        cr_assert_leq(has * 50, weight, "never more than the route says");
        cr_assert_gt(has * 50 + 50, weight, "at %d", weight);
        cr_assert_eq(has + rest, AGENT_PERCENT_FULL, "at %d", weight);
        cr_assert_eq(agent_share(view, true, &canary), 0, "past the lease");
        cr_assert_eq(agent_share(view, true, &stable), AGENT_PERCENT_FULL);
        service_view_unref(view);
    }
}

Test(gateway_agent, what_is_not_in_the_route_has_nothing_and_what_is_not_known_no_answer)
{
    const struct agent_ask third = ask_of("chat/v3"), slip = ask_of("chat/v33"),
                           canary = ask_of("chat/@canary");
    struct service_view *view = view_of(1, "v1", NULL, 0);
    cr_assert_eq(agent_share(view, false, &third), 0);
    cr_assert_eq(agent_share(view, false, &slip), -1);
    cr_assert_eq(agent_share(view, false, &canary), 0);
    cr_assert_eq(agent_share(NULL, false, &canary), -1);
    view->routed = false;
    cr_assert_eq(agent_share(view, false, &canary), -1);
    service_view_unref(view);
    view = view_of(1, NULL, "v1", 10000); /* a first release */
    const struct agent_ask first = ask_of("chat/v1");
    cr_assert_eq(agent_share(view, false, &first), AGENT_PERCENT_FULL);
    cr_assert_eq(agent_share(view, false, &canary), AGENT_PERCENT_FULL);
    service_view_unref(view);
}

/* --- the book
 * --------------------------------------------------------------------------------------------------- */

struct rig {
    struct agent_book *book;
    struct mono_time now;
    struct agent_answer told;
};

static struct rig rig_new(void)
{
    return (struct rig){.book = agent_book_new(100), .now = {1000000000}};
}

static void pass_ms(struct rig *rig, int64_t ms)
{
    rig->now.us += ms * 1000;
}

/* Asks; the answer without its comment. */
static const char *asks(struct rig *rig, const char *line, const struct service_view *view)
{
    static char answer[AGENT_ANSWER_MAX];
    const struct agent_ask ask = ask_of(line);
    agent_book_answer(rig->book, &ask, view, false, rig->now, &rig->told);
    size_t length = strlen(rig->told.line);
    cr_assert(length > 1 && rig->told.line[length - 1] == '\n' &&
                  strchr(rig->told.line, '\n') == rig->told.line + length - 1,
              "one line");
    snprintf(answer, sizeof answer, "%s", rig->told.line);
    answer[strcspn(answer, "#\n")] = '\0';
    return answer;
}

/* Both servers ask some times, as they do while nothing happens. */
static void settle(struct rig *rig, const struct service_view *view)
{
    for (int i = 0; i < 12; i++) {
        asks(rig, "chat/@stable e", view);
        asks(rig, "chat/@canary e", view);
        pass_ms(rig, 500);
    }
}

/* Law 11. */
Test(gateway_agent, an_epoch_counts_when_every_server_has_asked_again)
{
    struct rig rig = rig_new();
    struct service_view *first = view_of(7, "v1", "v2", 500), *second = view_of(8, "v1", "v2", 1000);
    asks(&rig, "chat/@stable e", first);
    cr_assert(rig.told.heard);
    cr_assert_str_eq(rig.told.ack.instance, "e");
    cr_assert_eq(rig.told.ack.applied_epoch, -1, "it was told nothing yet");
    asks(&rig, "chat/@stable e", first);
    cr_assert_eq(rig.told.ack.applied_epoch, 7);
    asks(&rig, "chat/@canary e", first);
    cr_assert_eq(rig.told.ack.applied_epoch, -1, "the canary was told nothing yet");
    asks(&rig, "chat/@canary e", first);
    cr_assert_eq(rig.told.ack.applied_epoch, 7);
    asks(&rig, "chat/@stable e", second);
    cr_assert_eq(rig.told.ack.applied_epoch, 7, "told is not applied");
    asks(&rig, "chat/@stable e", second);
    cr_assert_eq(rig.told.ack.applied_epoch, 7, "the canary has not asked");
    asks(&rig, "chat/@canary e", second);
    cr_assert_eq(rig.told.ack.applied_epoch, 7);
    asks(&rig, "chat/@canary e", second);
    cr_assert_eq(rig.told.ack.applied_epoch, 8);
    /* another HAProxy says nothing for this one */
    asks(&rig, "chat/@canary f", second);
    cr_assert_eq(rig.told.ack.applied_epoch, -1);
    service_view_unref(first);
    service_view_unref(second);
    agent_book_free(rig.book);
}

Test(gateway_agent, what_was_lost_or_of_another_incarnation_acknowledges_nothing)
{
    struct rig rig = rig_new();
    struct service_view *view = view_of(7, "v1", "v2", 500);
    const struct agent_ask stable = ask_of("chat/@stable e");
    asks(&rig, "chat/@stable e", view);
    agent_book_lost(rig.book, &stable);
    asks(&rig, "chat/@stable e", view);
    cr_assert_eq(rig.told.ack.applied_epoch, -1);
    asks(&rig, "chat/@stable e", view);
    cr_assert_eq(rig.told.ack.applied_epoch, 7);
    view->incarnation = 2;
    asks(&rig, "chat/@stable e", view);
    cr_assert_eq(rig.told.ack.applied_epoch, -1);
    asks(&rig, "chat/@stable e", view);
    cr_assert_eq(rig.told.ack.applied_epoch, 7);
    service_view_unref(view);
    agent_book_free(rig.book);
}

Test(gateway_agent, a_canary_with_company_is_out_with_its_next_question)
{
    struct rig rig = rig_new();
    struct service_view *before = view_of(1, "v1", "v2", 500), *after = view_of(2, "v1", NULL, 0);
    settle(&rig, before);
    cr_assert_str_eq(asks(&rig, "chat/@canary e", before), "ready 10% ");
    cr_assert_str_eq(asks(&rig, "chat/@canary e", after), "maint ", "before stable has asked");
    cr_assert_str_eq(asks(&rig, "chat/@stable e", after), "ready 200% ");
    service_view_unref(before);
    service_view_unref(after);
    agent_book_free(rig.book);
}

/* Whatever the order of questions, something is up: at no moment has the last answer to each been maint. */
Test(gateway_agent, never_a_moment_without_a_server)
{
    static const char *const names[] = {"chat/@stable e", "chat/@canary e"};
    for (unsigned order = 1; order < (1u << 10) - 1; order++) { /* each asks within 3 s */
        struct rig rig = rig_new();
        struct service_view *views[] = {view_of(1, "v1", "v2", 10000), view_of(2, "v1", NULL, 0),
                                        view_of(3, "v1", "v2", 10000), view_of(4, "v1", "v2", 300)};
        bool up[2] = {true, false}; /* as HAProxy starts: stable, and the canary disabled */
        for (int at = 0; at < 160; at++) {
            int who = (order >> (at % 10)) & 1;
            const char *answer = asks(&rig, names[who], views[at / 40]);
            if (answer[0] != '\0')
                up[who] = strcmp(answer, "maint ") != 0;
            cr_assert(up[0] || up[1], "order %x, question %d", order, at);
            pass_ms(&rig, 300);
        }
        for (int i = 0; i < 4; i++)
            service_view_unref(views[i]);
        agent_book_free(rig.book);
    }
}

Test(gateway_agent, a_canary_with_everything_keeps_one_percent_until_stable_is_up)
{
    struct rig rig = rig_new();
    struct service_view *before = view_of(1, "v1", "v2", 10000), *after = view_of(2, "v1", NULL, 0);
    settle(&rig, before);
    cr_assert_str_eq(asks(&rig, "chat/@stable e", before), "maint ");
    cr_assert_str_eq(asks(&rig, "chat/@canary e", after), "ready 1% ");
    cr_assert_str_eq(asks(&rig, "chat/@stable e", after), "ready 200% ");
    cr_assert_str_eq(asks(&rig, "chat/@canary e", after), "ready 1% ", "stable has not asked again");
    cr_assert_eq(rig.told.ack.applied_epoch, 1);
    pass_ms(&rig, 500);
    asks(&rig, "chat/@stable e", after);
    cr_assert_str_eq(asks(&rig, "chat/@canary e", after), "ready 1% ", "it may not be up yet");
    pass_ms(&rig, 1500);
    asks(&rig, "chat/@stable e", after);
    cr_assert_str_eq(asks(&rig, "chat/@canary e", after), "maint ");
    asks(&rig, "chat/@canary e", after);
    cr_assert_eq(rig.told.ack.applied_epoch, 2);
    service_view_unref(before);
    service_view_unref(after);
    agent_book_free(rig.book);
}

/* Law 2: a rollback ends, also where nobody else is known to Serin. */
Test(gateway_agent, a_server_that_asks_alone_is_taken_out_after_a_moment)
{
    struct rig rig = rig_new();
    struct service_view *before = view_of(1, "v1", "v2", 500), *after = view_of(2, "v1", NULL, 0);
    cr_assert_str_eq(asks(&rig, "chat/@canary e", after), "", "it may have been serving: who else is there?");
    pass_ms(&rig, 500);
    cr_assert_str_eq(asks(&rig, "chat/@canary e", before), "ready 10% ");
    cr_assert_str_eq(asks(&rig, "chat/@canary e", after), "ready 1% ");
    pass_ms(&rig, 4500);
    cr_assert_str_eq(asks(&rig, "chat/@canary e", after), "maint ");
    service_view_unref(before);
    service_view_unref(after);
    agent_book_free(rig.book);
}

Test(gateway_agent, what_is_not_known_changes_nothing)
{
    struct rig rig = rig_new();
    struct service_view *view = view_of(1, "v1", "v2", 500);
    cr_assert_str_eq(asks(&rig, "chat/v33 e", view), "");
    cr_assert(rig.told.heard, "and keeps its HAProxy behind");
    cr_assert_str_eq(asks(&rig, "chat/v33 e", view), "");
    cr_assert_eq(rig.told.ack.applied_epoch, -1);
    cr_assert_str_eq(asks(&rig, "nobody/v1 e", NULL), "");
    cr_assert_not(rig.told.heard);
    service_view_unref(view);
    agent_book_free(rig.book);
}

Test(gateway_agent, servers_that_are_gone_are_forgotten_and_there_is_a_most)
{
    struct rig rig = rig_new();
    struct service_view *view = view_of(1, "v1", "v2", 500);
    char line[64];
    for (int i = 0; i < 150; i++) {
        snprintf(line, sizeof line, "chat/@stable e%d", i);
        cr_assert_str_eq(asks(&rig, line, view), "ready 190% ", "a weight is told to all");
        cr_assert_eq(rig.told.heard, i < 100);
    }
    cr_assert_eq(agent_book_count(rig.book), 100);
    pass_ms(&rig, 59999);
    asks(&rig, "chat/@stable e3", view);
    agent_book_sweep(rig.book, rig.now);
    cr_assert_eq(agent_book_count(rig.book), 100);
    pass_ms(&rig, 1);
    agent_book_sweep(rig.book, rig.now);
    cr_assert_eq(agent_book_count(rig.book), 1);
    asks(&rig, "chat/@stable e3", view);
    cr_assert_eq(rig.told.ack.applied_epoch, 1);
    service_view_unref(view);
    agent_book_free(rig.book);
}

/* Law 11: what the route says is not applied by that. */
Test(gateway_agent, of_a_weight_that_cannot_be_said_the_next_lower_is_told_and_not_acknowledged)
{
    struct rig rig = rig_new();
    struct service_view *before = view_of(1, "v1", "v2", 500), *odd = view_of(2, "v1", "v2", 720),
                        *back = view_of(3, "v1", "v2", 700);
    settle(&rig, before);
    for (int i = 0; i < 3; i++) {
        pass_ms(&rig, 500);
        asks(&rig, "chat/@stable e", odd);
        cr_assert_str_eq(rig.told.line,
                         "ready 186% # epoch 2: 7.20 % cannot be said, 7.0 % is the next lower\n");
        cr_assert(rig.told.less);
        cr_assert_eq(rig.told.ack.applied_epoch, 1);
        asks(&rig, "chat/@canary e", odd);
        cr_assert_str_eq(rig.told.line,
                         "ready 14% # epoch 2: 7.20 % cannot be said, 7.0 % is the next lower\n");
        cr_assert_eq(rig.told.ack.applied_epoch, 1);
        cr_assert_eq(rig.told.ack.weight_step, 50);
    }
    asks(&rig, "chat/@stable e", odd);
    asks(&rig, "chat/@canary e", odd);
    cr_assert_eq(rig.told.ack.applied_epoch, 1, "however often it asks");
    /* the same weight, said by the route */
    for (int i = 0; i < 2; i++) {
        asks(&rig, "chat/@stable e", back);
        cr_assert_not(rig.told.less);
        cr_assert_str_eq(asks(&rig, "chat/@canary e", back), "ready 14% ");
    }
    cr_assert_eq(rig.told.ack.applied_epoch, 3);
    service_view_unref(before);
    service_view_unref(odd);
    service_view_unref(back);
    agent_book_free(rig.book);
}

static void asks_both(struct rig *rig, const struct service_view *view, bool lapsed)
{
    static const char *const lines[] = {"chat/@stable e", "chat/@canary e"};
    for (int i = 0; i < 24; i++) {
        const struct agent_ask ask = ask_of(lines[i % 2]);
        agent_book_answer(rig->book, &ask, view, lapsed, rig->now, &rig->told);
        pass_ms(rig, 250);
    }
}

/* Stable alone can be said, so while the lease is over the route is applied; once it is renewed it is not. */
Test(gateway_agent, what_was_applied_without_the_lease_is_not_applied_with_it)
{
    struct rig rig = rig_new();
    struct service_view *before = view_of(1, "v1", "v2", 500), *odd = view_of(2, "v1", "v2", 720);
    settle(&rig, before);
    asks_both(&rig, odd, true);
    cr_assert_eq(rig.told.ack.applied_epoch, 2);
    asks_both(&rig, odd, false);
    cr_assert(rig.told.less);
    cr_assert_neq(rig.told.ack.applied_epoch, 2);
    service_view_unref(before);
    service_view_unref(odd);
    agent_book_free(rig.book);
}

/* Whatever weight on-call lowers it to, the canary has no more than that with its next question. */
Test(gateway_agent, lowering_takes_effect_whatever_the_weight)
{
    for (int weight = 0; weight < 2500; weight++) {
        struct rig rig = rig_new();
        struct service_view *before = view_of(1, "v1", "v2", 2500), *after = view_of(2, "v1", "v2", weight);
        int percent = 0;
        settle(&rig, before);
        cr_assert_str_eq(asks(&rig, "chat/@canary e", before), "ready 50% ");
        const char *told = asks(&rig, "chat/@canary e", after);
        if (strcmp(told, "maint ") != 0)
            cr_assert_eq(sscanf(told, "ready %d%%", &percent), 1, "%s", told);
        cr_assert_leq(percent * 50, weight, "%s at %d", told, weight);
        service_view_unref(before);
        service_view_unref(after);
        agent_book_free(rig.book);
    }
}

Test(gateway_agent, without_a_lease_no_weight_is_too_fine)
{
    struct rig rig = rig_new();
    struct service_view *odd = view_of(2, "v1", "v2", 20);
    const struct agent_ask stable = ask_of("chat/@stable e");
    for (int i = 0; i < 2; i++)
        agent_book_answer(rig.book, &stable, odd, true, rig.now, &rig.told);
    cr_assert_not(rig.told.less);
    cr_assert_eq(rig.told.ack.applied_epoch, 2, "stable alone is what the route says past its lease");
    service_view_unref(odd);
    agent_book_free(rig.book);
}
