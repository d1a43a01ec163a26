#!/usr/bin/env python3
"""Holds the evidence of controller/decision to the reference in evidence.py, to 1e-9, on random sequences by seed.

    agree.py build/dev/bin/evidence_driver [--sequences 500] [--seed 1] [--jobs 1]

A sequence is a rollout: random guardrails, burn windows, plan and traffic; ticks in up to four strata with coverage and
admissions; gaps, changes of the weight, lagging and silent SLIs, counters by completion, draining, mutes, and restores
of the stored form in the middle. After each tick the judgement is compared, and now and then all of the evidence.
"""
import argparse
import math
import multiprocessing
import random
import subprocess
import sys
from collections import Counter

import evidence as ref

CHUNK = 50


# --- sequences -------------------------------------------------------------------------------------------------------

def binomial(rng, n, p):
    if n == 0 or p <= 0:
        return 0
    if n * min(p, 1 - p) > 30:
        return min(n, max(0, round(rng.gauss(n * p, math.sqrt(n * p * (1 - p))))))
    if n <= 40:
        return sum(rng.random() < p for _ in range(n))
    if p > 0.5:
        return n - binomial(rng, n, 1 - p)
    k, left, floor = 0, rng.random(), math.exp(n * math.log1p(-p))  # by inversion
    while left > floor and k < n:
        left -= floor
        floor *= (n - k) / (k + 1) * p / (1 - p)
        k += 1
    return k


def guardrail(rng, i):
    some = rng.random
    rate = rng.choice([0, 0.01, 0.05, 0.3, 0.7])
    return ref.Guardrail(
        id=i, share=rng.choice([1, 1, 0.5, 3]), tolerance=rng.choice([1, 1.1, 1.25, 3]),
        ceiling=rng.choice([0, 0.02, 0.05, 0.3]), margin_ratio=rng.choice([1.2, 2, 4]),
        margin_add=rng.choice([0, 0, 0.03, 1]), eta=rng.choice([1, 1, 0.4]),
        allowed=0 if some() < 0.4 else math.exp(6 * some()), cap=rng.choice([0, 0, 3.5, 1.0]),
        block_s=rng.choice([0, 0, 5, 12, 60]), budget_rate=rate, action=rng.choice([0, 0, 0, 0, 1, 2]),
        shared_hold_s=rng.choice([0, 0, 20, 600]))


def windows(rng):
    found = []
    for _ in range(rng.randrange(4)):
        short = rng.choice([2, 10, 60])
        found.append(ref.Window(rng.choice([1.5, 3.6, 17.3]), short * rng.choice([1, 5, 8, 16]), short, rng.randrange(3)))
    return found


class Traffic:
    def __init__(self, rng, ticks):
        self.rate = math.exp(rng.uniform(-1, 6.5))
        self.p = [rng.choice([0.002, 0.02, 0.1]) * rng.uniform(0.5, 2) for _ in range(4)]
        self.mix = [[rng.random() + 0.01 for _ in range(4)] for _ in range(2)]
        self.fault = rng.choice([1, 1, 1.3, 4, 15, 0.3])
        self.fault_from = rng.choice([0, rng.randrange(ticks)])
        a = rng.randrange(ticks)
        self.outage = (a, a + rng.randrange(1, ticks)) if rng.random() < 0.35 else (0, 0)
        self.alone = (a, a + rng.randrange(1, ticks)) if rng.random() < 0.15 else (0, 0)  # stable is not seen
        self.unmeasured = [rng.choice([0, 0, 0.05]), rng.choice([0, 0, 0.05, 0.3])]
        self.skew = rng.choice([1, 1, 1, 1.6, 0.3])

    def counts(self, rng, tick, dt, w, strata):
        n = round(self.rate * dt * rng.uniform(0.3, 1.7)) if rng.random() < 0.97 else 0
        n_c = binomial(rng, n, w)
        n_b = n - n_c if not self.alone[0] <= tick < self.alone[1] else 0
        found = []
        for i in range(strata):
            rest = [sum(m[i:strata]) for m in self.mix]
            take = [n_c, n_b] if i == strata - 1 else [binomial(rng, x, m[i] / r) for x, m, r in
                                                       zip((n_c, n_b), self.mix, rest)]
            n_c, n_b = n_c - take[0], n_b - take[1]
            p_c = p_b = self.p[i]
            if tick >= self.fault_from:
                p_c = min(0.95, p_c * self.fault)
            if self.outage[0] <= tick < self.outage[1]:
                p_c = p_b = 0.5
            found.append((take[0], binomial(rng, take[0], p_c), take[1], binomial(rng, take[1], p_b)))
        cover = []
        for i, s in enumerate(found):
            gone = [binomial(rng, n, min(1.0, p * (1 + i))) for n, p in zip((s[0], s[2]), reversed(self.unmeasured))]
            cover.append((s[0], gone[0], s[2], gone[1]))
        return found, cover


