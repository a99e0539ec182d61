// The life of a worker: initialize, messages, shutdown; and what a stop lets happen before it.
import test from 'ava';
import { Node, type Context, type WorkerFailedError, type WorkerStoppedError } from 'troupe';
import {
  captureLog,
  deadLetters,
  Echo,
  failure,
  Gate,
  Handler,
  outcome,
  Slow,
  testNode,
  turns,
  until,
} from './support/node.ts';

const log = captureLog();

test('startWorker resolves when initialize has ended, and messages wait until then', async (t) => {
  const node = await testNode(t);
  const gate = new Gate();
  const seen: string[] = [];
  const worker = {
    initialize: async () => {
      await gate.opened;
      seen.push('initialize');
    },
    handleMessage: async (context: Context, message: string) => {
      seen.push(message);
      await context.reply(message);
    },
  };
  const started = node.startWorker('w', worker).then(() => seen.push('started'));
  await turns();
  const asked = node.sendAndReceive('w', 'early');
  await turns();
  const [info] = await node.listWorkers({ prefix: 'w' });
  t.like(info, { state: 'starting', queued: 1, handled: 0 });
  t.deepEqual(seen, []);
  gate.open();
  t.is(await asked, 'early');
  await started;
  t.deepEqual([...seen].sort(), ['early', 'initialize', 'started']);
  t.is(seen[0], 'initialize');
});

test('a failing initialize or constructor fails the start with its cause, and the name is free again', async (t) => {
  const node = await testNode(t);
  const cause = new Error('no database');
  let shutdowns = 0;
  const shutdown = () => (shutdowns += 1);
  const rejects = { initialize: () => Promise.reject(cause), handleMessage() {}, shutdown };
  const throws = {
    initialize() {
      throw cause;
    },
    handleMessage() {},
    shutdown,
  };
  class Broken extends Echo {
    constructor() {
      super();
      throw cause;
    }
  }
  for (const start of [
    () => node.startWorker('w', rejects),
    () => node.startWorker('w', throws),
    () => node.startWorker('w', Broken),
  ]) {
    const started = failure<WorkerFailedError>(t, start());
    const waiting = outcome(node.sendAndReceive('w', 'x'));
    const error = await started;
    t.is(error.code, 'WORKER_FAILED');
    t.is(error.cause, cause);
    t.regex(error.message, /worker "w" on node .* failed: its (initialize|constructor) failed.*no database/);
    t.not(await waiting, 'ok');
    t.is(await outcome(node.sendAndReceive('w', 'x')), 'NO_SUCH_WORKER');
  }
  t.is(shutdowns, 0, 'what never was up is not shut down');
  t.is(await outcome(node.startWorker('w', Echo)), 'ok');
});

test('a name is taken from the start until the worker is gone', async (t) => {
  const node = await testNode(t);
  const initialized = new Gate();
  const ended = new Gate();
  const worker = { initialize: () => initialized.opened, handleMessage() {}, shutdown: () => ended.opened };
  const taken = async () => {
    const error = await failure(t, node.startWorker('w', Echo));
    t.is(error.code, 'NAME_TAKEN');
    t.is(error.worker, 'w');
    t.is(await outcome(node.createMailbox('w')), 'NAME_TAKEN');
  };
  const started = node.startWorker('w', worker);
  await taken();
  initialized.open();
  await started;
  await taken();
  const stopped = node.stopWorker('w');
  await turns();
  await taken();
  t.is(await outcome(node.send('w', 'x')), 'WORKER_STOPPED', 'a stopping worker takes no more messages');
  ended.open();
  await stopped;
  t.is(await outcome(node.send('w', 'x')), 'NO_SUCH_WORKER');
  t.is(await outcome(node.startWorker('w', Echo)), 'ok');
});

