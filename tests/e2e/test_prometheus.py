"""A real Prometheus as the source of counts: a metrics endpoint of this test, scraped each second, and the daemon."""
import http.server
import json
import os
import random
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import urllib.request

import pytest

import serin
from serin import first_release, gateway_live, service, wait_for

PROMETHEUS = shutil.which("prometheus")
if PROMETHEUS is None:
    pytest.skip("the program prometheus is not installed (package prometheus)", allow_module_level=True)

RPS = 3000  # of each service


class Exporter:
    """Counters of requests and refusals by service and release. They follow the weights that the gateways have."""

    def __init__(self):
        self.lock = threading.Lock()
        self.random = random.Random(7)
        self.services = {}  # name -> [gateway, {release: share of refusals}]
        self.counters = {}  # (service, release) -> [requests, refusals]
        self.more = ""      # lines of other counters
        self.stopped = threading.Event()
        exporter = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                body = exporter.text().encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.address = "127.0.0.1:%d" % self.server.server_port
        self.threads = [threading.Thread(target=self.server.serve_forever, daemon=True),
                        threading.Thread(target=self.run, daemon=True)]
        for thread in self.threads:
            thread.start()

    def add(self, name, gateway, rates):
        with self.lock:
            self.services[name] = (gateway, rates)
            for release in rates:  # every series is there from the start, as the handbook advises
                self.counters[name, release] = [0, 0]

    def reset(self, name):
        """As if the exporter of this service had been started anew."""
        with self.lock:
            for release in self.services[name][1]:
                self.counters[name, release] = [0, 0]

    def run(self):
        last = time.monotonic()
        while not self.stopped.wait(0.05):
            now = time.monotonic()
            with self.lock:
                for name, (gateway, rates) in self.services.items():
                    route = gateway.route
                    for one in route["releases"] if route else []:
                        expected = RPS * (now - last) * one["weight"] / 10000
                        count = int(expected) + (self.random.random() < expected % 1)
                        bad = sum(self.random.random() < rates[one["release"]] for _ in range(count))
                        self.counters[name, one["release"]][0] += count
                        self.counters[name, one["release"]][1] += bad
            last = now

    def text(self):
        lines = ["# TYPE llm_requests_total counter", "# TYPE llm_refusals_total counter"]
        with self.lock:
            for (name, release), (requests, refusals) in self.counters.items():
                lines.append(f'llm_requests_total{{service="{name}",release="{release}"}} {requests}')
                lines.append(f'llm_refusals_total{{service="{name}",release="{release}"}} {refusals}')
        return "\n".join(lines) + "\n" + self.more

    def stop(self):
        self.stopped.set()
        self.server.shutdown()
        self.server.server_close()
        for thread in self.threads:
            thread.join(timeout=10)


class Prometheus:
    def __init__(self, target, **more):
        self.path = tempfile.mkdtemp(prefix="serin-prometheus.")
        with open(f"{self.path}/prometheus.yml", "w") as file:
            json.dump({"global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
                       "scrape_configs": [{"job_name": "llm", "static_configs": [{"targets": [target]}]}], **more}, file)
        self.port = 0

    def start(self):
        with open(f"{self.path}/log", "ab") as log:
            self.process = subprocess.Popen([
                PROMETHEUS, f"--config.file={self.path}/prometheus.yml", f"--storage.tsdb.path={self.path}/data",
                f"--web.listen-address=127.0.0.1:{self.port}", "--log.level=warn"], stdout=log, stderr=log,
                stdin=subprocess.DEVNULL)
        self.port = wait_for("prometheus listens", self.listens, 20)
        self.url = f"http://127.0.0.1:{self.port}"
        wait_for("prometheus is ready", self.ready, 20)
        return self

    def listens(self):
        """The port that its socket was given: it does not say which."""
        assert self.process.poll() is None, open(f"{self.path}/log").read()[-2000:]
        mine = set()
        for fd in os.listdir(f"/proc/{self.process.pid}/fd"):
            try:
                mine.add(os.readlink(f"/proc/{self.process.pid}/fd/{fd}"))
            except FileNotFoundError:
                pass
        for line in open(f"/proc/{self.process.pid}/net/tcp").readlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in mine:
                return int(fields[1].split(":")[1], 16)
        return None

    def ready(self):
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=2) as answer:
                return answer.status == 200
        except OSError:
            return False

    def query(self, selector):
        with urllib.request.urlopen(f"{self.url}/api/v1/query?query={urllib.request.quote(selector)}", timeout=5) as answer:
            return json.load(answer)["data"]["result"]

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(timeout=20)

    def wipe(self):
        self.stop()
        shutil.rmtree(self.path, ignore_errors=True)


