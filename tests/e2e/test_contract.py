"""The contract, operation by operation: every one with success and with its typical failures."""
import concurrent.futures
import copy
import gzip
import hashlib
import http.client
import json
import re
import string
import threading
import time

import pytest

import serin
from serin import SPEC, first_release, service, wait_for

RANKS = ["viewer", "gateway", "engineer", "oncall", "admin"]
seen = {}       # operationId -> the statuses that this file has seen
incomplete = [] # problems that lack something
SLOW = {"plan": {"steps": [{"weight": "10%", "bake": "1h"}, {"weight": "50%", "bake": "1h"}, {"weight": "100%", "bake": "1h"}]}}


class Client(serin.Client):
    """Notes what was answered, and holds every problem to its form."""

    def request(self, method, path, body=None, headers=None, raw=False):
        status, got, answer = super().request(method, path, body, headers, raw=True)
        operation = serin._operation(method, path.split("?")[0])
        if operation is not None:
            seen.setdefault(operation["operationId"], set()).add(status)
        if status >= 400 and method != "HEAD":
            self.hold(method, path, status, got, answer)
        if raw:
            return status, got, answer
        if status >= 400:
            raise serin.Problem(status, answer)
        return answer

    @staticmethod
    def hold(method, path, status, headers, answer):
        if path in ("/readyz", "/v1/traces", "/v1/metrics", "/v1/logs"):
            return
        where = f"{method} {path[:120]} {status}"
        assert headers["Content-Type"] == "application/problem+json", where
        assert answer["status"] == status and headers["X-Request-Id"] == answer["instance"], where
        for field in ("type", "title", "detail", "instance") + (("next_step",) if status < 500 else ()):
            if not isinstance(answer.get(field), str) or not answer[field]:
                incomplete.append(f"{where}: no {field}: {answer['detail']}")
        for error in answer.get("errors", []):
            assert isinstance(error["pointer"], str) and error["detail"], where
        if not answer["type"].startswith("https://"):
            incomplete.append(f"{where}: type {answer['type']}")


@pytest.fixture(scope="module")
def by(world):
    """Role -> client of the control port."""
    return {role: Client(world.daemon.control, world.tokens[role]) for role in RANKS}


@pytest.fixture(scope="module")
def client(by):
    return by["admin"]


@pytest.fixture(scope="module")
def gate(world):
    """Role -> client of the gateway port."""
    made = {role: Client(world.daemon.gateway, world.tokens[role]) for role in RANKS}
    wait_for("the gateway port knows the tokens", lambda: all(
        made[role].request("GET", "/v1/routes/nobody", raw=True)[0] in (403, 404) for role in RANKS))
    return made


@pytest.fixture(scope="module")
def shop(client, gate):
    """A service with a stable release, a live rollout, an artifact of each kind, and a route that is published."""
    service(client, "shop", slos={"refusal": {"objective": 90}, "ttft": {"objective": 90, "threshold": "2s"}}, policy=SLOW,
            releases=("v1", "v2", "v3"))
    client.post("/v1/artifacts/tool/search/versions", {"content": {"name": "search", "parameters": {}}})
    client.post("/v1/artifacts/corpus/docs/versions", {"content": {"uri": "s3://d/1", "index_digest": "1",
                                                                   "embedding_model": "e"}})
    first_release(client, "shop")
    rollout = client.post("/v1/services/shop/rollouts", {"release": "v2", "allow_no_gateway": True})["id"]
    wait_for("route", lambda: gate["gateway"].request("GET", "/v1/routes/shop", raw=True)[0] == 200)
    return rollout


def operations():
    for template, item in SPEC["paths"].items():
        for method in ("get", "put", "post", "delete"):
            # OTLP has errors and unknown fields of its own: test_otlp_hostile.py
            if method in item and "opentelemetry" not in item[method]["tags"]:
                yield item[method]["operationId"], method.upper(), template, item[method]


def resolve(node):
    return serin._resolve(node)


def of_gateway(operation):
    return "gateway" in operation["tags"]


def path_of(template, **values):
    known = {"kind": "prompt", "name": "shop", "version": "1", "service": "shop", "release": "v1", "other": "v2", "id": "none",
             "verb": "pause", "digest": "0" * 64, **values}
    return re.sub(r"\{(\w+)\}", lambda m: str(known[m.group(1)]), template)


def refused(status, call, *arguments, part=None, pointer=None, **kw):
    with pytest.raises(serin.Problem) as problem:
        call(*arguments, **kw)
    body = problem.value.body
    assert problem.value.status == status, problem.value
    if part is not None:
        assert part in json.dumps(body, ensure_ascii=False), problem.value
    if pointer is not None:
        assert pointer in [e["pointer"] for e in body.get("errors", [])], problem.value
    return body


# --- who may do what ------------------------------------------------------------------------------------------------------

LEAST = {  # what is not here: viewer for what reads on the control port, gateway on the gateway port
    "registerVersion": "engineer", "reportCorpusReady": "engineer", "putService": "engineer", "putSlos": "engineer",
    "putPolicy": "engineer", "createRelease": "engineer", "startRollout": "engineer", "commandRollout": "engineer",
    "takeAlerts": "gateway", "liftQuarantine": "oncall", "rollbackService": "oncall", "freeze": "oncall", "unfreeze": "oncall",
    "listTokens": "admin", "createToken": "admin", "revokeToken": "admin", "listWebhooks": "admin", "createWebhook": "admin",
    "deleteWebhook": "admin"}


def least(name, method, operation):
    return LEAST.get(name, "gateway" if of_gateway(operation) else "viewer")


def test_the_contract_says_the_same_roles():
    for name, method, _, operation in operations():
        said = re.search(r"\bRole (\w+)", operation.get("description", ""))
        if operation.get("security") == []:
            assert name in ("live", "ready", "metrics")
        elif said:
            assert said.group(1) == least(name, method, operation), name
        else:
            assert method == "GET" and not of_gateway(operation), f"{name}: the contract names no role"


def test_nobody_gets_in_without_a_token(world, shop):
    for name, method, template, operation in operations():
        address = world.daemon.gateway if of_gateway(operation) else world.daemon.control
        for token in (None, "serin_" + "a" * 40, "x" * 2000):
            status, headers, body = Client(address, token).request(
                method, path_of(template), {} if method in ("PUT", "POST") else None, raw=True)
            if operation.get("security") == []:
                assert status == 200, name
            else:
                assert status == 401 and headers["WWW-Authenticate"] == "Bearer", (name, status, body)
    for wrong in ("Basic dTpw", "Bearer", "Bearer ", "Bearer a b", "bearer-x"):
        status, _, _ = Client(world.daemon.control).request("GET", "/v1/services", headers={"Authorization": wrong}, raw=True)
        assert status == 401, wrong
    # the scheme's name is not case-sensitive
    lower = {"Authorization": f"bearer {world.tokens['viewer']}"}
    assert Client(world.daemon.control).request("GET", "/v1/services", headers=lower, raw=True)[0] == 200


def test_each_operation_asks_for_its_role(by, gate, shop):
    """Nothing is done: what a role may do is aimed at things that do not exist, or is sent with a wrong body."""
    for name, method, template, operation in operations():
        if operation.get("security") == []:
            continue
        needed = RANKS.index(least(name, method, operation))
        verbs = resolve(template_parameter(template, "verb"))["schema"]["enum"] if "{verb}" in template else [None]
        for verb in verbs:
            path = path_of(template, service="nobody", verb=verb, id="none", name="nobody")
            body = {"nonsense": 1} if method in ("PUT", "POST") else None
            for role in RANKS:
                clients = gate if of_gateway(operation) else by
                status, _, answer = clients[role].request(method, path, body, raw=True)
                if RANKS.index(role) < needed:
                    assert status == 403, (name, verb, role, status)
                    assert "role" in answer["detail"] and RANKS[needed] in answer["next_step"], (name, answer)
                else:
                    assert status not in (401, 403) and status < 500, (name, verb, role, status, answer)


def template_parameter(template, name):
    for parameter in SPEC["paths"][template]["parameters"]:
        if resolve(parameter)["name"] == name:
            return parameter
    raise KeyError(name)


def test_a_revoked_token_is_refused_at_once(world, client, gate, shop):
    made = client.post("/v1/tokens", {"name": "to-revoke", "role": "gateway"})
    own, port = Client(world.daemon.control, made["token"]), Client(world.daemon.gateway, made["token"])
    assert own.get("/v1/services")["items"]
    wait_for("the gateway port knows it", lambda: port.request("GET", "/v1/routes/shop", raw=True)[0] == 200)
    refused(409, client.post, "/v1/tokens", {"name": "to-revoke", "role": "viewer"}, part="already")
    gone = client.delete(f"/v1/tokens/{made['id']}")
    assert gone["revoked_at"] and "token" not in gone
    assert client.delete(f"/v1/tokens/{made['id']}")["revoked_at"] == gone["revoked_at"]
    refused(401, own.get, "/v1/services")
    wait_for("the gateway port refuses it", lambda: port.request("GET", "/v1/routes/shop", raw=True)[0] == 401, 5)
    shown = [t for t in everything(client, "/v1/tokens") if t["name"] == "to-revoke"]
    assert len(shown) == 1 and shown[0]["revoked_at"] and "token" not in shown[0]
    assert made["token"] not in json.dumps(client.get("/v1/events?limit=200"))
    refused(404, client.delete, "/v1/tokens/tk_00000000000000000000000000", part="no token")


# --- methods, types, sizes ------------------------------------------------------------------------------------------------

