// A node by itself: its names, its listing, and its end.
import test from 'ava';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { Node, Zone, type Context, type NodeStoppedError, type TroupeErrorCode } from 'troupe';
import {
  captureLog,
  deadLetters,
  Echo,
  failure,
  Gate,
  Handler,
  held,
  outcome,
  Slow,
  testNode,
  turns,
  until,
} from './support/node.ts';
import { nodeBinaries, Program, zoneHome } from './support/program.ts';

test.before(() => {
  captureLog();
});

test('a listing shows every worker of the node, by name, with what it does and has done', async (t) => {
  const node = await testNode(t);
  const slow = new Slow();
  await node.startWorker('slow', slow);
  await node.startWorker('echo-2', Echo);
  await node.startWorker('echo-1', Echo);
  await node.sendAndReceive('echo-1', 'x');
  void node.send('slow', 'in hand');
  void node.send('slow', 'waits');
  await slow.begun;
  const all = await node.listWorkers();
  t.deepEqual(all.map(String), ['echo-1', 'echo-2', 'main', 'slow']);
  const about = { node: node.name, failed: 0 };
  t.like(all[0], { ...about, name: 'echo-1', type: 'Echo', state: 'idle', queued: 0, handled: 1 });
  t.like(all[2], { ...about, type: 'Mailbox', state: 'idle' });
  t.like(all[3], { ...about, type: 'Slow', state: 'busy', queued: 1, handled: 0 });
  t.is(`${all[0]}`, 'echo-1');
  t.deepEqual((await node.listWorkers({ prefix: 'echo' })).map(String), ['echo-1', 'echo-2']);
  t.deepEqual((await node.listWorkers({ limit: 2 })).map(String), ['echo-1', 'echo-2']);
  t.deepEqual(await node.listWorkers({ limit: 0 }), []);
  t.deepEqual(await node.listWorkers({ prefix: 'nobody' }), []);
  const stopped = node.stopWorker('slow');
  await turns();
  t.is((await node.listWorkers({ prefix: 'slow' }))[0]?.state, 'stopping');
  slow.free();
  await stopped;
});

test('a listing after a reply knows of the message that was answered', async (t) => {
  const node = await testNode(t);
  await node.startWorker('async', Echo);
  await node.startWorker('sync', new Handler((context, message) => void context.reply(message)));
  for (const worker of ['async', 'sync']) {
    for (let i = 1; i <= 20; i++) {
      await node.sendAndReceive(worker, 'x');
      t.like((await node.listWorkers({ prefix: worker }))[0], { state: 'idle', queued: 0, handled: i });
    }
  }
});

test('a failure of a worker of the same node names worker and node, by whichever address', async (t) => {
  const node = await testNode(t);
  const slow = new Slow();
  await node.startWorker('slow', slow, { mailbox: 1, overflow: 'reject' });
  await node.startWorker('fails', new Handler(() => Promise.reject(new Error('on purpose'))));
  void node.send('slow', 'in hand');
  await slow.begun;
  for (const prefix of ['', `${node.name}/`]) {
    const calls = {
      TIMEOUT: node.sendAndReceive(`${prefix}slow`, 'waits', { timeout: 20 }),
      MAILBOX_FULL: node.send(`${prefix}slow`, 'too many'),
      WORKER_FAILED: node.sendAndReceive(`${prefix}fails`, ''),
      NO_SUCH_WORKER: node.sendAndReceive(`${prefix}nobody`, ''),
    };
    for (const [code, call] of Object.entries(calls)) {
      const error = await failure(t, call);
      t.is(error.code, code as TroupeErrorCode);
      t.deepEqual([typeof error.worker, error.node], ['string', node.name], `${code} ${prefix}`);
      t.true(error.message.includes(`on node "${node.name}"`), error.message);
    }
  }
  slow.free();
});

test('a node without a zone says so of every other node', async (t) => {
  const node = await testNode(t);
  const why =
    /node "other" can't be reached: node ".*" has no zone \(option zone: false\), so it reaches no other; nothing/;
  for (const call of [node.send('other/x', ''), node.sendAndReceive('other/x', ''), Zone.node(node, 'other')]) {
    const error = await failure(t, call);
    t.is(error.code, 'NODE_UNREACHABLE');
    t.regex(error.message, why);
  }
});

