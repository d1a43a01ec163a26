"""What the end-to-end tests are made of: a database, a daemon, a client that holds every answer to the contract, a
gateway that reports what a test wants, and the command line."""
import contextlib
import hashlib
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import urllib.parse

import jsonschema
import yaml

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("SERIN_BUILD", os.path.join(ROOT, "build", "dev"))
SERIND = os.path.join(BUILD, "bin", "serind")
CLI = os.path.join(BUILD, "bin", "serin")
DEMO = os.path.join(BUILD, "bin", "serin-demo-gateway")


def server():
    """Conninfo of the Postgres that tests/run started. Without it nothing can be said: that is a failure."""
    value = os.environ.get("SERIN_TEST_DATABASE_URL")
    assert value, "SERIN_TEST_DATABASE_URL is not set: run tests/run"
    return value


def psql(conninfo, sql):
    """Runs SQL and returns rows as lists of text."""
    run = subprocess.run(["psql", "-qXAt", "-F", "\x1f", "-v", "ON_ERROR_STOP=1", conninfo], input=sql, text=True,
                         capture_output=True, timeout=60)
    if run.returncode != 0:
        raise RuntimeError(run.stderr)
    return [line.split("\x1f") for line in run.stdout.splitlines() if line]


class Database:
    """A database of its own on the test server. `rate`: how much faster than real time its clock runs."""
    count = 0

    def __init__(self, rate=1, conninfo=None):
        self.server = conninfo or server()
        Database.count += 1
        self.name = f"e2e_{os.getpid()}_{Database.count}"
        psql(self.server, f"CREATE DATABASE {self.name}")
        self.conninfo = re.sub(r"dbname=\S+", f"dbname={self.name}", self.server)
        self.rate = rate

    def sql(self, text):
        return psql(self.conninfo, text)

    def migrate(self):
        run = subprocess.run([SERIND, "migrate"], env=self.env(), capture_output=True, text=True, timeout=60)
        assert run.returncode == 0, run.stderr
        if self.rate != 1:
            self.sql(f"UPDATE clock SET origin_real = clock_timestamp(), origin = clock_timestamp(), rate = {self.rate}")
            self.sql("SELECT observations_partitions()")

    def env(self):
        return {**os.environ, "SERIN_DATABASE_URL": self.conninfo, "SERIN_ALLOW_NO_FSYNC": "1"}

    def drop(self):
        with contextlib.suppress(RuntimeError):
            psql(self.server, f"DROP DATABASE IF EXISTS {self.name} WITH (FORCE)")


