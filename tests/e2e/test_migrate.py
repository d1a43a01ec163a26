"""Bringing a database up, and what serind says before it runs."""
import os
import re
import signal
import socket
import subprocess
import time

import pytest

import serin
from serin import SERIND

MIGRATIONS = len([name for name in os.listdir(os.path.join(serin.ROOT, "migrations")) if name.endswith(".sql")])


@pytest.fixture
def database():
    made = serin.Database()
    yield made
    made.drop()


def serind(database, *words, timeout=60, **settings):
    env = {**(database.env() if database else os.environ), "SERIN_CONTROL_ADDR": "127.0.0.1:0",
           "SERIN_GATEWAY_ADDR": "127.0.0.1:0", **settings}
    return subprocess.run([SERIND, *words], env=env, capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL)


def applied(database):
    return [int(row[0]) for row in database.sql("SELECT version FROM schema_migrations ORDER BY version")]


def schema(database):
    """All tables, columns and functions, in words."""
    return database.sql("""
        SELECT table_name, column_name, data_type, is_nullable, column_default FROM information_schema.columns WHERE table_schema = 'public'
        UNION ALL SELECT proname, pg_get_function_identity_arguments(oid), md5(prosrc), '', '' FROM pg_proc WHERE pronamespace = 'public'::regnamespace
        UNION ALL SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid), '', '' FROM pg_constraint WHERE connamespace = 'public'::regnamespace
        ORDER BY 1, 2, 3""")


def test_migrate_twice(database):
    first = serind(database, "migrate")
    assert first.returncode == 0 and first.stdout == f"{MIGRATIONS} migrations applied; the database is at {MIGRATIONS}\n", first
    before = schema(database)
    assert applied(database) == list(range(1, MIGRATIONS + 1)) and len(before) > 50
    second = serind(database, "migrate")
    assert second.returncode == 0 and second.stdout.startswith("0 migrations applied"), second
    assert schema(database) == before


