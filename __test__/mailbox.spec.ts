// Mailboxes without a behaviour: what is sent or replied to them waits there until it is received.
import test from 'ava';
import { Mailbox, type Incoming, type TimeoutError, type WorkerStoppedError } from 'troupe';
import { captureLog, deadLetters, Echo, failure, outcome, testNode, turns, until } from './support/node.ts';

test.before(() => {
  captureLog();
});

test('a mailbox hands out what came to it in order, each message once, to receivers in the order of their calls', async (t) => {
  const node = await testNode(t);
  const box = await node.createMailbox('box');
  t.true(box instanceof Mailbox);
  t.is(box.name, 'box');
  const early = [box.receive(), box.receive()];
  for (let i = 0; i < 1_000; i++) void node.send('box', String(i));
  const received = await Promise.all([...early, ...Array.from({ length: 998 }, () => box.receive())]);
  t.deepEqual(
    received.map(({ message }) => message),
    Array.from({ length: 1_000 }, (_, i) => String(i)),
  );
  t.is(received[0]?.sender, `${node.name}/main`);
});

test('what is sent by a mailbox is answered there; what the node sends, in the mailbox of main', async (t) => {
  const node = await testNode(t);
  await node.startWorker('echo', Echo);
  const box = await node.createMailbox('box');
  await box.send('echo', 'from the box');
  await node.send('echo', 'from main');
  t.is((await box.receive()).message, 'from the box');
  t.is((await node.mailbox.receive()).message, 'from main');
  t.is(node.mailbox.name, 'main');
});

test('a request to a mailbox is answered by whoever receives it', async (t) => {
  const node = await testNode(t);
  const box = await node.createMailbox('box');
  const asked = node.sendAndReceive('box', 'question');
  const incoming = await box.receive();
  t.is(incoming.message, 'question');
  t.is(await outcome(incoming.reply('answer')), 'ok');
  t.is(await asked, 'answer');
  t.is(await outcome(incoming.reply('again')), 'ok', 'a dead letter');
  // And a message: as many replies as one likes.
  const other = await node.createMailbox('other');
  await other.send('box', 'message');
  const sent = await box.receive();
  await sent.reply('one');
  await sent.reply('two');
  t.deepEqual([(await other.receive()).message, (await other.receive()).message], ['one', 'two']);
});

test.serial(
  'what expired while the event loop was blocked, or was given up a moment before, is never received',
  async (t) => {
    const node = await testNode(t);
    const box = await node.createMailbox('box-of-late-ones');
    const expired = outcome(node.sendAndReceive(box.name, 'expired', { timeout: 50 }));
    const controller = new AbortController();
    const givenUp = outcome(node.sendAndReceive(box.name, 'given up', { signal: controller.signal }));
    await node.send(box.name, 'wanted');
    await turns();
    const end = performance.now() + 100;
    while (performance.now() < end);
    controller.abort();
    t.is((await box.receive()).message, 'wanted');
    t.deepEqual([await expired, await givenUp], ['TIMEOUT', '20']);
    // Their places are free again: nothing is left of them.
    await until(async () => (await node.listWorkers({ prefix: box.name }))[0]?.queued === 0);
  },
);

test('a request that expired before it was received was queued, and is never received', async (t) => {
  const node = await testNode(t);
  const box = await node.createMailbox('box');
  const error = await failure<TimeoutError>(t, node.sendAndReceive('box', 'late', { timeout: '60ms' }));
  t.is(error.code, 'TIMEOUT');
  t.is(error.stage, 'queued');
  await node.send('box', 'next');
  t.is((await box.receive()).message, 'next');
});

test('receive ends with its timeout, or with the reason of its signal, and takes nothing then', async (t) => {
  const node = await testNode(t);
  const box = await node.createMailbox('box');
  const late = await failure<TimeoutError>(t, box.receive({ timeout: '60ms' }));
  t.is(late.code, 'TIMEOUT');
  t.false('stage' in late, 'no message was sent');
  t.regex(late.message, /timeout after 60 ms.*"box"/);
  const controller = new AbortController();
  const given = failure<unknown>(t, box.receive({ signal: controller.signal }));
  controller.abort('enough');
  t.is(await given, 'enough');
  t.is(await failure<unknown>(t, box.receive({ signal: controller.signal })), 'enough');
  await node.send('box', 'still here');
  t.is((await box.receive()).message, 'still here');
});