class Sequence:
    """Commands for the driver, and the reference that has followed them."""

    def __init__(self, seed):
        self.rng = rng = random.Random(seed)
        self.lines, self.results, self.seen = [], [], Counter()
        ticks, tick_s = rng.randrange(20, 90), rng.choice([0.5, 1, 1, 5, 15])
        weights = sorted(rng.sample([1, 50, 100, 500, 1000, 2500, 5000, 7500, 9000], rng.randrange(0, 6))) + [10000]
        keyed = rng.random() < 0.25
        self.policy = policy = ref.Policy(
            attr_wait_s=rng.choice([5, 30, 90]), shared_hold_s=rng.choice([30, 300]), warmup_s=rng.choice([0, 10, 60]),
            blanking_s=rng.choice([0, 10, 60]), holdback=rng.choice([0, 200, 2000]), split_check=rng.random() < 0.7,
            keyed=keyed, key_effect=rng.choice([1, 4, 20]) if keyed else 1.0, alpha=rng.choice([0.01, 0.01, 0.1]),
            windows=windows(rng),
            guardrails=[guardrail(rng, i) for i in sorted(rng.sample(range(11), rng.choice([1, 1, 2, 3])))])
        self.strata, self.tick_s, self.fix = rng.choice([1, 1, 2, 3, 4]), tick_s, rng.random() < 0.1
        self.rollout = ref.Rollout(policy, ref.Plan(weights), tick_s)
        self.announce(weights)
        self.again = int(rng.random() < 0.75)
        self.traffic = Traffic(rng, ticks)
        self.quality = {g.id: rng.choice([0, 0, 1, 2]) for g in policy.guardrails}
        self.lag = {g.id: rng.choice([0, 0, 0, 3]) for g in policy.guardrails}
        self.waiting, self.muted = [], 0
        self.applied, self.step = 0, 0
        self.run(ticks)

    def say(self, *words):
        self.lines.append(" ".join(repr(x) if isinstance(x, float) else str(int(x) if isinstance(x, bool) else x)
                                   for x in words))

    def announce(self, weights):
        p = self.policy
        self.say("rollout", float(self.tick_s), len(weights), *weights)
        self.say("policy", p.alpha, p.alpha_ni, p.attr_wait_s, p.shared_hold_s, p.warmup_s, p.blanking_s, p.holdback,
                 p.split_check, p.keyed, float(p.key_effect))
        for i, w in enumerate(p.windows):
            self.say("burn", i, w.factor, w.long_s, w.short_s, w.action)
        for g in p.guardrails:
            self.say("sli", g.id, g.share, g.tolerance, g.ceiling, g.margin_ratio, g.margin_add, g.eta, g.allowed,
                     g.cap, g.block_s, g.budget_rate, g.action, g.shared_hold_s)
        self.say("go")

    def change_weight(self, t):
        rng, plan = self.rng, self.rollout.plan.weights
        raised = self.applied <= 1 or rng.random() < 0.75
        if raised and self.step >= len(plan):
            return
        if raised:
            self.applied = min(plan[self.step], 10000 - self.policy.holdback) if rng.random() < 0.9 else plan[self.step]
            self.step += 1
        else:
            self.applied //= 2
        at = t + rng.choice([0, 0, 0, 0.5]) * self.tick_s
        self.say("w", float(at), self.applied, raised)
        self.rollout.weight(at, self.applied, raised)
        self.seen["raise" if raised else "lower"] += 1

    def run(self, ticks):
        rng, t, tick = self.rng, 0.0, 0
        first = rng.choice([0, 0, 5])
        while tick < ticks:
            if (self.step == 0 and tick >= first) or (self.step > 0 and rng.random() < 0.04):
                self.change_weight(t)
            if rng.random() < 0.02:  # nothing comes
                gap = rng.choice([1, 10, 70, 2000])
                tick, t = tick + min(gap, 3), t + gap * self.tick_s
                self.seen["gap"] += 1
            self.tick(tick, t)
            if rng.random() < 0.1:
                self.say("x")
                self.seen["restore"] += 1
            if rng.random() < 0.03:
                self.muted = rng.choice([0, 1 << rng.randrange(11), 3 << 24])
            self.judge()
            if rng.random() < 0.04 or tick >= ticks - 1:
                self.dump()
            tick, t = tick + 1, t + self.tick_s

    def tick(self, tick, t):
        rng, rollout = self.rng, self.rollout
        draining = rng.random() < 0.05
        strata = self.strata if rng.random() < 0.9 else rng.randrange(1, self.strata + 1)
        hint = rng.random() < 0.9
        for g in self.policy.guardrails:
            found, cover = self.traffic.counts(rng, tick, self.tick_s, self.applied / 10000, strata)
            if rng.random() < 0.03:
                continue  # this SLI is silent
            if rng.random() < 0.005:
                found[0] = rng.choice([(1, 2, 1, 0), (-1, 0, 3, 0), (2 ** 53 + 2, 0, 1, 0)])
                self.seen["invalid"] += 1
            self.waiting.append((tick + self.lag[g.id], g.id, t, hint, found, cover))
        if rng.random() < 0.1:
            self.waiting.append((tick, rng.randrange(11), t, True, *self.traffic.counts(rng, tick, self.tick_s, 0.1, 1)))
        due, self.waiting = [x for x in self.waiting if x[0] <= tick], [x for x in self.waiting if x[0] > tick]
        for _, sli, at, hint, found, cover in due:
            quality = self.quality.get(sli, 0)
            self.say("t", sli, quality, float(at), float(self.tick_s), hint, draining,
                     *[x for s, c in zip(found, cover) for x in (*s, *c)])
            rollout.tick(sli, quality, at, self.tick_s, hint, draining, cover, found)
        w = self.applied / 10000
        n = round(self.traffic.rate * self.tick_s)
        n_c = binomial(rng, n, min(1.0, w * self.traffic.skew))
        lowest = self.applied if rng.random() < 0.9 else self.applied // 2
        self.say("a", float(t), float(self.tick_s), n_c, n - n_c, lowest, self.applied)
        rollout.split.tick(t, self.tick_s, n_c, n - n_c, lowest, self.applied)

    def judge(self):
        rollout = self.rollout
        self.say("j", self.muted, self.fix, self.again)
        if self.again:
            rollout.latched = None
        found = rollout.judge(self.muted, self.fix)
        self.seen["actions", found.action, found.reason] += 1
        tail = []
        for s in sorted(rollout.slis.values(), key=lambda s: s.g.id):
            tail += [s.alarm(), sum(1 << i for i in s.burning()), s.verdict(rollout.now)]
        breach = -1 if rollout.breach_since is None else rollout.breach_since
        self.results.append(["J", found.action, found.reason, set(found.leads), found.g_rel, found.g_all, breach,
                             rollout.ln_coverage(), rollout.uncovered, rollout.proven(), *tail])

    def dump(self):
        self.say("d")
        never = lambda x: -1 if x is None else x
        for i, s in sorted(self.rollout.slis.items()):
            g, step = s.g, s.step_evidence
            theta = [x for stratum in range(4) for x in step.bad_seen(stratum)]
            opened = [sum(x[j] for x in s.open) for j in range(4)] if s.start is not None else [0] * 4
            self.results.append(
                ["D", i, s.relative.ln(), s.absolute.ln(), s.coverage.ln(), s.relative.u, s.absolute.u, s.coverage.u,
                 s.stable.value(), s.canary.value(), s.worse.value(), s.budget.x, s.budget.ln(g.allowed, g.eta),
                 s.budget.ln(0, g.eta), step.ln(), s.ln_ni(), s.stable_bad, s.stable_seen, *theta,
                 never(s.shared_since), never(s.last_sick), s.sick, s.sick_before, s.weight, s.step, s.failed,
                 *s.total, *s.step_total, *s.cover_total, *opened, never(s.start), -1 if s.start is None else s.end,
                 never(s.last_tick), s.invalid, s.dropped, s.eta_s()])
            self.seen["sick"] += s.sick
            self.seen["proven"] += s.proven()
        r, split = self.rollout, self.rollout.split
        self.results.append(["S", split.lane.ln(), split.lane.u, split.share, split.crossed, split.off, split.blocks,
                             r.idle(), r.rps, r.now, never(r.canary_since)])
        self.seen["split blocks"] += split.blocks
        self.seen["split off"] += split.off


