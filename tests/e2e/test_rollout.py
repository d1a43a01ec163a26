"""The main job through the real daemon: versions in, a canary shifted step by step, promoted or rolled back."""
import math
import re
import time

import pytest

import serin
from serin import ended, first_release, gateway_live, service, wait_for


def start(client, name, release="v2", **kw):
    return client.post(f"/v1/services/{name}/rollouts", {"release": release, **kw})["id"]


def test_healthy_canary_is_proven_and_promoted(fast):
    client = fast.client()
    service(client, "healthy")
    first_release(client, "healthy")
    gateway = fast.gateway("healthy", {"v1": {"refusal": 0.02}, "v2": {"refusal": 0.02}}, rps=150).start()
    gateway_live(client, "healthy")
    # a replica publishes a route within a second: what the first release was given may still be seen at first
    wait_for("the route of v1 as stable", lambda: gateway.route and gateway.canary_weight() == 0)
    gateway.seen.clear()
    rollout = ended(client, start(client, "healthy"))
    assert rollout["phase"] == "completed", rollout["reason"]
    assert rollout["rule"] in ("bake.done", "bake.time")
    assert client.get("/v1/services/healthy")["stable"] == "v2"
    wait_for("the gateway has it", lambda: gateway.route and gateway.route["releases"][0]["release"] == "v2")
    weights = [weight for _, _, weight in gateway.seen]
    steps = [w for i, w in enumerate(weights) if w and (i == 0 or w != weights[i - 1])]  # a renewed lease is no step
    assert steps == [500, 2500, 5000, 9800], weights  # the plan, step by step, and the holdback
    gateway.stop()
    events = client.get(f"/v1/events?rollout={rollout['id']}&limit=200")["items"]
    rules = [e["rule"] for e in reversed(events) if e["type"] == "rollout.advanced"]
    assert rules == ["start", "advance", "advance", "advance.bake"], rules
    blocks = client.get(f"/v1/rollouts/{rollout['id']}/blocks?limit=5")
    assert blocks["items"] and blocks["next_cursor"]


def test_before_anything_is_counted_no_text_speaks_of_traffic(world):
    client = world.client()
    service(client, "young", policy={"plan": serin.QUICK_PLAN, "guardrails": {"refusal": {"maturity": "10s"}}, "blind": "60s"})
    first_release(client, "young")
    gateway = world.gateway("young", {"v1": {"refusal": 0.02}, "v2": {"refusal": 0.02}}, rps=50).start()
    gateway_live(client, "young")
    rollout = start(client, "young")
    said = set()

    def counted():
        explained = client.get(f"/v1/rollouts/{rollout}/explain")
        refusal = explained["guardrails"][0]
        if refusal["total"]["canary"]["n"] + refusal["total"]["stable"]["n"] > 0:
            return True
        said.add(explained["eta_unknown"])
        assert "suspicious" not in refusal["says"], refusal["says"]
        return False

    wait_for("counts", counted)
    gateway.stop()
    client.post(f"/v1/rollouts/{rollout}/abort")
    assert "nothing has been counted yet" in said and not any("too little traffic" in (s or "") for s in said), said


def test_a_start_says_how_long_it_takes(fast):
    client = fast.client()
    service(client, "paced")
    first = client.post("/v1/services/paced/rollouts", {"release": "v1", "allow_no_gateway": True})
    assert first["forecast"] is None, "no traffic has been seen, and none is expected"
    wait_for("baking", lambda: client.get(f"/v1/rollouts/{first['id']}")["phase"] == "baking")
    client.post(f"/v1/rollouts/{first['id']}/promote", {"full": True})
    gateway = fast.gateway("paced", {"v1": {"refusal": 0.02}, "v2": {"refusal": 0.02}}, rps=100).start()
    gateway_live(client, "paced")
    time.sleep(3)  # 30 s of the database's clock
    started = client.post("/v1/services/paced/rollouts", {"release": "v2"})
    forecast = started["forecast"]
    assert forecast["measured"] and 60 < forecast["rps"] < 140, forecast
    assert [s["weight"] for s in forecast["steps"]] == [500, 2500, 5000, 9800]
    assert all(s["in_time"] for s in forecast["steps"])
    assert abs(forecast["total_s"] - sum(s["seconds"] for s in forecast["steps"])) <= 4, "each rounded up"
    assert forecast["steps"][0]["paced_by"] == "proof"
    assert forecast["steps"][-1]["paced_by"] == "requests" and forecast["steps"][-1]["seconds"] > 5, \
        "the bake of 5 s is over before anything in it counts"
    assert "forecast" not in client.get(f"/v1/rollouts/{started['id']}")
    client.post(f"/v1/rollouts/{started['id']}/abort")
    gateway.stop()


