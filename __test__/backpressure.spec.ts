// Full mailboxes: who waits, who is refused, and that everything is bounded in number and in bytes.
import test from 'ava';
import type { MailboxFullError, TimeoutError } from 'troupe';
import {
  bodies,
  captureLog,
  deadLetters,
  Echo,
  failure,
  Gate,
  Handler,
  native,
  outcome,
  Slow,
  testNode,
  turns,
  until,
} from './support/node.ts';

test.before(() => {
  captureLog();
});

test.serial('a mailbox of one holds one message beside the one in hand', async (t) => {
  const node = await testNode(t);
  const slow = new Slow();
  await node.startWorker('slow', slow, { mailbox: 1, overflow: 'reject' });
  await node.send('slow', 'in hand');
  t.is(await slow.begun, 'in hand');
  t.is(await outcome(node.send('slow', 'waits')), 'ok');
  t.is(await outcome(node.send('slow', 'too many')), 'MAILBOX_FULL');
  const [info] = await node.listWorkers({ prefix: 'slow' });
  t.like(info, { state: 'busy', queued: 1, handled: 0 });
  slow.free();
  await until(() => slow.seen.length === 2);
  t.deepEqual(slow.seen, ['in hand', 'waits']);
});

test.serial('with "reject" a full mailbox refuses at once, and what it refused is not queued', async (t) => {
  const node = await testNode(t);
  const slow = new Slow();
  const before = deadLetters('mailbox-full');
  await node.startWorker('slow', slow, { mailbox: 2, overflow: 'reject' });
  void node.send('slow', '0');
  await slow.begun;
  const sends = Array.from({ length: 5 }, (_, i) => outcome(node.send('slow', String(i + 1))));
  t.deepEqual(await Promise.all(sends), ['ok', 'ok', 'MAILBOX_FULL', 'MAILBOX_FULL', 'MAILBOX_FULL']);
  const error = await failure(t, node.sendAndReceive('slow', 'request', { timeout: Infinity }));
  t.is(error.code, 'MAILBOX_FULL');
  t.is(error.worker, 'slow');
  t.is(deadLetters('mailbox-full') - before, 3, 'each send is a dead letter');
  slow.free();
  await until(() => slow.seen.length === 3);
  t.deepEqual(slow.seen, ['0', '1', '2']);
});

test.serial('senders wait at a full mailbox in the order in which they came, sends and requests alike', async (t) => {
  const node = await testNode(t);
  const slow = new Slow();
  await node.startWorker('slow', slow, { mailbox: 2 });
  const box = await node.createMailbox('box');
  void node.send('slow', '0');
  await slow.begun;
  const taken: number[] = [];
  const calls: Promise<unknown>[] = [];
  for (let i = 1; i <= 12; i++) {
    const from = i % 2 === 0 ? node : box;
    if (i % 4 === 0) calls.push(node.sendAndReceive('slow', String(i)));
    else calls.push(from.send('slow', String(i)).then(() => taken.push(i)));
  }
  await turns();
  t.deepEqual(taken, [1, 2], 'two have room, the others wait');
  slow.free();
  const answers = await Promise.all(calls);
  t.deepEqual([answers[3], answers[7], answers[11]], ['did 4', 'did 8', 'did 12']);
  t.deepEqual(
    slow.seen,
    Array.from({ length: 13 }, (_, i) => String(i)),
  );
  t.deepEqual(taken, [1, 2, 3, 5, 6, 7, 9, 10, 11]);
});

test.serial('a wait for room ends with its timeout: the message is never handled, and counted', async (t) => {
  const node = await testNode(t);
  const slow = new Slow();
  await node.startWorker('slow', slow, { mailbox: 1 });
  void node.send('slow', '0');
  await slow.begun;
  void node.send('slow', '1');
  const before = deadLetters('expired');
  const sent = await failure<TimeoutError>(t, node.send('slow', 'late send', { timeout: '60ms' }));
  const asked = await failure<TimeoutError>(t, node.sendAndReceive('slow', 'late request', { timeout: '60ms' }));
  for (const error of [sent, asked]) {
    t.is(error.code, 'TIMEOUT');
    t.is(error.stage, 'queued');
    t.regex(error.message, /timeout after 60 ms/);
  }
  t.is(deadLetters('expired') - before, 1, 'the send; the request has told its asker');
  const last = node.send('slow', '2');
  slow.free();
  await last;
  await until(() => slow.seen.length === 3);
  t.deepEqual(slow.seen, ['0', '1', '2']);
});

