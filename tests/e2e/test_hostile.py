"""What no honest client sends, to both ports: answered with a 4xx or closed, and everybody else is served as before."""
import contextlib
import http.client
import json
import os
import random
import re
import select
import socket
import struct
import threading
import time

import pytest

import serin
from serin import first_release, service, wait_for

PORTS = ("control", "gateway")
IDLE_S = 30  # the control port closes a connection that says nothing for so long


@pytest.fixture(scope="module")
def target(world):
    """A service with a route; and one half request to the control port, which is left alone until the end."""
    client = world.client()
    service(client, "hostile", policy={"plan": {"steps": [{"weight": "10%", "bake": "1h"}, {"weight": "100%", "bake": "1h"}]}})
    first_release(client, "hostile")
    gateway = world.gateway_client()
    wait_for("route", lambda: gateway.request("GET", "/v1/routes/hostile", raw=True)[0] == 200)
    world.silent = connect(world, "control")
    world.silent.sendall(b"GET /v1/services HTTP/1.1\r\nHost: x\r\nX-Never-Ends: ")
    world.silent_since = time.monotonic()
    yield world
    world.silent.close()


@pytest.fixture(autouse=True)
def alive(target):
    """After every test: the same process serves the same, on both ports."""
    pid = target.daemon.process.pid
    yield
    healthy(target)
    assert target.daemon.process.pid == pid


def healthy(world):
    assert world.daemon.process.poll() is None, open(world.daemon.log).read()[-3000:]
    client = world.client("viewer")
    assert client.get("/v1/services/hostile")["stable"] == "v1"
    assert client.get("/v1/freeze")["frozen"] is False
    route = world.gateway_client().get("/v1/routes/hostile")
    assert [(r["release"], r["weight"]) for r in route["releases"]] == [("v1", 10000)]
    assert serin.Client(world.daemon.gateway).request("GET", "/livez", raw=True)[0] == 200


def connect(world, port, timeout=10):
    host, number = getattr(world.daemon, port).rsplit(":", 1)
    made = socket.create_connection((host, int(number)), timeout=timeout)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


def talk(world, port, data, patience=0.15):
    """Sends bytes; if no answer comes, says that there will be no more. All that comes until the other side closes."""
    answer = b""
    with connect(world, port) as connection:
        with contextlib.suppress(OSError):  # it may have been closed already
            connection.sendall(data)
            if not select.select([connection], [], [], patience)[0]:
                connection.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionResetError):
            while chunk := connection.recv(1 << 16):
                answer += chunk
                if b"Connection: close" not in answer and not select.select([connection], [], [], patience)[0]:
                    connection.shutdown(socket.SHUT_WR)
    return answer


def split(answer):
    """The answers in what a connection gave: (status, headers, body) each."""
    found = []
    while answer:
        head, _, rest = answer.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        status = re.fullmatch(r"HTTP/1\.[01] ([0-9]{3}) .*", lines[0])
        assert status, answer[:200]
        headers = {k.strip().lower(): v.strip() for k, v in (line.split(":", 1) for line in lines[1:])}
        length = int(headers.get("content-length", 0))
        if b"<html>" in rest:  # the library's own words, of which it sends some twice; it closes after them
            length = len(rest)
        found.append((int(status.group(1)), headers, rest[:length]))
        answer = rest[length:]
    return found


def refused(world, port, data, allowed=()):
    """Closed without a word, or a 4xx; what is said in JSON is a whole problem. The library below us answers what is not
    HTTP at all by itself, with 505 for other versions of it."""
    answers = split(talk(world, port, data))
    for status, headers, body in answers:
        assert 400 <= status < 500 or status in (505, *allowed), (port, data[:80], status, body[:200])
        if headers.get("content-type") == "application/problem+json" and body:
            problem = json.loads(body)
            assert problem["status"] == status and problem["detail"] and problem["next_step"] and problem["instance"]
    return [a[0] for a in answers]


def token(world, role="admin"):
    return f"Authorization: Bearer {world.tokens[role]}\r\n".encode()


def path(port):
    return b"/v1/services/hostile" if port == "control" else b"/v1/routes/hostile"


