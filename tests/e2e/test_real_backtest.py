"""The rows of real/backtests.py with few seeds: what is certain of recorded outcomes of real models. The data lie beside the
checkout and are not part of it; without them these tests skip. The whole table: real/backtests.py."""
import os
import sys

import pytest

from serin import CLI

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "real"))
import backtests  # noqa: E402
import detectors  # noqa: E402

SEEDS = 5
SETS = ("xstest", "azure_llm_2023", "servegen_rates", "llmdrift", "refusal_direction", "llmperf_gpt41nano_repeats", "vllm_burst_load",
        "ms_cloud_monitoring", "nab_kpi")


@pytest.fixture(scope="module")
def cases():
    if not os.path.isdir(backtests.DATA):
        pytest.skip(f"no data at {backtests.DATA}")
    return list(backtests.all_rows())


@pytest.mark.parametrize("which", SETS)
def test_real_outcomes_end_as_expected(which, cases, tmp_path, capsys):
    mine = [case for case in cases if case["says"].startswith(which)]
    assert mine
    missed = []
    for case in mine:
        results = backtests.run(CLI, {**case, "outcomes": case["outcomes"][:3] if isinstance(case["outcomes"][0], list)
                                      else case["outcomes"]}, SEEDS, str(tmp_path))
        summary = backtests.summarise(results)
        with capsys.disabled():
            print(f"\n{case['says']}: expected {case['expect']}; {backtests.ended(results)}", file=sys.stderr)
        # one in five does not break a bound of 1 %; going back from what is far beyond every margin is certain
        fine = summary["blamed"] <= 1 if case["expect"] == "no blame" else backtests.met(case["expect"], summary, len(results))
        if not fine:
            missed.append(f"{case['says']}: expected {case['expect']}, but {backtests.ended(results)}")
    assert not missed


def test_a_poor_detector_finds_what_people_find_and_blames_only_where_the_arms_have_two(cases, tmp_path):
    rows = detectors.safe_rows()
    for case in detectors.cases():
        _, results = detectors.run_case(case, rows, SEEDS, CLI, str(tmp_path))
        blamed = backtests.summarise(results)["blamed"]
        alike = case[1] == case[2] and case[3] == case[4]
        assert blamed <= 1 if alike else blamed == SEEDS, f"{case}: {backtests.ended(results)}"


def test_the_handbook_says_how_wrong_its_string_match_is(cases, capsys):
    detectors.print_recipe(detectors.safe_rows(), None)
    row = capsys.readouterr().out.splitlines()[-1]
    assert "llmdrift" in row and row in open(detectors.recipe.PAGE, encoding="utf-8").read().splitlines(), row
