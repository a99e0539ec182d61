// Messages on one node: their order, their text to the last unit, one at a time, and how a send fares.
import test from 'ava';
import { MailboxFullError, MessageTooLargeError, type Context } from 'troupe';
import {
  captureLog,
  deadLetters,
  Echo,
  failure,
  Handler,
  held,
  outcome,
  testNode,
  turns,
  until,
} from './support/node.ts';

const MAX = 16 * 1024 * 1024;

test.before(() => {
  captureLog();
});

test('messages of one sender arrive in the order sent, sends and requests mixed, whatever their size', async (t) => {
  const node = await testNode(t);
  const seen: number[] = [];
  const take = async (context: Context, message: string) => {
    seen.push(Number.parseInt(message, 10));
    if (seen.length % 3 === 0) await turns(1);
    await context.reply(message.slice(0, 8));
  };
  await node.startWorker('sync', new Handler((context, message) => void take(context, message)));
  await node.startWorker('async', new Handler(take));
  for (const worker of ['sync', 'async']) {
    seen.length = 0;
    const answers: Promise<unknown>[] = [];
    const sizes = [0, 1, 100, 40_000, 1_000_000];
    for (let i = 0; i < 2_000; i++) {
      const message = `${i} ${'x'.repeat(i % 50 === 7 ? (sizes[i % sizes.length] as number) : i % 40)}`;
      if (i % 3 === 0) answers.push(node.sendAndReceive(worker, message));
      else answers.push(node.send(worker, message));
    }
    await Promise.all(answers);
    await node.sendAndReceive(worker, '2000');
    t.deepEqual(
      seen,
      Array.from({ length: 2_001 }, (_, i) => i),
      worker,
    );
  }
});

test('the order holds between the plain name of a worker and its full address', async (t) => {
  const node = await testNode(t);
  const seen: string[] = [];
  await node.startWorker('w', new Handler((_, message) => seen.push(message)));
  for (let i = 0; i < 100; i++) void node.send(i % 2 === 0 ? 'w' : `${node.name}/w`, String(i));
  await until(() => seen.length === 100);
  t.deepEqual(
    seen,
    Array.from({ length: 100 }, (_, i) => String(i)),
  );
});

test('a worker handles one message at a time: the next begins when the promise of the last has settled', async (t) => {
  const node = await testNode(t);
  let running = 0;
  let most = 0;
  let handled = 0;
  const handle = async (context: Context, message: string) => {
    most = Math.max(most, ++running);
    if (message === 'reply first') await context.reply('early');
    await turns(2);
    running -= 1;
    handled += 1;
    if (message === 'throw') throw new Error('on purpose');
  };
  await node.startWorker('one', new Handler(handle));
  const calls = Array.from({ length: 60 }, (_, i) =>
    i % 3 === 0
      ? node.sendAndReceive('one', 'reply first')
      : i % 3 === 1
        ? node.send('one', 'just a send')
        : outcome(node.sendAndReceive('one', 'throw')),
  );
  await Promise.all(calls);
  await until(() => handled === 60);
  t.is(most, 1);
});

test('two workers handle their messages side by side', async (t) => {
  const node = await testNode(t);
  // Each waits for the other: only together do they end.
  let meet: () => void;
  const met = new Promise<void>((resolve) => (meet = resolve));
  let here = 0;
  const wait = async (context: Context) => {
    if (++here === 2) meet();
    await met;
    await context.reply('met');
  };
  await node.startWorker('left', new Handler(wait));
  await node.startWorker('right', new Handler(wait));
  t.deepEqual(await Promise.all([node.sendAndReceive('left', ''), node.sendAndReceive('right', '')]), ['met', 'met']);
});

