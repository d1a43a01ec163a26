// An application as both communities have it: OpenFeature's SDK decides which release a user gets, the OpenTelemetry SDK
// reports what came of the request. The "model" of the canary refuses more often. Reads {"requests": N} a line, answers with
// how many each release got, and how many it refused.
import { diag, SpanKind } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor, NodeTracerProvider } from '@opentelemetry/sdk-trace-node';
import { OFREPProvider } from '@openfeature/ofrep-provider';
import { OpenFeature } from '@openfeature/server-sdk';
import { createInterface } from 'node:readline';

const settings = JSON.parse(process.argv[2]);
const said = [];
const note = (...words) => said.push(words.map(String).join(' '));
diag.setLogger({ error: note, warn: note, info() {}, debug() {}, verbose() {} });

const provider = new NodeTracerProvider({
  resource: resourceFromAttributes(settings.resource),
  spanProcessors: [new BatchSpanProcessor(
    new OTLPTraceExporter({ url: `${settings.url}/v1/traces`, headers: settings.headers, compression: settings.compression }),
    { maxQueueSize: 50000, maxExportBatchSize: 512 })],
});
provider.register();
const tracer = provider.getTracer('app');
await OpenFeature.setProviderAndWait(new OFREPProvider({ baseUrl: settings.url, headers: Object.entries(settings.headers) }));
const flags = OpenFeature.getClient();

async function request(user, answer) {
  const span = tracer.startSpan('chat m1', { kind: SpanKind.CLIENT });
  const flag = await flags.getObjectDetails(settings.flag, {}, { targetingKey: user });
  if (flag.errorCode) return note(flag.errorCode, flag.errorMessage);
  const rate = settings.refuses[flag.variant] ?? 0;
  const refused = Math.random() < rate;
  span.setAttributes({
    'gen_ai.operation.name': 'chat', 'gen_ai.provider.name': 'anthropic', 'gen_ai.request.model': 'm1',
    'gen_ai.response.finish_reasons': [refused ? 'refusal' : 'end_turn'],
    'feature_flag.key': settings.flag, 'feature_flag.result.variant': flag.variant,
  });
  span.end();
  answer[flag.variant] ??= { requests: 0, refused: 0 };
  answer[flag.variant].requests++;
  answer[flag.variant].refused += refused;
}

let user = 0;
for await (const line of createInterface({ input: process.stdin })) {
  const answer = {};
  let left = JSON.parse(line).requests;
  await Promise.all(Array.from({ length: 32 }, async () => { while (left-- > 0) await request(`user-${user++}`, answer); }));
  await provider.forceFlush().catch(note);
  console.log(JSON.stringify({ answer, said: said.splice(0) }));
}
await provider.shutdown();
