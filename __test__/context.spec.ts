// What a handler is given: who asks, how to answer, and calls with its worker as the sender.
import test from 'ava';
import { AsyncLocalStorage } from 'node:async_hooks';
import { Context } from 'troupe';
import {
  captureLog,
  deadLetters,
  Echo,
  failure,
  Gate,
  Handler,
  outcome,
  testNode,
  turns,
  until,
} from './support/node.ts';

test.before(() => {
  captureLog();
});

test('a context names its worker, its node and the sender in full', async (t) => {
  const node = await testNode(t, { name: 'here' });
  const senders: string[] = [];
  const handle = async (context: Context, message: string) => {
    t.true(context instanceof Context);
    t.is(context.node, node);
    senders.push(`${context.worker} < ${context.sender}`);
    if (message === 'on') await context.send('second', 'x');
  };
  await node.startWorker('first', new Handler(handle));
  await node.startWorker('second', new Handler(handle));
  const box = await node.createMailbox('box');
  await node.send('first', 'x');
  await box.send('here/first', 'on');
  await until(() => senders.length === 3);
  t.deepEqual(senders, ['first < here/main', 'first < here/box', 'second < here/first']);
});

test('a reply to a request reaches its asker alone; a reply to a send is a message to whoever sent it', async (t) => {
  const node = await testNode(t);
  const answers: string[] = [];
  await node.startWorker('echo', new Handler((context, message) => context.reply(`re: ${message}`)));
  const box = await node.createMailbox('box');
  t.is(await node.sendAndReceive('echo', 'asked'), 're: asked');
  await box.send('echo', 'sent');
  const incoming = await box.receive();
  t.deepEqual([incoming.message, incoming.sender], ['re: sent', `${node.name}/echo`]);
  const handle = async (context: Context, message: string) => {
    if (message === 'begin') await context.send('echo', 'from a worker');
    else answers.push(`${context.sender}: ${message}`);
  };
  await node.startWorker('worker', new Handler(handle));
  await node.send('worker', 'begin');
  await until(() => answers.length === 1);
  t.deepEqual(answers, [`${node.name}/echo: re: from a worker`]);
});

test('several replies to a send are as many messages, also after the handler returned', async (t) => {
  const node = await testNode(t);
  let kept: Context | undefined;
  const handle = async (context: Context) => {
    kept = context;
    await context.reply('1');
    await context.reply('2');
  };
  await node.startWorker('w', new Handler(handle));
  await node.send('w', 'x');
  const next = async () => (await node.mailbox.receive()).message;
  t.deepEqual([await next(), await next()], ['1', '2']);
  await turns();
  await kept?.reply('3');
  t.is(await next(), '3');
});

test.serial(
  'a reply to a worker that has gone is a dead letter, and never reaches who has its place by then',
  async (t) => {
    const node = await testNode(t);
    const gate = new Gate();
    const replied = new Gate();
    const handle = async (context: Context) => {
      await gate.opened;
      t.is(await outcome(context.reply('for the first')), 'ok');
      replied.open();
    };
    await node.startWorker('slow', new Handler(handle));
    const first = await node.createMailbox('first');
    await first.send('slow', 'x');
    await first.close();
    const before = deadLetters('no-such-worker');
    // It takes the place that the first one had.
    const second = await node.createMailbox('second');
    gate.open();
    await replied.opened;
    await until(() => deadLetters('no-such-worker') - before === 1);
    t.is(await outcome(second.receive({ timeout: 0 })), 'TIMEOUT');
  },
);

test.serial('a message of one who has gone has no sender, and not who has its place by then', async (t) => {
  const node = await testNode(t);
  const gate = new Gate();
  const seen = new Gate<string>();
  const worker = {
    initialize: () => gate.opened,
    async handleMessage(context: Context) {
      seen.open(context.sender);
      await context.reply('for the first');
    },
  };
  const started = node.startWorker('w', worker);
  const first = await node.createMailbox('first');
  await first.send('w', 'x');
  await first.close();
  const second = await node.createMailbox('second');
  gate.open();
  await started;
  t.is(await seen.opened, '');
  t.is(await outcome(second.receive({ timeout: 0 })), 'TIMEOUT');
});