def test_other_methods_are_405_and_allow_says_which(world, by, gate, shop):
    templates = [t for t in SPEC["paths"]]
    for template in templates:
        path = path_of(template)
        gateway = of_gateway(next(iter(v for k, v in SPEC["paths"][template].items() if k in ("get", "put", "post", "delete"))))
        allowed = set()
        for other in templates:  # a path may fit several templates
            if re.fullmatch(re.sub(r"\{[^}]+\}", "[^/]+", other), path):
                item = SPEC["paths"][other]
                allowed |= {m.upper() for m in ("get", "put", "post", "delete") if m in item and of_gateway(item[m]) == gateway}
        allowed |= {"HEAD"} if "GET" in allowed else set()
        for method in ("GET", "PUT", "POST", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"):
            if method in allowed:
                continue
            # without a token too: what a path takes is no secret
            for client in ((gate if gateway else by)["admin"], Client((world.daemon.gateway
                                                                       if gateway else world.daemon.control))):
                status, headers, _ = client.request(method, path, raw=True)
                assert status == 405, (method, path, status)
                assert set(re.split(r", *", headers["Allow"])) == allowed, (method, path, headers["Allow"])


def test_unknown_paths_are_404(by, gate, shop):
    for path in ("/", "/v1", "/v1/", "/v2/services", "/v1/services/", "/v1/services//slos", "/v1/service", "/v1/services/shop/",
                 "/V1/services", "/v1/services/shop/releases/v1/diff", "/favicon.ico"):
        status, _, body = by["admin"].request("GET", path, raw=True)
        assert status == 404, (path, status)
    for path in ("/", "/v1/routes/", "/v1/routes/a/b", "/v1/services", "/v1/content/", "/metrics/", "/livez/x"):
        status, _, body = gate["admin"].request("GET", path, raw=True)
        assert status == 404, (path, status)


def test_what_does_not_exist_is_404_and_says_where_to_look(client, gate, shop):
    nobody = "/v1/services/nobody"
    for path in (nobody, f"{nobody}/slos", f"{nobody}/policy", f"{nobody}/releases", f"{nobody}/rollouts",
                 "/v1/services/shop/releases/none", "/v1/services/shop/releases/v1/diff/none",
                 "/v1/services/shop/releases/none/diff/v1", f"{nobody}/releases/v1", f"{nobody}/releases/v1/diff/v2",
                 "/v1/rollouts/none", "/v1/rollouts/ro_00000000000000000000000000", "/v1/rollouts/none/explain",
                 "/v1/rollouts/none/verdicts", "/v1/rollouts/none/blocks", "/v1/rollouts/none/record", "/v1/artifacts/prompt/none/versions",
                 "/v1/artifacts/prompt/shop/versions/99", "/v1/artifacts/prompt/none/versions/latest",
                 "/v1/artifacts/nonsense/shop/versions"):
        refused(404, client.get, path)
    fine = {"name": "x", "artifacts": [{"kind": "model", "name": "shop", "version": 1}]}
    for path, body in ((f"{nobody}/releases", fine), (f"{nobody}/rollouts", {"release": "v1"}), (f"{nobody}/rollback", {}),
                       ("/v1/services/shop/releases/none/lift-quarantine", {"reason": "x"}),
                       ("/v1/rollouts/none/pause", {}), (f"/v1/rollouts/{shop}/explode", {}),
                       ("/v1/artifacts/corpus/none/versions/1/ready", {"ready": True}),
                       ("/v1/webhooks", {"url": "http://127.0.0.1:1/", "service": "nobody"}),
                       ("/v1/services/shop/rollouts", {"release": "none", "allow_no_gateway": True, "supersede": True})):
        refused(404, client.post, path, body)
    refused(404, client.put, f"{nobody}/slos", {"slos": {"refusal": {"objective": 9}}})
    refused(404, client.put, f"{nobody}/policy", {})
    refused(404, client.delete, "/v1/webhooks/none")
    assert client.get(f"/v1/rollouts/{shop}")["phase"] != "aborted"  # superseding by nothing has aborted nothing
    client.put("/v1/services/no-slos", {})
    refused(404, client.get, "/v1/services/no-slos/slos", part="no objectives")
    refused(404, gate["gateway"].get, "/v1/routes/nobody")
    wait_for("known", lambda: "has no route" in gate["gateway"].request("GET", "/v1/routes/no-slos", raw=True)[2]["detail"])
    refused(404, gate["gateway"].post, "/v1/outcomes", {"service": "nobody"})
    refused(404, gate["gateway"].get, "/v1/content/" + "0" * 64)
    refused(400, gate["gateway"].get, "/v1/content/zz")
    refused(404, client.get, "/v1/events?service=nobody")
    refused(404, client.get, "/v1/gateways?service=nobody")
    client.put("/v1/services/quiet", {})  # lists that may be empty are not
    assert client.get("/v1/gateways?service=quiet")["items"] == [] == client.get("/v1/services/quiet/rollouts")["items"]


def test_names_in_paths(client, shop):
    for name in ("-x", ".x", "a" * 64, "a%20b", "%C3%A9", "a%2Fb", "a'b", "%F0%9F%90%A6", "a;drop"):
        refused(422, client.get, f"/v1/services/{name}")
        refused(422, client.put, f"/v1/services/{name}", {})
    for version in ("0", "-1", "01", "1.0", "x", "99999999999999999999", "2147483648"):
        status, _, _ = client.request("GET", f"/v1/artifacts/prompt/shop/versions/{version}", raw=True)
        assert status in (404, 422), version
    assert client.put(f"/v1/services/{'a' * 63}", {})["name"] == "a" * 63


def bodies(shop):
    """A valid body of each operation that takes one; what it would do is refused for another reason, or may be done."""
    plan = {"steps": [{"weight": 500, "bake": "1m", "min_requests": 0, "deadline": "2h"}, {"weight": "100%", "bake": "10m"}]}
    return {
        "registerVersion": ({"kind": "tool", "name": "search"}, {"content": {"name": "search"}, "changelog": "c"}),
        "reportCorpusReady": ({"name": "docs"}, {"ready": True}),
        "putService": ({"service": "shop"}, {"description": "d", "sticky": "user"}),
        "putSlos": ({}, {"slos": {"refusal": {"objective": 90.5, "window": "30d"},
                                  "ttft": {"objective": 90, "threshold": "2s"}}}),
        "putPolicy": ({}, {
            "guardrails": {"refusal": {"action": "pause", "share": 1, "tolerance": 1.1, "ceiling": 20, "margin_ratio": 2,
                                       "margin": 3,
                                       "eta": 1, "budget_share": 0.2, "block": "1s", "maturity": "1s"}},
            "source": {"prometheus": {"url": "http://127.0.0.1:1", "interval": "15s", "release_label": "release",
                                      "requests": "a_total",
                                      "bad": {"refusal": "b_total"}, "bearer_token_env": "PROMETHEUS_TOKEN"}},
            "plan": plan, "alerts": {"action": "hold"}, "alpha": 0.01, "alpha_promotion": 0.05, "pace": "evidence", "attr_wait": "1m", "shared_hold": "5m",
            "warmup": "0s", "blanking": "1m", "blind": "5m", "on_blind": "pause", "paused_limit": "24h", "holdback": "2%",
            "expected_rps": 10}),
        "createRelease": ({}, {
            "name": "v9", "artifacts": [{"kind": "prompt", "name": "shop", "version": 1},
                                        {"kind": "model", "name": "shop", "version": 1}],
            "parameters": {}, "changelog": "c", "compatibility": "c", "history_compatible": True,
            "fallback": {"refusal": {"message": "m", "action": "a"}, "default": {"message": "m"}}, "worksheets": {}}),
        "liftQuarantine": ({}, {"reason": "r"}),
        "startRollout": ({}, {"release": "v3", "plan": plan, "reason": "r", "supersede": False, "fix": False,
                              "allow_no_gateway": True}),
        "rollbackService": ({}, {"to": "none", "reason": "r"}),
        "commandRollout": ({"id": shop, "verb": "mute"}, {"sli": "refusal", "until": "1h", "reason": "r"}),
        "freeze": ({}, {"reason": "r"}),
        "takeAlerts": ({}, {"version": "4", "truncatedAlerts": 0, "alerts": [
            {"status": "resolved", "labels": {"alertname": "a", "service": "shop", "release": "v2"},
             "annotations": {"summary": "s", "description": "d"}, "startsAt": "2026-11-25T02:00:00Z",
             "endsAt": "2026-11-25T03:00:00Z", "fingerprint": "0a"}]}),
        "createToken": ({}, {"name": "never", "role": "viewer"}),
        "createWebhook": ({}, {"url": "http://127.0.0.1:1/", "service": "shop"}),
        "evaluateFlag": ({}, {"context": {"targetingKey": "u1", "plan": "free"}}),
        "evaluateFlags": ({}, {"context": {"targetingKey": "u1"}}),
        "reportOutcomes": ({}, {
            "service": "shop", "admissions": [{"release": "v1", "count": 1, "age_ms": 0}],
            "outcomes": [{"release": "v1", "age_ms": 0, "sli": {"refusal": False}, "ttft_ms": 1, "latency_ms": 1,
                          "input_tokens": 1,
                          "output_tokens": 1, "cost_micros": 1, "score": 0.5, "rescued": False}]})}


def with_body():
    return [(name, method, template, operation) for name, method, template, operation in operations()
            if "requestBody" in operation]


def clone_with(document, steps, value):
    """The document with another value at a place; `steps` are keys and indexes."""
    if not steps:
        return value
    made = copy.deepcopy(document)
    at = made
    for step in steps[:-1]:
        at = at[step]
    at[steps[-1]] = value
    return made


OTHER_TYPES = {"string": [7, [], True], "integer": ["x", 1.5, {}], "number": ["x", []], "boolean": ["yes", 0, 1],
               "object": [[], "x"],
               "array": [{}, "x"]}


def wrong_values(schema):
    """Values that break a schema, each with why."""
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    for kind in kinds[:1]:
        for value in OTHER_TYPES[kind]:
            if not (kind == "number" and value is True):
                yield value, "type"
    if "enum" in schema:
        yield "nonsense", "enum"
        yield 1, "enum"
    if "maxLength" in schema:
        yield "x" * (schema["maxLength"] + 1), "maxLength"
        yield "\U0001f426" * (schema["maxLength"] + 1), "maxLength"
    if schema.get("minLength") or "pattern" in schema:
        yield "", "minLength"
    if "pattern" in schema:
        yield "not a name!", "pattern"
    for edge, step in (("minimum", -1), ("maximum", 1)):
        if edge in schema:
            yield schema[edge] + step, edge
    for edge in ("exclusiveMinimum", "exclusiveMaximum"):
        if edge in schema:
            yield schema[edge], edge
    if "minItems" in schema and schema["minItems"] > 0:
        yield [], "minItems"
    if "oneOf" in schema:  # a weight
        for value in (-1, 10001, "101%", "x%", "1.234%", "5", {}, 1.5):
            yield value, "oneOf"


def mutations(schema, value, steps=()):
    """(places, wrong document part, pointer that must be named, why) for all that a valid document can break."""
    schema = resolve(schema)
    pointer = "".join(f"/{step}" for step in steps)
    duration = schema.get("examples") == ["10m"]
    for wrong, why in wrong_values(schema):
        yield steps, wrong, pointer, why
    if duration:
        for wrong in ("", "5", "5 minutes", "-1s", "1s1h", "1e3s"):
            yield steps, wrong, pointer, "duration"
    if isinstance(value, dict) and ("properties" in schema or "additionalProperties" in schema):
        for name in schema.get("required", []):
            yield steps, {k: v for k, v in value.items() if k != name}, f"{pointer}/{name}", "required"
        if schema.get("additionalProperties") is False or "propertyNames" in schema:
            yield steps, {**value, "nonsense": 1}, f"{pointer}/nonsense", "additional"
        for name, part in value.items():
            inner = schema.get("properties", {}).get(name, schema.get("additionalProperties"))
            if isinstance(inner, dict):
                yield from mutations(inner, part, steps + (name,))
    if isinstance(value, list) and "items" in schema:
        yield steps, value + [1], f"{pointer}/{len(value)}", "item"
        if "maxItems" in schema and schema["maxItems"] <= 64:
            yield steps, (value * 65)[:schema["maxItems"] + 1], pointer, "maxItems"
        for index, part in enumerate(value):
            yield from mutations(schema["items"], part, steps + (index,))


def test_every_field_is_checked_and_named(client, gate, shop):
    """Each valid body is broken in every way that its schema forbids: 422, and a pointer to the very place."""
    tried, wrong = 0, []
    for name, method, template, operation in with_body():
        if "openfeature" in operation["tags"]:
            continue  # unknown fields are the protocol's business, and what is wrong is 400 in its own words: below
        values, body = bodies(shop)[name]
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        if name == "commandRollout":  # each verb takes its own fields of the schema
            schema = {"type": "object", "additionalProperties": False, "required": ["sli", "until", "reason"],
                      "properties": resolve(schema)["properties"]}
        target = gate["admin"] if of_gateway(operation) else client
        for steps, part, pointer, why in mutations(schema, body):
            tried += 1
            sent = json.dumps(clone_with(body, list(steps), part))
            status, _, answer = target.request(method, path_of(template, **values), sent, raw=True)
            if status != 422 or pointer not in [e["pointer"] for e in answer.get("errors", [])]:
                errors = answer.get("errors") if isinstance(answer, dict) else None
                wrong.append(f"{name} {why} at {pointer}: {json.dumps(part)[:80]} -> {status} {errors}")
    assert not wrong, f"{len(wrong)} of {tried}:\n" + "\n".join(wrong)
    assert tried > 300


def test_commands_take_only_their_own_fields(client, shop):
    own = {"pause": {}, "resume": {}, "promote": {"full": True}, "abort": {}, "retry": {}, "set-weight": {"weight": 1},
           "mute": {"sli": "refusal", "until": "1h"}}
    fields = {"full": True, "weight": 1, "sli": "refusal", "until": "1h"}
    for verb, has in own.items():
        for field, value in fields.items():
            if field not in has:
                refused(422, client.post, f"/v1/rollouts/{shop}/{verb}", {**has, "reason": "r", field: value},
                        pointer=f"/{field}")
    refused(422, client.post, f"/v1/rollouts/{shop}/set-weight", {}, pointer="/weight")
    for until in ("", "8d", "yesterday", "2001-01-01T00:00:00Z", "-1h", "9999-01-01T00:00:00Z"):
        refused(422, client.post, f"/v1/rollouts/{shop}/mute", {"sli": "refusal", "until": until, "reason": "r"},
                pointer="/until")


def test_bodies_that_are_not_json(world, client, gate, shop):
    for name, method, template, operation in with_body():
        values, body = bodies(shop)[name]
        target, path = gate["admin"] if of_gateway(operation) else client, path_of(template, **values)
        for text in ("{", "[]", "null", "7", '"x"', "{'a': 1}", '{"a": NaN}', '{"a": 1,}', '{"reason": "a", "reason": "b"}',
                     "\ufeff{}",
                     '{"a": 01}', "{}{}", '{"a": "\t"}', '{"a": "\\ud800"}', '{"a": 12345678901234567890}'):
            status, _, answer = target.request(method, path, text.encode(), raw=True)
            assert status in (400, 422), (name, text, status)
        status, _, _ = target.request(method, path, b'{"a": "\xff\xfe"}', raw=True)
        assert status in (400, 422), name
        for kind in ("text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin-1",
                     "application/jsonx",
                     "multipart/form-data; boundary=x"):
            if "charset" in kind and of_gateway(operation):
                continue
            status, _, _ = target.request(method, path, json.dumps(body), headers={"Content-Type": kind}, raw=True)
            assert status == 415, (name, kind, status)
        status, _, _ = target.request(method, path, gzip.compress(json.dumps(body).encode()),
                                      headers={"Content-Encoding": "gzip"}, raw=True)
        assert status in (400, 415), (name, status)
    assert client.put("/v1/services/shop", b'{"description": "caf\xc3\xa9"}',
                      headers={"Content-Type": "Application/JSON; Charset=UTF-8"})["description"] == "café"


def test_where_json_is_broken_is_said(client, shop):
    body = refused(400, client.post, "/v1/freeze", b'{"reason":\n  "a" "b"}')
    assert "line 2, column 7" in body["detail"], body
    assert not client.get("/v1/freeze")["frozen"]


def test_bodies_that_are_too_large(client, gate, shop):
    large = b'{"content": "' + b"x" * (3 << 20) + b'"}'
    refused(413, client.post, "/v1/artifacts/prompt/big/versions", large, part="larger than")
    refused(413, client.put, "/v1/services/shop/policy", large)
    refused(413, gate["gateway"].post, "/v1/outcomes", b'{"service": "shop", "x": "' + b"x" * (4 << 20) + b'"}', part="4 MiB")
    # whoever announces it hears at once, before it is sent
    connection = http.client.HTTPConnection(client.addr, timeout=10)
    connection.putrequest("POST", "/v1/artifacts/prompt/big/versions")
    for name, value in (("Authorization", f"Bearer {client.token}"), ("Content-Type", "application/json"),
                        ("Content-Length", "99999999"),
                        ("Expect", "100-continue")):
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    assert answer.status == 413 and json.loads(answer.read())["next_step"]
    connection.close()


def test_queries(client, shop):
    refused(422, client.get, "/v1/services?limt=3", part="Did you mean")
    refused(422, client.get, "/v1/freeze?x=1")
    refused(422, client.get, f"/v1/rollouts/{shop}?limit=1")
    refused(422, client.post, "/v1/freeze?force=1", {"reason": "r"})
    refused(400, client.get, "/v1/services?limit=1&limit=2")
    refused(400, client.get, "/v1/services?limit=%zz")
    refused(400, client.get, "/v1/services?cursor=%ff")
    for limit in ("0", "-1", "1.5", "x", "", "1e1", "+1", "%201"):
        refused(422, client.get, f"/v1/services?limit={limit}")
    for limit in ("201", "99999999999999999999"):  # more than there may be: as many as there may be
        assert client.get(f"/v1/services?limit={limit}") == client.get("/v1/services?limit=200")
    for cursor in ("MQ", "MS4yLjMueA", "MS4yLjMuNC41", "LTIuMS4xLjE"):  # 1, 1.2.3.x, 1.2.3.4.5, -2.1.1.1
        refused(422, client.get, f"/v1/rollouts/{shop}/record?cursor={cursor}", part="cursor")
    refused(422, client.get, f"/v1/rollouts/{shop}/record?limit=3")
    for cursor in ("", "!", "a", "%00", "A" * 3000, "bm9uZQ=="):
        status, _, _ = client.request("GET", f"/v1/services?cursor={cursor}", raw=True)
        assert status in (400, 422), cursor
    refused(404, client.get, "/v1/artifacts?kind=nonsense")
    refused(422, client.get, "/v1/events?service=no%20name")
    refused(422, client.get, "/v1/gateways?service=no%20name")


# --- lists ----------------------------------------------------------------------------------------------------------------

def pages(client, path, limit):
    """All pages; each but the last says where the next begins."""
    cursor, count = None, 0
    while True:
        join = "&" if "?" in path else "?"
        page = client.get(f"{path}{join}limit={limit}" + (f"&cursor={cursor}" if cursor else ""))
        assert len(page["items"]) <= limit
        yield page
        cursor, count = page["next_cursor"], count + 1
        assert count < 3000, path
        if cursor is None:
            return
        assert len(page["items"]) == limit, "only the last page may be short"


def everything(client, path):
    return [item for page in pages(client, path, 200) for item in page["items"]]


@pytest.fixture(scope="module")
def judged(world, client, shop):
    """A rollout with blocks and verdicts, ended; the gateways that have seen it are stopped."""
    service(client, "judged", slos={"refusal": {"objective": 90}, "error": {"objective": 90}},
            policy={"plan": {"steps": [{"weight": "50%", "bake": "1h"}, {"weight": "100%"}]},
                                      "guardrails": {"refusal": {"maturity": "1s", "block": "1s", "budget_share": 0}},
                                      "warmup": "0s"})
    first_release(client, "judged")
    rates = {"refusal": 0.01, "error": 0.01}
    gateway = world.gateway("judged", {"v1": rates, "v2": rates}, rps=60).start()
    serin.gateway_live(client, "judged")
    rollout = client.post("/v1/services/judged/rollouts", {"release": "v2"})["id"]
    wait_for("blocks", lambda: len(client.get(f"/v1/rollouts/{rollout}/blocks")["items"]) >= 3 and
             len(client.get(f"/v1/rollouts/{rollout}/verdicts")["items"]) >= 2, 60)
    other = world.gateway("judged", {"v1": {}, "v2": {}}, instance="gw-2")
    other.poll()
    wait_for("both gateways", lambda: len(client.get("/v1/gateways?service=judged")["items"]) == 2)
    gateway.stop()
    client.post(f"/v1/rollouts/{rollout}/abort")

    def applied():  # then nothing more happens to it while lists are read
        gateway.poll(), other.poll()
        return client.get(f"/v1/rollouts/{rollout}")["route"]["applied_at"]
    wait_for("applied", applied)
    return rollout


def test_lists_page_by_page(client, judged, shop):
    client.post("/v1/webhooks", {"url": "http://127.0.0.1:1/one", "service": "shop"})
    client.post("/v1/webhooks", {"url": "http://127.0.0.1:1/two", "service": "shop"})
    for text in ("one", "two", "three"):
        client.post("/v1/artifacts/prompt/paged/versions", {"content": text})
    lists = {
        "/v1/artifacts": (lambda i: (i["kind"], i["name"]), None),
        "/v1/artifacts?kind=model": (lambda i: (i["kind"], i["name"]), None),
        "/v1/artifacts/prompt/paged/versions": (lambda i: i["version"], lambda found: found == [3, 2, 1]),
        "/v1/services": (lambda i: i["name"], lambda found: found == sorted(found)),
        "/v1/services/shop/releases": (lambda i: i["name"], lambda found: found[-1] == "v1"),
        "/v1/services/shop/rollouts": (lambda i: i["id"], lambda found: found[0] == shop),
        f"/v1/rollouts/{judged}/verdicts": (lambda i: (i["sli"], i["verdict"], i["at"]),
                                            lambda found: [f[2] for f in found] == sorted((f[2] for f in found), reverse=True)),
        f"/v1/rollouts/{judged}/blocks": (lambda i: (i["seq"], i["sli"]), lambda found: found == sorted(found)),
        "/v1/events?service=shop": (lambda i: i["id"], None),
        f"/v1/events?rollout={judged}": (lambda i: i["id"], None),
        "/v1/events": (lambda i: i["id"], None),
        "/v1/routes": (lambda i: i["service"], lambda found: found == sorted(found)),
        "/v1/gateways?service=judged": (lambda i: (i["service"], i["instance"]), lambda found: len(found) == 2),
        "/v1/tokens": (lambda i: i["id"], None),
        "/v1/webhooks": (lambda i: i["id"], None)}
    templates = {re.sub(r"\{[^}]+\}", "[^/]+", t) for n, m, t, o in operations() if n.startswith("list")}
    assert all(any(re.fullmatch(t, p.split("?")[0]) for p in lists) for t in templates), "a list is not tried"
    for path, (key, check) in lists.items():
        whole = [key(item) for item in everything(client, path)]
        single = [key(item) for page in pages(client, path, 1) for item in page["items"]]
        assert single == whole, path
        assert len(set(single)) == len(single) >= 2, f"{path}: {single}"
        assert check is None or check(whole), (path, whole)
        ahead = client.get(path + ("&" if "?" in path else "?") + "limit=2")["items"]
        assert [key(i) for i in ahead] == whole[:2]
    for event in everything(client, "/v1/events?service=shop"):
        assert event["service"] == "shop"
    assert all(e["rollout"] == judged for e in everything(client, f"/v1/events?rollout={judged}"))
    seqs = [e["seq"] for e in everything(client, "/v1/events?service=shop")]
    assert seqs == list(range(len(seqs), 0, -1)), "events count without gaps, newest first"
    # the cursor of another list is no place in this one: a refusal or a page, never a fault of the server
    cursors = {path: client.get(path + ("&" if "?" in path else "?") + "limit=1")["next_cursor"] for path in lists}
    for path in lists:
        for cursor in cursors.values():
            status, _, _ = client.request("GET", path + ("&" if "?" in path else "?") + f"cursor={cursor}", raw=True)
            assert status in (200, 422), (path, cursor, status)


def test_a_list_goes_on_where_it_was_while_things_are_added(client):
    for number in range(4):
        client.put(f"/v1/services/zz-{number}", {})
    first = client.get("/v1/services?limit=200")["items"]
    names = [s["name"] for s in first]
    page = client.get(f"/v1/services?limit={names.index('zz-2')}")
    client.put("/v1/services/aa-late", {})
    rest = client.get(f"/v1/services?cursor={page['next_cursor']}")["items"]
    assert [s["name"] for s in rest] == names[names.index("zz-2"):], "nothing twice, nothing left out"


# --- ETags, HEAD ----------------------------------------------------------------------------------------------------------

def readable(shop, gateway):
    for name, method, template, operation in operations():
        if method == "GET" and of_gateway(operation) == gateway and template not in ("/v1/content/{digest}", "/readyz", "/livez"):
            yield name, path_of(template, id=shop), operation


def while_still(client, path, check):
    """Holds a GET's answer to something; once more if it has changed meanwhile, as a rollout is live."""
    for _ in range(5):
        before = client.request("GET", path, raw=True)
        try:
            return check(*before)
        except AssertionError:
            if client.request("GET", path, raw=True)[2] == before[2]:
                raise
    raise AssertionError(f"{path} never stands still")


def test_gets_carry_an_etag_and_answer_304(client, gate, shop):
    for name, path, operation in readable(shop, False):
        def check(status, headers, body):
            assert status == 200, (name, status, body)
            assert headers.get("ETag"), f"{name}: a GET without an ETag"
            tag = headers["ETag"]
            assert re.fullmatch(r'(W/)?"[^"]+"', tag), tag
            bare = tag.removeprefix("W/")
            for condition in (tag, f"W/{bare}", f'"other", {tag}', "*", f"{tag} , \"x\""):
                status, again, nothing = client.request("GET", path, headers={"If-None-Match": condition}, raw=True)
                assert status == 304 and again["ETag"] == tag and not nothing, (name, condition, status)
            for condition in ('"other"', '"v999999"', tag[:-1] + 'x"'):
                status, _, again = client.request("GET", path, headers={"If-None-Match": condition}, raw=True)
                assert status == 200 and again == body, (name, condition)
        if name not in ("explainRollout", "listGateways"):  # they tell of moments that pass
            while_still(client, path, check)


def test_an_etag_changes_with_what_is_shown(client):
    """Also with what is not a version of its own: the stable release of a service, what the gateways have applied."""
    service(client, "tagged", policy=SLOW)

    def tags(*paths):
        return [client.request("GET", path, raw=True)[1]["ETag"] for path in paths]
    paths = ("/v1/services/tagged", "/v1/services/tagged/releases/v1", "/v1/services/tagged/rollouts", "/v1/routes",
             "/v1/services")
    before = tags(*paths)
    assert before == tags(*paths)
    first_release(client, "tagged")
    for path, old, new in zip(paths, before, tags(*paths)):
        assert old != new, path
        assert client.request("GET", path, headers={"If-None-Match": old}, raw=True)[0] == 200, path
    rollout = client.post("/v1/services/tagged/rollouts", {"release": "v2", "allow_no_gateway": True})["id"]
    path = f"/v1/rollouts/{rollout}"
    seen_tags = {}
    for _ in range(30):  # through its first seconds: the same tag always means the same answer
        _, headers, body = client.request("GET", path, raw=True)
        assert seen_tags.setdefault(headers["ETag"], body) == body
        time.sleep(0.05)
    client.post(f"{path}/abort")


def test_head_says_what_get_would_without_the_body(client, gate, shop):
    for gateway in (False, True):
        for name, path, operation in readable(shop, gateway):
            target = gate["gateway"] if gateway else client

            def check(status, headers, body):
                head, same, nothing = target.request("HEAD", path, raw=True)
                assert (head, nothing) == (status, b""), name
                assert same["Content-Type"] == headers["Content-Type"], name
                if name not in ("metrics", "explainRollout", "listGateways", "getRoute"):
                    for header in ("Content-Length", "ETag"):
                        assert same.get(header) == headers.get(header), (name, header)
            while_still(target, path, check)
    for path in ("/v1/services/nobody", "/v1/nonsense"):
        assert client.request("HEAD", path, raw=True)[::2] == (404, b"")
    for path in ("/livez", "/readyz"):
        assert gate["viewer"].request("HEAD", path, raw=True)[::2] == (200, b"")


def test_if_match_refuses_a_change_of_what_has_changed(client):
    service(client, "match", policy=SLOW)
    first_release(client, "match")
    rollout = client.post("/v1/services/match/rollouts", {"release": "v2", "allow_no_gateway": True})["id"]
    wait_for("serving", lambda: client.get(f"/v1/rollouts/{rollout}")["weight"] > 0)
    client.post(f"/v1/rollouts/{rollout}/pause")  # or the loop would go on changing it under us

    def still():
        before = client.get(f"/v1/rollouts/{rollout}")["version"]
        time.sleep(1.5)
        return client.get(f"/v1/rollouts/{rollout}")["version"] == before
    wait_for("nothing changes it any more", still)
    number = iter(range(100))
    writes = {
        "/v1/services/match": lambda path, h: client.request("PUT", path, {"description": f"d{next(number)}"}, headers=h,
                                                             raw=True),
        "/v1/services/match/slos": lambda path, h: client.request(
            "PUT", path, {"slos": {"refusal": {"objective": 50 + next(number)}}}, headers=h, raw=True),
        "/v1/services/match/policy": lambda path, h: client.request(
            "PUT", path, {**SLOW, "expected_rps": next(number)}, headers=h, raw=True),
        f"/v1/rollouts/{rollout}": lambda path, h: client.request(
            "POST", f"{path}/mute", {"sli": "refusal", "until": "1h", "reason": f"r{next(number)}"}, headers=h, raw=True)}
    for path, write in writes.items():
        def tag():
            return client.request("GET", path, raw=True)[1]["ETag"]
        first = tag()
        status, headers, _ = write(path, {"If-Match": first})
        assert status == 200 and tag() != first, path
        based = headers["ETag"]  # of the answer to a change: good for the next one
        for wrong in (first, '"v999999"', '"nonsense"', '""', f"W/{tag()}"):
            status, _, problem = write(path, {"If-Match": wrong})
            assert status == 412 and "again" in problem["next_step"], (path, wrong, status)
        assert write(path, {"If-Match": based})[0] == 200, path
        assert write(path, {"If-Match": based})[0] == 412, path
        assert write(path, {"If-Match": "*"})[0] == 200, path
        assert write(path, {"If-Match": f'"x", {tag()}'})[0] == 200, path
        assert write(path, {"If-Match": "unquoted"})[0] == 400, path
    status, _, _ = client.request("PUT", "/v1/services/match-new", {}, headers={"If-Match": "*"}, raw=True)
    assert status == 412
    assert client.request("GET", "/v1/services/match-new", raw=True)[0] == 404
    client.post(f"/v1/rollouts/{rollout}/abort")


def test_two_changes_of_one_state_cannot_both_win(client):
    client.put("/v1/services/both", {})
    tag = client.request("GET", "/v1/services/both", raw=True)[1]["ETag"]
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda n: client.request("PUT", "/v1/services/both", {"description": str(n)},
                                                         headers={"If-Match": tag}, raw=True)[0], range(6)))
    assert sorted(answers) == [200] + [412] * 5


