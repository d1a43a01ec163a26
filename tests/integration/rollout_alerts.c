/* What alerts of others do to a rollout, with the daemon's own code on a database: each action of the policy,
   who is blamed, repeats, silence, and replay. */
#include "rollout/rollout.h"
#include "store/alerts.h"
#include "support/world.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct world world;
static char id[ID_MAX];

/* A rollout of v2 in its first step, applied, two seconds after the beginning. `action`: of the policy. */
static void open_with(const char *action)
{
    char policy[400];
    snprintf(
        policy, sizeof policy,
        "{\"plan\":{\"steps\":[{\"weight\":\"5%%\",\"bake\":\"1h\"},{\"weight\":\"100%%\",\"bake\":\"1h\"}]},"
        "\"guardrails\":{\"refusal\":{\"maturity\":\"1s\",\"budget_share\":0}},\"blind\":\"1h\","
        "\"alerts\":{\"action\":\"%s\"}}",
        action);
    world_open(&world, "{\"refusal\":{\"objective\":90}}", policy);
    world_at(&world, 0);
    snprintf(id, sizeof id, "%s", world_start(&world, "v2"));
    world_at(&world, 1);
    world_gateway_applies(&world);
    world_tick(&world, id);
    world_gateway_applies(&world);
    world_at(&world, 2);
}

static void close_world(void)
{
    world_close(&world);
}

static struct alert alert_of(const char *fingerprint, const char *release, bool firing)
{
    struct alert alert = {.service = "chat", .summary = "too many", .firing = firing, .starts_at = {1}};
    snprintf(alert.fingerprint, sizeof alert.fingerprint, "%s", fingerprint);
    snprintf(alert.name, sizeof alert.name, "Alert-%s", fingerprint);
    snprintf(alert.release, sizeof alert.release, "%s", release);
    return alert;
}

struct taken {
    int taken, ignored, crowded;
};

static enum alert_fate fate[ALERTS_EACH_MAX + 1];

static struct taken count_fates(size_t count)
{
    struct taken taken = {0};
    for (size_t i = 0; i < count; i++)
        *(fate[i] < ALERT_IGNORE_LABEL ? &taken.taken
          : fate[i] == ALERT_CROWDED   ? &taken.crowded
                                       : &taken.ignored) += 1;
    return taken;
}

static struct taken take(const struct alert *alerts, size_t count)
{
    struct fault fault = {.detail = ""};
    db_deadline(world.db, clock_mono_after_ms(clock_mono(), 10000));
    cr_assert_eq(db_begin(world.db, &fault), STATUS_OK);
    cr_assert_eq(rollout_take_alerts(world.db, alerts, count, 600, "alertmanager", fate, &fault), STATUS_OK,
                 "%s", fault.detail);
    cr_assert_eq(db_commit(world.db, &fault), STATUS_OK);
    return count_fates(count);
}

static void send(const char *fingerprint, const char *release, bool firing)
{
    struct alert alert = alert_of(fingerprint, release, firing);
    cr_assert_eq(take(&alert, 1).taken, 1);
}

/* One turn; the rule that the rollout shows then. */
static const char *turn(double second)
{
    world_at(&world, second);
    world_gateway_applies(&world);
    world_tick(&world, id);
    return world_text(&world, "SELECT rule FROM rollouts WHERE id = '%s'", id);
}

static int events(const char *what)
{
    return atoi(world_text(
        &world, "SELECT count(*) FROM events WHERE type = '%s' OR body::jsonb->>'rule' = '%s'", what, what));
}

Test(rollout_alerts, an_alert_holds_while_it_fires, .fini = close_world)
{
    open_with("hold");
    send("a1", "", true);
    cr_expect_str_eq(turn(3), "hold.alert");
    cr_expect_not_null(
        strstr(world_text(&world, "SELECT reason FROM rollouts WHERE id = '%s'", id), "Alert-a1"));
    send("a1", "", true); /* a repeat says nothing new */
    cr_expect_str_eq(turn(4), "hold.alert");
    cr_expect_eq(events("alert.firing"), 1);
    cr_expect_eq(events("hold.alert"), 1);
    cr_expect_str_eq(world_text(&world,
                                "SELECT body::jsonb->'data'->>'page' FROM events WHERE "
                                "body::jsonb->>'rule' = 'hold.alert'"),
                     "true");
    send("a1", "", false);
    cr_expect_str_neq(turn(5), "hold.alert");
    cr_expect_eq(events("alert.resolved"), 1);
    send("a1", "", false); /* resolved already */
    cr_expect_eq(events("alert.resolved"), 1);
    send("a1", "", true); /* the same alert fires anew */
    cr_expect_str_eq(turn(6), "hold.alert");
    cr_expect_eq(events("alert.firing"), 2);
}

