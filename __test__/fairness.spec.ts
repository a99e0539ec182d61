// One busy or flooding worker does not starve timers, I/O or the other workers: what these tests wait for would never come.
import test, { type ExecutionContext } from 'ava';
import { readFile } from 'node:fs/promises';
import type { Context, Node } from 'troupe';
import { captureLog, Echo, Handler, testNode, until } from './support/node.ts';

test.before(() => {
  captureLog();
});

let isOver = false;

/** Timers, immediates, file I/O and other workers get their turn while a flood goes on. */
async function othersLive(t: ExecutionContext, node: Node, flood: () => number): Promise<void> {
  await node.startWorker('other', Echo);
  await until(() => flood() > 100);
  for (let i = 0; i < 20; i++) {
    const before = flood();
    await new Promise((resolve) => setTimeout(resolve, 1));
    await readFile(new URL(import.meta.url), 'utf8');
    t.is(await node.sendAndReceive('other', String(i), { timeout: Infinity }), String(i));
    await until(() => flood() > before);
  }
  isOver = true;
}

test.beforeEach(() => {
  isOver = false;
});

test.serial('a worker that floods itself starves nobody', async (t) => {
  const node = await testNode(t);
  let count = 0;
  const handle = (context: Context) => {
    count += 1;
    if (!isOver) void context.send('flood', 'again');
  };
  await node.startWorker('flood', new Handler(handle));
  for (let i = 0; i < 100; i++) void node.send('flood', 'begin');
  await othersLive(t, node, () => count);
});

test.serial('nor does one whose handlers are asynchronous and end at once', async (t) => {
  const node = await testNode(t);
  let count = 0;
  const handle = async (context: Context) => {
    count += 1;
    await Promise.resolve();
    if (!isOver) void context.send('flood', 'again');
  };
  await node.startWorker('flood', new Handler(handle));
  for (let i = 0; i < 100; i++) void node.send('flood', 'begin');
  await othersLive(t, node, () => count);
});

test.serial('nor do workers that ask each other without end', async (t) => {
  const node = await testNode(t);
  let count = 0;
  const ask = (other: string) => async (context: Context) => {
    while (!isOver) {
      count += 1;
      await context.sendAndReceive(other, 'x', { timeout: Infinity });
    }
  };
  await node.startWorker('echo-1', Echo);
  await node.startWorker('echo-2', Echo);
  await node.startWorker('left', new Handler(ask('echo-1')));
  await node.startWorker('right', new Handler(ask('echo-2')));
  void node.send('left', 'begin');
  void node.send('right', 'begin');
  await othersLive(t, node, () => count);
});

test.serial('nor does a program that sends in a loop, and waits for each message to be taken', async (t) => {
  const node = await testNode(t);
  let count = 0;
  await node.startWorker('sink', new Handler(() => void (count += 1)));
  const loop = (async () => {
    while (!isOver) await node.send('sink', 'x');
  })();
  await othersLive(t, node, () => count);
  await loop;
});

test.serial('nor do handlers that compute for long: between them everyone else has a turn', async (t) => {
  const node = await testNode(t);
  let count = 0;
  const compute = () => {
    count += 1;
    const end = performance.now() + 5;
    while (performance.now() < end);
  };
  await node.startWorker('busy', new Handler(compute));
  for (let i = 0; i < 2_000; i++) void node.send('busy', 'x');
  await node.startWorker('other', Echo);
  await until(() => count > 0);
  t.is(await node.sendAndReceive('other', 'x'), 'x');
  await new Promise((resolve) => setTimeout(resolve, 1));
  t.true(count < 1_000, `${count} of 2 000 came before`);
});
