"""What the tests of real gateways share: servers behind them, requests through them, a rollout to move weights with."""
import collections
import http.client
import http.server
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

import serin
from serin import bucket, first_release, service, wait_for

GATEWAYS = os.path.join(serin.ROOT, "deploy", "gateways")
STEPS = {"plan": {"steps": [{"weight": w, "bake": "1h"} for w in ("5%", "10%", "25%", "50%", "100%")]},
         "guardrails": {"refusal": {"maturity": "1s", "budget_share": 0}}, "holdback": 0}


def free_port():
    """One that nobody has at this moment: these programs cannot be given port 0 and asked."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Backend:
    """A server that says its name to every request."""

    def __init__(self, name):
        self.told = told = set()  # in X-Serin-Release

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # else each answer waits 40 ms for an acknowledgement
            wbufsize = 65536

            def do_GET(self):
                body = name.encode()
                told.add(self.headers.get("X-Serin-Release"))
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            def handle_error(self, *_):
                pass  # a proxy that ends resets its connections
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_port
        self.addr = f"127.0.0.1:{self.port}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(timeout=10)


def ask(addr, users):
    """One request for each user, over one connection; returns what answered each."""
    answers = []
    connection = http.client.HTTPConnection(addr, timeout=10)
    try:
        for user in users:
            connection.request("GET", "/", headers={"X-User-Id": user} if user else {})
            response = connection.getresponse()
            body = response.read().decode()
            assert response.status == 200, f"{response.status}: {body[:200]}"
            answers.append(body)
            if response.headers.get("Connection") == "close":
                connection.close()
    finally:
        connection.close()
    return answers


def expected(world, users):
    """The release of each user by the rule of the handbook, which the test computes for itself."""
    route = world.gateway_client().get("/v1/routes/chat")
    canary = [r for r in route["releases"] if r["role"] == "canary"]
    stable = [r for r in route["releases"] if r["role"] == "stable"][0]["release"]
    salt = route["sticky"]["salt"]
    return [canary[0]["release"] if canary and bucket(salt, u) < canary[0]["weight"] else stable for u in users]


def shares(addr, count=2000):
    """What each server had of so many requests, in percent."""
    counted = collections.Counter(ask(addr, [f"u{i}" for i in range(count)]))
    return {name: 100 * number / count for name, number in counted.items()}


class Traffic:
    """Requests all the time, each over a connection of its own; every one must be answered."""

    def __init__(self, addr):
        self.addr, self.stopped, self.count, self.failed = addr, threading.Event(), 0, []
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.stopped.wait(0.005):
            try:
                ask(self.addr, [f"t{self.count}"])
            except Exception as error:
                self.failed.append((time.monotonic(), repr(error)))
            self.count += 1

    def stop(self):
        self.stopped.set()
        self.thread.join(timeout=20)
        assert not self.failed, f"{len(self.failed)} of {self.count} requests failed: {self.failed[:3]}"
        assert self.count > 100
        return self.count


class Program:
    """A program under test in a folder of its own, started as a direct child."""

    def __init__(self, name):
        self.path = tempfile.mkdtemp(prefix=f"serin-{name}.")
        self.log = os.path.join(self.path, "log")
        self.process = None

    def start(self, command, **env):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(command, env={**os.environ, **env}, stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL, cwd=self.path)
        return self

    def alive(self):
        assert self.process.poll() is None, self.tail()
        return True

    def tail(self):
        return open(self.log).read()[-3000:]

    def halt(self):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def stop(self):
        self.halt()
        shutil.rmtree(self.path, ignore_errors=True)


def listens(addr):
    host, port = addr.rsplit(":", 1)
    with socket.socket() as one:
        one.settimeout(1)
        return one.connect_ex((host, int(port))) == 0


class Moves:
    """Moves the weights of service chat, each time until its one gateway says that it has applied them."""

    def __init__(self, client, instance):
        self.client, self.instance = client, instance
        service(client, "chat", policy=STEPS)
        first_release(client, "chat")

    def applied(self, timeout=20):
        def look():
            gateways = self.client.get("/v1/gateways?service=chat")["items"]
            return [g["instance"] for g in gateways if g["live"]] == [self.instance] and not gateways[0]["behind"]
        wait_for(f"{self.instance} has applied the route", look, timeout, 0.05)

    def start(self, release="v2"):
        self.rollout = self.client.post("/v1/services/chat/rollouts", {"release": release})["id"]
        wait_for("canary serves", lambda: self.client.get(f"/v1/rollouts/{self.rollout}")["weight"] == 500)
        self.applied()

    def promote(self):
        before = self.client.get(f"/v1/rollouts/{self.rollout}")["weight"]
        self.client.post(f"/v1/rollouts/{self.rollout}/promote")
        wait_for("more weight", lambda: self.client.get(f"/v1/rollouts/{self.rollout}")["weight"] > before)
        self.applied()

    def finish(self):
        self.client.post(f"/v1/rollouts/{self.rollout}/promote", {"full": True})
        wait_for("completed", lambda: self.client.get(f"/v1/rollouts/{self.rollout}")["phase"] == "completed")
        self.applied()

    def abort(self):
        """Returns the seconds from the command to its acknowledgement."""
        began = time.monotonic()
        self.client.post(f"/v1/rollouts/{self.rollout}/abort")
        wait_for("applied at", lambda: [r for r in self.client.get("/v1/routes")["items"]
                                        if r["service"] == "chat"][0]["applied_at"], 20, 0.02)
        took = time.monotonic() - began
        print(f"{self.instance}: rollback applied after {took:.2f} s")
        self.applied()
        return took