test.serial(
  'a wait for room ends when its signal aborts, with its reason, and the message is never handled',
  async (t) => {
    const node = await testNode(t);
    const slow = new Slow();
    await node.startWorker('slow', slow, { mailbox: 1 });
    void node.send('slow', '0');
    await slow.begun;
    void node.send('slow', '1');
    const controller = new AbortController();
    const { signal } = controller;
    const waiting = [node.send('slow', 'send', { signal }), node.sendAndReceive('slow', 'request', { signal })];
    await turns();
    // One that is given up before the port has seen it, too.
    waiting.push(node.send('slow', 'just now', { signal }));
    controller.abort('enough');
    const reasons = await Promise.all(waiting.map((call) => failure<unknown>(t, call)));
    t.deepEqual(reasons, ['enough', 'enough', 'enough']);
    t.is(await failure<unknown>(t, node.send('slow', 'too late', { signal })), 'enough');
    const last = node.send('slow', '2');
    slow.free();
    await last;
    await until(() => slow.seen.length === 3);
    t.deepEqual(slow.seen, ['0', '1', '2']);
  },
);

test.serial('a send that is given up while it finds room is either handled or fails, never both', async (t) => {
  const node = await testNode(t);
  const slow = new Slow();
  await node.startWorker('slow', slow, { mailbox: 1 });
  const controller = new AbortController();
  void node.send('slow', 'in hand');
  await slow.begun;
  // One batch brings both and the end of what is in hand: the first one goes there, and leaves its place to the second.
  void node.send('slow', 'first');
  const second = outcome(node.send('slow', 'second', { signal: controller.signal }));
  slow.free();
  controller.abort(new Error('enough'));
  const fared = await second;
  await node.sendAndReceive('slow', 'last');
  t.deepEqual(slow.seen.slice(1), fared === 'ok' ? ['first', 'second', 'last'] : ['first', 'last'], fared);
});

test.serial('a send that begins to wait while another finds room does not take its place', async (t) => {
  const node = await testNode(t);
  const box = await node.createMailbox('box', { capacity: 1 });
  await node.send('box', 'first');
  const waits = node.send('box', 'second');
  await turns();
  // The second finds room in a batch that a listing routes; the third is routed before this isolate has read of it.
  const first = box.receive();
  const listing = node.listWorkers();
  const later = node.send('box', 'third');
  await Promise.all([first, listing, waits]);
  t.is((await box.receive()).message, 'second');
  await later;
  t.is((await box.receive()).message, 'third');
});

test.serial("waiting for room in one's own mailbox while handling a message fails at once", async (t) => {
  const node = await testNode(t);
  const outcomes: string[] = [];
  const handle = async (
    context: { send: typeof node.send; reply: (message: string) => Promise<void> },
    message: string,
  ) => {
    if (message !== 'begin') return;
    for (let i = 0; i < 3; i++) outcomes.push(await outcome(context.send('self', 'more', { timeout: Infinity })));
    await context.reply('ended');
  };
  await node.startWorker('self', new Handler(handle), { mailbox: 2 });
  t.is(await node.sendAndReceive('self', 'begin'), 'ended');
  t.deepEqual(outcomes, ['ok', 'ok', 'MAILBOX_FULL']);
});

test.serial('a mailbox without a behaviour may wait for room in itself: somebody else receives', async (t) => {
  const node = await testNode(t);
  const box = await node.createMailbox('box', { capacity: 1 });
  await box.send('box', 'first');
  let taken = false;
  const second = box.send('box', 'second').then(() => (taken = true));
  await turns();
  t.false(taken);
  t.is((await box.receive()).message, 'first');
  await second;
  t.is((await box.receive()).message, 'second');
});

test.serial('a reply never waits for room: what a full mailbox can not take of replies is a dead letter', async (t) => {
  const node = await testNode(t);
  const box = await node.createMailbox('box', { capacity: 2 });
  const before = deadLetters('mailbox-full');
  const done = new Gate();
  const handle = async (context: { reply: (message: string) => Promise<void> }) => {
    for (let i = 0; i < 5; i++) await context.reply(String(i));
    done.open();
  };
  await node.startWorker('talker', new Handler(handle));
  await box.send('talker', 'talk');
  await done.opened;
  await until(() => deadLetters('mailbox-full') - before === 3);
  t.deepEqual([(await box.receive()).message, (await box.receive()).message], ['0', '1']);
});

