/* The laws that the schema itself keeps: each test tries to break one with plain SQL. */
#include "support/database.h"

#include <criterion/criterion.h>

static struct database database;

static void make(void)
{
    database_make_migrated(&database);
    database_do(
        database.db,
        "INSERT INTO services (name) VALUES ('chat'), ('other');"
        "INSERT INTO artifacts (kind, name) VALUES ('model', 'm');"
        "INSERT INTO artifact_versions (kind, name, version, digest, content, media_type, created_by)"
        "  VALUES ('model', 'm', 1, sha256('{}'), '{}', 'application/json', 'test');"
        "INSERT INTO releases (service, name, content, digest, behaviour, created_by)"
        "  SELECT 'chat', r, r::bytea, sha256(r::bytea), sha256(r::bytea), 'test'"
        "  FROM unnest(ARRAY['one', 'two', 'three']) r;"
        "INSERT INTO releases (service, name, content, digest, behaviour, created_by)"
        "  VALUES ('other', 'far', 'far', sha256('far'), sha256('far'), 'test');"
        "INSERT INTO release_artifacts VALUES ('chat', 'one', 'model', 'm', 1);"
        "INSERT INTO rollouts (id, service, release, stable, phase, step, plan, policy, slos, salt,"
        "                      created_at, created_by, rule, reason, phase_since, lease_epoch)"
        "  VALUES ('ro_1', 'chat', 'two', 'one', 'progressing', 1, '{}', '{}', '{}', 's', now(), 'test',"
        "          'R', '', now(), 5)");
}

static void drop(void)
{
    database_drop(&database);
}

TestSuite(store_laws, .init = make, .fini = drop, .timeout = 60);

#define INTEGRITY "23000"
#define CHECK     "23514"
#define FOREIGN   "23503"
#define UNIQUE    "23505"

static void refuses(const char *sqlstate, const char *sql)
{
    database_refuses(database.db, sqlstate, sql);
}

/* Law 1. */
Test(store_laws, weights_sum_to_10000_by_construction)
{
#define ROUTE "INSERT INTO routes (service, epoch, stable, canary, canary_weight, written_at) VALUES "
    refuses(CHECK, ROUTE "('chat', 1, 'one', 'two', 10001, now())");
    refuses(CHECK, ROUTE "('chat', 1, 'one', 'two', -1, now())");
    refuses(CHECK, ROUTE "('chat', 1, 'one', NULL, 1, now())");
    refuses(CHECK, ROUTE "('chat', 1, NULL, 'two', 9999, now())");
    refuses(CHECK, ROUTE "('chat', 1, 'one', 'one', 5000, now())");
    database_do(database.db,
                ROUTE "('chat', 1, NULL, 'one', 10000, now()), ('chat', 2, 'one', 'two', 10000, now())");
}

Test(store_laws, a_route_names_only_releases_of_its_service)
{
    refuses(FOREIGN, ROUTE "('chat', 1, 'none', NULL, 0, now())");
    refuses(FOREIGN, ROUTE "('chat', 1, 'one', 'none', 1, now())");
    refuses(FOREIGN, ROUTE "('chat', 1, 'far', NULL, 0, now())");
    refuses(FOREIGN, ROUTE "('none', 1, NULL, NULL, 0, now())");
    refuses(FOREIGN, "INSERT INTO route_state (service, epoch, rev) VALUES ('chat', 1, 1)");
}

Test(store_laws, epochs_follow_one_another)
{
    refuses(INTEGRITY, ROUTE "('chat', 2, 'one', NULL, 0, now())");
    refuses(INTEGRITY, ROUTE "('chat', 0, 'one', NULL, 0, now())");
    database_do(database.db, ROUTE "('chat', 1, 'one', NULL, 0, now())");
    refuses(INTEGRITY, ROUTE "('chat', 3, 'one', NULL, 0, now())");
    refuses(INTEGRITY, ROUTE "('chat', 1, 'one', NULL, 0, now())");
    database_do(database.db, ROUTE "('chat', 2, 'one', NULL, 0, now())");
}

