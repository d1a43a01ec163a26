"""Outcomes in: CPU time of serind for each against the bare decoder of the same bytes, Postgres apart; how many a second
are acknowledged with fsync on, and how long a batch waits until its commit begins."""
import os
import socket

import subprocess
import threading
import time

import bodies
import measure
import world

POSTERS, ROUNDS = 16, 8  # connections; how often each run sends all batches


class Traffic:
    """Batches for one path, and how to send them."""

    def __init__(self, made, path, media, some, items):
        self.made, self.path, self.media, self.bodies, self.items = made, path, media, list(some), items
        self.runs = 0

    def requests(self):
        """All batches as bytes to send, none of them sent before."""
        self.runs += 1
        fresh = f"{self.runs:08x}".encode()
        for number, body in enumerate(self.bodies):
            body = body.replace(bodies.MARK, fresh)
            yield (f"POST {self.path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {self.made.tokens['gateway']}\r\n"
                   f"Serin-Gateway: gw-{number % POSTERS}\r\nContent-Type: {self.media}\r\nContent-Length: {len(body)}\r\n"
                   f"Idempotency-Key: {self.path}-{self.runs}-{number}\r\n\r\n").encode() + body

    def send(self, rounds=ROUNDS, rate=None):
        """Sends all batches `rounds` times over several connections, at `rate` items a second or as fast as they are
        acknowledged; returns items and seconds."""
        queue = [request for _ in range(rounds) for request in self.requests()]
        total, lock, began, failed = len(queue), threading.Lock(), time.monotonic(), []

        def post():
            with socket.create_connection(("127.0.0.1", self.made.port), timeout=30) as connection:
                while True:
                    with lock:
                        if not queue:
                            return
                        request, sent = queue.pop(), total - len(queue) - 1
                    if rate:
                        time.sleep(max(0.0, began + sent * self.items / rate - time.monotonic()))
                    connection.sendall(request)
                    answer = connection.recv(65536)
                    if not answer.startswith(b"HTTP/1.1 200"):
                        failed.append(answer)
                        return
        threads = [threading.Thread(target=post) for _ in range(POSTERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failed, failed[0]
        return total * self.items, time.monotonic() - began


def postgres_cpu_s():
    """Of the server and its backends."""
    with open(os.path.join(world.FOLDER, "pg", "data", "postmaster.pid")) as file:
        main = int(file.readline())
    children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(main)], capture_output=True, text=True, check=True).stdout
    return sum(measure.cpu_s(int(pid)) for pid in [main, *children.split()])


def compare(made, traffic, kind, name, table):
    file = bodies.write(os.path.join(world.FOLDER, f"bodies-{kind}"), traffic.bodies)
    postgres = []

    def ours():
        before, before_postgres = measure.cpu_s(made.pid), postgres_cpu_s()
        items, _ = traffic.send()
        postgres.append((postgres_cpu_s() - before_postgres) / items * 1e6)
        return (measure.cpu_s(made.pid) - before) / items * 1e6

    def bare():
        run = subprocess.run([world.program("bench_decode"), kind, file, str(ROUNDS)], capture_output=True, text=True,
                             check=True)
        items, ns = map(int, run.stdout.split())
        return ns / items / 1e3
    found = measure.Comparison(ours, bare)
    table.add(name, f"{measure.median(found.a):.2f}", f"{measure.median(postgres):.2f}", f"{measure.median(found.b):.2f}",
              f"{found.ratio():.2f} ({measure.spread(found.ratios)})", f"{found.noise():+.1%}", "<= 1.5",
              found.verdict(1.5, at_least=False))


def waits(made):
    """Batches by how long they waited for their commit to begin: {upper bound in s: how many waited no longer}."""
    found = {}
    for line in made.get("/metrics")[2].decode().splitlines():
        if line.startswith("serin_flush_wait_seconds_bucket"):
            found[line.split('"')[1]] = int(line.split()[1])
    return found


def acknowledged(made, traffic):
    table = measure.Table("outcomes in batches of 250, fsync on", "found", "target", "").head()
    items, seconds = traffic.send(rounds=40)
    table.add("acknowledged a second, as fast as it goes", f"{items / seconds:,.0f}", ">= 20,000",
              "met" if items / seconds >= 20_000 else "MISSED")
    before = waits(made)
    traffic.send(rounds=15, rate=20_000)
    after = waits(made)
    total = after["+Inf"] - before["+Inf"]
    within = {bound: (after[bound] - before[bound]) / total for bound in after}
    bound = next(bound for bound, share in within.items() if share == 1)
    table.add(f"of {total} batches at 20,000 outcomes/s, all began to be committed within",
              f"{float(bound) * 1000:.0f} ms ({within['0.01']:.0%} within 10 ms)", "<= 200 ms",
              "met" if within["0.1"] == 1 else "MISSED")


def run():
    made = world.World(services=1)
    now_ns = time.time_ns()
    table = measure.Table("CPU, us an item", "serind", "Postgres", "bare decoder", "ratio (quartiles)", "A/A", "target", "").head()
    plain = Traffic(made, "/v1/outcomes", "application/json", bodies.outcomes("svc-1"), bodies.OUTCOMES)
    compare(made, plain, "outcomes", "/v1/outcomes, against json-c", table)
    protobuf, json = "application/x-protobuf", "application/json"
    for spans in (bodies.SPANS, 100):
        compare(made, Traffic(made, "/v1/traces", protobuf, bodies.otlp_protobuf("svc-1", now_ns, spans), spans),
                "protobuf", f"OTLP protobuf, {spans} spans a request, against protobuf-c with an arena", table)
    compare(made, Traffic(made, "/v1/traces", json, bodies.otlp_json("svc-1", now_ns), bodies.SPANS),
            "json", f"OTLP JSON, {bodies.SPANS} spans a request, against json-c", table)
    acknowledged(made, plain)
    made.stop()