test('a stop drains: what was sent before it is handled, then shutdown runs, once', async (t) => {
  const node = await testNode(t);
  const seen: string[] = [];
  const worker = {
    async handleMessage(context: Context, message: string) {
      await turns(1);
      seen.push(message);
      await context.reply(message);
    },
    async shutdown() {
      await turns(1);
      seen.push('shutdown');
    },
  };
  await node.startWorker('w', worker);
  const asked = ['a', 'b', 'c'].map((message) => node.sendAndReceive('w', message));
  void node.send('w', 'd');
  const stops = [node.stopWorker('w', { timeout: Infinity }), node.stopWorker('w', { timeout: Infinity })];
  t.deepEqual(await Promise.all(asked), ['a', 'b', 'c']);
  await Promise.all(stops);
  t.deepEqual(seen, ['a', 'b', 'c', 'd', 'shutdown']);
  t.is(await outcome(node.stopWorker('w')), 'NO_SUCH_WORKER');
});

test('senders that wait in line at a worker that stops fail at once, with WORKER_STOPPED', async (t) => {
  const node = await testNode(t);
  const slow = new Slow();
  await node.startWorker('slow', slow, { mailbox: 1 });
  const running = node.sendAndReceive('slow', 'running');
  await slow.begun;
  const queued = node.sendAndReceive('slow', 'queued');
  const sent = failure<WorkerStoppedError>(t, node.send('slow', 'in line'));
  const asked = failure<WorkerStoppedError>(t, node.sendAndReceive('slow', 'in line'));
  await turns();
  const stopped = node.stopWorker('slow', { timeout: Infinity });
  for (const error of await Promise.all([sent, asked])) t.is(error.code, 'WORKER_STOPPED');
  t.false((await asked).maybeExecuted);
  slow.free();
  t.deepEqual(await Promise.all([running, queued]), ['did running', 'did queued']);
  await stopped;
});

test('when the drain time is over what waits fails, then the signal aborts; a handler that ends then is not abandoned', async (t) => {
  const node = await testNode(t);
  const events: string[] = [];
  const worker = {
    async handleMessage(context: Context, message: string) {
      events.push(message);
      await new Promise((resolve) => context.signal.addEventListener('abort', resolve));
      events.push('aborted');
      await context.reply('just in time');
    },
    shutdown: () => void events.push('shutdown'),
  };
  await node.startWorker('w', worker);
  const running = node.sendAndReceive('w', 'running');
  const waiting = ['b', 'c'].map((message) =>
    failure<WorkerStoppedError>(t, node.sendAndReceive('w', message)).then((error) => {
      events.push(error.code);
      return error;
    }),
  );
  await turns();
  await node.stopWorker('w', { timeout: 0 });
  t.is(await running, 'just in time');
  for (const error of await Promise.all(waiting)) t.false(error.maybeExecuted, 'it was not begun');
  t.deepEqual(
    events.filter((event) => event !== 'WORKER_STOPPED'),
    ['running', 'aborted', 'shutdown'],
  );
});

test('a handler that outlives its stop is abandoned: its asker hears so, its name is free, its shutdown is skipped', async (t) => {
  const node = await testNode(t);
  const gate = new Gate();
  const replied = new Gate<string>();
  let shutdowns = 0;
  const worker = {
    async handleMessage(context: Context) {
      await gate.opened;
      replied.open(await outcome(context.reply('too late')));
    },
    shutdown: () => (shutdowns += 1),
  };
  await node.startWorker('w', worker);
  const asked = failure<WorkerStoppedError>(t, node.sendAndReceive('w', 'x'));
  await turns();
  // Whoever stops it a second time takes nothing from the time it has.
  await Promise.all([node.stopWorker('w', { timeout: 0 }), node.stopWorker('w', { timeout: 0 })]);
  t.like(await asked, { code: 'WORKER_STOPPED', maybeExecuted: true });
  t.is(await outcome(node.startWorker('w', Echo)), 'ok');
  const before = deadLetters('late-reply');
  gate.open();
  t.is(await replied.opened, 'ok', 'a reply never rejects because nobody waits');
  await until(() => deadLetters('late-reply') > before);
  t.is(shutdowns, 0);
});

