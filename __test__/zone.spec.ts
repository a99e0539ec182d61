// The zone as a node sees it: who is there, who joins and leaves.
import test from 'ava';
import { NodeStoppedError, NodeUnreachableError, TimeoutError, Zone, type Node, type NodeHandle } from 'troupe';
import { failureOf, nodesOf } from './support/nodes.ts';

const names = (nodes: NodeHandle[]) => nodes.map(({ name }) => name);

test.serial('the nodes of a zone are sorted by name, and the node that asks is among them as itself', async (t) => {
  const create = nodesOf(t);
  const here = await create('mm');
  for (const name of ['z', 'Z', 'a10', 'a9', '_', '-']) await create(name);
  const found = await Zone.nodes(here);
  t.deepEqual(names(found), ['-', 'Z', '_', 'a10', 'a9', 'mm', 'z']);
  t.is(found[5], here);
  t.is(new Set(found.map(({ id }) => id)).size, 7);
});

test.serial('every node sees every other one by the same name and identifier', async (t) => {
  const create = nodesOf(t);
  const nodes = [await create('one'), await create('two'), await create('three')];
  const expected = nodes.map(({ name, id }) => `${name} ${id}`).sort();
  for (const node of nodes) {
    const found = await Zone.nodes(node);
    t.deepEqual(found.map(({ name, id }) => `${name} ${id}`).sort(), expected);
  }
});

test.serial(
  'a node is among those of the zone before its creation resolves, and no more after it has stopped',
  async (t) => {
    const create = nodesOf(t);
    const here = await create('here');
    for (let i = 0; i < 5; i++) {
      const there = await create('there');
      t.deepEqual(names(await Zone.nodes(here)), ['here', 'there']);
      await there.stop();
      t.deepEqual(names(await Zone.nodes(here)), ['here']);
    }
  },
);

test.serial('a filter keeps the nodes whose names begin with it', async (t) => {
  const create = nodesOf(t);
  const here = await create('main');
  await create('runner-2');
  await create('runner-1');
  await create('my-runner');
  t.deepEqual(names(await Zone.nodes(here, { filter: 'runner' })), ['runner-1', 'runner-2']);
  t.deepEqual(names(await Zone.nodes(here, { filter: 'mai' })), ['main']);
  t.deepEqual(names(await Zone.nodes(here, { filter: 'x' })), []);
  t.is((await Zone.nodes(here, { filter: '' })).length, 4);
});

test.serial('nodes waits until there are as many as asked for', async (t) => {
  const create = nodesOf(t);
  const here = await create('main');
  const waiting = Zone.nodes(here, { filter: 'runner', atLeast: 2, timeout: Infinity });
  let isThere = false;
  void waiting.then(() => (isThere = true));
  await create('runner-1');
  // Others that do not count.
  await create('other');
  t.deepEqual(names(await Zone.nodes(here, { filter: 'runner', atLeast: 1 })), ['runner-1']);
  t.false(isThere);
  await create('runner-2');
  t.deepEqual(names(await waiting), ['runner-1', 'runner-2']);
});

