"""Rollouts on recorded outcomes of real models through the running daemon, on a scaled clock: each scenario of
real/scenarios.yaml with 20 fixed seeds as parallel services. The data lie beside the checkout and are not part of it; without
them these tests skip. SERIN_REAL_SEEDS and SERIN_REAL_SCALE change the size; SERIN_REAL_REPORT names a file for the table."""
import csv
import json
import os
import signal
import subprocess
import sys
import tempfile
import time

import pytest
import yaml

import serin
from serin import DEMO, ROOT, wait_for

DATA = os.environ.get("SERIN_DATA", os.path.join(os.path.dirname(ROOT), "shared", "data"))
SEEDS = int(os.environ.get("SERIN_REAL_SEEDS", "20"))
SCALE = float(os.environ.get("SERIN_REAL_SCALE", "20"))
BASELINE_S = 40  # virtual seconds of stable traffic before the rollout starts
PLAN = yaml.safe_load(open(os.path.join(os.path.dirname(__file__), "real", "scenarios.yaml")))


def rows(*path):
    with open(os.path.join(DATA, *path), newline="") as file:
        return list(csv.DictReader(file))


def xstest(model):
    """Refused: fully or partly, by the human label, on safe prompts."""
    return [{"refusal": int(r["label"] != "full_compliance")} for r in rows("xstest_v2", "labels.csv")
            if r["model_or_release"] == model and r["is_safe_prompt"] == "1"]


def llmdrift(model):
    return [{"refusal": int(r["label"] == "full_refusal"), "latency_ms": int(float(r["latency_s"]) * 1000)}
            for r in rows("llmdrift", "opinionqa_refusal.csv") if r["model_or_release"] == model and float(r["latency_s"]) < 5]


def llmperf(run):
    out = []
    for r in rows("llmperf_leaderboard", "requests.csv"):
        if r["run"] != run:
            continue
        limited = int(r["error_code"] == "429")
        out.append({"rate_limited": limited, "error": int(r["outcome"] not in ("ok", "short_output", "rate_limited")),
                    "ttft_ms": int(float(r["ttft_s"]) * 1000) if r["ttft_s"] and not limited else "",
                    "latency_ms": int(float(r["e2e_s"]) * 1000) if not limited else 50})
    return out


READERS = {"xstest": xstest, "llmdrift": llmdrift, "llmperf": llmperf}


def write_csv(path, outcomes):
    assert outcomes
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(outcomes[0]))
        writer.writeheader()
        writer.writerows(outcomes)


def release_outcomes(spec):
    (reader, name), = spec.items()
    return READERS[reader](name)


def merge(base, over):
    out = dict(base)
    for key, value in (over or {}).items():
        out[key] = merge(out[key], value) if isinstance(value, dict) and isinstance(out.get(key), dict) and key == "policy" \
            else value
    return out


def prepare(client, scenario, names):
    policy = merge(PLAN["defaults"]["policy"], scenario.get("policy"))
    for name in names:
        serin.service(client, name, slos=scenario.get("slos", PLAN["defaults"]["slos"]), policy=policy,
                      releases=("v1", "v2"))
    started = {name: client.post(f"/v1/services/{name}/rollouts", {"release": "v1", "allow_no_gateway": True})["id"]
               for name in names}
    for rollout in started.values():
        client.post(f"/v1/rollouts/{rollout}/promote", {"full": True})


def measure(client, name, rollout, status):
    """What one rollout cost, from its own record."""
    events = client.get(f"/v1/events?rollout={rollout['id']}&limit=200")["items"]
    at = {e["type"]: e for e in events}
    first = [e for e in events if e["type"] == "rollout.advanced"][-1]
    last = at.get("rollout.rolled_back") or at.get("rollout.completed") or events[0]

    def seconds(text):
        import datetime
        return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
    applied = wait_for(f"{name} applied", lambda: client.get(f"/v1/rollouts/{rollout['id']}")["route"]["applied_at"], 60)
    explained = client.get(f"/v1/rollouts/{rollout['id']}/explain")
    canary = max((g["total"]["canary"]["n"] for g in explained["guardrails"]), default=0)
    bad = {g["sli"]: g["total"]["canary"]["k"] for g in explained["guardrails"]}
    served = [r for r in status.get(name, {}).get("rollouts", []) if r["rollout"] == rollout["id"]]
    return {"service": name, "phase": rollout["phase"], "rule": rollout["rule"], "reason": rollout["reason"],
            "canary_counted": canary, "canary_bad": bad, "demo": served[0] if served else None,
            "decided_s": round(seconds(last["at"]) - seconds(first["at"]), 1),
            "applied_s": round(seconds(applied) - seconds(first["at"]), 1)}