def test_explain_says_what_is_left_to_compare_with_at_the_end(world):
    client = world.client("oncall")
    for name, holdback, says in (("kept", "3%", "Stable keeps 3 % in the bake"),
                                 ("given_away", "0%", "At 100 % nothing is left to compare with (holdback 0): only the ceilings watch "
                                                      "(refusal at 15 %)")):
        service(world.client(), name, policy={"plan": serin.QUICK_PLAN, "holdback": holdback})
        first = client.post(f"/v1/services/{name}/rollouts", {"release": "v1", "allow_no_gateway": True})["id"]
        wait_for("baking", lambda: client.get(f"/v1/rollouts/{first}")["phase"] == "baking")
        watch = client.get(f"/v1/rollouts/{first}/explain")["watch"]
        assert not watch["compares"] and "no stable release to compare with: only the ceilings watch" in watch["says"]
        client.post(f"/v1/rollouts/{first}/promote", {"full": True})
        second = start(client, name, allow_no_gateway=True)
        wait_for("progressing", lambda: client.get(f"/v1/rollouts/{second}")["phase"] == "progressing")
        watch = client.get(f"/v1/rollouts/{second}/explain")["watch"]
        assert watch["compares"] and says in watch["says"], watch
        client.post(f"/v1/rollouts/{second}/abort")


def test_refusing_canary_is_rolled_back_and_quarantined(fast):
    client = fast.client()
    service(client, "refusing", releases=("v1", "v2", "v3"))
    first_release(client, "refusing")
    gateway = fast.gateway("refusing", {"v1": {"refusal": 0.02}, "v2": {"refusal": 0.4}}, rps=150).start()
    gateway_live(client, "refusing")
    rollout = ended(client, start(client, "refusing"))
    assert rollout["phase"] == "rolled_back", rollout["reason"]
    assert rollout["rule"] in ("evidence.worse", "evidence.ceiling")
    # the evidence in plain words: as rare as the sum that rolled back says
    rare = re.search(r"a healthy canary would look this bad in fewer than 1 of ([\d,]+) rollouts\.", rollout["reason"])
    assert rare, rollout["reason"]
    event = next(e for e in client.get("/v1/events?service=refusing")["items"] if e["type"] == "rollout.rolled_back")
    sums = [event["data"]["inputs"][name] for name in ("log_g_rel", "log_g_all")]
    assert int(rare[1].replace(",", "")) == min(10**9, int(math.exp(max(sums)))) >= 100, (rare[0], sums)
    assert "refusal" in rollout["reason"] and "canary" in rollout["reason"]
    assert client.get("/v1/services/refusing")["stable"] == "v1"
    assert client.get("/v1/services/refusing/releases/v2")["quarantined"]["rollout"] == rollout["id"]
    wait_for("applied", lambda: client.get(f"/v1/rollouts/{rollout['id']}")["route"]["applied_at"])
    gateway.stop()
    assert gateway.canary_weight() == 0

    # quarantined by content, not by name: the same content under another name is refused too
    v2 = client.get("/v1/services/refusing/releases/v2")
    client.post("/v1/services/refusing/releases", {
        "name": "v2-again", "changelog": "another name",
        "artifacts": [{k: a[k] for k in ("kind", "name", "version")} for a in v2["artifacts"]]})
    for name in ("v2", "v2-again"):
        with pytest.raises(serin.Problem) as refused:
            start(client, "refusing", name, allow_no_gateway=True)
        assert refused.value.status == 409 and "quarantine" in refused.value.body["detail"]
        assert refused.value.body["next_step"]
    client.post("/v1/services/refusing/releases/v2/lift-quarantine", {"reason": "false alarm of the judge"})
    again = start(client, "refusing", "v2-again", allow_no_gateway=True)
    client.post(f"/v1/rollouts/{again}/abort")
    # an abort by hand does not quarantine
    assert client.get("/v1/services/refusing/releases/v2")["quarantined"] is None


