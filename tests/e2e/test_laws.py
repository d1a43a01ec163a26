"""Attacks on the laws that need the whole: what gateways see, what survives, what is kept."""
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time

import pytest

import serin
from serin import ROOT, first_release, gateway_live, service, wait_for


def live(world, client, name, release="v2", rates=None, **kw):
    """A rollout that is serving, with a gateway that reports healthy outcomes."""
    gateway = world.gateway(name, rates or {"v1": {"refusal": 0.02}, "v2": {"refusal": 0.02}}, **kw).start()
    gateway_live(client, name)
    rollout = client.post(f"/v1/services/{name}/rollouts", {"release": release})["id"]
    wait_for("canary serves", lambda: client.get(f"/v1/rollouts/{rollout}")["weight"] > 0)
    return gateway, rollout


SLOW = {"plan": {"steps": [{"weight": "10%", "bake": "1h"}, {"weight": "100%", "bake": "1h"}]},
        "guardrails": {"refusal": {"maturity": "1s", "budget_share": 0}}}


def test_law1_the_database_refuses_wrong_weights(world):
    client = world.client()
    service(client, "weights", policy=SLOW)
    first_release(client, "weights")
    gateway, rollout = live(world, client, "weights")
    for sql in ("INSERT INTO routes (service, epoch, stable, canary, canary_weight, written_at) "
                "SELECT 'weights', max(epoch) + 1, 'v1', 'v2', 10001, now() FROM routes WHERE service = 'weights'",
                "INSERT INTO routes (service, epoch, stable, canary, canary_weight, written_at) "
                "SELECT 'weights', max(epoch) + 1, 'v1', 'nope', 100, now() FROM routes WHERE service = 'weights'",
                "INSERT INTO routes (service, epoch, stable, canary_weight, written_at) "
                "SELECT 'weights', max(epoch) + 1, 'v1', 100, now() FROM routes WHERE service = 'weights'",
                "UPDATE routes SET canary_weight = 9000 WHERE service = 'weights'",
                "DELETE FROM routes WHERE service = 'weights'"):
        with pytest.raises(RuntimeError):
            world.database.sql(sql)
    gateway.stop()  # it has summed the weights of every answer
    client.post(f"/v1/rollouts/{rollout}/abort")


def test_law2_abort_works_while_everything_else_is_broken(own_world):
    """Nobody ticks, a lease is held by somebody who is gone, advances are frozen: abort and rollback work at once."""
    world = own_world(SERIN_TICK_MS=60000).start()
    client = world.client()
    service(client, "dominate", policy=SLOW)
    rollout = client.post("/v1/services/dominate/rollouts", {"release": "v1", "allow_no_gateway": True})["id"]
    client.post(f"/v1/rollouts/{rollout}/promote", {"full": True})
    for verb in ("abort", "rollback"):
        rollout = client.post("/v1/services/dominate/rollouts", {"release": "v2", "allow_no_gateway": True})["id"]
        client.post(f"/v1/rollouts/{rollout}/promote")
        assert client.get(f"/v1/rollouts/{rollout}")["weight"] == 1000
        client.post("/v1/freeze", {"reason": "test"})
        world.database.sql(f"UPDATE rollouts SET lease_owner = 'gone', lease_epoch = lease_epoch + 3, lease_until = 'infinity' "
                           f"WHERE id = '{rollout}'")
        if verb == "abort":
            assert client.post(f"/v1/rollouts/{rollout}/abort")["phase"] == "aborted"
        else:
            assert client.post("/v1/services/dominate/rollback")["rollout"] == rollout
        client.delete("/v1/freeze")
        route = [r for r in client.get("/v1/routes")["items"] if r["service"] == "dominate"][0]
        assert (route["stable"], route["canary"], route["weight"]) == ("v1", None, 0)


def test_law2_commands_race_and_abort_wins(world):
    """Many promotes and one abort at once: whatever the order, it ends aborted or completed before, and stays."""
    client = world.client()
    service(client, "race", policy={"plan": {"steps": [{"weight": f"{w}%", "bake": "1h"} for w in
                                                      (1, 2, 3, 5, 8, 13, 21, 34, 55, 100)]}})
    first_release(client, "race")
    rollout = client.post("/v1/services/race/rollouts", {"release": "v2", "allow_no_gateway": True})["id"]

    def promote():
        for _ in range(4):
            try:
                world.client().post(f"/v1/rollouts/{rollout}/promote")
            except serin.Problem as problem:
                assert problem.status in (409, 503), problem
    threads = [threading.Thread(target=promote) for _ in range(2)]
    for thread in threads:
        thread.start()
    client.post(f"/v1/rollouts/{rollout}/abort")
    for thread in threads:
        thread.join()
    assert client.get(f"/v1/rollouts/{rollout}")["phase"] == "aborted"
    assert client.get("/v1/services/race")["stable"] == "v1"


