"""Ten thousand polls that wait for a change: from the commit of a rollback to the last delivery, against a bare epoll
server woken by the same NOTIFY; and what a parked connection takes of memory."""
import os
import statistics
import subprocess

import measure
import world

CONNECTIONS = 10_000
ROLLBACKS = 3  # a session: connect, then so many rollbacks
CHANNEL = "serin_routes"


class Fleet:
    """That many gateways, each with a poll that waits at `port`."""

    def __init__(self, made, port, parked):
        etag = made.get("/v1/routes/bench")[1]["ETag"]
        self.made, self.parked = made, parked
        self.process = subprocess.Popen(
            [world.program("bench_park"), made.database.conninfo, CHANNEL, str(port), "/v1/routes/bench",
             made.tokens["gateway"], etag, str(CONNECTIONS)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n"
        self.wait_parked()

    def wait_parked(self):
        world.serin.wait_for("all are parked", lambda: self.parked() == CONNECTIONS, 60)

    def change(self, do):
        """First, p50, p99 and last delivery after what `do` commits, in ms."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        do()
        line = self.process.stdout.readline()
        self.wait_parked()
        return [int(word) / 1000 for word in line.split()]

    def leave(self):
        self.process.stdin.close()
        assert self.process.wait(timeout=60) == 0
        world.serin.wait_for("all have left", lambda: self.parked() == 0, 60)


def rollbacks(made, port, parked, deliveries=None, resident=None):
    """Median ms from commit to last delivery over some rollbacks, each after a start, with the fleet at `port`."""
    fleet, found = Fleet(made, port, parked), []
    for _ in range(ROLLBACKS):
        rollout = {}

        def start():
            rollout.update(made.client.post("/v1/services/bench/rollouts", {"release": "v2", "allow_no_gateway": True}))
        fleet.change(start)
        found.append(fleet.change(lambda: made.client.post(f"/v1/rollouts/{rollout['id']}/abort")))
    if deliveries is not None:
        deliveries += found
    if resident is not None:
        resident.append(measure.resident_kib(made.pid))
    fleet.leave()
    return statistics.median(last for _, _, _, last in found)


def raw_answer(made):
    """The bytes of serind's 200, which the bare server sends too."""
    import socket
    with socket.create_connection(("127.0.0.1", made.port), timeout=10) as connection:
        connection.sendall((f"GET /v1/routes/bench HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer "
                            f"{made.tokens['gateway']}\r\n\r\n").encode())
        data = connection.recv(1 << 16)
    path = os.path.join(world.FOLDER, "answer")
    with open(path, "wb") as file:
        file.write(data)
    return path


def run():
    made = world.World(services=1, SERIN_GATEWAY_CONNECTIONS=15000)
    bare = world.Child(world.program("bench_peer_notified"), made.database.conninfo, CHANNEL, raw_answer(made))
    before, resident, ours, theirs = measure.resident_kib(made.pid), [], [], []

    def bare_parked():
        bare.process.stdin.write("\n")
        bare.process.stdin.flush()
        return int(bare.process.stdout.readline())
    found = measure.Comparison(
        lambda: rollbacks(made, made.port, lambda: int(made.metric("serin_gateway_parked")), ours, resident),
        lambda: rollbacks(made, bare.port, bare_parked, theirs))
    table = measure.Table("10,000 parked polls", "serind", "bare epoll server", "ratio (quartiles)", "A/A", "target", "").head()
    for at, name in enumerate(("first", "median", "99th of 100", "last")):
        a, b = (statistics.median(one[at] for one in some) for some in (ours, theirs))
        table.add(f"commit of a rollback to the {name} delivery, ms", f"{a:.0f}", f"{b:.0f}",
                  *([f"{found.ratio():.2f} ({measure.spread(found.ratios)})", f"{found.noise():+.1%}", "<= 1.3",
                     found.verdict(1.3, at_least=False)] if name == "last" else [f"{a / b:.2f}", "", "", ""]))
    kib = (statistics.median(resident) - before) / CONNECTIONS
    table.add("resident a parked connection, KiB", f"{kib:.1f}", "", "", "", "<= 6", "met" if kib <= 6 else "MISSED")
    bare.stop()
    made.stop()
