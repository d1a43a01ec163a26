"""Batches as gateways and SDKs send them, always the same: one second of a model with a log-normal latency."""
import json
import random
import struct

MARK = b"f00dfeed"  # a part of each trace id; replaced before each run, so that no span is a repeated one
BATCHES, OUTCOMES = 32, 250
SPANS = 512  # of a request: what an SDK exports at once where nobody says otherwise (OTEL_BSP_MAX_EXPORT_BATCH_SIZE)


def outcomes(service):
    """Bodies of POST /v1/outcomes."""
    source = random.Random(1)
    for _ in range(BATCHES):
        items = []
        for _ in range(OUTCOMES):
            latency = int(source.lognormvariate(7.4, 0.6))
            items.append({"release": "v2" if source.random() < 0.05 else "v1", "age_ms": latency + source.randrange(1000),
                          "ttft_ms": latency // 4, "latency_ms": latency, "input_tokens": source.randrange(200, 2000),
                          "output_tokens": source.randrange(20, 600),
                          "sli": {"refusal": source.random() < 0.02, "error": source.random() < 0.01, "truncated": False}})
        yield json.dumps({"service": service, "outcomes": items}, separators=(",", ":")).encode()


def spans(source, now_ns, count):
    """Attributes and times of the spans of one request, as a GenAI instrumentation writes them."""
    for _ in range(count):
        latency = int(source.lognormvariate(7.4, 0.6))
        start = now_ns - (latency + source.randrange(1000)) * 1_000_000
        yield (MARK.decode() + f"{source.getrandbits(96):024x}", f"{source.getrandbits(64) | 1:016x}", start,
               start + latency * 1_000_000,
               [("gen_ai.operation.name", "chat"), ("gen_ai.provider.name", "openai"), ("gen_ai.request.model", "gpt-4.1-nano"),
                ("gen_ai.response.model", "gpt-4.1-nano-2025-04-14"),
                ("feature_flag.result.variant", "v2" if source.random() < 0.05 else "v1"),
                ("gen_ai.response.finish_reasons", ["stop"]), ("gen_ai.usage.input_tokens", source.randrange(200, 2000)),
                ("gen_ai.usage.output_tokens", source.randrange(20, 600)), ("server.address", "api.openai.com")])


def otlp_json(service, now_ns, count=SPANS):
    def value(it):
        if isinstance(it, list):
            return {"arrayValue": {"values": [value(one) for one in it]}}
        return {"stringValue": it} if isinstance(it, str) else {"intValue": str(it)}
    source = random.Random(2)
    for _ in range(BATCHES // 4):
        made = [{"traceId": trace, "spanId": span, "name": "chat gpt-4.1-nano", "kind": 3, "startTimeUnixNano": str(start),
                 "endTimeUnixNano": str(end), "attributes": [{"key": k, "value": value(v)} for k, v in pairs],
                 "status": {}} for trace, span, start, end, pairs in spans(source, now_ns, count)]
        yield json.dumps({"resourceSpans": [{
            "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]},
            "scopeSpans": [{"scope": {"name": "bench"}, "spans": made}]}]}, separators=(",", ":")).encode()


def otlp_protobuf(service, now_ns, count=SPANS):
    def varint(number):
        out = b""
        while number > 127:
            out, number = out + bytes([number & 127 | 128]), number >> 7
        return out + bytes([number])

    def field(number, content):
        return varint(number << 3 | 2) + varint(len(content)) + content

    def value(it):
        if isinstance(it, list):
            return field(5, b"".join(field(1, value(one)) for one in it))
        return field(1, it.encode()) if isinstance(it, str) else varint(3 << 3) + varint(it)

    def pair(number, key, it):
        return field(number, field(1, key.encode()) + field(2, value(it)))
    source = random.Random(2)
    for _ in range(BATCHES):
        made = b"".join(field(2, field(1, MARK + bytes.fromhex(trace[8:24])) + field(2, bytes.fromhex(span)) +
                              field(5, b"chat gpt-4.1-nano") + varint(6 << 3) + varint(3) + varint(7 << 3 | 1) +
                              struct.pack("<Q", start) + varint(8 << 3 | 1) + struct.pack("<Q", end) +
                              b"".join(pair(9, k, v) for k, v in pairs) + field(15, b""))
                        for trace, span, start, end, pairs in spans(source, now_ns, count))
        yield field(1, field(1, pair(1, "service.name", service)) + field(2, field(1, field(1, b"bench")) + made))


def write(path, bodies):
    """Bodies behind their lengths, as bench_decode reads them."""
    with open(path, "wb") as file:
        for body in bodies:
            file.write(struct.pack("<I", len(body)) + body)
    return path
