"""A real Alertmanager with deploy/alertmanager/alertmanager.yml, and the daemon: alerts hold, are lifted, and take back."""
import contextlib
import datetime
import json
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import urllib.request

import pytest
import yaml

import serin
from proxies import free_port
from serin import first_release, gateway_live, service, wait_for

ALERTMANAGER = shutil.which("prometheus-alertmanager")
if ALERTMANAGER is None:
    pytest.skip("prometheus-alertmanager is not installed (package prometheus-alertmanager)", allow_module_level=True)
EXAMPLE = os.path.join(serin.ROOT, "deploy", "alertmanager", "alertmanager.yml")
OWN_RULES = os.path.join(serin.ROOT, "deploy", "prometheus", "serin.rules.yml")
AMTOOL = shutil.which("amtool")
PLAN = {"steps": [{"weight": "20%", "bake": "1h"}, {"weight": "100%", "bake": "1h"}]}


class Between:
    """A port that serind's answers pass through, and that can be told to answer 503 itself, as a proxy without a server."""

    def __init__(self, addr):
        self.addr, self.broken, self.refused, self.open = addr, False, 0, set()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with connection:
            if self.broken:
                connection.recv(65536)
                self.refused += 1
                connection.sendall(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                return
            host, port = self.addr.rsplit(":", 1)
            self.open.add(connection)
            with socket.create_connection((host, int(port)), timeout=10) as behind:
                one = threading.Thread(target=self.copy, args=(connection, behind), daemon=True)
                one.start()
                self.copy(behind, connection)
                one.join(timeout=10)

    def break_off(self):
        """From now on, and for connections that are kept open as well."""
        self.broken = True
        for connection in list(self.open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    @staticmethod
    def copy(source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def stop(self):
        self.listener.close()


class Alertmanager:
    def __init__(self, port, token):
        """The example as it is, but for the address, the token and the times."""
        self.path = tempfile.mkdtemp(prefix="serin-alertmanager.")
        with open(f"{self.path}/token", "w") as file:
            file.write(token)
        text = open(EXAMPLE).read()
        for old, new in (("127.0.0.1:8080", f"127.0.0.1:{port}"), ("/etc/alertmanager/serin.token", f"{self.path}/token"),
                         ("group_wait: 5s", "group_wait: 1s"), ("group_interval: 1m", "group_interval: 1s"),
                         ("repeat_interval: 4h", "repeat_interval: 2s")):
            assert old in text, old
            text = text.replace(old, new)
        with open(f"{self.path}/alertmanager.yml", "w") as file:
            file.write(text)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"

    def start(self):
        with open(f"{self.path}/log", "ab") as log:
            self.process = subprocess.Popen([
                ALERTMANAGER, f"--config.file={self.path}/alertmanager.yml", f"--storage.path={self.path}/data",
                f"--web.listen-address=127.0.0.1:{self.port}", "--cluster.listen-address=", "--log.level=debug"],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        wait_for("alertmanager is ready", self.ready, 30)
        return self

    def ready(self):
        assert self.process.poll() is None, open(f"{self.path}/log").read()[-2000:]
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=2) as answer:
                return answer.status == 200
        except OSError:
            return False

    def send(self, name, firing=True, **labels):
        """As Prometheus would: an alert that fires until it is said to have ended."""
        now = datetime.datetime.now(datetime.timezone.utc)
        alert = {"labels": {"alertname": name, **labels}, "annotations": {"summary": f"{name} of a test"},
                 "startsAt": (now - datetime.timedelta(seconds=60)).isoformat(),
                 "endsAt": (now + datetime.timedelta(hours=1) if firing else now - datetime.timedelta(seconds=1)).isoformat()}
        request = urllib.request.Request(f"{self.url}/api/v2/alerts", json.dumps([alert]).encode(),
                                         {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert answer.status == 200

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(timeout=20)

    def wipe(self):
        self.stop()
        shutil.rmtree(self.path, ignore_errors=True)


@pytest.fixture(scope="module")
def scene(world):
    between = Between(world.daemon.control)
    world.between = between
    world.alertmanager = Alertmanager(between.port, world.tokens["gateway"])
    try:
        world.alertmanager.start()
        yield world
    finally:
        world.alertmanager.wipe()
        between.stop()


def begin(scene, name, action):
    """A rollout of v2 in its first step, which would take an hour."""
    client = scene.client()
    service(client, name, policy={"plan": PLAN, "guardrails": {"refusal": {"maturity": "1s", "budget_share": 0}}, "blind": "1h",
                                  "alerts": {"action": action}})
    first_release(client, name)
    scene.gateway(name, {"v1": {"refusal": 0.02}, "v2": {"refusal": 0.02}}).start()
    gateway_live(client, name)
    rollout = client.post(f"/v1/services/{name}/rollouts", {"release": "v2"})["id"]
    wait_for("in its first step", lambda: client.get(f"/v1/rollouts/{rollout}")["rule"].startswith("step."), 30)
    return rollout


def ruled(scene, rollout, rule, timeout=60):
    return wait_for(rule, lambda: (lambda r: r if r["rule"] == rule else None)(
        scene.client().get(f"/v1/rollouts/{rollout}")), timeout)


def events(scene, service_name, *types):
    items = scene.client().get(f"/v1/events?service={service_name}&limit=200")["items"]
    return [event for event in items if event["type"] in types]


def test_an_alert_holds_until_it_is_resolved(scene):
    rollout = begin(scene, "held", "hold")
    scene.alertmanager.send("QueueFull", service="held", severity="page")
    held = ruled(scene, rollout, "hold.alert")
    assert "QueueFull" in held["reason"] and held["weight"] == 2000, held["reason"]
    fired = events(scene, "held", "alert.firing")
    assert len(fired) == 1 and "QueueFull of a test" in fired[0]["reason"]
    heard = scene.database.sql("SELECT heard_at FROM alerts WHERE service = 'held'")
    wait_for("a repeat", lambda: scene.database.sql("SELECT heard_at FROM alerts WHERE service = 'held'") != heard, 60)
    assert len(events(scene, "held", "alert.firing")) == 1, "a repeat is no news"
    scene.alertmanager.send("QueueFull", firing=False, service="held", severity="page")
    wait_for("lifted", lambda: scene.client().get(f"/v1/rollouts/{rollout}")["rule"] != "hold.alert", 60)
    assert len(events(scene, "held", "alert.resolved")) == 1
    pages = [e for e in events(scene, "held", "rollout.held") if e["rule"] == "hold.alert"]
    assert len(pages) == 1 and pages[0]["data"]["page"] and pages[0]["data"]["alerts"][0]["name"] == "QueueFull"
    assert pages[0]["data"]["inputs"]["alert_holds"] == 1
    shown = serin.cli(scene.daemon, scene.tokens["viewer"], "replay", rollout)
    assert shown.returncode == 0, shown.stdout + shown.stderr


def test_an_alert_that_names_the_canary_takes_it_back(scene):
    rollout = begin(scene, "blamed", "rollback")
    scene.alertmanager.send("ProviderSlow", service="blamed")
    ruled(scene, rollout, "hold.alert")
    scene.alertmanager.send("JudgeComplains", service="blamed", release="v2")
    back = serin.ended(scene.client(), rollout, 60)
    assert (back["phase"], back["rule"]) == ("rolled_back", "alert.rollback") and "JudgeComplains" in back["reason"], back
    assert scene.client().get("/v1/services/blamed/releases/v2")["quarantined"] is None, "an alert is no evidence"
    route = scene.gateway_client().get("/v1/routes/blamed")
    assert [(r["release"], r["weight"]) for r in route["releases"]] == [("v1", 10000)]


def test_what_was_answered_with_503_comes_again(scene):
    rollout = begin(scene, "repeated", "pause")
    scene.between.break_off()
    scene.alertmanager.send("QueueFull", service="repeated")
    wait_for("refused", lambda: scene.between.refused >= 2, 60)
    assert scene.client().get(f"/v1/rollouts/{rollout}")["phase"] == "progressing"
    scene.between.broken = False
    paused = ruled(scene, rollout, "alert.pause")
    assert paused["phase"] == "paused" and "QueueFull" in paused["reason"]


def own_alerts():
    """Serin's own alerts, as the shipped rules label them."""
    return [rule for group in yaml.safe_load(open(OWN_RULES))["groups"] for rule in group["rules"]]


@pytest.mark.skipif(AMTOOL is None, reason="amtool is not installed (package prometheus-alertmanager)")
def test_the_shipped_route_leaves_out_each_alert_of_serin_itself():
    def receivers(labels):
        run = subprocess.run([AMTOOL, "config", "routes", "test", f"--config.file={EXAMPLE}",
                              *(f"{name}={value}" for name, value in labels.items())],
                             capture_output=True, text=True, timeout=60)
        assert run.returncode == 0, run.stderr
        return run.stdout.strip().split(",")
    assert len(own_alerts()) >= 20
    for rule in own_alerts():
        labels = {"alertname": rule["alert"], "service": "chat", **rule["labels"]}
        assert labels.pop("serin") == "ignore", rule["alert"]
        assert receivers(labels) == ["serin", "default"], "without the label it would come back"
        assert receivers({**labels, "serin": "ignore"}) == ["default"], rule["alert"]


def test_alerts_of_serin_itself_do_not_hold_its_rollouts(scene):
    """The shipped rules' labels through the shipped route; the last one is another's, and is heard of twice."""
    rollout = begin(scene, "own", "hold")
    for rule in own_alerts():
        scene.alertmanager.send(rule["alert"], service="own", release="v2", **rule["labels"])
    scene.alertmanager.send("QueueFull", service="own")
    ruled(scene, rollout, "hold.alert")
    heard = scene.database.sql("SELECT heard_at FROM alerts WHERE service = 'own'")
    wait_for("a repeat", lambda: scene.database.sql("SELECT heard_at FROM alerts WHERE service = 'own'") != heard, 60)
    assert scene.database.sql("SELECT name FROM alerts WHERE service = 'own'") == [["QueueFull"]]
    held = scene.client().get(f"/v1/rollouts/{rollout}")
    assert held["rule"] == "hold.alert" and "Serin" not in held["reason"], held["reason"]
    for rule in own_alerts():
        scene.alertmanager.send(rule["alert"], firing=False, service="own", release="v2", **rule["labels"])


@pytest.mark.parametrize("change, status", [
    ({}, 200), ({"version": "5"}, 422), ({"alerts": [{"status": "firing"}]}, 422), ({"alerts": "none"}, 422), ({"alerts": []}, 200)])
def test_answers(scene, change, status):
    client = serin.Client(scene.daemon.control, scene.tokens["gateway"])
    alert = {"status": "resolved", "labels": {"alertname": "X", "service": "held"}, "annotations": {}, "fingerprint": "ab",
             "startsAt": "2026-11-25T02:00:00Z", "endsAt": "2026-11-25T03:00:00Z"}
    body = {"version": "4", "groupKey": "{}", "truncatedAlerts": 3, "alerts": [alert], "receiver": "serin",
            "notification_reason": "a field of a newer version", **change}
    got, _, answer = client.request("POST", "/v1/alerts", body, raw=True)
    assert got == status, answer
    if status == 200 and not change:
        assert answer == {"taken": 1, "ignored": 0, "truncated": 3, "without_effect": []}
    if status == 422:
        assert answer["next_step"] and answer["errors"][0]["pointer"]


def firing(fingerprint, **labels):
    return {"status": "firing", "labels": {"alertname": "Foo", **labels}, "annotations": {"summary": "too many"},
            "fingerprint": fingerprint, "startsAt": "2026-11-25T02:00:00Z"}


def test_who_may(scene):
    body = {"version": "4", "alerts": [firing("ab", service="nobody")]}
    for role, status in (("viewer", 403), ("gateway", 200), ("engineer", 200)):
        got, _, answer = serin.Client(scene.daemon.control, scene.tokens[role]).request("POST", "/v1/alerts", body, raw=True)
        assert got == status, answer
    assert serin.Client(scene.daemon.control).request("POST", "/v1/alerts", body, raw=True)[0] == 401


def counted():
    return dict.fromkeys(("taken", "unknown_service", "no_service", "unknown_release", "other_release", "no_rollout",
                          "ignore_label", "no_room", "truncated"), 0)


def alerts_total(scene):
    with urllib.request.urlopen(f"http://{scene.daemon.gateway}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    return {**counted(), **{line.split('"')[1]: int(float(line.split()[-1])) for line in text.splitlines()
                            if line.startswith("serin_alerts_total{")}}


def test_what_holds_nothing_is_told_and_counted_and_no_failure(scene):
    client = serin.Client(scene.daemon.control, scene.tokens["gateway"])
    service(scene.client(), "told", releases=("v1", "v2", "v3"), policy={"plan": PLAN, "guardrails": {"refusal": {}}})
    first_release(scene.client(), "told")
    idle = client.request("POST", "/v1/alerts", {"version": "4", "alerts": [firing("a0", service="told", release="v3")]})
    assert [one["why"] for one in idle["without_effect"]] == ["no_rollout"] and idle["taken"] == 1, idle
    scene.client().post("/v1/services/told/rollouts", {"release": "v2", "allow_no_gateway": True})
    alerts = [firing("a1", service="nosuch"), firing("a2"), firing("a3", service="told", release="v9"),
              firing("a4", service="told", release="v3"), firing("a5", service="told", release="v2"), firing("a6", service="told"),
              firing("a7", service="told", serin="ignore"), firing("a8", service="no name!")]
    before = alerts_total(scene)
    answer = client.request("POST", "/v1/alerts", {"version": "4", "alerts": alerts, "truncatedAlerts": 2})
    assert (answer["taken"], answer["ignored"], answer["truncated"]) == (4, 4, 2), answer
    assert [(one["fingerprint"], one["why"], one["detail"]) for one in answer["without_effect"]] == [
        ("a1", "unknown_service", "Serin has no service nosuch"),
        ("a2", "no_service", "it has no label service that can be the name of one"),
        ("a3", "unknown_release", "told has no release v9"),
        ("a4", "other_release", "v3 takes no part in the rollout of told"),
        ("a7", "ignore_label", "its label serin is ignore"),
        ("a8", "no_service", "it has no label service that can be the name of one")]
    grown = {name: count - before[name] for name, count in alerts_total(scene).items()}
    assert grown == {**counted(), "taken": 2, "unknown_service": 1, "no_service": 2, "unknown_release": 1, "other_release": 1,
                     "ignore_label": 1, "truncated": 2}, grown
    said = {event["data"]["fingerprint"]: event for event in events(scene, "told", "alert.firing")}
    assert set(said) == {"a0", "a3", "a4", "a5", "a6"}
    assert said["a3"]["reason"] == "The alert Foo fires, and holds nothing now, as told has no release v9: too many"
    assert said["a3"]["data"]["without_effect"] == "unknown_release"
    assert said["a5"]["reason"] == "The alert Foo fires: too many" and said["a5"]["data"]["without_effect"] is None
    again = client.request("POST", "/v1/alerts", {"version": "4", "alerts": alerts})
    assert again["without_effect"] == answer["without_effect"], "also of repeats"
    lines = [json.loads(line) for line in open(scene.daemon.log) if "an alert holds nothing" in line]
    for wanted in ({"service": "nosuch"}, {"release": "v9"}, {"service": None, "alert": "Foo"}):
        found = [line for line in lines if wanted.items() <= line.items()]
        assert len(found) == 1 and found[0]["error"] and found[0]["level"] == "warn", (wanted, lines)


def test_alertmanager_counts_no_failure_for_a_service_that_is_not_here(scene):
    """With the shipped matcher, whatever has a label service comes."""
    scene.alertmanager.send("Foo", service="nosuch")

    def sent():
        with urllib.request.urlopen(f"{scene.alertmanager.url}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        return {name: sum(float(line.split()[-1]) for line in text.splitlines()
                          if line.startswith(f"alertmanager_{name}") and 'integration="webhook"' in line)
                for name in ("notifications_total", "notifications_failed_total")}
    before, heard = sent(), alerts_total(scene)["unknown_service"]
    wait_for("it came", lambda: alerts_total(scene)["unknown_service"] > heard, 60)
    wait_for("counted", lambda: sent()["notifications_total"] > before["notifications_total"], 30)
    assert sent()["notifications_failed_total"] == before["notifications_failed_total"]
    scene.alertmanager.send("Foo", firing=False, service="nosuch")


def test_the_reason_of_a_hold_names_what_fires_now(scene):
    rollout = begin(scene, "several", "hold")
    scene.alertmanager.send("OnStable", service="several", release="v1")
    scene.alertmanager.send("JudgeComplains", service="several", release="v2")

    def reason():
        return scene.client().get(f"/v1/rollouts/{rollout}")["reason"]
    wait_for("both", lambda: "OnStable" in reason() and "JudgeComplains" in reason(), 60)
    held = len(events(scene, "several", "rollout.held"))
    scene.alertmanager.send("JudgeComplains", firing=False, service="several", release="v2")
    wait_for("one", lambda: "OnStable" in reason() and "JudgeComplains" not in reason(), 60)
    assert len(events(scene, "several", "rollout.held")) == held, "it held before"
    scene.alertmanager.send("OnStable", firing=False, service="several", release="v1")


def test_an_alert_that_is_not_repeated_expires_and_says_so(scene):
    """Alertmanager is stopped; the time for which it was heard is set back, instead of waiting for five hours."""
    rollout = begin(scene, "silent", "hold")
    scene.alertmanager.send("QueueFull", service="silent")
    ruled(scene, rollout, "hold.alert")
    scene.alertmanager.stop()
    assert scene.client().get(f"/v1/rollouts/{rollout}")["rule"] == "hold.alert"
    scene.database.sql("UPDATE alerts SET expires_at = serin_now() WHERE service = 'silent'")
    wait_for("lifted", lambda: scene.client().get(f"/v1/rollouts/{rollout}")["rule"] != "hold.alert", 30)
    said = wait_for("said", lambda: events(scene, "silent", "alert.expired"), 30)
    assert len(said) == 1 and said[0]["data"]["page"] and "QueueFull" in said[0]["reason"]