test.serial('a million sends and a request reach a mailbox of a million and one in order', async (t) => {
  const node = await testNode(t);
  const count = 1_000_000;
  let next = 0;
  let inOrder = true;
  const handle = (context: { reply: (message: string) => Promise<void> }, message: string) => {
    if (message === 'how many?') return void context.reply(String(next));
    inOrder &&= message === String(next);
    next += 1;
  };
  await node.startWorker('counter', new Handler(handle), { mailbox: count + 1 });
  for (let i = 0; i < count; i++) void node.send('counter', String(i));
  t.is(await node.sendAndReceive('counter', 'how many?', { timeout: Infinity }), String(count));
  t.true(inOrder);
});

test.serial(
  'with the default bounds what exceeds mailbox and line is refused and counted, the request too',
  async (t) => {
    const node = await testNode(t);
    const count = 1_000_000;
    const room = 10_000 + 65_536;
    const before = deadLetters('mailbox-full');
    let next = 0;
    let inOrder = true;
    const handle = (_: unknown, message: string) => {
      inOrder &&= message === String(next);
      next += 1;
    };
    await node.startWorker('counter', new Handler(handle));
    let last: Promise<void> | undefined;
    for (let i = 0; i < count; i++) last = node.send('counter', String(i));
    const request = failure<MailboxFullError>(t, node.sendAndReceive('counter', 'how many?', { timeout: Infinity }));
    for (const error of [await failure<MailboxFullError>(t, last as Promise<void>), await request]) {
      t.is(error.code, 'MAILBOX_FULL');
      t.regex(error.message, /for worker "counter".* was refused: 65 536 messages or 64 MiB/, 'not the mailbox');
    }
    await until(() => next === room);
    t.true(inOrder);
    t.is(deadLetters('mailbox-full') - before, count - room);
    await until(() => bodies() === 0);
  },
);

test.serial('twenty thousand requests to a mailbox of ten thousand are all answered, in order', async (t) => {
  const node = await testNode(t);
  const gate = new Gate();
  const seen: string[] = [];
  const handle = async (context: { reply: (message: string) => Promise<void> }, message: string) => {
    await gate.opened;
    seen.push(message);
    await context.reply(message);
  };
  await node.startWorker('echo', new Handler(handle));
  const asked = Array.from({ length: 20_000 }, (_, i) => node.sendAndReceive('echo', String(i), { timeout: Infinity }));
  await turns();
  const [info] = await node.listWorkers({ prefix: 'echo' });
  t.is(info?.queued, 10_000, 'a full mailbox; the rest waits in line');
  gate.open();
  const answers = await Promise.all(asked);
  t.true(answers.every((answer, i) => answer === String(i)));
  t.true(seen.every((message, i) => message === String(i)));
});

test.serial(
  'a thousand messages of a megabyte to a worker that sleeps hold no more than mailbox and line may',
  async (t) => {
    const node = await testNode(t);
    const slow = new Slow();
    await node.startWorker('slow', slow);
    const lent = native.counters().delivered;
    // A message counts two bytes a unit: 32 of them fill the mailbox, 32 the line, and one is in hand.
    const message = (i: number) => `${i} `.padEnd(1 << 20, 'x');
    void node.send('slow', message(0));
    await slow.begun;
    const fates: Promise<string>[] = [];
    let most = 0;
    for (let i = 1; i < 1_000; i++) {
      fates.push(outcome(node.send('slow', message(i), { timeout: Infinity })));
      most = Math.max(most, bodies());
    }
    t.true(most <= 66, `${most} were held`);
    t.is(native.counters().delivered - lent, 1, 'large ones are lent one at a time');
    slow.free();
    const ended = await Promise.all(fates);
    t.deepEqual(new Set(ended), new Set(['ok', 'MAILBOX_FULL']));
    t.is(ended.filter((fate) => fate === 'ok').length, 64);
    await until(() => slow.seen.length === 65);
    t.true(slow.seen.every((text, i) => text === message(i)));
  },
);

test.serial('the same flood in one turn is refused as early: what is refused is not held', async (t) => {
  const node = await testNode(t);
  await node.startWorker('echo', Echo);
  const message = (i: number) => `${i} `.padEnd(1 << 20, 'x');
  let most = 0;
  for (let i = 0; i < 1_000; i++) {
    void node.send('echo', message(i));
    most = Math.max(most, bodies());
  }
  t.true(most <= 70, `${most} were held`);
  await until(async () => (await outcome(node.sendAndReceive('echo', 'small'))) === 'ok');
});
