"""One trace of each decision, from observation to acknowledgement, as a collector gets it. The collector is a stand-in of
this test: it speaks OTLP/HTTP with JSON, and keeps what it is sent."""
import http.server
import json
import re
import threading
import time

import pytest

import serin
from serin import ended, first_release, gateway_live, service, wait_for


class Listener:
    """A collector (POST /v1/traces) and an endpoint of webhooks (POST /hook)."""

    def __init__(self):
        self.lock, self.spans, self.resources, self.headers, self.hooks = threading.Lock(), [], [], [], []
        self.refuse = 0
        listener = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with listener.lock:
                    code = listener.take(self.path, dict(self.headers), body)
                self.send_response(code)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = "http://127.0.0.1:%d" % self.server.server_port
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def take(self, path, headers, body):
        if path == "/hook":
            self.hooks.append((headers, json.loads(body)))
            return 204
        assert path == "/v1/traces" and headers["Content-Type"] == "application/json"
        if self.refuse > 0:
            self.refuse -= 1
            return 503
        self.headers.append(headers)
        for resource in json.loads(body)["resourceSpans"]:
            self.resources.append({a["key"]: a["value"] for a in resource["resource"]["attributes"]})
            for scope in resource["scopeSpans"]:
                assert scope["scope"]["name"] == "serin"
                self.spans += scope["spans"]
        return 200

    def of(self, trace):
        with self.lock:
            return [s for s in self.spans if s["traceId"] == trace]

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(timeout=10)


@pytest.fixture(scope="module")
def listener():
    made = Listener()
    yield made
    made.stop()


def trace_of(event):
    """The handbook's rule: the 26 digits of the id, read in base 32, are the trace id."""
    number = 0
    for digit in event.removeprefix("ev_"):
        number = number * 32 + "0123456789ABCDEFGHJKMNPQRSTVWXYZ".index(digit)
    return "%032x" % number


def attributes(span):
    return {a["key"]: a["value"].get("stringValue", int(a["value"].get("intValue", "0"))) for a in span["attributes"]}


def begin(span):
    return int(span["startTimeUnixNano"]) / 1e9


def end(span):
    return int(span["endTimeUnixNano"]) / 1e9


def roll_back(world, name, gateways=2):
    client = world.client()
    service(client, name)
    first_release(client, name)
    rates = {"v1": {"refusal": 0.02}, "v2": {"refusal": 0.6}}
    running = [world.gateway(name, rates, rps=100, instance=f"gw-{i}", seed=i).start() for i in range(gateways)]
    gateway_live(client, name)
    rollout = client.post(f"/v1/services/{name}/rollouts", {"release": "v2"})["id"]
    rollout = ended(client, rollout)
    assert rollout["phase"] == "rolled_back" and rollout["rule"].startswith("evidence."), rollout
    events = wait_for("applied", lambda: (lambda found: found if any(
        e["type"] == "route.applied" and e["data"]["epoch"] == found[0]["data"].get("epoch") for e in found) else None)(
            client.get(f"/v1/events?rollout={rollout['id']}&limit=50")["items"]))
    for one in running:
        one.stop()
    return rollout, events


