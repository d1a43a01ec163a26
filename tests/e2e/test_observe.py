"""What Serin says of itself: /metrics as the handbook has it, alert rules, dashboard, logs."""
import os
import re
import shutil
import subprocess

import pytest
import yaml

import serin
from serin import ended, first_release, gateway_live, service, wait_for

PAGE = os.path.join(serin.ROOT, "deploy", "handbook", "observing.md")
PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed (package prometheus)")


def metrics(world):
    status, headers, text = serin.Client(world.daemon.gateway).get("/metrics", raw=True)
    assert status == 200 and headers["Content-Type"].startswith("text/plain; version=0.0.4")
    return text.decode()


def samples(text):
    """name and labels -> value."""
    found = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            name, value = line.rsplit(" ", 1)
            assert name not in found, f"{name} twice"
            found[name] = float(value)
    return found


def families(text):
    """name -> (type, set of the labels that its samples have)."""
    types = dict(line.split()[2:] for line in text.splitlines() if line.startswith("# TYPE"))
    labels = {name: None for name in types}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        name, inside = re.match(r"([a-z_]+)(?:\{(.*)\})? \S+$", line).groups()
        base = name if name in types else re.sub(r"_(bucket|sum|count)$", "", name)
        labels[base] = (labels[base] or set()) | set(re.findall(r'([a-z]+)="', inside or "")) - {"le"}
    return {name: (types[name], labels[name]) for name in types}


def documented():
    """name -> (type, labels) of the handbook's table."""
    found = {}
    for line in open(PAGE):
        row = re.match(r"\| `([a-z_]+)` \| (counter|gauge|histogram) \| ([^|]*)\| \S", line)
        if row:
            found[row[1]] = (row[2], set(re.findall(r"`([a-z]+)`", row[3])))
    return found


@pytest.fixture(scope="module")
def told(fast):
    """A rollout that was rolled back, and /metrics while it ran and after."""
    client = fast.client()
    service(client, "seen")
    first_release(client, "seen")
    gateway = fast.gateway("seen", {"v1": {"refusal": 0.02}, "v2": {"refusal": 0.04}}, rps=150).start()
    gateway_live(client, "seen")
    rollout = client.post("/v1/services/seen/rollouts", {"release": "v2"})["id"]
    wait_for("the rollout is seen", lambda: any('serin_rollouts{service="seen"' in name for name in samples(metrics(fast))), 30)
    wait_for("evidence", lambda: 'serin_guardrail_evidence_ratio{service="seen",sli="refusal"}' in metrics(fast))
    during = metrics(fast)
    gateway.rates["v2"]["refusal"] = 0.6
    rule = ended(client, rollout)["rule"]
    after = metrics(fast)
    gateway.stop()
    return rollout, rule, during, after


def test_the_handbook_has_each_metric_and_no_other(told):
    page = documented()
    assert len(page) > 40, "is the table still there?"
    for name, (kind, labels) in families(told[3]).items():
        assert name in page, f"{name} is not in observing.md"
        assert page[name][0] == kind, name
        if labels is not None:
            assert page[name][1] == labels, name
    assert set(page) == set(families(told[3])), "observing.md has metrics that there are not"


def test_the_runbooks_and_other_pages_name_metrics_that_there_are():
    known = set(documented())
    for folder in ("handbook", "runbooks"):
        for name in os.listdir(os.path.join(serin.ROOT, "deploy", folder)):
            text = open(os.path.join(serin.ROOT, "deploy", folder, name)).read()
            for used in re.findall(r"`(serin_[a-z_]+)[`{]", text):
                base = re.sub(r"_(bucket|sum|count)$", "", used)
                assert base in known or used in ("serin_now",), f"{name}: {used}"


@needs_promtool
def test_promtool_finds_nothing_in_metrics(told):
    for text in told[2:]:
        run = subprocess.run([PROMTOOL, "check", "metrics"], input=text, text=True, capture_output=True, timeout=30)
        assert run.returncode == 0 and not run.stdout and not run.stderr, run.stdout + run.stderr


def test_a_rollout_is_seen_while_it_runs_and_counted_when_it_ends(told):
    _, rule, during, after = told
    seen, then = samples(during), samples(after)
    [rollout] = [name for name in seen if name.startswith('serin_rollouts{service="seen"')]
    assert seen[rollout] == 1 and re.search(r'phase="(progressing|baking|pending)",rule="[a-z_.]+"', rollout)
    assert seen['serin_rollout_phase_seconds{service="seen"}'] >= 0
    assert seen['serin_rollout_blind_seconds{service="seen"}'] == 0
    assert 0 <= seen['serin_rollout_evidence_ratio{service="seen"}'] < 1
    assert 0 <= seen['serin_guardrail_evidence_ratio{service="seen",sli="refusal"}'] < 1
    assert seen["serin_leases"] >= 1 and seen['serin_gateways_live{service="seen"}'] == 1
    counted = f'serin_decisions_total{{rule="{rule}"}}'
    assert seen[counted] == 0 and then[counted] == 1
    assert then['serin_rollout_evidence_ratio{service="seen"}'] >= 1, "it was rolled back for it"
    assert then['serin_ticks_total{result="ok"}'] > 0 and then["serin_tick_seconds_count"] >= then['serin_ticks_total{result="ok"}']
    assert then["serin_turn_timestamp_seconds"] > then["process_start_time_seconds"]
    assert then['serin_control_requests_total{method="GET",route="/v1/rollouts/{id}",code="200"}'] > 0
    assert then['serin_control_request_seconds_count{method="GET",route="/v1/rollouts/{id}"}'] > 0
    assert then["serin_postgres_connections_limit"] == 16 and then["process_open_fds"] > 5
    assert then["serin_metric_series_dropped_total"] == 0


