"""The demo gateway with a real daemon: who has the canary keeps it, the lease is obeyed, nothing is lost by a restart."""
import json
import os
import signal
import subprocess
import time

import pytest

import serin
from serin import DEMO, ROOT, bucket, first_release, gateway_live, service, wait_for

STEPS = {"plan": {"steps": [{"weight": "20%", "bake": "1h"}, {"weight": "50%", "bake": "1h"},
                            {"weight": "100%", "bake": "1h"}]},
         "guardrails": {"refusal": {"maturity": "1s", "budget_share": 0}}, "blind": "1h"}


class Demo:
    def __init__(self, world, folder, name, **options):
        self.status_file = os.path.join(folder, "status.json")
        words = [DEMO, "--url", f"http://{world.daemon.gateway}", "--services", name, "--status", self.status_file, "--report",
                 "100ms"]
        for option, value in options.items():
            words += ["--" + option.replace("_", "-"), str(value)]
        self.log = open(os.path.join(folder, "demo.log"), "ab")
        self.process = subprocess.Popen(words, env={**os.environ, "SERIN_GATEWAY_TOKEN": world.tokens["gateway"]},
                                        stdout=self.log, stderr=self.log,
                                        stdin=subprocess.DEVNULL)

    def status(self):
        """Written anew every second; None before the first time."""
        assert self.process.poll() is None or os.path.exists(self.status_file), "it has ended"
        try:
            return json.load(open(self.status_file))
        except FileNotFoundError:
            return None

    def service(self):
        status = self.status()
        return status["services"][0] if status else None

    def newer(self, moments=2):
        """The service in a status that was written after now."""
        for _ in range(moments):
            before = self.status()
            wait_for("a new status", lambda: (self.status() or {}).get("at") != (before or {}).get("at"), 10, 0.05)
        return self.service()

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(timeout=20)
        self.log.close()
        return self.process.returncode

    def wipe(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


@pytest.fixture
def demo(tmp_path):
    made = []

    def start(world, name, **options):
        made.append(Demo(world, str(tmp_path), name, **options))
        return made[-1]
    yield start
    for one in made:
        one.wipe()


def requests(service, release):
    return sum(r["requests"] for r in service["releases"] if r["release"] == release)


def started(client, name, release="v2"):
    rollout = client.post(f"/v1/services/{name}/rollouts", {"release": release, "allow_no_gateway": True})["id"]
    wait_for("serving", lambda: client.get(f"/v1/rollouts/{rollout}")["weight"] > 0)
    return rollout


def test_who_has_the_canary_keeps_it_when_the_weight_rises(world):
    """As any gateway can compute it from the route: salt, key, weight."""
    client, gateway = world.client(), world.gateway_client()
    service(client, "sticky", policy=STEPS, releases=("v1", "v2", "v3"))
    first_release(client, "sticky")
    users = [f"user-{n}" for n in range(5000)]

    def look(weight):
        def route():
            got = gateway.get("/v1/routes/sticky")
            return got if sum(r["weight"] for r in got["releases"] if r["role"] == "canary") == weight else None
        found = wait_for(f"weight {weight}", route)
        salt = found["sticky"]["salt"]
        assert found["sticky"]["key"] == "user" and found["sticky"]["rule"] == "sha256-mod-10000"
        return salt, {u for u in users if bucket(salt, u) < weight}
    rollout = started(client, "sticky")
    salt, first = look(2000)
    assert 0.17 < len(first) / len(users) < 0.23
    client.post(f"/v1/rollouts/{rollout}/promote")
    same, more = look(5000)
    assert same == salt and first < more and 0.46 < len(more) / len(users) < 0.54
    client.post(f"/v1/rollouts/{rollout}/set-weight", {"weight": 700})
    assert look(700)[1] < first, "and when it falls, those who have it longest keep it"
    client.post(f"/v1/rollouts/{rollout}/abort")
    again = client.post(f"/v1/rollouts/{rollout}/retry", {"allow_no_gateway": True})["id"]
    assert look(2000) == (salt, first), "kept on retry"
    client.post(f"/v1/rollouts/{again}/abort")
    other = started(client, "sticky", "v3")
    salt3, third = look(2000)
    assert salt3 != salt and 0.1 < len(third & first) / len(first) < 0.3, "the next rollout begins with others"
    client.post(f"/v1/rollouts/{other}/abort")


def test_the_lease_is_obeyed_and_a_restart_loses_nothing(own_world, demo):
    world = own_world(SERIN_CANARY_LEASE_S=10).start()
    client = world.client()
    service(client, "shop", slos={"refusal": {"objective": 80}}, policy=STEPS)
    first_release(client, "shop")
    gateway = demo(world, "shop", rps=200, users=2000, instance="demo-1", poll="100ms", wait="2s")
    gateway_live(client, "shop")
    rollout = started(client, "shop")
    # it sends the share that the route says, and its next poll acknowledges it
    wait_for("applied", lambda: client.get(f"/v1/rollouts/{rollout}")["route"]["applied_at"], 20)
    applied = gateway.newer()
    later = gateway.newer(3)
    canary, stable = (requests(later, r) - requests(applied, r) for r in ("v2", "v1"))
    assert 0.13 < canary / (canary + stable) < 0.27, (canary, stable)
    assert later["lease"] == "held" and later["weight"] == 2000 and later["failures"] == 0

    # serind is gone: while the lease runs the canary has its share, afterwards it has none
    world.daemon.settings["SERIN_GATEWAY_ADDR"] = world.daemon.gateway  # the next one listens where this one did
    world.daemon.kill()
    down = time.monotonic()
    held = gateway.newer()
    assert held["lease"] == "held" and requests(held, "v2") > requests(later, "v2")
    wait_for("the lease is over", lambda: gateway.service()["lease"] == "over", 15)
    assert time.monotonic() - down < 13
    over = gateway.newer()
    after = gateway.newer(2)
    assert requests(after, "v2") == requests(over, "v2") and requests(after, "v1") > requests(over, "v1") + 100
    assert after["failures"] > 0 and after["lease_over"] > 0

    # serind is back: the canary has its share again, and what was to be reported is
    world.daemon.start()
    client = world.client()
    back = wait_for("the canary is served again",
                    lambda: (lambda s: s if requests(s, "v2") > requests(after, "v2") else None)(gateway.newer(1)), 20)
    assert back["lease"] == "held" and back["older_routes"] == 0
    assert client.get(f"/v1/rollouts/{rollout}")["phase"] in ("progressing", "paused")
    client.post("/v1/services/shop/rollback", {"reason": "enough was seen"})
    wait_for("all to stable", lambda: gateway.service()["weight"] == 0 and gateway.newer(1)["lease"] == "none", 10)
    wait_for("applied", lambda: client.get(f"/v1/rollouts/{rollout}")["route"]["applied_at"], 20)
    assert gateway.stop() == 0
    end = gateway.status()
    reports, shop = end["reports"], end["services"][0]
    assert reports["dropped"] == reports["waiting"] == reports["rejected"] == reports["refused_batches"] == 0, reports
    assert reports["failures"] > 0 and reports["repeated"] > 0, "it had to send some again"
    rows = world.database.sql("SELECT release, sum(admissions), sum(outcomes + late_outcomes) FROM observations WHERE service = 'shop' GROUP BY 1 ORDER BY 1")
    told = [[r["release"], str(r["requests"]), str(r["finished"])]
            for r in sorted(shop["releases"], key=lambda r: r["release"])]
    assert rows == told, "each request and each answer is counted once, also those of batches that were sent twice"
    epochs = [e["epoch"] for e in shop["epochs"]]
    assert epochs == sorted(set(epochs)), "epochs only grow"


def test_the_demo_of_the_help_desk_can_be_applied(world):
    folder = os.path.join(ROOT, "deploy", "demo")
    for name in ("helpdesk.yaml", "helpdesk-better.yaml", "helpdesk-guard.yaml"):
        serin.cli(world.daemon, world.tokens["admin"], "apply", "-f", os.path.join(folder, name), check=0)
    client = world.client()
    assert {r["name"] for r in client.get("/v1/services/helpdesk/releases")["items"]} == {"v1", "v2", "v3"}
    assert "0 errors" in serin.cli(world.daemon, "", "lint", "-f", os.path.join(folder, "helpdesk.yaml"), check=0).stdout
    lines = client.get("/v1/services/helpdesk/releases/v1/diff/v2")["changes"]
    assert any(c["what"] == "prompt/helpdesk" and c["lines"] for c in lines)
    serin.cli(world.daemon, world.tokens["admin"], "rollout", "start", "helpdesk", "v1", "--plan",
              os.path.join(folder, "helpdesk-first-plan.yaml"), "--allow-no-gateway", check=0)
    serin.cli(world.daemon, world.tokens["admin"], "rollout", "promote", "helpdesk", "--full", check=0)
    assert client.get("/v1/services/helpdesk")["stable"] == "v1"


def test_wrong_options(tmp_path):
    def call(*words):
        return subprocess.run([DEMO, *words], capture_output=True, text=True, timeout=20, env={"PATH": os.environ["PATH"]})
    assert call("--help").returncode == 0 and "--behaviour" in call("--help").stdout
    for words in ((), ("--nonsense",), ("--url", "http://127.0.0.1:1"),
                  ("--url", "http://127.0.0.1:1", "--services", "no name"),
                  ("--url", "http://127.0.0.1:1", "--services", "a", "--rps", "x"),
                  ("--url", "http://127.0.0.1:1", "--services", "a", "--rps", "-1"),
                  ("--url", "http://127.0.0.1:1", "--services", "a", "--wait", "2h"),
                  ("--url", "http://127.0.0.1:1", "--services", "a", "more"),
                  ("--url", "http://127.0.0.1:1", "--services", "a", "--replay", f"v1={tmp_path}/none.csv")):
        wrong = call(*words)
        assert wrong.returncode == 2 and wrong.stderr, words
    # without Serin it goes on, and serves nothing
    alone = call("--url", "http://127.0.0.1:1", "--services", "a", "--rps", "50", "--duration", "1500ms", "--status",
                 f"{tmp_path}/s.json")
    assert alone.returncode == 0
    status = json.load(open(f"{tmp_path}/s.json"))["services"][0]
    assert status["unrouted"] > 20 and status["failures"] > 0 and status["releases"] == []