test.serial('nodes gives up with TimeoutError, which says how many were there and which', async (t) => {
  const create = nodesOf(t);
  const here = await create('main');
  await create('runner-1');
  const error = await failureOf<TimeoutError>(t, Zone.nodes(here, { filter: 'runner', atLeast: 2, timeout: 60 }));
  t.true(error instanceof TimeoutError);
  t.regex(error.message, /timeout.*60 ms.*1 of 2 nodes "runner.*runner-1/);
  t.false('stage' in error);
});

test.serial('a wait for nodes ends when its signal aborts, or its node stops', async (t) => {
  const create = nodesOf(t);
  const here = await create('main');
  const reason = new Error('enough');
  t.is(await failureOf(t, Zone.nodes(here, { atLeast: 2, signal: AbortSignal.abort(reason) })), reason);
  const given = new AbortController();
  const aborted = failureOf(t, Zone.nodes(here, { atLeast: 2, timeout: Infinity, signal: given.signal }));
  given.abort(reason);
  t.is(await aborted, reason);
  const stopped = failureOf(t, Zone.nodes(here, { atLeast: 2, timeout: Infinity }));
  await here.stop();
  t.true((await stopped) instanceof NodeStoppedError);
  t.true((await failureOf(t, Zone.nodes(here))) instanceof NodeStoppedError);
});

test.serial('one node is found by its full name, or NodeUnreachableError says that there is none', async (t) => {
  const create = nodesOf(t);
  const here = await create('main');
  const there = await create('runner-1');
  const found = await Zone.node(here, 'runner-1');
  t.is(found.id, there.id);
  t.is(await Zone.node(here, 'runner-1'), found, 'the same handle each time');
  t.is(await Zone.node(here, 'main'), here);
  for (const name of ['runner', 'runner-10', 'Main']) {
    const error = await failureOf<NodeUnreachableError>(t, Zone.node(here, name));
    t.true(error instanceof NodeUnreachableError);
    t.is(error.node, name);
    t.false(error.maybeExecuted);
    t.regex(error.message, /no live node of the zone has this name/);
  }
});

test.serial('watch tells of each node that is there, then of who joins and leaves', async (t) => {
  const create = nodesOf(t);
  const here = await create('main');
  const first = await create('runner-1');
  const ending = new AbortController();
  const seen: string[] = [];
  const joined = new Map<string, NodeHandle>();
  const step = (count: number) =>
    new Promise<void>((resolve) => steps.push({ count, resolve })).then(() => seen.splice(0).sort());
  const steps: { count: number; resolve: () => void }[] = [];
  const watched = (async () => {
    for await (const { type, node } of Zone.watch(here, { signal: ending.signal })) {
      seen.push(`${type} ${node.name}`);
      if (type === 'joined') joined.set(node.name, node);
      else t.true(node === joined.get(node.name), 'the same handle as when it joined');
      if (seen.length === steps[0]?.count) steps.shift()?.resolve();
    }
  })();
  t.deepEqual(await step(2), ['joined main', 'joined runner-1']);
  const joining = step(1);
  const second = await create('runner-2');
  t.deepEqual(await joining, ['joined runner-2']);
  t.is(joined.get('runner-2')?.id, second.id);
  const leaving = step(1);
  await first.stop();
  t.deepEqual(await leaving, ['left runner-1']);
  // Under the same name it is another node.
  const again = step(1);
  await create('runner-1');
  t.deepEqual(await again, ['joined runner-1']);
  ending.abort();
  await watched;
  t.deepEqual(seen, []);
});

test.serial('watch keeps to its filter, and ends when its node stops', async (t) => {
  const create = nodesOf(t);
  const here = await create('main');
  const seen: string[] = [];
  const watched = (async () => {
    for await (const { type, node } of Zone.watch(here, { filter: 'runner' })) seen.push(`${type} ${node.name}`);
  })();
  await create('other');
  const runner = await create('runner-1');
  while (seen.length === 0) await Zone.nodes(here, { atLeast: 1 }).then(() => new Promise(setImmediate));
  await runner.stop();
  while (seen.length === 1) await new Promise(setImmediate);
  await here.stop();
  await watched;
  t.deepEqual(seen, ['joined runner-1', 'left runner-1']);
});

test.serial('a node without a zone is the only one it knows', async (t) => {
  const create = nodesOf(t);
  await create('other');
  const alone = await create('alone', { zone: false });
  t.deepEqual(await Zone.nodes(alone), [alone]);
  t.true((await failureOf(t, Zone.node(alone, 'other'))) instanceof NodeUnreachableError);
  t.is((await failureOf<Error & { code: string }>(t, alone.sendAndReceive('nobody', 'x'))).code, 'NO_SUCH_WORKER');
  t.is((await failureOf<Error & { code: string }>(t, alone.send('other/main', 'x'))).code, 'NODE_UNREACHABLE');
});

test.serial('what is no node, filter, number, timeout or signal is INVALID_ARGUMENT by name', async (t) => {
  const here = await nodesOf(t)('main');
  const bad: [object, RegExp][] = [
    [{ filter: 1 }, /"filter"/],
    [{ atLeast: -1 }, /"atLeast"/],
    [{ atLeast: '2' }, /"atLeast"/],
    [{ timeout: -1 }, /"timeout"/],
    [{ timeout: '5 s' }, /"timeout"/],
    [{ signal: {} }, /"signal"/],
    [{ atleast: 2 }, /"atleast"; did you mean "atLeast"/],
  ];
  for (const [options, message] of bad) {
    const error = await failureOf<Error & { code: string }>(t, Zone.nodes(here, options));
    t.is(error.code, 'INVALID_ARGUMENT', String(error));
    t.regex(error.message, message);
  }
  for (const name of ['', 'a/b', 1 as unknown as string]) {
    t.is((await failureOf<Error & { code: string }>(t, Zone.node(here, name))).code, 'INVALID_ARGUMENT');
  }
  const noNode = {} as Node;
  const calls = [Zone.nodes(noNode), Zone.node(noNode, 'a'), Zone.watch(noNode)[Symbol.asyncIterator]().next()];
  for (const call of calls) {
    const error = await failureOf<Error & { code: string }>(t, call);
    t.is(error.code, 'INVALID_ARGUMENT', String(error));
    t.regex(error.message, /"node" must be /);
  }
});
