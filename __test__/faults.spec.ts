// Nodes that die, stand still or are overrun: what the others see, and what becomes of all that was under way.
import test, { type ExecutionContext } from 'ava';
import {
  NodeUnreachableError,
  NoSuchWorkerError,
  TimeoutError,
  Zone,
  type Context,
  type Node,
  type NodeHandle,
  type TroupeError,
} from 'troupe';
import { readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { Echo, Endless, Exit, Silent } from './fixtures/nodes/workers.ts';
import { failureOf, gate, nodesOf, worker } from './support/nodes.ts';
import { Program } from './support/program.ts';
import { RUNNER, testZone } from './support/zone.ts';

/** Within so many milliseconds a node that died is gone: the promise itself. */
const GONE_WITHIN = 2_000;

/** Does something to a node that ends it, and waits until the zone says that it left; fails when that takes too long. */
async function ends(t: ExecutionContext, here: Node, name: string, end: () => void): Promise<void> {
  const bound = new AbortController();
  const changes = Zone.watch(here, { filter: name, signal: bound.signal })[Symbol.asyncIterator]();
  t.is(((await changes.next()).value as { type: string }).type, 'joined');
  end();
  const timer = setTimeout(() => bound.abort(), GONE_WITHIN);
  const { value } = (await changes.next()) as { value?: { type: string; node: NodeHandle } };
  clearTimeout(timer);
  bound.abort();
  t.deepEqual([value?.type, value?.node.name], ['left', name]);
}

test.serial('a node that is killed is gone from the zone and from the names within two seconds', async (t) => {
  const zone = testZone(t);
  const create = nodesOf(t, zone.home);
  const [runner, here] = await Promise.all([zone.runner('runner'), create('here')]);
  const there = await Zone.node(here, 'runner');
  await there.startWorker('echo', Echo);
  t.is(await here.sendAndReceive('echo', 'one'), 'one');

  await ends(t, here, 'runner', () => runner.signal('SIGKILL'));

  t.deepEqual(await Zone.nodes(here), [here]);
  t.true((await failureOf(t, Zone.node(here, 'runner'))) instanceof NodeUnreachableError);
  t.true((await failureOf(t, here.sendAndReceive('echo', 'two'))) instanceof NoSuchWorkerError);
  t.true((await failureOf(t, here.send('echo', 'two'))) instanceof NoSuchWorkerError);
  const error = await failureOf<NodeUnreachableError>(t, here.sendAndReceive('runner/echo', 'two'));
  t.true(error instanceof NodeUnreachableError);
  t.false(error.maybeExecuted);
  t.is(error.node, 'runner');
});

test.serial(
  'what is outstanding to a node that is killed fails at once, and says whether it may have been executed',
  async (t) => {
    const zone = testZone(t);
    const create = nodesOf(t, zone.home);
    const [runner, here] = await Promise.all([zone.runner('runner'), create('here')]);
    const there = await Zone.node(here, 'runner');
    const wait = { timeout: Infinity };
    await there.startWorker('silent', Silent, { mailbox: 2 });
    await there.startWorker('stopped', Silent);
    // Nothing but the death of the node ends them.
    const ask = (name: string, message: string) =>
      failureOf<NodeUnreachableError>(t, here.sendAndReceive(name, message, wait));
    const running = ask('silent', 'first');
    const queued = ask('silent', 'second');
    const between = ask('silent', 'third');
    const inLine = ask('silent', 'fourth');
    const send = failureOf<NodeUnreachableError>(t, here.send('silent', 'fifth', wait));
    const draining = ask('stopped', 'last');
    await runner.until(({ stdout }) => stdout.includes('has first') && stdout.includes('has last'));
    const stop = failureOf<TroupeError>(t, there.stopWorker('stopped', wait));
    for (;;) {
      const [silent, stopped] = await there.listWorkers({ prefix: 's' });
      if (silent?.queued !== 0 && stopped?.state === 'stopping') break;
    }
    runner.signal('SIGKILL');
    for (const [what, failure] of Object.entries({ running, queued, draining })) {
      const error = await failure;
      t.true(error instanceof NodeUnreachableError, `${what}: ${String(error)}`);
      t.true(error.maybeExecuted, what);
      t.is(error.node, 'runner', what);
    }
    for (const [what, failure] of Object.entries({ inLine, send })) {
      const error = await failure;
      t.true(error instanceof NodeUnreachableError, `${what}: ${String(error)}`);
      t.false(error.maybeExecuted, what);
    }
    t.is((await between).code, 'NODE_UNREACHABLE');
    t.is((await stop).code, 'NODE_UNREACHABLE');
  },
);

test.serial('a node that is suspended is not taken for dead, and answers what was asked when it goes on', async (t) => {
  const zone = testZone(t);
  const create = nodesOf(t, zone.home);
  const [runner, other, here] = await Promise.all([zone.runner('runner'), zone.runner('other'), create('here')]);
  const there = await Zone.node(here, 'runner');
  await there.startWorker('echo', Echo);
  const another = await create('another');
  await (await Zone.node(another, 'runner')).startWorker('second', Echo);
  await runner.suspend();
  const late = here.sendAndReceive('runner/echo', 'late', { timeout: Infinity });
  // An address that nobody has used before waits as well: for as long as a name is looked for, and longer.
  const first = here.sendAndReceive('runner/second', 'first', { timeout: Infinity });
  const elsewhere = await failureOf(t, here.sendAndReceive('unheard-of', '', { timeout: Infinity }));
  t.true(elsewhere instanceof NodeUnreachableError, 'a name looked for in the whole zone, with one node silent');
  const timeout = await failureOf<TimeoutError>(t, here.sendAndReceive('echo', 'early', { timeout: 20 }));
  t.true(timeout instanceof TimeoutError, String(timeout));
  t.is(timeout.stage, 'in-transit');
  // A node that did die shows that the zone is being watched meanwhile.
  await ends(t, here, 'other', () => other.signal('SIGKILL'));
  t.deepEqual(
    (await Zone.nodes(here)).map(({ name }) => name),
    ['another', 'here', 'runner'],
  );
  t.true((await failureOf(t, here.sendAndReceive('echo', 'early', { timeout: 20 }))) instanceof TimeoutError);
  runner.signal('SIGCONT');
  t.is(await late, 'late');
  t.is(await first, 'first');
});

test.serial('a name that may be on a suspended node is not said to be nowhere', async (t) => {
  const zone = testZone(t);
  const create = nodesOf(t, zone.home);
  const [runner, here] = await Promise.all([zone.runner('runner'), create('here')]);
  t.true((await failureOf(t, here.sendAndReceive('nobody', ''))) instanceof NoSuchWorkerError);
  await runner.suspend();
  // With a channel to it, and, from another node, without one.
  for (const node of [here, await create('second')]) {
    const calls = [node.sendAndReceive('somebody', '', { timeout: Infinity }), node.send('somebody', '')];
    for (const call of calls) {
      const error = await failureOf<NodeUnreachableError>(t, call);
      t.true(error instanceof NodeUnreachableError, `${node.name}: ${String(error)}`);
      t.false(error.maybeExecuted);
      t.regex(error.message, /worker "somebody" was not found, and may be on a node of the zone that does not answer/);
    }
  }
  runner.signal('SIGCONT');
  await (await Zone.node(here, 'runner')).startWorker('somebody', Echo);
  t.is(await here.sendAndReceive('somebody', 'found'), 'found');
});

test.serial('a node whose handler never ends is not taken for dead, and its workers are still found', async (t) => {
  const zone = testZone(t);
  const create = nodesOf(t, zone.home);
  const [runner, other, here, second] = await Promise.all([
    zone.runner('runner'),
    zone.runner('other'),
    create('here'),
    create('second'),
  ]);
  const there = await Zone.node(here, 'runner');
  await there.startWorker('endless', Endless);
  await there.startWorker('echo', Echo);
  void here.send('endless', 'go');
  await runner.until(({ stdout }) => stdout.includes('spinning'));
  await ends(t, here, 'other', () => other.signal('SIGKILL'));
  t.deepEqual(await Zone.nodes(here), [here, there, await Zone.node(here, 'second')]);
  // Also by a node that has had nothing to do with it: there the name is looked for, and a channel opened.
  for (const node of [here, second]) {
    const error = await failureOf(t, node.sendAndReceive('echo', 'anyone?', { timeout: 500 }));
    t.true(error instanceof TimeoutError, String(error));
  }
});

test.serial('nodes on a machine whose every core is taken are not taken for dead', async (t) => {
  const zone = testZone(t);
  const create = nodesOf(t, zone.home);
  const [, other, here] = await Promise.all([zone.runner('runner'), zone.runner('other'), create('here')]);
  const there = await Zone.node(here, 'runner');
  await there.startWorker('echo', Echo);
  const left: string[] = [];
  const watching = new AbortController();
  const watched = (async () => {
    for await (const { type, node } of Zone.watch(here, { signal: watching.signal }))
      if (type === 'left') left.push(node.name);
  })();
  const hogs = Array.from(
    { length: 2 * availableParallelism() },
    () => new Program(t, ['-e', 'console.log(1); for (;;);'], {}),
  );
  await Promise.all(hogs.map((hog) => hog.until(({ stdout }) => stdout !== '')));
  for (let i = 0; i < 100; i++) t.is(await here.sendAndReceive('echo', `${i}`), `${i}`);
  other.signal('SIGKILL');
  while ((await Zone.nodes(here, { filter: 'other' })).length > 0) t.is(await here.sendAndReceive('echo', 'on'), 'on');
  t.deepEqual(await Zone.nodes(here), [here, there]);
  watching.abort();
  await watched;
  t.deepEqual(
    left.filter((name) => name !== 'other'),
    [],
  );
});

test.serial('a node that is killed and started anew under its name is found under it, as another node', async (t) => {
  const zone = testZone(t);
  const create = nodesOf(t, zone.home);
  const [first, here] = await Promise.all([zone.runner('runner'), create('here')]);
  const before = await Zone.node(here, 'runner');
  await before.startWorker('echo', Echo);
  t.is(await here.sendAndReceive('runner/echo', 'one'), 'one');
  first.signal('SIGKILL');
  await first.ended;

  await zone.runner('runner');
  const [after] = await Zone.nodes(here, { filter: 'runner', atLeast: 1 });
  t.not(after?.id, before.id);
  // What ran there has ended with it.
  t.true((await failureOf(t, here.sendAndReceive('runner/echo', 'two'))) instanceof NoSuchWorkerError);
  await after?.startWorker('echo', Echo);
  t.is(await here.sendAndReceive('runner/echo', 'three'), 'three');
  t.is(await here.sendAndReceive('echo', 'four'), 'four');
});

test.serial('the worker of a node that died gives way to one of that name on another node', async (t) => {
  const zone = testZone(t);
  const create = nodesOf(t, zone.home);
  const [first, , here] = await Promise.all([zone.runner('one'), zone.runner('two'), create('here')]);
  await (await Zone.node(here, 'one')).startWorker('echo', Echo);
  t.is(await here.sendAndReceive('echo', 'before'), 'before');
  await ends(t, here, 'one', () => first.signal('SIGKILL'));
  await (await Zone.node(here, 'two')).startWorker('echo', Echo);
  t.is(await here.sendAndReceive('echo', 'after'), 'after');
});

test.serial(
  'the second of two nodes of one name gets NameTakenError, which names the process that has it',
  async (t) => {
    const zone = testZone(t);
    const create = nodesOf(t, zone.home);
    await create('taken');
    const error = await failureOf<TroupeError>(t, create('taken'));
    t.is(error.code, 'NAME_TAKEN');
    t.regex(
      error.message,
      new RegExp(`"taken" is taken in zone "default" by process ${process.pid}\\b.*choose another name`),
    );
    const elsewhere = zone.start(RUNNER, { TROUPE_NODE: 'taken' });
    t.not((await elsewhere.ended).code, 0);
    t.regex(elsewhere.stderr, /NAME_TAKEN/);
  },
);

test.serial('a process that exits leaves the zone, and what is outstanding to it fails at once', async (t) => {
  const zone = testZone(t);
  const create = nodesOf(t, zone.home);
  const [runner, here] = await Promise.all([zone.runner('runner'), create('here')]);
  const there = await Zone.node(here, 'runner');
  await there.startWorker('silent', Silent);
  await there.startWorker('exit', Exit);
  const waiting = failureOf<NodeUnreachableError>(t, here.sendAndReceive('silent', 'first', { timeout: Infinity }));
  await runner.until(({ stdout }) => stdout.includes('has first'));
  await ends(t, here, 'runner', () => void here.send('exit', 'go'));
  const error = await waiting;
  t.true(error instanceof NodeUnreachableError, String(error));
  t.true(error.maybeExecuted);
  t.deepEqual(await runner.ended, { code: 3, signal: null });
  t.deepEqual(readdirSync(join(zone.home, 'zones/default/nodes')), ['here.node'], 'its record is gone with it');
});

test.serial('a node that stops first answers what it has, and is then gone at once', async (t) => {
  const create = nodesOf(t);
  const [there, here] = [await create('there'), await create('here')];
  const [begun, free] = [gate(), gate()];
  await there.startWorker(
    'slow',
    worker(async (context: Context, message) => {
      begun.open();
      await free.opened;
      await context.reply(message);
    }),
  );
  const calls = ['one', 'two', 'three'].map((message) => here.sendAndReceive('slow', message, { timeout: Infinity }));
  await begun.opened;
  const stopped = there.stop();
  // It takes nothing more.
  const late = await failureOf<TroupeError>(t, here.sendAndReceive('slow', 'late', { timeout: Infinity }));
  t.is(late.code, 'WORKER_STOPPED', String(late));
  free.open();
  t.deepEqual(await Promise.all(calls), ['one', 'two', 'three']);
  await stopped;
  t.deepEqual(await Zone.nodes(here), [here]);
  t.true((await failureOf(t, here.sendAndReceive('slow', 'after'))) instanceof NoSuchWorkerError);
});