# --- idempotency ----------------------------------------------------------------------------------------------------------

def test_a_repeated_post_gives_the_same_answer_once_done(by, client, shop):
    service(client, "repeat", releases=("v1", "v2", "v3"), policy=SLOW)
    client.post("/v1/artifacts/corpus/repeat/versions", {"content": {"uri": "u", "index_digest": "d", "embedding_model": "e"}})
    first_release(client, "repeat")
    pins = [{"kind": "model", "name": "repeat", "version": 1}]
    rollout = client.post("/v1/services/repeat/rollouts", {"release": "v2", "allow_no_gateway": True})["id"]
    client.post(f"/v1/rollouts/{rollout}/promote", {"full": True})
    steps = [
        ("registerVersion", "/v1/artifacts/prompt/repeat-it/versions", {"content": "x"}, {"content": "y"}),
        ("reportCorpusReady", "/v1/artifacts/corpus/repeat/versions/1/ready", {"ready": True}, {"ready": False}),
        ("createRelease", "/v1/services/repeat/releases", {"name": "r", "artifacts": pins}, {"name": "r2", "artifacts": pins}),
        ("liftQuarantine", "/v1/services/repeat/releases/v1/lift-quarantine", {"reason": "r"}, {"reason": "s"}),
        ("startRollout", "/v1/services/repeat/rollouts", {"release": "v3", "allow_no_gateway": True}, {"release": "v1"}),
        ("commandRollout", None, {"reason": "r"}, {"reason": "s"}),
        ("rollbackService", "/v1/services/repeat/rollback", {"reason": "r"}, {"reason": "s"}),
        ("freeze", "/v1/freeze", {"reason": "r"}, {"reason": "s"})]
    named = {n for n, _, _, o in operations() if any(
        resolve(p)["name"] == "Idempotency-Key" for p in o.get("parameters", []))} - {"reportOutcomes"}
    assert {s[0] for s in steps} == named
    live = None
    for name, path, body, other in steps:
        path = path or f"/v1/rollouts/{live}/pause"
        key = {"Idempotency-Key": f"repeat-{name}"}
        status, headers, answer = client.request("POST", path, body, headers=key, raw=True)
        assert status in (200, 201) and "Idempotency-Replayed" not in headers, (name, status, answer)
        again, headers2, answer2 = client.request("POST", path, body, headers=key, raw=True)
        assert (again, answer2) == (status, answer) and headers2["Idempotency-Replayed"] == "true", name
        assert headers2.get("ETag") == headers.get("ETag"), name
        quoted = client.request("POST", path, body, headers={"Idempotency-Key": f'"repeat-{name}"'}, raw=True)
        assert quoted[2] == answer, "quoted and bare are the same key"
        problem = refused(422, client.post, path, other, headers=key)
        assert problem["type"].endswith("idempotency-key-reused"), name
        refused(422, client.post, "/v1/freeze", {"reason": "t"}, headers=key)
        live = answer["id"] if name == "startRollout" else live
    client.delete("/v1/freeze")
    # a key belongs to its token
    key = {"Idempotency-Key": "repeat-registerVersion"}
    status, headers, _ = by["engineer"].request("POST", "/v1/artifacts/prompt/repeat-it/versions", {"content": "z"},
                                                headers=key, raw=True)
    assert status == 201 and "Idempotency-Replayed" not in headers
    for wrong in ("", "a b", "x" * 129, '""', "\xe9", 'a"b'):
        status, _, _ = client.request("POST", "/v1/freeze", {"reason": "r"}, headers={"Idempotency-Key": wrong}, raw=True)
        assert status == 400, wrong
    assert not client.get("/v1/freeze")["frozen"]