def test_verbs(world):
    client = world.client()
    service(client, "verbs", policy={"plan": {"steps": [{"weight": "10%", "bake": "1h"}, {"weight": "50%", "bake": "1h"},
                                                       {"weight": "100%", "bake": "1h"}]}})
    first_release(client, "verbs")
    rollout = start(client, "verbs", allow_no_gateway=True)

    def phase():
        return client.get(f"/v1/rollouts/{rollout}")["phase"]

    def command(verb, body=None, **kw):
        return client.post(f"/v1/rollouts/{rollout}/{verb}", body or {}, **kw)

    wait_for("progressing", lambda: phase() == "progressing")
    paused = command("pause", {"reason": "look"})
    assert paused["phase"] == "paused" and paused["resume_phase"] == "progressing" and paused["weight"] == 1000
    assert "look" in paused["reason"]
    assert command("pause")["phase"] == "paused"  # again: no change
    assert command("resume")["phase"] == "progressing"
    stepped = command("promote")
    assert stepped["step"] == 2 and stepped["weight"] == 5000 and stepped["unproven"]
    lowered = command("set-weight", {"weight": "20%"})
    assert lowered["weight"] == 2000 and lowered["phase"] == "paused"
    with pytest.raises(serin.Problem) as up:
        command("set-weight", {"weight": 3000})
    assert up.value.status == 409 and "promote" in up.value.body["next_step"]
    assert command("promote")["phase"] == "baking"
    muted = command("mute", {"sli": "refusal", "until": "1h", "reason": "judge is down"})
    assert muted["muted"][0]["sli"] == "refusal" and muted["phase"] == "baking"
    for wrong in ({"sli": "refusal", "until": "1h"}, {"sli": "ttft", "until": "1h", "reason": "x"},
                  {"sli": "refusal", "until": "30d", "reason": "x"}):
        with pytest.raises(serin.Problem) as bad:
            command("mute", wrong)
        assert bad.value.status == 422, wrong
    aborted = command("abort", {"reason": "enough"})
    assert aborted["phase"] == "aborted" and aborted["weight"] == 0
    assert command("abort")["version"] == aborted["version"]  # of a finished rollout: 200, unchanged
    for verb in ("pause", "resume", "promote", "set-weight"):
        with pytest.raises(serin.Problem) as late:
            command(verb, {"weight": 1} if verb == "set-weight" else {})
        assert late.value.status == 409 and late.value.body["next_step"]
    with pytest.raises(serin.Problem):  # no gateway is live: a retry is a start
        command("retry")
    world.gateway("verbs", {}).poll()
    gateway_live(client, "verbs")
    retried = command("retry")
    assert retried["id"] != rollout and retried["retry_of"] == rollout
    client.post(f"/v1/rollouts/{retried['id']}/promote", {"full": True})
    assert client.get("/v1/services/verbs")["stable"] == "v2"


def test_if_match_and_idempotency(world):
    client = world.client()
    service(client, "idem")
    first_release(client, "idem")
    key = {"Idempotency-Key": "start-idem-1"}
    body = {"release": "v2", "allow_no_gateway": True}
    status, _, one = client.request("POST", "/v1/services/idem/rollouts", body, headers=key, raw=True)
    status2, headers2, two = client.request("POST", "/v1/services/idem/rollouts", body, headers=key, raw=True)
    assert (status, status2) == (201, 201) and one["id"] == two["id"]
    assert headers2.get("Idempotency-Replayed") == "true"
    status3, _, problem = client.request("POST", "/v1/services/idem/rollouts", {**body, "reason": "other"}, headers=key, raw=True)
    assert status3 == 422 and "idempotency-key-reused" in problem["type"]
    _, headers, rollout = client.request("GET", f"/v1/rollouts/{one['id']}", raw=True)
    stale, _, problem = client.request("POST", f"/v1/rollouts/{one['id']}/pause", {}, headers={"If-Match": '"v999999"'}, raw=True)
    assert stale == 412 and problem["next_step"]
    client.post(f"/v1/rollouts/{one['id']}/abort")