Test(store_laws, history_is_append_only)
{
    database_do(database.db, ROUTE
                "('chat', 1, 'one', NULL, 0, now());"
                "INSERT INTO verdicts (rollout, sli, verdict, at, detail) VALUES ('ro_1', 'error', 'pass', "
                "now(), '{}');"
                "INSERT INTO blocks VALUES ('ro_1', 1, 2, 0, 1, 100, true, 10, 1, 10, 1);"
                "INSERT INTO bakes (service, release, rollout, at) VALUES ('chat', 'one', 'ro_1', now());"
                "INSERT INTO slos (service, version, document, created_by) VALUES ('chat', 1, '{}', 't');"
                "INSERT INTO policies (service, version, document, created_by) VALUES ('chat', 1, '{}', 't');"
                "INSERT INTO events (id, service, seq, at, type, body, prev_hash, hash)"
                "  VALUES ('ev_1', 'chat', 1, now(), 't', '{}', sha256('serin'),"
                "          sha256(sha256('serin') || '{}'));"
                "INSERT INTO artifacts (kind, name) VALUES ('corpus', 'c');"
                "INSERT INTO artifact_versions (kind, name, version, digest, content, media_type, created_by)"
                "  VALUES ('corpus', 'c', 1, sha256('{}'), '{}', 'application/json', 'test');"
                "INSERT INTO corpus_readiness (name, version, ready, by) VALUES ('c', 1, true, 't')");
    refuses(INTEGRITY, "UPDATE routes SET canary_weight = 0");
    refuses(INTEGRITY, "DELETE FROM routes");
    refuses(INTEGRITY, "UPDATE releases SET created_by = 'me'");
    refuses(INTEGRITY, "DELETE FROM releases");
    refuses(INTEGRITY, "DELETE FROM release_artifacts");
    refuses(INTEGRITY, "UPDATE release_artifacts SET version = 1");
    refuses(INTEGRITY, "UPDATE artifact_versions SET changelog = 'x'");
    refuses(INTEGRITY, "DELETE FROM artifact_versions");
    refuses(INTEGRITY, "UPDATE verdicts SET verdict = 'pass'");
    refuses(INTEGRITY, "DELETE FROM verdicts");
    refuses(INTEGRITY, "UPDATE blocks SET k_c = 0");
    refuses(INTEGRITY, "DELETE FROM blocks");
    refuses(INTEGRITY, "DELETE FROM bakes");
    refuses(INTEGRITY, "UPDATE slos SET document = '[]'");
    refuses(INTEGRITY, "DELETE FROM policies");
    refuses(INTEGRITY, "UPDATE events SET body = '{\"a\":1}', hash = sha256(prev_hash || '{\"a\":1}')");
    refuses(INTEGRITY, "DELETE FROM events");
    refuses(INTEGRITY, "UPDATE corpus_readiness SET ready = false");
    refuses(INTEGRITY, "DELETE FROM rollouts WHERE id = 'ro_1'");
}

Test(store_laws, content_is_what_its_digest_says)
{
    refuses(CHECK,
            "INSERT INTO artifact_versions (kind, name, version, digest, content, media_type, created_by)"
            "  VALUES ('model', 'm', 2, sha256('a'), 'b', 'text/plain', 'test')");
    refuses(CHECK,
            "INSERT INTO releases (service, name, content, digest, behaviour, created_by)"
            "  VALUES ('chat', 'four', 'a', sha256('b'), sha256('c'), 'test')");
    refuses(UNIQUE,
            "INSERT INTO artifact_versions (kind, name, version, digest, content, media_type, created_by)"
            "  VALUES ('model', 'm', 2, sha256('{}'), '{}', 'application/json', 'test')");
    refuses(FOREIGN, "INSERT INTO release_artifacts VALUES ('chat', 'two', 'model', 'm', 2)");
}

Test(store_laws, names_stand_in_paths_unescaped)
{
    refuses(CHECK, "INSERT INTO services (name) VALUES ('a/b')");
    refuses(CHECK, "INSERT INTO services (name) VALUES ('')");
    refuses(CHECK, "INSERT INTO services (name) VALUES ('.a')");
    refuses(CHECK, "INSERT INTO services (name) VALUES (repeat('a', 64))");
    refuses(CHECK, "INSERT INTO services (name) VALUES (E'a\\n')");
}

/* One live rollout for each service. */
Test(store_laws, no_second_live_rollout)
{
#define ROLLOUT(id, release, stable, phase, ended)                                                           \
    "INSERT INTO rollouts (id, service, release, stable, phase, plan, policy, slos, salt, created_at, "      \
    "created_by,"                                                                                            \
    " rule, reason, phase_since, ended_at) VALUES ('" id "', 'chat', '" release "', '" stable "', '" phase   \
    "', '{}', '{}', '{}', 's', now(), 'test', 'R', '', now(), " ended ")"
    refuses(UNIQUE, ROLLOUT("ro_2", "three", "one", "pending", "NULL"));
    database_do(database.db, ROLLOUT("ro_2", "three", "one", "completed", "now()"));
    refuses(INTEGRITY, "UPDATE rollouts SET phase = 'baking', ended_at = NULL WHERE id = 'ro_2'");
    database_do(database.db, "UPDATE rollouts SET phase = 'aborted', ended_at = now() WHERE id = 'ro_1'");
    database_do(database.db, ROLLOUT("ro_3", "three", "one", "pending", "NULL"));
}