def test_a_refusal_is_not_kept_under_its_key(client):
    """A 4xx changed nothing: the same key does the work once what stood in the way is gone."""
    key = {"Idempotency-Key": "refused-then-done"}
    body = {"name": "k1", "artifacts": [{"kind": "model", "name": "kept-key", "version": 1}]}
    refused(404, client.post, "/v1/services/kept-key/releases", body, headers=key)
    client.put("/v1/services/kept-key", {})
    refused(422, client.post, "/v1/services/kept-key/releases", body, headers=key, pointer="/artifacts/0/version")
    client.post("/v1/artifacts/model/kept-key/versions", {"content": {"provider": "p", "model": "m"}})
    assert client.request("POST", "/v1/services/kept-key/releases", body, headers=key, raw=True)[0] == 201


def test_one_key_at_the_same_time_is_one_effect(client):
    key = {"Idempotency-Key": "at-once"}
    barrier = threading.Barrier(6)

    def post(_):
        barrier.wait()
        return client.request("POST", "/v1/artifacts/prompt/at-once/versions", {"content": "once"}, headers=key, raw=True)
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(post, range(6)))
    assert {a[0] for a in answers} <= {201, 409}, [a[0] for a in answers]
    assert sum("Idempotency-Replayed" not in a[1] for a in answers if a[0] == 201) == 1
    assert all(a[2]["type"].endswith("in-progress") for a in answers if a[0] == 409)
    assert client.request("POST", "/v1/artifacts/prompt/at-once/versions", {"content": "once"}, headers=key, raw=True)[0] == 201
    assert len(client.get("/v1/artifacts/prompt/at-once/versions")["items"]) == 1


