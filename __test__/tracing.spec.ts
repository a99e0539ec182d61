// Traces without OpenTelemetry: a message that belongs to one takes it along, and channels of diagnostics tell of it.
import test, { type ExecutionContext } from 'ava';
import { channel, tracingChannel } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { Worker as Isolate } from 'node:worker_threads';
import { Node, type Context } from 'troupe';
import { failureOf, gate, nodesOf, worker } from './support/nodes.ts';

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

test.serial(
  'a header that is no traceparent, or one of two, is ignored; of a later version what is known counts',
  async (t) => {
    const node = await Node.create({ name: 'here', zone: false, http: { workers: true } });
    t.teardown(() => node.stop({ timeout: 0 }));
    await node.startWorker('echo', answers());
    const handled = begun(t);
    const ask = async (...values: string[]) => {
      const headers = values.map((value): [string, string] => ['traceparent', value]);
      t.is((await post(node, '/workers/echo', headers)).status, 200);
      return handled.pop()?.traceparent;
    };
    t.is(await ask(TRACE), TRACE);
    t.is(await ask(`cc${TRACE.slice(2, -2)}ff-and-more`), TRACE);
    for (const value of [
      '',
      'nonsense',
      TRACE.toUpperCase(),
      TRACE.slice(1),
      `${TRACE}-00`,
      `ff${TRACE.slice(2)}`,
      TRACE.replace('4bf92f3577b34da6a3ce929d0e0e4736', '0'.repeat(32)),
      TRACE.replace('00f067aa0ba902b7', '0'.repeat(16)),
    ]) {
      t.is(await ask(value), undefined, value);
    }
    t.is(await ask(TRACE, TRACE.replace('4b', '5b')), undefined);
    t.is(await ask(), undefined);
  },
);

test.serial('messages of a trace keep their order among others, also while they wait', async (t) => {
  const create = nodesOf(t);
  const here = await create('here', { http: { workers: true } });
  const there = await create('there');
  const open = gate();
  const got: string[] = [];
  const logs = worker(async (_: Context, message) => {
    await open.opened;
    got.push(message);
  });
  await here.startWorker('near', logs, { mailbox: 100 });
  await there.startWorker(
    'far',
    worker(async (_: Context, message) => {
      await open.opened;
      got.push(message);
    }),
    { mailbox: 100 },
  );
  const count = 1_000;
  let isOver = Promise.resolve();
  await here.startWorker(
    'source',
    worker(async (context: Context) => {
      // A request of `context` is in the trace, a send of its node is not: both come from this node.
      const sent = Array.from({ length: count }, (_, i) =>
        ['near', 'there/far'].map((to) => context.send(to, `${to} ${i}`)),
      );
      isOver = Promise.all(sent.flat()).then(() => {});
      await context.reply('sent');
    }),
  );
  const handled = begun(t);
  t.is((await post(here, '/workers/source', { traceparent: TRACE })).status, 200);
  open.open();
  await isOver;
  while (got.length < 2 * count) await new Promise(setImmediate);
  for (const to of ['near', 'there/far']) {
    t.deepEqual(
      got.filter((message) => message.startsWith(to)),
      Array.from({ length: count }, (_, i) => `${to} ${i}`),
    );
  }
  const traces = handled.filter(({ worker }) => worker !== 'source').map(({ traceparent }) => traceparent);
  t.deepEqual([traces.length, new Set(traces)], [2 * count, new Set([TRACE])]);
});

test.serial('a trace goes from one isolate of a process to another', async (t) => {
  const create = nodesOf(t);
  const here = await create('here', { http: { workers: true } });
  const source = `
    import { parentPort, workerData } from 'node:worker_threads';
    import { subscribe } from 'node:diagnostics_channel';
    const { Node } = await import(workerData);
    const node = await Node.create({ name: 'isolate' });
    let trace;
    subscribe('tracing:troupe:handle:start', (event) => { trace = event.traceparent; });
    await node.startWorker('inner', { handleMessage: (context) => context.reply(String(trace)) });
    parentPort.once('message', () => node.stop({ timeout: 0 }));
    parentPort.postMessage('ready');`;
  const isolate = new Isolate(new URL(`data:text/javascript,${encodeURIComponent(source)}`), {
    workerData: import.meta.resolve('troupe'),
  });
  await once(isolate, 'message');
  await here.startWorker('door', asks('isolate/inner'));
  t.is(await (await post(here, '/workers/door', { traceparent: TRACE })).text(), TRACE);
  isolate.postMessage('stop');
  await once(isolate, 'exit');
});

test.serial('nothing of OpenTelemetry is loaded by a program that has not set it up', async (t) => {
  const node = await Node.create({ name: 'here', zone: false });
  await node.stop();
  t.deepEqual(
    Object.keys(createRequire(import.meta.url).cache).filter((file) => file.includes('@opentelemetry')),
    [],
  );
});

