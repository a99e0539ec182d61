// Traces without OpenTelemetry: a message that belongs to one takes it along, and channels of diagnostics tell of it.
import test, { type ExecutionContext } from 'ava';
import { channel } from 'node:diagnostics_channel';
import type { Context, Node } from 'troupe';
import { nodesOf, worker } from './support/nodes.ts';

const TRACE = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

/** What is told of a handling; docs/tracing.md. */
interface Handled {
  node: string;
  worker: string;
  sender: string;
  kind: 'send' | 'request';
  traceparent: string | undefined;
  error: unknown;
}

/** Gathers what a channel tells, until the test ends. */
function heard<T>(t: ExecutionContext, name: string): T[] {
  const told: T[] = [];
  const hear = (message: unknown) => void told.push(message as T);
  const source = channel(name);
  source.subscribe(hear);
  t.teardown(() => source.unsubscribe(hear));
  return told;
}

const begun = (t: ExecutionContext) => heard<Handled>(t, 'tracing:troupe:handle:start');

function post(node: Node, path: string, headers: Record<string, string> | [string, string][]): Promise<Response> {
  return fetch(`http://${node.http}${path}`, { method: 'POST', body: 'x', headers });
}

const answers = () => worker((context: Context) => context.reply('done'));
const asks = (whom: string) =>
  worker(async (context: Context, message) => context.reply(await context.sendAndReceive(whom, message)));

test.serial('a trace goes along with what handlers send, ask and reply, here and on other nodes', async (t) => {
  const create = nodesOf(t);
  const first = await create('first', { http: { workers: true } });
  const [second, third] = [await create('second'), await create('third')];
  const handled = begun(t);
  await first.startWorker('door', asks('first/hall'));
  await first.startWorker('hall', asks('second/room'));
  await second.startWorker(
    'room',
    worker(async (context: Context, message) => {
      if (message === 'taken') return;
      await null;
      // So long that it takes several records.
      await context.send('third/sink', message.repeat(100_000));
      await context.reply('done');
    }),
  );
  await second.startWorker('closet', answers());
  await third.startWorker(
    'sink',
    worker((context: Context) => context.reply('taken')),
  );
  const answer = await post(first, '/workers/door', { traceparent: TRACE });
  t.is(await answer.text(), 'done');
  const way = ['first/door', 'first/hall', 'second/room', 'third/sink', 'second/room'];
  while (handled.length < way.length) await new Promise(setImmediate);
  t.deepEqual(
    handled.map(({ node, worker, traceparent }) => `${node}/${worker} ${traceparent}`),
    way.map((address) => `${address} ${TRACE}`),
  );
  t.deepEqual(
    handled.map(({ sender, kind }) => [sender, kind]),
    [
      ['', 'request'],
      ['first/door', 'request'],
      ['first/hall', 'request'],
      ['second/room', 'send'],
      ['third/sink', 'send'],
    ],
  );
  handled.length = 0;
  await third.sendAndReceive('second/closet', 'x');
  t.deepEqual(
    handled.map(({ worker, traceparent }) => [worker, traceparent]),
    [['closet', undefined]],
    'a message of no trace has none',
  );
});
