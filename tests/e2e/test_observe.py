"""What Serin says of itself: /metrics as the handbook has it, alert rules, dashboard, logs."""
import json
import os
import re
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.parse
import urllib.request

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
        assert alert["labels"]["serin"] == "ignore", "it must not come back through Alertmanager and hold a rollout"
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


def test_each_rule_that_rolls_back_by_itself_raises_the_alert_and_is_marked_in_the_dashboard():
    golden = open(os.path.join(serin.ROOT, "tests", "unit", "data", "rules.golden")).read()
    automatic = re.findall(r"^([a-z_.]+): [a-z_ ]+ \| tick \| .*-> rolled_back ", golden, re.M)
    assert "evidence.worse" in automatic and len(automatic) >= 6
    [alert] = [one["expr"] for one in alerts() if one["alert"] == "SerinRolledBack"]
    for expr in (alert, dashboard()["annotations"]["list"][0]["expr"]):
        pattern = re.search(r'rule=~"([^"]*)"', expr)[1].replace("\\\\", "\\")
        assert [rule for rule in automatic if not re.fullmatch(pattern, rule)] == [], pattern


def test_each_alert_has_a_case_that_fires_and_one_that_does_not():
    cases = {test["name"]: test["promql_expr_test"] for test in yaml.safe_load(open(RULE_TESTS))["tests"]}
    assert set(cases) == {alert["alert"] for alert in alerts()}
    for name, parts in cases.items():
        assert all(f'alertname="{name}"' in part["expr"] for part in parts), name
        assert [bool(part["exp_samples"]) for part in parts] == [False, True], name


# --- the dashboard, by a real Prometheus -----------------------------------------------------------------------------------

DASHBOARD = os.path.join(serin.ROOT, "deploy", "grafana", "serin.json")
PROMETHEUS = shutil.which("prometheus")


def dashboard():
    return json.load(open(DASHBOARD))


def expressions():
    """(panel, expression) of the whole dashboard."""
    board = dashboard()
    found = [(panel["title"], target["expr"]) for panel in board["panels"] for target in panel.get("targets", [])]
    return found + [(one["name"], one["expr"]) for one in board["annotations"]["list"]]