Test(store_laws, rows_of_rollouts_make_sense)
{
    refuses(CHECK, ROLLOUT("ro_9", "two", "two", "completed", "now()"));
    refuses(CHECK, ROLLOUT("ro_9", "two", "one", "completed", "NULL"));
    refuses(CHECK, ROLLOUT("ro_9", "two", "one", "pending", "now()"));
    refuses(CHECK, ROLLOUT("ro_9", "two", "one", "flying", "now()"));
    refuses(FOREIGN, ROLLOUT("ro_9", "none", "one", "completed", "now()"));
    refuses(CHECK, "UPDATE rollouts SET phase = 'paused'");
    refuses(CHECK, "UPDATE rollouts SET resume_phase = 'baking'");
    refuses(CHECK, "UPDATE rollouts SET canary_weight = 10001");
    refuses(CHECK, "UPDATE rollouts SET step = -1");
}

/* Law 3: plan and policy are frozen; law 2: nothing undoes an end. */
Test(store_laws, what_is_frozen_stays)
{
    refuses(INTEGRITY, "UPDATE rollouts SET plan = '{\"steps\":[]}'");
    refuses(INTEGRITY, "UPDATE rollouts SET policy = '{\"pace\":\"time\"}'");
    refuses(INTEGRITY, "UPDATE rollouts SET slos = '{\"x\":1}'");
    refuses(INTEGRITY, "UPDATE rollouts SET release = 'three'");
    refuses(INTEGRITY, "UPDATE rollouts SET stable = 'three'");
    refuses(INTEGRITY, "UPDATE rollouts SET stable = NULL");
    refuses(INTEGRITY, "UPDATE rollouts SET salt = 't'");
    refuses(INTEGRITY, "UPDATE rollouts SET fix = true");
    refuses(INTEGRITY, "UPDATE rollouts SET created_at = now() + interval '1 s'");
    refuses(INTEGRITY, "UPDATE rollouts SET row_version = 0");
    refuses(INTEGRITY, "UPDATE rollouts SET lease_epoch = 4");
    database_do(database.db, "UPDATE rollouts SET phase = 'rolled_back', ended_at = now()");
    refuses(INTEGRITY, "UPDATE rollouts SET phase = 'progressing', ended_at = NULL");
    refuses(INTEGRITY, "UPDATE rollouts SET phase = 'completed'");
}

/* Law 6. */
Test(store_laws, a_fail_stays)
{
#define VERDICT(sli, verdict)                                                                                \
    "INSERT INTO verdicts (rollout, sli, verdict, at, detail) VALUES ('ro_1', '" sli "', '" verdict          \
    "', now(), '{}')"
    database_do(database.db, VERDICT("refusal", "inconclusive"));
    database_do(database.db, VERDICT("refusal", "fail"));
    refuses(INTEGRITY, VERDICT("refusal", "pass"));
    refuses(INTEGRITY, VERDICT("refusal", "no_data"));
    refuses(INTEGRITY, VERDICT("refusal", "inconclusive"));
    database_do(database.db, VERDICT("refusal", "fail"));
    database_do(database.db, VERDICT("error", "pass"));
    refuses(CHECK, VERDICT("error", "good"));
}

Test(store_laws, blocks_are_counts)
{
#define BLOCK(values) "INSERT INTO blocks VALUES ('ro_1', 1, 0, 0, 1, " values ")"
    refuses(CHECK, BLOCK("100, true, 10, 11, 10, 1"));
    refuses(CHECK, BLOCK("100, true, 10, -1, 10, 1"));
    refuses(CHECK, BLOCK("100, true, 10, 1, 10, 11"));
    refuses(CHECK, BLOCK("10001, true, 10, 1, 10, 1"));
    database_do(database.db, BLOCK("100, true, 10, 10, 0, 0"));
    refuses(UNIQUE, BLOCK("100, true, 10, 10, 0, 0"));
}

/* Law 8. */
Test(store_laws, an_old_lease_writes_no_evidence)
{
#define EVIDENCE(epoch)                                                                                      \
    "INSERT INTO rollout_evidence (rollout, state, observed_at, lease_epoch) VALUES ('ro_1', '\\x00', "      \
    "now(), " epoch ")"
    refuses(INTEGRITY, EVIDENCE("4"));
    database_do(database.db, EVIDENCE("5"));
    database_do(database.db, "UPDATE rollout_evidence SET blocks = 1");
    database_do(database.db, "UPDATE rollouts SET lease_epoch = 6");
    refuses(INTEGRITY, "UPDATE rollout_evidence SET blocks = 2");
    refuses(INTEGRITY, "UPDATE rollout_evidence SET blocks = 2, lease_epoch = 5");
    database_do(database.db, "UPDATE rollout_evidence SET blocks = 2, lease_epoch = 6");
}

