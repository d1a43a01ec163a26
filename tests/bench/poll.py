"""Polls of a route: requests per CPU-second of serind against nginx with a static file, a bare libmicrohttpd, and
itself with more services."""
import os
import re
import subprocess

import measure
import world

REQUESTS = 40_000


class Nginx:
    """One worker without access log, descriptors of files kept open, connections kept: nothing that slows it."""

    def __init__(self, body):
        self.folder = os.path.join(world.FOLDER, "nginx")
        os.makedirs(self.folder, exist_ok=True)
        with open(os.path.join(self.folder, "route.json"), "wb") as file:
            file.write(body)
        self.port = free_port()
        config = os.path.join(self.folder, "nginx.conf")
        with open(config, "w") as file:
            file.write(f"""
user root; daemon off; master_process off; pid {self.folder}/pid; error_log {self.folder}/error.log;
events {{ worker_connections 2048; }}
http {{
  access_log off; etag on; sendfile on; tcp_nopush on; keepalive_requests 100000000; keepalive_timeout 120s;
  open_file_cache max=100; open_file_cache_valid 60s; types {{ application/json json; }}
  client_body_temp_path {self.folder}/b; proxy_temp_path {self.folder}/p; fastcgi_temp_path {self.folder}/f;
  uwsgi_temp_path {self.folder}/u; scgi_temp_path {self.folder}/s;
  server {{ listen 127.0.0.1:{self.port} backlog=4096; root {self.folder}; }}
}}
""")
        self.process = subprocess.Popen(["nginx", "-c", config, "-e", f"{self.folder}/error.log"])
        self.pid = self.process.pid
        self.url = f"http://127.0.0.1:{self.port}/route.json"
        world.serin.wait_for("nginx serves", self.etag_or_none, 10)

    def etag_or_none(self):
        import http.client
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
            connection.request("GET", "/route.json")
            answer = connection.getresponse()
            answer.read()
            self.etag = answer.headers["ETag"]
            return answer.status == 200
        except OSError:
            return False

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=20)


def free_port():
    import socket
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def load(pid, target, connections, status, token, etag=None, requests=REQUESTS):
    """Requests per CPU-second of the process `pid` under h2load. `target`: a URL, or a file of them."""
    command = ["h2load", "--h1", "-n", str(requests), "-c", str(connections), "-t", "1",
               "-H", f"authorization: Bearer {token}"]
    if etag:
        command += ["-H", f"if-none-match: {etag}"]
    command += ["-i", target] if os.path.exists(target) else [target]
    before = measure.cpu_s(pid)
    run = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    used = measure.cpu_s(pid) - before
    counts = re.search(r"status codes: (\d+) 2xx, (\d+) 3xx", run.stdout)
    assert int(counts.group(1 if status == 200 else 2)) == requests, run.stdout
    return requests / used


def against_others(table):
    made = world.World(services=1)
    url = f"http://127.0.0.1:{made.port}/v1/routes/svc-1"
    _, headers, body = made.get("/v1/routes/svc-1")
    nginx = Nginx(body)
    token = made.tokens["gateway"]
    for status in (200, 304):
        etag = headers["ETag"] if status == 304 else None
        body_file = os.path.join(nginx.folder, "route.json")
        bare = world.Child(world.program("bench_peer_microhttpd"), body_file, str(status), headers["ETag"])
        for connections in (64, 256):
            def ours():
                return load(made.pid, url, connections, status, token, etag)

            def static():
                return load(nginx.pid, nginx.url, connections, status, token, nginx.etag if etag else None)

            def constant():
                return load(bare.pid, f"http://127.0.0.1:{bare.port}/", connections, status, token, etag)
            for name, other, target in (("nginx, static file", static, 1.0), ("bare libmicrohttpd", constant, 0.9)):
                found = measure.Comparison(ours, other)
                table.add(f"{status}, {connections} connections", name, f"{measure.median(found.a):,.0f}",
                          f"{measure.median(found.b):,.0f}", f"{found.ratio():.2f} ({measure.spread(found.ratios)})",
                          f"{found.noise():+.1%}", f">= {target}", found.verdict(target))
        bare.stop()
    nginx.stop()
    made.stop()


def urls(port, services):
    path = os.path.join(world.FOLDER, f"urls-{services}")
    with open(path, "w") as file:
        for number in range(1, services + 1):
            file.write(f"http://127.0.0.1:{port}/v1/routes/svc-{number}\n")
    return path


def with_services(table):
    """One, 100 and 10,000 services: two daemons side by side. 200 goes over all of them in turn, 304 asks for the last
    one, since every service has a tag of its own."""
    few = world.World(services=1)
    for services in (100, 10_000):
        many = world.World(services=services)
        for status in (200, 304):
            def one(made, count):
                path = f"/v1/routes/svc-{count}"
                etag = made.get(path)[1]["ETag"] if status == 304 else None
                target = f"http://127.0.0.1:{made.port}{path}" if etag else urls(made.port, count)
                return load(made.pid, target, 64, status, made.tokens["gateway"], etag)
            found = measure.Comparison(lambda: one(many, services), lambda: one(few, 1))
            table.add(f"{status}, 64 connections, {services:,} services", "itself with one service",
                      f"{measure.median(found.a):,.0f}", f"{measure.median(found.b):,.0f}",
                      f"{found.ratio():.2f} ({measure.spread(found.ratios)})", f"{found.noise():+.1%}", ">= 0.95",
                      found.verdict(0.95))
        print(f"  {services:,} services: {measure.resident_kib(many.pid) / 1024:.0f} MiB resident", flush=True)
        many.stop()
    few.stop()


def run():
    table = measure.Table("poll", "against", "serind, requests a CPU-second", "the other", "ratio (quartiles)", "A/A",
                          "target", "").head()
    against_others(table)
    with_services(table)
