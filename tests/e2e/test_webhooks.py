"""Deliveries to a receiver of this test: signed, once, again after a failure, and only to those whom they concern."""
import base64
import collections
import hashlib
import hmac
import http.server
import json
import threading
import time

import pytest

import serin
from serin import first_release, service, wait_for

SLOW = {"plan": {"steps": [{"weight": "10%", "bake": "1h"}, {"weight": "50%", "bake": "1h"}, {"weight": "100%", "bake": "1h"}]}}


def verify(secret, headers, body, tolerance_s=300):
    """As the handbook says."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    fresh = abs(time.time() - int(headers["webhook-timestamp"])) <= tolerance_s
    return fresh and any(hmac.compare_digest(expected, s) for s in headers["webhook-signature"].split())


Delivery = collections.namedtuple("Delivery", "headers body at answered")


class Receiver:
    """Keeps what comes, by path. `answers`: path -> the statuses of the first deliveries; then 204."""

    def __init__(self):
        self.lock = threading.Lock()
        self.got, self.answers, self.sleep = collections.defaultdict(list), {}, {}
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with receiver.lock:
                    left = receiver.answers.get(self.path, [])
                    status = left.pop(0) if left else 204
                    receiver.got[self.path].append(Delivery(dict(self.headers), body, time.monotonic(), status))
                time.sleep(receiver.sleep.get(self.path, 0))
                self.send_response(status)
                if status in (301, 302, 307):
                    self.send_header("Location", receiver.url + "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def do_GET(self):
                with receiver.lock:
                    receiver.got["GET " + self.path].append(None)
                self.send_error(405)

            def log_message(self, *_):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def of(self, path, status=None):
        with self.lock:
            return [d for d in self.got[path] if status is None or d.answered == status]

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(timeout=10)


@pytest.fixture(scope="module")
def receiver():
    made = Receiver()
    yield made
    made.stop()


def hook(client, receiver, path, **more):
    return client.post("/v1/webhooks", {"url": receiver.url + path, **more})


def ids(deliveries):
    return [d.headers["webhook-id"] for d in deliveries]


def events(client, name=None, after=0):
    """Oldest first; those of a service behind a position in its chain."""
    found = client.get("/v1/events?limit=200" + (f"&service={name}" if name else ""))["items"]
    return [e for e in reversed(found) if e["seq"] > after]


def newest(client, name):
    return client.get(f"/v1/events?service={name}&limit=1")["items"][0]["seq"]


def shown(client, webhook):
    return [w for w in client.get("/v1/webhooks?limit=200")["items"] if w["id"] == webhook["id"]][0]


def everything_arrived(client, receiver, path, expected, timeout=15):
    wanted = [e["id"] for e in expected]
    wait_for(f"{len(wanted)} deliveries at {path}", lambda: set(wanted) <= set(ids(receiver.of(path))), timeout)


def test_each_transition_is_delivered_once_and_signed(world, receiver):
    client = world.client()
    service(client, "told", policy=SLOW)
    first_release(client, "told")
    before = newest(client, "told")
    webhook = hook(client, receiver, "/told", service="told")
    assert webhook["secret"].startswith("whsec_") and len(base64.b64decode(webhook["secret"][6:])) >= 24
    rollout = client.post("/v1/services/told/rollouts", {"release": "v2", "allow_no_gateway": True,
                                                         "reason": "ünïcode 🐦 \"quoted\""})["id"]
    wait_for("serving", lambda: client.get(f"/v1/rollouts/{rollout}")["weight"] > 0)
    for verb, body in (("pause", {"reason": "look"}), ("resume", {}), ("promote", {}), ("set-weight", {"weight": "2%"}),
                       ("mute", {"sli": "refusal", "until": "1h", "reason": "judge is down"}), ("abort", {"reason": "enough"})):
        client.post(f"/v1/rollouts/{rollout}/{verb}", body)
    expected = events(client, "told", before)
    types = [e["type"] for e in expected]
    for wanted in ("rollout.started", "rollout.advanced", "rollout.paused", "rollout.resumed", "rollout.weight_set",
                   "rollout.muted", "rollout.aborted"):
        assert wanted in types
    everything_arrived(client, receiver, "/told", expected)
    time.sleep(1.5)  # a second one would come with the next turn
    deliveries = receiver.of("/told")
    assert sorted(ids(deliveries)) == sorted(e["id"] for e in events(client, "told", before)), "each once, and nothing else"
    by_id = {d.headers["webhook-id"]: d for d in deliveries}
    for event in expected:
        delivery = by_id[event["id"]]
        assert verify(webhook["secret"], delivery.headers, delivery.body)
        assert not verify(webhook["secret"], delivery.headers, delivery.body + b" ")
        assert not verify("whsec_" + base64.b64encode(bytes(32)).decode(), delivery.headers, delivery.body)
        assert delivery.headers["Content-Type"] == "application/json" and delivery.headers["User-Agent"].startswith("serin/")
        payload = json.loads(delivery.body)
        assert b"\n" not in delivery.body and set(payload) - {"traceparent"} == {"type", "timestamp", "data"}
        assert payload["type"] == event["type"] and payload["timestamp"] == event["at"]
        assert payload["data"] == {k: v for k, v in event.items() if k != "hash"}, "as /v1/events shows it"
    aborted = json.loads(by_id[[e["id"] for e in expected if e["type"] == "rollout.aborted"][0]].body)["data"]
    assert aborted["rule"] == "abort" and "enough" in aborted["reason"] and aborted["actor"].startswith("admin-")
    assert (aborted["rollout"], aborted["release"], aborted["service"]) == (rollout, "v2", "told")
    started = json.loads(by_id[expected[0]["id"]].body)["data"]
    assert started["type"] == "rollout.started" and "ünïcode 🐦 \"quoted\"" in started["reason"]
    state = wait_for("nothing is owed", lambda: (lambda w: w if w["pending"] == 0 else None)(shown(client, webhook)))
    assert state["last_delivered_at"] and state["last_error"] is None and "secret" not in state
    client.delete(f"/v1/webhooks/{webhook['id']}")


def test_only_those_whom_it_concerns(world, receiver):
    client = world.client()
    for name in ("mine", "theirs"):
        service(client, name, policy=SLOW)
        first_release(client, name)
    before = {name: newest(client, name) for name in ("mine", "theirs")}
    one, all_ = hook(client, receiver, "/mine", service="mine"), hook(client, receiver, "/all")
    assert one["secret"] != all_["secret"] and (one["service"], all_["service"]) == ("mine", None)
    for name in ("mine", "theirs"):
        rollout = client.post(f"/v1/services/{name}/rollouts", {"release": "v2", "allow_no_gateway": True})["id"]
        client.post(f"/v1/rollouts/{rollout}/promote", {"full": True})
        client.post(f"/v1/services/{name}/rollback", {"reason": f"users of {name} complain"})
    client.post("/v1/freeze", {"reason": "holidays"})
    client.delete("/v1/freeze")
    mine, theirs = (events(client, name, before[name]) for name in ("mine", "theirs"))
    system = [e for e in events(client) if e["service"] is None and "freeze" in e["type"] or "frozen" in e["type"]]
    assert len(system) >= 2
    everything_arrived(client, receiver, "/mine", mine)
    everything_arrived(client, receiver, "/all", mine + theirs + system[-2:])
    payloads = [json.loads(d.body)["data"] for d in receiver.of("/mine")]
    assert {p["service"] for p in payloads} == {"mine"}
    # a rollback by hand is told as one
    rolled = [p for p in payloads if "rollback" in p["type"] or "rolled_back" in p["type"]]
    assert rolled and "users of mine complain" in rolled[0]["reason"] and rolled[0]["actor"].startswith("admin-") and rolled[0]["rule"]
    assert all(verify(one["secret"], d.headers, d.body) and not verify(all_["secret"], d.headers, d.body)
               for d in receiver.of("/mine"))
    # removed: nothing more comes
    client.delete(f"/v1/webhooks/{one['id']}")
    count, more = len(receiver.of("/mine")), newest(client, "mine")
    client.post("/v1/services/mine/rollback", {"to": "v2", "reason": "after all"})
    everything_arrived(client, receiver, "/all", events(client, "mine", more))
    assert len(receiver.of("/mine")) == count
    client.delete(f"/v1/webhooks/{all_['id']}")


def test_a_failure_is_repeated_and_then_counts_once(own_world, receiver):
    """Also by a serind that was killed in between: what is owed is in the database."""
    world = own_world(SERIN_TICK_MS=60000).start()  # no transition but those of this test
    client = world.client()
    service(client, "again", policy=SLOW)
    receiver.answers.update({"/flaky": [500], "/gone": [410], "/moved": [302]})
    hooks = {path: hook(client, receiver, path, service="again") for path in ("/flaky", "/gone", "/moved", "/fine")}
    before = newest(client, "again")
    rollout = client.post("/v1/services/again/rollouts", {"release": "v1", "allow_no_gateway": True})["id"]
    event = events(client, "again", before)[0]

    def said(path, part):
        state = shown(client, hooks[path])
        return state if part in (state["last_error"] or "") else None
    failed = wait_for("the failure is shown", lambda: said("/flaky", "500"))
    assert failed["pending"] == 1 and failed["last_delivered_at"] is None and failed["disabled_at"] is None
    wait_for("a redirect is a failure", lambda: said("/moved", "302"))
    gone = wait_for("disabled", lambda: (lambda w: w if w["disabled_at"] else None)(shown(client, hooks["/gone"])))
    assert gone["pending"] == 0
    wait_for("the others do not wait", lambda: shown(client, hooks["/fine"])["last_delivered_at"])
    world.daemon.kill()
    world.daemon.start()
    client = world.client()
    client.post(f"/v1/rollouts/{rollout}/abort")
    expected = events(client, "again", before)
    assert expected[-1]["rule"] == "abort"
    for path in ("/flaky", "/moved", "/fine"):
        everything_arrived(client, receiver, path, expected, 25)
    wait_for("nothing is owed", lambda: all(shown(client, hooks[p])["pending"] == 0 for p in hooks), 25)
    time.sleep(1.5)  # a duplicate would come with the next turn
    for path, first in (("/flaky", 500), ("/moved", 302), ("/fine", 204)):
        tries = [d for d in receiver.of(path) if d.headers["webhook-id"] == event["id"]]
        assert [d.answered for d in tries] == ([204] if first == 204 else [first, 204]), path
        assert len({d.body for d in tries}) == 1, "the same bytes each time"
        assert all(verify(hooks[path]["secret"], d.headers, d.body) for d in tries)
        assert len(tries) == 1 or tries[1].at - tries[0].at > 4.5, "not at once"
        assert max(collections.Counter(ids(receiver.of(path, 204))).values()) == 1, f"{path}: a duplicate"
        assert shown(client, hooks[path])["last_error"] is None
    assert len(receiver.of("/gone")) == 1, "it wanted no more"
    assert not receiver.of("/elsewhere") and not receiver.of("GET /elsewhere"), "a redirect is never followed"
    log = [json.loads(line) for line in open(world.daemon.log) if '"room":"notify"' in line]
    assert any(line.get("webhook") == hooks["/flaky"]["id"] and line.get("event") == event["id"] for line in log)


def test_the_quicker_endpoint_goes_first(world, receiver):
    """A slow one does not push the others to the end of the line: each event reaches the quick one first."""
    client = world.client()
    service(client, "slow", policy=SLOW)
    receiver.sleep["/slow"] = 0.4
    hooks = [hook(client, receiver, path, service="slow") for path in ("/slow", "/quick")]
    rollout = client.post("/v1/services/slow/rollouts", {"release": "v1", "allow_no_gateway": True})["id"]
    wait_for("it is known how quick they are", lambda: all(
        shown(client, w)["pending"] == 0 and shown(client, w)["last_delivered_at"] for w in hooks))
    before = newest(client, "slow")
    for _ in range(3):
        client.post(f"/v1/rollouts/{rollout}/pause")
        client.post(f"/v1/rollouts/{rollout}/resume")
    expected = events(client, "slow", before)
    for path in ("/quick", "/slow"):
        everything_arrived(client, receiver, path, expected, 30)
    at = {path: {d.headers["webhook-id"]: d.at for d in receiver.of(path)} for path in ("/quick", "/slow")}
    first = [at["/quick"][e["id"]] < at["/slow"][e["id"]] for e in expected]
    assert all(first), first
    for webhook in hooks:
        client.delete(f"/v1/webhooks/{webhook['id']}")
    client.post(f"/v1/rollouts/{rollout}/abort")


def test_addresses_of_the_inner_network_are_refused(own_world, receiver):
    world = own_world(SERIN_WEBHOOK_PRIVATE=0).start()
    client = world.client()
    service(client, "inner", policy=SLOW)
    named = receiver.url.replace("127.0.0.1", "localhost")  # what it stands for is seen only when it is asked for
    webhook = client.post("/v1/webhooks", {"url": named + "/inner", "service": "inner"})
    client.post("/v1/services/inner/rollouts", {"release": "v1", "allow_no_gateway": True})
    said = wait_for("refused", lambda: shown(client, webhook)["last_error"], 20)
    assert "private" in said or "loopback" in said or "address" in said, said
    assert not receiver.of("/inner") and shown(client, webhook)["pending"] >= 1


def test_an_inner_address_is_refused_when_the_webhook_is_created(own_world):
    client = own_world(SERIN_WEBHOOK_PRIVATE=0).start().client()
    for host in ("10.0.0.1", "127.0.0.1:8080", "[::1]", "[::ffff:192.168.0.1]:1", "2130706433", "0x7f.1", "169.254.169.254"):
        with pytest.raises(serin.Problem) as problem:
            client.post("/v1/webhooks", {"url": f"https://{host}/x"})
        said = problem.value.body
        assert problem.value.status == 422 and said["errors"][0] == {"pointer": "/url", "detail": "is not an address of the public internet"}, said
        assert "SERIN_WEBHOOK_PRIVATE" in said["next_step"]
    for url in ("https://8.8.8.8/x", "https://[2606:4700::1111]:8443/x", "https://10.example.com/x?y=10.0.0.1"):
        assert client.post("/v1/webhooks", {"url": url})["secret"]
