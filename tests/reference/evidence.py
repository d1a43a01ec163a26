"""The evidence of a rollout a second time, from the mathematics of the handbook ("How Serin decides") and with other
means than controller/decision: products and sums of plain numbers where that works in logarithms, lists that are
summed up anew where that keeps rings and running sums, roots found by another method.

vectors.py checks it against the published test vectors, agree.py holds the C implementation to it. Times in seconds
since the rollout began, weights in 1/10,000.
"""
import math

ODDS = (1.2, 1.5, 2.0, 3.0, 5.0, 10.0, 25.0, 80.0)
HARMS = tuple(10.0 ** (i / 2 - 4) for i in range(8))
SPLIT_ODDS = (1.2, 1.5, 2.0, 5.0, 25.0)
CONTINUE, HOLD, RETURN, ROLLBACK = range(4)
(NONE, WORSE, CEILING, SHARED_CAUSE, ATTRIBUTING, SHARED, BUDGET, BURN, SPLIT, COVERAGE) = range(10)
ACT_ROLLBACK, ACT_PAUSE, ACT_NOTIFY = range(3)
PASS, FAIL, INCONCLUSIVE, NO_DATA = range(4)
COHORT, AGED, COMPLETION = range(3)
LATENCY_SLIS = (4, 5)
MUTE_SPLIT, MUTE_COVERAGE = 24, 25
SAME = 1e-9  # times closer than this are the same


# --- block e-values, as ln e -----------------------------------------------------------------------------------------

def ln_relative(n_c, k_c, n_b, k_b, w, r):
    """odds(canary) <= w odds(stable): given K, k_c is a sum of at most m Bernoulli variables of mean mu in all."""
    bad = k_c + k_b
    if not (n_c and n_b and bad):
        return 0.0
    trials = min(bad, n_c)
    by_canary = bad * (w * n_c / (w * n_c + n_b))             # each bad outcome falls on canary ...
    by_bad = n_c * (w * bad / (w * bad + (n_c + n_b - bad)))  # ... or each request of canary is bad
    chance = min(by_canary, by_bad) / trials
    return k_c * math.log(r) - trials * math.log1p(chance * (r - 1))


def ln_absolute(n, k, c, r):
    """p <= c: the likelihood ratio of p1, with odds r c / (1 - c)."""
    return k * math.log(r) - n * math.log1p(c * (r - 1)) if n else 0.0


def ln_ni_ratio(n_c, k_c, n_b, k_b, alt, w):
    """odds(canary) >= w odds(stable): mu is the lower root of (w-1) mu^2 - B mu + w n_c K."""
    bad = k_c + k_b
    if not (n_c and n_b and bad):
        return 0.0
    b, c = n_b + w * n_c + (w - 1) * bad, w * n_c * bad
    mu = 2 * c / (b + math.sqrt(max(0.0, b * b - 4 * (w - 1) * c)))
    trials = min(bad, n_c)
    r = alt / w
    return k_c * math.log(r) - trials * math.log1p(min(mu, trials) / trials * (r - 1))


def nearest_null(n_c, n_b, theta, d):
    """The x that minimises n_c KL(theta || x+d) + n_b KL(theta || x): its derivative vanishes (Newton, kept inside)."""
    low, high = max(0.0, theta - d), min(theta, 1 - d)
    x = 0.5 * (low + high)
    for _ in range(200):
        y = x + d
        slope = n_c * (y - theta) / (y * (1 - y)) + n_b * (x - theta) / (x * (1 - x))
        if slope > 0:
            high = x
        else:
            low = x
        curve = (n_c * (theta / y ** 2 + (1 - theta) / (1 - y) ** 2)
                 + n_b * (theta / x ** 2 + (1 - theta) / (1 - x) ** 2))
        after = x - slope / curve
        if not low < after < high:
            after = 0.5 * (low + high)
        if abs(after - x) <= 1e-16 * abs(x):
            return after
        x = after
    return x


