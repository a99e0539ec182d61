// What one can do with a node of the zone from another one: the same calls as on one's own, with the same results.
import test from 'ava';
import { fileURLToPath } from 'node:url';
import {
  NameTakenError,
  NodeUnreachableError,
  NoSuchWorkerError,
  NotPermittedError,
  WorkerFailedError,
  Zone,
  type Context,
  type Node,
} from 'troupe';
import { Broken, Counter, Echo, Idle, Initialized } from './fixtures/nodes/workers.ts';
import { failureOf, gate, nodesOf, worker } from './support/nodes.ts';
import { testZone } from './support/zone.ts';

type Coded = Error & { code: string };

const setUp = async (create: (name: string) => Promise<Node>) => {
  const [own, here] = [await create('there'), await create('here')];
  return { own, here, there: await Zone.node(here, 'there') };
};

test.serial("a worker is started, used, listed and stopped on another node as on one's own", async (t) => {
  const { own, here, there } = await setUp(nodesOf(t));
  for (const node of [here, there]) {
    await node.startWorker('counter', Counter, { args: [10], mailbox: 50 });
    t.is(await node.sendAndReceive('counter', 'add'), '11');
    t.is(await node.send('counter', 'add'), undefined);
    t.is(await node.sendAndReceive('counter', 'add'), '13');
    const listed = await node.listWorkers({ prefix: 'c' });
    t.deepEqual(
      listed.map((info) => ({ ...info, text: String(info) })),
      [
        {
          name: 'counter',
          node: node.name,
          type: 'Counter',
          state: 'idle',
          queued: 0,
          handled: 3,
          failed: 0,
          text: 'counter',
        },
      ],
    );
    t.deepEqual((await node.listWorkers()).map(String), ['counter', 'main']);
    t.deepEqual((await node.listWorkers({ limit: 1 })).map(String), ['counter']);
    await node.stopWorker('counter');
    t.true((await failureOf(t, node.sendAndReceive('counter', 'add'))) instanceof NoSuchWorkerError);
    t.deepEqual((await node.listWorkers()).map(String), ['main']);
  }
  t.deepEqual((await own.listWorkers()).map(String), ['main']);
});

test.serial(
  "when startWorker on another node resolves, the caller's node finds the worker, and finds its successor",
  async (t) => {
    const { here, there } = await setUp(nodesOf(t));
    for (let i = 0; i < 20; i++) {
      // Asked for in vain a moment ago.
      t.true((await failureOf(t, here.sendAndReceive('counter', 'add'))) instanceof NoSuchWorkerError);
      await there.startWorker('counter', Counter, { args: [i] });
      t.is(await here.sendAndReceive('counter', 'add'), `${i + 1}`);
      t.is(await here.sendAndReceive('there/counter', 'add'), `${i + 2}`);
      await there.stopWorker('counter');
    }
  },
);

test.serial('an address of another node is INVALID_ARGUMENT, one of that node goes there', async (t) => {
  const { own, here, there } = await setUp(nodesOf(t));
  await here.startWorker('echo', Echo);
  await own.startWorker('echo', Echo);
  for (const call of [there.send('here/echo', 'x'), there.sendAndReceive('here/echo', 'x')]) {
    const error = await failureOf<Coded>(t, call);
    t.is(error.code, 'INVALID_ARGUMENT');
    t.regex(error.message, /"here\/echo".*another node than "there".*from your own node/);
  }
  t.is(await there.sendAndReceive('there/echo', 'x'), 'x');
  for (const bad of ['', 'there/', '/echo', 'a/b/c', 'ä', undefined as unknown as string]) {
    t.is((await failureOf<Coded>(t, there.sendAndReceive(bad, 'x'))).code, 'INVALID_ARGUMENT', bad);
    t.is((await failureOf<Coded>(t, there.send(bad, 'x'))).code, 'INVALID_ARGUMENT', bad);
  }
  t.is((await failureOf<Coded>(t, there.send('echo', 1 as unknown as string))).code, 'INVALID_ARGUMENT');
});

test.serial('a plain name on a node means the worker of that node only', async (t) => {
  const { here, there } = await setUp(nodesOf(t));
  await here.startWorker('echo', Echo);
  t.is(await here.sendAndReceive('echo', 'x'), 'x');
  const error = await failureOf<NoSuchWorkerError>(t, there.sendAndReceive('echo', 'x'));
  t.true(error instanceof NoSuchWorkerError);
  t.deepEqual([error.worker, error.node], ['echo', 'there']);
  t.true((await failureOf(t, there.send('echo', 'x'))) instanceof NoSuchWorkerError);
  t.true((await failureOf(t, there.stopWorker('echo'))) instanceof NoSuchWorkerError);
});