def test_secrets_are_not_stored_under_a_key(client):
    key = {"Idempotency-Key": "secret-1"}
    one = client.post("/v1/webhooks", {"url": "http://127.0.0.1:1/s"}, headers=key)
    two = client.post("/v1/webhooks", {"url": "http://127.0.0.1:1/s"}, headers=key)
    assert one["id"] != two["id"] and one["secret"] != two["secret"]
    for made in (one, two):
        gone = client.delete(f"/v1/webhooks/{made['id']}")
        assert gone["disabled_at"] and "secret" not in gone
        assert client.delete(f"/v1/webhooks/{made['id']}")["disabled_at"] == gone["disabled_at"]
    assert one["secret"] not in json.dumps(client.get("/v1/webhooks"))
    for url in ("", "ftp://x/", "http://", "http:///x", "//x", "http://user:pw@x/", "http://x/#f", "javascript:alert(1)",
                "http://x/ y",
                "http://:80/", "HTTP//x", "x" * 2001):
        refused(422, client.post, "/v1/webhooks", {"url": url}, pointer="/url")


# --- artifact versions ----------------------------------------------------------------------------------------------------

def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def register(client, kind, name, content, status=None, **more):
    """`content` in JSON text, so that its form can be chosen."""
    text = '{"content":' + content + "".join(f',"{k}":{json.dumps(v)}' for k, v in more.items()) + "}"
    got, _, body = client.request("POST", f"/v1/artifacts/{kind}/{name}/versions", text.encode(), raw=True)
    assert status is None or got == status, (got, body)
    return body


def test_the_same_content_is_the_same_version(client, gate):
    one = register(client, "tool", "same", '{"b": 1, "a": {"y": [1, 2], "x": "é"}}', 201, changelog="first")
    for form in ('{"a":{"x":"é","y":[1,2]},"b":1}', '{ "a" : { "x" : "\\u00e9", "y" : [ 1 , 2 ] } ,\n\t"b" : 1 }',
                 '{"b":1.0,"a":{"y":[1,2e0],"x":"é"}}',
                 '{"b":10e-1,"a":{"y":[1.00,2],"x":"\\u00E9"}}'):
        again = register(client, "tool", "same", form, 200, changelog="another")
        assert again == one, form
    assert one["digest"] == hashlib.sha256(canonical({"b": 1, "a": {"y": [1, 2], "x": "é"}})).hexdigest()
    assert one["size_bytes"] == len(canonical({"b": 1, "a": {"y": [1, 2], "x": "é"}})) and one["version"] == 1
    assert one["changelog"] == "first" and one["media_type"] == "application/json" and one["ready"] is True
    # the order of an array, a type, and another normal form are other contents
    for number, form in enumerate(('{"b":1,"a":{"y":[2,1],"x":"é"}}', '{"b":"1","a":{"y":[1,2],"x":"é"}}',
                                   '{"b":1,"a":{"y":[1,2],"x":"e\\u0301"}}',
                                   '{"b":1,"a":{"y":[1,2],"x":"é","z":null}}'), 2):
        assert register(client, "tool", "same", form, 201)["version"] == number, form
    # under another name it is a version of its own, with the same address
    other = register(client, "tool", "same-elsewhere", '{"b": 1, "a": {"y": [1, 2], "x": "é"}}', 201)
    assert (other["version"], other["digest"]) == (1, one["digest"])
    status, headers, body = gate["gateway"].request("GET", f"/v1/content/{one['digest']}", raw=True)
    assert status == 200 and headers["Content-Type"].startswith("application/json")
    assert body == {"b": 1, "a": {"y": [1, 2], "x": "é"}}
    assert int(headers["Content-Length"]) == one["size_bytes"] and "immutable" in headers["Cache-Control"]
    unchanged, again, _ = gate["gateway"].request("GET", f"/v1/content/{one['digest']}",
                                                  headers={"If-None-Match": headers["ETag"]}, raw=True)
    assert unchanged == 304 and again["ETag"] == headers["ETag"]


def test_numbers_are_written_as_rfc_8785_says(client):
    for number, (sent, written) in enumerate((("1e21", "1e+21"), ("0.000001", "0.000001"), ("1e-7", "1e-7"), ("-0", "0"),
                                              ("4.50", "4.5"),
                                              ("2e-3", "0.002"), ("1e+2", "100"), ("333333333.33333329", "333333333.3333333"),
                                              ("9007199254740992", "9007199254740992")), 1):
        got = register(client, "tool", "numbers", '{"n":%s}' % sent, 201)
        assert got["digest"] == hashlib.sha256(b'{"n":%s}' % written.encode()).hexdigest(), (sent, written)
        assert got["version"] == number
    # keys in the order of UTF-16, which is not that of code points
    got = register(client, "tool", "order", '{"\U0001f600": 1, "\ufb33": 2, "\u20ac": 3, "\\r": 4, "1": 5}', 201)
    assert got["digest"] == hashlib.sha256('{"\\r":4,"1":5,"\u20ac":3,"\U0001f600":1,"\ufb33":2}'.encode()).hexdigest()


def test_text_is_kept_byte_for_byte(client, gate):
    texts = ["  leading and trailing  \n\n", "a\r\nb\rc\n", "tab\tand\x0bvt\x7f", "é" + "e\u0301", "\u202eright to left",
             "👩‍👩‍👧‍👦 family", "\U0010ffff",
             "\ufeffBOM", '{"looks": "like json"}', "'; DROP TABLE artifacts; --", "\\n is no line end", "\u2028\u2029",
             "%s %n {release}"]
    for number, text in enumerate(texts, 1):
        got = client.post("/v1/artifacts/prompt/bytes/versions", {"content": text, "changelog": text})
        raw = text.encode()
        assert got["version"] == number and got["digest"] == hashlib.sha256(raw).hexdigest(), text
        assert got["size_bytes"] == len(raw) and got["media_type"] == "text/plain" and got["changelog"] == text
        assert client.get(f"/v1/artifacts/prompt/bytes/versions/{number}")["content"] == text
        assert client.get("/v1/artifacts/prompt/bytes/versions/latest")["content"] == text
        status, headers, body = gate["gateway"].request("GET", f"/v1/content/{got['digest']}", raw=True)
        assert status == 200 and body == raw and headers["Content-Type"].startswith("text/plain"), text
    # a prompt may be JSON too; the text of that JSON is something else
    as_json = client.post("/v1/artifacts/prompt/bytes/versions", {"content": {"looks": "like json"}})
    assert as_json["version"] == len(texts) + 1 and as_json["media_type"] == "application/json"
    assert client.get(f"/v1/artifacts/prompt/bytes/versions/{as_json['version']}")["content"] == {"looks": "like json"}


