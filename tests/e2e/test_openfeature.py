"""The real OpenFeature SDKs of Node, server and web, against the gateway port (OFREP)."""
import json
import math
import os
import shutil
import subprocess
import tempfile
import threading

import pytest

import serin
from serin import bucket, first_release, service, wait_for

NODE, NPM = shutil.which("node"), shutil.which("npm")
INTEROP = os.path.join(serin.ROOT, "tests", "interop")
KEYS = 20000
PLAN = {"plan": {"steps": [{"weight": "5%", "bake": "1h"}, {"weight": "10%", "bake": "1h"}, {"weight": "100%", "bake": "1h"}]}}


def node_version():
    return int(subprocess.run([NODE, "--version"], capture_output=True, text=True, timeout=20).stdout.lstrip("v").split(".")[0])


if NODE is None or NPM is None:
    pytest.skip("node and npm are not installed", allow_module_level=True)
if node_version() < 20:
    pytest.skip(f"the OpenFeature SDK wants Node 20 or later, this is {node_version()}", allow_module_level=True)


@pytest.fixture(scope="module")
def packages():
    """A folder with the packages of the lock file, and the script beside them."""
    folder = tempfile.mkdtemp(prefix="serin-interop.")
    for name in ("package.json", "package-lock.json", "openfeature.mjs"):
        shutil.copy(os.path.join(INTEROP, name), folder)
    try:
        run = subprocess.run([NPM, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1",
                              "--fetch-retry-mintimeout=2000"], cwd=folder, capture_output=True,
                             text=True, timeout=180, stdin=subprocess.DEVNULL)
        problem = run.stderr[-500:] if run.returncode != 0 else None
    except subprocess.TimeoutExpired:
        problem = "npm ci took longer than 180 s"
    if problem is not None:
        shutil.rmtree(folder)
        pytest.skip(f"the npm registry does not give the packages: {problem}")
    yield folder
    shutil.rmtree(folder)