def durable_server(path):
    """A private Postgres with fsync, for the test of law 9."""
    run = subprocess.run([os.path.join(ROOT, "deploy", "postgres-private"), "start", path, "durable"], capture_output=True,
                         text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    return run.stdout.strip()


def test_law9_what_was_acknowledged_survives_kill_9(own_world, tmp_path_factory):
    path = f"/tmp/serin-law9.{os.getpid()}"
    conninfo = durable_server(path)
    try:
        world = own_world(conninfo=conninfo, SERIN_ALLOW_NO_FSYNC=0).start()
        client = world.client()
        service(client, "kept", policy=SLOW)
        first_release(client, "kept")
        gateway = world.gateway("kept", {"v1": {"refusal": 0.0}})
        gateway.poll()
        acknowledged = {"outcomes": 0, "versions": []}
        stop = threading.Event()

        def report():
            while not stop.is_set():
                try:
                    acknowledged["outcomes"] += gateway.report(gateway.batch(0.05))["accepted"]
                except Exception:
                    return

        def register():
            number = 0
            while not stop.is_set():
                number += 1
                try:
                    client.post("/v1/artifacts/prompt/kept-many/versions", {"content": f"prompt {number}"})
                    acknowledged["versions"].append(f"prompt {number}")
                except Exception:
                    return
        threads = [threading.Thread(target=report), threading.Thread(target=register)]
        for thread in threads:
            thread.start()
        time.sleep(1.5)
        postmaster = int(open(os.path.join(path, "data", "postmaster.pid")).readline())
        os.kill(postmaster, signal.SIGKILL)
        world.daemon.kill()
        stop.set()
        for thread in threads:
            thread.join(timeout=30)
        assert acknowledged["outcomes"] > 0 and acknowledged["versions"]
        # the backends of a killed postmaster end by themselves; then it recovers from its log
        wait_for("postgres is gone", lambda: subprocess.run(["pgrep", "-f", path], capture_output=True).returncode != 0, 30)
        durable_server(path)
        kept = int(world.database.sql("SELECT coalesce(sum(outcomes + admissions), 0) FROM observations")[0][0])
        assert kept >= acknowledged["outcomes"], (kept, acknowledged["outcomes"])
        stored = {row[0] for row in world.database.sql(
            "SELECT convert_from(content, 'UTF8') FROM artifact_versions WHERE name = 'kept-many'")}
        assert stored >= set(acknowledged["versions"])
        # and Serin goes on
        world.daemon.start()
        assert world.client().get("/v1/services/kept")["stable"] == "v1"
    finally:
        subprocess.run([os.path.join(ROOT, "deploy", "postgres-private"), "wipe", path], timeout=60)


def test_law9_serind_refuses_a_database_without_fsync(own_world):
    world = own_world()
    env = {**world.database.env(), "SERIN_ALLOW_NO_FSYNC": "0", "SERIN_CONTROL_ADDR": "127.0.0.1:0",
           "SERIN_GATEWAY_ADDR": "127.0.0.1:0"}
    run = subprocess.run([serin.SERIND], env=env, capture_output=True, text=True, timeout=30)
    assert run.returncode == 1 and "fsync" in run.stderr
    world.start()


def test_law10_gateways_are_answered_without_a_database(own_world):
    path = f"/tmp/serin-law10.{os.getpid()}"
    script = os.path.join(ROOT, "deploy", "postgres-private")
    conninfo = subprocess.run([script, "start", path, "fast"], capture_output=True, text=True, timeout=120).stdout.strip()
    try:
        world = own_world(conninfo=conninfo, SERIN_CANARY_LEASE_S=10).start()
        client = world.client()
        service(client, "lease", policy=SLOW)
        first_release(client, "lease")
        gateway, rollout = live(world, client, "lease")
        wait_for("the canary is out", lambda: gateway.canary_weight() > 0)
        gateway.stop()
        status, headers, body = gateway.client.request("GET", "/v1/routes/lease", raw=True)
        assert status == 200 and body["valid_until"] and "Serin-Stale" not in headers
        subprocess.run([script, "stop", path], timeout=60)

        # the last known good route, marked stale, canary and all, while its lease runs
        def stale():
            got = gateway.client.request("GET", "/v1/routes/lease", raw=True)
            return got if got[1].get("Serin-Stale") == "true" else None
        status, _, body = wait_for("stale answer", stale, 30)
        assert status == 200
        assert gateway.client.request("GET", "/readyz", raw=True)[0] == 503
        assert gateway.client.request("GET", "/livez", raw=True)[0] == 200
        metrics = gateway.client.request("GET", "/metrics", raw=True)[2].decode()
        age_s = float(re.search(r"^serin_snapshot_age_seconds (\S+)", metrics, re.M)[1])
        assert age_s > 10 and 'serin_route_weight{service="lease",release="v2",role="canary"}' in metrics

        # past valid_until: stable alone
        def stable_alone():
            got = gateway.client.request("GET", "/v1/routes/lease", raw=True)
            assert got[0] == 200
            return [(r["release"], r["weight"]) for r in got[2]["releases"]] == [("v1", 10000)]
        wait_for("lease over", stable_alone, 30)

        # a report is not acknowledged
        with pytest.raises(serin.Problem) as refused:
            gateway.report({"service": "lease", "outcomes": [{"release": "v1", "age_ms": 0, "sli": {"refusal": False}}]}, key="k-1")
        assert refused.value.status == 503

        # a restart without the database serves the same
        world.daemon.kill()
        world.daemon.start()
        gateway.client = serin.Client(world.daemon.gateway, world.tokens["gateway"])
        status, headers, body = gateway.client.request("GET", "/v1/routes/lease", raw=True)
        assert status == 200 and headers["Serin-Stale"] == "true" and body["releases"][0]["weight"] == 10000
        # neither database nor memory: 503
        world.daemon.kill()
        state = world.daemon.state_dir
        for name in os.listdir(state):
            if name not in ("serind.log",):
                os.unlink(os.path.join(state, name))
        world.daemon.start()
        gateway.client = serin.Client(world.daemon.gateway, world.tokens["gateway"])
        status, headers, _ = gateway.client.request("GET", "/v1/routes/lease", raw=True)
        assert status == 503 and headers["Retry-After"]

        # with the database back, all goes on, and the batch counts once
        subprocess.run([script, "start", path, "fast"], capture_output=True, timeout=120)
        wait_for("fresh answer", lambda: gateway.client.request("GET", "/v1/routes/lease", raw=True)[0] == 200 and
                 "Serin-Stale" not in gateway.client.request("GET", "/v1/routes/lease", raw=True)[1], 30)
        batch = {"service": "lease", "outcomes": [{"release": "v1", "age_ms": 0, "sli": {"refusal": True}}]}
        before = int(world.database.sql("SELECT coalesce(sum(k[1]), 0) FROM observations")[0][0])
        first = gateway.report(batch, key="k-1")
        second = gateway.report(batch, key="k-1")
        assert first["accepted"] == 1 and second["duplicate"]
        assert int(world.database.sql("SELECT sum(k[1]) FROM observations")[0][0]) == before + 1
        client = world.client()
        client.post(f"/v1/rollouts/{rollout}/abort")
    finally:
        subprocess.run([script, "wipe", path], timeout=60)


def test_law11_applied_only_when_every_gateway_says_so(world):
    client = world.client()
    service(client, "ack", policy=SLOW)
    first_release(client, "ack")
    gateway, rollout = live(world, client, "ack")
    other = world.gateway("ack", {"v1": {}, "v2": {}}, instance="gw-2")
    other.poll()
    other.poll()
    wait_for("both are heard", lambda: len(client.get("/v1/gateways?service=ack")["items"]) == 2)
    client.post(f"/v1/rollouts/{rollout}/abort")

    def state():
        return client.get(f"/v1/rollouts/{rollout}")["route"]
    wait_for("gw-1 has it", lambda: not [g for g in client.get("/v1/gateways?service=ack")["items"]
                                         if g["instance"] == "gw-1"][0]["behind"])
    time.sleep(1)
    route = [r for r in client.get("/v1/routes")["items"] if r["service"] == "ack"][0]
    assert route["applied_at"] is None, "gw-2 has not reported it"
    assert [g["instance"] for g in client.get("/v1/gateways?service=ack")["items"] if g["behind"]] == ["gw-2"]
    other.poll()  # fetches it; only its next poll acknowledges it
    other.poll()
    wait_for("applied", lambda: [r for r in client.get("/v1/routes")["items"] if r["service"] == "ack"][0]["applied_at"])
    told = [e for e in client.get("/v1/events?service=ack")["items"] if e["type"] == "route.applied"]
    assert told and told[0]["data"]["took_ms"] >= 0
    gateway.stop()


def test_law11_who_stopped_before_the_canary_is_not_waited_for_and_who_read_of_it_once_is(fast):
    client = fast.client()
    service(client, "left", policy=SLOW)
    first_release(client, "left")
    gone = fast.gateway("left", {}, instance="gw-gone")
    reader = fast.gateway("left", {}, instance="gw-reader")

    def rows():
        return {row["instance"]: row for row in client.get("/v1/gateways?service=left")["items"]}

    def has_it(gateway):
        gateway.poll()  # the port learns of a route a moment after it was written
        row = rows().get(gateway.instance)
        return row is not None and row["current_epoch"] is not None and not row["behind"]

    def acknowledge(*gateways):
        for gateway in gateways:
            wait_for(f"{gateway.instance} has the route", lambda: has_it(gateway), 20)

    def canary():
        rollout = client.post("/v1/services/left/rollouts", {"release": "v2", "allow_no_gateway": True})["id"]
        wait_for("canary serves", lambda: client.get(f"/v1/rollouts/{rollout}")["weight"] > 0)

    def silence():
        wait_for("all are silent", lambda: not any(row["live"] for row in rows().values()), 60)

    def rolled_back(timeout, code):
        return serin.cli(fast.daemon, fast.tokens["oncall"], "rollback", "left", "--wait", "--timeout", timeout, check=code)

    acknowledge(gone, reader)
    silence()
    canary()
    reader.poll()
    assert reader.canary_weight() == 1000 and gone.canary_weight() == 0
    wait_for("written down", lambda: rows()["gw-reader"]["live"], 20)
    silence()
    waited = rolled_back("3s", 6).stderr
    assert "Waiting for gw-reader: silent" in waited and "gw-gone" not in waited, waited
    assert {name for name, row in rows().items() if row["behind"]} == {"gw-gone", "gw-reader"}
    assert {name for name, row in rows().items() if row["awaited"]} == {"gw-reader"}
    acknowledge(reader)
    applied = wait_for("applied", lambda: [e for e in client.get("/v1/events?service=left")["items"]
                                           if e["type"] == "route.applied" and e["data"]["silent"] == "gw-gone"])
    assert applied, "the silent one is named all the same"
    silence()
    canary()
    assert "Applied by every live gateway" in rolled_back("30s", 0).stdout


def test_law12_a_rescued_request_is_bad_for_the_release_that_was_assigned(world):
    client = world.client()
    service(client, "rescue", slos={"error": {"objective": 99}}, policy={"plan": serin.QUICK_PLAN})
    first_release(client, "rescue")
    gateway = world.gateway("rescue", {"v1": {}})
    gateway.poll()
    gateway.report({"service": "rescue", "outcomes": [
        {"release": "v1", "age_ms": 5, "sli": {"error": False}, "rescued": True},
        {"release": "v1", "age_ms": 5, "sli": {"error": False}}]})
    rows = world.database.sql("SELECT release, sum(n[3]), sum(k[3]) FROM observations WHERE service = 'rescue' GROUP BY 1")
    assert rows == [["v1", "2", "1"]]


def test_events_form_a_chain_that_anyone_can_check(world):
    import hashlib
    client = world.client()
    service(client, "chain")
    first_release(client, "chain")
    rows = world.database.sql("SELECT seq, encode(prev_hash, 'hex'), encode(hash, 'hex'), body FROM events "
                              "WHERE service = 'chain' ORDER BY seq")
    before = hashlib.sha256(b"serin").hexdigest()
    for number, (seq, prev, head, body) in enumerate(rows, 1):
        assert int(seq) == number and prev == before
        assert hashlib.sha256(bytes.fromhex(prev) + body.encode()).hexdigest() == head
        json.loads(body)
        before = head
    for sql in ("UPDATE events SET body = '{}' WHERE service = 'chain'", "DELETE FROM events WHERE service = 'chain'"):
        with pytest.raises(RuntimeError):
            world.database.sql(sql)


def test_idle_connections_cannot_stop_oncall(own_world, tmp_path):
    """With every connection of the control port taken, the unix socket still answers an abort."""
    path = f"/tmp/serin-oncall.{os.getpid()}"
    os.makedirs(path, mode=0o700, exist_ok=True)
    world = own_world(SERIN_CONTROL_CONNECTIONS=8, SERIN_CONTROL_SOCKET=f"{path}/control.sock").start()
    client = world.client()
    service(client, "oncall", policy=SLOW)
    first_release(client, "oncall")
    rollout = client.post("/v1/services/oncall/rollouts", {"release": "v2", "allow_no_gateway": True})["id"]
    host, port = world.daemon.control.split(":")
    idle = [socket.create_connection((host, int(port))) for _ in range(16)]
    try:
        with socket.socket(socket.AF_UNIX) as unix:
            unix.settimeout(10)
            unix.connect(f"{path}/control.sock")
            unix.sendall((f"POST /v1/rollouts/{rollout}/abort HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "
                          f"{world.tokens['oncall']}\r\nContent-Type: application/json\r\nContent-Length: 2\r\n"
                          "Connection: close\r\n\r\n{}").encode())
            answer = b""
            while chunk := unix.recv(65536):
                answer += chunk
        assert b" 200 " in answer.split(b"\r\n")[0] and b'"aborted"' in answer
    finally:
        for one in idle:
            one.close()
