"""A real nginx with the configuration of deploy/gateways/nginx, kept in step by its serin-split.sh."""
import os
import re
import shutil
import subprocess
import time

import pytest

import proxies
import serin
from proxies import Backend, Moves, Program, Traffic, ask, free_port, listens
from serin import wait_for

NGINX = shutil.which("nginx") or ("/usr/sbin/nginx" if os.path.exists("/usr/sbin/nginx") else None)
if NGINX is None:
    pytest.skip("the program nginx is not installed (package nginx)", allow_module_level=True)

FOLDER = os.path.join(proxies.GATEWAYS, "nginx")
USERS = [f"u{i}" for i in range(2000)]


def murmur2(data):
    """The hash of split_clients, 32 bits, seed 0."""
    m, h, at = 0x5BD1E995, len(data), 0
    while len(data) - at >= 4:
        k = int.from_bytes(data[at:at + 4], "little") * m & 0xFFFFFFFF
        k = (k ^ k >> 24) * m & 0xFFFFFFFF
        h = (h * m & 0xFFFFFFFF) ^ k
        at += 4
    rest = data[at:]
    if rest:
        h = (h ^ int.from_bytes(rest, "little")) * m & 0xFFFFFFFF
    h = (h ^ h >> 13) * m & 0xFFFFFFFF
    return h ^ h >> 15


def expected(world, users):
    """The release of each user, as split_clients is to draw it."""
    route = world.gateway_client().get("/v1/routes/chat")
    weights = {r["role"]: r for r in route["releases"]}
    if "canary" not in weights:
        return [weights["stable"]["release"]] * len(users)
    below = weights["canary"]["weight"] * 0xFFFFFFFF // 10000
    return [weights["canary" if murmur2(f"{route['sticky']['salt']}:{u}".encode()) < below else "stable"]["release"]
            for u in users]


class Nginx(Program):
    def __init__(self, v1, v2):
        super().__init__("nginx")
        for folder in ("split", "temp"):
            os.mkdir(os.path.join(self.path, folder))
        os.chmod(self.path, 0o755)
        self.addr, self.status = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
        self.split = os.path.join(self.path, "split", "chat.conf")
        text = open(os.path.join(FOLDER, "nginx.conf")).read()
        for there, here in (("127.0.0.1:8180", self.addr), ("127.0.0.1:8189", self.status), ("127.0.0.1:8181", v1.addr),
                            ("127.0.0.1:8182", v2.addr)):
            assert text.count(there) == 1
            text = text.replace(there, here)
        with open(os.path.join(self.path, "nginx.conf"), "w") as file:
            file.write(text)
        self.command = [NGINX, "-e", "stderr", "-p", self.path, "-c", "nginx.conf"]
        self.poller = Program("split")

    def env(self, world):
        return {"SERIN_URL": f"http://{world.daemon.gateway}", "SERIN_TOKEN": world.tokens["gateway"],
                "SERIN_SERVICE": "chat", "SERIN_INSTANCE": "nginx-1", "SERIN_SPLIT_FILE": self.split,
                "SERIN_NGINX": " ".join(self.command), "SERIN_WAIT": "2", "SERIN_KEY": "llm_key",
                "SERIN_CONFIRM_URL": f"http://{self.status}/serin/chat"}

    def run(self, world):
        script = os.path.join(FOLDER, "serin-split.sh")
        first = subprocess.run([script, "--once"], env={**os.environ, **self.env(world)}, capture_output=True, text=True,
                               timeout=20)
        assert first.returncode == 0, first.stderr
        self.start([*self.command, "-g", "daemon off;"])
        wait_for("nginx listens", lambda: self.alive() and listens(self.addr), 10)
        self.poller.start([script], **self.env(world))
        return self

    def stop(self):
        self.poller.stop()
        super().stop()


@pytest.fixture(scope="module")
def releases():
    made = Backend("v1"), Backend("v2")
    yield made
    for one in made:
        one.stop()


def test_shares_follow_every_change_without_an_error(own_world, releases):
    world = own_world().start()
    moves = Moves(world.client(), "nginx-1")
    nginx = Nginx(*releases).run(world)
    try:
        moves.applied()
        traffic = Traffic(nginx.addr)
        assert set(ask(nginx.addr, USERS[:50])) == {"v1"}
        moves.start()
        before = set()
        for weight in (5, 10, 25, 50, 100):
            if weight > 5:
                moves.promote()
            got = ask(nginx.addr, USERS)
            assert got == expected(world, USERS)
            canary = {user for user, release in zip(USERS, got) if release == "v2"}
            assert abs(len(canary) / 20 - weight) <= 5, "the test's own hash is far off"
            assert before <= canary, "somebody was moved off the canary by a higher weight"
            before = canary
        took = moves.abort()
        assert took < 10, f"the rollback was applied after {took:.1f} s"
        assert set(ask(nginx.addr, USERS)) == {"v1"}
        count = traffic.stop()
        lines = open(os.path.join(nginx.path, "outcomes.log")).read().splitlines()
        assert len(lines) >= count and re.match(r'\{"service":"chat","release":"v\d","status":200,', lines[-1])
    finally:
        nginx.stop()


