#!/usr/bin/env python3
"""Checks the reference in evidence.py against the published test vectors V1 to V6, V8 to V10 and A1 to A5, to 1e-9."""
from evidence import (COHORT, CONTINUE, HOLD, RETURN, ROLLBACK, Budget, Guardrail, Lane, Plan, Policy, Rollout, Step,
                      block_length, ln_absolute, ln_ni_add, ln_ni_ratio, ln_relative, nearest_null, split_gains)


def close_to(got, want, what):
    if not (got == want or abs(got - want) <= 1e-9 * (1 + abs(want))):
        raise SystemExit(f"{what}: {got!r}, not {want!r}")


def vectors_of_blocks():
    for counts, want in (((5, 0, 95, 2), (-0.053991008684, -0.395906604971, -3.344218038794)),
                         ((5, 2, 95, 2), (0.702948198848, 2.427062614926, 2.075617191760)),
                         ((5, 5, 95, 1), (1.865942338343, 6.882015418206, 12.801193998002)),
                         ((50, 19, 50, 1), (3.051391148680, 7.982023692804, 8.324525558748)),
                         ((50, 40, 950, 700), (0.152227364377, -5.331360799022, -30.160254873514)),
                         ((1, 1, 99, 0), (0.399985642344, 1.566420527350, 3.757087704140))):
        for r, x in zip((1.5, 5, 80), want):
            close_to(ln_relative(*counts, 1.1, r), x, f"V1 {counts} {r}")
    for (n, k), want in (((5, 0), (-0.123463062952, -0.911607783970, -7.996937882903)),
                         ((5, 2), (0.687467153264, 2.307268040898, 0.767115386445)),
                         ((50, 19), (6.469206424537, 21.463242496550, 3.289127229774))):
        for r, x in zip((1.5, 5, 80), want):
            close_to(ln_absolute(n, k, 0.05, r), x, f"V2 {n} {k} {r}")
    for counts, want in (((5, 0, 95, 2), (0.095883913211, 0.135562733043)),
                         ((50, 1, 50, 1), (0.113323902536, 0.045447543855)),
                         ((50, 40, 950, 700), (-0.193490052096, -3.237174634449))):
        for alt, x in zip((1.0, 0.6), want):
            close_to(ln_ni_ratio(*counts, alt, 2), x, f"V3 {counts} {alt}")
    for counts, x, p in (((5, 0, 95, 2), 0.103733943313, 0.019483449155),
                         ((50, 1, 50, 1), 0.231994893338, 0.014069494438),
                         ((50, 0, 950, 19), 1.010645549648, 0.019483449155)):
        close_to(ln_ni_add(*counts, 0.02, 0.02), x, f"V4 {counts}")
        close_to(nearest_null(counts[0], counts[2], 0.02, 0.02), p, f"V4 root {counts}")


REFUSALS = ((5, 0, 95, 2), (4, 0, 96, 1), (6, 1, 94, 3), (5, 0, 95, 0), (5, 2, 95, 2),
            (7, 3, 93, 1), (5, 2, 95, 2), (4, 2, 96, 3), (6, 2, 94, 2), (5, 3, 95, 1))
TIMEOUTS = ((5, 0, 95, 1), (4, 0, 96, 0), (6, 0, 94, 0), (5, 1, 95, 0), (5, 0, 95, 1),
            (7, 0, 93, 0), (5, 1, 95, 0), (4, 0, 96, 0), (6, 0, 94, 2), (5, 0, 95, 0))


def rollout_of(guardrails, weight, tick_s=1.0):
    rollout = Rollout(Policy(guardrails=[Guardrail(share=1, cap=3.5, **g) for g in guardrails]),
                      Plan([100, 500, 1000, 2500, 10000]), tick_s)
    rollout.weight(0, weight, True)
    return rollout


def feed(rollout, sli, t, counts, hint=True):
    rollout.tick(sli, COHORT, t, rollout.tick_s, hint, False, [(0, 0, 0, 0)], [counts])
    rollout.latched = None


