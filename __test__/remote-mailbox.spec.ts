// Full mailboxes on the far side of a link: senders wait in order, or are refused; nothing is lost, and nothing stands still for ever.
import test from 'ava';
import { MailboxFullError, TimeoutError, WorkerStoppedError, Zone, type Context, type Node } from 'troupe';
import { failureOf, gate, nodesOf, worker, type Gate } from './support/nodes.ts';

const numbers = (count: number) => Array.from({ length: count }, (_, i) => String(i));

test.serial('messages to a full mailbox of another node wait, and are handled in order', async (t) => {
  const create = nodesOf(t);
  const [there, here] = [await create('there'), await create('here')];
  for (const mailbox of [1, 2, 3, 100]) {
    const free = gate();
    const seen: string[] = [];
    const name = `small-${mailbox}`;
    await there.startWorker(
      name,
      worker(async (context: Context, message) => {
        await free.opened;
        seen.push(message);
        await context.reply(message);
      }),
      { mailbox },
    );
    const calls = numbers(500).map((i) => (Number(i) % 5 === 0 ? here.send(name, i) : here.sendAndReceive(name, i)));
    free.open();
    const outcomes = await Promise.all(calls);
    t.deepEqual(
      outcomes,
      numbers(500).map((i) => (Number(i) % 5 === 0 ? undefined : i)),
    );
    await here.sendAndReceive(name, 'last');
    t.deepEqual(seen, [...numbers(500), 'last'], name);
  }
});

test.serial('the senders of several nodes and of its own take turns at a full mailbox', async (t) => {
  const create = nodesOf(t);
  const [there, one, two] = [await create('there'), await create('one'), await create('two')];
  const seen: string[] = [];
  await there.startWorker(
    'small',
    worker(async (context: Context, message) => {
      seen.push(`${context.sender} ${message}`);
      await context.reply('');
    }),
    { mailbox: 1 },
  );
  await Promise.all(
    [there, one, two].flatMap((node) => numbers(300).map((i) => node.sendAndReceive('there/small', i))),
  );
  t.is(seen.length, 900);
  for (const { name } of [there, one, two]) {
    const own = seen.filter((entry) => entry.startsWith(`${name}/main `));
    t.deepEqual(
      own,
      numbers(300).map((i) => `${name}/main ${i}`),
    );
  }
  // None of them had to wait until the others were done.
  const ends = ['there', 'one', 'two'].map((name) => seen.findIndex((entry) => entry.startsWith(`${name}/`)));
  t.true(Math.max(...ends) < 700, String(ends));
});

test.serial(
  'two workers of two nodes that flood each other and answer do not stand still, with mailboxes of 1',
  async (t) => {
    const create = nodesOf(t);
    const nodes = [await create('one'), await create('two')];
    const count = 300;
    const answered: Record<string, number> = { one: 0, two: 0 };
    for (const [i, node] of nodes.entries()) {
      const other = nodes[1 - i]?.name as string;
      await node.startWorker(
        'peer',
        worker(async (context: Context, message) => {
          // A reply to a message that was sent would be one more message.
          if (message === 'told') return;
          if (message !== 'flood') return context.reply(message);
          // In the handler nothing waits for the others: a worker that waited for a room it makes itself could wait for ever.
          for (const text of numbers(count)) {
            void context.node.sendAndReceive(`${other}/peer`, text, { timeout: Infinity }).then((reply) => {
              if (reply === text) answered[node.name] = (answered[node.name] ?? 0) + 1;
            });
          }
          for (let told = 0; told < count; told++) void context.send(`${other}/peer`, 'told', { timeout: Infinity });
          await context.reply('begun');
        }),
        { mailbox: 1 },
      );
    }
    const [one, two] = nodes;
    await Promise.all([one?.sendAndReceive('two/peer', 'flood'), two?.sendAndReceive('one/peer', 'flood')]);
    while (answered['one'] !== count || answered['two'] !== count) await new Promise(setImmediate);
    const handled = () =>
      Promise.all(nodes.map(async (node) => (await node.listWorkers({ prefix: 'peer' }))[0]?.handled));
    while ((await handled()).some((done) => done !== 2 * count + 1)) await new Promise(setImmediate);
    t.pass();
  },
);

test.serial('a mailbox of another node that refuses when full says so at once', async (t) => {
  const create = nodesOf(t);
  const [there, here] = [await create('there'), await create('here')];
  const free = gate();
  await there.startWorker(
    'refuses',
    worker(async (context: Context, message) => {
      await free.opened;
      await context.reply(message);
    }),
    { mailbox: 2, overflow: 'reject' },
  );
  const outcomes = numbers(10).map((i) =>
    here.sendAndReceive('refuses', i, { timeout: Infinity }).catch((error: unknown) => error),
  );
  const refused = await Promise.all(outcomes.slice(4));
  for (const error of refused) {
    t.true(error instanceof MailboxFullError, String(error));
    t.deepEqual([(error as MailboxFullError).worker, (error as MailboxFullError).node], ['refuses', 'there']);
  }
  t.true((await failureOf(t, here.send('refuses', 'x'))) instanceof MailboxFullError);
  free.open();
  t.deepEqual(await Promise.all(outcomes.slice(0, 2)), ['0', '1']);
  t.is(await here.sendAndReceive('refuses', 'after'), 'after');
});