def policy(url, name, **more):
    return {"plan": {"steps": [{"weight": "20%", "bake": "8s" if name == "restarting" else "2s"},
                               {"weight": "50%", "bake": "2s"}, {"weight": "100%", "bake": "1h"}]},
            "guardrails": {"refusal": {"budget_share": 0, "margin": 10}}, "warmup": "0s", "blanking": "1s", "blind": "30s",
            "source": {"prometheus": source(url, name)}, **more}


def source(url, name):
    """One source for all, told apart by a label; but one service names itself in its selectors."""
    if name == "restarting":
        return {"url": url, "interval": "1s", "requests": f'llm_requests_total{{service="{name}"}}',
                "bad": {"refusal": f'llm_refusals_total{{service="{name}"}}'}}
    return {"url": url, "interval": "1s", "service_label": "service", "requests": "llm_requests_total",
            "bad": {"refusal": "llm_refusals_total"}}


REFUSALS = {"healthy": (0.02, 0.02), "refusing": (0.02, 0.4), "restarting": (0.02, 0.02), "outage": (0.02, 0.02),
            "warned": (0.02, 0.02)}


@pytest.fixture(scope="module")
def scene(world):
    """Five services whose rollouts run at the same time, each with a gateway that only polls. The last has a Prometheus of
    its own, whose remote store does not answer."""
    exporter = Exporter()
    prometheus = Prometheus(exporter.address)
    warning = Prometheus(exporter.address, remote_read=[{"url": "http://127.0.0.1:9/read", "read_recent": True}])
    try:
        prometheus.start()
        warning.start()
        client = world.client()
        world.prometheus, world.exporter, world.rollouts = prometheus, exporter, {}
        for name, (stable, canary) in REFUSALS.items():
            service(client, name, slos={"refusal": {"objective": 90}},
                    policy=policy((warning if name == "warned" else prometheus).url, name, **({"blind": "4s"} if name == "outage" else {})))
            first_release(client, name)
            gateway = world.gateway(name, {})
            gateway.reporting = False
            gateway.start()
            exporter.add(name, gateway, {"v1": stable, "v2": canary})
        wait_for("prometheus has scraped", lambda: len(prometheus.query("llm_requests_total")) == 2 * len(REFUSALS), 30)
        for name in REFUSALS:
            gateway_live(client, name)
            world.rollouts[name] = client.post(f"/v1/services/{name}/rollouts", {"release": "v2"})["id"]
        yield world
    finally:
        prometheus.wipe()
        warning.wipe()
        exporter.stop()


def get(scene, name):
    return scene.client().get(f"/v1/rollouts/{scene.rollouts[name]}")


def explain(scene, name):
    return scene.client().get(f"/v1/rollouts/{scene.rollouts[name]}/explain")


def rules(scene, name):
    events = scene.client().get(f"/v1/events?rollout={scene.rollouts[name]}&limit=200")["items"]
    return [event["rule"] for event in reversed(events) if event["rule"]]


