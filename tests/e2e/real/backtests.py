#!/usr/bin/env python3
"""Backtests on recorded outcomes of real models: what is read from the data, what is asked of `serin backtest`, and what is
expected. Run as a program it prints the table of deploy/handbook/real-data.md:

    tests/e2e/real/backtests.py [--seeds 100] [--only WORD] [--serin build/release/bin/serin]

The data lie in shared/data beside the checkout or in the folder that SERIN_DATA names; what is made of them lies in a folder
that is removed again."""
import argparse
import csv
import json
import math
import os
import random
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
DATA = os.environ.get("SERIN_DATA", os.path.join(os.path.dirname(ROOT), "shared", "data"))

PLAN = [{"weight": "5%", "bake": "1m"}, {"weight": "25%", "bake": "1m"}, {"weight": "50%", "bake": "1m"},
        {"weight": "100%", "bake": "5m"}]


def rows(*path):
    with open(os.path.join(DATA, *path), newline="") as file:
        return list(csv.DictReader(file))


# --- what each data set gives: lists of outcomes ------------------------------------------------------------------------------

def xstest():
    """Refused, fully or partly, by the human label, on safe prompts."""
    return [{"release": r["model_or_release"], "refusal": int(r["label"] != "full_compliance")}
            for r in rows("xstest_v2", "labels.csv") if r["is_safe_prompt"] == "1"]


def llmdrift(tasks, column, sli):
    return [{"release": r["model_or_release"], sli: int(r[column] != "1")}
            for r in rows("llmdrift", "quality_latency.csv") if r["task"] in tasks]


def refusal_direction():
    return [{"release": r["model_or_release"], "refusal": int(r["label"] == "full_refusal")}
            for r in rows("refusal_direction", "labels.csv") if r["is_safe_prompt"] == "1"]


def nano():
    """In the order in which they were measured: runs of four days, each with rising concurrency."""
    return [{"release": "gpt-4.1-nano", "ttft_ms": int(float(r["ttft_s"]) * 1000), "latency_ms": int(float(r["e2e_s"]) * 1000)}
            for r in rows("llmperf_gpt41nano_repeats", "requests.csv") if r["ttft_s"] and r["e2e_s"]]


def vllm(scale):
    return [{"release": "vllm", "arrival": r["start_s"], "ttft_ms": int(float(r["ttft_s"]) * 1000),
             "latency_ms": int(float(r["e2e_s"]) * 1000)}
            for r in rows("vllm_burst_load", "requests.csv") if r["load_scale"] == str(scale)]