# --- comparison ------------------------------------------------------------------------------------------------------

def same(got, want):
    if isinstance(want, set):
        return int(got) in want
    x = float(got)
    return x == want or abs(x - want) <= 1e-9 * (1 + abs(want))


def compare(seed, sequence, answers):
    """How many numbers were equal; the first that is not ends everything."""
    count = 0
    for at, want in enumerate(sequence.results):
        line = next(answers, None)
        got = line.split() if line else []
        if len(got) != len(want) or got[0] != want[0]:
            raise ValueError(f"sequence {seed}, result {at}: {line!r}, not {want!r}")
        for i, (x, y) in enumerate(zip(got[1:], want[1:]), 1):
            if not same(x, y):
                raise ValueError(f"sequence {seed}, result {at} ({want[0]}), number {i}: {x}, not {y!r}\n{line}{want!r}")
        count += len(want) - 1
    return count


def run(job):
    driver, seeds = job
    sequences = [(seed, Sequence(seed)) for seed in seeds]
    text = "".join(line + "\n" for _, sequence in sequences for line in sequence.lines)
    done = subprocess.run([driver], input=text, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ValueError(f"{driver} ended with {done.returncode}: {done.stderr}")
    answers, count, seen = iter(done.stdout.splitlines(True)), 0, Counter()
    for seed, sequence in sequences:
        count += compare(seed, sequence, answers)
        seen += sequence.seen
        seen["strata", sequence.strata] += 1
    if next(answers, None) is not None:
        raise ValueError("the driver says more than was asked")
    return count, seen


NAMES = {ref.CONTINUE: "continue", ref.HOLD: "hold", ref.RETURN: "return", ref.ROLLBACK: "rollback"}
REASONS = ("none", "worse", "ceiling", "shared_cause", "attributing", "shared", "budget", "burn", "split", "coverage")


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("driver")
    options.add_argument("--sequences", type=int, default=500)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--jobs", type=int, default=1)
    options = options.parse_args()
    seeds = range(options.seed, options.seed + options.sequences)
    jobs = [(options.driver, seeds[i:i + CHUNK]) for i in range(0, len(seeds), CHUNK)]
    total, seen = 0, Counter()
    with multiprocessing.Pool(options.jobs) as pool:
        for count, found in pool.imap_unordered(run, jobs):
            total += count
            seen += found
    for key, n in sorted(seen.items(), key=str):
        name = key if isinstance(key, str) else f"{NAMES[key[1]]} {REASONS[key[2]]}" if key[0] == "actions" else \
            f"{key[1]} strata"
        print(f"{n:10d} {name}")
    print(f"{options.sequences} sequences: {total} numbers agree to 1e-9")
    missing = [r for r in range(len(REASONS)) if not any(k[0] == "actions" and k[2] == r for k in seen if k[0] == "actions")]
    if options.sequences >= 500 and missing:
        raise SystemExit(f"no sequence has led to: {', '.join(REASONS[r] for r in missing)}")


if __name__ == "__main__":
    sys.exit(main())