test('a request that was handled without a reply ends with its worker: it may have been executed', async (t) => {
  const node = await testNode(t);
  await node.startWorker('w', new Handler(() => {}));
  const asked = failure<WorkerStoppedError>(t, node.sendAndReceive('w', 'x', { timeout: Infinity }));
  await turns();
  await node.stopWorker('w');
  t.like(await asked, { code: 'WORKER_STOPPED', maybeExecuted: true });
});

test('a shutdown that throws is logged, and one that never settles is abandoned: the worker ends either way', async (t) => {
  const node = await testNode(t);
  const shutdown = () => Promise.reject(new Error('can not close'));
  await node.startWorker('throws', { handleMessage() {}, shutdown });
  await node.stopWorker('throws');
  t.true(log.some(({ level, message }) => level === 'error' && message === 'shutdown of worker throws failed'));
  await node.startWorker('hangs', { handleMessage() {}, shutdown: () => new Promise(() => {}) });
  await node.stopWorker('hangs', { timeout: 0 });
  t.deepEqual((await node.listWorkers()).map(String), ['main']);
});

test('an initialize that never settles holds its own name; a stop ends it, and the start fails', async (t) => {
  const node = await testNode(t);
  const aborted = new Gate();
  const initialize = ({ signal }: Context) => {
    signal.addEventListener('abort', () => aborted.open());
    return new Promise(() => {});
  };
  const started = failure<WorkerStoppedError>(t, node.startWorker('w', { initialize, handleMessage() {} }));
  const waiting = outcome(node.sendAndReceive('w', 'x', { timeout: Infinity }));
  await turns();
  const stopped = node.stopWorker('w', { timeout: 0 });
  t.is(await outcome(node.sendAndReceive('w', 'x')), 'WORKER_STOPPED', 'it takes no more');
  await stopped;
  await aborted.opened;
  t.is((await started).code, 'WORKER_STOPPED');
  t.is(await waiting, 'WORKER_STOPPED');
  t.is(await outcome(node.startWorker('w', Echo)), 'ok');
});

test('a stop that comes while initialize runs lets it end, and what came before be handled', async (t) => {
  const node = await testNode(t);
  const gate = new Gate();
  const echo = new Echo();
  const worker = { initialize: () => gate.opened, handleMessage: echo.handleMessage.bind(echo) };
  const started = node.startWorker('w', worker);
  await turns();
  const asked = node.sendAndReceive('w', 'before');
  const stopped = node.stopWorker('w', { timeout: Infinity });
  await turns();
  gate.open();
  t.is(await asked, 'before');
  await Promise.all([started, stopped]);
  t.is(await outcome(node.send('w', 'x')), 'NO_SUCH_WORKER');
});

test('a worker that stops itself is drained of nothing it could wait for', async (t) => {
  const node = await testNode(t);
  const handle = async (context: Context) => {
    await context.reply('stopping');
    void context.stopWorker('w');
  };
  await node.startWorker('w', new Handler(handle));
  t.is(await node.sendAndReceive('w', 'x'), 'stopping');
  await until(async () => (await node.listWorkers({ prefix: 'w' })).length === 0);
  t.pass();
});

test('ten thousand workers start, answer and stop with their node', async (t) => {
  const node = await Node.create({ zone: false });
  const count = 10_000;
  let ended = 0;
  class Counted extends Echo {
    shutdown() {
      ended += 1;
    }
  }
  await Promise.all(Array.from({ length: count }, (_, i) => node.startWorker(`w-${i}`, Counted)));
  const answers = await Promise.all(Array.from({ length: count }, (_, i) => node.sendAndReceive(`w-${i}`, String(i))));
  t.true(answers.every((answer, i) => answer === String(i)));
  t.is((await node.listWorkers()).length, count + 1);
  await node.stop();
  t.is(ended, count);
});