const texts: Record<string, string> = {
  'the empty string': '',
  NUL: 'a\0b\0',
  'Latin-1': 'déjà vu ÿ',
  emoji: '👩‍👩‍👧‍👦 🏳️‍🌈',
  'a lone high surrogate': 'a\ud83d',
  'a lone low surrogate': '\ude00b',
  'swapped surrogates': '\ude00\ud83d',
  'a byte order mark': '\ufeff\ufffe\uffff',
  'every unit there is': String.fromCharCode(...Array.from({ length: 0x8000 }, (_, i) => i * 2)),
  '16 MiB of one byte each': 'x'.repeat(MAX),
  '16 MiB of three bytes each': `${'€'.repeat((MAX - 1) / 3)}x`,
  '16 MiB of lone surrogates': `${'\ud800'.repeat((MAX - 1) / 3)}x`,
};
for (const [what, text] of Object.entries(texts)) {
  test(`${what} is delivered exactly, as a message and as a reply`, async (t) => {
    const node = await testNode(t);
    let received: string | undefined;
    const echo = async (context: Context, message: string) => {
      received = message;
      await context.reply(message);
    };
    await node.startWorker('echo', new Handler(echo));
    const reply = await node.sendAndReceive('echo', text);
    // Not `t.is`: it would print megabytes.
    t.true(received === text, 'the message');
    t.true(reply === text, 'the reply');
    await node.send('echo', text);
    const incoming = await node.mailbox.receive();
    t.true(incoming.message === text, 'the reply to a mailbox');
  });
}

test('a byte more than 16 MiB is refused with both sizes, and nothing is sent', async (t) => {
  const node = await testNode(t);
  let handled = 0;
  const failures: unknown[] = [];
  const handle = async (context: Context, message: string) => {
    handled += 1;
    if (message !== 'reply') return;
    failures.push(await failure(t, context.reply('x'.repeat(MAX + 1))));
    await context.reply('small');
  };
  await node.startWorker('w', new Handler(handle));
  const tooLarge: [string, number][] = [
    ['x'.repeat(MAX + 1), MAX + 1],
    ['€'.repeat((MAX - 1) / 3 + 1), MAX + 2],
    [`${'\ud800'.repeat((MAX - 1) / 3)}xx`, MAX + 1],
  ];
  for (const [message, bytes] of tooLarge) {
    for (const call of [node.send('w', message), node.sendAndReceive('w', message), node.mailbox.send('w', message)]) {
      const error = await failure<MessageTooLargeError>(t, call);
      t.true(error instanceof MessageTooLargeError);
      t.is(error.code, 'MESSAGE_TOO_LARGE');
      t.regex(error.message, new RegExp(`${bytes} bytes.*${MAX}`));
      t.regex(error.message, /for w /);
    }
  }
  t.is(handled, 0);
  t.is(await node.sendAndReceive('w', 'reply'), 'small');
  t.is(handled, 1);
  t.true(failures[0] instanceof MessageTooLargeError);
});

test.serial('a message to nobody fails at once with NO_SUCH_WORKER, and each send is counted', async (t) => {
  const node = await testNode(t);
  const before = deadLetters('no-such-worker');
  for (const to of ['nobody', `${node.name}/nobody`]) {
    for (const call of [() => node.send(to, 'x'), () => node.sendAndReceive(to, 'x', { timeout: Infinity })]) {
      const error = await failure(t, call());
      t.is(error.code, 'NO_SUCH_WORKER');
      t.is(error.worker, 'nobody');
    }
  }
  t.is(deadLetters('no-such-worker') - before, 2);
  const elsewhere = await failure(t, node.sendAndReceive('elsewhere/main', 'x', { timeout: Infinity }));
  t.is(elsewhere.code, 'NODE_UNREACHABLE');
  // Its name leads there as soon as it is started.
  await node.startWorker('nobody', Echo);
  t.is(await node.sendAndReceive('nobody', 'x'), 'x');
});

test.serial('what send returns is a promise in all that can be told', async (t) => {
  const node = await testNode(t);
  await node.startWorker('echo', Echo);
  const sent = node.send('echo', 'x');
  t.true(sent instanceof Promise);
  t.is(Object.prototype.toString.call(sent), '[object Promise]');
  t.is(await sent, undefined);
  t.is(await sent, undefined, 'a second time');
  t.is(await node.send('echo', 'x').then(() => 5), 5);
  t.deepEqual(await Promise.all([sent, node.send('echo', 'y')]), [undefined, undefined]);
  t.is(await Promise.race([node.send('echo', 'x')]), undefined);
  let finished = false;
  await node.send('echo', 'x').finally(() => (finished = true));
  t.true(finished);
  const failed = node.send('nobody', 'x');
  t.is(await failed.catch((error: unknown) => (error as { code: string }).code), 'NO_SUCH_WORKER');
  t.is(await outcome(failed), 'NO_SUCH_WORKER', 'a second time');
  t.is(await outcome(failed.finally(() => {})), 'NO_SUCH_WORKER');
  const [settled] = await Promise.allSettled([node.send('nobody', 'x')]);
  t.is(settled?.status, 'rejected');
});