def ln_ni_add(n_c, k_c, n_b, k_b, theta, d):
    """p_c >= p_b + d, by the point of the null nearest to theta."""
    if not (n_c and n_b):
        return 0.0
    x = nearest_null(n_c, n_b, theta, d)
    value = 0.0
    for n, k, p in ((n_c, k_c, x + d), (n_b, k_b, x)):
        value += (k * math.log(theta / p) if k else 0.0) + (n - k) * (math.log1p(-theta) - math.log1p(-p))
    return value


def growth_of_proof(w, p, margin_ratio, d):
    """What one request of a healthy canary adds to the proof: the block e-value of a mean request."""
    arms = w, w * p, 1 - w, (1 - w) * p
    by_ratio = max(ln_ni_ratio(*arms, alt, margin_ratio) for alt in (1.0, 0.6))
    by_difference = ln_ni_add(*arms, p, d) if max(0.0, p - d) < min(p, 1 - d) else 0.0
    return max(0.0, by_ratio, by_difference) / w


# --- e-processes -----------------------------------------------------------------------------------------------------

class Scaled:
    """A number >= 0, m e^s, that neither overflows nor is lost beside 1."""

    __slots__ = ("m", "s")

    def __init__(self):
        self.m, self.s = 0.0, 0.0

    def add(self, x):
        if self.s <= 0:
            self.m, self.s = self.m * math.exp(max(self.s, -745.0)), 0.0
        self.m += x * math.exp(-self.s) if self.s < 745 else 0.0

    def grow(self, ln_factor):
        self.s += ln_factor

    def ln(self):
        return math.log(self.m) + self.s if self.m > 0 else -math.inf

    def bound(self, ln_most):
        if self.ln() > ln_most:
            self.m, self.s = 1.0, ln_most


class Lane:
    """A fault that begins at an unknown time: copies of the test are started with prior masses that sum to 1."""

    def __init__(self, steps, components=len(ODDS)):
        self.steps, self.left = steps, steps - 1
        self.parts = [Scaled() for _ in range(components)]
        self.u, self.first, self.before = 1.0, None, None

    def close(self, t, raised, gains):
        if self.first is None:
            g, self.first = 0.5, t
        else:
            late = [1 / (1 + (x - self.first) / 3600) for x in (self.before, t)]
            g = 0.25 * (late[0] - late[1])
            if raised and self.left > 0:
                self.left -= 1
                g += 0.25 / (self.steps - 1)
        self.before = t
        g = max(0.0, min(g, self.u))
        self.u -= g
        for part, gain in zip(self.parts, gains):
            part.add(g)
            part.grow(gain)

    def ln(self):
        top = max(0.0, max(p.s for p in self.parts))
        total = self.u * math.exp(-top) if top < 745 else 0.0
        for p in self.parts:
            total += p.m * math.exp(max(p.s - top, -745.0)) / len(self.parts)
        return top + math.log(total)


class Recent:
    """Is something true lately? A mean of e-values restarted at all past blocks."""

    def __init__(self):
        self.r = [1.0] * len(ODDS)

    def close(self, length, ln_e):
        kept = math.exp(-length / 300)
        self.r = [min(320.0, (kept * r + (1 - kept)) * math.exp(min(le, 700.0))) for r, le in zip(self.r, ln_e)]

    def value(self):
        return math.fsum(self.r) / len(self.r)

    def proven(self):
        return self.value() >= 20


def ln_mean_exp(xs):
    top = max(xs)
    return top + math.log(math.fsum(math.exp(x - top) for x in xs) / len(xs)) if top > -math.inf else top


def ln_total(xs):
    return ln_mean_exp(xs) + math.log(len(xs)) if xs else -math.inf


class Budget:
    """Harm so far, sum n_c (p_c - p_b)^+, is at most B."""

    def __init__(self):
        self.y, self.x = [0.0] * len(HARMS), 0.0

    def close(self, n_c, k_c, n_b, k_b, eta):
        if not n_b:
            return
        rho = n_c / n_b
        self.x += k_c - rho * k_b
        for i, x in enumerate(HARMS):
            if rho * x <= 0.5:
                self.y[i] += eta * (k_c * math.log1p(x) + k_b * math.log1p(-rho * x))

    def ln(self, harm, eta):
        return ln_mean_exp([y - eta * x * harm for x, y in zip(HARMS, self.y)])