test.serial("of several workers of a name one's own comes first, and another only when that has gone", async (t) => {
  const create = nodesOf(t);
  const { own, here } = await setUp(create);
  const say = (text: string) => worker((context: Context) => context.reply(text));
  await own.startWorker('who', say('there'));
  t.is(await here.sendAndReceive('who', ''), 'there');
  await here.startWorker('who', say('here'));
  t.is(await here.sendAndReceive('who', ''), 'here');
  t.is(await own.sendAndReceive('who', ''), 'there');
  await here.stopWorker('who');
  t.is(await here.sendAndReceive('who', ''), 'there');
});

test.serial('an asker keeps to one of several holders until that goes', async (t) => {
  const create = nodesOf(t);
  const nodes = await Promise.all(['a', 'b', 'c'].map((name) => create(name)));
  const here = await create('here');
  for (const node of nodes)
    await node.startWorker(
      'who',
      worker((context: Context) => context.reply(node.name)),
    );
  const chosen = await here.sendAndReceive('who', '');
  for (let i = 0; i < 20; i++) t.is(await here.sendAndReceive('who', ''), chosen);
  await (await Zone.node(here, chosen)).stopWorker('who');
  const next = await here.sendAndReceive('who', '');
  t.not(next, chosen);
});

test.serial("the sender of a message is a worker's full address, and an answer to it finds the way back", async (t) => {
  const { own, here } = await setUp(nodesOf(t));
  await own.startWorker(
    'who',
    worker((context: Context) => context.reply(context.sender)),
  );
  t.is(await here.sendAndReceive('who', ''), 'here/main');
  await here.send('who', '');
  const first = await here.mailbox.receive();
  t.deepEqual([first.message, first.sender], ['here/main', 'there/who']);
  const box = await here.createMailbox('box');
  await box.send('there/who', '');
  const second = await box.receive();
  t.deepEqual([second.message, second.sender], ['here/box', 'there/who']);
  await second.reply('again');
  t.is((await box.receive()).message, 'here/box');
});

test.serial('a name in use on another node is NameTakenError', async (t) => {
  const { own, there } = await setUp(nodesOf(t));
  await own.startWorker('echo', Echo);
  const error = await failureOf<NameTakenError>(t, there.startWorker('echo', Echo));
  t.true(error instanceof NameTakenError);
  t.deepEqual([error.worker, error.node], ['echo', 'there']);
  t.regex(error.message, /the name "echo" is taken on node "there"/);
  t.notRegex(error.message, /is taken.*is taken/, 'said once');
});

test.serial("main of another node can't be stopped", async (t) => {
  const { there } = await setUp(nodesOf(t));
  const error = await failureOf<NotPermittedError>(t, there.stopWorker('main'));
  t.true(error instanceof NotPermittedError);
  t.is(error.node, 'there');
  t.regex(error.message, /worker main ends with its node/);
  t.notRegex(error.message, /not permitted.*not permitted/);
});

test.serial(
  'a worker that fails to start on another node fails the start with its cause, and leaves its name free',
  async (t) => {
    const { there, own } = await setUp(nodesOf(t));
    for (const [args, message] of [
      ['constructor', /its constructor failed: no database/],
      ['initialize', /its initialize failed.*no database/],
    ] as const) {
      const error = await failureOf<WorkerFailedError>(t, there.startWorker('broken', Broken, { args: [args] }));
      t.true(error instanceof WorkerFailedError, String(error));
      t.deepEqual([error.worker, error.node], ['broken', 'there']);
      t.regex(error.message, message);
      const cause = error.cause as Error & { code: string };
      t.deepEqual([cause.name, cause.message, cause.code], ['RangeError', 'no database', 'E_DATABASE']);
      t.regex(cause.stack ?? '', /RangeError: no database\n +at .*fixtures\/nodes\/workers\.ts:\d+/);
    }
    t.deepEqual((await own.listWorkers()).map(String), ['main']);
    await there.startWorker('broken', Echo);
    t.is(await there.sendAndReceive('broken', 'mended'), 'mended');
  },
);

test.serial('startWorker on another node resolves when initialize is done', async (t) => {
  const { there } = await setUp(nodesOf(t));
  await there.startWorker('slow', Initialized);
  t.is(await there.sendAndReceive('slow', ''), 'true');
});

test.serial('stopWorker on another node waits for what is being handled', async (t) => {
  const { own, here, there } = await setUp(nodesOf(t));
  const [begun, free] = [gate(), gate()];
  await own.startWorker(
    'slow',
    worker(async (context: Context) => {
      begun.open();
      await free.opened;
      await context.reply('done');
    }),
  );
  const asked = here.sendAndReceive('slow', '');
  await begun.opened;
  let isStopped = false;
  const stopped = there.stopWorker('slow').then(() => (isStopped = true));
  while ((await there.listWorkers({ prefix: 'slow' }))[0]?.state !== 'stopping');
  t.false(isStopped);
  free.open();
  await stopped;
  t.is(await asked, 'done');
});