def test_a_rollback_is_one_trace_from_observation_to_acknowledgement(own_world, listener):
    started = time.time()
    world = own_world(rate=10, SERIN_OTLP_EXPORT_URL=f"{listener.url}/v1/traces",
                      SERIN_OTLP_EXPORT_HEADERS="authorization=Bearer%20s3cr3t,x-tenant=serin").start()
    client = world.client()
    client.post("/v1/webhooks", {"url": f"{listener.url}/hook"})
    rollout, events = roll_back(world, "traced")
    event = [e for e in events if e["type"] == "rollout.rolled_back"][0]
    trace = trace_of(event["id"])

    def whole():
        spans = listener.of(trace)
        names = [s["name"] for s in spans]
        return spans if names.count("gateway.apply") == 2 and "route.publish" in names and "rollout.commit" in names else None
    spans = wait_for("the whole trace", whole, 30)
    finished = time.time()
    by_name = {}
    for span in spans:
        by_name.setdefault(span["name"], []).append(span)
    assert {name: len(found) for name, found in by_name.items()} == {
        "rollout.decision": 1, "rollout.observe": 1, "rollout.decide": 1, "rollout.commit": 1, "route.publish": 1,
        "route.apply": 1, "gateway.apply": 2}
    assert len({s["spanId"] for s in spans}) == len(spans) and all(re.fullmatch("[0-9a-f]{16}", s["spanId"]) for s in spans)

    # who belongs to whom
    [root], [apply] = by_name["rollout.decision"], by_name["route.apply"]
    assert "parentSpanId" not in root
    for name, found in by_name.items():
        if name != "rollout.decision":
            parent = apply if name == "gateway.apply" else root
            assert all(s["parentSpanId"] == parent["spanId"] for s in found), name

    # when
    [observe], [decide], [commit], [publish] = (by_name[n] for n in ("rollout.observe", "rollout.decide", "rollout.commit",
                                                                     "route.publish"))
    assert all(started < begin(s) <= end(s) < finished for s in spans), [(s["name"], begin(s) - started, end(s) - started) for s in spans]
    assert begin(root) == begin(observe) and end(observe) == begin(decide) and end(decide) == begin(commit)
    assert end(commit) == end(root) and end(publish) > begin(commit)
    # the database's clock and ours are not read at the same instant
    assert begin(decide) - 0.5 < begin(apply) < end(commit) + 0.5
    for one in by_name["gateway.apply"]:
        assert begin(one) == pytest.approx(begin(apply), abs=1e-3)
        assert end(publish) - 0.5 < end(one) < end(apply) + 0.5

    # what
    said = attributes(root)
    assert said["serin.event"] == event["id"] and said["serin.rule"] == event["rule"] == rollout["rule"]
    assert (said["serin.service"], said["serin.release"], said["serin.rollout"]) == ("traced", "v2", rollout["id"])
    assert (said["serin.phase"], said["serin.weight"], said["serin.actor"]) == ("rolled_back", 0, "serin")
    assert said["serin.epoch"] == event["data"]["epoch"] == attributes(apply)["serin.epoch"]
    assert (said["feature_flag.key"], said["feature_flag.result.variant"]) == ("traced", "v2")
    assert {attributes(s)["serin.gateway"] for s in by_name["gateway.apply"]} == {"gw-0", "gw-1"}
    assert attributes(apply)["serin.gateways_applied"] == 2
    for resource in listener.resources:
        assert resource["service.name"]["stringValue"] == "serin" and resource["service.instance.id"]["stringValue"].startswith("rep_")
    assert all(h.get("Authorization", h.get("authorization")) == "Bearer s3cr3t" and h.get("X-Tenant", h.get("x-tenant")) == "serin"
               for h in listener.headers)

    # webhooks carry it: the decision's own event, and that its route is applied
    parent = f"00-{trace}-{root['spanId']}-01"

    def hooked():
        found = [(h, b) for h, b in listener.hooks if b.get("traceparent") == parent]
        return found if {b["type"] for _, b in found} == {"rollout.rolled_back", "route.applied"} else None
    for headers, body in wait_for("webhooks", hooked, 30):
        assert headers["traceparent"] == parent
    assert all("traceparent" not in b for _, b in listener.hooks if b["data"]["rule"] is None and b["type"] != "route.applied")

    # and the log; no secret is in it
    text = open(world.daemon.log).read()
    lines = [json.loads(line) for line in text.splitlines()]
    [line] = [one for one in lines if one.get("event") == event["id"] and one["room"] == "events"]
    assert line["trace_id"] == trace and line["rollout"] == rollout["id"] and line["service"] == "traced"
    assert "s3cr3t" not in text

    # and the command line, for the event itself and for that its route is applied
    shown = serin.cli(world.daemon, world.tokens["viewer"], "events", "traced", "--traces", check=0).stdout
    assert [line.split()[-1] for line in shown.splitlines() if "rolled_back" in line] == [trace]
    assert any("route.applied" in line and line.rstrip().endswith(trace) for line in shown.splitlines()), shown


