// An application whose calls of models are told by metrics and log records of the OpenTelemetry SDK; no line here knows of
// Serin but the URL and the token. Reads one JSON object a line, of what to record, flushes, and answers with what the SDK said.
import { diag } from '@opentelemetry/api';
import { AggregationTemporalityPreference } from '@opentelemetry/exporter-metrics-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchLogRecordProcessor, LoggerProvider } from '@opentelemetry/sdk-logs';
import { MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import { createInterface } from 'node:readline';

const settings = JSON.parse(process.argv[2]);
const { OTLPMetricExporter } = await import(`@opentelemetry/exporter-metrics-otlp-${settings.exporter}`);
const { OTLPLogExporter } = await import(`@opentelemetry/exporter-logs-otlp-${settings.exporter}`);

const said = [];
const note = (...words) => said.push(words.map(String).join(' '));
diag.setLogger({ error: note, warn: note, info() {}, debug() {}, verbose() {} });

const common = { headers: settings.headers, compression: settings.compression, timeoutMillis: 8000 };
const resource = resourceFromAttributes(settings.resource);
const meters = new MeterProvider({
  resource,
  readers: [new PeriodicExportingMetricReader({
    exporter: new OTLPMetricExporter({
      ...common, url: `${settings.url}/v1/metrics`,
      temporalityPreference: AggregationTemporalityPreference[settings.temporality],
    }),
    exportIntervalMillis: 3600000,
    exportTimeoutMillis: 8000,
  })],
});
const logs = new LoggerProvider({
  resource,
  processors: [new BatchLogRecordProcessor({ exporter: new OTLPLogExporter({ ...common, url: `${settings.url}/v1/logs` }) })],
});
const meter = meters.getMeter('app');
const logger = logs.getLogger('app');

// the buckets that the conventions advise
const seconds = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];
const advice = { explicitBucketBoundaries: settings.bounds ?? seconds };
const made = new Map();
const makers = {
  counter: (name) => meter.createCounter(name),
  gauge: (name) => meter.createGauge(name),
  histogram: (name, unit) => meter.createHistogram(name, { unit, advice }),
};
const instrument = (name, kind, unit = 's') => {
  const key = [name, kind, unit].join();
  if (!made.has(key)) made.set(key, makers[kind](name, unit));
  return made.get(key);
};

for await (const line of createInterface({ input: process.stdin })) {
  const { record = [], count = [], gauge = [], log = [] } = JSON.parse(line);
  for (const { name, value, unit, attributes, times = 1 } of record)
    for (let i = 0; i < times; i++) instrument(name, 'histogram', unit).record(value, attributes);
  for (const { name, value, attributes } of gauge) instrument(name, 'gauge').record(value, attributes);
  for (const { name, value, attributes } of count) instrument(name, 'counter').add(value, attributes);
  for (const { times = 1, ...entry } of log) for (let i = 0; i < times; i++) logger.emit(entry);
  await meters.forceFlush().catch(note);
  await logs.forceFlush().catch(note);
  console.log(JSON.stringify({ said: said.splice(0) }));
}
await meters.shutdown();
await logs.shutdown();