test.serial(
  'calls on a node that has left fail with NodeUnreachableError, and what surely did not get there says so',
  async (t) => {
    const { own, there } = await setUp(nodesOf(t));
    await own.startWorker('echo', Echo);
    t.is(await there.sendAndReceive('echo', 'x'), 'x');
    await own.stop();
    const calls = {
      start: there.startWorker('other', Echo),
      stop: there.stopWorker('echo'),
      list: there.listWorkers(),
      send: there.send('echo', 'x'),
      ask: there.sendAndReceive('echo', 'x'),
    };
    for (const [what, call] of Object.entries(calls)) {
      const error = await failureOf<NodeUnreachableError>(t, call);
      t.true(error instanceof NodeUnreachableError, `${what}: ${String(error)}`);
      t.is(error.node, 'there', what);
      t.false(error.maybeExecuted, what);
    }
  },
);

test.serial("bad arguments to a node of the zone are refused at the call, as on one's own", async (t) => {
  const { here, there } = await setUp(nodesOf(t));
  for (const node of [here, there]) {
    const calls: Record<string, Promise<unknown>> = {
      name: node.startWorker('a b', Echo),
      worker: node.startWorker('a', undefined as never),
      mailbox: node.startWorker('a', Echo, { mailbox: 0 }),
      'args of an instance': node.startWorker('a', new Echo(), { args: [] } as never),
      'restart of an instance': node.startWorker('a', new Echo(), { onFailure: 'restart' }),
      'class without a handler': node.startWorker('a', Idle as never),
      'instance without a handler': node.startWorker('a', new Idle() as never),
      stop: node.stopWorker('a/b'),
      timeout: node.stopWorker('a', { timeout: 'soon' as never }),
      limit: node.listWorkers({ limit: -1 }),
    };
    for (const [what, call] of Object.entries(calls)) {
      const error = await failureOf<Coded>(t, call);
      t.is(error.code, 'INVALID_ARGUMENT', `${what} on ${node.name}: ${String(error)}`);
    }
  }
});

test.serial('an instance is started once, wherever', async (t) => {
  const { here, there } = await setUp(nodesOf(t));
  const instance = new Echo();
  await there.startWorker('one', instance);
  for (const node of [there, here]) {
    const error = await failureOf<Coded>(t, node.startWorker('two', instance));
    t.is(error.code, 'INVALID_ARGUMENT', node.name);
    t.regex(error.message, /instance for worker "two" was started before/);
  }
  await here.startWorker('two', new Echo());
  // One that could not be started may be tried again.
  const other = new Echo();
  t.true((await failureOf(t, there.startWorker('one', other))) instanceof NameTakenError);
  await there.startWorker('three', other);
});

test.serial('what is asked of a node that its own program does not have yet is answered when it does', async (t) => {
  const zone = testZone(t);
  const here = await nodesOf(t, zone.home)('here');
  zone.start(fileURLToPath(new URL('fixtures/nodes/late.ts', import.meta.url)), { TROUPE_NODE: 'late' });
  const [, late] = await Zone.nodes(here, { atLeast: 2 });
  await late?.startWorker('echo', Echo);
  t.is(await here.sendAndReceive('late/echo', 'x'), 'x');
});

test.serial('what is asked of another node in the turn in which a request was given up is answered', async (t) => {
  const { own, here, there } = await setUp(nodesOf(t));
  await own.startWorker(
    'silent',
    worker(() => {}),
  );
  const controller = new AbortController();
  const asked = failureOf(t, here.sendAndReceive('silent', '', { timeout: Infinity, signal: controller.signal }));
  // It has opened its request by now.
  await there.listWorkers();
  controller.abort(new Error('enough'));
  // This one takes the number that has become free.
  t.deepEqual((await there.listWorkers()).map(String), ['main', 'silent']);
  t.is((await asked).message, 'enough');
});

test.serial('a message to a node that is not there fails as Zone.node does', async (t) => {
  const here = await nodesOf(t)('here');
  for (const call of [Zone.node(here, 'nope'), here.sendAndReceive('nope/worker', ''), here.send('nope/worker', '')]) {
    const error = await failureOf<NodeUnreachableError>(t, call);
    t.true(error instanceof NodeUnreachableError);
    t.deepEqual([error.node, error.maybeExecuted], ['nope', false]);
    t.regex(error.message, /node "nope" can't be reached: no live node of the zone has this name; nothing reached it/);
  }
});

test.serial('a node that has looked for a name in vain finds it when it hears of its start', async (t) => {
  const create = nodesOf(t);
  const [there, here] = [await create('there'), await create('here')];
  for (const address of ['there/late', 'late']) {
    t.true((await failureOf(t, here.sendAndReceive(address, ''))) instanceof NoSuchWorkerError);
    await there.startWorker('late', Echo);
    // The news of the start goes before this on the same link.
    await there.send('here/main', 'it is up');
    await here.mailbox.receive();
    t.is(await here.sendAndReceive(address, 'found'), 'found', address);
    await there.stopWorker('late');
  }
});
