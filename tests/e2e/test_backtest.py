"""`serin backtest` as people run it: the example of the handbook, --json, both ways, and files that are wrong. No server."""
import json
import os
import subprocess

import pytest

from serin import CLI, ROOT

OUTCOMES = os.path.join(ROOT, "deploy", "demo", "backtest-outcomes.csv")
POLICY = os.path.join(ROOT, "deploy", "demo", "backtest.yaml")


def run(*words, code=0, stdin=None):
    done = subprocess.run([CLI, "backtest", *words], capture_output=True, text=True, timeout=300, input=stdin,
                          env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", "SERIN_URL": "http://127.0.0.1:1"})
    assert done.returncode == code, done.stderr + done.stdout
    return done


def example(*words, canary="v3", **kw):
    return run("--outcomes", OUTCOMES, "--policy", POLICY, "--stable", "v1", "--canary", canary, *words, **kw)


def write(folder, name, text):
    path = folder / name
    path.write_text(text)
    return str(path)


def test_the_report_says_first_what_happened():
    report = example("--rps", "20").stdout
    assert report.startswith("Rolled back for refusal in 100 of 100 rollouts, after "), report
    for part in ("The recordings: stable v1, canary v3", "worse than every margin", "How 100 rollouts ended",
                 "evidence.worse", "One of them, seed ", "Started at 5 %.", "Rolled back: v3 is worse than v1 in refusal.",
                 "What it means", "What to try next"):
        assert part in report, part
    assert "\x1b" not in report


def test_the_handbook_shows_what_comes():
    page = open(os.path.join(ROOT, "deploy", "handbook", "backtest.md")).read()
    block = page.split("--stable v1 --canary v3 --rps 20\n")[1].split("\n...\n")[0]
    assert example("--rps", "20").stdout.startswith(block + "\n")


def test_a_healthy_release_completes_and_a_false_alarm_would_be_called_one():
    report = example("--rps", "20", canary="v1").stdout
    assert report.startswith("Completed in "), report
    assert "a rollback with blame is a false alarm: 0 of 100" in " ".join(report.split()), report


def test_the_same_seeds_give_the_same_bytes_and_others_do_not():
    words = ("--rps", "20", "--seeds", "20", "--json")
    one = example(*words).stdout
    assert one == example(*words).stdout
    assert one != example(*words, "--seed", "2").stdout
    shifted = json.loads(example("--rps", "20", "--seeds", "5", "--seed", "16", "--json").stdout)["results"]
    assert shifted == json.loads(one)["results"][15:]


def test_json_has_every_decision_with_its_inputs():
    whole = json.loads(example("--rps", "20", "--seeds", "10", "--json").stdout)
    assert whole["setup"]["the_canary_is"]["refusal"] == "harmful"
    assert whole["setup"]["policy"]["expected_rps"] == 20
    summary, results = whole["summary"], whole["results"]
    assert summary["rollouts"] == len(results) == 10
    assert summary["rolled_back"] == sum(r["phase"] == "rolled_back" for r in results)
    for result in results:
        decisions = result["decisions"]
        assert decisions[0]["rule"] == "start" and decisions[0]["at_s"] == 0
        assert decisions[-1]["rule"] == result["rule"] and decisions[-1]["at_s"] == result["after_s"]
        assert [d["at_s"] for d in decisions] == sorted(d["at_s"] for d in decisions)
        for decision in decisions:
            assert decision["inputs"]["now_ms"] == decision["at_s"] * 1000
            assert {"log_g_rel", "judgement", "proven", "step_requests"} <= set(decision["inputs"])
        assert result["guardrails"]["refusal"]["canary"]["n"] <= result["canary_requests"]
        harm = result["canary_bad"] - result["canary_requests"] * whole["setup"]["stable"]["bad_in_any"] / 300
        assert result["users_worse_off"] == pytest.approx(harm)


def test_recorded_arms_are_judged_as_they_are():
    whole = json.loads(example("--as-recorded", "--json").stdout)
    assert len(whole["results"]) == 1
    rows = open(OUTCOMES).read().splitlines()[1:]
    result = whole["results"][0]
    until = min(float(r.split(",")[0]) for r in rows if ",v3," in r) // 1 + result["after_s"] + 1  # what the gateways still gave
    served = [r for r in rows if ",v3," in r and float(r.split(",")[0]) - .5 < until]
    assert result["phase"] == "rolled_back" and abs(result["canary_requests"] - len(served)) <= 1


def test_a_plan_of_its_own_and_arrivals_of_its_own(tmp_path):
    plan = write(tmp_path, "plan.yaml", "steps: [{weight: 50%, bake: 10s}, {weight: 100%, bake: 10s}]\n")
    arrivals = write(tmp_path, "arrivals.csv", "arrival\n" + "".join(f"{i / 20}\n" for i in range(12000)))
    whole = json.loads(example("--plan", plan, "--arrivals", arrivals, "--seeds", "3", "--json").stdout)
    assert [s["weight"] for s in whole["setup"]["plan"]["steps"]] == [5000, 10000]
    assert whole["setup"]["requests_per_second"] == pytest.approx(20, rel=1e-3)
    assert {r["phase"] for r in whole["results"]} == {"rolled_back"}
    assert "sorted" not in whole["setup"]["arrivals"]


def test_rows_that_are_not_in_order_of_arrival_are_sorted_and_it_is_said(tmp_path):
    head, *rows = open(OUTCOMES).read().splitlines()
    behind = write(tmp_path, "behind.csv", "\n".join([head, *reversed(rows)]) + "\n")
    apart = write(tmp_path, "apart.csv", "\n".join([head, *sorted(rows, key=lambda r: r.split(",")[1])]) + "\n")
    words = ("--policy", POLICY, "--stable", "v1", "--canary", "v3", "--seeds", "2", "--json")
    for more in ((), ("--as-recorded",)):
        more = words[:-3] + words[-1:] + more if more else words
        told = {path: json.loads(run("--outcomes", path, *more).stdout)["setup"] for path in (OUTCOMES, behind, apart)}
        assert "sorted: the rows are not in order of arrival" in told[behind]["arrivals"], told
        assert "sorted" not in told[OUTCOMES]["arrivals"] + told[apart]["arrivals"], "releases one after the other are no disorder"
        assert told[behind]["requests_per_second"] == pytest.approx(told[OUTCOMES]["requests_per_second"], rel=1e-2)


def test_outcomes_may_be_json_lines_from_standard_input():
    lines = ""
    for row in open(OUTCOMES).read().splitlines()[1:]:
        arrival, release, refusal, error, ttft = row.split(",")
        lines += json.dumps({"arrival": float(arrival), "release": release, "refusal": refusal == "1", "error": error == "1",
                             "ttft_ms": int(ttft) if ttft else None}) + "\n"
    words = ("--policy", POLICY, "--stable", "v1", "--canary", "v3", "--rps", "20", "--seeds", "3", "--json")
    one = json.loads(run("--outcomes", "-", *words, stdin=lines).stdout)
    two = json.loads(run("--outcomes", OUTCOMES, *words).stdout)
    assert one["results"] == two["results"]


def test_arrivals_of_years_are_looked_at_for_a_day(tmp_path):
    outcomes = write(tmp_path, "o.csv", "release,arrival,refusal\nv1,2020-01-01T00:00:00Z,0\nv2,2020-01-01T00:00:01Z,0\n"
                     "v1,2025-06-01T00:00:00Z,0\nv2,2025-06-01T00:00:01Z,1\n")
    for words in (("--as-recorded",), ("--seeds", "2")):
        whole = json.loads(run("--outcomes", outcomes, "--policy", POLICY, "--stable", "v1", "--canary", "v2", "--json", *words).stdout)
        assert 86400 <= whole["setup"]["until_s"] < 86500
        assert {r["rule"] for r in whole["results"]} == {"step.deadline"}


def test_who_is_held_is_told_what_holds(tmp_path):
    rows = "".join(f"v1,{int(i % 5 == 0)}\n" for i in range(1000))
    outcomes = write(tmp_path, "o.csv", "release,refusal\n" + rows)
    report = run("--outcomes", outcomes, "--policy", POLICY, "--stable", "v1", "--canary", "v1", "--rps", "20", "--seeds", "3",
                 "--until", "4m").stdout
    assert "not ended  hold.shared  refusal " in report, report
    said = " ".join(report.split("What to try next")[1].split())
    assert "3 of 3 rollouts did not end, and stand in hold.shared: stable itself is above its ceiling in refusal" in said
    assert "shared_hold (5 min)" in said and "lacked proof" not in said, said


def test_who_lacks_proof_is_told_what_would_prove_it():
    report = example("--rps", "20", "--seeds", "3", "--until", "100s", canary="v1").stdout
    said = " ".join(report.split("What to try next")[1].split())
    assert "of 3 rollouts did not end, and stand in step.proof: step 1 (5 %) lacked proof for " in said, said


def test_a_bake_shorter_than_the_maturity_waits_for_the_first_counts(tmp_path):
    plan = write(tmp_path, "plan.yaml", "steps: [{weight: 100%, bake: 4s}]\n")
    words = ("--rps", "20", "--seeds", "5", "--plan", plan)
    for result in json.loads(example(*words, "--json").stdout)["results"]:
        assert result["guardrails"]["refusal"]["canary"]["n"] > 0 and result["after_s"] > 60, result["after_s"]
    report = example(*words).stdout
    said = " ".join(report.split("What to try next")[1].split())
    assert "the bake of step 1, 4 s, is over before a request in it counts for ttft: that takes 1 min 13 s" in said, said
    assert "nothing of the canary has been counted for refusal, ttft yet" in report, report


def test_a_spent_budget_is_told_as_one(tmp_path):
    policy = write(tmp_path, "p.yaml", open(POLICY).read().replace("kind: Policy", "kind: Policy\nguardrails: "
                   "{refusal: {budget_share: 0.0001, tolerance: 9, ceiling: null, margin_ratio: 90}, error: {ceiling: null}}\nburn: []"))
    report = run("--outcomes", OUTCOMES, "--policy", policy, "--stable", "v1", "--canary", "v3", "--rps", "20", "--seeds", "3",
                 "--until", "4m").stdout
    said = " ".join(report.split("What to try next")[1].split())
    assert "stand in hold.budget: the rollout has spent its share of the error budget in refusal" in said, report


def test_an_objective_without_data_is_left_out_and_said(tmp_path):
    outcomes = write(tmp_path, "o.csv", "release,refusal\n" + "v1,0\nv2,0\n" * 50 + "v1,1\n")
    report = run("--outcomes", outcomes, "--policy", POLICY, "--stable", "v1", "--canary", "v2", "--rps", "20", "--seeds", "2").stdout
    assert "Not in the outcomes, and left out of the policy: error ttft" in report


@pytest.mark.parametrize("outcomes, says", [
    ("release,refusal\nv1,0\nv2,perhaps\n", "o.csv:3: refusal: \"perhaps\" is not true, false, 1, 0 or empty"),
    ("release,refused\nv1,0\n", "o.csv:1: the column \"refused\" is not known; did you mean refusal?"),
    ("release,refusal\nv1,0\n", "has no release v2"),
    ("refusal\n0\n", "has no column release"),
    ("release,key\nv1,a\nv2,b\n", "has no column for any of the objectives"),
    ("release,refusal\nv1,0\nv2,0\n", "o.csv has no column arrival"),
    ("release,refusal,arrival\nv1,0,1\nv2,0,1\n", "fewer than two different times in its column arrival"),
    ("", "o.csv:1: there is no header line"),
    ("release,refusal\nv1,0\nv2\n", "o.csv:3: 1 cell, but the header has 2"),
    ("{\"release\":\"v1\",\"refusal\":0}\n{\"release\":\"v1\",\n", "o.csv:2: "),
])
def test_wrong_outcomes_are_refused_with_their_line_and_what_to_do(tmp_path, outcomes, says):
    path = write(tmp_path, "o.csv", outcomes)
    error = run("--outcomes", path, "--policy", POLICY, "--stable", "v1", "--canary", "v2", code=1).stderr
    assert says in " ".join(error.split()), error
    assert "What to do now:" in error


def test_any_column_can_be_ignored_and_none_that_is_not_there():
    report = example("--rps", "20", "--seeds", "3", "--ignore", "refusal").stdout
    assert report.startswith("Completed in 3 of 3 rollouts"), report
    assert "Not in the outcomes or ignored, and left out of the policy: refusal." in report
    for name, says in (("refusals", "has no column refusals What to do now: Name one of its columns: arrival, release, refusal, error, ttft_ms."),
                       ("arrival", "the column arrival of "), ("release", "the column release of ")):
        error = " ".join(example("--ignore", name, code=1).stderr.split())
        assert says in error, error


def test_a_column_of_the_arrivals_alone_can_be_ignored(tmp_path):
    arrivals = write(tmp_path, "a.csv", "arrival,tokens\n" + "".join(f"{i},5\n" for i in range(100)))
    example("--arrivals", arrivals, "--ignore", "tokens", "--seeds", "1")


def test_a_wrong_service_is_told_those_of_the_file():
    error = " ".join(example("--rps", "20", "--service", "chat", code=1).stderr.split())
    assert "backtest.yaml says nothing of a service chat; it has: helpdesk" in error, error


def test_what_cannot_work_in_the_policy_stands_first(tmp_path):
    burn = "kind: Policy\nburn: [{factor: 14.4, short: 1m, long: 5m, action: rollback}]"
    policy = write(tmp_path, "p.yaml", open(POLICY).read().replace("kind: Policy", burn))
    report = run("--outcomes", OUTCOMES, "--policy", policy, "--stable", "v1", "--canary", "v1", "--rps", "20", "--seeds", "2").stdout
    assert report.startswith("The policy cannot work as it is: the factor 14.4 is too large for refusal"), report
    assert "\nCompleted in " in report


def test_advice_fits_how_it_ended():
    bad = " ".join(example("--rps", "20", "--seeds", "5").stdout.split())
    assert "stable against itself: --stable v1 --canary v1." in bad and "known to be bad" not in bad, bad
    healthy = " ".join(example("--rps", "20", "--seeds", "20", canary="v1").stdout.split())
    assert "20 runs can only tell, with 95 % confidence, that it is at most 13.9 %" in healthy, healthy


@pytest.mark.parametrize("words, says", [
    ((), "give the outcomes with --outcomes"),
    (("--outcomes", OUTCOMES), "and the policy with --policy"),
    (("--outcomes", OUTCOMES, "--policy", POLICY), "say which release is which"),
    (("--outcomes", OUTCOMES, "--policy", POLICY, "--stable", "v1"), "backtest-outcomes.csv has: v1, v2, v3"),
    (("--outcomes", OUTCOMES, "--policy", POLICY, "--stable", "v1", "--canary", "v1", "--as-recorded"), "two releases of the file"),
    (("--outcomes", OUTCOMES, "--policy", POLICY, "--stable", "v1", "--canary", "v2", "--rps", "-1"), "--rps"),
    (("--outcomes", OUTCOMES, "--policy", POLICY, "--stable", "v1", "--canary", "v2", "--rps", "1", "--seeds", "0"), "--seeds"),
    (("--outcomes", OUTCOMES, "--policy", POLICY, "--stable", "v1", "--canary", "v2", "--show", "7", "--seeds", "3"), "--show must be"),
    (("--outcomes", OUTCOMES, "--policy", POLICY, "--stable", "v1", "--canary", "v2", "--as-recorded", "--rps", "3"), "draws nothing"),
])
def test_wrong_words_are_refused(words, says):
    assert says in " ".join(run(*words, code=2).stderr.split())


def test_wrong_documents_are_refused_with_their_line(tmp_path):
    policy = write(tmp_path, "p.yaml", "kind: Slos\nservice: s\nslos:\n  refusal: {objective: 120}\n")
    words = ("--outcomes", OUTCOMES, "--stable", "v1", "--canary", "v2", "--rps", "5", "--seeds", "1")
    assert "p.yaml:4: /slos/refusal/objective" in run(*words, "--policy", policy, code=1).stderr
    policy = write(tmp_path, "p.yaml", "kind: Policy\nservice: s\n")
    assert "--slos FILE" in run(*words, "--policy", policy, code=1).stderr
    slos = write(tmp_path, "s.yaml", "kind: Slos\nservice: s\nslos:\n  refusal: {objective: 95}\n")
    run(*words, "--policy", policy, "--slos", slos)
    plan = write(tmp_path, "plan.yaml", "steps:\n  - {weight: 50%}\n  - {weight: 20%}\n")
    assert "plan.yaml:3: /steps/1/weight" in run(*words, "--policy", POLICY, "--plan", plan, code=1).stderr
