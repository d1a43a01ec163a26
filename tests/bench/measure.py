"""How the benchmarks measure: CPU time of a process, interleaved pairs, and an A/A pair that says whether the machine
was quiet enough."""
import statistics
from statistics import median  # noqa: F401
import time

PAIRS = 9
QUIET = 0.03  # an A/A median further from 1 than this: not measured


def cpu_s(pid):
    """CPU seconds that a process has used, its ended threads included: what getrusage would tell it, in ns."""
    return time.clock_gettime_ns((~pid << 3) | 2) / 1e9


def resident_kib(pid):
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


def wakeups(pid):
    """How often its threads went to sleep and were woken."""
    import os
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/status") as status:
            total += next(int(line.split()[1]) for line in status if line.startswith("voluntary_ctxt"))
    return total


class Comparison:
    """A against B by interleaved rounds: A B B A, then B A A B, and so on, so that a drift of the machine meets both.
    A round gives one ratio A/B, from the sums of its runs, and one ratio A/A."""

    def __init__(self, a, b, pairs=PAIRS):
        self.ratios, self.same, self.a, self.b = [], [], [], []
        a(), b()  # warm
        for number in range(pairs):
            if number % 2 == 0:
                a1, b1, b2, a2 = a(), b(), b(), a()
            else:
                b1, a1, a2, b2 = b(), a(), a(), b()
            self.a += [a1, a2]
            self.b += [b1, b2]
            self.ratios.append((a1 + a2) / (b1 + b2))
            self.same.append(a1 / a2)

    def ratio(self):
        return statistics.median(self.ratios)

    def noise(self):
        return statistics.median(self.same) - 1

    def quiet(self):
        return abs(self.noise()) <= QUIET

    def verdict(self, target, at_least=True):
        if not self.quiet():
            return "not measured"
        met = self.ratio() >= target if at_least else self.ratio() <= target
        return "met" if met else "MISSED"


def spread(values):
    """Quartiles, for print."""
    low, _, high = statistics.quantiles(values, n=4)
    return f"{low:.2f}..{high:.2f}"


class Table:
    """Rows for people, and for README: Markdown."""

    def __init__(self, *heads):
        self.rows = [heads, ["---"] * len(heads)]

    def add(self, *cells):
        self.rows.append([str(cell) for cell in cells])
        print("| " + " | ".join(self.rows[-1]) + " |", flush=True)

    def head(self):
        for row in self.rows[:2]:
            print("| " + " | ".join(row) + " |", flush=True)
        return self
