"""Law 7 through the real daemon and the command line: stored decisions come out the same, a changed record does not."""
import json

import pytest

import serin
from serin import cli, ended, first_release, gateway_live, service, wait_for


@pytest.fixture(scope="module")
def judged(fast):
    """A rollout that advanced, was paused and resumed by hand, and was rolled back by evidence."""
    client = fast.client()
    service(client, "judged", policy={"plan": serin.QUICK_PLAN, "blind": "60s", "guardrails": {"refusal": {"maturity": "3s"}}})
    first_release(client, "judged")
    rates = {"v1": {"refusal": 0.02}, "v2": {"refusal": 0.02}}
    gateway = fast.gateway("judged", rates, rps=150).start()
    gateway_live(client, "judged")
    rollout = client.post("/v1/services/judged/rollouts", {"release": "v2"})["id"]
    wait_for("the second step", lambda: client.get(f"/v1/rollouts/{rollout}")["step"] >= 2, 60)
    client.post(f"/v1/rollouts/{rollout}/pause")
    client.post(f"/v1/rollouts/{rollout}/resume")
    rates["v2"]["refusal"] = 0.5
    after = ended(client, rollout)
    assert after["rule"] in ("evidence.worse", "evidence.ceiling"), after["reason"]
    gateway.stop()
    return rollout


def whole(client, rollout):
    """The record, all pages as one."""
    page = record = client.get(f"/v1/rollouts/{rollout}/record")
    while page["next_cursor"]:
        page = client.get(f"/v1/rollouts/{rollout}/record?cursor={page['next_cursor']}")
        for part in ("decisions", "verdicts", "blocks"):
            record[part] += page[part]
    record["next_cursor"] = None
    return record


def test_the_record_holds_what_decisions_rest_on(fast, judged):
    client = fast.client("viewer")
    record = whole(client, judged)
    assert [b["seq"] for b in record["blocks"]] == list(range(1, record["blocks_stored"] + 1))
    rules = [d["rule"] for d in record["decisions"]]
    assert rules[0] == "start" and {"advance", "pause", "resume"} <= set(rules) and rules[-1].startswith("evidence."), rules
    assert all(d["data"]["blocks"] <= record["blocks_stored"] for d in record["decisions"])
    assert [w["weight"] for w in record["weights"]][:2] == [500, 2500] and record["weights_complete"]
    assert record["weights"][0]["raised"] and record["quality"] == "cohort" and record["tick_s"] == 1
    assert [v["verdict"] for v in record["verdicts"]][-1] == "fail"


def test_every_stored_decision_comes_out_the_same(fast, judged):
    run = cli(fast.daemon, fast.tokens["viewer"], "replay", judged, check=0)
    assert "all equal, bit by bit" in run.stdout and "evidence." in run.stdout, run.stdout
    run = cli(fast.daemon, fast.tokens["viewer"], "replay", "judged", "--json", check=0)
    answer = json.loads(run.stdout)
    assert answer["equal"] and answer["bit_equal"] and len(answer["decisions"]) >= 5
    assert all(d["computed"]["rule"] == d["rule"] and d["hash_holds"] for d in answer["decisions"])
    event = answer["decisions"][-1]["event"]
    run = cli(fast.daemon, fast.tokens["viewer"], "replay", judged, "--event", event, check=0)
    assert "1 decision," in run.stdout
    run = cli(fast.daemon, fast.tokens["viewer"], "replay", judged, "--event", "ev_none", check=1)
    assert "holds no decision ev_none" in run.stderr


def replay(path):
    import os
    import subprocess
    env = {k: v for k, v in os.environ.items() if not k.startswith("SERIN_URL")}
    return subprocess.run([serin.CLI, "--url", "http://127.0.0.1:1", "replay", "--file", str(path)],
                          env={**env, "NO_COLOR": "1"}, capture_output=True, text=True, timeout=60)


def changed(record, tmp_path, change, indent=None):
    copy = json.loads(json.dumps(record))
    change(copy)
    path = tmp_path / "changed.record"
    path.write_text(json.dumps(copy, indent=indent) + "\n")
    return replay(path)