class Step:
    """Non-inferiority of one step: canary is worse than both margins."""

    def __init__(self, theta0):
        self.theta0, self.ratio, self.add, self.seen = theta0, [0.0, 0.0], 0.0, {}

    def bad_seen(self, stratum):
        bad, seen = self.seen.get(stratum, (0, 0))
        return 100 * self.theta0 + bad, 100 + seen

    def close(self, strata, w, d, eta):
        d = min(d, 0.99)
        for i, (n_c, k_c, n_b, k_b) in enumerate(strata):
            bad, seen = self.bad_seen(i)
            theta = min(max(bad / seen, 1e-6), 1 - d - 1e-6)
            for j, alt in enumerate((1.0, 0.6)):
                self.ratio[j] += eta * ln_ni_ratio(n_c, k_c, n_b, k_b, alt, w)
            self.add += eta * ln_ni_add(n_c, k_c, n_b, k_b, theta, d)
            bad, seen = self.seen.get(i, (0, 0))
            self.seen[i] = bad + k_c + k_b, seen + n_c + n_b

    def ln(self):
        return ln_mean_exp([ln_mean_exp(self.ratio), self.add])


# --- windows, blocks, plan -------------------------------------------------------------------------------------------

class Window:
    """A burn window: the canary's outcomes by the bucket (half the short window) in which their block ended."""

    def __init__(self, factor, long_s, short_s, action):
        self.factor, self.long_s, self.short_s, self.action = factor, long_s, short_s, action

    def bucket(self, end):
        return max(0, math.ceil((end - SAME) / (self.short_s / 2)) - 1)

    def over(self, blocks, now, seconds, share, least):
        buckets = math.ceil(seconds / (self.short_s / 2))
        newest = self.bucket(now)
        inside = [(n, k) for _, end, n, k in blocks if newest - buckets < self.bucket(end) <= newest]
        n, k = sum(x for x, _ in inside), sum(x for _, x in inside)
        filled = min(1.0, (now - blocks[0][0]) / seconds)  # what the window lacks counts as good
        return n > 0 and k >= least and k * filled >= share * n

    def burns(self, blocks, now, budget_rate):
        """blocks: (start, end, n, k) of a canary with weight, in order."""
        if self.factor <= 0 or budget_rate <= 0 or not blocks:
            return False
        factor = min(self.factor, 0.5 / budget_rate)
        if factor < 1:  # no faster than the SLO allows
            return False
        share = factor * budget_rate
        return (self.over(blocks, now, self.long_s, share, 10) and self.over(blocks, now, self.short_s, share, 1))


def planned(w):
    return 16.0 if w >= 1 else max(16.0, 3 / max(1 - w, 1e-9))


def requests_of(strata, cover):
    """Those with the SLI, or those without it, whichever are more: what says it later may come beside one without."""
    return max(sum(s[0] + s[2] for s in strata), sum(s[1] + s[3] for s in cover))


def block_length(rps, w, tick, block):
    wanted = min(300.0, planned(w) / max(rps, 1e-9)) if rps >= 0 else 0.0
    return math.ceil(max(wanted, block, tick) / tick - SAME) * tick


class Guardrail:
    def __init__(self, **given):
        self.id = self.share = self.block_s = self.action = self.shared_hold_s = 0
        self.tolerance, self.margin_ratio, self.eta = 1.1, 2.0, 1.0
        self.ceiling = self.margin_add = self.allowed = self.cap = self.budget_rate = 0.0
        self.maturity_s = 0
        self.__dict__.update(given)

    def attribution_ceiling(self):
        return self.ceiling if self.ceiling > 0 else min(0.95, 1.5 * self.budget_rate)


