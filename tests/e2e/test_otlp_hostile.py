"""OTLP/HTTP from those who mean harm or have it wrong: chunks, bombs, and answers in OTLP's own form."""
import gzip
import json
import os
import socket
import time

import pytest

from serin import Client, service, wait_for

JSON, PROTOBUF = "application/json", "application/x-protobuf"
PATHS = ("/v1/traces", "/v1/metrics", "/v1/logs")


def send(world, body, role="gateway", content_type=JSON, path="/v1/traces", **headers):
    client = Client(world.daemon.gateway, world.tokens.get(role) if role else None)
    return client.request("POST", path, body, raw=True,
                          headers={"Content-Type": content_type, **{k.replace("_", "-"): v for k, v in headers.items()}})


def status_of(answer, content_type):
    """google.rpc.Status of an answer: code and message."""
    code, headers, body = answer
    assert headers["Content-Type"] == content_type
    if content_type == JSON:
        return body["code"], body["message"]
    assert body[0] == 0x08 and body[2] == 0x12  # protobuf: code, message
    return body[1], body.split(b"\x12", 1)[1].lstrip(b"\x80\x81\x82\x83\x84")[1:].decode(errors="replace")


def raw(world, head, rest=b"", wait_s=10, path="/v1/traces"):
    host, port = world.daemon.gateway.rsplit(":", 1)
    connection = socket.create_connection((host, int(port)), timeout=wait_s)
    connection.sendall(b"POST " + path.encode() + b" HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" + head + b"\r\n" + rest)
    return connection


def read_all(connection):
    data = b""
    try:
        while piece := connection.recv(65536):
            data += piece
    except OSError:
        pass
    connection.close()
    return data


def bearer(world):
    return b"Authorization: Bearer " + world.tokens["gateway"].encode() + b"\r\n"


CHUNKED = b"Transfer-Encoding: chunked\r\n"


def ready(world):
    wait_for("ready", lambda: world.gateway_client().request("GET", "/readyz", raw=True)[0] == 200, 10)


@pytest.mark.parametrize("path", PATHS)
def test_errors_have_the_form_and_encoding_of_otlp(world, path):
    ready(world)
    for content_type in (JSON, PROTOBUF):
        for role, body, headers, http_code, rpc in (
                (None, b"{}", {}, 401, 16), ("viewer", b"{}", {}, 403, 7),
                ("gateway", b"\xff\xff{", {}, 400, 3), ("gateway", b"no gzip", {"Content_Encoding": "gzip"}, 400, 3),
                ("gateway", b"{}", {"Content_Encoding": "br"}, 415, 3),
                ("gateway", b" " * (5 << 20), {}, 413, 3)):
            answer = send(world, body, role, content_type, path, **headers)
            assert answer[0] == http_code, (role, body[:9], answer)
            code, message = status_of(answer, content_type)
            assert code == rpc and len(message) > 20, (code, message)
    client = world.gateway_client()
    code, headers, body = client.request("GET", path, raw=True)
    assert code == 405 and headers["Allow"] == "POST" and body["code"] == 12
    answer = send(world, b"<x/>", content_type="text/xml", path=path)
    assert answer[0] == 415 and "OTLP/HTTP" in answer[2]["message"]
    assert send(world, b"{}", path=path)[2] == {} and send(world, b"", content_type=PROTOBUF, path=path)[2] == b""


def test_a_bomb_is_refused_before_it_is_unpacked(world):
    ready(world)
    resident = f"/proc/{world.daemon.process.pid}/status"

    def peak_kb():
        return int(next(line for line in open(resident) if line.startswith("VmHWM")).split()[1])
    before = peak_kb()
    bomb = gzip.compress(b" " * (1 << 27))
    assert len(bomb) < 1 << 20
    for path in PATHS:
        assert send(world, bomb, path=path, Content_Encoding="gzip")[0] == 413
    assert peak_kb() - before < 64 << 10


def test_chunks_are_read_from_whoever_has_a_token(world):
    ready(world)
    service(world.client(), "chunks")
    span = {"traceId": "1" * 32, "spanId": "2" * 16, "startTimeUnixNano": str(time.time_ns()), "endTimeUnixNano": str(time.time_ns()),
            "attributes": [{"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}}]}
    body = json.dumps({"resourceSpans": [{"resource": {"attributes": [
        {"key": "service.name", "value": {"stringValue": "chunks"}}, {"key": "service.version", "value": {"stringValue": "v1"}}]},
        "scopeSpans": [{"spans": [span]}]}]}).encode()
    pieces = b"".join(b"%x;e=1\r\n%s\r\n" % (len(body[i:i + 7]), body[i:i + 7]) for i in range(0, len(body), 7)) + b"0\r\n\r\n"

    def counted():
        return world.database.sql("SELECT coalesce(sum(outcomes), 0) FROM observations WHERE service = 'chunks'")[0][0]

    def reported():
        data = read_all(raw(world, bearer(world) + CHUNKED + b"Connection: close\r\n", pieces))
        assert data.startswith(b"HTTP/1.1 200"), data
        return counted() == "1"
    wait_for("the gateway port knows the service", reported, 10)
    for _ in range(3):  # the same spans again
        assert reported()
    for head in (CHUNKED, CHUNKED + b"Authorization: Bearer wrong\r\n"):
        assert read_all(raw(world, head, pieces)).startswith(b"HTTP/1.1 401")
    for head in (CHUNKED + b"Content-Length: 5\r\n", b"Transfer-Encoding: gzip, chunked\r\n"):
        answer = read_all(raw(world, bearer(world) + head, pieces))
        assert answer.startswith(b"HTTP/1.1 400") and answer.count(b"HTTP/1.1") == 1, answer
    assert counted() == "1"


def test_metrics_and_logs_come_in_chunks_too(world):
    ready(world)
    for path, field in (("/v1/metrics", b"resourceMetrics"), ("/v1/logs", b"resourceLogs")):
        pieces = b'2\r\n{"\r\n%x\r\n%s\r\n5\r\n":[]}\r\n0\r\n\r\n' % (len(field), field)
        answer = read_all(raw(world, bearer(world) + CHUNKED + b"Connection: close\r\n", pieces, path=path))
        assert answer.startswith(b"HTTP/1.1 200") and answer.endswith(b"{}"), answer
        assert read_all(raw(world, CHUNKED, pieces, path=path)).startswith(b"HTTP/1.1 401")


def test_a_chunks_line_that_does_not_end_is_cut(own_world):
    """Also one who has a token cannot hold the port: it goes on answering, and the connection is closed."""
    world = own_world().start()
    about = f"/proc/{world.daemon.process.pid}/stat"

    def cpu_s():
        fields = open(about).read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    ready(world)
    for head in (CHUNKED, CHUNKED + b"Authorization: Bearer wrong\r\n"):  # nobody gets that far without a token
        began = time.monotonic()
        answer = read_all(raw(world, head, b"2;" + b"e" * 1200))
        assert answer == b"" or answer.startswith(b"HTTP/1.1 401"), answer
        assert time.monotonic() - began < 1.5
    for line in (b"2;" + b"e" * 50_000, b"0" * 50_000, b"2;" + b"e" * 1200, b"5\r\n{"):
        connection = raw(world, bearer(world) + CHUNKED, line)
        began = time.monotonic()
        for _ in range(3):
            asked = time.monotonic()
            assert world.gateway_client().request("GET", "/livez", raw=True)[0] == 200
            assert time.monotonic() - asked < 1
        assert read_all(connection) == b""
        assert 1.5 < time.monotonic() - began < 6
        before = cpu_s()
        time.sleep(1)
        assert cpu_s() - before < 0.5