def test_a_configuration_that_nginx_refuses_is_not_acknowledged(own_world, releases):
    world = own_world().start()
    moves = Moves(world.client(), "nginx-1")
    nginx = Nginx(*releases).run(world)
    main = os.path.join(nginx.path, "nginx.conf")
    try:
        moves.applied()
        kept, split = open(main).read(), open(nginx.split).read()
        with open(main, "a") as file:
            file.write("nonsense;\n")
        traffic = Traffic(nginx.addr)
        rollout = world.client().post("/v1/services/chat/rollouts", {"release": "v2"})["id"]
        wait_for("nginx has refused it", lambda: "nginx refuses the configuration" in nginx.poller.tail(), 20)
        time.sleep(1.5)
        route = [r for r in world.client().get("/v1/routes")["items"] if r["service"] == "chat"][0]
        assert route["applied_at"] is None
        assert [g["instance"] for g in world.client().get("/v1/gateways?service=chat")["items"] if g["behind"]] == ["nginx-1"]
        assert set(ask(nginx.addr, USERS[:100])) == {"v1"}
        with open(main, "w") as file:
            file.write(kept)
        moves.applied()
        assert ask(nginx.addr, USERS) == expected(world, USERS)
        assert open(nginx.split).read() != split
        world.client().post(f"/v1/rollouts/{rollout}/abort")
        moves.applied()
        traffic.stop()
    finally:
        nginx.stop()


def test_the_canary_stays_no_longer_than_its_lease(own_world, releases):
    world = own_world(SERIN_CANARY_LEASE_S=10).start()
    moves = Moves(world.client(), "nginx-1")
    nginx = Nginx(*releases).run(world)
    try:
        moves.applied()
        moves.start()
        for _ in range(3):
            moves.promote()
        # the lease is renewed every 3 s: without a reload
        inode = os.stat(nginx.split).st_ino
        time.sleep(5)
        assert os.stat(nginx.split).st_ino == inode, "a lease that was only renewed made a reload"
        assert "v2" in ask(nginx.addr, USERS[:100])
        traffic = Traffic(nginx.addr)
        world.daemon.kill()
        wait_for("stable alone", lambda: "v2" not in ask(nginx.addr, USERS[:100]), 25, 0.3)
        assert "has run out" in nginx.poller.tail()
        traffic.stop()
    finally:
        nginx.stop()


def test_every_weight_can_be_said_to_nginx(own_world, tmp_path):
    """A block for every weight from 0.01 % to 99.99 %, as serind writes them, in one configuration."""
    world = own_world().start()
    Moves(world.client(), "nginx-1")
    gate = world.gateway_client()
    wait_for("route", lambda: gate.request("GET", "/v1/routes/chat", raw=True)[0] == 200)
    text = gate.request("GET", "/v1/routes/chat?format=nginx&variable=w", raw=True)[2].decode()
    assert '    * "v1";' in text and "%" not in text.split("split_clients")[1]
    block = 'split_clients "salt:${request_id}" $w%d {\n    %d.%02d%% "v2";\n    * "v1";\n}\n'
    (tmp_path / "split.conf").write_text("".join(block % (w, w // 100, w % 100) for w in range(1, 10000)))
    (tmp_path / "nginx.conf").write_text("pid nginx.pid;\nerror_log stderr;\nevents {}\nhttp {\n    access_log off;\n"
                                         "    variables_hash_max_size 65536;\n" + "".join(
                                             f"    {m}_temp_path {m};\n" for m in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
                                         + "    include split.conf;\n}\n")
    run = subprocess.run([NGINX, "-e", "stderr", "-p", str(tmp_path), "-c", "nginx.conf", "-t"], capture_output=True, text=True,
                         timeout=60)
    assert run.returncode == 0, run.stderr[-500:]


def test_formats_answer_like_json(own_world):
    world = own_world().start()
    moves = Moves(world.client(), "gw")
    gate = world.gateway_client()
    wait_for("v1 is stable", lambda: b"stable v1" in gate.request("GET", "/v1/routes/chat?format=plain", raw=True)[2])
    status, headers, body = gate.request("GET", "/v1/routes/chat?format=nginx&key=arg_user&variable=rel", raw=True)
    assert status == 200 and headers["Content-Type"].startswith("text/plain")
    assert ':${arg_user}" $rel {' in body.decode() and 'map "" $rel_epoch' in body.decode()
    assert headers["ETag"] == gate.request("GET", "/v1/routes/chat", raw=True)[1]["ETag"]
    for form in ("nginx", "plain", "json"):
        same = {"If-None-Match": headers["ETag"]}
        assert gate.request("GET", f"/v1/routes/chat?format={form}", headers=same, raw=True)[0] == 304
        began = time.monotonic()
        assert gate.request("GET", f"/v1/routes/chat?format={form}&wait=1s", headers=same, raw=True)[0] == 304
        assert time.monotonic() - began > 0.8
    plain = gate.request("GET", "/v1/routes/chat?format=plain", raw=True)[2].decode().splitlines()
    assert plain[0] == "service chat" and "stable v1 10000" in plain and plain[-1] == "end"
    for query in ("format=xml", "format=", "format=nginx&key=a%3Bb", "format=nginx&key=$x", "format=nginx&variable=1a",
                  "format=nginx&variable=", "format=nginx&key=" + "k" * 64):
        status, _, problem = gate.request("GET", f"/v1/routes/chat?{query}", raw=True)
        assert status == 422 and problem["next_step"], query
    # a parked poll brings the new form
    world.gateway("chat", {"v1": {}, "v2": {}}, instance="gw").poll()
    moves.client.post("/v1/services/chat/rollouts", {"release": "v2", "allow_no_gateway": True})
    status, _, body = gate.request("GET", "/v1/routes/chat?format=plain&wait=20s", headers=same, raw=True)
    assert status == 200 and "canary v2 500" in body.decode().splitlines()