def incidents(folder, name, series, marked, rps, point_s, hours):
    """A recorded series as the bad share of a service: its median is 0.5 % bad, its largest value 60 %. Each point lasts point_s,
    and there are rps requests a second, each bad with that share; the arm is drawn later, so incidents are in both. The window
    of the series is the one with most marked points."""
    points = [(float(r["value"]), r[marked] in ("1", "True", "true")) for r in rows(folder, name)
              if r["series"] == series and r["value"]]
    length = min(len(points), int(hours * 3600 / point_s))
    sums = [0]
    for _, bad in points:
        sums.append(sums[-1] + bad)
    first = max(range(len(points) - length + 1), key=lambda i: sums[i + length] - sums[i])
    values = sorted(v for v, _ in points)
    median, most = values[len(values) // 2], values[-1]
    dice = random.Random(f"{folder}/{name}/{series}")
    out = []
    for i, (value, _) in enumerate(points[first:first + length]):
        share = .005 + .595 * max(0, value - median) / (most - median)
        for k in range(int(rps * point_s)):
            out.append({"release": "service", "arrival": f"{i * point_s + k / rps:.3f}", "error": int(dice.random() < share)})
    return out


def azure():
    return [{"arrival": r["arrival_s"]} for r in rows("azure_llm_2023", "trace_code.csv")]


def servegen(mean_rps, windows):
    """Poisson arrivals at the rates of a day in windows of 10 min, scaled to a mean."""
    rates = [float(r["requests_per_s_total"]) for r in rows("servegen_rates", "rates_10min.csv") if r["model"] == "m-mid"]
    begin = next(i for i, rate in enumerate(rates) if rate == 0) - windows // 2  # with an empty window in the middle
    rates = rates[max(0, begin):][:windows]
    scale = mean_rps / (sum(rates) / len(rates))
    dice, out = random.Random("servegen"), []
    for i, rate in enumerate(rates):
        at = 0.0
        while rate > 0:
            at += dice.expovariate(rate * scale)
            if at >= 600:
                break
            out.append({"arrival": f"{i * 600 + at:.3f}"})
    return out


# --- what is expected ---------------------------------------------------------------------------------------------------------

def share(outcomes, release, sli):
    own = [o[sli] for o in outcomes if o["release"] == release]
    return sum(own) / len(own)


def odds(p):
    return p / (1 - p) if p < 1 else math.inf


def by_recording(stable, canary):
    """What the two recorded shares ask for: beyond the tolerance of 1.1 and both margins (ratio 2, 5 points), going back; within
    the tolerance, no blame; between, either."""
    ratio = math.inf if stable == 0 and canary > 0 else 1 if stable == canary else odds(canary) / odds(stable)
    if ratio >= 2 and canary >= stable + .05:
        return "rolled back"
    return "no blame" if ratio <= 1.1 else "either"


def met(expect, summary, seeds):
    if expect == "rolled back":
        return summary["blamed"] >= .95 * seeds
    if expect.startswith("rolled back, "):  # "... within 20"
        return summary["blamed"] == seeds and summary["canary_counted"]["median"] <= int(expect.split()[-1])
    if expect == "no blame":
        return summary["blamed"] <= .01 * seeds
    return True


# --- the rows of the table ----------------------------------------------------------------------------------------------------

def objective(stable_share):
    """As a user would choose it: what stable does on a normal day is well inside."""
    return round(100 * (1 - min(.95, max(.02, 1.4 * stable_share))), 2)


def spread(values):
    values = sorted(values)
    return {name: values[max(0, math.ceil(q * len(values)) - 1)] for name, q in (("p5", .05), ("median", .5), ("p95", .95))}


def summarise(results):
    """Of rollouts of one or several runs, what the summary of --json says of one."""
    blame = [r for r in results if r["phase"] == "rolled_back" and r["rule"] not in ("evidence.shared_cause", "blind.rollback")]
    return {"blamed": len(blame), "after_s": spread([r["after_s"] for r in results]),
            **{name: spread([r[name] for r in results]) for name in ("canary_requests", "canary_counted", "users_worse_off")}}


def row(says, data, outcomes, stable, canary, slos, expect, *, arrivals=None, words=("--rps", "50"), policy=None, plan=None):
    return {"says": says, "data": data, "outcomes": outcomes, "stable": stable, "canary": canary, "slos": slos, "expect": expect,
            "arrivals": arrivals, "words": list(words), "policy": policy or {}, "plan": plan or PLAN}


def pairs(says, data, outcomes, sli, names, both=True):
    for i, a in enumerate(names):
        for b in names if both else names[i + 1:]:
            stable, canary = share(outcomes, a, sli), share(outcomes, b, sli)
            yield row(f"{says}: {a} ({100 * stable:.1f} %) to {b} ({100 * canary:.1f} %)" if a != b else
                      f"{says}: {a} against itself ({100 * stable:.1f} %)", data, outcomes, a, b,
                      {sli: {"objective": objective(stable)}}, by_recording(stable, canary))


def all_rows():
    outcomes = xstest()
    names = sorted({o["release"] for o in outcomes})
    yield from pairs("xstest safe prompts", "xstest_v2", outcomes, "refusal", names)
    good, guarded = "mistral-7b-instruct_no-system-prompt", "mistral-7b-instruct_guard-system-prompt"
    for says, data, arrivals in (("azure_llm_2023 arrivals, again and again for 12 h", "azure_llm_2023", azure()),
                                 ("servegen_rates arrivals, 12 h, mean 10 a second", "servegen_rates", servegen(10, 72))):
        for canary, expect in ((good, "no blame"), (guarded, "rolled back")):
            yield row(f"{says}: {good} to {'itself' if canary == good else canary}", data, outcomes, good, canary,
                      {"refusal": {"objective": 96}}, expect, arrivals=arrivals, words=("--until", "12h"))
    for says, tasks, column, sli in (
            ("llmdrift, format", ("prime", "happy_number"), "format_ok", "schema_invalid"),
            ("llmdrift, code that runs", ("leetcode_easy_directly_executable",), "format_ok", "schema_invalid"),
            ("llmdrift, answers that are right", ("prime", "happy_number"), "passed", "error")):
        outcomes = llmdrift(tasks, column, sli)
        for a, b in (("gpt-3.5-turbo-0301", "gpt-3.5-turbo-0613"), ("gpt-3.5-turbo-0613", "gpt-3.5-turbo-0301")):
            stable, canary = share(outcomes, a, sli), share(outcomes, b, sli)
            yield row(f"{says}: {a[-4:]} ({100 * stable:.1f} % bad) to {b[-4:]} ({100 * canary:.1f} %)", "llmdrift", outcomes, a, b,
                      {sli: {"objective": objective(stable)}}, by_recording(stable, canary))
    outcomes = refusal_direction()
    for model in ("gemma-2b-it", "llama-2-7b-chat-hf"):
        yield row(f"refusal_direction: {model} to itself steered to refuse", "refusal_direction", outcomes, f"{model}|baseline",
                  f"{model}|actadd", {"refusal": {"objective": 97}}, "rolled back, counted canary requests at most 20")
    drifting = nano()
    for rps in (1, 10):
        yield row(f"llmperf_gpt41nano_repeats: one model in both arms, in its order, {rps} a second", "llmperf_gpt41nano_repeats",
                  drifting, "gpt-4.1-nano", "gpt-4.1-nano",
                  {"ttft": {"objective": 70, "threshold": "2s"}, "latency": {"objective": 75, "threshold": "4500ms"}}, "no blame",
                  words=("--in-order", "--rps", str(rps)))
    for scale in (100, 300, 700, 1500):
        yield row(f"vllm_burst_load: one server at load {scale} in both arms", "vllm_burst_load", vllm(scale), "vllm", "vllm",
                  {"ttft": {"objective": 90, "threshold": "3s"}, "latency": {"objective": 70, "threshold": "60s"}}, "no blame",
                  words=("--in-order", "--until", "2h"))
    for folder, name, marked, point in (("ms_cloud_monitoring", "crash_rate.csv", "label_anomaly", 60),
                                        ("ms_cloud_monitoring", "api_latency.csv", "label_anomaly", 60),
                                        ("nab_kpi", "kpi.csv", "in_anomaly_window", 30)):
        made = [incidents(folder, name, one, marked, 20, point, 4) for one in sorted({r["series"] for r in rows(folder, name)})]
        made = [outcomes for outcomes in made if sum(o["error"] for o in outcomes) >= 200]
        for holdback in ("2%", "20%"):
            yield row(f"{folder}: incidents of {len(made)} series of {name} in both arms, each series by itself; "
                      f"a holdback of {holdback[:-1]} %", folder, made, "service", "service", {"error": {"objective": 98}}, "no blame",
                      words=("--in-order",), policy={"holdback": holdback})


# --- running ------------------------------------------------------------------------------------------------------------------

def write_csv(path, items):
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(items[0]))
        writer.writeheader()
        writer.writerows(items)


