"""Law 7 through the real daemon and the command line: stored decisions come out the same, a changed record does not."""
import hashlib
import json
import re

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
        for part in ("decisions", "links", "verdicts", "blocks"):
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

    data = saved.read_bytes()
    for at in (len(data) // 2, len(data) - 40):  # cut in the middle of a string, of an object
        (tmp_path / "cut.record").write_bytes(data[:at].rstrip(b"}\n"))
        run = replay(tmp_path / "cut.record")
        assert run.returncode == 1 and "ends before the record does" in run.stderr and "Save it again" in run.stderr, run.stderr
        assert "closing" not in run.stderr, run.stderr

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
    (tmp_path / "nonsense").write_text("{\"a\":}")
    run = replay(tmp_path / "nonsense")
    assert run.returncode == 1 and "no page of a record" in run.stderr, run.stderr


# What no decision that comes out otherwise would show: (what is changed, what is said of it)
CHANGES = {
    "a decision was taken out": (lambda r: r["decisions"].pop(2), r"Event no. \d+ of judged is missing between the others"),
    "the first decision was taken out": (lambda r: r["decisions"].pop(0), r"Event no. \d+ of judged is missing"),
    "the last decision was taken out": (lambda r: r["decisions"].pop(), r"ends with event no. \d+ of judged, and serind wrote it up to"),
    "a link was taken out": (lambda r: r["links"].pop(0), r"Event no. \d+ of judged is missing"),
    "the release has another name": (lambda r: r.update(release="v9"), r'of the release "v9", and event ev_\w+ of "v2"'),
    "the stable release has another name": (lambda r: r.update(stable="v0"), r'of the stable release "v0"'),
    "the service has another name": (lambda r: r.update(service="other"), r'of the service "other"'),
    "another alpha": (lambda r: r["policy"].update(alpha=r["policy"]["alpha"] * 0.99), r'"policy" is not what was frozen'),
    "another objective": (lambda r: r["slos"]["refusal"].update(window="7d"), r'"slos" is not what was frozen'),
    "another plan": (lambda r: r["plan"]["steps"][0].update(deadline="2d"), r'"plan" is not what was frozen'),
    "a verdict": (lambda r: r["verdicts"][-1].update(verdict="inconclusive"), r'no verdict "fail" stands before it'),
    "a verdict, to pass": (lambda r: r["verdicts"][0].update(verdict="pass"), r'stored "pass", computed "inconclusive"'),
    "a verdict, to fail": (lambda r: r["verdicts"][0].update(verdict="fail"), r'stored "fail", computed "inconclusive"'),
    "the counts of a verdict": (lambda r: r["verdicts"][-1]["detail"]["total"]["canary"].update(n=10**6),
                                r"the counts that it states never stood"),
    "a verdict was taken out": (lambda r: r["verdicts"].pop(), r'no verdict "fail" stands before it'),
    "when a verdict was given": (lambda r: r["verdicts"][0].update(at="2020-01-01T00:00:00.000Z"), r'"verdicts" is not what serind wrote'),
    "a block that nothing rests on": (lambda r: r["blocks"].append({**r["blocks"][-1], "seq": len(r["blocks"]) + 1}),
                                      r'"blocks" is not what serind wrote'),
    "the time of the rollout": (lambda r: r.update(created_at="2020-01-01T00:00:00.000Z"), r'"created_at" is not what serind wrote'),
    "something was added": (lambda r: r.update(note="all good"), r'"note" is not from the serind'),
    "something was taken out": (lambda r: r.pop("phase"), r'"phase" was taken out'),
    "the digests were taken out": (lambda r: r.pop("digests"), r"has no digests"),
    "one digest was made to fit": (lambda r: (r.update(created_at="2020-01-01T00:00:00.000Z"), r["digests"]["members"].update(
        created_at=hashlib.sha256(b'"2020-01-01T00:00:00.000Z"').hexdigest())), r"its digests were changed"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_record_that_is_not_the_one_that_was_written_is_found_out_and_the_change_named(fast, judged, tmp_path, what):
    change, said = CHANGES[what]
    run = changed(whole(fast.client(), judged), tmp_path, change)
    assert run.returncode == 1 and re.search(said, " ".join(run.stdout.split())), run.stdout + run.stderr


def test_a_forger_who_makes_every_digest_anew_is_found_out_by_the_chain_of_the_server(fast, judged, tmp_path):
    """The limit that the handbook states: offline all of it fits, and the last event is another than the server's."""
    def forge(r):
        before = r["events"]["before"]
        gone = r["decisions"].pop(2)["seq"]
        at = r["events"]["first"]
        for one in sorted(r["decisions"] + r["links"], key=lambda e: e["seq"]):
            link = one in r["links"]
            one["seq"], one["prev_hash"], at = at, before, at + 1
            if not link:
                body = {k: v for k, v in one.items() if k not in ("hash", "prev_hash")}
                one["hash"] = hashlib.sha256(bytes.fromhex(before) + canonical(body)).hexdigest()
            before = one["hash"]
        r["events"].update(last=at - 1, hash=before)
        r["digests"]["members"] = {k: hashlib.sha256(canonical(v)).hexdigest() for k, v in r.items() if k not in ("digests", "next_cursor")}
        r["digests"].pop("chain")
        r["digests"]["chain"] = hashlib.sha256(canonical(r["digests"])).hexdigest()
        return gone
    record = whole(fast.client(), judged)
    run = changed(record, tmp_path, forge)
    assert run.returncode == 0, run.stdout
    said = re.search(r"ends with event no. (\d+) of judged, hash ([0-9a-f]{64})", " ".join(run.stdout.split()))
    events = {e["seq"]: e["hash"] for e in fast.client().get("/v1/events?service=judged&limit=200")["items"]}
    assert events[int(said.group(1))] != said.group(2)
    honest = changed(record, tmp_path, lambda r: None)
    said = re.search(r"ends with event no. (\d+) of judged, hash ([0-9a-f]{64})", " ".join(honest.stdout.split()))
    assert events[int(said.group(1))] == said.group(2)


def canonical(value):
    """RFC 8785 of what records hold: integers, and floats as serind wrote them (checked against its digests)."""
    def number(x):
        text = repr(x)
        if "e" in text:
            mantissa, exponent = text.split("e")
            return f"{mantissa}e{'+' if int(exponent) > 0 else ''}{int(exponent)}" if not -7 < int(exponent) < 0 else f"{x:.20f}".rstrip("0")
        return text[:-2] if text.endswith(".0") else text

    def write(v):
        if isinstance(v, dict):
            return "{" + ",".join(f"{json.dumps(k)}:{write(v[k])}" for k in sorted(v)) + "}"
        if isinstance(v, list):
            return "[" + ",".join(write(i) for i in v) + "]"
        return number(v) if isinstance(v, float) else json.dumps(v, ensure_ascii=False)
    return write(value).encode()


def test_a_long_record_has_pages(fast, tmp_path):
    """More blocks than a page holds, put there directly; the decisions come with the first page, the blocks follow."""
    client = fast.client()
    service(client, "long")
    first_release(client, "long")
    rollout = client.post("/v1/services/long/rollouts", {"release": "v2", "allow_no_gateway": True})["id"]
    wait_for("started", lambda: client.get(f"/v1/rollouts/{rollout}")["step"] == 1)
    client.post(f"/v1/rollouts/{rollout}/abort")
    fast.database.sql(f"INSERT INTO blocks (rollout, seq, sli, start_s, length_s, weight, new_step, n_c, k_c, n_b, k_b) "
                      f"SELECT '{rollout}', g, 0, g + 100, 1, 500, false, 5, 0, 95, 1 FROM generate_series((SELECT "
                      f"coalesce(max(seq), 0) + 1 FROM blocks WHERE rollout = '{rollout}'), 12000) g")
    first = client.get(f"/v1/rollouts/{rollout}/record")
    assert len(first["decisions"]) >= 2 and len(first["blocks"]) == 5000
    second = client.get(f"/v1/rollouts/{rollout}/record?cursor={first['next_cursor']}")
    assert second["decisions"] == [] and second["verdicts"] == [] and second["blocks"][0]["seq"] == 5001
    assert [b["seq"] for b in whole(client, rollout)["blocks"]] == list(range(1, 12001))
    saved = tmp_path / "long.record"
    run = cli(fast.daemon, fast.tokens["viewer"], "replay", rollout, "--save", str(saved), check=0)
    assert "all equal" in run.stdout
    pages = saved.read_text().splitlines()
    assert len(pages) == 3 and replay(saved).returncode == 0
    for kept, said in (((0, 2), "Page 2 does not follow the one before it"), ((0, 1), "ends before the record does")):
        saved.write_text("\n".join(pages[i] for i in kept) + "\n")
        run = replay(saved)
        assert run.returncode == 1 and said in " ".join((run.stdout + run.stderr).split()), run.stdout + run.stderr
    short = json.loads(pages[1])
    short["next_cursor"] = None
    saved.write_text(pages[0] + "\n" + json.dumps(short) + "\n")
    assert "Page 2 was followed by another when serind wrote it" in " ".join(replay(saved).stdout.split())