test.serial(
  'a handler is told of at its start and end, one that fails or takes longer besides, as a tracing channel does',
  async (t) => {
    const node = await Node.create({ name: 'here', zone: false });
    t.teardown(() => node.stop({ timeout: 0 }));
    const told: string[] = [];
    const handlings = tracingChannel('troupe:handle');
    const tell = (stage: string) => (event: unknown) => {
      const { worker, kind, sender, error } = event as Handled;
      told.push(`${stage} ${kind} ${sender} → ${worker}${error === undefined ? '' : `: ${String(error)}`}`);
    };
    const hear = {
      start: tell('start'),
      end: tell('end'),
      asyncStart: tell('asyncStart'),
      asyncEnd: tell('asyncEnd'),
      error: tell('error'),
    };
    const boom = new Error('boom');
    await node.startWorker('sync', answers());
    await node.startWorker(
      'async',
      worker(async (context: Context) => {
        await null;
        await context.reply('done');
      }),
    );
    await node.startWorker(
      'throws',
      worker(() => {
        throw boom;
      }),
    );
    await node.startWorker(
      'rejects',
      worker(() => Promise.reject(boom)),
    );
    const all = async () => {
      await node.sendAndReceive('sync', 'x');
      await node.sendAndReceive('async', 'x');
      await failureOf(t, node.sendAndReceive('throws', 'x'));
      await failureOf(t, node.sendAndReceive('rejects', 'x'));
      await node.sendAndReceive('sync', 'x');
    };
    await all();
    t.deepEqual(told, []);
    handlings.subscribe(hear);
    await all();
    const of = (who: string, ...stages: string[]) =>
      stages.map((stage) => {
        const [name, error] = stage.split(':');
        return `${name} request here/main → ${who}${error === undefined ? '' : ': Error: boom'}`;
      });
    const expected = [
      ...of('sync', 'start', 'end', 'asyncStart', 'asyncEnd'),
      ...of('async', 'start', 'end', 'asyncStart', 'asyncEnd'),
      ...of('throws', 'start', 'error:', 'end:'),
      ...of('rejects', 'start', 'end', 'error:', 'asyncStart:', 'asyncEnd:'),
      ...of('sync', 'start', 'end', 'asyncStart', 'asyncEnd'),
    ];
    t.deepEqual(told, expected);
    handlings.unsubscribe(hear);
    await all();
    t.is(told.length, expected.length, 'who has left hears nothing');
  },
);

test.serial(
  'a subscriber that throws harms no message: what it threw is the uncaught exception that Node makes of it',
  async (t) => {
    const node = await Node.create({ name: 'here', zone: false });
    t.teardown(() => node.stop({ timeout: 0 }));
    const got: string[] = [];
    await node.startWorker(
      'log',
      worker((context: Context, message) => {
        got.push(message);
        return context.reply(message);
      }),
    );
    const uncaught: unknown[] = [];
    const others = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    process.on('uncaughtException', (error) => void uncaught.push(error));
    const fail = () => {
      throw new Error('the subscriber');
    };
    const names = ['troupe:send', 'tracing:troupe:handle:start', 'tracing:troupe:handle:end'];
    for (const name of names) channel(name).subscribe(fail);
    const answers = await Promise.all(Array.from({ length: 10 }, (_, i) => node.sendAndReceive('log', String(i))));
    for (const name of names) channel(name).unsubscribe(fail);
    while (uncaught.length < 30) await new Promise(setImmediate);
    process.removeAllListeners('uncaughtException');
    for (const other of others) process.on('uncaughtException', other);
    t.deepEqual(answers, got);
    t.deepEqual(
      got,
      Array.from({ length: 10 }, (_, i) => String(i)),
    );
    t.is(uncaught.length, 30);
  },
);

test.serial('workers that start, fail, restart and stop are told of, and so are dead letters', async (t) => {
  const node = await Node.create({ name: 'here', zone: false });
  t.teardown(() => node.stop({ timeout: 0 }));
  const told: string[] = [];
  const tell = (name: string) => (event: unknown) => {
    const { node, worker, error, reason, count } = event as Record<string, unknown>;
    const more = error instanceof Error ? error.message : [reason, count].join(' ').trim();
    told.push([name, `${String(node)}/${String(worker)}`, more].join(' ').trim());
  };
  for (const name of ['worker:start', 'worker:fail', 'worker:restart', 'worker:stop', 'dead-letter']) {
    const [source, hear] = [channel(`troupe:${name}`), tell(name)];
    source.subscribe(hear);
    t.teardown(() => source.unsubscribe(hear));
  }
  class Fragile {
    handleMessage() {
      throw new Error('broke');
    }
  }
  await node.startWorker('fragile', Fragile, { onFailure: 'restart' });
  await failureOf(t, node.sendAndReceive('fragile', 'x'));
  await failureOf(
    t,
    node.startWorker('stillborn', {
      initialize: () => Promise.reject(new Error('no')),
      handleMessage: () => {},
    }),
  );
  await node.stopWorker('fragile');
  await Promise.all([1, 2, 3].map(() => failureOf(t, node.send('nobody', 'x'))));
  await failureOf(t, node.send('nobody', 1 as unknown as string));
  while (told.filter((line) => line.startsWith('dead')).length < 2) await new Promise(setImmediate);
  t.deepEqual(told, [
    'worker:start here/fragile',
    'worker:fail here/fragile broke',
    'worker:restart here/fragile',
    'worker:stop here/fragile',
    'dead-letter here/main no such worker 3',
    'dead-letter here/main the message, its address or its options were not valid 1',
  ]);
});

test.serial('nodes that come and go are told of', async (t) => {
  const create = nodesOf(t);
  const told: string[] = [];
  for (const name of ['join', 'leave']) {
    const hear = (event: unknown) => {
      const { node, name: who } = event as { node: string; name: string };
      told.push(`${node}: ${who} ${name}s`);
    };
    channel(`troupe:node:${name}`).subscribe(hear);
    t.teardown(() => channel(`troupe:node:${name}`).unsubscribe(hear));
  }
  const until = async (line: string) => {
    while (!told.includes(line)) await new Promise(setImmediate);
  };
  await create('here');
  const there = await create('there');
  await until('here: there joins');
  await there.stop();
  await until('here: there leaves');
  t.deepEqual(
    told.filter((line) => line.startsWith('here')),
    ['here: there joins', 'here: there leaves'],
  );
});