def test_nul_and_broken_unicode_are_refused(client):
    for content in ('"a\\u0000b"', '"\\u0000"', '{"k": "\\u0000"}', '{"a\\u0000": 1}', '["\\u0000"]'):
        for kind in ("prompt", "tool"):
            body = register(client, kind, "nul", content)
            assert body["status"] in (400, 422) and body["next_step"], (kind, content, body)
            assert "/content" in json.dumps(body), body
    for content in (b'"\xc3"', b'"\xed\xa0\x80"', b'"\xf4\x90\x80\x80"', b'"\xc0\x80"', b'"\\ud800"', b'"\\udc00 x"',
                    b'"\\ud83d\\u0041"'):
        status, _, body = client.request("POST", "/v1/artifacts/prompt/nul/versions", b'{"content":' + content + b"}", raw=True)
        assert status in (400, 422), (content, status)
    refused(404, client.get, "/v1/artifacts/prompt/nul/versions")
    model = {"provider": "p", "model": "m", "parameters": {"stop": "\0"}}
    refused(422, client.post, "/v1/artifacts/model/nul/versions", {"content": model})
    for body in ({"name": "n", "artifacts": [{"kind": "model", "name": "shop", "version": 1}], "parameters": {"x": "\0"}},
                 {"name": "n", "artifacts": [{"kind": "model", "name": "shop", "version": 1}], "changelog": "\0"}):
        refused(422, client.post, "/v1/services/shop/releases", body)
    refused(422, client.put, "/v1/services/shop", {"description": "\0"}, pointer="/description")
    refused(422, client.post, "/v1/freeze", {"reason": "\0"}, pointer="/reason")