def test_another_replica_adds_to_the_same_trace(own_world, listener):
    world = own_world(rate=10, SERIN_OTLP_EXPORT_URL=f"{listener.url}/v1/traces").start()
    other = serin.Daemon(world.database, SERIN_OTLP_EXPORT_URL=f"{listener.url}/v1/traces").start()
    try:
        _, events = roll_back(world, "shared", gateways=1)
        trace = trace_of([e for e in events if e["type"] == "rollout.rolled_back"][0]["id"])

        def published():
            found = [s for s in listener.of(trace) if s["name"] == "route.publish"]
            return found if len(found) == 2 else None
        spans = wait_for("both have published it", published, 30)
        assert len({attributes(s)["serin.replica"] for s in spans}) == 2 and len({s["spanId"] for s in spans}) == 2
        assert len({s["parentSpanId"] for s in spans}) == 1
        [root] = [s for s in listener.of(trace) if s["name"] == "rollout.decision"]
        assert spans[0]["parentSpanId"] == root["spanId"], "one of them has decided"
    finally:
        assert other.stop() == 0


def test_a_command_is_a_trace_without_observation(own_world, listener):
    world = own_world(rate=10, SERIN_OTLP_EXPORT_URL=f"{listener.url}/v1/traces").start()
    client = world.client()
    service(client, "asked")
    rollout = client.post("/v1/services/asked/rollouts", {"release": "v1", "allow_no_gateway": True})["id"]
    client.post(f"/v1/rollouts/{rollout}/abort", {"reason": "enough"})
    event = client.get(f"/v1/events?rollout={rollout}")["items"][0]
    listener.refuse = 1  # it is sent again

    spans = wait_for("its trace", lambda: (lambda found: found if len(found) >= 3 else None)(listener.of(trace_of(event["id"]))), 30)
    names = [s["name"] for s in spans]
    assert "rollout.observe" not in names and {"rollout.decision", "rollout.decide", "rollout.commit"} <= set(names)
    said = attributes([s for s in spans if s["name"] == "rollout.decision"][0])
    assert said["serin.rule"] == "abort" and said["serin.actor"].startswith("admin-") and "enough" in said["serin.reason"]


def test_a_collector_that_is_away_changes_no_decision(own_world):
    world = own_world(rate=10, SERIN_OTLP_EXPORT_URL="http://127.0.0.1:9/v1/traces").start()
    roll_back(world, "alone", gateways=1)

    def failed():
        text = serin.Client(world.daemon.gateway).get("/metrics", raw=True)[2].decode()
        return int(re.search(r'serin_trace_spans_total\{result="failed"\} (\d+)', text)[1]) > 0
    wait_for("it is counted", failed, 40)
    lines = [json.loads(line) for line in open(world.daemon.log)]
    assert any(line["room"] == "trace" and line["next_step"] for line in lines), "and said"


def test_without_a_collector_nothing_is_sent_and_webhooks_say_that_it_is_not_sampled(own_world, listener):
    world = own_world(rate=10).start()
    client = world.client()
    client.post("/v1/webhooks", {"url": f"{listener.url}/hook"})
    service(client, "off")
    rollout = client.post("/v1/services/off/rollouts", {"release": "v1", "allow_no_gateway": True})["id"]
    event = client.get(f"/v1/events?rollout={rollout}")["items"][-1]
    trace = trace_of(event["id"])
    body = wait_for("webhook", lambda: next((b for _, b in listener.hooks if b["data"]["id"] == event["id"]), None), 20)
    assert re.fullmatch(f"00-{trace}-[0-9a-f]{{16}}-00", body["traceparent"])
    assert not listener.of(trace)