def test_a_counter_that_begins_anew_is_no_failure(scene):
    """The exporter restarts in the first step: what it has counted is not counted twice, and nobody is blamed."""
    def canary():
        return explain(scene, "restarting")["guardrails"][0]["total"]["canary"]
    before = wait_for("counts", lambda: (lambda c: c if c["n"] > 0 else None)(canary()), 30)
    began = time.monotonic()
    scene.exporter.reset("restarting")
    wait_for("more counts", lambda: canary()["n"] > before["n"] + 1000, 20)
    after, took = canary(), time.monotonic() - began
    assert after["n"] - before["n"] < 0.2 * RPS * (took + 4), "no more than was sent meanwhile"
    assert after["k"] <= 0.06 * after["n"]
    rollout = wait_for("advanced", lambda: (lambda r: r if r["step"] >= 2 else None)(get(scene, "restarting")), 40)
    assert rollout["phase"] in ("progressing", "baking") and not rollout["unproven"], rollout["reason"]
    assert rules(scene, "restarting")[:3] == ["created", "start", "advance"]


def test_a_healthy_canary_advances(scene):
    rollout = wait_for("advanced", lambda: (lambda r: r if r["step"] >= 2 else None)(get(scene, "healthy")), 40)
    assert rollout["phase"] in ("progressing", "baking") and not rollout["unproven"], rollout["reason"]
    assert rules(scene, "healthy")[:3] == ["created", "start", "advance"]
    shown = explain(scene, "healthy")
    assert shown["data"]["quality"] == "completion"
    total = shown["guardrails"][0]["total"]
    assert 0 < total["canary"]["k"] < 0.05 * total["canary"]["n"] and total["stable"]["n"] > 0


def test_a_refusing_canary_is_rolled_back(scene):
    client = scene.client()
    rollout = serin.ended(client, scene.rollouts["refusing"], 40)
    assert rollout["phase"] == "rolled_back" and rollout["rule"] in ("evidence.worse", "evidence.ceiling"), rollout["reason"]
    assert "refusal" in rollout["reason"] and "canary" in rollout["reason"]
    assert client.get("/v1/services/refusing/releases/v2")["quarantined"]["rollout"] == rollout["id"]
    assert client.get("/v1/services/refusing")["stable"] == "v1"


def test_an_answer_with_warnings_proves_nothing_and_says_so(scene):
    """Prometheus answers with what it has, and warns that the remote store is missing."""
    held = wait_for("held", lambda: (lambda r: r if r["rule"] == "hold.source" else None)(get(scene, "warned")), 40)
    assert "remote_read" in held["reason"] and held["step"] == 1, held["reason"]
    shown = explain(scene, "warned")["guardrails"][0]
    assert shown["verdict"] == "inconclusive" and shown["total"]["canary"]["n"] == 0, shown
    event = next(e for e in scene.client().get(f"/v1/events?rollout={held['id']}")["items"] if e["rule"] == "hold.source")
    assert event["type"] == "rollout.held" and "incomplete" in event["reason"] and event["data"]["inputs"]["source"] == 1


def test_a_counter_of_which_no_series_is_there_counts_zero_and_explain_says_so(scene):
    """A misspelt name looks like a release without refusals, and so does a counter that was never raised."""
    client, name, selector = scene.client(), "misspelt", "llm_refusal_total"
    service(client, name, slos={"refusal": {"objective": 90}},
            policy=policy(scene.prometheus.url, name, source={"prometheus": {**source(scene.prometheus.url, name),
                                                                             "bad": {"refusal": selector}}}))
    first_release(client, name)
    gateway = scene.gateway(name, {})
    gateway.reporting = False
    gateway.start()
    scene.exporter.add(name, gateway, {"v1": 0.02, "v2": 0.02})
    gateway_live(client, name)
    scene.rollouts[name] = client.post(f"/v1/services/{name}/rollouts", {"release": "v2"})["id"]
    try:
        wait_for("counts", lambda: explain(scene, name)["guardrails"][0]["total"]["canary"]["n"] > 0, 40)
        shown = explain(scene, name)
        assert shown["guardrails"][0]["total"]["canary"]["k"] == 0
        words = f"No series of {selector} of v1 or v2 seen; counted as 0"
        assert words in shown["guardrails"][0]["says"], shown["guardrails"][0]
        (unseen,) = shown["data"]["unseen"]
        assert (unseen["sli"], unseen["selector"]) == ("refusal", selector) and words in unseen["says"]
        assert explain(scene, "healthy")["data"]["unseen"] == []
        scene.exporter.more = f'# TYPE {selector} counter\n{selector}{{service="{name}",release="v2"}} 1\n'
        wait_for("it was seen", lambda: explain(scene, name)["data"]["unseen"] == [], 30)
        assert "No series" not in explain(scene, name)["guardrails"][0]["says"]
    finally:
        client.post(f"/v1/rollouts/{scene.rollouts[name]}/abort")
        scene.exporter.more = ""