class Policy:
    def __init__(self, **given):
        self.alpha, self.alpha_ni = 0.01, 0.05
        self.attr_wait_s, self.shared_hold_s, self.warmup_s, self.blanking_s = 90, 300, 60, 60
        self.holdback, self.split_check, self.keyed, self.key_effect = 0, False, False, 1.0
        self.windows, self.guardrails = [], []
        self.__dict__.update(given)

    def share(self, g):
        return g.share / sum(x.share for x in self.guardrails)

    def lanes(self, g):
        """(relative, absolute, budget), summing to 1."""
        if g.ceiling > 0:
            return (0.75, 0.20, 0.05) if g.allowed > 0 else (0.75, 0.25, 0.0)
        return (0.95, 0.0, 0.05) if g.allowed > 0 else (1.0, 0.0, 0.0)

    def cap(self, g):
        return g.cap if g.cap > 0 else 0.5 * math.log(1 / (self.alpha * self.share(g) * self.lanes(g)[0]))


class Plan:
    def __init__(self, weights):
        self.weights = weights

    def margin(self, step):
        following = self.weights[min(step + 1, len(self.weights) - 1)] if step + 1 < len(self.weights) \
            else self.weights[-1]
        return min(0.05, max(0.01, 0.005 / (following / 10000)))


# --- one SLI ---------------------------------------------------------------------------------------------------------