def test_start_is_refused_with_a_next_step(world):
    client = world.client()
    client.put("/v1/services/refuse", {"description": "x"})

    def refused(status, body, part):
        with pytest.raises(serin.Problem) as problem:
            client.post("/v1/services/refuse/rollouts", body)
        assert problem.value.status == status, problem.value
        assert part in problem.value.body["detail"] + str(problem.value.body.get("errors")), problem.value
        assert problem.value.body["next_step"], problem.value
    refused(409, {"release": "v1"}, "no objectives")
    client.put("/v1/services/refuse/slos", {"slos": {"refusal": {"objective": 95}}})
    refused(404, {"release": "v1"}, "no release")  # before gateways, which would be mended in vain
    serin.release(client, "refuse", "v1", "one")
    refused(409, {"release": "v1"}, "No gateway")
    serin.release(client, "refuse", "v2", "two")
    first_release(client, "refuse")
    refused(409, {"release": "v1", "allow_no_gateway": True}, "stable release")
    with pytest.raises(serin.Problem) as bad:
        client.post("/v1/services/refuse/rollouts", {"release": "v2", "allow_no_gateway": True, "plan": {"steps": [
            {"weight": "50%"}, {"weight": "20%"}, {"weight": "90%"}]}})
    assert bad.value.status == 422 and any("/plan/steps" in e["pointer"] for e in bad.value.body["errors"])
    live = client.post("/v1/services/refuse/rollouts", {"release": "v2", "allow_no_gateway": True})
    serin.release(client, "refuse", "v3", "three")
    refused(409, {"release": "v3", "allow_no_gateway": True}, "is live")
    newer = client.post("/v1/services/refuse/rollouts", {"release": "v3", "allow_no_gateway": True, "supersede": True})
    assert client.get(f"/v1/rollouts/{live['id']}")["phase"] == "aborted"
    client.post("/v1/freeze", {"reason": "holidays"})
    try:
        with pytest.raises(serin.Problem) as frozen:
            client.post(f"/v1/rollouts/{newer['id']}/promote")
        assert frozen.value.status == 409 and "frozen" in frozen.value.body["detail"]
        client.post(f"/v1/rollouts/{newer['id']}/abort")  # a freeze never stops a way back
        refused(409, {"release": "v3", "allow_no_gateway": True}, "frozen")
    finally:
        client.delete("/v1/freeze")


def test_corpus_must_be_ready(world):
    client = world.client()
    service(client, "corpus", releases=("v1",))
    first_release(client, "corpus")
    corpus = client.post("/v1/artifacts/corpus/docs/versions", {"content": {
        "uri": "s3://index/7", "index_digest": "a" * 64, "embedding_model": "e5"}})
    assert corpus["ready"] is False
    v1 = client.get("/v1/services/corpus/releases/v1")
    client.post("/v1/services/corpus/releases", {"name": "v2", "artifacts": [
        *[{k: a[k] for k in ("kind", "name", "version")} for a in v1["artifacts"]],
        {"kind": "corpus", "name": "docs", "version": 1}]})
    rollout = start(client, "corpus", allow_no_gateway=True)
    wait_for("held", lambda: client.get(f"/v1/rollouts/{rollout}")["rule"] == "pending.corpus")
    assert any("docs" in n or "corpus" in n for n in client.get(f"/v1/rollouts/{rollout}/explain")["needs"])
    client.post("/v1/artifacts/corpus/docs/versions/1/ready", {"ready": True})
    wait_for("progressing", lambda: client.get(f"/v1/rollouts/{rollout}")["phase"] == "progressing")
    client.post(f"/v1/rollouts/{rollout}/abort")


