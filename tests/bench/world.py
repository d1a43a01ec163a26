"""A serind of the release build on a durable Postgres of its own, with as many services as wanted."""
import atexit
import contextlib
import http.client
import os
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.setdefault("SERIN_BUILD", os.path.join(ROOT, "build", "release"))
sys.path.insert(0, os.path.join(ROOT, "tests", "e2e"))
import serin  # noqa: E402

FOLDER = tempfile.mkdtemp(prefix="serin-bench.")
os.chmod(FOLDER, 0o755)
atexit.register(lambda: shutil.rmtree(FOLDER, ignore_errors=True))  # the last of what is done at the end


def program(name):
    return os.path.join(BUILD, "bin", name)


def start_postgres():
    """Durable: every commit is on disk before it is answered."""
    private = os.path.join(ROOT, "deploy", "postgres-private")
    folder = os.path.join(FOLDER, "pg")
    atexit.register(lambda: subprocess.run([private, "wipe", folder], capture_output=True, check=False))
    return subprocess.run([private, "start", folder, "durable"], check=True, capture_output=True, text=True).stdout.strip()


# Services like the first one, each with a stable release and a canary, by the columns that the API would have written.
CLONE = """
INSERT INTO services (name, description, sticky)
  SELECT 'svc-' || i, 'bench', 'user' FROM generate_series(1, {count}) AS i ON CONFLICT DO NOTHING;
INSERT INTO releases (service, name, content, digest, behaviour, created_by)
  SELECT s.name, r.name, r.content, r.digest, r.behaviour, 'bench' FROM releases r, services s
  WHERE r.service = 'bench' AND s.name LIKE 'svc-%' ON CONFLICT DO NOTHING;
INSERT INTO release_artifacts (service, release, kind, name, version)
  SELECT s.name, a.release, a.kind, a.name, a.version FROM release_artifacts a, services s
  WHERE a.service = 'bench' AND s.name LIKE 'svc-%' ON CONFLICT DO NOTHING;
INSERT INTO routes (service, epoch, stable, canary, canary_weight, written_at)
  SELECT name, 1, 'v1', 'v2', 500, serin_now() FROM services s WHERE name LIKE 'svc-%'
  AND NOT EXISTS (SELECT FROM routes r WHERE r.service = s.name);
UPDATE route_rev SET rev = rev + 1;
INSERT INTO route_state (service, epoch, rev, valid_until, applied_at)
  SELECT r.service, 1, (SELECT rev FROM route_rev), serin_now() + interval '1 day', serin_now() FROM routes r
  WHERE r.service LIKE 'svc-%' ON CONFLICT DO NOTHING;
"""


class World:
    """The database, the daemon, and a token of each role that is needed."""

    def __init__(self, services=1, **settings):
        self.database = serin.Database(1, postgres())
        self.database.migrate()
        self.daemon = serin.Daemon(self.database, **settings)
        self.tokens = {role: self.daemon.token(role) for role in ("gateway", "admin")}
        self.daemon.start()
        self.client = serin.Client(self.daemon.control, self.tokens["admin"])
        serin.service(self.client, "bench")
        serin.first_release(self.client, "bench")
        self.clone(services)

    @property
    def pid(self):
        return self.daemon.process.pid

    @property
    def port(self):
        return int(self.daemon.gateway.rsplit(":", 1)[1])

    def clone(self, services):
        self.database.sql("BEGIN;" + CLONE.format(count=services) + "COMMIT;")
        serin.wait_for("the services are served", lambda: self.get(f"/v1/routes/svc-{services}")[0] == 200)

    def get(self, path, headers=None):
        """Status, headers and body of a GET on the gateway port."""
        connection = http.client.HTTPConnection(self.daemon.gateway, timeout=30)
        with contextlib.closing(connection):
            connection.request("GET", path, headers={"Authorization": f"Bearer {self.tokens['gateway']}", **(headers or {})})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()

    def metric(self, name):
        for line in self.get("/metrics")[2].decode().splitlines():
            if line.startswith(name + " "):
                return float(line.split()[1])
        return 0.0

    def stop(self):
        code = self.daemon.stop()
        self.database.drop()
        assert code == 0, f"serind ended with {code}"


_postgres = []


def postgres():
    if not _postgres:
        _postgres.append(start_postgres())
    return _postgres[0]


class Child:
    """A peer: prints its port, runs until its standard input is closed."""

    def __init__(self, *command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())
        self.pid = self.process.pid

    def stop(self):
        self.process.stdin.close()
        self.process.wait(timeout=20)