def get(world, port, more=b"", at=None, last=True):
    return (b"GET " + (at or path(port)) + b" HTTP/1.1\r\nHost: x\r\n" + token(world) + more +
            (b"Connection: close\r\n" if last else b"") + b"\r\n")


def post(world, port, body, more=None, last=True, kind=b"application/json"):
    where = b"/v1/freeze" if port == "control" else b"/v1/outcomes"
    more = b"Content-Length: %d\r\n" % len(body) if more is None else more
    return (b"POST " + where + b" HTTP/1.1\r\nHost: x\r\nContent-Type: " + kind + b"\r\n" + token(world) + more +
            (b"Connection: close\r\n" if last else b"") + b"\r\n" + body)


# --- not HTTP, or only nearly -----------------------------------------------------------------------------------------------

@pytest.mark.parametrize("port", PORTS)
def test_what_is_not_http(target, port):
    for data in (b"", b"\r\n\r\n\r\n", b"\x00\x01\x02\xff\xfe\r\n\r\n", bytes.fromhex("16030100a5010000a10303") + bytes(160),
                 b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET\r\n\r\n", b"GET /\r\n\r\n", b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
                 b"GET / HTTP/1.1 extra\r\nHost: x\r\n\r\n", b" GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"/ GET HTTP/1.1\r\n\r\n",
                 b"\x04\x01\x00\x50\x7f\x00\x00\x01\x00", b"SSH-2.0-OpenSSH_9.2\r\n", b"{}\r\n\r\n", b"\xff" * 100_000,
                 b"A" * 100_000,
                 b"\n" * 10_000, b"GET / HTTP/1.1\r\n\r\n", b"G\x00T / HTTP/1.1\r\nHost: x\r\n\r\n"):
        refused(target, port, data)


@pytest.mark.parametrize("port", PORTS)
def test_half_requests(target, port):
    """Cut anywhere, the connection is closed when the client has gone; a whole one is answered."""
    whole = get(target, port)
    assert [a[0] for a in split(talk(target, port, whole))] == [200]
    for cut in (1, 3, 5, 20, 40, len(whole) - 30, len(whole) - 2, len(whole) - 1):
        assert refused(target, port, whole[:cut]) == [], cut
    whole = post(target, port, b'{"reason": 1}')
    for missing in (1, 5, 13, 14):
        refused(target, port, whole[:-missing])


@pytest.mark.parametrize("port", PORTS)
def test_strange_headers(target, port):
    for more in (b"nonsense\r\n", b": empty\r\n", b"X : y\r\n", b" folded: y\r\n", b"X: a\r\n b\r\n", b"X: \xff\xfe\r\n",
                 b"X: a\x00b\r\n",
                 b"X: a\rb\r\n", b"Host: y\r\n", b"Host: \xff\r\n", b"Upgrade: websocket\r\n", b"Range: bytes=0-1,5-\r\n",
                 b"Accept: nothing/at-all;q=x\r\n", b"X-Forwarded-For: " + b"1.1.1.1, " * 100 + b"\r\n",
                 b"If-Modified-Since: never\r\n",
                 b"Cookie: a=b; c\r\n" * 3, b"Expect: 200-maybe\r\n", b"TE: x\r\n", b"Trailer: Authorization\r\n"):
        refused(target, port, get(target, port, more), allowed=(200, 206))
    for more in (token(target), b"Authorization: Bearer x\r\n", b"Authorization: Basic dTpw\r\n"):  # two of them
        refused(target, "control", get(target, "control", more))