Test(rollout_alerts, only_an_alert_that_names_the_canary_rolls_back, .fini = close_world)
{
    open_with("rollback");
    send("b1", "", true);
    cr_expect_str_eq(turn(3), "hold.alert", "nobody is named: it holds, and nobody is blamed");
    send("b2", "v1", true);
    cr_expect_str_eq(turn(4), "hold.alert", "stable is named");
    send("b3", "v3", true);
    cr_expect_str_eq(turn(5), "hold.alert", "a release that takes no part");
    send("b4", "v2", true);
    cr_expect_str_eq(turn(6), "alert.rollback");
    cr_expect_str_eq(world_text(&world, "SELECT phase FROM rollouts WHERE id = '%s'", id), "rolled_back");
    cr_expect_not_null(strstr(world_text(&world, "SELECT reason FROM rollouts WHERE id = '%s'", id),
                              "the alert Alert-b4 fires for v2"));
    cr_expect_str_eq(world_text(&world, "SELECT count(*) FROM quarantines"), "0", "an alert is no evidence");
    cr_expect_str_eq(world_text(&world,
                                "SELECT canary_weight FROM routes WHERE service = 'chat' ORDER BY epoch "
                                "DESC LIMIT 1"),
                     "0");
}

Test(rollout_alerts, nothing_starts_while_an_alert_fires, .fini = close_world)
{
    open_with("rollback");
    send("c1", "v2", true);
    cr_expect_str_eq(turn(3), "alert.rollback");
    snprintf(id, sizeof id, "%s", world_start(&world, "v2"));
    cr_expect_str_eq(turn(4), "pending.alert");
    send("c1", "v2", false);
    cr_expect_str_eq(turn(5), "start");
}

Test(rollout_alerts, another_release_and_another_service_do_not_matter, .fini = close_world)
{
    open_with("hold");
    struct alert alerts[] = {alert_of("d1", "v3", true), alert_of("d2", "", true), alert_of("d3", "", true)};
    snprintf(alerts[1].service, sizeof alerts[1].service, "nobody");
    alerts[2].service[0] = '\0';
    struct taken taken = take(alerts, 3);
    cr_expect(taken.taken == 1 && taken.ignored == 2, "%d %d", taken.taken, taken.ignored);
    cr_expect(fate[0] == ALERT_OTHER_RELEASE && fate[1] == ALERT_UNKNOWN_SERVICE &&
              fate[2] == ALERT_NO_SERVICE);
    cr_expect_str_eq(turn(3), "step.dwell");
}

Test(rollout_alerts, what_is_labelled_to_be_ignored_is_not_taken, .fini = close_world)
{
    open_with("rollback");
    struct alert alert = alert_of("d4", "v2", true);
    alert.ignore = true;
    cr_expect_eq(take(&alert, 1).ignored, 1);
    cr_expect_eq(fate[0], ALERT_IGNORE_LABEL);
    cr_expect_str_eq(turn(3), "step.dwell");
    cr_expect_str_eq(world_text(&world, "SELECT count(*) FROM alerts"), "0");
}

Test(rollout_alerts, the_reason_of_a_hold_names_what_fires_now, .fini = close_world)
{
    open_with("hold");
    send("aa", "", true);
    send("bb", "v1", true);
    cr_expect_str_eq(turn(3), "hold.alert");
    cr_expect_str_eq(world_text(&world, "SELECT reason FROM rollouts WHERE id = '%s'", id),
                     "Holding: the alert Alert-bb, Alert-aa fires about chat.");
    send("bb", "v1", false);
    cr_expect_str_eq(turn(4), "hold.alert");
    cr_expect_str_eq(world_text(&world, "SELECT reason FROM rollouts WHERE id = '%s'", id),
                     "Holding: the alert Alert-aa fires about chat.");
    send("cc", "", true);
    turn(5);
    cr_expect_str_eq(world_text(&world, "SELECT reason FROM rollouts WHERE id = '%s'", id),
                     "Holding: the alert Alert-cc, Alert-aa fires about chat.");
    const char *version = "SELECT row_version FROM rollouts WHERE id = '%s'";
    int before = atoi(world_text(&world, version, id));
    turn(6);
    cr_expect_eq(atoi(world_text(&world, version, id)), before, "what says the same writes nothing");
    cr_expect_eq(events("hold.alert"), 1, "it held all the time");
}