def test_the_dashboard_has_what_grafana_needs_and_metrics_that_there_are():
    board = dashboard()
    assert board["uid"] == "serin" and board["title"] and board["id"] is None and board["schemaVersion"] >= 36
    assert {"time", "refresh", "templating", "annotations", "panels"} <= set(board)
    variables = {one["name"]: one for one in board["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource" and variables["service"]["type"] == "query"
    panels = board["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken = set()
    for panel in panels:
        place = panel["gridPos"]
        assert panel["title"] and panel["type"] in ("row", "timeseries", "table", "stat")
        assert place["x"] + place["w"] <= 24
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
        assert not cells & taken, f"{panel['title']} lies over another"
        taken |= cells
        if panel["type"] == "row":
            continue
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"} and panel["targets"]
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
    used = set()
    for _, expr in expressions():
        assert metrics_of(expr) <= known_series(), expr
        assert set(re.findall(r"\$[a-z_{]+", expr)) <= {"$service", "$__rate_interval"}, expr
        used |= metrics_of(expr)
    for name in ("serin_route_weight", "serin_rollout_evidence_ratio", "serin_rollouts", "serin_gateway_epochs_behind",
                 "serin_gateway_requests_total", "serin_outcomes_total", "serin_turn_timestamp_seconds"):
        assert name in used
    provider = yaml.safe_load(open(os.path.join(os.path.dirname(DASHBOARD), "dashboards.yml")))
    assert provider["apiVersion"] == 1 and provider["providers"][0]["options"]["path"]


class Prometheus:
    """A real one, with the configuration of deploy/prometheus; only target, interval and file names are this test's."""

    def __init__(self, target):
        self.path = tempfile.mkdtemp(prefix="serin-observe.")
        config = yaml.safe_load(open(os.path.join(os.path.dirname(RULES), "scrape.yml")))
        config["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
        config["rule_files"] = [RULES]
        config["scrape_configs"][0]["static_configs"] = [{"targets": [target]}]
        with open(f"{self.path}/prometheus.yml", "w") as file:
            yaml.safe_dump(config, file)
        with open(f"{self.path}/log", "wb") as log:
            self.process = subprocess.Popen([
                PROMETHEUS, f"--config.file={self.path}/prometheus.yml", f"--storage.tsdb.path={self.path}/data",
                "--web.listen-address=127.0.0.1:0", "--log.level=info"], stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        self.address = wait_for("Prometheus listens", self.listening, 60)

    def listening(self):
        assert self.process.poll() is None, open(f"{self.path}/log").read()[-2000:]
        found = re.search(r"Listening on\" address=(\S+)", open(f"{self.path}/log").read())
        return found[1] if found else None

    def get(self, path, **query):
        url = f"http://{self.address}{path}?{urllib.parse.urlencode(query)}"
        try:
            with urllib.request.urlopen(url, timeout=20) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            return json.load(error)

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.path, ignore_errors=True)


# Nothing of these happens in this test.
QUIET = ("serin_otlp_items_total", "serin_source_read", "serin_agent_", "serin_webhook_deliveries_total",
         "serin_trace_spans_total", "serin_decisions_total")


@pytest.mark.skipif(PROMETHEUS is None, reason="prometheus is not installed (package prometheus)")
def test_a_real_prometheus_answers_each_expression_of_the_dashboard_and_loads_each_alert(own_world):
    world = own_world(rate=10).start()
    client = world.client()
    prometheus = Prometheus(world.daemon.gateway)
    try:
        service(client, "drawn")
        first_release(client, "drawn")
        gateway = world.gateway("drawn", {"v1": {"refusal": 0.02}, "v2": {"refusal": 0.02}}, rps=150).start()
        gateway_live(client, "drawn")
        rollout = client.post("/v1/services/drawn/rollouts", {"release": "v2", "plan": {"steps": [
            {"weight": "10%", "bake": "1h"}, {"weight": "100%", "bake": "1h"}]}})["id"]
        client.request("GET", "/v1/services/none-such", raw=True)
        serin.Client(world.daemon.gateway, "wrong").request("GET", "/v1/routes/drawn", raw=True)

        def ask(expr):
            expr = expr.replace("$__rate_interval", "30s").replace("$service", ".*")
            answer = prometheus.get("/api/v1/query", query=expr)
            assert answer["status"] == "success", f"{expr}: {answer}"
            return answer["data"]["result"]
        wait_for("the canary is drawn", lambda: ask('serin_route_weight{role="canary"}') and ask("serin_rollouts"), 60)
        wait_for("evidence is drawn", lambda: ask("serin_guardrail_evidence_ratio"), 60)
        serin.Client(world.daemon.gateway, "wrong").request("GET", "/v1/routes/drawn", raw=True)
        missing = [expr for _, expr in expressions()]

        def drawn():
            missing[:] = [expr for expr in missing if not ask(expr)]
            return all(any(quiet in expr for quiet in QUIET) for expr in missing)
        try:
            wait_for("every panel has something", drawn, 60)
        except AssertionError:
            raise AssertionError(f"nothing for {missing}")
        gateway.rates["v2"]["refusal"] = 0.6
        assert ended(client, rollout)["rule"].startswith("evidence.")
        wait_for("the rollback is drawn", lambda: any("evidence" in one["metric"].get("rule", "") for one in ask(
            "sum by (rule) (increase(serin_decisions_total[$__rate_interval])) > 0")), 40)
        rules = [rule for group in prometheus.get("/api/v1/rules")["data"]["groups"] for rule in group["rules"]]
        assert {rule["name"] for rule in rules} == {alert["alert"] for alert in alerts()}
        assert all(rule["health"] == "ok" for rule in rules), [rule for rule in rules if rule["health"] != "ok"]
        wait_for("the alert fires", lambda: {r["name"]: r["state"] for r in prometheus.get("/api/v1/rules")["data"]["groups"][0][
            "rules"]}["SerinRolledBack"] == "firing", 30)
        gateway.stop()
    finally:
        prometheus.stop()


# --- logs: tests/e2e/conftest.py holds each line of each test to the form ------------------------------------------------------

def test_an_address_of_the_database_that_cannot_be_read_is_not_shown():
    """libpq's own message would have the password in it."""
    env = {**os.environ, "SERIN_CONTROL_ADDR": "127.0.0.1:0", "SERIN_GATEWAY_ADDR": "127.0.0.1:0",
           "SERIN_DATABASE_URL": "host=db password=hush s3cr3t"}
    for command in ([], ["migrate"], ["token", "create", "--name", "x", "--role", "viewer"]):
        run = subprocess.run([serin.SERIND, *command], env=env, capture_output=True, text=True, timeout=30)
        assert run.returncode == 1 and "cannot be read" in run.stderr and "SERIN_DATABASE_URL" in run.stderr
        assert "s3cr3t" not in run.stdout + run.stderr and "hush" not in run.stdout + run.stderr


def test_what_is_committed_is_logged_with_what_it_is_about(fast, told):
    lines = [json.loads(line) for line in open(fast.daemon.log)]
    client = fast.client()
    events = {one["id"]: one for one in client.get(f"/v1/events?rollout={told[0]}&limit=100")["items"]}
    logged = {one["event"]: one for one in lines if one["room"] == "events"}
    assert events and set(events) <= set(logged)
    for id_, event in events.items():
        assert logged[id_]["message"] == event["type"]
        for name in ("service", "rollout", "release", "rule", "actor"):
            assert logged[id_][name] == event[name]
        assert (logged[id_]["trace_id"] is None) == (event["rule"] is None)
