"""A real HAProxy with the configurations of deploy/gateways/haproxy: agent-checks, and the Lua poller."""
import http.client
import os
import re
import shutil
import socket
import time

import pytest

import proxies
import serin
from proxies import Backend, Moves, Program, Traffic, ask, expected, free_port, listens, shares
from serin import wait_for

HAPROXY = shutil.which("haproxy") or ("/usr/sbin/haproxy" if os.path.exists("/usr/sbin/haproxy") else None)
if HAPROXY is None:
    pytest.skip("the program haproxy is not installed (package haproxy)", allow_module_level=True)

FOLDER = os.path.join(proxies.GATEWAYS, "haproxy")
BACKEND = "chat"


class HAProxy(Program):
    """With a socket for what it says of its servers."""

    def __init__(self, config, edit=lambda text: text):
        super().__init__("haproxy")
        text = edit(open(os.path.join(FOLDER, config)).read())
        self.socket = os.path.join(self.path, "s")
        text = text.replace("global\n", f"global\n    stats socket {self.socket} level admin\n", 1)
        with open(os.path.join(self.path, "cfg"), "w") as file:
            file.write(text)
        self.addr = f"127.0.0.1:{free_port()}"

    def run(self, **env):
        self.start([HAPROXY, "-db", "-f", os.path.join(self.path, "cfg")], LLM_LISTEN=self.addr, **env)
        wait_for("haproxy listens", lambda: self.alive() and listens(self.addr), 10)
        return self

    def servers(self):
        """Server -> (state, weight)."""
        with socket.socket(socket.AF_UNIX) as one:
            one.settimeout(5)
            one.connect(self.socket)
            one.sendall(b"show stat\n")
            data = b""
            while part := one.recv(65536):
                data += part
        rows = [line.split(",") for line in data.decode().splitlines()]
        return {r[1]: (r[17], int(r[18])) for r in rows if len(r) > 20 and r[0] == BACKEND and r[1] != "BACKEND"}


@pytest.fixture(scope="module")
def backends():
    made = {name: Backend(name) for name in ("stable", "canary", "v1", "v2")}
    yield made
    for one in made.values():
        one.stop()


def agent_world(own_world, **settings):
    world = own_world(SERIN_HAPROXY_ADDR="127.0.0.1:0", **settings).start()
    wait_for("agent-checks are taken", lambda: os.path.exists(os.path.join(world.daemon.state_dir, "haproxy.addr")))
    world.agent = world.daemon._addr("haproxy.addr")
    return world


def agent_haproxy(world, backends, edit=lambda text: text):
    return HAProxy("agent.cfg", edit).run(
        STABLE_ADDR=backends["stable"].addr, CANARY_ADDR=backends["canary"].addr, SERIN_HOST="127.0.0.1",
        SERIN_AGENT_PORT=world.agent.split(":")[1], SERIN_GATEWAY_PORT=world.daemon.gateway.split(":")[1],
        HAPROXY_NAME="edge-1")


def line_of(addr, sent):
    """What is answered to a line."""
    host, port = addr.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=5) as one:
        one.sendall(sent)
        data = b""
        while part := one.recv(4096):
            data += part
    return data.decode()


def test_agent_shares_follow_every_change_without_an_error(own_world, backends):
    world = agent_world(own_world)
    moves = Moves(world.client(), "edge-1")
    haproxy = agent_haproxy(world, backends)
    try:
        moves.applied()
        assert haproxy.servers()["canary"][0] == "MAINT", "a canary without weight is out"
        traffic = Traffic(haproxy.addr)
        assert shares(haproxy.addr) == {"stable": 100}
        moves.start()
        for weight in (5, 10, 25, 50, 100):
            if weight > 5:
                moves.promote()
            wait_for("the check of the canary", lambda: haproxy.servers()["canary"][0].startswith("UP"), 10, 0.05)
            got = shares(haproxy.addr).get("canary", 0)
            assert abs(got - weight) <= 2, f"{got} % at a weight of {weight} %"
        # everything is at the canary, and stable out: the rollback must raise the one before it takes out the other
        assert haproxy.servers()["stable"][0] == "MAINT"
        took = moves.abort()
        assert took < 8, f"the rollback was applied after {took:.1f} s"
        assert shares(haproxy.addr) == {"stable": 100}
        assert haproxy.servers()["canary"][0] == "MAINT"
        moves.start()
        moves.promote()
        # where both have weight, the canary is out with its next question
        took = moves.abort()
        assert took < 4, f"the rollback from 10 % was applied after {took:.1f} s"
        # a second one, that is promoted: stable is v2 then, and the role's server goes on
        moves.start()
        moves.finish()
        assert shares(haproxy.addr, 500) == {"stable": 100}
        traffic.stop()
        told = [e for e in world.client().get("/v1/events?service=chat")["items"] if e["type"] == "route.applied"]
        assert told
    finally:
        haproxy.stop()