test.serial(
  'a send to a full mailbox of another node resolves when it has room, and fails when its time is over',
  async (t) => {
    const create = nodesOf(t);
    const [there, here] = [await create('there'), await create('here')];
    const free = gate();
    const seen: string[] = [];
    await there.startWorker(
      'small',
      worker(async (_: Context, message) => {
        seen.push(message);
        await free.opened;
      }),
      { mailbox: 1 },
    );
    await here.send('small', 'first');
    // One more may be taken, beside that which is being handled; not this many.
    const sends = numbers(5).map((i) => here.send('small', i, { timeout: Infinity }));
    let taken = 0;
    for (const send of sends) void send.then(() => (taken += 1));
    const late = await failureOf<TimeoutError>(t, here.send('small', 'late', { timeout: 300 }));
    t.true(late instanceof TimeoutError, String(late));
    t.true(taken <= 1, `${taken}`);
    const controller = new AbortController();
    const reason = new Error('not any more');
    const given = failureOf(t, here.send('small', 'given up', { timeout: Infinity, signal: controller.signal }));
    controller.abort(reason);
    t.is(await given, reason);
    free.open();
    await Promise.all(sends);
    while (seen.length < 6) await new Promise(setImmediate);
    t.deepEqual(seen, ['first', ...numbers(5)]);
  },
);

test.serial('what waits for a worker of another node that is stopped fails with WorkerStoppedError', async (t) => {
  const create = nodesOf(t);
  const [there, here] = [await create('there'), await create('here')];
  const begun = gate();
  await there.startWorker(
    'small',
    worker((context: Context) => {
      begun.open();
      return new Promise<void>((resolve) => context.signal.addEventListener('abort', () => resolve()));
    }),
    { mailbox: 3 },
  );
  const ask = (message: string) =>
    failureOf<WorkerStoppedError>(t, here.sendAndReceive('small', message, { timeout: Infinity }));
  const calls = numbers(10).map(ask);
  await begun.opened;
  const handle = await Zone.node(here, 'there');
  await handle.stopWorker('small', { timeout: 0 });
  const errors = await Promise.all(calls);
  for (const [i, error] of errors.entries()) {
    t.true(error instanceof WorkerStoppedError, `${i}: ${String(error)}`);
    t.is(error.maybeExecuted, i === 0, `${i}`);
    t.is(error.node, 'there');
  }
});

test.serial(
  'twenty thousand requests to a mailbox of ten thousand on another node are all answered in order',
  async (t) => {
    const create = nodesOf(t);
    const [there, here] = [await create('there'), await create('here')];
    let next = 0;
    let inOrder = true;
    await there.startWorker(
      'count',
      worker((context: Context, message) => {
        inOrder &&= message === String(next++);
        return context.reply(message);
      }),
    );
    const replies = await Promise.all(numbers(20_000).map((i) => here.sendAndReceive('count', i)));
    t.true(inOrder);
    t.true(replies.every((reply, i) => reply === String(i)));
  },
);

const MEGABYTE = 'x'.repeat(1 << 20);

/** Starts a worker that handles nothing until it may, and then notes the number that each message begins with. */
async function startHeavy(there: Node): Promise<{ free: Gate; seen: number[] }> {
  const free = gate();
  const seen: number[] = [];
  await there.startWorker(
    'heavy',
    worker(async (_: Context, message) => {
      await free.opened;
      seen.push(Number.parseInt(message, 10));
    }),
  );
  return { free, seen };
}

test.serial(
  'a mailbox of another node holds 64 MiB of text, however few messages that are: the rest waits at its senders',
  async (t) => {
    const create = nodesOf(t);
    const [there, here] = [await create('there'), await create('here')];
    const { free, seen } = await startHeavy(there);
    const taken: number[] = [];
    for (let i = 0; i < 200; i += 20) {
      // Twenty at a time have room in the line: none is refused, and what can be taken is taken in that time.
      const sends = Array.from({ length: 20 }, (_, k) =>
        here.send('heavy', `${i + k} ${MEGABYTE}`, { timeout: 300 }).then(
          () => taken.push(i + k),
          (error: unknown) => t.true(error instanceof TimeoutError, String(error)),
        ),
      );
      await Promise.all(sends);
    }
    // A megabyte of characters counts two: 32 in the mailbox, one in hand, and one that was let in before it was full.
    t.true(taken.length >= 32 && taken.length <= 32 + 2, `${taken.length}`);
    free.open();
    while (seen.length < taken.length) await new Promise(setImmediate);
    t.deepEqual(seen, taken);
  },
);

test.serial(
  'of a thousand messages of a megabyte to a worker of another node that sleeps, each has its outcome',
  async (t) => {
    const create = nodesOf(t);
    const [there, here] = [await create('there'), await create('here')];
    const { free, seen } = await startHeavy(there);
    const taken: number[] = [];
    const refused: unknown[] = [];
    const sends = Array.from({ length: 1_000 }, (_, i) =>
      here.send('heavy', `${i} ${MEGABYTE}`, { timeout: Infinity }).then(
        () => taken.push(i),
        (error: unknown) => refused.push(error),
      ),
    );
    // 64 MiB wait in the sender's line, and what exceeds it is refused at once.
    while (refused.length === 0) await new Promise(setImmediate);
    for (const error of refused) t.true(error instanceof MailboxFullError, String(error));
    free.open();
    await Promise.all(sends);
    t.is(taken.length + refused.length, 1_000);
    while (seen.length < taken.length) await new Promise(setImmediate);
    t.deepEqual(seen, taken);
  },
);