def test_a_saved_record_needs_no_server_and_a_changed_one_is_found_out(fast, judged, tmp_path):
    saved = tmp_path / "judged.record"
    cli(fast.daemon, fast.tokens["viewer"], "replay", judged, "--save", str(saved), check=0)
    run = replay(saved)
    assert run.returncode == 0 and "all equal, bit by bit" in run.stdout, run.stdout + run.stderr
    record = whole(fast.client(), judged)
    assert changed(record, tmp_path, lambda r: None, indent=2).returncode == 0, "formatted over many lines"

    def block(r):  # the canary was a little less bad
        bad = next(b for b in reversed(r["blocks"]) if b["canary"]["k"] > 2)
        bad["canary"]["k"] -= 2
    run = changed(record, tmp_path, block)
    assert run.returncode == 1 and "DIFFERS" in run.stdout and "Evidence:" in run.stdout, run.stdout

    def rule(r):  # the event says that another rule fired
        r["decisions"][-1]["rule"] = "evidence.shared_cause"
    run = changed(record, tmp_path, rule)
    assert run.returncode == 1 and "stored evidence.shared_cause, computed evidence." in run.stdout, run.stdout
    assert "not what was hashed" in run.stdout

    def inputs(r):  # only the hash can tell: the clock is an input
        r["decisions"][-1]["data"]["inputs"]["now_ms"] += 1
    run = changed(record, tmp_path, inputs)
    assert run.returncode == 1 and "not what was hashed" in run.stdout and "Rule:" not in run.stdout, run.stdout

    def policy(r):
        r["policy"]["guardrails"]["refusal"]["action"] = "notify"
    run = changed(record, tmp_path, policy)
    assert run.returncode == 1 and "Action of the evidence" in run.stdout, run.stdout

    def cut(r):
        del r["blocks"][-1]
    run = changed(record, tmp_path, cut)
    assert run.returncode == 1 and "the record has fewer" in run.stdout, run.stdout

    def gap(r):
        del r["blocks"][3]
    run = changed(record, tmp_path, gap)
    assert run.returncode == 1 and "the next must be 4" in run.stderr, run.stderr

    def unfinished(r):
        r["next_cursor"] = "more"
    run = changed(record, tmp_path, unfinished)
    assert run.returncode == 1 and "ends before the record does" in run.stderr, run.stderr
    (tmp_path / "nonsense").write_text("{\"a\":")
    run = replay(tmp_path / "nonsense")
    assert run.returncode == 1 and "no page of a record" in run.stderr, run.stderr


def test_a_long_record_has_pages(fast):
    """More blocks than a page holds, put there directly; the decisions come with the first page, the blocks follow."""
    client = fast.client()
    service(client, "long")
    first_release(client, "long")
    rollout = client.post("/v1/services/long/rollouts", {"release": "v2", "allow_no_gateway": True})["id"]
    wait_for("started", lambda: client.get(f"/v1/rollouts/{rollout}")["step"] == 1)
    client.post(f"/v1/rollouts/{rollout}/abort")
    fast.database.sql(f"INSERT INTO blocks (rollout, seq, sli, start_s, length_s, weight, new_step, n_c, k_c, n_b, k_b) "
                      f"SELECT '{rollout}', g, 0, g + 100, 1, 500, false, 5, 0, 95, 1 FROM generate_series((SELECT "
                      f"coalesce(max(seq), 0) + 1 FROM blocks WHERE rollout = '{rollout}'), 45000) g")
    first = client.get(f"/v1/rollouts/{rollout}/record")
    assert len(first["decisions"]) >= 2 and len(first["blocks"]) == 20000
    second = client.get(f"/v1/rollouts/{rollout}/record?cursor={first['next_cursor']}")
    assert second["decisions"] == [] and second["verdicts"] == [] and second["blocks"][0]["seq"] == 20001
    assert [b["seq"] for b in whole(client, rollout)["blocks"]] == list(range(1, 45001))
    run = cli(fast.daemon, fast.tokens["viewer"], "replay", rollout, check=0)
    assert "all equal" in run.stdout
