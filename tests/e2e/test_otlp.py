"""The real OpenTelemetry Node SDK as the source of counts: an application instrumented by the GenAI conventions, the SDK's
own exporters, and the daemon. tests/interop/otel has the application and what it needs from npm."""
import json
import os
import random
import shutil
import subprocess
import threading
import time

import pytest

import serin
from serin import first_release, gateway_live, service, wait_for

HERE = os.path.join(serin.ROOT, "tests", "interop", "otel")
INSTALLED = os.path.join(serin.BUILD, "interop", "otel")
SECRET = "Zwetschgendatschi"  # stands for every prompt and completion


def installed():
    """npm's packages, once for each lock file; skips where there is no node or no registry."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("node and npm are not installed", allow_module_level=True)
    os.makedirs(INSTALLED, exist_ok=True)
    stamp, lock = os.path.join(INSTALLED, "installed-lock.json"), open(os.path.join(HERE, "package-lock.json")).read()
    for name in os.listdir(HERE):
        shutil.copy(os.path.join(HERE, name), INSTALLED)
    if os.path.exists(stamp) and open(stamp).read() == lock:
        return
    run = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=INSTALLED, capture_output=True,
                         text=True, timeout=300)
    if run.returncode != 0:
        pytest.skip(f"npm could not install the OpenTelemetry SDK: {run.stderr.strip()[-200:]}", allow_module_level=True)
    with open(stamp, "w") as file:
        file.write(lock)


installed()


class App:
    """An instrumented application: a node process with the SDK. `instance`: the name it sends as a gateway."""

    def __init__(self, world, resource, exporter="proto", compression="none", instance="app-1", token=None, script="app.mjs",
                 **more):
        base = f"http://{world.daemon.gateway}"
        settings = {"exporter": exporter, "compression": compression, "resource": resource,
                    "url": f"{base}/v1/traces" if script == "app.mjs" else base,
                    "headers": {"Authorization": f"Bearer {token or world.tokens['gateway']}", "Serin-Gateway": instance}, **more}
        self.process = subprocess.Popen(["node", script, json.dumps(settings)], cwd=INSTALLED, text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, **command):
        """Has it do this, and flush; what the SDK said of it."""
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, "the application has ended"
        return json.loads(line)

    def make(self, *requests):
        """Makes these spans and flushes; what the exporter said of it."""
        return self.ask(make=requests)

    def stop(self):
        if self.process.stdin.closed:
            return
        self.process.stdin.close()
        try:
            self.process.wait(timeout=20)
        finally:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()


@pytest.fixture
def app(world):
    made = []

    def make(*arguments, **kw):
        made.append(App(world, *arguments, **kw))
        return made[-1]
    yield make
    for one in made:
        one.stop()


DURATION = "gen_ai.client.operation.duration"
CALL = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "anthropic", "gen_ai.request.model": "m1"}


def chat(finish="end_turn", provider="anthropic", times=1, **more):
    """A request to a model as an instrumentation library tells of it, with everything that it may tell."""
    attributes = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": provider, "gen_ai.request.model": "m1",
                  "gen_ai.request.temperature": 0.5, "gen_ai.request.stream": True,
                  "gen_ai.usage.input_tokens": 12, "gen_ai.usage.output_tokens": 34,
                  "gen_ai.response.time_to_first_chunk": 0.3,
                  "gen_ai.input.messages": json.dumps([{"role": "user", "parts": [{"content": SECRET}]}]),
                  "gen_ai.output.messages": json.dumps([{"role": "assistant", "parts": [{"content": SECRET}]}]),
                  "gen_ai.system_instructions": SECRET, "gen_ai.prompt": SECRET, "llm.prompts": [SECRET, SECRET],
                  **more.pop("attributes", {})}
    if finish:
        attributes["gen_ai.response.finish_reasons"] = [finish]
    return {"attributes": attributes, "times": times, "events": [{"name": "gen_ai.content.prompt", "attributes": {
        "gen_ai.prompt": SECRET}}], **more}


def known(world, name, releases=("v1", "v2"), **kw):
    """A service whose releases the gateway port has heard of: it refuses a span of the last one for its age alone."""
    service(world.client(), name, releases=releases, **kw)
    old = {"resourceSpans": [{"resource": {"attributes": [{"key": k, "value": {"stringValue": v}} for k, v in (
        ("service.name", name), ("service.version", releases[-1]))]}, "scopeSpans": [{"spans": [{
            "traceId": "1" * 32, "spanId": "1" * 16, "startTimeUnixNano": "1", "endTimeUnixNano": "2", "attributes": [
                {"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}}]}]}]}]}
    wait_for("the gateway port knows the releases",
             lambda: "older than a day" in str(world.gateway_client().request("POST", "/v1/traces", old, raw=True)[2]), 10)


def counted(world, name, what):
    return int(float(world.database.sql(f"SELECT coalesce(sum({what}), 0) FROM observations WHERE service = '{name}'")[0][0]))


SLIS = ["refusal", "content_filter", "error", "timeout", "ttft", "latency", "schema_invalid", "tool_error", "empty_retrieval",
        "truncated", "rate_limited"]


def sli(world, name, one):
    at = SLIS.index(one) + 1
    return counted(world, name, f"n[{at}]"), counted(world, name, f"k[{at}]")


@pytest.mark.parametrize("compression", ["none", "gzip"])
@pytest.mark.parametrize("exporter", ["http", "proto"])
def test_the_sdk_reports_and_is_understood(world, app, exporter, compression):
    name = f"sdk-{exporter}-{compression}"
    known(world, name, slos={"refusal": {"objective": 90}, "error": {"objective": 90},
                              "ttft": {"objective": 90, "threshold": "200ms"}})
    one = app({"service.name": name, "service.version": "v1"}, exporter, compression)
    answer = one.make(
        chat(times=20), chat("refusal", times=5), chat("max_tokens", times=3),
        chat(None, attributes={"error.type": "429"}, failed=f"rate limit {SECRET}", times=2),
        chat(None, attributes={"error.type": "APITimeoutError"}, failed="timeout"),
        chat(None, attributes={"error.type": "500"}, failed="x"),
        chat("content_filter", "azure.ai.openai", attributes={"error.type": "400"}, failed=SECRET, times=4),
        {"name": "GET /", "attributes": {"http.response.status_code": 500}, "times": 7},
        {"name": "execute_tool", "attributes": {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "t"}})
    assert [r["code"] for r in answer["results"]] == [0] and not answer["said"], answer
    assert answer["results"][0]["spans"] == 44
    assert counted(world, name, "outcomes") == 36, "only what asked a model is an outcome"
    assert sli(world, name, "refusal") == (28, 5), "a failed one says nothing of refusals, nor does Azure's"
    assert sli(world, name, "truncated") == (32, 3)
    assert sli(world, name, "content_filter") == (32, 4)
    assert sli(world, name, "rate_limited") == (36, 2)
    assert sli(world, name, "timeout") == (36, 1)
    assert sli(world, name, "error") == (36, 1)
    assert sli(world, name, "ttft") == (36, 36)
    assert counted(world, name, "sums[3]") == 36 * 12 and counted(world, name, "sums[4]") == 36 * 34
    rows = world.database.sql(f"SELECT DISTINCT release, gateway, stratum FROM observations WHERE service = '{name}'")
    assert rows == [["v1", "app-1", ""]]


def test_nothing_of_the_content_is_kept(world, app):
    name = "content"
    known(world, name)
    signals = app({"service.name": name, "service.version": "v1", "app.prompt": SECRET}, script="signals.mjs",
                  temporality="CUMULATIVE")
    content = {"gen_ai.input.messages": SECRET, "gen_ai.output.messages": SECRET, "gen_ai.system_instructions": SECRET}
    signals.ask(record=[{"name": DURATION, "value": 0.3, "attributes": {**CALL, **content}}],
                log=[{"eventName": "gen_ai.evaluation.result", "body": SECRET, "attributes": {
                    "gen_ai.evaluation.name": "refusal", "gen_ai.evaluation.score.label": label,
                    "gen_ai.evaluation.explanation": SECRET, **content}} for label in ("pass", SECRET)])
    assert sli(world, name, "refusal") == (1, 0)
    assert world.database.sql("SELECT count(*) FROM otlp_series")[0][0] != "0"
    signals.stop()
    world.database.sql(f"DELETE FROM observations WHERE service = '{name}'")
    for exporter in ("http", "proto"):
        one = app({"service.name": name, "service.version": "v1", "app.prompt": SECRET}, exporter)
        one.make(chat(times=3), chat(attributes={"gen_ai.usage.input_tokens": SECRET, "gen_ai.response.time_to_first_chunk": SECRET}))
        one.make(chat(attributes={"gen_ai.response.finish_reasons": [SECRET], "error.type": SECRET}))
    assert counted(world, name, "outcomes") == 10
    dump = subprocess.run(["pg_dump", world.database.conninfo], capture_output=True, text=True, timeout=60)
    assert dump.returncode == 0 and name in dump.stdout, dump.stderr
    assert SECRET not in dump.stdout
    assert SECRET not in open(world.daemon.log).read()


def test_what_names_the_release_and_what_cannot_be_counted(world, app):
    name = "named"
    known(world, name, policy={"strata": ["pro"]})
    one = app({"service.name": name, "service.version": "v1"})
    answer = one.make(chat(attributes={"feature_flag.result.variant": "v2", "serin.release": "v1"}, times=3),
                      chat(attributes={"serin.release": "v2"}, times=5), chat(times=7),
                      chat(attributes={"serin.stratum": "pro"}, times=2))
    assert not answer["said"] and answer["results"][0]["code"] == 0, answer
    rows = world.database.sql(f"SELECT release, stratum, sum(outcomes) FROM observations WHERE service = '{name}' GROUP BY 1, 2")
    assert sorted(rows) == [["v1", "", "7"], ["v1", "pro", "2"], ["v2", "", "8"]]
    answer = one.make(chat(attributes={"serin.release": "v9"}, times=2), chat())
    assert answer["results"][0]["code"] == 0, "a partial success is one"
    said = "\n".join(answer["said"])
    assert "2 spans were not counted" in said and f"service {name} has no release v9" in said, answer
    assert counted(world, name, "outcomes") == 18
    # two services in one export
    known(world, "named-too", releases=("v1",))
    answer = one.make(chat(attributes={"serin.service": "named-too"}, times=4), chat())
    assert not answer["said"], answer
    assert counted(world, "named-too", "outcomes") == 4 and counted(world, name, "outcomes") == 19


def test_what_the_sender_has_judged_itself_wins(world, app):
    name = "judged"
    known(world, name)
    one = app({"service.name": name, "service.version": "v1"})
    one.make(chat("stop", "openai", times=3),
             chat("stop", "openai", attributes={"serin.sli.refusal": True}, times=2),
             chat("stop", "openai", attributes={"serin.sli.refusal": False, "serin.sli.schema_invalid": True}, times=4))
    assert sli(world, name, "refusal") == (6, 2), "OpenAI's 'stop' is no proof that nothing was refused"
    assert sli(world, name, "schema_invalid") == (4, 4)
    for attributes, said in (({"serin.sli.refusals": True}, "serin.sli.refusals is no SLI; did you mean serin.sli.refusal?"),
                             ({"serin.sli.refusal": SECRET}, "serin.sli.refusal is no bool")):
        answer = one.make(chat("stop", "openai", attributes=attributes))
        assert said in "\n".join(answer["said"]) and SECRET not in str(answer["said"]), answer
        assert said in open(world.daemon.log).read()
    assert sli(world, name, "refusal") == (6, 2) and counted(world, name, "outcomes") == 11


def test_a_first_chunk_in_milliseconds_is_not_believed(world, app):
    """And what else cannot be; the spans count for all that is right in them."""
    name, chunk = "impossible", "gen_ai.response.time_to_first_chunk"
    known(world, name, slos={"refusal": {"objective": 90}, "error": {"objective": 90},
                              "ttft": {"objective": 90, "threshold": "200ms"}})
    one = app({"service.name": name, "service.version": "v1"})

    def said(**attributes):
        made = chat(times=2, lasts_ms=1500, attributes={k.replace("__", "."): v for k, v in attributes.items()})
        answer = one.make({**made, "attributes": {k: v for k, v in made["attributes"].items() if v is not None}})
        assert answer["results"][0]["code"] == 0
        text = "\n".join(answer["said"])
        assert SECRET not in text
        return text
    assert said(**{chunk: 0.4}) == "" and said(**{chunk: 1.5}) == ""
    for wrong, told in (({chunk: 400}, f"{chunk} is later than the end of its span: seconds are expected"),
                        ({chunk: SECRET}, f"{chunk} says nothing: a number of seconds"),
                        ({chunk: -1}, f"{chunk} says nothing: a number of seconds"),
                        ({chunk: None, "gen_ai.response.time_to_first_token": 0.4}, f"did you mean {chunk}?"),
                        ({"gen_ai.usage.input_tokens": SECRET}, "gen_ai.usage.input_tokens says nothing: a whole number"),
                        ({"http.response.status_code": "200"}, "http.response.status_code says nothing")):
        answer = said(**wrong)
        assert told in answer and "not counted; the first" not in answer, answer
        assert told in open(world.daemon.log).read()
    assert sli(world, name, "ttft") == (8, 8), "two of each that is right"
    assert counted(world, name, "outcomes") == 16 and sli(world, name, "error") == (16, 0)


def test_a_release_that_is_no_name_is_said_with_what_it_is(world, app):
    name = "no-name"
    known(world, name)
    one = app({"service.name": name, "service.version": "v1"})
    for variant, told in (("bad name!", '"bad?name?"'), (7, '"the number 7"')):
        said = "\n".join(one.make(chat(attributes={"feature_flag.result.variant": variant}))["said"])
        assert f"feature_flag.result.variant {told} names no release" in said.replace("\\", ""), said
    assert counted(world, name, "outcomes") == 0


def test_without_a_token_the_sdk_hears_it(world, app):
    one = app({"service.name": "x"}, token="wrong")
    answer = one.make(chat())
    assert answer["results"][0]["code"] == 1, answer


def test_spans_of_a_refusing_canary_lead_to_a_rollback(world, app):
    """Two services side by side, each with its gateway that only polls, and an application whose spans are all that is
    reported."""
    client, stopped, failed = world.client(), threading.Event(), []
    policy = {"plan": {"steps": [{"weight": "20%", "bake": "2s"}, {"weight": "50%", "bake": "2s"}, {"weight": "100%", "bake": "1h"}]},
              "guardrails": {"refusal": {"maturity": "3s", "budget_share": 0, "margin": 10}}, "warmup": "0s", "blanking": "1s",
              "blind": "60s"}
    rates = {"steady": {"v1": 0.02, "v2": 0.02}, "refusing": {"v1": 0.02, "v2": 0.4}}
    gateways, rollouts, draw = {}, {}, random.Random(11)
    for name in rates:
        service(client, name, policy=policy)
        first_release(client, name)
        gateways[name] = world.gateway(name, {})
        gateways[name].reporting = False
        gateways[name].start()
    one = app({"service.name": "the-app"}, compression="gzip")

    def spans(name):
        for release in gateways[name].route["releases"]:
            count = 200 * release["weight"] // 10000
            refused = sum(draw.random() < rates[name][release["release"]] for _ in range(count))
            about = {"serin.service": name, "feature_flag.result.variant": release["release"]}
            yield chat(attributes=about, times=count - refused)
            yield chat("refusal", attributes=about, times=refused)

    def run():
        try:
            while not stopped.wait(0.1):
                answer = one.make(*(s for name in rates if gateways[name].route for s in spans(name) if s["times"] > 0))
                assert not answer["said"] and all(r["code"] == 0 for r in answer["results"]), answer
        except Exception as error:
            failed.append(error)
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        for name in rates:
            gateway_live(client, name)
            rollouts[name] = client.post(f"/v1/services/{name}/rollouts", {"release": "v2"})["id"]
        rollout = serin.ended(client, rollouts["refusing"], 60)
        assert rollout["phase"] == "rolled_back" and rollout["rule"] in ("evidence.worse", "evidence.ceiling"), rollout["reason"]
        assert "refusal" in rollout["reason"]
        assert client.get("/v1/services/refusing/releases/v2")["quarantined"]["rollout"] == rollout["id"]
        assert client.get(f"/v1/rollouts/{rollout['id']}/explain")["data"]["quality"] == "aged"
        steady = wait_for("the healthy one advances", lambda: (lambda r: r if r["step"] >= 2 else None)(
            client.get(f"/v1/rollouts/{rollouts['steady']}")), 60)
        assert steady["phase"] in ("progressing", "baking") and not steady["unproven"], steady["reason"]
    finally:
        stopped.set()
        thread.join(timeout=30)
    assert not thread.is_alive() and not failed, failed


PATIENT = {"guardrails": {"error": {"maturity": "60s"}}}  # nothing is late on a slow machine


def calls(value, times, **attributes):
    return {"name": DURATION, "value": value, "times": times,
            "attributes": {**CALL, **{k.replace("_", "."): v for k, v in attributes.items()}}}


@pytest.mark.parametrize("temporality", ["DELTA", "CUMULATIVE"])
@pytest.mark.parametrize("exporter", ["http", "proto"])
def test_metrics_of_the_sdk_are_counted(world, app, exporter, temporality):
    """Also the first error, which is a series of its own, and what the SDK exports again when it ends."""
    name = f"metrics-{exporter}-{temporality}".lower()
    known(world, name, policy=PATIENT, slos={"error": {"objective": 90}, "latency": {"objective": 90, "threshold": "1280ms"},
                                             "ttft": {"objective": 90, "threshold": "320ms"}})
    one = app({"service.name": name, "service.version": "v1", "service.instance.id": "i-1"}, exporter, "gzip",
              script="signals.mjs", temporality=temporality)
    first = {"name": "gen_ai.server.time_to_first_token", "times": 6, "attributes": CALL}
    answer = one.ask(record=[calls(0.5, 20), calls(1.28, 3), calls(3, 2), {**first, "value": 0.2},
                             {**first, "value": 0.5, "times": 1}, {**calls(1, 9), "name": "http.server.request.duration"},
                             {"name": DURATION, "value": 1, "attributes": {"gen_ai.operation.name": "execute_tool"}}])
    assert not answer["said"], answer
    assert counted(world, name, "outcomes") == 25
    assert sli(world, name, "latency") == (25, 2) and sli(world, name, "ttft") == (7, 1) and sli(world, name, "error") == (25, 0)
    answer = one.ask(record=[calls(0.5, 5), calls(0.5, 4, error_type="500"), calls(0.5, 1, error_type="rate_limit_exceeded")])
    assert not answer["said"], answer
    assert counted(world, name, "outcomes") == 35
    assert sli(world, name, "error") == (35, 4) and sli(world, name, "rate_limited") == (35, 1)
    one.ask()
    one.stop()
    assert counted(world, name, "outcomes") == 35
    assert abs(counted(world, name, "sums[1]") - 1000 * (0.5 * 30 + 3 * 1.28 + 6)) <= 1
    assert int(world.database.sql(f"SELECT max(interval_s) FROM observations WHERE service = '{name}'")[0][0]) in range(1, 60)


def test_a_threshold_that_is_no_bound_is_said_to_the_application_and_in_the_log(world, app):
    name = "no-bound"
    known(world, name, policy=PATIENT, slos={"error": {"objective": 90}, "latency": {"objective": 90, "threshold": "2s"}})
    one = app({"service.name": name, "service.version": "v1"}, script="signals.mjs", temporality="DELTA")
    said = "\n".join(one.ask(record=[calls(0.5, 20)])["said"])
    assert "threshold of 2000 ms is no bound" in said and "below: 1280 ms, above: 2560 ms" in said, said
    assert counted(world, name, "outcomes") == 20 and sli(world, name, "latency") == (0, 0)
    assert "is no bound" in open(world.daemon.log).read()


def test_a_unit_or_kind_that_is_not_expected_is_refused(world, app):
    name = "units"
    known(world, name, policy=PATIENT, slos={"error": {"objective": 90}, "latency": {"objective": 90, "threshold": "1280ms"}})
    one = app({"service.name": name, "service.version": "v1"}, script="signals.mjs", temporality="DELTA")
    for command, told in (({"record": [{**calls(0.05, 20), "unit": "min"}]}, 'its unit is "min"; s or ms is expected'),
                          ({"gauge": [{**calls(3, 1), "name": "gen_ai.server.request.duration"}]},
                           "gen_ai.server.request.duration is a gauge; a histogram is expected"),
                          ({"record": [{"name": "gen_ai.client.token.usage", "value": 1, "unit": "k{token}", "attributes": {
                              **CALL, "gen_ai.token.type": "input"}}]}, 'its unit is "k{token}"; {token} is expected')):
        said = "\n".join(one.ask(**command)["said"]).replace("\\", "")
        assert told in said and "1 data points were not counted" in said, said
    assert counted(world, name, "outcomes") == 0 and counted(world, name, "sums[3]") == 0
    one = app({"service.name": name, "service.version": "v1"}, script="signals.mjs", temporality="DELTA", bounds=[640, 1280])
    assert not one.ask(record=[{**calls(500, 3), "unit": "ms"}, {**calls(2000, 2), "unit": "ms"}])["said"]
    assert sli(world, name, "latency") == (5, 2) and counted(world, name, "sums[1]") == 5500


@pytest.mark.parametrize("exporter", ["http", "proto"])
def test_log_records_of_the_sdk_are_counted(world, app, exporter):
    name = f"logs-{exporter}"
    known(world, name)
    one = app({"service.name": name, "service.version": "v1"}, exporter, script="signals.mjs", temporality="DELTA")
    verdict = {"eventName": "gen_ai.evaluation.result", "severityNumber": 9}
    answer = one.ask(log=[
        {**verdict, "attributes": {"gen_ai.evaluation.name": "Refusal", "gen_ai.evaluation.score.label": "pass"}, "times": 7},
        {**verdict, "attributes": {"gen_ai.evaluation.name": "Refusal", "gen_ai.evaluation.score.label": "fail",
                                   "feature_flag.result.variant": "v2"}, "times": 2},
        {"eventName": "app.guard", "body": SECRET, "attributes": {"serin.sli.tool_error": True}},
        {"body": "started", "times": 5}])
    assert not answer["said"], answer
    assert sli(world, name, "refusal") == (9, 2) and sli(world, name, "tool_error") == (1, 1)
    assert counted(world, name, "outcomes") == 0
    assert world.database.sql(f"SELECT sum(k[1]) FROM observations WHERE service = '{name}' AND release = 'v2'")[0][0] == "2"


def test_openfeature_decides_and_opentelemetry_reports_until_serin_rolls_back(world, app):
    """Nothing else talks to Serin: one application with both SDKs, whose canary refuses."""
    client, name = world.client(), "deciding"
    service(client, name, slos={"refusal": {"objective": 90}}, policy={
        "plan": {"steps": [{"weight": "20%", "bake": "1h"}, {"weight": "100%", "bake": "1h"}]},
        "guardrails": {"refusal": {"maturity": "2s", "budget_share": 0, "margin": 10}}, "warmup": "0s", "blanking": "1s",
        "blind": "60s"})
    first_release(client, name)
    one = app({"service.name": "the-app", "serin.service": name}, compression="gzip", instance="the-app-1",
              script="deciding.mjs", flag=name, refuses={"v1": 0.02, "v2": 0.5})

    def requests(count=200):
        answer = one.ask(requests=count)
        assert not answer["said"], answer
        return answer["answer"]
    wait_for("the flag is known", lambda: not one.ask(requests=1)["said"], 20)
    gateway_live(client, name)
    assert set(requests()) == {"v1"}
    rollout, seen = client.post(f"/v1/services/{name}/rollouts", {"release": "v2"})["id"], {}

    def rolled_back():
        for release, got in requests().items():
            seen[release] = seen.get(release, 0) + got["requests"]
        state = client.get(f"/v1/rollouts/{rollout}")
        return state if state["phase"] in ("completed", "aborted", "rolled_back") else None
    state = wait_for("Serin ends the rollout", rolled_back, 90, 0.1)
    assert state["phase"] == "rolled_back" and state["rule"] in ("evidence.worse", "evidence.ceiling"), state["reason"]
    assert "refusal" in state["reason"] and seen["v2"] > 0, seen
    wait_for("OpenFeature serves stable alone", lambda: set(requests()) == {"v1"}, 20)
    wait_for("the rollback is applied", lambda: not any(g["behind"] for g in client.get(f"/v1/gateways?service={name}")["items"]
                                                         if g["live"]), 20)
    assert client.get(f"/v1/services/{name}/releases/v2")["quarantined"]["rollout"] == rollout


def test_metrics_alone_lead_to_a_rollback(world, app):
    """Counts by completion: an application with a process of each release, cumulative histograms, and a canary that fails."""
    client, name = world.client(), "metered"
    service(client, name, slos={"error": {"objective": 90}}, policy={
        "plan": {"steps": [{"weight": "50%", "bake": "1h"}, {"weight": "100%", "bake": "1h"}]},
        "guardrails": {"error": {"maturity": "3s", "budget_share": 0, "margin": 10}}, "warmup": "0s", "blanking": "1s",
        "blind": "60s"})
    first_release(client, name)
    gateway = world.gateway(name, {})
    gateway.reporting = False
    gateway.start()
    apps = {release: app({"service.name": name, "service.version": release, "service.instance.id": release},
                         script="signals.mjs", temporality="CUMULATIVE") for release in ("v1", "v2")}
    gateway_live(client, name)
    rollout = client.post(f"/v1/services/{name}/rollouts", {"release": "v2"})["id"]

    def rolled_back():
        for release, failing in (("v1", 1), ("v2", 20)):
            answer = apps[release].ask(record=[calls(0.2, 50 - failing), calls(0.2, failing, error_type="500")])
            assert not answer["said"], answer
        state = client.get(f"/v1/rollouts/{rollout}")
        return state if state["phase"] in ("completed", "aborted", "rolled_back") else None
    state = wait_for("Serin ends the rollout", rolled_back, 90, 0.5)
    assert state["phase"] == "rolled_back" and state["rule"] in ("evidence.worse", "evidence.ceiling"), state["reason"]
    assert client.get(f"/v1/rollouts/{rollout}/explain")["data"]["quality"] == "completion"
