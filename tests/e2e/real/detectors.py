#!/usr/bin/env python3
"""What a detector's error does to a rollout: the tables of deploy/handbook/refusals.md, from the labels of xstest_v2, where
two people, a string match and a judge model (GPT-4) labelled the same 2,250 answers of five releases.

    tests/e2e/real/detectors.py [--seeds 100] [--serin build/release/bin/serin] [--answers FOLDER] [--recipe]

The data lie where backtests.py looks for them. Refused means fully or partly, on safe prompts; people's adjudicated label is
taken for the truth. The page's own string match needs the answers themselves: those of llmdrift are in the data, those of xstest
are not, since they belong to the makers of the models; FOLDER is model_completions of a clone of paul-rottger/exaggerated-safety at
d7bb5bd. --recipe measures that match alone."""
import argparse
import csv
import json
import os
import sys
import tempfile

import backtests
import recipe

LABELS = ("full_compliance", "partial_refusal", "full_refusal")
PEOPLE, STRINGS, JUDGE = "label", "string_match_label", "gpt4_judge_label"
SAYS = {PEOPLE: "people", STRINGS: "string match", JUDGE: "judge (GPT-4)"}
PAIRS = (("mistral-7b-instruct_no-system-prompt", "mistral-7b-instruct_guard-system-prompt"),
         ("gpt-4", "llama2-70b-chat_no-system-prompt"),
         ("llama2-70b-chat_no-system-prompt", "llama2-70b-chat_original-system-prompt"))
ANSWERS = {"gpt-4": "gpt4", "llama2-70b-chat_no-system-prompt": "llama2new", "llama2-70b-chat_original-system-prompt": "llama2orig",
           "mistral-7b-instruct_guard-system-prompt": "mistralguard", "mistral-7b-instruct_no-system-prompt": "mistralinstruct"}


def safe_rows():
    return [r for r in backtests.rows("xstest_v2", "labels.csv") if r["is_safe_prompt"] == "1"]


def refused(row, detector):
    """None where the detector itself gave no usable answer."""
    return int(row[detector] != LABELS[0]) if row[detector] in LABELS else None


def errors(rows, detector):
    """Of one detector against people: refusals, missed, fair answers, falsely flagged, flagged in all."""
    truth = [(refused(r, PEOPLE), refused(r, detector)) for r in rows]
    truth = [(t, d) for t, d in truth if d is not None]
    return {"refusals": sum(t for t, _ in truth), "missed": sum(t and not d for t, d in truth),
            "fair": sum(not t for t, _ in truth), "false": sum(d and not t for t, d in truth),
            "flagged": sum(d for _, d in truth), "all": len(truth)}


def releases(rows):
    return list(dict.fromkeys(r["model_or_release"] for r in rows))


def print_errors(rows):
    print("| release | people | string match: flagged | missed | false | judge: flagged | missed | false |")
    print("|---|---|---|---|---|---|---|---|")
    for name in [*releases(rows), "all five"]:
        own = [r for r in rows if name in (r["model_or_release"], "all five")]
        cells = []
        for detector in (STRINGS, JUDGE):
            e = errors(own, detector)
            cells += [f"{100 * e['flagged'] / e['all']:.1f} %", f"{e['missed']} of {e['refusals']}", f"{e['false']} of {e['fair']}"]
        people = errors(own, PEOPLE)
        print(f"| {name} | {100 * people['flagged'] / people['all']:.1f} % | {' | '.join(cells)} |")


def llmdrift():
    """Answers of gpt-3.5-turbo with their authors' labels: whether each is a refusal, and its text."""
    with open(os.path.join(backtests.DATA, "llmdrift", "answers_text_sample.jsonl"), encoding="utf-8") as lines:
        made = [json.loads(line) for line in lines]
    return [(r["label"] == LABELS[2], r["answer"]) for r in made if r["label"] in LABELS]


def xstest(rows, release, folder):
    """The same of a release of xstest, with the labels of its people."""
    with open(os.path.join(folder, f"xstest_v2_completions_{ANSWERS[release]}.csv"), encoding="utf-8", newline="") as file:
        text = {r["id"]: r["completion"] for r in csv.DictReader(file)}
    return [(bool(refused(r, PEOPLE)), text[r["prompt_id"]]) for r in rows if r["model_or_release"] == release]


def print_recipe(rows, folder):
    """How wrong the string match of the page is."""
    match = recipe.load()
    made = {"gpt-3.5-turbo (llmdrift)": llmdrift()}
    if folder is not None:
        made |= {name: xstest(rows, name, folder) for name in releases(rows)}
        made["all five of xstest"] = [one for name in releases(rows) for one in made[name]]
    print("| answers of | missed | false |")
    print("|---|---|---|")
    for name, answers in made.items():
        refusals, fair = [a for bad, a in answers if bad], [a for bad, a in answers if not bad]
        print(f"| {name} | {sum(not match(a) for a in refusals)} of {len(refusals)} | {sum(map(match, fair))} of {len(fair)} |")


def outcomes(rows, release, detector, name):
    return [{"release": name, "refusal": refused(r, detector)} for r in rows
            if r["model_or_release"] == release and refused(r, detector) is not None]


def cases():
    """A rollout for each pair and detector; and one release in both arms, each arm with its own detector."""
    for stable, canary in PAIRS:
        for detector in (PEOPLE, STRINGS, JUDGE):
            yield f"{stable} to {canary}", stable, canary, detector, detector
    for detector in (PEOPLE, STRINGS, JUDGE):
        yield "gpt-4 against itself", "gpt-4", "gpt-4", detector, detector
    yield "gpt-4 against itself", "gpt-4", "gpt-4", JUDGE, STRINGS


def run_case(case, rows, seeds, serin, folder):
    _, stable, canary, stable_detector, canary_detector = case
    made = outcomes(rows, stable, stable_detector, "stable") + outcomes(rows, canary, canary_detector, "canary")
    bad = {arm: backtests.share(made, arm, "refusal") for arm in ("stable", "canary")}
    row = backtests.row(case[0], "xstest_v2", made, "stable", "canary",
                        {"refusal": {"objective": backtests.objective(bad["stable"])}}, "either")
    return bad, backtests.run(serin, row, seeds, folder)


def print_rollouts(rows, seeds, serin):
    print("| rollout | detector | flagged, stable to canary | ended as | canary requests counted | users worse off |")
    print("|---|---|---|---|---|---|")
    for case in cases():
        with tempfile.TemporaryDirectory(prefix="serin-detectors.") as folder:
            bad, results = run_case(case, rows, seeds, serin, folder)
        says = SAYS[case[3]] if case[3] == case[4] else f"**{SAYS[case[3]]} on stable, {SAYS[case[4]]} on the canary**"
        summary = backtests.summarise(results)
        print(f"| {case[0]} | {says} | {100 * bad['stable']:.1f} % to {100 * bad['canary']:.1f} % | {backtests.ended(results)} | "
              f"{backtests.cell(summary['canary_counted'])} | {backtests.cell(summary['users_worse_off'])} |", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--serin", default=os.path.join(backtests.ROOT, "build", "release", "bin", "serin"))
    parser.add_argument("--answers")
    parser.add_argument("--recipe", action="store_true")
    options = parser.parse_args()
    if not os.path.isdir(backtests.DATA):
        sys.exit(f"no data at {backtests.DATA}: set SERIN_DATA to their folder")
    rows = safe_rows()
    print_recipe(rows, options.answers)
    if options.recipe:
        return
    print()
    print_errors(rows)
    print()
    print_rollouts(rows, options.seeds, options.serin)


if __name__ == "__main__":
    main()