def test_deadline_pauses_and_a_long_pause_aborts(own_world):
    world = own_world(rate=60)
    world.start()
    client = world.client()
    service(client, "slow", policy={"paused_limit": "2m", "plan": {"steps": [
        {"weight": "5%", "bake": "10s", "deadline": "1m"}, {"weight": "100%", "bake": "10s"}]},
        "guardrails": {"refusal": {"maturity": "1s"}}, "blind": "1h"})
    first_release(client, "slow")
    rollout = start(client, "slow", allow_no_gateway=True)
    paused = wait_for("paused by its deadline",
                      lambda: (lambda r: r if r["phase"] == "paused" else None)(client.get(f"/v1/rollouts/{rollout}")))
    assert paused["rule"] == "step.deadline"
    done = ended(client, rollout)
    assert done["phase"] == "aborted" and done["rule"] == "paused.limit"
    assert client.get("/v1/services/slow/releases/v2")["quarantined"] is None
    pages = [e for e in client.get(f"/v1/events?rollout={rollout}")["items"] if e["data"].get("page")]
    assert {e["rule"] for e in pages} == {"step.deadline", "paused.limit"}


def test_service_rollback_goes_back_release_by_release(world):
    client = world.client()
    service(client, "back", releases=("v1", "v2", "v3"))
    first_release(client, "back")
    with pytest.raises(serin.Problem) as none:
        client.post("/v1/services/back/rollback")
    assert none.value.status == 409 and none.value.body["next_step"]
    for name in ("v2", "v3"):
        rollout = start(client, "back", name, allow_no_gateway=True)
        client.post(f"/v1/rollouts/{rollout}/promote", {"full": True})
    assert client.post("/v1/services/back/rollback", {"reason": "users complain"})["stable"] == "v2"
    assert client.post("/v1/services/back/rollback")["stable"] == "v1"
    named = client.post("/v1/services/back/rollback", {"to": "v3", "reason": "it was the provider"})
    assert named["stable"] == "v3" and named["left"] == "v1"
    # with a live rollout the service goes back to its stable release, not further
    serin.release(client, "back", "v4", "four")
    rollout = start(client, "back", "v4", allow_no_gateway=True)
    wait_for("serving", lambda: client.get(f"/v1/rollouts/{rollout}")["weight"] > 0)
    result = client.post("/v1/services/back/rollback")
    assert result["stable"] == "v3" and result["rollout"] == rollout and result["left"] == "v4"
    assert client.get(f"/v1/rollouts/{rollout}")["phase"] == "rolled_back"


def test_rollback_ends_a_rollout_that_does_not_serve_and_passes_releases_that_were_left(world):
    client = world.client()
    service(client, "further", releases=("v1", "v2", "v3", "v4"))
    first_release(client, "further")

    def promote(name):
        rollout = start(client, "further", name, allow_no_gateway=True)
        client.post(f"/v1/rollouts/{rollout}/promote", {"full": True})
    promote("v2")
    assert client.post("/v1/services/further/rollback")["stable"] == "v1"
    promote("v3")
    # v2 was left by on-call: the rollback target is v1
    assert client.post("/v1/services/further/rollback")["stable"] == "v1"
    promote("v2")  # baked anew: good again
    pending = start(client, "further", "v4", allow_no_gateway=True)
    client.post(f"/v1/rollouts/{pending}/pause")
    served = client.get(f"/v1/rollouts/{pending}")["weight"] > 0
    # whether v4 serves already or not: v2, healthy, stays
    result = client.post("/v1/services/further/rollback")
    assert (result["stable"], result["left"], result["rollout"]) == ("v2", "v4" if served else None, pending)
    assert result["baked"] and client.get("/v1/services/further")["live_rollout"] is None
    with pytest.raises(serin.Problem) as unproven:
        client.post("/v1/services/further/rollback", {"to": "v4"})
    assert unproven.value.status == 409 and "never proven" in unproven.value.body["detail"]
    result = client.post("/v1/services/further/rollback", {"to": "v4", "reason": "users ask for it"})
    assert (result["stable"], result["left"], result["baked"]) == ("v4", "v2", False)
    assert client.post("/v1/services/further/rollback")["stable"] == "v2"