class Sli:
    def __init__(self, rollout, g):
        self.rollout, self.g = rollout, g
        self.relative, self.absolute, self.coverage = (Lane(rollout.steps) for _ in range(3))
        self.stable, self.canary, self.worse = Recent(), Recent(), Recent()
        self.budget, self.step_evidence = Budget(), Step(0.01)
        self.burn = []  # (start, end, n, k)
        self.closed = -1.0  # end of the newest closed block
        self.stable_bad = self.stable_seen = 0.0
        self.start = None
        self.end, self.open, self.open_cover, self.last, self.first_of_step = -1.0, [], [], -1.0, False
        self.pending = False
        self.shared_since, self.last_sick = None, None
        self.sick = self.sick_before = self.failed = False
        self.weight, self.step, self.passed, self.weight_seen = 0, -1, 0, None
        self.total, self.step_total, self.cover_total = [0] * 4, [0] * 4, [0] * 4
        self.last_tick, self.invalid, self.dropped = None, 0, 0

    # a change of the weight

    def enter_step(self, step):
        self.step, self.pending, self.step_total = step, True, [0] * 4
        self.step_evidence = Step((self.stable_bad + 1) / (self.stable_seen + 100))

    def pass_changes(self, t):
        changes = self.rollout.changes
        while self.passed < len(changes) and changes[self.passed][0] <= t + SAME:
            if self.start is not None:
                self.close()
            at, self.weight, raised = changes[self.passed]
            self.passed += 1
            self.weight_seen = at
            if raised:
                plan, top = self.rollout.plan.weights, 10000 - self.rollout.policy.holdback
                fits = [i for i, w in enumerate(plan) if i > self.step and self.weight in (w, min(w, top))]
                self.enter_step(fits[0] if fits else self.step + 1)

    # a tick

    def tick(self, quality, t, dt, strata, cover, draining):
        rollout = self.rollout
        self.pass_changes(t)
        self.last_tick = max(t + dt, self.last_tick or 0.0)
        rollout.now = max(rollout.now, t + dt)
        if self.blanked(quality, t, dt) or (draining and self.start is None):
            self.dropped += sum(s[0] + s[2] for s in strata)
            return
        if self.start is None:
            self.start, self.open, self.open_cover = t, [], []
            self.end = t + block_length(rollout.rps, self.weight / 10000, rollout.tick_s, self.g.block_s)
            self.first_of_step, self.pending = self.pending, False
        while len(self.open) < len(strata):
            self.open.append([0] * 4)
            self.open_cover.append([0] * 4)
        for sums, more in [*zip(self.open, strata), *zip(self.open_cover, cover)]:
            for i in range(4):
                sums[i] += more[i]
        self.last = t + dt
        requests = requests_of(self.open, self.open_cover)
        if self.last >= self.end - SAME or (requests >= 2 * planned(self.weight / 10000)
                                            and self.last - self.start >= self.g.block_s):
            self.close()

    def blanked(self, quality, t, dt):
        rollout, policy = self.rollout, self.rollout.policy
        since = rollout.canary_since
        if self.g.id in LATENCY_SLIS and since is not None and since - SAME <= t < since + policy.warmup_s:
            return True
        if quality != COMPLETION:
            return False
        if self.weight_seen is not None and t < self.weight_seen + policy.blanking_s:
            return True
        return self.passed < len(rollout.changes) and rollout.changes[self.passed][0] < t + dt

    # a block

    def close(self):
        rollout, policy, g = self.rollout, self.rollout.policy, self.g
        t, end, strata = self.start, self.last, [tuple(s) for s in self.open]
        self.closed = end
        length, serving, raised = end - t, self.weight > 0, self.first_of_step
        total = [sum(s[i] for s in strata) for i in range(4)]
        rel = [math.fsum(ln_relative(*s, g.tolerance, r) for s in strata) for r in ODDS]
        if serving:
            self.relative.close(t, raised, [min(g.eta * x, policy.cap(g)) for x in rel])
        if g.ceiling > 0 or g.budget_rate > 0:
            self.attribute(t, end, total, rel)
        kept = math.exp(-length / 3600)
        self.stable_bad = kept * self.stable_bad + total[3]
        self.stable_seen = kept * self.stable_seen + total[2]
        if serving:
            if g.allowed > 0:
                for s in strata:
                    self.budget.close(*s, g.eta)
            self.burn.append((t, end, total[0], total[1]))
            self.cover(t, raised)
            self.step_evidence.close(strata, g.margin_ratio,
                                     g.margin_add if g.margin_add > 0 else rollout.plan.margin(max(self.step, 0)), g.eta)
            for i in range(4):
                self.total[i] += total[i]
                self.step_total[i] += total[i]
        self.start, self.first_of_step, self.open = None, False, []

    def attribute(self, t, end, total, rel):
        policy, g, serving = self.rollout.policy, self.g, self.weight > 0
        c, share = g.attribution_ceiling(), self.rollout.policy.share(self.g)
        sta = [ln_absolute(total[2], total[3], c, r) for r in ODDS]
        can = [ln_absolute(total[0], total[1], c, r) for r in ODDS]
        self.stable.close(end - t, sta)
        self.sick = self.stable.proven()
        if serving:
            self.worse.close(end - t, [g.eta * x for x in rel])  # one burst inside canary's arm is no proof
            self.canary.close(end - t, can)
        if serving and g.ceiling > 0:
            gains = [min(x, 0.0) for x in can] if self.sick else can
            self.absolute.close(t, self.first_of_step, [min(g.eta * x, policy.cap(g)) for x in gains])
            most = 0.0 if self.sick else math.log(32 / (policy.alpha * share * policy.lanes(g)[1]))
            for part in self.absolute.parts:
                part.bound(most)
        if not self.sick:
            self.shared_since = None
        elif self.shared_since is None and self.canary.proven():
            self.shared_since = self.last_sick = end
        if ln_mean_exp(sta) >= math.log(20):
            self.last_sick = t
        self.sick_before = self.sick and (self.weight == 0 or self.sick_before)

    def cover(self, t, raised):
        rollout, share = self.rollout, self.rollout.policy.share(self.g)
        cap = 0.5 * math.log(1000 / share)
        gains = [self.g.eta * math.fsum(ln_relative(*s, 1.25, r) for s in self.open_cover) for r in ODDS]
        self.coverage.close(t, raised, [min(x, cap) for x in gains])
        for s in self.open_cover:
            for i in range(4):
                self.cover_total[i] += s[i]
        if any(s[1] for s in self.open_cover) and rollout.ln_coverage() >= math.log(1000):
            rollout.uncovered = True

    # what is asked of it

    def in_step(self):
        return not any(raised for _, _, raised in self.rollout.changes[self.passed:])

    def ln_ni(self):
        return self.step_evidence.ln() if self.in_step() else 0.0

    def proven(self):
        return self.ln_ni() >= math.log(self.rollout.steps / self.rollout.policy.alpha_ni)

    def burning(self):
        return [i for i, window in enumerate(self.rollout.policy.windows)
                if not self.sick and window.burns(self.burn, self.closed, self.g.budget_rate)]

    def burns_fast(self):
        return any(max(self.g.action, self.rollout.policy.windows[i].action) == ACT_ROLLBACK for i in self.burning())

    def terms(self):
        """ln of what it adds to G_rel, and of what it adds to the rest of G_all."""
        v, (rel, ab, bud) = self.rollout.policy.share(self.g), self.rollout.policy.lanes(self.g)
        one = [math.log(v * rel) + self.relative.ln()]
        if bud > 0:
            one.append(math.log(v * bud) + self.budget.ln(self.g.allowed, self.g.eta))
        return ln_total(one), math.log(v * ab) + self.absolute.ln() if ab > 0 else -math.inf

    def alarm(self):
        if self.g.action != ACT_ROLLBACK and ln_total(list(self.terms())) >= -math.log(self.rollout.policy.alpha):
            self.failed = True
        return self.failed

    def verdict(self, now):
        if self.failed:
            return FAIL
        if now - self.g.maturity_s - (self.last_tick or 0.0) > max(60.0, 4 * self.rollout.tick_s):
            return NO_DATA
        return PASS if self.proven() else INCONCLUSIVE

    def share_with(self):
        """Share of the requests that have the SLI."""
        counted, came = list(self.total), list(self.cover_total)
        if self.start is not None and self.weight > 0:
            counted = [x + sum(s[i] for s in self.open) for i, x in enumerate(counted)]
            came = [x + sum(s[i] for s in self.open_cover) for i, x in enumerate(came)]
        have, lack = counted[0] + counted[2], came[1] + came[3]
        if came[0] > 0 and came[0] == came[1]:
            return 0.0
        return have / lack if lack > have else 1.0

    def eta_s(self):
        """Seconds until a healthy canary would have proven this step."""
        rollout, g = self.rollout, self.g
        step = max(self.step, 0)
        w = min(rollout.plan.weights[step], 10000 - rollout.policy.holdback) / 10000
        need, known = math.log(rollout.steps / rollout.policy.alpha_ni), self.ln_ni()
        rps = rollout.rate_now() * self.share_with()
        if known >= need:
            return 0.0
        if rps <= 0 or not 0 < w < 1:
            return -1.0
        d = g.margin_add if g.margin_add > 0 else rollout.plan.margin(step)
        p = (self.stable_bad + 1) / (self.stable_seen + 100)
        growth = growth_of_proof(w, p, g.margin_ratio, d) * g.eta
        left = need - known + math.log(2) * (1 if known <= 0 else 1 - known / need)
        return left / growth / (rps * w) if growth > 0 else -1.0