Test(rollout_alerts, law2_alerts_that_come_and_go_do_not_refuse_an_abort_by_its_version, .fini = close_world)
{
    struct rollout_command abort = {.verb = VERB_ABORT};
    struct fault fault = {.detail = ""};
    char result[ID_MAX];
    open_with("hold");
    send("aa", "", true);
    cr_expect_str_eq(turn(3), "hold.alert");
    abort.if_version = atoi(world_text(&world, "SELECT row_version FROM rollouts WHERE id = '%s'", id));
    for (int second = 4; second < 8; second++) {
        send("bb", "", second % 2 == 0);
        cr_expect_str_eq(turn(second), "hold.alert");
        cr_expect_eq(
            strstr(world_text(&world, "SELECT reason FROM rollouts WHERE id = '%s'", id), "Alert-bb") != NULL,
            second % 2 == 0, "it names what fires now");
    }
    db_deadline(world.db, clock_mono_after_ms(clock_mono(), 10000));
    cr_assert_eq(db_begin(world.db, &fault), STATUS_OK);
    cr_assert_eq(rollout_command(world.db, id, &abort, "oncall", result, &fault), STATUS_OK, "%s",
                 fault.detail);
    cr_assert_eq(db_commit(world.db, &fault), STATUS_OK);
    cr_expect_str_eq(turn(8), "abort");
}

Test(rollout_alerts, a_pause_is_given_once_for_each_firing, .fini = close_world)
{
    char result[ID_MAX];
    struct fault fault = {.detail = ""};
    struct rollout_command resume = {.verb = VERB_RESUME};
    open_with("pause");
    send("e1", "", true);
    cr_expect_str_eq(turn(3), "alert.pause");
    cr_assert_eq(db_begin(world.db, &fault), STATUS_OK);
    cr_assert_eq(rollout_command(world.db, id, &resume, "tester", result, &fault), STATUS_OK, "%s",
                 fault.detail);
    cr_assert_eq(db_commit(world.db, &fault), STATUS_OK);
    cr_expect_str_eq(turn(4), "hold.alert", "it still fires: it holds, and is not paused again");
    send("e2", "v2", true);
    cr_expect_str_eq(turn(5), "alert.pause", "another one");
    cr_expect_eq(events("alert.pause"), 2);
}

Test(rollout_alerts, a_notice_is_given_once_and_it_goes_on, .fini = close_world)
{
    open_with("notify");
    send("f1", "v2", true);
    turn(3);
    cr_expect_eq(events("alert.notice"), 1);
    cr_expect_str_eq(turn(4), "step.dwell");
    send("f1", "v2", true);
    turn(5);
    cr_expect_eq(events("alert.notice"), 1);
}

Test(rollout_alerts, silence_ends_an_alert_and_says_so, .fini = close_world)
{
    struct fault fault = {.detail = ""};
    open_with("hold");
    send("g1", "", true);
    cr_expect_str_eq(turn(500), "hold.alert");
    send("g1", "", true); /* heard of again: 600 s more */
    cr_expect_str_eq(turn(1000), "hold.alert");
    cr_expect_str_neq(turn(1101), "hold.alert");
    db_deadline(world.db, clock_mono_after_ms(clock_mono(), 10000));
    cr_assert_eq(rollout_lapse_alerts(world.db, &fault), STATUS_OK, "%s", fault.detail);
    cr_assert_eq(rollout_lapse_alerts(world.db, &fault), STATUS_OK, "%s", fault.detail);
    cr_expect_eq(events("alert.expired"), 1);
    send("g1", "", true); /* and fires anew when it is heard of */
    cr_expect_str_eq(turn(1102), "hold.alert");
}

