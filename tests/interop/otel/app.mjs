// An application that calls models and is instrumented with the OpenTelemetry SDK as its documentation has it: no line
// here knows of Serin but the URL and the token. Reads one JSON object a line: requests to "make", each a span of the
// GenAI conventions; answers each line with what the exporter said.
import { diag, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor, NodeTracerProvider } from '@opentelemetry/sdk-trace-node';
import { createInterface } from 'node:readline';

const settings = JSON.parse(process.argv[2]);
const { OTLPTraceExporter } = await import(`@opentelemetry/exporter-trace-otlp-${settings.exporter}`);

// what the SDK has to say about its exports, and what their results were
const said = [];
const note = (...words) => said.push(words.map(String).join(' '));
diag.setLogger({ error: note, warn: note, info() {}, debug() {}, verbose() {} });

const exporter = new OTLPTraceExporter({
  url: settings.url,
  headers: settings.headers,
  compression: settings.compression,
  timeoutMillis: 8000,
});
const results = [];
const real = exporter.export.bind(exporter);
exporter.export = (spans, done) =>
  real(spans, result => {
    results.push({ code: result.code, error: result.error ? String(result.error.message) : null, spans: spans.length });
    done(result);
  });
const processor = new BatchSpanProcessor(exporter, { maxQueueSize: 50000, maxExportBatchSize: 512, scheduledDelayMillis: 200 });
const provider = new NodeTracerProvider({
  resource: resourceFromAttributes(settings.resource),
  spanProcessors: [processor],
});
provider.register();
const tracer = trace.getTracer('app');

function make(request) {
  const end = Date.now();
  const span = tracer.startSpan(request.name ?? 'chat m1', {
    kind: SpanKind.CLIENT,
    startTime: end - (request.lasts_ms ?? 500),
    attributes: request.attributes,
  });
  for (const event of request.events ?? []) span.addEvent(event.name, event.attributes);
  if (request.failed) span.setStatus({ code: SpanStatusCode.ERROR, message: request.failed });
  span.end(end);
}

for await (const line of createInterface({ input: process.stdin })) {
  const { make: requests } = JSON.parse(line);
  for (const request of requests) for (let i = 0; i < (request.times ?? 1); i++) make(request);
  await provider.forceFlush().catch(note);
  console.log(JSON.stringify({ results: results.splice(0), said: said.splice(0) }));
}
await provider.shutdown();