# --- the split check -------------------------------------------------------------------------------------------------

class Split:
    def __init__(self, rollout):
        self.rollout, self.lane = rollout, Lane(rollout.steps, 2 * len(SPLIT_ODDS))
        self.start, self.last, self.n_c, self.n, self.weights = None, -1.0, 0, 0, []
        self.raise_seen, self.raised = -1.0, False
        self.crossed = self.off = False
        self.blocks, self.share = 0, -1.0

    def tick(self, t, dt, n_c, n_b, w_lo, w_hi):
        if not self.rollout.policy.split_check or not 0 <= w_lo <= w_hi <= 10000 or w_hi == 0 or t < self.last - SAME:
            return
        self.last = t + dt
        if self.start is None:
            newest = max([at for at, _, raised in self.rollout.changes if raised and at <= t + SAME], default=-1.0)
            self.raised, self.raise_seen = newest > self.raise_seen, newest
            self.start, self.n_c, self.n, self.weights = t, 0, 0, []
        self.n_c, self.n = self.n_c + n_c, self.n + n_c + n_b
        self.weights += [w_lo / 10000, w_hi / 10000]
        if self.last >= self.start + 60 - SAME:
            self.close()

    def close(self):
        policy, rps = self.rollout.policy, self.rollout.rps
        t, lo, hi = self.start, min(self.weights), max(self.weights)
        self.start = None
        hour = rps * 3600 if rps > 0 else self.n * 60.0
        a2 = policy.key_effect * hour
        self.off = policy.keyed and not (0 < lo < 1 and hour > 0
                                         and 3 * math.sqrt((1 - lo) * a2 / (lo * hour * hour)) < 0.25)
        if self.off:
            return
        tol, eta = (1.25, 1 / policy.key_effect) if policy.keyed else (1.05, 1.0)
        self.lane.close(t, self.raised, [min(eta * x, 3.5) for x in split_gains(self.n_c, self.n, lo, hi, tol)])
        self.blocks += 1
        self.share = self.n_c / self.n if self.n else -1.0
        self.crossed = self.crossed or self.lane.ln() >= math.log(1000)