class Sdk:
    """A Node process with an SDK in it."""

    def __init__(self, folder, world, kind, instance, token=None):
        env = {**os.environ, "SERIN_OFREP": f"http://{world.daemon.gateway}", "SERIN_TOKEN": token or world.tokens["gateway"],
               "no_proxy": "127.0.0.1", "NO_PROXY": "127.0.0.1"}
        self.process = subprocess.Popen([NODE, "openfeature.mjs", kind, instance], cwd=folder, env=env, text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.first = self.read()

    def read(self, timeout=180):
        timer = threading.Timer(timeout, self.process.kill)
        timer.start()
        try:
            line = self.process.stdout.readline()
        finally:
            timer.cancel()
        assert line, f"node said nothing within {timeout} s"
        return json.loads(line)

    def ask(self, op, **kw):
        self.process.stdin.write(json.dumps({"op": op, **kw}) + "\n")
        self.process.stdin.flush()
        answer = self.read()
        assert "failed" not in answer, answer
        return answer

    def stop(self):
        self.process.stdin.close()
        try:
            self.process.wait(timeout=10)
        finally:
            self.process.kill()


@pytest.fixture
def sdk(packages, world):
    made = []

    def make(*arguments, **kw):
        made.append(Sdk(packages, world, *arguments, **kw))
        return made[-1]
    yield make
    for one in made:
        one.stop()


def start(world, name):
    """A service whose canary has 5 %; its rollout."""
    client = world.client()
    service(client, name, policy=PLAN)
    first_release(client, name)
    rollout = client.post(f"/v1/services/{name}/rollouts", {"release": "v2", "allow_no_gateway": True})["id"]
    served(world, name, 500)
    return rollout


def served(world, name, weight):
    """Waits until the gateway port serves this canary weight; the route."""
    def look():
        status, _, route = world.gateway_client().request("GET", f"/v1/routes/{name}", raw=True)
        return status == 200 and sum(r["weight"] for r in route["releases"] if r["role"] == "canary") == weight and route
    return wait_for(f"canary weight {weight} of {name}", look, 60)


def split(sdk, name, route, weight):
    """The keys that the canary got, which are as many as the weight says, and just those that the rule says."""
    answer = sdk.ask("all", flag=name, count=KEYS)
    assert answer["others"] == 0, answer["other"]
    share = weight / 10000
    assert abs(len(answer["canary"]) - KEYS * share) <= 4 * math.sqrt(KEYS * share * (1 - share)), len(answer["canary"])
    salt = route["sticky"]["salt"]
    assert answer["canary"] == [n for n in range(KEYS) if bucket(salt, f"key-{n}") < weight]
    return set(answer["canary"])


def acknowledged(world, name, instance):
    """Whether this gateway has applied the newest epoch; None if it is not known at all."""
    for gateway in world.client().get(f"/v1/gateways?service={name}")["items"]:
        if gateway["instance"] == instance:
            return not gateway["behind"]
    return None


@pytest.mark.parametrize("kind", ["server", "web"])
def test_the_split_is_the_weight_and_more_weight_keeps_everybody(world, sdk, kind):
    name, client = f"split-{kind}", world.client()
    rollout = start(world, name)
    application = sdk(kind, f"split-{kind}-1")
    assert application.first == {"ready": True}
    five = split(application, name, served(world, name, 500), 500)
    client.post(f"/v1/rollouts/{rollout}/promote", {"reason": "to 10 %"})
    ten = split(application, name, served(world, name, 1000), 1000)
    assert five < ten, "nobody leaves the canary"
    client.post(f"/v1/rollouts/{rollout}/abort", {"reason": "enough seen"})
    served(world, name, 0)
    assert application.ask("all", flag=name, count=500) == {"canary": [], "other": [], "others": 0}
    codes = application.ask("codes")["codes"]
    assert set(codes) <= {"200", "304"}, codes


def test_a_server_application(world, sdk):
    client, name = world.client(), "server-app"
    rollout = start(world, name)
    route = served(world, name, 500)
    lucky = next(f"user-{n}" for n in range(100000) if bucket(route["sticky"]["salt"], f"user-{n}") < 500)
    application = sdk("server", "server-app-1")
    flag = application.ask("one", flag=name, context={"targetingKey": lucky, "plan": "free"})
    canary = next(r for r in route["releases"] if r["role"] == "canary")
    assert flag["variant"] == "v2" and flag["reason"] == "SPLIT" and not flag.get("errorCode")
    assert flag["value"] == {k: v for k, v in canary.items() if k not in ("role", "weight")}
    assert flag["metadata"] == {"epoch": route["epoch"], "incarnation": 1, "role": "canary", "rollout": rollout, "stale": False,
                                "valid_until": flag["metadata"]["valid_until"], "weight": 500}
    wait_for("the evaluation acknowledges the epoch", lambda: acknowledged(world, name, "server-app-1"))
    # a rollback holds from the next evaluation on, whenever that is: it is applied when it is served
    client.post(f"/v1/services/{name}/rollback", {"reason": "test", "to": "v1"})
    served(world, name, 0)
    flag = application.ask("one", flag=name, context={"targetingKey": lucky})
    assert flag["variant"] == "v1" and flag["reason"] == "STATIC"
    wait_for("the rollback is applied", lambda: acknowledged(world, name, "server-app-1"))
    # what goes wrong gives the default, with the code that says why
    for flag, context, code in (("no-such-service", {"targetingKey": "u"}, "FLAG_NOT_FOUND"),
                                ("no/such/service", {"targetingKey": "u"}, "FLAG_NOT_FOUND"),
                                (name, {}, "TARGETING_KEY_MISSING"), (name, {"targetingKey": ""}, "TARGETING_KEY_MISSING")):
        answer = application.ask("one", flag=flag, context=context)
        assert (answer["value"], answer["errorCode"], answer["reason"]) == ({"fallback": True}, code, "ERROR"), answer
    answer = application.ask("string", flag=name, context={"targetingKey": "u"})
    assert answer["value"] == "the default" and answer["errorCode"] == "TYPE_MISMATCH"


def test_a_server_application_with_a_bad_token_hears_it_from_an_error_hook_alone(world, sdk):
    """As the page on OpenFeature says."""
    name = "bad-token"
    start(world, name)
    for token, status, error in (("serin_" + "x" * 40, 401, "OFREPApiUnauthorizedError"),
                                 (world.tokens["viewer"], 403, "OFREPForbiddenError")):
        application = sdk("server", "stranger", token=token)
        assert application.first == {"ready": True}, "the provider asks nothing at its start"
        answer = application.ask("one", flag=name, context={"targetingKey": "u"})
        assert answer["value"] == {"fallback": True} and answer["reason"] == "ERROR", answer
        assert answer["errorCode"] == "GENERAL" and not answer.get("errorMessage"), answer
        assert application.ask("heard") == {"said": [], "failures": [{"name": error, "status": status}]}
        told = world.gateway_client().request("GET", "/metrics", raw=True)[2]
        told = told.decode() if isinstance(told, bytes) else told
        assert any(line.startswith("serin_gateway_requests_total{") and 'path="ofrep"' in line and f'code="{status}"' in line
                   for line in told.splitlines()), told[:2000]


def test_a_web_application(world, sdk):
    client, name = world.client(), "web-app"
    start(world, name)
    route = served(world, name, 500)
    lucky = next(f"user-{n}" for n in range(100000) if bucket(route["sticky"]["salt"], f"user-{n}") < 500)
    application = sdk("web", "web-app-1")
    application.ask("context", targetingKey=lucky)
    flag = application.ask("one", flag=name)
    assert flag["variant"] == "v2" and flag["value"]["release"] == "v2" and flag["metadata"]["role"] == "canary"
    wait_for("its polls acknowledge the epoch", lambda: acknowledged(world, name, "web-app-1"))
    wait_for("polls are 304", lambda: application.ask("codes")["codes"].get("304", 0) >= 2)
    before = application.ask("codes")["codes"]["200"]
    # a rollback reaches the cache by polling, tells the application, and is acknowledged
    client.post(f"/v1/services/{name}/rollback", {"reason": "test", "to": "v1"})
    wait_for("the rollback reaches the client", lambda: application.ask("one", flag=name)["variant"] == "v1", 20)
    assert name in application.ask("changed")["changed"]
    assert application.ask("codes")["codes"]["200"] > before
    wait_for("the rollback is applied", lambda: acknowledged(world, name, "web-app-1"))
    answer = application.ask("one", flag="no-such-service")
    assert answer["value"] == {"fallback": True} and answer["errorCode"] == "FLAG_NOT_FOUND"
    assert application.ask("string", flag=name)["errorCode"] == "TYPE_MISMATCH"
    refused = sdk("web", "stranger", token="serin_" + "x" * 40)
    assert "failed" in refused.first, "an unknown token is fatal at the start"