Test(rollout_alerts, a_mute_lifts_the_hold_while_it_lasts, .fini = close_world)
{
    char result[ID_MAX];
    struct fault fault = {.detail = ""};
    struct rollout_command mute = {
        .verb = VERB_MUTE, .muted = WATCH_ALERT, .until = "10s", .reason = "the alert is wrong"};
    open_with("rollback");
    send("h1", "", true);
    cr_expect_str_eq(turn(3), "hold.alert");
    cr_assert_eq(db_begin(world.db, &fault), STATUS_OK);
    cr_assert_eq(rollout_command(world.db, id, &mute, "tester", result, &fault), STATUS_OK, "%s",
                 fault.detail);
    cr_assert_eq(db_commit(world.db, &fault), STATUS_OK);
    cr_expect_str_eq(turn(4), "step.dwell");
    cr_expect_str_eq(turn(14), "hold.alert");
}

/* What fires without end makes room for nothing more, and what is over does. */
Test(rollout_alerts, rows_of_a_service_are_bounded, .fini = close_world)
{
    struct alert *many = calloc(ALERTS_EACH_MAX + 1, sizeof *many);
    char fingerprint[20];
    open_with("hold");
    for (int i = 0; i <= ALERTS_EACH_MAX; i++) {
        snprintf(fingerprint, sizeof fingerprint, "%x", i + 1);
        many[i] = alert_of(fingerprint, "", true);
    }
    struct taken taken = take(many, ALERTS_EACH_MAX + 1);
    cr_expect(taken.taken == ALERTS_EACH_MAX && taken.crowded == 1 && taken.ignored == 0);
    cr_expect_str_eq(turn(3), "hold.alert");
    cr_expect_not_null(
        strstr(world_text(&world, "SELECT reason FROM rollouts WHERE id = '%s'", id), "(and 497 more)"));
    many[0].firing = false;
    take(many, 1);
    cr_expect_eq(take(&many[ALERTS_EACH_MAX], 1).taken, 1);
    free(many);
}

/* One that names the canary is heard in a storm of those that name nobody. */
Test(rollout_alerts, in_a_storm_there_is_room_for_one_that_names_the_canary, .fini = close_world)
{
    struct alert *many = calloc(ALERTS_EACH_MAX, sizeof *many);
    char fingerprint[20];
    open_with("rollback");
    for (int i = 0; i < ALERTS_EACH_MAX; i++) {
        snprintf(fingerprint, sizeof fingerprint, "%x", i + 1);
        many[i] = alert_of(fingerprint, "", true);
    }
    cr_expect_eq(take(many, ALERTS_EACH_MAX).taken, ALERTS_EACH_MAX);
    cr_expect_str_eq(turn(3), "hold.alert");
    send("abc0", "v2", true);
    cr_expect_str_eq(turn(4), "alert.rollback");
    free(many);
}

/* Law 2: of hundreds of alerts the first are committed, and their service free, while the last are taken in.
 */
Test(rollout_alerts, law2_many_alerts_are_taken_in_pieces, .fini = close_world)
{
    enum { MANY = 120 };
    struct alert *many = calloc(MANY, sizeof *many);
    struct fault fault = {.detail = ""};
    char fingerprint[20];
    open_with("hold");
    for (int i = 0; i < MANY; i++) {
        snprintf(fingerprint, sizeof fingerprint, "%x", i + 1);
        many[i] = alert_of(fingerprint, "", true);
    }
    cr_assert_eq(db_begin(world.db, &fault), STATUS_OK);
    cr_assert_eq(rollout_take_alerts(world.db, many, MANY, 600, "alertmanager", fate, &fault), STATUS_OK);
    db_rollback(world.db);
    cr_expect_str_eq(world_text(&world, "SELECT count(*) FROM alerts"), "100", "all but the last piece");
    cr_expect_eq(count_fates(MANY).taken, MANY);
    take(many, MANY);
    cr_expect_str_eq(world_text(&world, "SELECT count(*) FROM alerts"), "120");
    cr_expect_str_eq(world_text(&world, "SELECT count(*) FROM events WHERE type = 'alert.firing'"), "120",
                     "taken again, nothing is said twice");
    free(many);
}