class Daemon:
    """One serind on free loopback ports, started as a direct child."""

    def __init__(self, database, state_dir=None, **settings):
        self.database = database
        self.state_dir = state_dir or tempfile.mkdtemp(prefix="serin-e2e.")
        self.own_dir = state_dir is None
        self.settings = {k: str(v) for k, v in settings.items()}
        self.process = None
        self.log = os.path.join(self.state_dir, "serind.log")

    def start(self, wait=True):
        for name in ("control.addr", "gateway.addr"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(self.state_dir, name))
        env = {**self.database.env(), "SERIN_CONTROL_ADDR": "127.0.0.1:0", "SERIN_GATEWAY_ADDR": "127.0.0.1:0",
               "SERIN_STATE_DIR": self.state_dir, "SERIN_TICK_MS": "200", "SERIN_SETTLE_MS": "600", "SERIN_WEBHOOK_PRIVATE": "1", **self.settings}
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([SERIND], env=env, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        if wait:
            self.control = self._addr("control.addr")
            self.gateway = self._addr("gateway.addr")
        return self

    def _addr(self, name):
        path = os.path.join(self.state_dir, name)
        for _ in range(200):
            if os.path.exists(path):
                text = open(path).read().strip()
                if text:
                    return text
            assert self.process.poll() is None, open(self.log).read()[-3000:]
            time.sleep(0.05)
        raise AssertionError("serind did not listen within 10 s: " + open(self.log).read()[-3000:])

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        """Orderly; returns the exit code."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError("serind did not stop within 20 s")
        code = self.process.returncode if self.process else None
        if self.own_dir:
            shutil.rmtree(self.state_dir, ignore_errors=True)
        return code

    def token(self, role, name=None):
        name = name or f"{role}-{time.monotonic_ns()}"
        run = subprocess.run([SERIND, "token", "create", "--name", name, "--role", role], env=self.database.env(),
                             capture_output=True, text=True, timeout=20)
        assert run.returncode == 0, run.stderr
        return run.stdout.strip()


# --- the contract -------------------------------------------------------------------------------------------------------

SPEC = yaml.safe_load(open(os.path.join(ROOT, "api", "openapi.yaml")))
exercised = {}  # operationId -> set of status codes seen


def _resolve(node):
    while "$ref" in node:
        target = SPEC
        for part in node["$ref"].lstrip("#/").split("/"):
            target = target[part]
        node = target
    return node


def _operation(method, path):
    """The operation of a path; literal segments win over templates."""
    best = None
    for template, item in SPEC["paths"].items():
        pattern = re.sub(r"\{[^}]+\}", "[^/]+", template)
        if re.fullmatch(pattern, path) and method.lower() in item:
            score = template.count("{")
            if best is None or score < best[0]:
                best = (score, item[method.lower()])
    return best[1] if best else None


class RefResolver(jsonschema.RefResolver):
    pass


def check_contract(method, path, status, content_type, body):
    operation = _operation(method, urllib.parse.unquote(path.split("?")[0]))
    if operation is None:
        return
    exercised.setdefault(operation["operationId"], set()).add(status)
    responses = operation["responses"]
    response = responses.get(str(status)) or responses.get("default")
    assert response is not None, f"{operation['operationId']}: status {status} is not in the contract"
    response = _resolve(response)
    if status == 304 or "content" not in response:
        return
    media = content_type.split(";")[0]
    assert media in response["content"], f"{operation['operationId']} {status}: {media} is not in the contract"
    if not media.endswith("json"):
        return
    schema = response["content"][media].get("schema", True)
    resolver = jsonschema.RefResolver("", SPEC)
    validator = jsonschema.Draft202012Validator(schema, resolver=resolver)
    errors = sorted(validator.iter_errors(body), key=str)
    assert not errors, f"{operation['operationId']} {status}: {errors[0].message} at {list(errors[0].absolute_path)}"


class Problem(Exception):
    def __init__(self, status, body):
        super().__init__(f"{status}: {body.get('detail')} | {body.get('next_step')} | {body.get('errors')}")
        self.status, self.body = status, body


class Client:
    """Speaks to one port with one token. Every answer is held to the contract."""

    def __init__(self, addr, token=None, timeout=20):
        self.addr, self.token, self.timeout = addr, token, timeout

    def request(self, method, path, body=None, headers=None, raw=False):
        connection = http.client.HTTPConnection(self.addr, timeout=self.timeout)
        sent = dict(headers or {})
        if self.token:
            sent["Authorization"] = f"Bearer {self.token}"
        data = None
        if body is not None:
            data = body if isinstance(body, (bytes, str)) else json.dumps(body)
            sent.setdefault("Content-Type", "application/json")
        try:
            connection.request(method, path, body=data, headers=sent)
            response = connection.getresponse()
            text = response.read()
        finally:
            connection.close()
        content_type = response.headers.get("Content-Type", "")
        parsed = None
        if "json" in content_type and text:
            parsed = json.loads(text)
        check_contract(method, path, response.status, content_type, parsed)
        if raw:
            return response.status, dict(response.headers), parsed if parsed is not None else text
        if response.status >= 400:
            raise Problem(response.status, parsed or {})
        return parsed

    def get(self, path, **kw):
        return self.request("GET", path, **kw)

    def post(self, path, body=None, **kw):
        return self.request("POST", path, body if body is not None else {}, **kw)

    def put(self, path, body, **kw):
        return self.request("PUT", path, body, **kw)

    def delete(self, path, **kw):
        return self.request("DELETE", path, **kw)


# --- a gateway that does what a test wants ------------------------------------------------------------------------------------

class Gateway:
    """Polls the route of one service and reports outcomes. `rates`: release -> {sli: bad share}. Time is virtual: `rate`
    times real time, like the database's clock."""

    def __init__(self, daemon, token, service, rates, rps=100, instance="gw-1", seed=1, admissions=True, rate=1, extra=None):
        import random
        self.client = Client(daemon.gateway, token)
        self.service, self.rates, self.rps, self.instance = service, rates, rps, instance
        self.random = random.Random(seed)
        self.admissions, self.rate = admissions, rate
        self.extra = extra or (lambda release: {})
        self.etag, self.route, self.stopped = None, None, threading.Event()
        self.reporting, self.polling = True, True
        self.seen = []  # (monotonic, epoch, canary weight)
        self.failed = None
        self.served = {}
        self.thread = threading.Thread(target=self._run, daemon=True)

    def start(self):
        self.thread.start()
        return self

    def stop(self):
        self.stopped.set()
        self.thread.join(timeout=20)
        assert not self.thread.is_alive()
        if self.failed:
            raise self.failed

    def poll(self, wait=None):
        headers = {"Serin-Gateway": self.instance}
        if self.etag:
            headers["If-None-Match"] = self.etag
        status, got, body = self.client.request("GET", f"/v1/routes/{self.service}" + (f"?wait={wait}" if wait else ""),
                                                headers=headers, raw=True)
        if status == 200:
            assert sum(r["weight"] for r in body["releases"]) == 10000  # law 1, at every poll
            self.etag, self.route = got.get("ETag") or got.get("Etag"), body
            self.seen.append((time.monotonic(), body["epoch"], self.canary_weight()))
        return status, got, body

    def canary_weight(self):
        return sum(r["weight"] for r in self.route["releases"] if r["role"] == "canary") if self.route else 0

    def _choose(self):
        draw = self.random.randrange(10000)
        for release in sorted(self.route["releases"], key=lambda r: r["role"] != "canary"):
            if draw < release["weight"]:
                return release["release"]
            draw -= release["weight"]
        raise AssertionError("weights do not sum to 10,000")

    def batch(self, virtual_s):
        """The requests of the last `virtual_s` seconds, all known at once."""
        count, outcomes, given = int(self.rps * virtual_s + self.random.random()), [], {}
        for _ in range(count):
            release = self._choose()
            given[release] = given.get(release, 0) + 1
            sli = {name: self.random.random() < share for name, share in self.rates[release].items()}
            outcomes.append({"release": release, "age_ms": int(self.random.random() * virtual_s * 1000), "sli": sli,
                             **self.extra(release)})
        for release, number in given.items():
            self.served[release] = self.served.get(release, 0) + number
        body = {"service": self.service, "clock_ms": int(time.monotonic() * self.rate * 1000), "outcomes": outcomes}
        if self.admissions:
            ages = {}
            for outcome in outcomes:
                key = (outcome["release"], outcome["age_ms"])
                ages[key] = ages.get(key, 0) + 1
            body["admissions"] = [{"release": r, "age_ms": a, "count": n} for (r, a), n in ages.items()]
        return body

    def report(self, body, key=None):
        headers = {"Serin-Gateway": self.instance, "Idempotency-Key": key or f"{self.instance}-{time.monotonic_ns()}"}
        return self.client.request("POST", "/v1/outcomes", body, headers=headers)

    def _run(self):
        last = time.monotonic()
        try:
            while not self.stopped.is_set():
                if self.polling:
                    status, _, _ = self.poll()
                now = time.monotonic()
                if self.route and self.route["releases"] and self.reporting:
                    self.report(self.batch((now - last) * self.rate))
                last = now
                self.stopped.wait(0.1)
        except Exception as error:  # shown by stop(), so that a test cannot pass over it
            if not self.stopped.is_set():
                self.failed = error


def bucket(salt, key):
    return int.from_bytes(hashlib.sha256(f"{salt}:{key}".encode()).digest()[:8], "big") % 10000


# --- a service ready to be rolled out ---------------------------------------------------------------------------------------------

def artifacts(client, name, prompt="You help.", model="gpt-x"):
    client.post(f"/v1/artifacts/prompt/{name}/versions", {"content": prompt})
    client.post(f"/v1/artifacts/model/{name}/versions", {"content": {"provider": "sim", "model": model}})


def release(client, service, name, prompt):
    """A release with a prompt of its own."""
    version = client.post(f"/v1/artifacts/prompt/{service}/versions", {"content": prompt})["version"]
    model = client.post(f"/v1/artifacts/model/{service}/versions",
                        {"content": {"provider": "sim", "model": "m-1"}})["version"]
    return client.post(f"/v1/services/{service}/releases", {
        "name": name, "changelog": f"prompt: {prompt}",
        "artifacts": [{"kind": "prompt", "name": service, "version": version},
                      {"kind": "model", "name": service, "version": model}],
        "fallback": {"refusal": {"message": "I cannot help with that.", "action": "Ask a person."}}})


QUICK_PLAN = {"steps": [{"weight": "5%", "bake": "2s"}, {"weight": "25%", "bake": "2s"}, {"weight": "50%", "bake": "2s"},
                        {"weight": "100%", "bake": "5s"}]}


def service(client, name, slos=None, policy=None, releases=("v1", "v2")):
    client.put(f"/v1/services/{name}", {"description": "test", "sticky": "user"})
    client.put(f"/v1/services/{name}/slos", {"slos": slos or {"refusal": {"objective": 90}}})
    client.put(f"/v1/services/{name}/policy", policy or {
        "plan": QUICK_PLAN, "guardrails": {"refusal": {"maturity": "3s", "budget_share": 0}}, "blind": "60s"})
    for one in releases:
        release(client, name, one, f"{name} {one}")


def wait_for(what, until, timeout=60, every=0.1):
    """Polls until `until()` is true; returns its value. Bounded."""
    end = time.monotonic() + timeout
    while True:
        value = until()
        if value:
            return value
        assert time.monotonic() < end, f"{what}: not within {timeout} s"
        time.sleep(every)


def gateway_live(client, name, timeout=20):
    """Waits until some gateway of the service counts as live: it has polled its route."""
    wait_for(f"a gateway of {name} is live",
             lambda: any(g["live"] for g in client.get(f"/v1/gateways?service={name}")["items"]), timeout)


def first_release(client, name, release_name="v1", timeout=60):
    """Makes `release_name` the stable release of a service through its first rollout, promoted by hand."""
    rollout = client.post(f"/v1/services/{name}/rollouts", {"release": release_name, "allow_no_gateway": True})
    wait_for("first release serves", lambda: client.get(f"/v1/rollouts/{rollout['id']}")["phase"] == "baking", timeout)
    client.post(f"/v1/rollouts/{rollout['id']}/promote", {"full": True})
    assert client.get(f"/v1/services/{name}")["stable"] == release_name
    return rollout["id"]


def ended(client, rollout_id, timeout=120):
    phases = ("completed", "aborted", "rolled_back")

    def look():
        rollout = client.get(f"/v1/rollouts/{rollout_id}")
        return rollout if rollout["phase"] in phases else None
    return wait_for(f"rollout {rollout_id} ends", look, timeout, 0.2)


def cli(daemon, token, *arguments, check=None, stdin=None, timeout=120):
    env = {**os.environ, "SERIN_URL": f"http://{daemon.control}", "SERIN_TOKEN": token, "NO_COLOR": "1"}
    run = subprocess.run([CLI, *arguments], env=env, capture_output=True, text=True, timeout=timeout, input=stdin)
    if check is not None:
        assert run.returncode == check, f"serin {' '.join(arguments)}: {run.returncode}\n{run.stdout}\n{run.stderr}"
    return run