test('a mailbox is iterated over until it is closed; leaving the loop does not close it', async (t) => {
  const node = await testNode(t);
  const box = await node.createMailbox('box');
  for (let i = 0; i < 4; i++) void node.send('box', String(i));
  const seen: string[] = [];
  for await (const { message } of box) {
    seen.push(message);
    if (message === '1') break;
  }
  t.deepEqual(seen, ['0', '1']);
  const rest = (async () => {
    for await (const { message } of box) seen.push(message);
  })();
  await until(() => seen.length === 4);
  await box.close();
  await rest;
  t.deepEqual(seen, ['0', '1', '2', '3']);
  t.is(await outcome(box.close()), 'ok', 'a second time');
});

test.serial('a mailbox that closes fails who waits at it and what waits in it, and counts what is lost', async (t) => {
  const node = await testNode(t);
  const box = await node.createMailbox('box', { capacity: 3 });
  const before = deadLetters('worker-stopped');
  const lost: Promise<unknown>[] = [node.send('box', 'a'), node.send('box', 'b')];
  const asked = failure<WorkerStoppedError>(t, node.sendAndReceive('box', 'question'));
  await Promise.all(lost);
  const inLine = failure<WorkerStoppedError>(t, node.send('box', 'in line'));
  const answered = node.sendAndReceive('box', 'in line, too');
  const unanswered = failure<WorkerStoppedError>(t, answered);
  await turns();
  await box.close();
  t.like(await asked, { code: 'WORKER_STOPPED', maybeExecuted: false });
  t.is((await inLine).code, 'WORKER_STOPPED');
  t.is((await unanswered).code, 'WORKER_STOPPED');
  t.is(deadLetters('worker-stopped') - before, 3, 'two in it, one in line');
  t.is(await outcome(node.send('box', 'x')), 'NO_SUCH_WORKER');
  t.is(await outcome(box.receive()), 'NODE_STOPPED');
  t.is(await outcome(box.send('main', 'x')), 'WORKER_STOPPED');
  const again = await node.createMailbox('box');
  const waiting = outcome(again.receive({ timeout: Infinity }));
  await again.close();
  t.is(await waiting, 'NODE_STOPPED');
});

test('what was received and not answered ends with the mailbox: it may have been executed', async (t) => {
  const node = await testNode(t);
  const box = await node.createMailbox('box');
  const asked = failure<WorkerStoppedError>(t, node.sendAndReceive('box', 'question'));
  await box.receive();
  await box.close();
  t.like(await asked, { code: 'WORKER_STOPPED', maybeExecuted: true });
});

test('the mailbox of main closes with its node only', async (t) => {
  const node = await testNode(t);
  t.is(await outcome(node.mailbox.close()), 'NOT_PERMITTED');
  t.is(await outcome(node.stopWorker('main')), 'NOT_PERMITTED');
  const waiting = outcome(node.mailbox.receive({ timeout: Infinity }));
  const seen: Incoming[] = [];
  const loop = (async () => {
    for await (const incoming of node.mailbox) seen.push(incoming);
  })();
  await node.stop();
  t.is(await waiting, 'NODE_STOPPED');
  await loop;
  t.deepEqual(seen, []);
});

test('mailboxes are listed with what waits in them, and share the names of workers', async (t) => {
  const node = await testNode(t);
  const box = await node.createMailbox('box');
  for (let i = 0; i < 3; i++) await node.send('box', 'x');
  t.like((await node.listWorkers({ prefix: 'box' }))[0], { type: 'Mailbox', state: 'busy', queued: 3, handled: 0 });
  await box.receive();
  t.like((await node.listWorkers({ prefix: 'box' }))[0], { queued: 2, handled: 1 });
  t.is(await outcome(node.createMailbox('box')), 'NAME_TAKEN');
  t.is(await outcome(node.startWorker('box', Echo)), 'NAME_TAKEN');
  await box[Symbol.asyncDispose]();
  t.is(await outcome(node.startWorker('box', Echo)), 'ok');
});