test.serial('a send that fails is never an unhandled rejection, however it fails', async (t) => {
  const node = await testNode(t);
  const unhandled: unknown[] = [];
  const listener = (reason: unknown) => unhandled.push(reason);
  process.on('unhandledRejection', listener);
  t.teardown(() => process.off('unhandledRejection', listener));
  await node.startWorker('full', new Handler(() => new Promise(() => {})), { mailbox: 1, overflow: 'reject' });
  for (let i = 0; i < 4; i++) void node.send('full', 'x');
  void node.send('nobody', 'x');
  void node.send('not a name', 'x');
  void node.send('full', 5 as never);
  void node.send('full', 'x'.repeat(MAX + 1));
  void node.send('full', 'x', { signal: AbortSignal.abort(new Error('given up')) });
  const waiting = new AbortController();
  await node.startWorker('waits', new Handler(() => new Promise(() => {})), { mailbox: 1 });
  for (let i = 0; i < 4; i++) void node.send('waits', 'x', { signal: waiting.signal });
  await turns();
  waiting.abort(new Error('given up'));
  await node.stop({ timeout: 0 });
  void node.send('full', 'x');
  await turns();
  t.deepEqual(unhandled, []);
});

test.serial('the error of a refused send has no lines of this package, and leaves those of others alone', async (t) => {
  const node = await testNode(t);
  await node.startWorker('full', new Handler(() => new Promise(() => {})), { mailbox: 1, overflow: 'reject' });
  const limit = Error.stackTraceLimit;
  const taken = [node.send('full', 'in hand'), node.send('full', 'waits')];
  const looked = failure(t, node.send('full', 'x'));
  const unlooked = node.send('full', 'x');
  await Promise.all(taken);
  for (const error of [await looked, await failure(t, unlooked)]) {
    t.true(error instanceof MailboxFullError);
    t.is(error.stack, `MailboxFullError: ${error.message}`);
  }
  t.is(Error.stackTraceLimit, limit);
  t.regex(new Error('of a user').stack ?? '', /messages\.spec/);
});

test.serial('one signal may end any number of calls, and nobody is warned of a leak', async (t) => {
  const node = await testNode(t);
  const warnings: Error[] = [];
  const listener = (warning: Error) => warnings.push(warning);
  process.on('warning', listener);
  t.teardown(() => process.off('warning', listener));
  const controller = new AbortController();
  const { signal } = controller;
  await node.startWorker('held', new Handler(() => new Promise(() => {})), { mailbox: 2 });
  const calls: Promise<unknown>[] = [];
  for (let i = 0; i < 20; i++) {
    calls.push(node.sendAndReceive('held', 'x', { signal }), node.mailbox.receive({ signal }));
    if (i > 2) calls.push(node.send('held', 'x', { signal }));
  }
  await turns();
  controller.abort('enough');
  const ends = await Promise.allSettled(calls);
  t.true(ends.every((end) => end.status === 'rejected' && end.reason === 'enough'));
  await turns();
  t.deepEqual(warnings, []);
});

test.serial('nothing is left of messages that had their outcome', async (t) => {
  const node = await testNode(t);
  const gate = new AbortController();
  await node.startWorker('echo', Echo);
  await node.startWorker('held', new Handler(() => new Promise(() => {})), { mailbox: 2 });
  const calls: Promise<unknown>[] = [];
  for (let i = 0; i < 500; i++) {
    calls.push(node.sendAndReceive('echo', String(i)), node.send('echo', 'x'), node.send('nobody', 'x'));
    calls.push(
      node.sendAndReceive('held', 'x', { signal: gate.signal }),
      node.send('held', 'x', { signal: gate.signal }),
    );
  }
  await turns();
  gate.abort();
  await Promise.allSettled(calls);
  await node.stop({ timeout: 0 });
  await turns();
  t.deepEqual(held(), { bodies: 0, requests: 0, sends: 0 });
});
