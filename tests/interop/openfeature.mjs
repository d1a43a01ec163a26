// The real OpenFeature SDKs against a gateway port, as tests/e2e/test_openfeature.py wants it. One command a line comes in
// as JSON, one answer a line goes out; what the provider sends is counted on its way.
//
//   SERIN_OFREP=http://127.0.0.1:8081 SERIN_TOKEN=... node openfeature.mjs server|web INSTANCE
import readline from 'node:readline';

const [kind, instance] = process.argv.slice(2);
const baseUrl = process.env.SERIN_OFREP;
const headers = [['Authorization', `Bearer ${process.env.SERIN_TOKEN}`], ['Serin-Gateway', instance]];
const codes = {}; // HTTP status -> how often
const fetchImplementation = async (...request) => {
  const response = await fetch(request[0], { ...request[1], signal: AbortSignal.timeout(30000) });
  codes[response.status] = (codes[response.status] ?? 0) + 1;
  return response;
};

const short = (d) => ({ variant: d.variant, reason: d.reason, errorCode: d.errorCode, errorMessage: d.errorMessage, value: d.value,
                        metadata: d.flagMetadata });

// Evaluates key-0 ... key-(count - 1), many at once. `evaluate` gets the number of its worker, 0 to workers - 1.
async function evaluateAll(count, workers, evaluate) {
  const canary = [], other = [];
  let next = 0;
  await Promise.all(Array.from({ length: workers }, async (_, worker) => {
    while (next < count) {
      const n = next++;
      const details = await evaluate(`key-${n}`, worker);
      if (details.errorCode) other.push(`key-${n}: ${details.errorCode} ${details.errorMessage}`);
      else if (details.flagMetadata.role === 'canary') canary.push(n);
    }
  }));
  return { canary: canary.sort((a, b) => a - b), other: other.slice(0, 5), others: other.length };
}

async function serverCommands() {
  const { OpenFeature } = await import('@openfeature/server-sdk');
  const { OFREPProvider } = await import('@openfeature/ofrep-provider');
  const said = [], failures = []; // what the SDK logs by itself, and what an error hook gets
  const note = (...words) => said.push(words.map(String).join(' '));
  OpenFeature.setLogger({ error: note, warn: note, info: note, debug() {} });
  OpenFeature.addHooks({ error: (_, error) => failures.push({ name: error.name, status: error.response?.status }) });
  await OpenFeature.setProviderAndWait(new OFREPProvider({ baseUrl, headers, fetchImplementation }));
  const client = OpenFeature.getClient();
  return {
    heard: () => ({ said: said.splice(0), failures: failures.splice(0) }),
    one: async ({ flag, context }) => short(await client.getObjectDetails(flag, { fallback: true }, context)),
    string: async ({ flag, context }) => short(await client.getStringDetails(flag, 'the default', context)),
    all: ({ flag, count }) => evaluateAll(count, 64, (targetingKey) => client.getObjectDetails(flag, {}, { targetingKey })),
  };
}

async function webCommands() {
  const { OpenFeature, ProviderEvents } = await import('@openfeature/web-sdk');
  const { OFREPWebProvider } = await import('@openfeature/ofrep-web-provider');
  const provider = (pollInterval) => new OFREPWebProvider(
    { baseUrl, headers, fetchImplementation, pollInterval, cacheMode: 'disabled', changeDetection: 'polling' });
  const changed = [];
  await OpenFeature.setContext({ targetingKey: 'nobody' });
  await OpenFeature.setProviderAndWait(provider(300));
  const client = OpenFeature.getClient();
  client.addHandler(ProviderEvents.ConfigurationChanged, (event) => changed.push(...(event.flagsChanged ?? [])));
  const domains = Array.from({ length: 16 }, (_, n) => `worker-${n}`); // a context each
  let opened = false;
  return {
    context: async ({ targetingKey }) => { await OpenFeature.setContext({ targetingKey }); return {}; },
    one: ({ flag }) => short(client.getObjectDetails(flag, { fallback: true })),
    string: ({ flag }) => short(client.getStringDetails(flag, 'the default')),
    changed: () => ({ changed }),
    all: async ({ flag, count }) => {
      if (!opened) for (const domain of domains) {
        await OpenFeature.setContext(domain, { targetingKey: domain });
        await OpenFeature.setProviderAndWait(domain, provider(0));
      }
      opened = true;
      return evaluateAll(count, domains.length, async (targetingKey, worker) => {
        await OpenFeature.setContext(domains[worker], { targetingKey });
        return OpenFeature.getClient(domains[worker]).getObjectDetails(flag, {});
      });
    },
  };
}

try {
  const commands = await (kind === 'web' ? webCommands() : serverCommands());
  console.log(JSON.stringify({ ready: true }));
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const command = JSON.parse(line);
    const answer = command.op === 'codes' ? { codes } : await commands[command.op](command);
    console.log(JSON.stringify(answer));
  }
} catch (error) {
  console.log(JSON.stringify({ failed: String(error), cause: String(error?.cause ?? '') }));
}
process.exit(0);