def test_agent_lowering_to_a_weight_without_a_word_takes_the_next_lower(own_world, backends):
    """HAProxy takes steps of 0.5 %: on-call gets what is below at once, and is told."""
    world = agent_world(own_world)
    client = world.client()
    moves = Moves(client, "edge-1")
    haproxy = agent_haproxy(world, backends)

    def run(*words, code=0):
        return serin.cli(world.daemon, world.tokens["admin"], *words, check=code)

    def edge():
        return client.get("/v1/gateways?service=chat")["items"][0]

    def out():
        return haproxy.servers()["canary"][0] == "MAINT"
    says = "cannot apply 0.2 %: its weights are multiples of 0.5 %. It applies 0 %."
    try:
        moves.applied()
        assert (edge()["weight_step"], edge()["problem"]) == (50, None)
        # nothing starts with such a weight
        plan = {"steps": [{"weight": "0.2%", "bake": "1h"}, {"weight": "100%", "bake": "1h"}]}
        with pytest.raises(serin.Problem) as refused:
            client.post("/v1/services/chat/rollouts", {"release": "v2", "plan": plan})
        assert refused.value.status == 409
        assert "edge-1 cannot apply 0.2 %, the weight of step 1" in refused.value.body["detail"]
        assert "the nearest that it can apply is 0.5 %" in refused.value.body["next_step"]
        traffic = Traffic(haproxy.addr)
        moves.start()
        for _ in range(2):
            moves.promote()
        wait_for("25 %", lambda: abs(shares(haproxy.addr, 400).get("canary", 0) - 25) <= 2, 10)
        # what is between two steps is the lower one, and not what was applied
        assert "edge-1 cannot apply 7.2 %" in run("rollout", "set-weight", "chat", "7.2%").stdout
        wait_for("7 %", lambda: haproxy.servers()["canary"] == ("UP", 14) and haproxy.servers()["stable"][1] == 186, 10)
        assert abs(shares(haproxy.addr)["canary"] - 7) <= 1
        # below the first step it is out
        assert f"edge-1 {says}" in " ".join(run("rollout", "set-weight", "chat", "0.2%").stdout.split())
        wait_for("the canary is out", out, 10)
        assert shares(haproxy.addr, 400) == {"stable": 100}
        time.sleep(2)  # what was heard is written down once a second
        row = edge()
        assert row["behind"] and row["live"] and row["problem"] == f"It {says}", row
        assert re.search(r"^edge-1 .* behind .* It cannot apply 0.2 %", run("gateways", "chat").stdout, re.M)
        explained = " ".join(run("explain", "chat").stdout.split())
        assert explained.count(f"edge-1 {says}") >= 2, explained
        assert "Nothing, if the gateways poll" not in explained
        # and what is refused names a weight that works
        refused = run("rollout", "set-weight", "chat", "0.5%", code=1)
        assert "A lower one, which edge-1 can apply too, is 0 %." in " ".join(refused.stderr.split()), refused.stderr
        run("rollout", "set-weight", "chat", "0%")
        moves.applied()
        assert edge()["problem"] is None
        run("rollout", "resume", "chat")
        moves.applied()
        wait_for("the step's own weight", lambda: abs(shares(haproxy.addr, 400).get("canary", 0) - 25) <= 2, 10)
        moves.abort()
        assert shares(haproxy.addr, 400) == {"stable": 100}
        traffic.stop()
    finally:
        haproxy.stop()
    assert "the canary is told less weight than its route says" in open(world.daemon.log).read()