test('a handler outlives its worker: it can send nothing more, under no name', async (t) => {
  const node = await testNode(t);
  const gate = new Gate();
  const ended = new Gate<string[]>();
  const handle = async (context: Context) => {
    await gate.opened;
    const calls = [context.send('echo', 'x'), context.sendAndReceive('echo', 'x'), context.reply('x')];
    ended.open(await Promise.all(calls.map(outcome)));
  };
  await node.startWorker('echo', Echo);
  await node.startWorker('w', new Handler(handle));
  await node.send('w', 'x');
  await turns();
  await node.stopWorker('w', { timeout: 0 });
  await node.startWorker('another', Echo);
  gate.open();
  const [sent, , replied] = await ended.opened;
  t.deepEqual([sent, replied], ['WORKER_STOPPED', 'ok']);
  t.is(await outcome(node.mailbox.receive({ timeout: 0 })), 'TIMEOUT');
});

test('a handler starts and stops workers as its node does', async (t) => {
  const node = await testNode(t);
  const handle = async (context: Context) => {
    await context.startWorker('child', Echo, { mailbox: 5 });
    t.is(await context.sendAndReceive('child', 'x'), 'x');
    t.is(await outcome(context.startWorker('child', Echo)), 'NAME_TAKEN');
    await context.stopWorker('child');
    t.is(await outcome(context.sendAndReceive('child', 'x')), 'NO_SUCH_WORKER');
    t.is(await outcome(context.stopWorker('main')), 'NOT_PERMITTED');
    await context.reply('checked');
  };
  await node.startWorker('parent', new Handler(handle));
  t.is(await node.sendAndReceive('parent', 'x'), 'checked');
});

test("a request's continuation keeps its caller's AsyncLocalStorage", async (t) => {
  const node = await testNode(t);
  await node.startWorker('echo', Echo);
  await node.startWorker('sync', new Handler((context, message) => void context.reply(message)));
  await node.startWorker('throws', new Handler(() => Promise.reject(new Error('on purpose'))));
  const box = await node.createMailbox('box', { capacity: 1 });
  const storage = new AsyncLocalStorage<number>();
  const seen = await Promise.all(
    Array.from({ length: 50 }, (_, i) =>
      storage.run(i, async () => {
        const stores: unknown[] = [];
        await node.sendAndReceive('echo', 'x');
        stores.push(storage.getStore());
        await node.sendAndReceive('sync', 'x').then(() => stores.push(storage.getStore()));
        await node.sendAndReceive('throws', 'x').catch(() => stores.push(storage.getStore()));
        const sent = node.send('box', 'x');
        await box.receive();
        stores.push(storage.getStore());
        await sent;
        stores.push(storage.getStore());
        return stores;
      }),
    ),
  );
  t.deepEqual(
    seen,
    Array.from({ length: 50 }, (_, i) => [i, i, i, i, i]),
  );
});

test('the stack of a failed request shows who waits for it', async (t) => {
  const node = await testNode(t);
  async function theCallersOwnFunction() {
    return await node.sendAndReceive('nobody', 'x');
  }
  const error = await failure(t, theCallersOwnFunction());
  t.regex(error.stack ?? '', /theCallersOwnFunction/);
});

test('initialize and shutdown have a context that nobody waits on', async (t) => {
  const node = await testNode(t);
  const seen: unknown[] = [];
  const look = async (context: Context) => {
    seen.push([context.worker, context.sender, context.remaining, context.signal.aborted]);
    seen.push(await outcome(context.reply('to nobody')));
    seen.push(await context.sendAndReceive('echo', 'x'));
  };
  await node.startWorker('echo', Echo);
  await node.startWorker('w', { initialize: look, shutdown: look, handleMessage() {} });
  await node.stopWorker('w');
  const each = [['w', '', Infinity, false], 'ok', 'x'];
  t.deepEqual(seen, [...each, ...each]);
});