def test_many_migrate_at_once(database):
    env = database.env()
    running = [subprocess.Popen([SERIND, "migrate"], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
               for _ in range(4)]
    counts = []
    for process in running:
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        counts.append(int(out.split()[0]))
    assert sorted(counts) == [0, 0, 0, MIGRATIONS], "one does all of it; the others wait for it"
    assert applied(database) == list(range(1, MIGRATIONS + 1))


def test_a_migration_that_is_killed_is_done_or_not(database):
    for pause in (0.02, 0.05, 0.09, 0.14):
        process = subprocess.Popen([SERIND, "migrate"], env=database.env(), stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        time.sleep(pause)
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=10)
    assert serind(database, "migrate").returncode == 0
    other = serin.Database()
    try:
        other.migrate()
        assert schema(database) == schema(other) and applied(database) == applied(other)
    finally:
        other.drop()


def test_an_unmigrated_database_is_refused_with_a_next_step(database):
    refused = serind(database, timeout=30)
    assert refused.returncode == 1
    assert f"The database is at migration 0, this serind needs {MIGRATIONS}" in refused.stderr and "Run 'serind migrate' first." in refused.stderr
    database.migrate()
    database.sql(f"DELETE FROM schema_migrations WHERE version = {MIGRATIONS}")
    older = serind(database, timeout=30)
    assert older.returncode == 1 and f"is at migration {MIGRATIONS - 1}" in older.stderr and "serind migrate" in older.stderr


def test_a_newer_or_edited_database_is_refused(database):
    database.migrate()
    database.sql(f"INSERT INTO schema_migrations (version, name, checksum) VALUES ({MIGRATIONS + 1}, '9999_future', '\\x00')")
    for words in ((), ("migrate",)):
        refused = serind(database, *words, timeout=30)
        assert refused.returncode == 1 and "9999_future" in refused.stderr and "does not know" in refused.stderr, refused
        assert "at least as new" in refused.stderr
    database.sql(f"DELETE FROM schema_migrations WHERE version > {MIGRATIONS}")
    database.sql("UPDATE schema_migrations SET checksum = '\\x00' WHERE version = 2")
    for words in ((), ("migrate",)):
        refused = serind(database, *words, timeout=30)
        assert refused.returncode == 1 and "another text" in refused.stderr and "restore it" in refused.stderr, refused


def test_help_and_version():
    for word in ("help", "--help", "-h"):
        shown = serind(None, word, SERIN_DATABASE_URL="")
        assert shown.returncode == 0 and shown.stderr == ""
        for part in ("serind migrate", "serind token create", "SERIN_DATABASE_URL", "SERIN_CANARY_LEASE_S", "default: 900"):
            assert part in shown.stdout
    version = serind(None, "--version", SERIN_DATABASE_URL="")
    assert version.returncode == 0 and re.fullmatch(r"serind \d+\.\d+\.\d+\n", version.stdout)
    # every setting that the program reads is on that page
    table = open(os.path.join(serin.ROOT, "controller", "config.h")).read()
    for name in re.findall(r'"(SERIN_[A-Z_]+)"', table):
        assert name in shown.stdout, name


def test_wrong_words(database):
    for words in (("nonsense",), ("migrate", "now"), ("token",), ("token", "nonsense"), ("run", "fast")):
        wrong = serind(database, *words)
        assert wrong.returncode == 2 and "serind migrate" in wrong.stderr and wrong.stdout == "", words
    database.migrate()
    for words in ((), ("--name", "x"), ("--role", "admin"), ("--name", "x", "--role", "king"),
                  ("--name", "no name", "--role", "admin"),
                  ("--name", "x", "--role", "admin", "--more")):
        wrong = serind(database, "token", "create", *words)
        assert wrong.returncode == 2 and "--role viewer|gateway|engineer|oncall|admin" in wrong.stderr, words
    assert serind(database, "token", "create", "--name", "x", "--role", "admin").stdout.startswith("serin_")
    twice = serind(database, "token", "create", "--name", "x", "--role", "admin")
    assert twice.returncode == 1 and "already" in twice.stderr and "revoke" in twice.stderr


def test_wrong_settings_are_named_all_at_once(database):
    wrong = serind(database, SERIN_TICK_MS="soon", SERIN_CANARY_LEASE_S="5", SERIN_DATABASE_CONNECTIONS="1e3",
                   SERIN_ALLOW_NO_FSYNC="yes",
                   SERIN_STATE_DIR="x" * 2000)
    assert wrong.returncode == 1
    for name in ("SERIN_TICK_MS", "SERIN_CANARY_LEASE_S", "SERIN_DATABASE_CONNECTIONS", "SERIN_ALLOW_NO_FSYNC",
                 "SERIN_STATE_DIR"):
        assert name in wrong.stderr, name
    assert "from 50 to 60000" in wrong.stderr and "serind help" in wrong.stderr
    none = serind(database, SERIN_DATABASE_URL="")
    assert none.returncode == 1 and "SERIN_DATABASE_URL" in none.stderr
    level = serind(database, SERIN_LOG_LEVEL="loud")
    assert level.returncode == 1 and "SERIN_LOG_LEVEL" in level.stderr and "debug, info, warn or error" in level.stderr


def test_addresses_that_cannot_be_listened_on(database, tmp_path):
    database.migrate()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        used = "127.0.0.1:%d" % taken.getsockname()[1]
        for name in ("SERIN_CONTROL_ADDR", "SERIN_GATEWAY_ADDR"):
            refused = serind(database, timeout=30, **{name: used})
            assert refused.returncode == 1 and used.rsplit(":",
                                                           1)[1] in refused.stderr and "in use" in refused.stderr, refused.stderr
            for wrong in ("nonsense", "127.0.0.1:", "127.0.0.1:x", ":8080", "127.0.0.1:99999", "300.0.0.1:80",
                          "example.invalid:80"):
                refused = serind(database, timeout=30, **{name: wrong})
                assert refused.returncode == 1 and wrong.split(":")[0] in refused.stderr, (name, wrong, refused.stderr)
    gone = serind(database, timeout=30, SERIN_STATE_DIR=str(tmp_path / "not" / "there"))
    assert gone.returncode == 1 and "SERIN_STATE_DIR" in gone.stderr and str(tmp_path) in gone.stderr
    plain = tmp_path / "plain"
    plain.write_text("x")
    taken = serind(database, timeout=30, SERIN_CONTROL_SOCKET=str(plain))
    assert taken.returncode == 1 and "not a socket" in taken.stderr and plain.read_text() == "x"


def test_no_database(tmp_path):
    for url in (f"host={tmp_path} dbname=x user=x", "postgresql://127.0.0.1:1/x?user=x"):
        refused = serind(None, "migrate", SERIN_DATABASE_URL=url)
        assert refused.returncode == 1 and refused.stderr.startswith("serind: ") and refused.stdout == "", refused
    wrong = serind(None, "migrate", SERIN_DATABASE_URL="not a conninfo at all")
    assert wrong.returncode == 1 and len(wrong.stderr) > 20