def test_content_up_to_the_limit(client, gate):
    limit = 1 << 20
    for name, text in (("ascii", "x" * limit), ("lines", "\n" * limit), ("quotes", '"' * limit),
                       ("wide", "\U0001f426" * (limit // 4))):
        body = json.dumps({"content": text}, ensure_ascii=False).encode()
        got = client.request("POST", f"/v1/artifacts/prompt/large-{name}/versions", body, raw=True)
        assert got[0] == 201 and got[2]["size_bytes"] == limit, (name, got)
        assert client.get(f"/v1/artifacts/prompt/large-{name}/versions/1")["content"] == text, name
        assert gate["gateway"].request("GET", f"/v1/content/{got[2]['digest']}", raw=True)[2] == text.encode(), name
        body = json.dumps({"content": text + "."}, ensure_ascii=False).encode()
        problem = refused(413, client.post, f"/v1/artifacts/prompt/large-{name}/versions", body)
        assert "1048576" in problem["detail"] and "content" in problem["detail"], problem
        assert len(client.get(f"/v1/artifacts/prompt/large-{name}/versions")["items"]) == 1
    key = "k" * (limit - len('{"":1}'))
    assert register(client, "tool", "large", '{"%s":1}' % key, 201)["size_bytes"] == limit
    assert register(client, "tool", "large", '{"%sk":1}' % key, 413)["next_step"]


def test_each_kind_has_its_content(client):
    def content(kind, value, pointer, part=None):
        body = refused(422, client.post, f"/v1/artifacts/{kind}/checked/versions", {"content": value}, pointer=pointer)
        assert part is None or part in json.dumps(body), body
    for value in ("", None):
        content("prompt", value, "/content")
    for value in ("text", [], 7, None, True):
        for kind in ("tool", "corpus", "model"):
            content(kind, value, "/content", "object")
    corpus = {"uri": "s3://x", "index_digest": "d", "embedding_model": "e"}
    model = {"provider": "p", "model": "m", "parameters": {"temperature": 0.2}}
    for kind, good in (("corpus", corpus), ("model", model)):
        for field in good:
            if field != "parameters":
                content(kind, {k: v for k, v in good.items() if k != field}, f"/content/{field}", "required")
                content(kind, {**good, field: ""}, f"/content/{field}")
            content(kind, {**good, field: 7}, f"/content/{field}")
        content(kind, {**good, "extra": 1}, "/content/extra")
        assert client.post(f"/v1/artifacts/{kind}/checked/versions", {"content": good})["version"] == 1
    assert client.get("/v1/artifacts/model/checked/versions/1")["content"] == model
    assert client.get("/v1/artifacts/corpus/checked/versions/1")["ready"] is False
    assert client.post("/v1/artifacts/corpus/checked/versions/1/ready", {"ready": True})["ready"] is True
    assert client.post("/v1/artifacts/corpus/checked/versions/latest/ready", {"ready": False})["ready"] is False
    assert client.get("/v1/artifacts/corpus/checked/versions/latest")["ready"] is False
    refused(404, client.post, "/v1/artifacts/corpus/checked/versions/2/ready", {"ready": True})
    latest = [a for a in everything(client, "/v1/artifacts?kind=corpus") if a["name"] == "checked"][0]
    assert latest["versions"] == 1 and latest["latest"]["ready"] is False


def test_deep_json_is_kept_up_to_a_bound(client):
    depth = 0
    for depth in (8, 16, 32, 64, 100, 128, 256, 512, 1000):
        status, _, body = client.request("POST", "/v1/artifacts/tool/deep/versions",
                                         ('{"content":{"a":' + "[" * depth + "]" * depth + "}}").encode(), raw=True)
        if status != 201:
            break
        assert client.get("/v1/artifacts/tool/deep/versions/latest")["content"] == {"a": json.loads("[" * depth + "]" * depth)}
    assert status == 400 and depth > 16 and "deep" in body["detail"], body


# --- releases -------------------------------------------------------------------------------------------------------------

def test_a_release_never_changes(client):
    service(client, "immutable", releases=("v1",))
    for content in ("one", "two"):
        client.post("/v1/artifacts/prompt/immutable/versions", {"content": content})
    base = {"name": "r1", "artifacts": [{"kind": "prompt", "name": "immutable", "version": 1},
                                        {"kind": "model", "name": "immutable", "version": 1}],
            "parameters": {"t": 1, "s": [1, 2]}, "changelog": "first", "compatibility": "none", "history_compatible": False,
            "fallback": {"refusal": {"message": "no", "action": "ask"}}, "worksheets": {"cost": {"usd": 0.5}}}
    path = "/v1/services/immutable/releases"
    status, _, made = client.request("POST", path, base, raw=True)
    assert status == 201 and made["baked_at"] is None and made["quarantined"] is None
    for field in ("parameters", "changelog", "compatibility", "history_compatible", "fallback", "worksheets"):
        assert made[field] == base[field], field
    same = {**base, "artifacts": base["artifacts"][::-1], "parameters": {"s": [1.0, 2], "t": 1}}
    status, _, again = client.request("POST", path, same, raw=True)
    assert status == 200 and again == made
    for change in ({"changelog": "second"}, {"compatibility": "x"}, {"parameters": {}}, {"history_compatible": True},
                   {"fallback": {}},
                   {"worksheets": {}}, {"artifacts": [{**base["artifacts"][0], "version": 2}, base["artifacts"][1]]},
                   {"artifacts": base["artifacts"][1:]}):
        body = refused(409, client.post, path, {**base, **change}, part="immutable")
        assert "another name" in body["next_step"]
    assert client.get(f"{path}/r1") == made
    assert client.post(path, {**base, "name": "r2"})["digest"] == made["digest"], "the address is that of the content"
    # concurrently: one makes it, the others find it
    with concurrent.futures.ThreadPoolExecutor(5) as pool:
        answers = list(pool.map(lambda _: client.request("POST", path, {**base, "name": "r3"}, raw=True)[0], range(5)))
    assert sorted(answers) == [200] * 4 + [201]
    pin = {"kind": "model", "name": "immutable", "version": 1}
    for artifacts, pointer in (([base["artifacts"][0]], "/artifacts"), ([pin, pin], "/artifacts"),
                               ([{**pin, "version": 99}], "/artifacts/0/version"),
                               ([base["artifacts"][0], {**pin, "name": "none"}], "/artifacts/1/version"),
                               ([pin, {**pin, "name": "shop"}], "/artifacts")):
        refused(422, client.post, path, {"name": "wrong", "artifacts": artifacts}, pointer=pointer)
    refused(422, client.post, path, {**base, "name": "w", "fallback": {"nonsense": {"message": "m"}}},
            pointer="/fallback/nonsense")
    defaults = client.post(path, {"name": "least", "artifacts": [pin]})
    assert (defaults["history_compatible"], defaults["parameters"], defaults["changelog"],
            defaults["fallback"]) == (True, {}, "", {})


def test_diff_goes_down_to_lines_and_fields(client):
    service(client, "differ", releases=("v0",))
    old = "".join(f"line {n}\n" for n in range(1, 31))
    new = old.replace("line 5\n", "line five\n").replace("line 20\n", "").replace("line 30\n", "line 30\nline 31 🐦\n")
    schema = {"name": "search", "parameters": {"type": "object", "required": ["q"],
                                               "properties": {"q": {"type": "string"}, "a/b~c": {"type": "integer"}}}}
    changed = copy.deepcopy(schema)
    changed["parameters"]["properties"]["q"]["maxLength"] = 100
    changed["parameters"]["required"] = ["q", "n"]
    changed["parameters"]["properties"]["n"] = {"type": "integer"}
    del changed["parameters"]["properties"]["a/b~c"]
    for prompt, tool in ((old, schema), (new, changed)):
        client.post("/v1/artifacts/prompt/differ/versions", {"content": prompt})
        client.post("/v1/artifacts/tool/differ/versions", {"content": tool})
    client.post("/v1/artifacts/corpus/differ/versions", {"content": {"uri": "u", "index_digest": "d", "embedding_model": "e"}})
    versions = {v["digest"]: v["version"] for v in client.get("/v1/artifacts/prompt/differ/versions")["items"]}
    v_old, v_new = (versions[hashlib.sha256(t.encode()).hexdigest()] for t in (old, new))
    model = {"kind": "model", "name": "differ", "version": 1}

    def cut(name, prompt, tool, extra=(), **more):
        client.post("/v1/services/differ/releases", {"name": name, "artifacts": [
            model, {"kind": "prompt", "name": "differ", "version": prompt}, {"kind": "tool", "name": "differ", "version": tool},
            *extra], **more})
    cut("a", v_old, 1, parameters={"t": 1, "gone": True}, changelog="A")
    cut("b", v_new, 2, [{"kind": "corpus", "name": "differ", "version": 1}], parameters={"t": 2}, changelog="B",
        history_compatible=False,
        fallback={"refusal": {"message": "m"}})
    diff = client.get("/v1/services/differ/releases/a/diff/b")
    assert (diff["from"], diff["to"], diff["same"]) == ("a", "b", False)
    by_what = {c["what"]: c for c in diff["changes"]}
    assert set(by_what) == {"prompt/differ", "tool/differ", "corpus/differ", "parameters", "history_compatible", "fallback",
                            "changelog"}
    prompt = by_what["prompt/differ"]
    assert (prompt["change"], prompt["from_version"], prompt["to_version"]) == ("changed", v_old, v_new)
    ops = [(line["op"], line["text"]) for line in prompt["lines"]]
    assert [o for o in ops if o[0] in "+-"] == [("-", "line 5"), ("+", "line five"), ("-", "line 20"), ("+", "line 31 🐦")]
    assert (" ", "line 2") in ops and (" ", "line 8") in ops and (" ", "line 1") not in ops, "three lines of context"
    assert sum(o[0] == "@" for o in ops) == 3
    fields = {f["pointer"]: f for f in by_what["tool/differ"]["fields"]}
    at = "/parameters/properties"
    assert fields == {
        f"{at}/a~1b~0c": {"pointer": f"{at}/a~1b~0c", "change": "removed", "from": {"type": "integer"}},
        f"{at}/n": {"pointer": f"{at}/n", "change": "added", "to": {"type": "integer"}},
        f"{at}/q/maxLength": {"pointer": f"{at}/q/maxLength", "change": "added", "to": 100},
        "/parameters/required/1": {"pointer": "/parameters/required/1", "change": "added", "to": "n"}}
    assert by_what["corpus/differ"]["change"] == "added" and by_what["corpus/differ"]["from_version"] is None
    assert {f["pointer"]: f["change"] for f in by_what["parameters"]["fields"]} == {"/t": "changed", "/gone": "removed"}
    assert by_what["history_compatible"]["fields"] == [{"pointer": "", "change": "changed", "from": True, "to": False}]
    back = {c["what"]: c for c in client.get("/v1/services/differ/releases/b/diff/a")["changes"]}
    assert back["corpus/differ"]["change"] == "removed" and back["corpus/differ"]["to_version"] is None
    mirrored = [({"-": "+", "+": "-"}.get(line["op"]), line["text"]) for line in back["prompt/differ"]["lines"]
                if line["op"] in "+-"]
    assert sorted(mirrored) == sorted(o for o in ops if o[0] in "+-")
    same = client.get("/v1/services/differ/releases/a/diff/a")
    assert same["same"] is True and same["changes"] == []


# --- what each operation does -----------------------------------------------------------------------------------------------

def test_services_objectives_and_policy(client):
    status, _, made = client.request("PUT", "/v1/services/basic", {"description": "d"}, raw=True)
    assert status == 201 and (made["stable"], made["live_rollout"], made["sticky"]) == (None, None, "user")
    status, _, again = client.request("PUT", "/v1/services/basic", {"sticky": "conversation"}, raw=True)
    assert status == 200 and (again["description"], again["sticky"]) == ("d", "conversation")
    default = client.get("/v1/services/basic/policy")
    assert default["version"] == 0 and default["created_at"] is None
    refused(409, client.post, "/v1/services/basic/rollouts", {"release": "v1"}, part="no objectives")
    slos = client.put("/v1/services/basic/slos", {"slos": {"refusal": {"objective": 95.5},
                                                           "latency": {"objective": 99, "threshold": "2s"}}})
    assert slos["version"] == 1 and slos["slos"]["refusal"]["objective"] == 95.5
    assert client.put("/v1/services/basic/slos", {"slos": slos["slos"]})["version"] == 1, "the same again is no new version"
    assert client.put("/v1/services/basic/slos", {"slos": {"refusal": {"objective": 95},
                                                           "latency": slos["slos"]["latency"]}})["version"] == 2
    refused(422, client.put, "/v1/services/basic/slos", {"slos": {}}, pointer="/slos")
    refused(422, client.put, "/v1/services/basic/slos", {"slos": {"ttft": {"objective": 9}}}, pointer="/slos/ttft/threshold")
    refused(422, client.put, "/v1/services/basic/slos", {"slos": {"error": {"objective": 9, "threshold": "1s"}}},
            pointer="/slos/error/threshold")
    refused(422, client.put, "/v1/services/basic/policy", {"guardrails": {"error": {}}}, pointer="/guardrails/error")
    policy = client.put("/v1/services/basic/policy", {"guardrails": {"latency": {"action": "notify"}}, "blind": "90s"})
    assert policy["version"] == 1 and policy["policy"]["blind"] == "90s"
    assert client.put("/v1/services/basic/policy", policy["policy"])["version"] == 1
    refused(409, client.put, "/v1/services/basic/slos", {"slos": {"refusal": {"objective": 95}}}, part="policy")
    for plan, pointer in (([{"weight": "50%"}, {"weight": "20%"}, {"weight": "100%"}], "/plan/steps/1/weight"),
                          ([{"weight": "50%"}, {"weight": "90%"}], "/plan/steps/1/weight"),
                          ([{"weight": "99%"}, {"weight": "100%"}], "/plan/steps/0/weight"),
                          ([{"weight": 0}, {"weight": 10000}], "/plan/steps/0/weight"),
                          ([{"weight": "5%", "bake": "1h", "deadline": "30m"}, {"weight": 10000}], "/plan/steps/0/deadline")):
        refused(422, client.put, "/v1/services/basic/policy", {"plan": {"steps": plan}}, pointer=pointer)
    for changed, pointer in (({"burn": [{"factor": 2, "long": "1m", "short": "1m"}]}, "/burn/0/long"),
                             ({"burn": [{"factor": 2, "long": "1h", "short": "1m"}]}, "/burn/0/long"),
                             ({"burn": [{"factor": 0.5, "long": "5m", "short": "1m"}]}, "/burn/0/factor"),
                             ({"burn": [{"factor": 2, "long": "5m"}]}, "/burn/0/short"),
                             ({"strata": ["a b"]}, "/strata"), ({"strata": ["a", "a"]}, "/strata"),
                             ({"split_check": {"key_effect": 0.5}}, "/split_check/key_effect"),
                             ({"guardrails": {"refusal": {"eta": "often"}}}, "/guardrails/refusal/eta"),
                             ({"guardrails": {"refusal": {"on_blind": "notify"}}}, "/guardrails/refusal/on_blind"),
                             ({"strata": ["a"], "source": {"prometheus": {"url": "http://p:9090", "requests": "r", "bad": {
                                 "refusal": "b"}}}}, "/strata")):
        refused(422, client.put, "/v1/services/basic/policy", changed, pointer=pointer)
    measured = client.get("/v1/services/basic/overdispersion")["slis"]
    assert [(one["sli"], one["block_s"]) for one in measured] == [("refusal", 1), ("latency", 5)], measured
    assert measured[0]["phi"] is None and measured[0]["needs"] == "reports of 2 gateways: in the last hour there were those of 0"
    assert client.get("/v1/services/basic/policy")["version"] == 1
    watched = {"burn": [{"factor": 2.5, "long": "10m", "short": "1m", "action": "notify"}], "strata": ["de", "fr"],
               "split_check": {"enabled": False, "keyed": True, "key_effect": 3.5},
               "guardrails": {"refusal": {"eta": "auto", "on_blind": "rollback", "shared_hold": "7m"}}}
    kept = client.put("/v1/services/basic/policy", watched)["policy"]
    client.put("/v1/services/basic/policy", {"guardrails": {"refusal": {"block": "7s"}}})
    assert client.get("/v1/services/basic/overdispersion")["slis"][0]["block_s"] == 7, "the guardrail's own block"
    client.put("/v1/services/basic/policy", watched)
    assert {name: kept[name] for name in ("burn", "strata", "split_check")} == {n: watched[n] for n in ("burn", "strata", "split_check")}
    assert watched["guardrails"]["refusal"].items() <= kept["guardrails"]["refusal"].items()
    assert client.put("/v1/services/basic/policy", {"burn": []})["policy"]["burn"] == []
    weights = [{"weight": w} for w in ("0.5%", 1250, "33.33%", "100%")]
    stored = client.put("/v1/services/basic/policy", {"plan": {"steps": weights}})
    client.put("/v1/services/basic/policy", stored["policy"])  # what was read can be written


def test_commands_and_their_conflicts(client):
    service(client, "commands", releases=("v1", "v2", "v3"), policy=SLOW)
    path = "/v1/services/commands/rollouts"
    refused(409, client.post, path, {"release": "v1"}, part="No gateway")
    refused(409, client.post, "/v1/services/commands/rollback", {}, part="")
    first_release(client, "commands")
    refused(409, client.post, path, {"release": "v1", "allow_no_gateway": True}, part="stable")
    started = client.post(path, {"release": "v2", "allow_no_gateway": True, "reason": "try it"})
    assert started["phase"] == "pending" and started["step"] == 0 and "try it" in started["reason"]
    assert [s["weight"] for s in started["plan"]["steps"]] == [1000, 5000, 10000] and started["steps"] == 3
    refused(409, client.post, path, {"release": "v3", "allow_no_gateway": True}, part="is live")
    assert client.get("/v1/services/commands")["live_rollout"] == started["id"]
    one = f"/v1/rollouts/{started['id']}"
    wait_for("serving", lambda: client.get(one)["phase"] == "progressing")

    def verb(name, body=None):
        return client.post(f"{one}/{name}", body)
    refused(409, client.post, f"{one}/retry", {}, part="live")
    assert verb("pause", {"reason": "r"})["phase"] == "paused"
    assert verb("resume")["phase"] == "progressing"
    refused(409, client.post, f"{one}/set-weight", {"weight": "10%"})
    refused(409, client.post, f"{one}/set-weight", {"weight": "50%"}, part="promote")
    assert verb("set-weight", {"weight": "2.5%"})["weight"] == 250
    assert verb("promote")["weight"] == 5000
    muted = verb("mute", {"sli": "refusal", "until": "1h", "reason": "judge is down"})["muted"]
    assert [(m["sli"], m["reason"]) for m in muted] == [("refusal", "judge is down")]
    refused(422, client.post, f"{one}/mute", {"sli": "error", "until": "1h", "reason": "r"}, pointer="/sli")
    client.post("/v1/freeze", {"reason": "no change on a Friday"})
    frozen = client.get("/v1/freeze")
    assert frozen["frozen"] and frozen["reason"] == "no change on a Friday" and frozen["by"] and frozen["since"]
    refused(409, client.post, f"{one}/promote", {}, part="frozen")
    explained = client.get(f"{one}/explain")
    assert explained["frozen"] == "no change on a Friday" and explained["needs"]
    assert verb("set-weight", {"weight": 100})["weight"] == 100, "a freeze never stops a way back"
    assert client.delete("/v1/freeze")["frozen"] is False
    assert client.delete("/v1/freeze")["frozen"] is False
    gone = verb("abort", {"reason": "enough"})
    assert gone["phase"] == "aborted" and gone["weight"] == 0 and gone["ended_at"] and "enough" in gone["reason"]
    for name, body in (("pause", {}), ("resume", {}), ("promote", {}), ("promote", {"full": True}),
                       ("set-weight", {"weight": 1}),
                       ("mute", {"sli": "refusal", "until": "1h", "reason": "r"})):
        refused(409, client.post, f"{one}/{name}", body, part="aborted")
    assert verb("abort")["version"] == gone["version"]
    newer = client.post(path, {"release": "v2", "allow_no_gateway": True})
    newest = client.post(path, {"release": "v3", "allow_no_gateway": True, "supersede": True,
                                "plan": {"steps": [{"weight": "100%"}]}})
    assert client.get(f"/v1/rollouts/{newer['id']}")["phase"] == "aborted" and newest["steps"] == 1
    done = client.post(f"/v1/rollouts/{newest['id']}/promote", {"full": True})
    assert done["phase"] == "completed" and done["unproven"]
    refused(409, client.post, f"/v1/rollouts/{newest['id']}/retry", {}, part="completed")
    refused(404, client.post, "/v1/services/commands/rollback", {"to": "none"})
    back = client.post("/v1/services/commands/rollback", {"to": "v1", "reason": "users complain"})
    assert (back["stable"], back["left"], back["rollout"]) == ("v1", "v3", None) and back["route"]["weight"] == 0
    assert client.get("/v1/services/commands/releases/v3")["quarantined"] is None
    # lifting what is not there changes nothing
    assert client.post("/v1/services/commands/releases/v3/lift-quarantine", {"reason": "none there"})["quarantined"] is None
    rows = everything(client, "/v1/events?service=commands")
    assert {"rollout.started", "rollout.paused", "rollout.resumed", "rollout.weight_set", "rollout.muted", "rollout.aborted",
            "rollout.completed", "release.created"} <= {e["type"] for e in rows}
    assert all(e["actor"] for e in rows) and any(e["actor"].startswith("admin-") for e in rows)


def test_a_quarantine_is_lifted_with_a_reason(fast):
    client = Client(fast.daemon.control, fast.tokens["admin"])
    service(client, "lifted")
    first_release(client, "lifted")
    gateway = fast.gateway("lifted", {"v1": {"refusal": 0.01}, "v2": {"refusal": 0.6}}, rps=100).start()
    serin.gateway_live(client, "lifted")
    rollout = serin.ended(client, client.post("/v1/services/lifted/rollouts", {"release": "v2"})["id"])
    gateway.stop()
    assert rollout["phase"] == "rolled_back"
    held = client.get("/v1/services/lifted/releases/v2")["quarantined"]
    assert held["rollout"] == rollout["id"] and held["reason"]
    refused(409, client.post, "/v1/services/lifted/rollouts", {"release": "v2", "allow_no_gateway": True}, part="quarantine")
    body = refused(409, client.post, "/v1/services/lifted/rollback", {"to": "v2"})
    assert "reason" in json.dumps(body), body
    assert client.post("/v1/services/lifted/releases/v2/lift-quarantine",
                       {"reason": "the judge was wrong"})["quarantined"] is None
    event = [e for e in client.get("/v1/events?service=lifted&limit=200")["items"] if "quarantine" in e["type"]][0]
    assert "the judge was wrong" in json.dumps(event)


def test_routes_and_outcomes_on_the_gateway_port(client, gate, shop):
    own = gate["gateway"]
    status, headers, route = own.request("GET", "/v1/routes/shop", headers={"Serin-Gateway": "gw-contract"}, raw=True)
    assert status == 200 and sum(r["weight"] for r in route["releases"]) == 10000
    assert route["sticky"]["rule"] == "sha256-mod-10000" and route["valid_until"]
    assert {r["role"]: r["release"] for r in route["releases"]} == {"stable": "v1", "canary": "v2"}
    tag = {"If-None-Match": headers["ETag"], "Serin-Gateway": "gw-contract"}
    assert own.request("GET", "/v1/routes/shop", headers=tag, raw=True)[0] == 304
    began = time.monotonic()
    assert own.request("GET", "/v1/routes/shop?wait=700ms", headers=tag, raw=True)[0] == 304
    assert 0.6 < time.monotonic() - began < 3, "held, and not longer than asked for"
    for wait in ("61s", "-1s", "x", ""):
        refused(422, own.get, f"/v1/routes/shop?wait={wait}")
    refused(400, own.get, "/v1/routes/shop", headers={"Serin-Gateway": "no name"})
    wait_for("heard", lambda: any(g["instance"] == "gw-contract" and not g["behind"]
                                  for g in client.get("/v1/gateways?service=shop")["items"]))
    held = threading.Thread(target=lambda: answers.append(own.request("GET", "/v1/routes/shop?wait=15s", headers=tag,
                                                                      raw=True)))
    answers = []
    held.start()
    time.sleep(0.3)
    client.post(f"/v1/rollouts/{shop}/set-weight", {"weight": 900})
    held.join(timeout=10)
    assert answers and answers[0][0] == 200 and answers[0][2]["epoch"] > route["epoch"], "a parked poll is answered when it changes"
    batch = {"service": "shop", "admissions": [{"release": "v1", "count": 3, "age_ms": 10},
                                               {"release": "none", "count": 1, "age_ms": 0}],
             "outcomes": [{"release": "v1", "age_ms": 5, "sli": {"refusal": False}}, {"release": "ghost", "age_ms": 5}]}
    key = {"Idempotency-Key": "contract-batch"}
    first = own.post("/v1/outcomes", batch, headers=key)
    assert first["accepted"] == 2 and [r["pointer"]
                                       for r in first["rejected"]] == ["/admissions/1/release", "/outcomes/1/release"]
    again = own.post("/v1/outcomes", batch, headers=key)
    assert again["duplicate"] and again["accepted"] == 0
    assert own.post("/v1/outcomes", {"service": "shop"})["accepted"] == 0
    refused(400, own.post, "/v1/outcomes", batch, headers={"Idempotency-Key": "x" * 129})
    open_to_all = Client(own.addr)
    assert open_to_all.get("/livez") and open_to_all.get("/readyz")
    text = open_to_all.get("/metrics").decode()
    assert re.search(r"^# TYPE serin_\w+ (counter|gauge|histogram)$", text, re.M)
    for line in text.splitlines():
        assert line.startswith("#") or re.fullmatch(r'[a-z_]+(\{([a-z_]+="[^"]*",?)+\})? [-+0-9.eInfNa]+', line), line


def test_all_routes_on_the_gateway_port(gate, shop):
    own = gate["gateway"]
    status, headers, body = own.request("GET", "/v1/routes", raw=True)
    assert status == 200 and {r["service"] for r in body["routes"]} >= {"shop"}
    assert headers["ETag"].startswith(f'"{body["incarnation"]}.{body["revision"]}.')
    for route in body["routes"]:
        assert own.get(f"/v1/routes/{route['service']}") == route
    for condition in (headers["ETag"], f'W/{headers["ETag"]}', f'"other", {headers["ETag"]}'):
        status, again, nothing = own.request("GET", "/v1/routes", headers={"If-None-Match": condition}, raw=True)
        if status == 200 and again["ETag"] != headers["ETag"]:
            continue  # a live rollout may have changed something meanwhile
        assert status == 304 and again["ETag"] == headers["ETag"] and not nothing


def test_flags_answer_in_their_own_words(gate, shop):
    own, path = gate["gateway"], "/ofrep/v1/evaluate/flags"
    good = {"context": {"targetingKey": "u1"}}
    flag = own.post(f"{path}/shop", good)
    assert flag["key"] == "shop" and flag["variant"] == flag["value"]["release"]
    assert flag in own.post(path, good)["flags"]
    for body, code in ((b"{", "PARSE_ERROR"), (b"[]", "PARSE_ERROR"), ({}, "INVALID_CONTEXT"),
                       ({"context": 1}, "INVALID_CONTEXT"), ({"context": {}}, "TARGETING_KEY_MISSING"),
                       ({"context": {"targetingKey": ""}}, "TARGETING_KEY_MISSING"),
                       ({"context": {"targetingKey": None}}, "TARGETING_KEY_MISSING"),
                       ({"context": {"targetingKey": 7}}, "INVALID_CONTEXT")):
        for which in (path, f"{path}/shop"):
            answer = refused(400, own.post, which, body)
            assert answer["errorCode"] == code and answer["errorDetails"] == answer["detail"], (body, answer)
            assert answer.get("key") == ("shop" if which != path else None)
    for key in ("nobody", "app/route", "app%2Froute", "x" * 300, "%00"):
        assert refused(404, own.post, f"{path}/{key}", good)["errorCode"] == "FLAG_NOT_FOUND", key
    assert refused(413, own.post, path, {"context": {"targetingKey": "u", "much": "x" * 70000}})["errorCode"] == "INVALID_CONTEXT"
    assert refused(401, Client(own.addr).post, path, good)["errorCode"] == "GENERAL"
    assert refused(403, gate["viewer"].post, f"{path}/shop", good)["key"] == "shop"
    status, headers, _ = own.request("POST", path, good, raw=True)
    assert own.request("POST", path, good, headers={"If-None-Match": headers["ETag"]}, raw=True)[0] == 304


def test_request_ids(client):
    status, headers, _ = client.request("GET", "/v1/freeze", headers={"X-Request-Id": "mine-1.2_3"}, raw=True)
    assert headers["X-Request-Id"] == "mine-1.2_3"
    for strange in ("a b", "x" * 500, "\u00e9", "a\"b", "<script>"):
        _, headers, _ = client.request("GET", "/v1/freeze", headers={"X-Request-Id": strange.encode("latin-1")}, raw=True)
        assert headers["X-Request-Id"] != strange and set(headers["X-Request-Id"]) <= set(string.ascii_letters + string.digits + "._-")
    assert headers["Cache-Control"] == "no-store" and headers["X-Content-Type-Options"] == "nosniff"


# --- at the end -----------------------------------------------------------------------------------------------------------

def test_alerts_are_taken(client, gate, by, shop):
    alert = {"status": "resolved", "labels": {"alertname": "a", "service": "shop"}, "startsAt": "2026-11-25T02:00:00Z",
             "fingerprint": "0a"}
    taken = by["gateway"].post("/v1/alerts", {"version": "4", "alerts": [alert, {**alert, "labels": {"service": "nobody"}}]})
    assert (taken["taken"], taken["ignored"], taken["truncated"]) == (1, 1, 0)
    assert [one["why"] for one in taken["without_effect"]] == ["unknown_service"]
    refused(422, by["gateway"].post, "/v1/alerts", {"version": "4", "alerts": [{**alert, "labels": None}]}, part="labels")


def test_every_operation_was_tried_and_every_problem_is_complete(client, world):
    tried = {name for name, statuses in seen.items() if any(200 <= s < 300 for s in statuses)}
    assert {name for name, _, _, _ in operations()} - tried == set(), "no success of these was seen"
    guarded = {name for name, _, _, o in operations() if o.get("security") != []}
    assert {n for n in guarded if not {401} <= seen.get(n, set())} == set()
    assert {n for n, statuses in seen.items() if 500 in statuses} == set()
    assert not incomplete, f"{len(incomplete)} problems lack something:\n" + "\n".join(sorted(set(incomplete))[:40])
    log = open(world.daemon.log, errors="replace").read()
    assert '"level":"error"' not in log and "Sanitizer" not in log, log[-3000:]
