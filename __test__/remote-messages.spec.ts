// Messages between nodes: what is sent arrives, in order and to the letter.
import test from 'ava';
import { MessageTooLargeError, type Context } from 'troupe';
import { failureOf, gate, nodesOf, worker } from './support/nodes.ts';

const MAX = 16 << 20;
const echo = () => worker((context: Context, message) => context.reply(message));

test.serial('a request to a worker of another node is answered', async (t) => {
  const create = nodesOf(t);
  const [there, here] = [await create('there'), await create('here')];
  await there.startWorker(
    'greeter',
    worker((context: Context, name) => context.reply(`Hello, ${name}!`)),
  );
  t.is(await here.sendAndReceive('greeter', 'Alice'), 'Hello, Alice!');
  t.is(await here.sendAndReceive('there/greeter', 'Bob'), 'Hello, Bob!');
});

test.serial('messages of one sender arrive in the order sent, sends and requests, small and large', async (t) => {
  const create = nodesOf(t);
  const [there, here] = [await create('there'), await create('here')];
  const seen: number[] = [];
  await there.startWorker(
    'log',
    worker(async (context: Context, message) => {
      seen.push(Number.parseInt(message, 10));
      await context.reply('seen');
    }),
  );
  const outcomes: Promise<unknown>[] = [];
  for (let i = 0; i < 2_000; i++) {
    // Every tenth takes several records and a few of the others overtake what they may not.
    const message = `${i} ${'x'.repeat(i % 10 === 0 ? 100_000 : 10)}`;
    outcomes.push(i % 3 === 0 ? here.sendAndReceive('there/log', message) : here.send('there/log', message));
  }
  await Promise.all(outcomes);
  await here.sendAndReceive('there/log', '2000');
  t.deepEqual(
    seen,
    Array.from({ length: 2_001 }, (_, i) => i),
  );
});

test.serial('text arrives exactly as it was sent: empty, emoji, lone surrogates, NUL, 16 MiB', async (t) => {
  const create = nodesOf(t);
  const [there, here] = [await create('there'), await create('here')];
  await there.startWorker('echo', echo());
  const texts = {
    empty: '',
    emoji: '🎭 troupe 👩‍👩‍👧',
    'lone surrogates': 'a\ud800b\udc00c\udfff\ud83d',
    'surrogates the wrong way round': '\udc00\ud800',
    NUL: '\0a\0',
    'Latin-1': 'é'.repeat(300),
    'all below 256': Array.from({ length: 256 }, (_, i) => String.fromCharCode(i)).join(''),
    '16 MiB of ASCII': 'x'.repeat(MAX),
    '16 MiB of three bytes a unit, one of them alone': `${'€'.repeat((MAX - 4) / 3 - 1)}\ud800xxxx`,
  };
  for (const [what, text] of Object.entries(texts)) {
    const answer = await here.sendAndReceive('there/echo', text);
    // Not `t.is`: nobody wants to read a difference of 16 MiB.
    t.true(answer === text, what);
  }
});

test.serial(
  'a byte more than 16 MiB is refused with both sizes, sent or replied, and nothing of it arrives',
  async (t) => {
    const create = nodesOf(t);
    const [there, here] = [await create('there'), await create('here')];
    let arrived = 0;
    const outcome: { error?: Error } = {};
    await there.startWorker(
      'echo',
      worker(async (context: Context, message) => {
        arrived += 1;
        outcome.error = await failureOf(t, context.reply(`${message}${'é'.repeat(MAX / 2)}`));
        await context.reply('short');
      }),
    );
    for (const text of ['x'.repeat(MAX + 1), '\ud800'.repeat(Math.floor(MAX / 3) + 1)]) {
      const error = await failureOf(t, here.sendAndReceive('there/echo', text));
      t.true(error instanceof MessageTooLargeError);
      t.regex(error.message, /1677721[78]\b.*16777216|16777216.*1677721[78]\b/);
      t.true((await failureOf(t, here.send('there/echo', text))) instanceof MessageTooLargeError);
    }
    t.is(arrived, 0);
    t.is(await here.sendAndReceive('there/echo', 'y'), 'short');
    t.true(outcome.error instanceof MessageTooLargeError);
  },
);

test.serial('a long message arrives although its sender ends while it is on its way', async (t) => {
  const create = nodesOf(t);
  const [there, here] = [await create('there'), await create('here')];
  const seen: number[] = [];
  const arrived = gate();
  await there.startWorker(
    'long',
    worker(async (context: Context, message) => {
      seen.push(message.length);
      if (seen.length === 2) arrived.open();
      await context.reply('taken');
    }),
  );
  t.is(await here.sendAndReceive('there/long', ''), 'taken');
  await here.startWorker(
    'brief',
    worker(async (context: Context) => {
      await context.send('there/long', 'x'.repeat(MAX / 2));
      await context.reply('handed over');
    }),
  );
  t.is(await here.sendAndReceive('brief', ''), 'handed over');
  await here.stopWorker('brief');
  await arrived.opened;
  t.is(await here.sendAndReceive('there/long', ''), 'taken', 'the link stays');
  t.deepEqual(seen, [0, MAX / 2, 0]);
});
