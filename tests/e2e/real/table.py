"""Prints the table of the handbook from a report: SERIN_REAL_REPORT=report.json tests/run test_real; table.py report.json"""
import json
import sys


def quantile(values, q):
    values = sorted(v for v in values if v is not None)
    return values[min(len(values) - 1, int(q * len(values)))] if values else None


def harmed(result):
    """Bad answers of the canary beyond what stable's rate would have given the same users."""
    demo = result["demo"]
    if not demo or not demo["canary_finished"]:
        return None
    rate = demo["stable_bad"] / demo["stable_finished"] if demo["stable_finished"] else 0
    return round(demo["canary_bad"] - rate * demo["canary_finished"])


def main():
    report = json.load(open(sys.argv[1]))
    print("| rollout | ended as | canary requests counted | seconds until decided | until applied | users worse off |")
    print("|---|---|---|---|---|---|")
    for name, entry in report.items():
        results = entry["results"]
        phases = {}
        for r in results:
            phases[r["phase"]] = phases.get(r["phase"], 0) + 1
        cell = lambda values: f"{quantile(values, .5)} ({quantile(values, 0)} to {quantile(values, 1)})"
        print(f"| {entry['says']} | {', '.join(f'{n} {p}' for p, n in phases.items())} | "
              f"{cell([r['canary_counted'] for r in results])} | {cell([r['decided_s'] for r in results])} | "
              f"{cell([r['applied_s'] for r in results])} | {cell([harmed(r) for r in results])} |")


main()