def vectors_of_lanes():
    rollout = rollout_of([{"id": 0}], 500)
    want = (-0.209074958101, -0.246977155293, -0.083761364868, -0.083761364868, 1.109306420072, 4.099426904023,
            6.718301246694, 9.498594058706, 12.124125148849, 15.620090403995)
    for t, counts in enumerate(REFUSALS):
        feed(rollout, 0, t, counts)
        close_to(rollout.slis[0].relative.ln(), want[t], f"V5 {t}")
        close_to(rollout.judge(0, False).g_rel, want[t], f"V5 G {t}")
    for part, x in zip(rollout.slis[0].relative.parts,
                       (1.672782574848, 4.473558051924, 7.899586149445, 12.277445839148, 15.995352315681,
                        17.380084877424, 15.258075120921, 6.798379891656)):
        close_to(part.ln(), x, "V5 component")
    close_to(rollout.slis[0].relative.u, 0.499376558603491, "V5 u")
    rollout = rollout_of([{"id": 0, "ceiling": 0.08}, {"id": 3, "ceiling": 0.02, "block_s": 3}], 500)
    rollout.weight(4, 500, True)
    for t, x in enumerate((-0.114367115965, -0.134268251998, -0.167803529574, -0.173861929426, 0.817831536166,
                           3.409319324925, 6.041858377676, 8.857564706974, 11.488468170540)):
        feed(rollout, 0, t, REFUSALS[t])
        feed(rollout, 3, t, TIMEOUTS[t], False)
        close_to(rollout.judge(0, False).g_all, x, f"V6 {t}")
    rollout = rollout_of([{"id": 0}], 5000)
    want = {0: 0.230498077807, 8: 0.888924669014, 16: 2.291949501141, 24: 3.954984432549}
    for t in range(25):
        feed(rollout, 0, t, (1, int(t % 3 == 0), 1, 0))
        if t in want:
            close_to(rollout.slis[0].relative.ln(), want[t], f"V8 {t}")
    step = Step(0.01)
    for counts, x in (((50, 1, 950, 18), 0.755706527094), ((48, 0, 952, 21), 3.149457902596),
                      ((55, 2, 945, 17), 3.266836275738), ((50, 1, 950, 20), 4.580820932213),
                      ((51, 0, 949, 19), 7.223645103349)):
        step.close([counts], 2, 0.05, 1)
        close_to(step.ln(), x, f"V9 {counts}")
    for args, x in (((1, .05, 1, 0), 16), ((10, .05, 1, 0), 2), ((1000, .5, 1, 0), 1), ((10, .95, 1, 0), 6),
                    ((3, .01, 15, 0), 15), ((100, .05, 1, 5), 5), ((.01, .05, 1, 0), 300)):
        close_to(block_length(*args), x, f"V10 {args}")