def test_agent_a_restarted_haproxy_begins_with_stable_alone(own_world, backends):
    world = agent_world(own_world)
    moves = Moves(world.client(), "edge-1")
    slow = lambda text: text.replace("agent-inter 500ms", "agent-inter 2s")
    haproxy = agent_haproxy(world, backends, slow)
    try:
        moves.applied()
        moves.start()
        for _ in range(3):
            moves.promote()
        haproxy.halt()
        haproxy.start([HAPROXY, "-db", "-f", os.path.join(haproxy.path, "cfg")], LLM_LISTEN=haproxy.addr,
                      STABLE_ADDR=backends["stable"].addr, CANARY_ADDR=backends["canary"].addr, SERIN_HOST="127.0.0.1",
                      SERIN_AGENT_PORT=world.agent.split(":")[1], HAPROXY_NAME="edge-1",
                      SERIN_GATEWAY_PORT=world.daemon.gateway.split(":")[1])
        wait_for("haproxy listens", lambda: haproxy.alive() and listens(haproxy.addr), 10, 0.01)
        assert set(ask(haproxy.addr, ["u"] * 20)) == {"stable"}
        wait_for("the canary is back", lambda: haproxy.servers()["canary"][0].startswith("UP"), 10)
        assert abs(shares(haproxy.addr)["canary"] - 50) <= 2
    finally:
        haproxy.stop()


def test_agent_without_serin_stable_goes_on_and_the_lease_ends(own_world, backends):
    """serind is killed: HAProxy keeps its weights, until the check that stands for the lease has failed."""
    world = agent_world(own_world)
    moves = Moves(world.client(), "edge-1")
    edited = []

    def short(text):
        edited.append("inter 10s fall 90" in text)
        return text.replace("inter 10s fall 90", "inter 500ms fall 6", 1)
    haproxy = agent_haproxy(world, backends, short)
    try:
        assert edited == [True]
        moves.applied()
        moves.start()
        moves.promote()
        traffic = Traffic(haproxy.addr)
        world.daemon.kill()
        time.sleep(1)
        assert abs(shares(haproxy.addr, 400)["canary"] - 10) <= 2
        wait_for("the lease has run out", lambda: haproxy.servers()["canary"][0].startswith("DOWN"), 15)
        assert shares(haproxy.addr, 400) == {"stable": 100}
        traffic.stop()
    finally:
        haproxy.stop()


def test_agent_answers_what_it_cannot_read_without_changing_anything(own_world):
    world = agent_world(own_world)
    Moves(world.client(), "nobody")
    world.client().put("/v1/services/empty", {"description": "no release"})
    wait_for("the route is known", lambda: line_of(world.agent, b"chat/@stable\n").startswith("ready 200% "))
    for sent in (b"\n", b"chat\n", b"chat/\n", b"/v1\n", b"chat/@other\n", b"chat/v1 a b c\n", b"nobody/v1\n", b"chat/v77\n",
                 b"\xff\x00/v1\n", b"x" * 255 + b"\n", b"x" * 5000, b"GET / HTTP/1.1\r\n\r\n", b"empty/v1 e1\n"):
        answer = line_of(world.agent, sent)
        assert answer.startswith("# ") and answer.endswith("\n"), (sent, answer)
    assert line_of(world.agent, b"chat/v1\r\n").startswith("ready 200% ")
    # one that says nothing costs a connection for a moment only; one that left costs nothing
    host, port = world.agent.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=10) as silent:
        assert silent.recv(10) == b""
    for _ in range(50):
        socket.create_connection((host, int(port)), timeout=5).close()
    assert line_of(world.agent, b"chat/v1 a b\n").startswith("ready 200% ")
    live = {g["instance"]: g for g in world.client().get("/v1/gateways?service=chat")["items"]}
    assert "haproxy-127.0.0.1" in live, "an HAProxy without a name is known by its address"


def lua_haproxy(world, backends, edit=lambda text: text):
    return HAProxy("lua.cfg", edit).run(
        V1_ADDR=backends["v1"].addr, V2_ADDR=backends["v2"].addr, SERIN_LUA=os.path.join(FOLDER, "serin.lua"),
        SERIN_URL=f"http://{world.daemon.gateway}", SERIN_TOKEN=world.tokens["gateway"], SERIN_SERVICES="chat",
        SERIN_INSTANCE="edge-lua")