@pytest.mark.parametrize("port", PORTS)
def test_huge_headers_and_lines(target, port):
    for data in (get(target, port, b"X: " + b"a" * 100_000 + b"\r\n"), get(target, port, b"a" * 100_000 + b": x\r\n"),
                 get(target, port, b"".join(b"X-%d: a\r\n" % n for n in range(3000))), get(target, port, b"X: a\r\n" * 3000),
                 get(target, port, b"Cookie: " + b"a=b; " * 20_000 + b"\r\n"), get(target, port, at=b"/" + b"a" * 100_000),
                 get(target, port, at=path(port) + b"?" + b"a=b&" * 20_000), get(target, port, at=b"/" * 20_000),
                 b"A" * 20_000 + b" / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"GET /" + b"a" * (1 << 20)):
        refused(target, port, data)


# --- bodies -----------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("port", PORTS)
def test_lengths_that_are_wrong(target, port):
    body = b'{"reason": "x"}'
    for length in (b"-5", b"+15", b"abc", b"0x10", b"15.0", b"1e1", b"99999999999999999999999", b"18446744073709551616", b" ",
                   b"15 15", b"15, 15",
                   b"2", b"500", b"9223372036854775807"):
        refused(target, port, post(target, port, body, b"Content-Length: " + length + b"\r\n"))
    if port == "control":  # where one body ends must never be a matter of opinion
        for more in (b"Content-Length: 15\r\nContent-Length: 5\r\n", b"Content-Length: 15\r\nTransfer-Encoding: chunked\r\n"):
            hidden = b"GET /v1/services HTTP/1.1\r\nHost: x\r\n" + token(target) + b"\r\n"
            data = post(target, port, b"0\r\n\r\n" + hidden, more, last=False)
            assert refused(target, port, data) == [400], "no second answer: the connection is closed"
    assert refused(target, port, post(target, port, body, b"")) in ([422], [400, 400], [422, 400], [400])


@pytest.mark.parametrize("port", PORTS)
def test_chunks_that_are_wrong(target, port):
    chunked = b"Transfer-Encoding: chunked\r\n"
    for body in (b"zz\r\n{}\r\n0\r\n\r\n", b"-2\r\n{}\r\n0\r\n\r\n", b"FFFFFFFFFFFFFFFFF\r\n{}\r\n",
                 b"7fffffffffffffff\r\n{}\r\n", b"2{}\r\n0\r\n\r\n",
                 b"2\r\n{}0\r\n\r\n", b"2\r\n{}xx\r\n0\r\n\r\n", b"\r\n\r\n", b"2\r\n{", b"5\r\n{}\r\n0\r\n\r\n",
                 b"0\r\n" + b"X: y\r\n" * 5000 + b"\r\n"):
        refused(target, port, post(target, port, body, chunked))
    for encoding in (b"gzip", b"chunked, gzip", b"gzip, chunked", b"identity", b"xchunked", b"chunked, chunked"):
        refused(target, port, post(target, port, b"2\r\n{}\r\n0\r\n\r\n", b"Transfer-Encoding: " + encoding + b"\r\n"),
                allowed=(200,))
    # rightly made, one byte a chunk, it is read; not on the gateway port, which says so
    good = b'{"reason": 7}' if port == "control" else b'{"service": "hostile"}'
    pieces = b"".join(b"1\r\n" + bytes([c]) + b"\r\n" for c in good) + b"0\r\n\r\n"
    assert refused(target, port, post(target, port, pieces, chunked)) == ([422] if port == "control" else [400])


@pytest.mark.parametrize("port", PORTS)
def test_the_line_of_a_chunk_that_does_not_end(own_world, port):
    """Nobody needs a token for this. The connection ends, and costs no more than others do."""
    world = own_world().start()
    about = f"/proc/{world.daemon.process.pid}/stat"

    def cpu_s():
        fields = open(about).read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    for line in (b"2;" + b"e" * 50_000, b"0" * 50_000):
        with connect(world, port) as connection:
            with contextlib.suppress(OSError):
                connection.sendall(b"POST /livez HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + line)
                connection.shutdown(socket.SHUT_WR)
    time.sleep(0.3)
    before = cpu_s()
    time.sleep(1)
    assert cpu_s() - before < 0.5


BODIES = [b"", b"\x00", b"\xff", b"{", b"[" * 100_000, b'{"a":' * 50_000, b"{}" + b" " * 100 + b"x", b"\xef\xbb\xbf{}",
          b'{"reason": "\xff"}', b'{"reason": "\xed\xa0\x80"}',
          b'{"reason": "\xc0\xaf"}', b'{"reason": "\xf5\x80\x80\x80"}', b'{"reason": "a", "reason": "b"}',
          b'{"service": "hostile", "service": "hostile"}',
          b'{"reason": NaN}', b'{"reason": Infinity}', b'{"reason": 1e999999999}', b'{"reason": ' + b"9" * 100_000 + b"}",
          b'{"reason": "\\ud800"}',
          b'{"reason": "\\u0000"}', b"{'reason': 'x'}", b'{"reason": "x",}', b'{reason: "x"}',
          b'{"reason": "x"} {"reason": "x"}', b'{"reason": /* */ "x"}',
          b'{"reason": "x\ny"}', b'{"reason": true false}', b"nul", b'"' + b"\\u00e9" * 50_000,
          b'{"' + b"k" * 1_000_000 + b'": 1}',
          b"{" + b",".join(b'"k%d": 1' % n for n in range(20_000)) + b"}", b"[" + b"0," * 300_000 + b"0]",
          b'{"reason": {"a": ' + b"[" * 5000 + b"]" * 5000 + b"}}"]


@pytest.mark.parametrize("port", PORTS)
def test_json_that_is_wrong(target, port):
    for body in BODIES:
        statuses = refused(target, port, post(target, port, body))
        assert statuses and statuses[0] in (400, 413, 422), (body[:60], statuses)
    if port == "control":
        for body in BODIES:
            data = post(target, port, body).replace(b"/v1/freeze", b"/v1/artifacts/prompt/hostile-json/versions")
            assert refused(target, port, data)[0] in (400, 413, 422), body[:60]


def test_ten_thousand_bytes_as_a_name(target):
    client, gateway, long = target.client(), target.gateway_client(), "n" * 10_000

    def small(caller, *arguments, **kw):
        status, headers, body = caller.request(*arguments, raw=True, **kw)
        assert 400 <= status < 500, (arguments[:2], status)
        text = json.dumps(body) if isinstance(body, dict) else body.decode()
        assert len(text) < 5000, "what is wrong is not repeated in full"
    for path in ("services/%s", "services/%s/slos", "services/hostile/releases/%s", "services/hostile/releases/v1/diff/%s",
                 "rollouts/%s",
                 "rollouts/%s/explain", "rollouts/%s/record", "artifacts/prompt/%s/versions", "artifacts/%s/x/versions",
                 "artifacts/prompt/hostile/versions/%s",
                 "events?service=%s", "events?rollout=%s", "services?cursor=%s", "services?limit=%s", "services?%s=1",
                 "gateways?service=%s"):
        if path == "events?rollout=%s":  # it is only looked for
            status, _, body = client.request("GET", "/v1/" + path % long, raw=True)
            assert status in (400, 404, 422) or body["items"] == []
            continue
        small(client, "GET", "/v1/" + path % long)
    for path, body in (("/v1/tokens", {"name": long, "role": "viewer"}), ("/v1/tokens", {"name": "x", "role": long}),
                       ("/v1/freeze", {"reason": long}),
                       ("/v1/webhooks", {"url": "http://x/" + long}), ("/v1/services/hostile/releases",
                                                                       {"name": long, "artifacts": []}),
                       ("/v1/services/hostile/rollouts", {"release": long}), ("/v1/services/hostile/rollback", {"to": long}),
                       ("/v1/freeze", {long: long})):
        small(client, "POST", path, body)
    for header in ("If-Match", "Idempotency-Key", "Authorization", "X-Request-Id", "If-None-Match"):
        status, _, _ = client.request("PUT", "/v1/services/hostile", {}, headers={header: long}, raw=True)
        assert status < 500
    for path in ("/v1/routes/%s", "/v1/content/%s", "/v1/routes/hostile?wait=%s", "/%s"):
        assert 400 <= talk_status(target, "gateway", get(target, "gateway", at=(path % long).encode())) < 500
        assert 400 <= talk_status(target, "gateway", get(target, "gateway", at=(path % ("n" * 2000)).encode())) < 500
    small(gateway, "POST", "/v1/outcomes", {"service": long})
    small(gateway, "POST", "/v1/outcomes", {"service": "hostile", "outcomes": [{"release": long, "age_ms": 1}] * 200})
    small(gateway, "POST", "/v1/outcomes", {"service": "hostile", long: 1})
    small(gateway, "GET", "/v1/routes/hostile", headers={"Serin-Gateway": "n" * 1000})


def talk_status(world, port, data):
    return split(talk(world, port, data))[0][0]


# --- paths ------------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("port", PORTS)
def test_ways_out_of_a_path(target, port):
    base = b"/v1/services/" if port == "control" else b"/v1/routes/"
    for tail in (b"../../../../etc/passwd", b"..%2f..%2fetc%2fpasswd", b"%2e%2e/%2e%2e/x", b"..%252f..", b"hostile/../hostile",
                 b"./hostile", b"hostile%2f",
                 b"..\\..\\x", b"%5c..%5c", b"hostile%", b"hostile%4", b"hostile%zz", b"hostile%u0041", b"%ff%fe", b"%c0%af",
                 b"%ed%a0%80", b"\xff\xfe",
                 b"hostile%0d%0aX:%20y", b"hostile%0a", b"hostile%20", b"+hostile", b"hostile;x=y", b"%68ostile%2Fslos",
                 b"hostile'--", b"hostile%27%3bselect",
                 b"%F0%9F%90%A6", b"%E2%80%AE", b"${jndi:x}", b"%25%73%25%6e", b"hostile#x", b"hostile.json", b"HOSTILE", b"*"):
        assert 400 <= talk_status(target, port, get(target, port, at=base + tail)) < 500, tail
    for at in (b"/../../etc/passwd", b"//v1/services", b"/v1//services/hostile", b"http://x/v1/services", b"x", b"*",
               b"/%2e%2e/%2e%2e", b"/v1/%2e/services"):
        for answer in split(talk(target, port, get(target, port, at=at))):
            assert 400 <= answer[0] < 500, at
    for query in (b"?\x80", b"?%00=1", b"?a=%00", b"?%", b"?limit=1;drop", b"?" + b"&" * 3000, b"?=", b"?=1",
                  b"?wait=1s&wait=2s&wait=%ff"):
        refused(target, port, get(target, port, at=path(port) + query), allowed=(200,))


@pytest.mark.parametrize("port", PORTS)
def test_a_nul_in_a_path_is_not_its_end(target, port):
    for tail in (b"%00", b"%00.json", b"%00/../x", b"/%00"):
        assert 400 <= talk_status(target, port, get(target, port, at=path(port) + tail)) < 500, tail


# --- connections ------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("port", PORTS)
def test_requests_in_one_packet_are_answered_in_order(target, port):
    other = b"/v1/services/nobody" if port == "control" else b"/v1/routes/nobody"
    body = b'{"reason": 1}' if port == "control" else b'{"service": 1}'
    data = (get(target, port, last=False) + get(target, port, at=other, last=False) + post(target, port, body, last=False) +
            get(target, port, last=False) + b"\r\n" + get(target, port, last=True))
    answers = split(talk(target, port, data))
    assert [a[0] for a in answers] == [200, 404, 422, 200, 200]
    assert answers[0][2] == answers[3][2] == answers[4][2]
    # one that is broken ends the connection; those before it are answered
    answers = split(talk(target, port, get(target, port, last=False) + b"nonsense\r\n\r\n" + get(target, port)))
    assert [a[0] for a in answers][:1] == [200] and len(answers) <= 2
    many = split(talk(target, port, get(target, port, last=False) * 200 + get(target, port)))
    assert [a[0] for a in many] == [200] * 201


@pytest.mark.parametrize("port", PORTS)
def test_a_slow_client_is_served_and_nobody_waits_for_it(target, port):
    answers = {}

    def slow(name, data):
        with connect(target, port, timeout=30) as connection:
            for at in range(0, len(data), 12):
                connection.sendall(data[at:at + 12])
                time.sleep(0.08)
            answer = b""
            while chunk := connection.recv(1 << 16):
                answer += chunk
            answers[name] = split(answer)[-1][0]
    good = b'{"service": "hostile"}' if port == "gateway" else b'{"reason": 1}'
    threads = [threading.Thread(target=slow, args=("get", get(target, port))),
               threading.Thread(target=slow, args=("post", post(target, port, good)))]
    for thread in threads:
        thread.start()
    longest = 0
    while any(t.is_alive() for t in threads):
        began = time.monotonic()
        healthy(target)
        longest = max(longest, time.monotonic() - began)
        time.sleep(0.05)
    for thread in threads:
        thread.join(timeout=20)
    assert answers == {"get": 200, "post": 422 if port == "control" else 200}
    assert longest < 2, f"others waited {longest:.1f} s"


def test_a_slow_reader_holds_up_nobody(target):
    """More is asked for than the network holds, and not read for a while."""
    client, text = target.client(), "\U0001f426 reads slowly\n" * 50_000
    digest = client.post("/v1/artifacts/prompt/hostile-large/versions", {"content": text})["digest"]
    readers = []
    for port, at in (("control", b"/v1/artifacts/prompt/hostile-large/versions/1"),
                     ("gateway", b"/v1/content/" + digest.encode())) * 2:
        connection = connect(target, port, timeout=20)
        connection.sendall(get(target, port, at=at, last=False) * 9 + get(target, port, at=at))
        readers.append(connection)
    longest = 0
    for _ in range(20):
        began = time.monotonic()
        healthy(target)
        longest = max(longest, time.monotonic() - began)
    assert longest < 2, f"others waited {longest:.1f} s"
    for connection in readers[:2]:  # these go away without reading
        connection.close()
    for connection in readers[2:]:
        answer = bytearray()
        while chunk := connection.recv(1 << 20):
            answer += chunk
        connection.close()
        answers = split(bytes(answer))
        assert [a[0] for a in answers] == [200] * 10 and len({a[2] for a in answers}) == 1
        assert answers[9][2] == text.encode() or json.loads(answers[9][2])["content"] == text


@pytest.mark.parametrize("port", PORTS)
def test_clients_that_go_away_leave_nothing_behind(target, port):
    folder = f"/proc/{target.daemon.process.pid}/fd"
    healthy(target)
    time.sleep(0.3)
    before = len(os.listdir(folder))
    data = [get(target, port, last=False)[:30], get(target, port, last=False),
            post(target, port, b'{"reason": "', last=False)[:-4], b"", get(target, port, last=False) * 5]
    if port == "gateway":  # parked, too
        tag = http.client.HTTPConnection(target.daemon.gateway, timeout=10)
        tag.request("GET", "/v1/routes/hostile", headers={"Authorization": f"Bearer {target.tokens['gateway']}"})
        etag = tag.getresponse().headers["ETag"].encode()
        tag.close()
        data.append(get(target, port, b"If-None-Match: " + etag + b"\r\n", at=b"/v1/routes/hostile?wait=60s", last=False))
    for number in range(150):
        connection = connect(target, port)
        connection.sendall(data[number % len(data)])
        time.sleep(0.003)
        if number % 2:  # by a reset
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
    wait_for("all are forgotten", lambda: len(os.listdir(folder)) <= before + 6, 15)


@pytest.mark.parametrize("port", PORTS)
def test_who_hangs_up_in_the_middle_is_forgotten(target, port):
    """In the header, in the body, and before anything: long before the idle time-out of 120 s."""
    body = post(target, port, b'{"service": "hostile", "outcomes": []}')
    gone = []
    for data in (get(target, port)[:-2], body[:-9], b"", get(target, port)[:9]) * 10:
        connection = connect(target, port, timeout=20)
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        gone.append(connection)
    try:
        for connection in gone:  # the control port says what was wrong first
            while connection.recv(1 << 16):
                pass
    finally:
        for connection in gone:
            connection.close()


def test_who_closes_its_side_and_waits_is_answered(target):
    """Whole requests, and then no more: the answer comes all the same, also one that takes its time."""
    headers = target.gateway_client().request("GET", "/v1/routes/hostile", raw=True)[1]
    etag = next(value for name, value in headers.items() if name.lower() == "etag").encode()
    wanted = [(get(target, "gateway"), 200), (post(target, "gateway", b'{"service": "hostile", "outcomes": []}'), 200),
              (get(target, "gateway", b"If-None-Match: " + etag + b"\r\n", at=b"/v1/routes/hostile?wait=3s"), 304)]
    for data, status in wanted * 5:
        with connect(target, "gateway", timeout=20) as connection:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            assert int(connection.recv(1 << 16)[9:12]) == status


@pytest.mark.parametrize("port", PORTS)
def test_what_does_not_fit_into_a_connection_is_forgotten_with_it(own_world, port):
    """A query or cookies that the library has no room for: closed, and nothing of it is waited for at the end."""
    world = own_world().start()
    for data in (b"GET /?" + b"&" * 3000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
                 b"GET / HTTP/1.1\r\nHost: x\r\nCookie: " + b"a=b; " * 600 + b"\r\n\r\n"):
        for _ in range(5):
            assert refused(world, port, data) in ([], [431], [414], [400], [404])
    began = time.monotonic()
    assert world.daemon.stop() == 0
    assert time.monotonic() - began < 3


def test_more_connections_than_there_may_be(target):
    """128 on the control port: the next ones wait or are closed, and all is well when they have gone."""
    idle = []
    try:
        for _ in range(200):
            with contextlib.suppress(OSError):
                idle.append(connect(target, "control", timeout=5))
        assert serin.Client(target.daemon.gateway).request("GET", "/livez", raw=True)[0] == 200, "the other port does not care"
    finally:
        for connection in idle:
            connection.close()

    def served():
        with contextlib.suppress(OSError, http.client.HTTPException):
            return target.client("viewer").get("/v1/services/hostile")["stable"] == "v1"
    wait_for("served again", served, 15)


# --- at random, always the same --------------------------------------------------------------------------------------------

@pytest.mark.parametrize("port", PORTS)
def test_requests_with_random_faults(target, port):
    random_ = random.Random(20260101)
    good = b'{"service": "hostile", "outcomes": [{"release": "v1", "age_ms": 1, "sli": {"refusal": 1}}]}'
    seeds = [get(target, port, b"If-None-Match: \"x\"\r\nX-Request-Id: r\r\n",
                 at=path(port) + (b"?wait=1ms" if port == "gateway" else b"")),
             post(target, port, b'{"reason": 1, "x": [1, 2.5e3, null, "\\u00e9"]}' if port == "control" else good),
             post(target, port, b"5\r\n{\"rea\r\n0\r\n\r\n", b"Transfer-Encoding: chunked\r\n")]
    strange = [b"\x00", b"\xff", b"\r\n", b"\n", b" ", b":", b"%00", b"%", b"/", b"..", b'"', b"{", b"[", b"\\", b"99999999999",
               b"-1", b"\xf0\x9f\x90\xa6", b"A" * 5000]
    for number in range(350):
        data = bytearray(seeds[number % len(seeds)])
        for _ in range(random_.randint(1, 4)):
            at = random_.randrange(len(data) + 1)
            what = random_.randrange(5)
            if what == 0:
                data[at:at] = random_.choice(strange)
            elif what == 1:
                del data[at:at + random_.randint(1, 12)]
            elif what == 2:
                data[at:at + 1] = bytes([random_.randrange(256)])
            elif what == 3:
                data[at:at] = data[at:at + random_.randint(1, 60)]
            else:
                data[at:at + 1] = random_.choice(strange)
        answers = talk(target, port, bytes(data), 0.02)
        for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", answers):
            assert status[:1] in b"24" or status in (b"304", b"501", b"505"), (number, bytes(data)[:200], answers[:300])


# --- at the end -------------------------------------------------------------------------------------------------------------

def test_nothing_of_it_was_done_or_logged_as_a_fault(target):
    client = target.client()
    assert client.request("GET", "/v1/artifacts/prompt/hostile-json/versions", raw=True)[0] == 404
    assert target.database.sql("SELECT count(*) FROM observations WHERE service = 'hostile'") == [["0"]]
    assert target.database.sql("SELECT count(*) FROM events WHERE type LIKE 'freeze%' OR type LIKE '%frozen%'") == [["0"]]
    log = open(target.daemon.log, errors="replace").read()
    assert '"level":"error"' not in log and "Sanitizer" not in log, log[-3000:]
    rss = [int(line.split()[1]) for line in open(f"/proc/{target.daemon.process.pid}/status") if line.startswith("VmRSS")][0]
    assert rss < 600_000, f"{rss} kB"


def test_a_request_that_never_ends_is_given_up(target):
    """The half request from the beginning: its connection is not kept for ever."""
    left = IDLE_S + 10 - (time.monotonic() - target.silent_since)
    target.silent.settimeout(max(left, 1))
    answer = b""
    with contextlib.suppress(ConnectionResetError):
        while chunk := target.silent.recv(4096):
            answer += chunk
    assert answer == b"" or split(answer)[0][0] == 408
    assert time.monotonic() - target.silent_since > 5