def test_services_that_share_a_source_are_asked_once(scene):
    """What Prometheus has counted: two selectors of two sources, and not more often than their interval (1 s)."""
    def asked():
        with urllib.request.urlopen(f"{scene.prometheus.url}/metrics", timeout=5) as answer:
            text = answer.read().decode()
        return sum(float(line.split()[1]) for line in text.splitlines()
                   if line.startswith("prometheus_http_requests_total{") and 'handler="/api/v1/query"' in line)
    live = [name for name in REFUSALS if name != "warned" and get(scene, name)["phase"] in ("progressing", "baking")]
    assert len(live) >= 3, "several rollouts must want it"
    before, began = asked(), time.monotonic()
    wait_for("twelve queries", lambda: asked() - before >= 12, 60)
    took, queries = time.monotonic() - began, asked() - before
    assert queries <= 2 * 2 * (took / 0.95 + 2), f"{queries} queries in {took:.1f} s"


def test_without_prometheus_nothing_advances_and_it_is_paused(scene):
    """The last one: it stops Prometheus, which the others need."""
    wait_for("counts", lambda: explain(scene, "outage")["guardrails"][0]["total"]["canary"]["n"] > 0, 30)
    scene.client().post(f"/v1/rollouts/{scene.rollouts['outage']}/pause", {"reason": "until it is stopped"})
    before = get(scene, "outage")
    scene.prometheus.stop()
    stopped = time.monotonic()
    scene.client().post(f"/v1/rollouts/{scene.rollouts['outage']}/resume")
    wait_for("verdict error", lambda: explain(scene, "outage")["guardrails"][0]["verdict"] == "error", 20)
    shown = explain(scene, "outage")
    error = shown["data"]["source_error"]
    assert error["detail"] and error["next_step"] and error["detail"] in shown["guardrails"][0]["says"], shown["guardrails"][0]
    assert shown["next_step"] == error["next_step"], "what the source asks for is what is to be done"
    paused = wait_for("paused", lambda: (lambda r: r if r["phase"] == "paused" else None)(get(scene, "outage")), 30)
    assert time.monotonic() - stopped > 3, "missing data hold for the blind time first"
    assert paused["rule"] == "blind.pause" and "no data" in paused["reason"].lower()
    assert (paused["step"], paused["weight"]) == (before["step"], before["weight"]), "nothing has advanced"
    assert [v["verdict"] for v in paused["verdicts"]] == ["error"]
    words = [v["verdict"] for v in scene.client().get(f"/v1/rollouts/{paused['id']}/verdicts")["items"]]
    assert words[0] == "error" and "fail" not in words
    pages = [e for e in scene.client().get(f"/v1/events?rollout={paused['id']}")["items"] if e["data"].get("page")]
    assert [e["rule"] for e in pages] == ["blind.pause"]
    said = [json.loads(line) for line in open(scene.daemon.log) if "metrics source failed" in line]
    assert said and said[-1]["error"] and said[-1]["next_step"]
    # with Prometheus back it goes on where it was
    scene.prometheus.start()
    assert scene.client().post(f"/v1/rollouts/{paused['id']}/resume")["phase"] == paused["resume_phase"]
    wait_for("no error any more", lambda: explain(scene, "outage")["guardrails"][0]["verdict"] in ("pass", "inconclusive"), 30)
    assert get(scene, "outage")["phase"] != "paused"