def test_lua_assigns_every_user_as_the_route_says(own_world, backends):
    world = own_world().start()
    moves = Moves(world.client(), "edge-lua")
    haproxy = lua_haproxy(world, backends)
    users = [f"u{i}" for i in range(2000)]
    try:
        moves.applied()
        traffic = Traffic(haproxy.addr)
        assert set(ask(haproxy.addr, users[:50])) == {"v1"}
        moves.start()
        before = set()
        for weight in (5, 10, 25, 50, 100):
            if weight > 5:
                moves.promote()
            got = ask(haproxy.addr, users)
            assert got == expected(world, users)
            canary = {user for user, release in zip(users, got) if release == "v2"}
            assert before <= canary, "somebody was moved off the canary by a higher weight"
            assert weight < 100 or len(canary) == len(users)
            before = canary
        took = moves.abort()
        assert took < 5
        assert set(ask(haproxy.addr, users)) == {"v1"}
        # without a key a request is drawn
        moves.start()
        for _ in range(3):
            moves.promote()
        anonymous = ask(haproxy.addr, [""] * 2000).count("v2") / 20
        assert abs(anonymous - 50) <= 5, f"{anonymous} % at 50 %, 4.5 standard deviations are 5"
        traffic.stop()
    finally:
        haproxy.stop()


def answer_to(addr, user):
    """Status, headers and body of one request, that brings a release of its own making."""
    connection = http.client.HTTPConnection(addr, timeout=10)
    try:
        connection.request("GET", "/", headers={"X-User-Id": user, "X-Serin-Release": "v9"})
        response = connection.getresponse()
        return response.status, response.headers, response.read().decode()
    finally:
        connection.close()


def test_lua_serves_a_release_without_a_backend_in_nobodys_name(own_world, backends):
    """The configuration has v1 and v2, and v3 is rolled out: those of v3 get 503, and the others know who answered."""
    world = own_world().start()
    client = world.client()
    moves = Moves(client, "edge-lua")
    serin.release(client, "chat", "v3", "chat v3")

    def logged(text):
        return text.replace("defaults\n", "defaults\n    log stdout format raw local0\n    option httplog\n", 1).replace(
            "    mode http\n", '    mode http\n    log-format "%b %s %ST %ts release=%[var(txn.release)]"\n', 1)
    haproxy = lua_haproxy(world, backends, logged)
    try:
        moves.applied()
        backends["v1"].told.clear()
        moves.start("v3")
        for _ in range(3):
            moves.promote()
        users = [f"u{i}" for i in range(200)]
        assigned = expected(world, users)
        assert {"v1", "v3"} == set(assigned)
        for user, release in zip(users, assigned):
            status, headers, body = answer_to(haproxy.addr, user)
            if release == "v1":
                assert (status, headers["X-Serin-Release"], body) == (200, "v1", "v1")
            else:
                assert (status, headers["X-Serin-No-Backend"]) == (503, "v3"), body
                assert headers["X-Serin-Release"] == "v3" and "release_v3" in body, "an error of what was assigned (law 12)"
        assert backends["v1"].told == {"v1"}, "the server behind is told its own release only"
        lines = wait_for("the log", lambda: [x for x in haproxy.tail().splitlines() if x.startswith("no_release ")])
        assert set(lines) == {"no_release <NOSRV> 503 LR release=v3"}
        moves.abort()
        assert {answer_to(haproxy.addr, user)[2] for user in users} == {"v1"}
    finally:
        haproxy.stop()


def test_lua_keeps_the_canary_no_longer_than_its_lease(own_world, backends):
    world = own_world(SERIN_CANARY_LEASE_S=10).start()
    moves = Moves(world.client(), "edge-lua")
    haproxy = lua_haproxy(world, backends)
    try:
        moves.applied()
        moves.start()
        for _ in range(3):
            moves.promote()
        traffic = Traffic(haproxy.addr)
        assert "v2" in ask(haproxy.addr, [f"u{i}" for i in range(100)])
        world.daemon.kill()
        wait_for("stable alone", lambda: "v2" not in ask(haproxy.addr, [f"u{i}" for i in range(100)]), 20, 0.3)
        traffic.stop()
    finally:
        haproxy.stop()