def run(serin, case, seeds, folder):
    """The results of all rollouts of one row."""
    several = isinstance(case["outcomes"][0], list)
    return [result for outcomes in (case["outcomes"] if several else [case["outcomes"]])
            for result in backtest(serin, {**case, "outcomes": outcomes}, seeds, folder)["results"]]


def backtest(serin, case, seeds, folder):
    """The --json of one set of outcomes."""
    outcomes, policy = os.path.join(folder, "outcomes.csv"), os.path.join(folder, "policy.yaml")
    write_csv(outcomes, case["outcomes"])
    with open(policy, "w") as file:
        for document in ({"kind": "Slos", "service": "real", "slos": case["slos"]},
                         {"kind": "Policy", "service": "real", "plan": {"steps": case["plan"]}, **case["policy"]}):
            file.write(json.dumps(document) + "\n---\n")
    words = ["--outcomes", outcomes, "--policy", policy, "--stable", case["stable"], "--canary", case["canary"],
             "--seeds", str(seeds), *case["words"]]
    if case["arrivals"]:
        write_csv(os.path.join(folder, "arrivals.csv"), case["arrivals"])
        words += ["--arrivals", os.path.join(folder, "arrivals.csv")]
    done = subprocess.run([serin, "backtest", "--json", *words], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{case['says']}: {done.stderr}")
    return json.loads(done.stdout)


def ended(results):
    """"97 completed, 3 rolled back (evidence.worse)"."""
    words = {"completed": "completed", "rolled_back": "rolled back", "paused": "paused", "progressing": "not ended",
             "baking": "not ended", "aborted": "aborted"}
    counts = {}
    for r in results:
        word = words[r["phase"]]
        if r["rule"] in ("evidence.shared_cause", "blind.rollback"):
            word = "back without blame"
        elif word != "completed":
            word += f" ({r['rule']})"
        counts[word] = counts.get(word, 0) + 1
    return ", ".join(f"{n} {word}" for word, n in sorted(counts.items(), key=lambda item: -item[1]))


def cell(spread):
    def number(x):
        return f"{round(x) or 0:.0f}"  # no minus zero
    if spread["p5"] == spread["p95"]:
        return number(spread["median"])
    return f"{number(spread['median'])} ({number(spread['p5'])} to {number(spread['p95'])})"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--only", default="")
    parser.add_argument("--serin", default=os.path.join(ROOT, "build", "release", "bin", "serin"))
    options = parser.parse_args()
    if not os.path.isdir(DATA):
        sys.exit(f"no data at {DATA}: set SERIN_DATA to their folder")
    missed = []
    print("| rollout | expected | ended as | seconds | canary requests | of them counted | users worse off |")
    print("|---|---|---|---|---|---|---|")
    for case in all_rows():
        if options.only not in case["says"]:
            continue
        with tempfile.TemporaryDirectory(prefix="serin-backtest.") as folder:
            results = run(options.serin, case, options.seeds, folder)
        summary = summarise(results)
        fine = met(case["expect"], summary, len(results))
        expect = case["expect"] if fine else f"**{case['expect']}: missed**"
        if not fine:
            missed.append(case["says"])
        print(f"| {case['says']} | {expect} | {ended(results)} | {cell(summary['after_s'])} | {cell(summary['canary_requests'])} | "
              f"{cell(summary['canary_counted'])} | {cell(summary['users_worse_off'])} |", flush=True)
    print(f"{len(missed)} expectations missed" + "".join(f"\n  {m}" for m in missed), file=sys.stderr)


if __name__ == "__main__":
    main()
