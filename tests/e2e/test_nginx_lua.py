"""A real nginx with the configuration of deploy/gateways/nginx that polls Serin by its Lua module."""
import os
import shutil
import signal
import time

import pytest

import proxies
from proxies import Backend, Moves, Program, Traffic, ask, expected, free_port, listens
from serin import wait_for

NGINX = shutil.which("nginx") or ("/usr/sbin/nginx" if os.path.exists("/usr/sbin/nginx") else None)
if NGINX is None or not os.path.exists("/usr/lib/nginx/modules/ngx_http_lua_module.so"):
    pytest.skip("nginx or its Lua module is not installed (package libnginx-mod-http-lua)", allow_module_level=True)

FOLDER = os.path.join(proxies.GATEWAYS, "nginx")
USERS = [f"u{i}" for i in range(2000)]


class Nginx(Program):
    def __init__(self, world, v1, v2):
        super().__init__("nginx-lua")
        os.mkdir(os.path.join(self.path, "temp"))
        os.chmod(self.path, 0o755)
        self.addr = f"127.0.0.1:{free_port()}"
        text = open(os.path.join(FOLDER, "lua.conf")).read()
        for there, here in (("127.0.0.1:8180", self.addr), ("127.0.0.1:8181", v1.addr), ("127.0.0.1:8182", v2.addr)):
            assert text.count(there) == 1
            text = text.replace(there, here)
        with open(os.path.join(self.path, "nginx.conf"), "w") as file:
            file.write(text)
        shutil.copy(os.path.join(FOLDER, "serin.lua"), self.path)
        self.command = [NGINX, "-e", "stderr", "-p", self.path, "-c", "nginx.conf"]
        self.start([*self.command, "-g", "daemon off;"], SERIN_URL=f"http://{world.daemon.gateway}",
                   SERIN_TOKEN=world.tokens["gateway"], SERIN_INSTANCE="nginx-lua")
        wait_for("nginx listens", lambda: self.alive() and listens(self.addr), 10)

    def errors(self):
        return open(os.path.join(self.path, "error.log")).read()

    def workers(self):
        return [int(pid) for pid in open(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read().split()]


@pytest.fixture(scope="module")
def releases():
    made = Backend("v1"), Backend("v2")
    yield made
    for one in made:
        one.stop()


def test_lua_in_nginx_assigns_every_user_as_the_route_says(own_world, releases):
    world = own_world().start()
    moves = Moves(world.client(), "nginx-lua")
    nginx = Nginx(world, *releases)
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
            assert before <= canary, "somebody was moved off the canary by a higher weight"
            assert weight < 100 or len(canary) == len(USERS)
            before = canary
        assert moves.abort() < 5
        assert set(ask(nginx.addr, USERS)) == {"v1"}
        # without a key a request is drawn
        moves.start()
        for _ in range(3):
            moves.promote()
        anonymous = ask(nginx.addr, [""] * 2000).count("v2") / 20
        assert abs(anonymous - 50) <= 5, f"{anonymous} % at 50 %, 4.5 standard deviations are 5"
        traffic.stop()
        assert "serin:" not in nginx.errors()
    finally:
        nginx.stop()


def test_a_reload_or_a_dead_worker_loses_no_route(own_world, releases):
    world = own_world().start()
    moves = Moves(world.client(), "nginx-lua")
    nginx = Nginx(world, *releases)
    try:
        moves.applied()
        moves.start()
        old = nginx.workers()
        os.kill(nginx.process.pid, signal.SIGHUP)
        # one that is leaving closes what it has just accepted
        wait_for("new workers alone", lambda: len(nginx.workers()) == 2 and not set(nginx.workers()) & set(old), 30)
        assert ask(nginx.addr, USERS) == expected(world, USERS)
        moves.promote()
        assert ask(nginx.addr, USERS) == expected(world, USERS)
        killed = nginx.workers()  # the one that polls is among them
        for worker in killed:
            os.kill(worker, signal.SIGKILL)
        wait_for("new workers", lambda: len(set(nginx.workers()) - set(killed)) == 2, 10)
        moves.promote()
        assert ask(nginx.addr, USERS) == expected(world, USERS)
    finally:
        nginx.stop()


def test_lua_in_nginx_keeps_the_canary_no_longer_than_its_lease(own_world, releases):
    world = own_world(SERIN_CANARY_LEASE_S=10).start()
    moves = Moves(world.client(), "nginx-lua")
    nginx = Nginx(world, *releases)
    try:
        moves.applied()
        moves.start()
        for _ in range(3):
            moves.promote()
        traffic = Traffic(nginx.addr)
        assert "v2" in ask(nginx.addr, USERS[:100])
        world.daemon.kill()
        wait_for("stable alone", lambda: "v2" not in ask(nginx.addr, USERS[:100]), 20, 0.3)
        traffic.stop()
        assert nginx.errors().count("no route") == 1, "a server that is away is told once"
    finally:
        nginx.stop()


def test_an_answer_that_is_no_route_changes_nothing(own_world, releases):
    """A token that is refused, and a service that is not there: requests get 503, and the log says why."""
    world = own_world().start()
    world.tokens["gateway"] = "serin_wrong"
    nginx = Nginx(world, *releases)
    try:
        wait_for("the log says why", lambda: "no route: 401" in nginx.errors(), 10)
        with pytest.raises(AssertionError, match="503"):
            ask(nginx.addr, ["u"])
        began = time.monotonic()
        time.sleep(2)
        assert nginx.errors().count("no route") == 1, f"told again within {time.monotonic() - began:.0f} s"
    finally:
        nginx.stop()