def test_an_ended_rollout_is_gone_and_a_silent_gateway_is_named_by_number(fast, told):
    def gone():
        names = samples(metrics(fast))
        return not any(name.startswith('serin_rollouts{service="seen"') for name in names)
    wait_for("the rollout is gone", gone, 30)
    # 60 s of the database's clock after its last poll
    wait_for("silent", lambda: samples(metrics(fast)).get('serin_gateways_silent{service="seen"}') == 1, 40)
    assert samples(metrics(fast))['serin_gateways_live{service="seen"}'] == 0


def test_nothing_that_a_client_invents_becomes_a_label(fast, told):
    client = fast.client()
    before = metrics(fast)
    for path in ("/v1/nothing-like-it", "/v1/rollouts/ro_x", "/v1/services/invented"):
        client.request("GET", path, raw=True)
    for path in ("/v1/routes/invented", "/invented", "/v1/content/invented"):
        serin.Client(fast.daemon.gateway, fast.tokens["gateway"]).request("GET", path, raw=True)
    text = metrics(fast)
    assert "invented" not in text and "ro_x" not in text and "nothing" not in text
    assert 'route="none",code="404"' in text and 'route="none",code="404"' not in before


# --- alerts --------------------------------------------------------------------------------------------------------------

RULES = os.path.join(serin.ROOT, "deploy", "prometheus", "serin.rules.yml")
RULE_TESTS = os.path.join(serin.ROOT, "tests", "prometheus", "serin.rules.test.yml")


def alerts():
    return [rule for group in yaml.safe_load(open(RULES))["groups"] for rule in group["rules"]]


def metrics_of(expr):
    """Names of metrics in an expression of PromQL."""
    return set(re.findall(r"\b((?:serin|process)_[a-z_]+)\b", re.sub(r'"[^"]*"', '""', expr)))


def known_series():
    names = set(documented())
    for name, (kind, _) in documented().items():
        if kind == "histogram":
            names |= {f"{name}_bucket", f"{name}_sum", f"{name}_count"}
    return names


@needs_promtool
def test_promtool_takes_the_alerts_and_their_cases_hold():
    for arguments in (["check", "rules", RULES], ["test", "rules", RULE_TESTS],
                      ["check", "config", os.path.join(os.path.dirname(RULES), "scrape.yml")]):
        run = subprocess.run([PROMTOOL, *arguments], capture_output=True, text=True, timeout=120)
        assert run.returncode == 0 and "FAILED" not in run.stdout + run.stderr, run.stdout + run.stderr


def test_each_alert_has_a_summary_a_runbook_and_metrics_that_there_are():
    golden = open(os.path.join(serin.ROOT, "tests", "unit", "data", "rules.golden")).read()
    rules = set(re.findall(r"^([a-z_.]+): ", golden, re.M))
    assert len(alerts()) >= 20
    for alert in alerts():
        assert alert["labels"]["severity"] in ("critical", "warning"), alert
        assert alert["annotations"]["summary"], alert
        page = os.path.join(serin.ROOT, alert["annotations"]["runbook_url"])
        assert os.path.exists(page), alert
        assert metrics_of(alert["expr"]) <= known_series(), alert
        assert metrics_of(alert["expr"]) or "up{" in alert["expr"], alert
        for pattern in re.findall(r'rule=~"([^"]*)"', alert["expr"]):
            pattern = pattern.replace("\\\\", "\\")
            for part in re.sub(r"([a-z]+)\\\.\(([^)]*)\)", lambda m: "|".join(f"{m[1]}\\.{x}" for x in m[2].split("|")),
                               pattern).split("|"):
                assert any(re.fullmatch(part, rule) for rule in rules), f"{alert['alert']}: no rule {part}"


def test_each_alert_has_a_case_that_fires_and_one_that_does_not():
    cases = {test["name"]: test["promql_expr_test"] for test in yaml.safe_load(open(RULE_TESTS))["tests"]}
    assert set(cases) == {alert["alert"] for alert in alerts()}
    for name, parts in cases.items():
        assert all(f'alertname="{name}"' in part["expr"] for part in parts), name
        assert [bool(part["exp_samples"]) for part in parts] == [False, True], name