def test_start_to_finish_takes_no_step_without_data(world):
    """No reports: the canary stays where it is, blind, and is paused after the blind time."""
    client = world.client()
    service(client, "blind", policy={"plan": serin.QUICK_PLAN, "blind": "2s",
                                     "guardrails": {"refusal": {"maturity": "1s"}}})
    first_release(client, "blind")
    rollout = start(client, "blind", allow_no_gateway=True)
    time.sleep(4)
    now = client.get(f"/v1/rollouts/{rollout}")
    assert now["step"] == 1 and now["phase"] in ("progressing", "paused")
    client.post(f"/v1/rollouts/{rollout}/abort")


def test_an_sli_that_nobody_reports_pages_and_is_named(own_world):
    """Errors are reported of every request, refusals of none: warned of at the start, named while it is so, paged within the
    blind time, and over with the first report."""
    world = own_world(rate=10)
    world.start()
    client = world.client()
    service(client, "unreported", slos={"refusal": {"objective": 90}, "error": {"objective": 90}}, policy={
        "guardrails": {"refusal": {"maturity": "2s", "budget_share": 0}, "error": {"maturity": "2s", "budget_share": 0}},
        "blind": "100s", "plan": {"steps": [{"weight": "20%", "bake": "1h"}, {"weight": "100%", "bake": "1h"}]}})
    first_release(client, "unreported")
    gateway = world.gateway("unreported", {"v1": {"error": 0.01}, "v2": {"error": 0.01}})
    gateway.start()
    gateway_live(client, "unreported")
    admin = world.tokens["admin"]
    wait_for("stable is counted", lambda: gateway.served.get("v1", 0) > 2000)
    said = " ".join(serin.cli(world.daemon, admin, "rollout", "start", "unreported", "v2", check=0).stdout.split())
    assert "Warning: Nobody reports refusal: none of the newest " in said, said
    assert "Report refusal" in said and "does not finish by itself, for what is warned of here" in said, said
    (rollout,) = [r["id"] for r in client.get("/v1/services/unreported/rollouts")["items"] if r["release"] == "v2"]

    def explained():
        shown = serin.cli(world.daemon, admin, "explain", "unreported", check=0).stdout
        return shown if "What to do: Report refusal" in shown else None
    shown = wait_for("named, and what to do", explained, 30)
    assert "Nobody reports refusal. Requests of the canary that were counted: " in shown, shown
    assert "refusal: nobody reports it" in shown and "Nothing: it goes on" not in shown, shown
    held = wait_for("held", lambda: (lambda r: r if r["rule"] == "hold.unreported" else None)(
        client.get(f"/v1/rollouts/{rollout}")), 30)
    assert held["phase"] == "progressing" and "nobody reports refusal" in held["reason"], held["reason"]
    (event,) = [e for e in client.get(f"/v1/events?rollout={rollout}")["items"] if e["rule"] == "hold.unreported"]
    assert event["type"] == "rollout.held" and event["data"]["page"] and event["data"]["next_step"]
    assert event["data"]["inputs"]["unreported"] == 1

    def metric():
        text = serin.Client(world.daemon.gateway).get("/metrics", raw=True)[2].decode()
        found = [line for line in text.splitlines() if line.startswith("serin_guardrail_unreported_requests{")]
        return {line.split('sli="')[1].split('"')[0]: float(line.split()[-1]) for line in found}
    wait_for("it can be alerted on", lambda: metric().get("refusal", 0) > 100, 20)
    assert metric()["error"] == 0
    gateway.rates = {release: {**rates, "refusal": 0.01} for release, rates in gateway.rates.items()}
    # what else may hold on a machine that is slow is no matter here
    wait_for("the hold is over", lambda: client.get(f"/v1/rollouts/{rollout}")["rule"] != "hold.unreported", 60)
    wait_for("no alert", lambda: metric()["refusal"] == 0, 20)