def split_gains(n_c, n, w_lo, w_hi, tol):
    """Odds of canary's share at most tol odds(w_hi), at least odds(w_lo) / tol."""
    up = 1.0 if w_hi >= 1 else (lambda o: o / (1 + o))(tol * w_hi / (1 - w_hi))
    down = 1 / (1 + tol / 1e300) if w_lo >= 1 else (lambda o: o / (1 + o))(w_lo / (1 - w_lo) / tol)
    return ([n_c * math.log(r) - n * math.log1p(up * (r - 1)) for r in SPLIT_ODDS]
            + [-n_c * math.log(r) - n * math.log1p(down * (1 / r - 1)) for r in SPLIT_ODDS])


# --- the rollout -----------------------------------------------------------------------------------------------------

class Judgement:
    def __init__(self, action, reason, leads, g_rel, g_all):
        self.action, self.reason, self.leads, self.g_rel, self.g_all = action, reason, leads, g_rel, g_all


def leaders(pairs):
    """Those (value, id) that have the largest value, or one that rounding cannot tell from it."""
    top = max(value for value, _ in pairs)
    if top == -math.inf:
        return [pairs[0][1]]
    return [i for value, i in pairs if value >= top - 1e-9 * (1 + abs(top))]


class Rollout:
    def __init__(self, policy, plan, tick_s):
        self.policy, self.plan, self.tick_s = policy, plan, tick_s
        self.steps = len(plan.weights)
        self.changes, self.canary_since = [], None
        self.rps, self.rate_tick, self.rate_best = -1.0, -1.0, None
        self.now, self.breach_since = 0.0, None
        self.uncovered, self.latched = False, None
        self.slis = {g.id: Sli(self, g) for g in policy.guardrails}
        self.split = Split(self)

    def weight(self, at, weight, raised):
        at = max([at] + [x for x, _, _ in self.changes[-1:]])
        self.changes.append((at, weight, raised))
        if self.canary_since is None and weight > 0:
            self.canary_since = at

    # the rate: what a tick has measured is used from the next tick on

    def measure(self, t, dt, n, hint):
        if self.rate_best is not None and t > self.rate_tick:
            self.rps, self.rate_best = self.rate_now(), None
        if not hint or t < self.rate_tick or (t == self.rate_tick and self.rate_best is None):
            return
        x = n / dt
        self.rate_best = (x, dt) if self.rate_best is None or x > self.rate_best[0] else self.rate_best
        self.rate_tick = t

    def rate_now(self):
        if self.rate_best is None:
            return self.rps
        x, dt = self.rate_best
        return x if self.rps < 0 else self.rps + (1 - math.exp(-dt / 60)) * (x - self.rps)

    def tick(self, sli, quality, t, dt, hint, draining, cover, strata):
        known = self.slis.get(sli)
        good = all(0 <= k <= n <= 2 ** 53 for s in [*strata, *cover] for n, k in (s[:2], s[2:]))
        if not good or dt <= 0 or t < 0 or (known and known.last_tick is not None and t <= known.last_tick - 1e-6):
            if known:
                known.invalid += 1
            return
        self.measure(t, dt, requests_of(strata, cover), hint)
        if known:
            known.tick(quality, t, dt, strata, cover, draining)

    def ln_coverage(self):
        return ln_total([math.log(self.policy.share(s.g)) + s.coverage.ln() for s in self.slis.values()])

    def proven(self):
        return bool(self.slis) and all(s.proven() for s in self.slis.values())

    def idle(self):
        return all(s.start is None for s in self.slis.values())

    # rows of the attribution table

    def attributed(self, i):
        s = self.slis[i]
        return s.worse.proven() or s.weight == 10000 or s.closed - self.breach_since >= self.policy.attr_wait_s

    def judge(self, muted, fix):
        if self.latched:
            return self.latched
        part = [s for i, s in sorted(self.slis.items()) if s.g.action == ACT_ROLLBACK and not muted >> i & 1]
        terms = {s.g.id: s.terms() for s in part}
        g_rel = ln_total([x for x, _ in terms.values()]) if part else -1000.0
        g_all = ln_total([x for both in terms.values() for x in both]) if part else -1000.0
        found = self.row(part, terms, muted, fix, g_rel, g_all)
        found.g_rel, found.g_all = g_rel, g_all
        if found.action in (RETURN, ROLLBACK):
            self.latched = found
        if found.action == ROLLBACK:
            self.slis[found.leads[0]].failed = True
        return found

    def row(self, part, terms, muted, fix, g_rel, g_all):
        limit = -math.log(self.policy.alpha)
        sick = [s for s in part if s.sick and not fix]
        burns = [(s.canary.value(), s.g.id) for s in part if s.burns_fast()]
        above = [(terms[s.g.id][1], s.g.id) for s in part]
        over = g_all >= limit and max([x for x, _ in above], default=-math.inf) > -math.inf
        if not over:
            self.breach_since = None
        elif self.breach_since is None or sick:
            self.breach_since = self.now
        say = lambda action, reason, leads: Judgement(action, reason, leads, 0, 0)
        if g_rel >= limit:
            return say(ROLLBACK, WORSE, leaders([(terms[s.g.id][0], s.g.id) for s in part]))
        if over and self.attributed(leaders(above)[0]):
            return say(ROLLBACK, CEILING, leaders(above))
        alone = burns and self.slis[leaders(burns)[0]]
        if alone and (alone.weight == 10000 or alone.relative.ln() >= limit):
            return say(ROLLBACK, BURN, leaders(burns))
        shared = [(s.last_sick - s.shared_since, s.g.id) for s in part
                  if s.shared_since is not None and s.canary.proven() and not s.sick_before
                  and s.last_sick - s.shared_since >= (s.g.shared_hold_s or self.policy.shared_hold_s)]
        if shared and not fix:
            return say(RETURN, SHARED_CAUSE, leaders(shared))
        if over or burns:
            return say(HOLD, ATTRIBUTING, leaders(above) if over else leaders(burns))
        if sick:
            return say(HOLD, SHARED, leaders([(s.stable.value(), s.g.id) for s in sick]))
        spent = [(s.budget.x / s.g.allowed, s.g.id) for s in part
                 if s.g.allowed > 0 and s.budget.x >= s.g.allowed and s.budget.ln(0, s.g.eta) >= math.log(20)]
        if spent:
            return say(HOLD, BUDGET, leaders(spent))
        if self.split.crossed and not muted >> MUTE_SPLIT & 1:
            return say(HOLD, SPLIT, [0])
        if self.uncovered and not muted >> MUTE_COVERAGE & 1:
            return say(HOLD, COVERAGE, leaders([(math.log(self.policy.share(s.g)) + s.coverage.ln(), i)
                                                for i, s in sorted(self.slis.items())]))
        return say(CONTINUE, NONE, leaders([(max(terms[s.g.id]), s.g.id) for s in part]) if part else [0])