Test(store_laws, quarantine_needs_a_reason_to_lift)
{
    database_do(database.db,
                "INSERT INTO quarantines (service, behaviour, rollout, reason, since)"
                "  VALUES ('chat', sha256('two'), 'ro_1', 'refusals', now())");
    refuses(UNIQUE,
            "INSERT INTO quarantines (service, behaviour, rollout, reason, since)"
            "  VALUES ('chat', sha256('two'), 'ro_1', 'again', now())");
    refuses(CHECK, "UPDATE quarantines SET lifted_at = now()");
    refuses(CHECK, "UPDATE quarantines SET lifted_at = now(), lifted_by = 'me'");
    cr_assert_eq(database_number(&database, "SELECT quarantine_of('chat', 'two')"), 1);
    cr_assert_str_eq(database_text(&database, "SELECT quarantine_of('chat', 'one')"), "");
    database_do(database.db,
                "UPDATE quarantines SET lifted_at = now(), lifted_by = 'me', lift_reason = 'mended'");
    cr_assert_str_eq(database_text(&database, "SELECT quarantine_of('chat', 'two')"), "");
}

Test(store_laws, one_freeze)
{
    database_do(database.db, "INSERT INTO freezes (reason, since, by) VALUES ('a', now(), 'me')");
    refuses(UNIQUE, "INSERT INTO freezes (reason, since, by) VALUES ('b', now(), 'me')");
}

Test(store_laws, chains_do_not_break)
{
#define EVENT(id, service, seq, prev, hash)                                                                  \
    "INSERT INTO events (id, service, seq, at, type, body, prev_hash, hash) VALUES ('" id "', " service      \
    ", " seq ", now(), 't', '{}', " prev ", " hash ")"
#define HASH_1 "sha256(sha256('serin') || '{}')"
    refuses(CHECK, EVENT("ev_1", "'chat'", "1", "sha256('serin')", "sha256('serin')"));
    refuses(CHECK, EVENT("ev_1", "'chat'", "0", "sha256('serin')", HASH_1));
    refuses(INTEGRITY, EVENT("ev_2", "'chat'", "2", HASH_1, "sha256(" HASH_1 " || '{}')"));
    database_do(database.db, EVENT("ev_1", "'chat'", "1", "sha256('serin')", HASH_1));
    refuses(UNIQUE, EVENT("ev_x", "'chat'", "1", "sha256('serin')", HASH_1));
    refuses(INTEGRITY, EVENT("ev_2", "'chat'", "2", "sha256('serin')", HASH_1));
    refuses(INTEGRITY, EVENT("ev_2", "'chat'", "3", HASH_1, "sha256(" HASH_1 " || '{}')"));
    refuses(INTEGRITY, EVENT("ev_2", "NULL", "2", HASH_1, "sha256(" HASH_1 " || '{}')"));
    database_do(database.db, EVENT("ev_2", "'chat'", "2", HASH_1, "sha256(" HASH_1 " || '{}')"));
    database_do(database.db, EVENT("ev_3", "NULL", "1", "sha256('serin')", HASH_1));
    refuses(UNIQUE, EVENT("ev_y", "NULL", "1", "sha256('serin')", HASH_1));
}

Test(store_laws, tokens_are_hashed_and_unique)
{
#define TOKEN(id, name, secret)                                                                              \
    "INSERT INTO tokens (id, name, role, secret_sha256) VALUES ('" id "', '" name "', 'viewer', " secret ")"
    refuses(CHECK, TOKEN("tk_1", "a", "'serin_secret'"));
    database_do(database.db, TOKEN("tk_1", "a", "sha256('1')"));
    refuses(UNIQUE, TOKEN("tk_2", "a", "sha256('2')"));
    refuses(UNIQUE, TOKEN("tk_2", "b", "sha256('1')"));
    database_do(database.db, "UPDATE tokens SET revoked_at = now()");
    database_do(database.db, TOKEN("tk_2", "a", "sha256('2')"));
}

Test(store_laws, the_clock_can_run_faster)
{
    database_do(database.db, "UPDATE clock SET origin = now(), origin_real = now(), rate = 3600");
    database_do(database.db, "SELECT pg_sleep(0.1)");
    cr_assert(database_number(&database, "SELECT extract(epoch FROM serin_now() - now())") >= 300);
    cr_assert_eq(
        database_number(&database, "SELECT extract(epoch FROM serin_real(serin_now()) - clock_timestamp())"),
        0);
    refuses(CHECK, "UPDATE clock SET rate = 0");
    refuses(UNIQUE, "INSERT INTO clock (origin_real, origin, rate) VALUES (now(), now(), 1)");
}
