// What a node tells of itself: `node.metrics()`.
import test from 'ava';
import { Node, type Context, type Histogram } from 'troupe';
import { captureLog, deadLetters, failure, outcome, Slow, testNode, turns, until } from './support/node.ts';

class Greeter {
  async handleMessage(context: Context, message: string) {
    if (message === 'fail') throw new RangeError('too far');
    await context.reply(`Hello, ${message}!`);
  }
}

const total = ({ buckets }: Histogram) => buckets.reduce((sum, [, count]) => sum + count, 0);

test('metrics count messages by class and worker, and how long they waited and took', async (t) => {
  captureLog();
  const node = await testNode(t, { name: 'here' });
  await node.startWorker('greeter', Greeter);
  await node.startWorker('other', Greeter);
  for (const name of ['Ada', 'Bob']) await node.sendAndReceive('greeter', name);
  await node.sendAndReceive('other', 'Eve');
  await failure(t, node.sendAndReceive('greeter', 'fail'));
  await turns();
  const metrics = node.metrics();
  t.like(metrics, {
    node: 'here',
    id: node.id,
    zone: null,
    role: 'node',
    pid: process.pid,
    state: 'up',
    workersTotal: 3,
  });
  const greeter = metrics.classes.find(({ type }) => type === 'Greeter');
  t.like(greeter, { workers: 2, queued: 0, handled: 4, failed: 1, restarts: 0 });
  for (const histogram of [greeter?.inMailbox, greeter?.inHandler] as Histogram[]) {
    t.is(histogram.count, 4);
    t.is(total(histogram), 4);
    t.deepEqual(
      histogram.buckets.map(([bound]) => bound),
      [...Array.from({ length: 21 }, (_, power) => 2 ** (power - 4)), null],
    );
  }
  const worker = metrics.workers.find(({ name }) => name === 'greeter');
  t.like(worker, { type: 'Greeter', state: 'idle', queued: 0, handled: 3, failed: 1 });
  t.is(metrics.failures.length, 1);
  t.like(metrics.failures[0], { worker: 'greeter', type: 'Greeter', message: 'too far' });
  t.regex(metrics.failures[0]?.stack ?? '', /^RangeError: too far\n.*metrics\.spec\.ts/);
});

test('a message that waits is queued, and the longer it waits the older it is', async (t) => {
  const node = await testNode(t);
  const slow = new Slow();
  await node.startWorker('slow', slow, { mailbox: 10 });
  const answers = ['a', 'b', 'c'].map((message) => outcome(node.sendAndReceive('slow', message)));
  t.is(await slow.begun, 'a');
  const worker = () => node.metrics().workers.find(({ name }) => name === 'slow');
  t.like(worker(), { state: 'busy', queued: 2, handled: 0 });
  const { oldestMs = 0, slowestMs = 0 } = worker() ?? {};
  await until(() => {
    const now = worker();
    return now !== undefined && now.oldestMs > oldestMs && now.slowestMs > slowestMs;
  });
  slow.free();
  t.deepEqual(await Promise.all(answers), ['ok', 'ok', 'ok']);
  await turns();
  t.like(worker(), { state: 'idle', queued: 0, handled: 3, oldestMs: 0 });
});

test('a restart is counted, and what was counted of workers that are gone stays', async (t) => {
  captureLog();
  const node = await testNode(t);
  await node.startWorker('w', Greeter, { onFailure: 'restart' });
  await failure(t, node.sendAndReceive('w', 'fail'));
  await node.sendAndReceive('w', 'again');
  t.is(node.metrics().workers.find(({ name }) => name === 'w')?.restarts, 1);
  await node.stopWorker('w');
  t.like(
    node.metrics().classes.find(({ type }) => type === 'Greeter'),
    { workers: 0, handled: 2, failed: 1, restarts: 1 },
  );
});

test('only the last 20 failures are kept, and any value that is thrown can be one', async (t) => {
  captureLog();
  const node = await testNode(t);
  class Thrower {
    handleMessage(_: Context, message: string) {
      if (message === 'nothing') throw undefined;
      if (message === 'hostile')
        throw Object.defineProperty(new Error(), 'message', {
          get() {
            throw new Error('no');
          },
        });
      throw new Error(message);
    }
  }
  await node.startWorker('w', Thrower);
  for (let number = 1; number <= 22; number++) await failure(t, node.sendAndReceive('w', `${number}`));
  await failure(t, node.sendAndReceive('w', 'nothing'));
  await failure(t, node.sendAndReceive('w', 'hostile'));
  const { failures } = node.metrics();
  t.deepEqual(
    failures.map(({ message }) => message),
    [...Array.from({ length: 18 }, (_, index) => `${index + 5}`), 'it threw undefined', '{}'],
  );
});

test('dead letters are told by reason', async (t) => {
  captureLog();
  const node = await testNode(t);
  const before = deadLetters('no-such-worker');
  await failure(t, node.send('nobody', 'x'));
  t.is(node.metrics().deadLetters['no such worker'], before + 1);
});

test('metrics of a node that stops say so, and those of one that has stopped are NODE_STOPPED', async (t) => {
  const node = await Node.create({ zone: false });
  const slow = new Slow();
  await node.startWorker('slow', slow);
  const asked = node.sendAndReceive('slow', 'a');
  await slow.begun;
  const stopped = node.stop();
  t.is(node.metrics().state, 'draining');
  slow.free();
  await asked;
  await stopped;
  t.is(t.throws(() => node.metrics())?.message.includes('has stopped'), true);
});
