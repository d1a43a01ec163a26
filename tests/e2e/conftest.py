"""Fixtures: a daemon on a database of its own, with tokens of every role."""
import json
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import serin  # noqa: E402


class World:
    """One daemon and what a test does with it."""

    def __init__(self, rate=1, conninfo=None, **settings):
        self.database = serin.Database(rate, conninfo)
        self.database.migrate()
        self.rate = rate
        self.daemon = serin.Daemon(self.database, **settings)
        self.tokens = {role: self.daemon.token(role) for role in ("viewer", "gateway", "engineer", "oncall", "admin")}
        self.gateways = []

    def start(self):
        self.daemon.start()
        return self

    def client(self, role="admin"):
        return serin.Client(self.daemon.control, self.tokens[role])

    def gateway_client(self, role="gateway"):
        return serin.Client(self.daemon.gateway, self.tokens[role])

    def gateway(self, service, rates, **kw):
        gateway = serin.Gateway(self.daemon, self.tokens["gateway"], service, rates, rate=self.rate, **kw)
        self.gateways.append(gateway)
        return gateway

    def check_log(self):
        """Every line of the log is JSON of the documented form, and no token is in any."""
        if not os.path.exists(self.daemon.log):
            return
        text = open(self.daemon.log, encoding="utf-8").read()
        for line in text.splitlines():
            if not line.startswith("{"):
                continue  # a refusal to start is said to who starts it, in words
            pairs = json.loads(line, object_pairs_hook=list)
            names = [name for name, _ in pairs]
            assert names[:4] == ["ts", "level", "room", "message"] and len(set(names)) == len(names), line
            assert all(value is None or isinstance(value, str) for _, value in pairs), line
        for role, token in self.tokens.items():
            assert token not in text, f"the token of {role} is in the log"

    def stop(self):
        try:
            for gateway in self.gateways:
                if gateway.thread.is_alive():
                    gateway.stopped.set()
                    gateway.thread.join(timeout=20)
            self.check_log()
            code = self.daemon.stop()
            assert code in (0, -9, None), f"serind ended with {code}"
        finally:
            self.database.drop()


@pytest.fixture(scope="module")
def world():
    """Real time; shared by the tests of a file, each with services of its own."""
    made = World()
    made.start()
    yield made
    made.stop()


@pytest.fixture
def own_world():
    made = []

    def make(**kw):
        one = World(**kw)
        made.append(one)
        return one
    yield make
    for one in made:
        one.stop()


@pytest.fixture(scope="module")
def fast():
    """The database's clock runs 10 times as fast."""
    made = World(rate=10)
    made.start()
    yield made
    made.stop()
