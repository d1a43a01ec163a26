"""Something hostile where Prometheus should be: it costs bounded time and memory, ends as verdict error, and nobody else
notices."""
import contextlib
import gzip
import http.server
import re
import threading
import time

import pytest

import serin
from serin import first_release, gateway_live, service, wait_for

MEMORY_MIB = 350  # the most that serind may have had at any time
VECTOR = '{"status":"success","data":{"resultType":"vector","result":[{"metric":{"release":"v2"},"value":[1,"%s"]}]}}'


class Hostile:
    """The mode is the first part of the path: http://.../endless is a source of its own."""

    def __init__(self):
        hostile = self
        self.stopped = threading.Event()
        self.elsewhere = 0  # requests to where the redirect points
        self.asked = {}
        labels = ",".join(f'"l{i:x}":""' for i in range(400000))
        self.bodies = {
            "types": '{"status":"success","data":{"resultType":"vector","result":[{"metric":"v2","value":1}]}}',
            "huge": VECTOR % "1e308", "nan": VECTOR % "NaN", "html": "<html>log in</html>",
            "labels": '{"status":"success","data":{"resultType":"vector","result":[{"metric":{"release":"v2",%s},'
                      '"value":[1,"x"]}]}}' % labels}
        self.bomb = gzip.compress(b"[" * (64 << 20), 9)

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                hostile.elsewhere += 1
                self.send_error(404)

            def do_POST(self):
                mode = self.path.split("/")[1]
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                hostile.asked[mode] = hostile.asked.get(mode, 0) + 1
                with contextlib.suppress(OSError):
                    getattr(self, mode, self.body)(mode)

            def head(self, length=None, **headers):
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                for name, value in headers.items():
                    self.send_header(name.replace("_", "-"), value)
                if length is not None:
                    self.send_header("Content-Length", str(length))
                self.end_headers()

            def body(self, mode):
                text = hostile.bodies[mode].encode()
                self.head(len(text))
                self.wfile.write(text)

            def endless(self, _):
                self.head()
                while not hostile.stopped.is_set():
                    self.wfile.write(b"[" * 65536)

            def drip(self, _):
                self.head()
                while not hostile.stopped.wait(0.05):
                    self.wfile.write(b" ")
                    self.wfile.flush()

            def silent(self, _):
                hostile.stopped.wait(60)

            def redirect(self, _):
                self.send_response(307)
                self.send_header("Location", f"http://127.0.0.1:{hostile.server.server_port}/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def bomb(self, _):
                self.head(len(hostile.bomb), Content_Encoding="gzip")
                self.wfile.write(hostile.bomb)

            def log_message(self, *_):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def stop(self):
        self.stopped.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(timeout=10)


# mode -> what the fault must name
MODES = {"endless": "bytes", "drip": "did not answer within", "silent": "did not answer within", "redirect": "redirect",
         "types": "without labels", "huge": "is not a count", "nan": "is not a count", "html": "not JSON", "bomb": "not JSON",
         "labels": "no readable value|needed more than"}  # the latter on a machine that is busy with other things


@pytest.fixture(scope="module")
def scene(world):
    hostile = Hostile()
    client = world.client()
    world.hostile, world.rollouts = hostile, {}
    try:
        for name in [*MODES, "honest"]:
            source = {} if name == "honest" else {"source": {"prometheus": {
                "url": f"{hostile.url}/{name}", "interval": "1s", "requests": "req_total", "bad": {"refusal": "bad_total"}}}}
            service(client, name, policy={
                "plan": {"steps": [{"weight": "20%", "bake": "2s"}, {"weight": "50%", "bake": "2s"},
                                   {"weight": "100%", "bake": "1h"}]},
                "guardrails": {"refusal": {"budget_share": 0, "margin": 10, "maturity": "1s"}}, "blind": "10m", **source})
            first_release(client, name)
            gateway = world.gateway(name, {"v1": {"refusal": 0.02}, "v2": {"refusal": 0.02}}, rps=300)
            gateway.reporting = name == "honest"
            gateway.start()
        for name in [*MODES, "honest"]:
            gateway_live(client, name)
            world.rollouts[name] = client.post(f"/v1/services/{name}/rollouts", {"release": "v2"})["id"]
        yield world
    finally:
        hostile.stop()


@pytest.mark.parametrize("mode", MODES)
def test_it_ends_as_error_and_the_rollout_says_why(scene, mode):
    client, rollout = scene.client(), scene.rollouts[mode]
    shown = wait_for(f"{mode}: held", lambda: (lambda e: e if e["rule"] == "hold.source" else None)(
        client.get(f"/v1/rollouts/{rollout}/explain")), 90)
    guardrail, error = shown["guardrails"][0], shown["data"]["source_error"]
    assert guardrail["verdict"] == "error" and guardrail["total"]["canary"]["n"] == 0, guardrail
    assert re.search(MODES[mode], error["detail"]) and error["next_step"], error
    assert error["detail"] in shown["reason"] and shown["next_step"] == error["next_step"], shown["reason"]
    assert shown["step"] == 1, "nothing has advanced"
    event = next(e for e in client.get(f"/v1/events?rollout={rollout}")["items"] if e["rule"] == "hold.source")
    assert error["detail"] in event["reason"] and event["data"]["inputs"]["source"] == 2


def test_nobody_else_notices(scene):
    """A rollout that counts outcomes goes through its steps while ten sources misbehave; and on-call gets through."""
    client = scene.client()
    wait_for("advanced", lambda: client.get(f"/v1/rollouts/{scene.rollouts['honest']}")["step"] == 3, 60)
    assert client.post(f"/v1/rollouts/{scene.rollouts['silent']}/abort", {"reason": "test"})["phase"] == "aborted"


def test_memory_is_bounded_and_a_redirect_is_not_followed(scene):
    before = dict(scene.hostile.asked)
    wait_for("each was asked again", lambda: all(scene.hostile.asked[m] > before[m] for m in MODES if m != "silent"), 120)
    for line in open(f"/proc/{scene.daemon.process.pid}/status"):
        if line.startswith("VmHWM"):
            peak = int(line.split()[1]) / 1024
    print(f"serind had at most {peak:.0f} MiB")
    assert peak < MEMORY_MIB, f"{peak:.0f} MiB"
    assert scene.hostile.elsewhere == 0