def vectors_of_attribution():
    shared = [(5, 0, 95, 1)] * 2 + [(5, 2, 95, 38)] * 4 + [(5, 0, 95, 1)] * 3
    alone = [(5, 0, 95, 1)] * 2 + [(5, 3, 95, 1)] * 5
    a1 = ((-2.506205091459, -2.257056563754, 0.078712753232, 0.477174754053, 0.740314254985),
          (-2.576220793556, -2.330013099357, 0.029967128085, 0.359413700452, 0.623060333095),
          (-2.755718074067, -2.467496043021, 290.948775269538, 1.130694881499, 0.356370485136),
          (-2.818375619004, -2.514091552307, 320.0, 5.880281661104, 0.274431936733),
          (-2.855211763265, -2.541131722961, 320.0, 46.910765624156, 0.228818093375),
          (-2.880867808469, -2.559807398295, 320.0, 140.188321630430, 0.198172235497),
          (-2.884650307699, -2.576174802689, 25.104522481608, 54.679210995942, 0.195440516950),
          (-2.888326920628, -2.588191854413, 9.474388502714, 28.742187130782, 0.192509149210),
          (-2.891898042169, -2.597786246759, 4.132948628352, 17.092978933788, 0.189523848302))
    a2 = a1[:2] + ((-0.791729033966, -0.676529144995, 0.013318112897, 3.571769263421, 35.336274939736),
                   (2.350251503192, 2.414247304559, 0.006306825202, 150.178771417726, 198.292467026713),
                   (5.751911721772, 5.805003673633, 0.003149874986, 221.934069376532, 234.018673537995),
                   (9.207073020281, 9.256062972280, 0.001697210120, 248.504106847115, 250.807262554710),
                   (12.683754441380, 12.687665865488, 0.001024180696, 264.187473542309, 271.385670678996))
    for name, blocks, want in (("A1", shared, a1), ("A2", alone, a2)):
        rollout = rollout_of([{"id": 0, "ceiling": 0.05}] + [{"id": i} for i in range(1, 8)], 500)
        for t, counts in enumerate(blocks):
            feed(rollout, 0, t, counts, False)
            judged, s = rollout.judge(0xfe, False), rollout.slis[0]
            got = judged.g_rel, judged.g_all, s.stable.value(), s.canary.value(), s.worse.value()
            for x, y in zip(got, want[t]):
                close_to(x, y, f"{name} {t}")
    for counts, want in (((15, 6, 0, 0), {30: (-2.367123614132, -0.759056096797, CONTINUE),
                                          90: (-2.367123614132, 5.840010833256, HOLD),
                                          150: (-2.367123614132, 7.720165825488, HOLD),
                                          180: (-2.367123614132, 7.937616056106, ROLLBACK)}),
                         ((15, 6, 15, 6), {30: (-2.820709896697, -2.398945744059, HOLD),
                                           150: (-2.979455500051, -2.500176668256, HOLD),
                                           360: (-3.059269154774, -2.548844066589, RETURN)})):
        rollout = rollout_of([{"id": 0, "ceiling": 0.05}] + [{"id": i} for i in range(1, 8)], 500, 30.0)
        for end in range(30, max(want) + 1, 30):
            feed(rollout, 0, end - 30.0, counts, False)
            judged = rollout.judge(0xfe, False)
            if end in want:
                close_to(judged.g_rel, want[end][0], f"A3 {end}")
                close_to(judged.g_all, want[end][1], f"A3 {end}")
                close_to(judged.action, want[end][2], f"A3 {end}")


def vectors_of_harm_and_split():
    budget = Budget()
    for counts, x, z, z0 in (((500, 9, 500, 3), 6, -0.529481738944, 0.388672643080),
                             ((480, 6, 520, 2), 10.153846153846, -0.511984133164, 0.860244630170),
                             ((30, 1, 970, 4), 11.030134813640, -0.508085901320, 1.002563200046),
                             ((980, 12, 20, 0), 23.030134813640, -0.480122003943, 1.011634190764),
                             ((700, 40, 300, 2), 58.363468146973, -0.212303312766, 2.477321676462),
                             ((10, 1, 0, 0), 58.363468146973, -0.212303312766, 2.477321676462)):
        budget.close(*counts, 1)
        close_to(budget.x, x, f"A4 {counts}")
        close_to(budget.ln(50, 1), z, f"A4 {counts}")
        close_to(budget.ln(0, 1), z0, f"A4 {counts}")
    lane = Lane(5, 10)
    for i, (n_c, n, lo, hi, x) in enumerate(((31, 600, .05, .05, -0.590697434927), (48, 610, .05, .05, -0.097823128161),
                                             (60, 590, .05, .05, 2.647872538760), (55, 600, .05, .1, 0.311208462433),
                                             (130, 600, .1, .1, 3.452181940097))):
        lane.close(60.0 * i, i == 3, [min(gain, 3.5) for gain in split_gains(n_c, n, lo, hi, 1.05)])
        close_to(lane.ln(), x, f"A5 {i}")


def vectors():
    vectors_of_blocks()
    vectors_of_lanes()
    vectors_of_attribution()
    vectors_of_harm_and_split()
    print("V1 to V6, V8 to V10 and A1 to A5 agree to 1e-9")


if __name__ == "__main__":
    vectors()
