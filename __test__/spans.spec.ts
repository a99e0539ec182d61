// Spans of messages by OpenTelemetry, which this program has set up before its nodes.
import { context as contexts, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import {
  InMemorySpanExporter,
  NodeTracerProvider,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-node';
import test from 'ava';
import { createRequire } from 'node:module';
import { setLogger, type Context, type LogRecord } from 'troupe';
import { failureOf, nodesOf, worker } from './support/nodes.ts';

const exporter = new InMemorySpanExporter();
const isBroken = { value: false };
class Breakable extends SimpleSpanProcessor {
  override onStart(...started: Parameters<SimpleSpanProcessor['onStart']>) {
    if (isBroken.value) throw new Error('broken');
    super.onStart(...started);
  }
}
new NodeTracerProvider({ spanProcessors: [new Breakable(exporter)] }).register();
const tracer = trace.getTracer('test');

/** A tree of spans in words, children by name. */
function tree(spans: ReadableSpan[], parent?: string, depth = 0): string[] {
  return spans
    .filter(({ parentSpanContext }) => parentSpanContext?.spanId === parent)
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((span) => [`${'  '.repeat(depth)}${span.name}`, ...tree(spans, span.spanContext().spanId, depth + 1)]);
}

/** The spans that have ended, once there are so many. */
async function ended(count: number): Promise<ReadableSpan[]> {
  while (exporter.getFinishedSpans().length < count) await new Promise(setImmediate);
  return exporter.getFinishedSpans();
}

test.serial.beforeEach(() => exporter.reset());

test.serial('spans of messages form one tree, across three nodes and asynchronous handlers', async (t) => {
  const create = nodesOf(t);
  const [first, second, third] = [await create('first'), await create('second'), await create('third')];
  await first.startWorker(
    'door',
    worker(async (context: Context, message) => {
      await new Promise(setImmediate);
      const answer = await tracer.startActiveSpan('within', async (span) => {
        const answer = await context.sendAndReceive('second/room', message);
        span.end();
        return answer;
      });
      await context.reply(answer);
    }),
  );
  await second.startWorker(
    'room',
    worker(async (context: Context, message) => {
      await context.send('third/sink', message);
      await context.reply('done');
    }),
  );
  await third.startWorker(
    'sink',
    worker(() => {}),
  );
  await tracer.startActiveSpan('outside', async (span) => {
    t.is(await first.sendAndReceive('door', 'x'), 'done');
    t.is(trace.getSpan(contexts.active()), span, 'the caller keeps its context');
    span.end();
  });
  const spans = await ended(8);
  t.deepEqual(tree(spans), [
    'outside',
    '  request door',
    '    process door',
    '      within',
    '        request second/room',
    '          process room',
    '            send third/sink',
    '              process sink',
  ]);
  t.is(new Set(spans.map((span) => span.spanContext().traceId)).size, 1);
});

const byName = (spans: ReadableSpan[], name: string) => spans.filter((span) => span.name === name);

test.serial('the attributes of spans are those of the conventions for messaging', async (t) => {
  const node = await nodesOf(t)('here');
  await node.startWorker(
    'sink',
    worker(() => {}),
  );
  await node.startWorker(
    'echo',
    worker((context: Context, message) => context.reply(message)),
  );
  await node.send('sink', 'x');
  await node.sendAndReceive('here/echo', 'x');
  const spans = await ended(4);
  const told = spans.map(({ name, kind, attributes, status }) => [name, kind, attributes, status.code]);
  const about = (operation: string, type: string, destination: string, who: string) => ({
    'messaging.system': 'troupe',
    'messaging.operation.name': operation,
    'messaging.operation.type': type,
    'messaging.destination.name': destination,
    'messaging.client.id': 'here',
    'messaging.troupe.worker': who,
  });
  t.deepEqual(
    told.sort(([a], [b]) => (String(a) < String(b) ? -1 : 1)),
    [
      ['process echo', SpanKind.CONSUMER, about('process', 'process', 'echo', 'echo'), SpanStatusCode.UNSET],
      ['process sink', SpanKind.CONSUMER, about('process', 'process', 'sink', 'sink'), SpanStatusCode.UNSET],
      ['request here/echo', SpanKind.CLIENT, about('request', 'send', 'here/echo', 'main'), SpanStatusCode.UNSET],
      ['send sink', SpanKind.PRODUCER, about('send', 'send', 'sink', 'main'), SpanStatusCode.UNSET],
    ],
  );
});

test.serial('a failure is in its spans, with its code', async (t) => {
  const node = await nodesOf(t)('here');
  await node.startWorker(
    'fails',
    worker(async () => {
      await null;
      throw new RangeError('too far');
    }),
  );
  await node.startWorker(
    'throws',
    worker(() => {
      throw 'a string';
    }),
  );
  await failureOf(t, node.sendAndReceive('fails', 'x'));
  await failureOf(t, node.sendAndReceive('throws', 'x'));
  await failureOf(t, node.sendAndReceive('nobody', 'x'));
  await failureOf(t, node.send('nobody', 'x'));
  await failureOf(t, node.send('not an address!', 'x'));
  const spans = await ended(7);
  const failures = spans.map(({ name, attributes, status, events }) => {
    t.is(status.code, SpanStatusCode.ERROR, name);
    t.is(events.filter((event) => event.name === 'exception').length, 1, name);
    return `${name}: ${String(attributes['error.type'])}`;
  });
  t.deepEqual(failures.sort(), [
    'process fails: RangeError',
    'process throws: _OTHER',
    'request fails: WORKER_FAILED',
    'request nobody: NO_SUCH_WORKER',
    'request throws: WORKER_FAILED',
    'send nobody: NO_SUCH_WORKER',
    'send not an address!: INVALID_ARGUMENT',
  ]);
  const [told] = byName(spans, 'request nobody');
  t.is(told?.events[0]?.attributes?.['exception.type'], 'NO_SUCH_WORKER');
});

test.serial('no span holds a message', async (t) => {
  const create = nodesOf(t);
  const [here, there] = [await create('here'), await create('there')];
  const secret = 'hunter2';
  await there.startWorker(
    'echo',
    worker((context: Context, message) => context.reply(message)),
  );
  await here.startWorker(
    'slow',
    worker(() => new Promise(() => {})),
  );
  t.is(await here.sendAndReceive('there/echo', secret), secret);
  await here.send('there/echo', secret);
  await failureOf(t, here.sendAndReceive('nobody', secret));
  await failureOf(t, here.sendAndReceive('slow', secret, { timeout: 1 }));
  const spans = await ended(6);
  const text = JSON.stringify(
    spans.map(({ name, attributes, events, status, links }) => ({ name, attributes, events, status, links })),
  );
  t.true(text.includes('messaging.system'));
  t.false(text.includes(secret));
});

test.serial('handlers side by side have each their own context, and callers keep theirs', async (t) => {
  const node = await nodesOf(t)('here');
  const seen = new Map<string, string | undefined>();
  const current = () => trace.getSpan(contexts.active())?.spanContext().traceId;
  await node.startWorker(
    'last',
    worker((context: Context, message) => {
      seen.set(`last ${message}`, current());
      return context.reply(message);
    }),
  );
  const chains = 50;
  for (let i = 0; i < chains; i++) {
    await node.startWorker(
      `first-${i}`,
      worker(async (context: Context, message) => {
        if (i % 2 === 0) await new Promise(setImmediate);
        seen.set(`first ${message}`, current());
        await context.reply(await context.sendAndReceive('last', message));
        seen.set(`after ${message}`, current());
      }),
    );
  }
  await Promise.all(
    Array.from({ length: chains }, (_, i) =>
      tracer.startActiveSpan('caller', async (span) => {
        await node.sendAndReceive(`first-${i}`, String(i));
        t.is(trace.getSpan(contexts.active()), span);
        seen.set(`caller ${i}`, span.spanContext().traceId);
        span.end();
      }),
    ),
  );
  await ended(chains * 5);
  for (let i = 0; i < chains; i++) {
    const traces = ['caller', 'first', 'last', 'after'].map((who) => seen.get(`${who} ${i}`));
    t.is(new Set(traces).size, 1, `chain ${i}`);
  }
  t.is(new Set(seen.values()).size, chains);
});

test.serial('a callback that lost its context still belongs to the message of its handler', async (t) => {
  const node = await nodesOf(t)('here');
  await node.startWorker(
    'sink',
    worker(() => {}),
  );
  await node.startWorker(
    'loses',
    worker((context: Context) =>
      contexts.with(ROOT_CONTEXT, async () => {
        await context.send('sink', 'x');
      }),
    ),
  );
  await node.send('loses', 'x');
  t.deepEqual(tree(await ended(4)), ['send loses', '  process loses', '    send sink', '      process sink']);
});

test.serial('the API of OpenTelemetry is loaded where the program has set it up', (t) => {
  // So that the test which finds nothing of it elsewhere could fail.
  const files = Object.keys(createRequire(import.meta.url).cache);
  t.true(files.some((file) => file.includes('@opentelemetry/api')));
});

test.serial('a tracer that fails harms no message, and is reported once', async (t) => {
  const node = await nodesOf(t)('here');
  const records: LogRecord[] = [];
  setLogger((record) => void records.push(record));
  t.teardown(() => setLogger(undefined));
  await node.startWorker(
    'echo',
    worker((context: Context, message) => context.reply(message)),
  );
  isBroken.value = true;
  t.teardown(() => (isBroken.value = false));
  const asked = Array.from({ length: 20 }, (_, i) => node.sendAndReceive('echo', String(i)));
  t.deepEqual(
    await Promise.all(asked),
    Array.from({ length: 20 }, (_, i) => String(i)),
  );
  t.is(records.filter(({ message }) => message.includes('the tracer of OpenTelemetry failed')).length, 1);
});
