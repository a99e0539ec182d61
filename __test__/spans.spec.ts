// Spans of messages by OpenTelemetry, which this program has set up before its nodes.
import { context as contexts, trace } from '@opentelemetry/api';
import {
  InMemorySpanExporter,
  NodeTracerProvider,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-node';
import test from 'ava';
import { type Context } from 'troupe';
import { nodesOf, worker } from './support/nodes.ts';

const exporter = new InMemorySpanExporter();
new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }).register();
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