test('a node is not made by "new"', (t) => {
  const error = t.throws(() => Reflect.construct(Node, []), { instanceOf: TypeError });
  t.is((error as Error & { code?: string }).code, 'INVALID_ARGUMENT');
  t.regex(error.message, /await Node\.create\(options\).*Node\.start\(main, options\)/);
});

test('a listing prints well', async (t) => {
  const node = await testNode(t);
  const listed = await node.listWorkers();
  t.is(String(listed), 'main');
  t.regex(inspect(listed), /^\[\s*WorkerInfo \{\s+name: 'main'/);
});

test('two nodes of one process are two: names, listings and mailboxes are their own', async (t) => {
  const [one, two] = [await testNode(t, { name: 'one' }), await testNode(t, { name: 'two' })];
  await one.startWorker('echo', Echo);
  t.not(one.id, two.id);
  t.is(await outcome(two.sendAndReceive('echo', 'x')), 'NO_SUCH_WORKER');
  t.is(await outcome(two.sendAndReceive('one/echo', 'x')), 'NODE_UNREACHABLE');
  t.is(await outcome(two.startWorker('echo', Echo)), 'ok');
  t.is(await one.sendAndReceive('one/echo', 'x'), 'x');
  t.deepEqual((await two.listWorkers()).map(String), ['echo', 'main']);
});

test('a node that stops drains its workers, then everything on it is refused with NODE_STOPPED', async (t) => {
  const node = await testNode(t);
  const gate = new Gate();
  const seen: string[] = [];
  const worker = {
    async handleMessage(context: Context, message: string) {
      await gate.opened;
      seen.push(message);
      await context.reply(message);
    },
    shutdown: () => void seen.push('shutdown'),
  };
  await node.startWorker('w', worker);
  const asked = [node.sendAndReceive('w', 'a'), node.sendAndReceive('w', 'b')];
  await turns();
  t.false(node.signal.aborted);
  const stopped = node.stop({ timeout: Infinity });
  t.true(node.signal.aborted);
  t.is((node.signal.reason as NodeStoppedError).code, 'NODE_STOPPED');
  t.is(await outcome(node.startWorker('another', Echo)), 'NODE_STOPPED');
  t.is(await outcome(node.createMailbox('box')), 'NODE_STOPPED');
  gate.open();
  t.deepEqual(await Promise.all(asked), ['a', 'b']);
  await stopped;
  t.deepEqual(seen, ['a', 'b', 'shutdown']);
  const calls: Record<string, () => Promise<unknown>> = {
    send: () => node.send('w', 'x'),
    sendAndReceive: () => node.sendAndReceive('w', 'x'),
    startWorker: () => node.startWorker('x', Echo),
    stopWorker: () => node.stopWorker('w'),
    listWorkers: () => node.listWorkers(),
    createMailbox: () => node.createMailbox('x'),
    'mailbox.receive': () => node.mailbox.receive(),
    'mailbox.send': () => node.mailbox.send('w', 'x'),
  };
  // Another one may have its place by now.
  const next = await testNode(t);
  await next.startWorker('w', Echo);
  for (const [name, call] of Object.entries(calls)) {
    const error = await failure<NodeStoppedError>(t, call());
    t.is(error.code, 'NODE_STOPPED', name);
    t.is(error.node, node.name, name);
  }
  t.is(await outcome(node.stop()), 'ok', 'a second time');
  t.is(await outcome(node[Symbol.asyncDispose]()), 'ok');
  t.is(await next.sendAndReceive('w', 'x'), 'x');
});

test('a node stops within its drain time, whatever its workers do', async (t) => {
  const node = await testNode(t);
  await node.startWorker('stuck', new Handler(() => new Promise(() => {})));
  await node.startWorker('waits', { handleMessage() {}, shutdown: () => new Promise(() => {}) });
  const asked = [node.sendAndReceive('stuck', 'x'), node.sendAndReceive('stuck', 'y')].map(outcome);
  const started = outcome(node.startWorker('starts', { initialize: () => new Promise(() => {}), handleMessage() {} }));
  await turns();
  await node.stop({ timeout: 0 });
  t.deepEqual(await Promise.all(asked), ['WORKER_STOPPED', 'WORKER_STOPPED']);
  t.is(await started, 'WORKER_STOPPED');
});

test.serial(
  'a stop waits for no mailbox that nobody receives from, and for one that is received from it does',
  async (t) => {
    const node = await testNode(t);
    const [unread, read] = [await node.createMailbox('unread'), await node.createMailbox('read')];
    for (const message of ['one', 'two', 'three'])
      await Promise.all([unread, read].map((box) => node.send(box.name, message)));
    const seen: string[] = [];
    const loop = (async () => {
      for await (const { message } of read) {
        await turns();
        seen.push(message);
      }
    })();
    const before = deadLetters('worker-stopped');
    // The drain time is longer than any test.
    await node.stop({ timeout: '1h' });
    await loop;
    t.deepEqual(seen, ['one', 'two', 'three']);
    t.is(deadLetters('worker-stopped') - before, 3);
  },
);

test.serial('a stop that takes a second says what it waits for, and which worker it abandoned', async (t) => {
  const records = captureLog();
  const node = await testNode(t);
  for (let i = 10; i < 22; i++) {
    const slow = new Slow();
    await node.startWorker(`slow-${i}`, slow);
    void node.send(`slow-${i}`, 'in hand');
    void node.send(`slow-${i}`, 'waits');
    await slow.begun;
    // It is let go when the stop has said that it waits.
    if (i > 10)
      void until(() => records.some(({ message }) => message.includes('is stopping'))).then(() => slow.free());
  }
  const stopped = node.stop({ timeout: '1h' });
  await until(() => records.some(({ message }) => message.includes('is stopping')));
  await node.stopWorker('slow-10', { timeout: 0 });
  await stopped;
  const told = records.filter(({ message }) => message.includes('is stopping'));
  t.deepEqual(
    told.map(({ level, message }) => [level, message]),
    [
      [
        'info',
        `node ${node.name} is stopping and waits for 12 workers to end, with so many messages: ${Array.from({ length: 10 }, (_, i) => `slow-${10 + i} (2)`).join(', ')} and 2 more`,
      ],
    ],
  );
  const abandoned = records.filter(({ message }) => message.includes('abandoned'));
  t.deepEqual(
    abandoned.map(({ level, fields }) => [level, fields]),
    [['warn', { worker: 'slow-10' }]],
  );
});

test.serial('a send that is refused before it is sent is counted, by its reason', async (t) => {
  const node = await testNode(t);
  await node.startWorker('echo', Echo);
  const counts = () => (['invalid', 'too-large', 'node-stopped', 'expired'] as const).map(deadLetters);
  const before = counts();
  void node.send('not a name', 'x');
  void node.send('echo', 5 as never);
  void node.send('echo', 'x', { timeout: -1 });
  void node.send('echo', 'x'.repeat(16 * 1024 * 1024 + 1));
  void node.send('echo', 'x', { signal: AbortSignal.abort() });
  await node.stop();
  void node.send('echo', 'x');
  t.deepEqual(
    counts().map((count, i) => count - (before[i] as number)),
    [3, 1, 1, 1],
  );
});

test.serial('a hundred nodes come and go, and nothing is left of them', async (t) => {
  const before = process.getActiveResourcesInfo().filter((kind) => kind !== 'Immediate').length;
  for (let i = 0; i < 100; i++) {
    const node = await Node.create({ zone: false });
    await node.startWorker('echo', Echo);
    await node.createMailbox('box');
    await node.sendAndReceive('echo', 'x');
    await node.stop();
  }
  await turns();
  t.deepEqual(held(), { bodies: 0, requests: 0, sends: 0 });
  await until(() => process.getActiveResourcesInfo().filter((kind) => kind !== 'Immediate').length <= before);
  t.pass();
});

test('with zone: false a node opens no socket and touches no file, and its process ends by itself', async (t) => {
  const home = join(zoneHome(t), 'untouched');
  const source = `import { Node } from 'troupe';
    const node = await Node.create({ zone: false });
    await node.startWorker('echo', { handleMessage: (context, message) => context.reply(message) });
    console.log(await node.sendAndReceive('echo', 'x'));
    console.log(process.getActiveResourcesInfo().filter((kind) => /TCP|Pipe.*Server|FSEvent/.test(kind)).join());
    await node.stop();
    console.log(process.getActiveResourcesInfo().filter((kind) => !/Pipe|TTY|Immediate|CloseReq/.test(kind)).join());`;
  for (const { path } of nodeBinaries()) {
    const program = new Program(t, ['--input-type=module', '--eval', source], { TROUPE_HOME: home }, path);
    t.deepEqual(await program.output(t), ['x', '', '']);
    t.false(existsSync(home));
  }
});