def run_scenario(world, name, scenario, report):
    client = world.client()
    names = [f"{name.replace('_', '-')}-{i:02}" for i in range(1, SEEDS + 1)]
    prepare(client, scenario, names)
    folder = tempfile.mkdtemp(prefix="serin-real.")
    for arm, key in (("v1", "stable"), ("v2", "canary")):
        write_csv(os.path.join(folder, f"{arm}.csv"), release_outcomes(scenario[key]))
    status_file = os.path.join(folder, "status.json")
    env = {**os.environ, "SERIN_GATEWAY_TOKEN": world.tokens["gateway"]}
    demo = subprocess.Popen(
        [DEMO, "--url", f"http://{world.daemon.gateway}", "--services", ",".join(names), "--instance", "replay",
         "--rps", str(PLAN["defaults"]["rps"]), "--clock-scale", str(SCALE), "--seed", "1", "--no-content",
         "--arrivals", os.path.join(DATA, "azure_llm_2023", "trace_code.csv"), "--arrivals-column", "arrival_s",
         "--replay", f"v1={folder}/v1.csv", "--replay", f"v2={folder}/v2.csv", "--status", status_file],
        env=env, stdout=subprocess.DEVNULL, stderr=open(os.path.join(folder, "demo.log"), "w"))
    try:
        for service in names:
            serin.gateway_live(client, service, 30)
        time.sleep(BASELINE_S / SCALE)
        rollouts = {s: client.post(f"/v1/services/{s}/rollouts", {"release": "v2", "fix": scenario.get("fix", False)})["id"]
                    for s in names}
        done = {}

        def all_ended():
            for service, rollout in rollouts.items():
                if service not in done:
                    now = client.get(f"/v1/rollouts/{rollout}")
                    if now["ended_at"]:
                        done[service] = now
            assert demo.poll() is None, open(os.path.join(folder, "demo.log")).read()[-2000:]
            return len(done) == len(rollouts)
        try:
            wait_for(f"{name}: all rollouts end", all_ended, 420, 0.5)
        except AssertionError:
            left = {s: client.get(f"/v1/rollouts/{r}/explain") for s, r in rollouts.items() if s not in done}
            one = next(iter(left.values()))
            raise AssertionError(f"{len(left)} of {len(rollouts)} have not ended; one: {one['phase']} {one['rule']} "
                                 f"{one['reason']} {one['needs']} {one['judgement']['says']}")
        status = {}
        if os.path.exists(status_file):
            status = {s["service"]: s for s in json.load(open(status_file))["services"]}
        results = [measure(client, s, done[s], status) for s in names]
    finally:
        demo.send_signal(signal.SIGTERM)
        demo.wait(timeout=30)
    report[name] = {"says": scenario["says"], "results": results}
    return results


@pytest.fixture(scope="module")
def report():
    collected = {}
    yield collected
    path = os.environ.get("SERIN_REAL_REPORT")
    if path and collected:
        json.dump(collected, open(path, "w"), indent=1)


def median(values):
    values = sorted(values)
    return values[len(values) // 2]


@pytest.mark.parametrize("name", list(PLAN["scenarios"]))
def test_real(name, own_world, report, capsys):
    scenario = PLAN["scenarios"][name]
    if not os.path.isdir(os.path.join(DATA, scenario["data"])):
        pytest.skip(f"no data at {DATA}/{scenario['data']}")
    world = own_world(rate=SCALE)
    world.start()
    results = run_scenario(world, name, scenario, report)
    with capsys.disabled():
        print(f"\n{name}: {scenario['says']}\n  "
              + ", ".join(f"{sum(r['phase'] == p for r in results)} {p}" for p in sorted({r['phase'] for r in results}))
              + f"; median canary requests {median([r['canary_counted'] for r in results])}"
              + f", decided after {median([r['decided_s'] for r in results])} s, applied after "
              + f"{median([r['applied_s'] for r in results])} s; canary's bad outcomes counted "
              + str({sli: median([r['canary_bad'].get(sli, 0) for r in results]) for sli in results[0]['canary_bad']}),
              file=sys.stderr)
    wrong = [r for r in results if r["phase"] != scenario["expect"]["phase"]]
    assert not wrong, f"{len(wrong)} of {len(results)}: {wrong[0]}"
    if "sli" in scenario["expect"]:
        blamed = [r for r in results if f"in {scenario['expect']['sli']}" not in r["reason"]]
        assert not blamed, blamed[0]["reason"]
