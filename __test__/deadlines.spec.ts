// Deadlines and giving up: one outcome a request, how far the message came, and what is nested ends with what it is nested in.
// One at a time: a test that blocks the event loop would spend the deadlines of others.
import test from 'ava';
import type { Context, TimeoutError } from 'troupe';
import {
  captureLog,
  deadLetters,
  failure,
  Gate,
  Handler,
  held,
  outcome,
  Slow,
  testNode,
  turns,
  until,
} from './support/node.ts';

const log = captureLog();

test.serial('a request that waits behind another times out as "queued", and is never handled', async (t) => {
  const node = await testNode(t);
  const slow = new Slow();
  await node.startWorker('slow', slow);
  const first = node.sendAndReceive('slow', 'first');
  await slow.begun;
  const error = await failure<TimeoutError>(t, node.sendAndReceive('slow', 'second', { timeout: '250ms' }));
  t.is(error.code, 'TIMEOUT');
  t.is(error.stage, 'queued');
  t.is(error.worker, 'slow');
  t.regex(error.message, /^timeout after 250 ms: .*worker "slow".*queued/);
  const third = node.sendAndReceive('slow', 'third');
  slow.free();
  t.deepEqual(await Promise.all([first, third]), ['did first', 'did third']);
  t.deepEqual(slow.seen, ['first', 'third']);
});

test.serial('a request that is being handled times out as "running", and the handler\'s signal aborts', async (t) => {
  const node = await testNode(t);
  const aborted = new Gate<DOMException>();
  const handle = async ({ signal }: Context) => {
    await new Promise((resolve) => signal.addEventListener('abort', resolve));
    aborted.open(signal.reason as DOMException);
  };
  await node.startWorker('w', new Handler(handle));
  const error = await failure<TimeoutError>(t, node.sendAndReceive('w', 'x', { timeout: '250ms' }));
  t.is(error.stage, 'running');
  t.is((await aborted.opened).name, 'AbortError');
});

test.serial(
  'a request whose handler ended without a reply times out as "handled"; a reply that comes before is the answer',
  async (t) => {
    const node = await testNode(t);
    let late: Context | undefined;
    await node.startWorker('w', new Handler((context) => void (late = context)));
    const error = await failure<TimeoutError>(t, node.sendAndReceive('w', 'x', { timeout: '250ms' }));
    t.is(error.stage, 'handled');
    t.regex(error.message, /must call context.reply/);
    late = undefined as Context | undefined;
    const answered = node.sendAndReceive('w', 'x', { timeout: Infinity });
    await until(() => late !== undefined);
    await turns();
    await late?.reply('after the handler returned');
    t.is(await answered, 'after the handler returned');
  },
);

test.serial('a signal that is read after the handler returned aborts, too, when the asker gives up', async (t) => {
  const node = await testNode(t);
  let kept: Context | undefined;
  await node.startWorker('w', new Handler((context) => void (kept = context)));
  const { signal, abort } = giveUp();
  const asked = failure<unknown>(t, node.sendAndReceive('w', 'x', { signal }));
  await until(() => kept !== undefined);
  const seen = (kept as unknown as Context).signal;
  t.false(seen.aborted);
  abort('enough');
  t.is(await asked, 'enough');
  await until(() => seen.aborted);
  t.is((seen.reason as Error).name, 'AbortError');
});

function giveUp(): { signal: AbortSignal; abort: (reason?: unknown) => void } {
  const controller = new AbortController();
  return { signal: controller.signal, abort: (reason) => controller.abort(reason) };
}

test.serial(
  'a reply after the asker has left is a dead letter: counted, logged at debug, and no failure',
  async (t) => {
    const node = await testNode(t);
    const gate = new Gate();
    const replied = new Gate<string>();
    const handle = async (context: Context) => {
      await gate.opened;
      replied.open(await outcome(context.reply('too late')));
    };
    await node.startWorker('late-replier', new Handler(handle));
    const before = deadLetters('late-reply');
    const error = await failure<TimeoutError>(t, node.sendAndReceive('late-replier', 'x', { timeout: '250ms' }));
    t.is(error.code, 'TIMEOUT');
    gate.open();
    t.is(await replied.opened, 'ok');
    await until(() => deadLetters('late-reply') - before === 1);
    await until(() => log.some(({ name, level }) => name === 'dead-letter' && level === 'debug'));
    const record = log.find(({ name, level }) => name === 'dead-letter' && level === 'debug');
    t.regex(record?.message ?? '', /late-replier.*nobody waits for this reply/);
  },
);

test.serial('the first reply to a request is the answer, further ones are dead letters', async (t) => {
  const node = await testNode(t);
  const handle = async (context: Context) => {
    for (const message of ['first', 'second', 'third']) await context.reply(message);
  };
  await node.startWorker('w', new Handler(handle));
  const before = deadLetters('late-reply');
  t.is(await node.sendAndReceive('w', 'x'), 'first');
  await until(() => deadLetters('late-reply') - before === 2);
  t.pass();
});

test.serial(
  'a caller that gives up gets its own reason at once; what it had sent is withdrawn or called off',
  async (t) => {
    const node = await testNode(t);
    const slow = new Slow();
    await node.startWorker('slow', slow);
    const first = giveUp();
    const running = failure<unknown>(t, node.sendAndReceive('slow', 'running', { signal: first.signal }));
    await slow.begun;
    const second = giveUp();
    const queued = failure<unknown>(t, node.sendAndReceive('slow', 'queued', { signal: second.signal }));
    await turns();
    const reason = new Error('my own');
    second.abort(reason);
    t.is(await queued, reason);
    first.abort();
    t.is(((await running) as Error).name, 'AbortError');
    t.is(await failure<unknown>(t, node.sendAndReceive('slow', 'never', { signal: second.signal })), reason);
    slow.free();
    t.is(await node.sendAndReceive('slow', 'last'), 'did last');
    t.deepEqual(slow.seen, ['running', 'last']);
  },
);

test.serial('what is given up while the handler before it ends is not begun any more', async (t) => {
  const node = await testNode(t);
  const [begun, free] = [new Gate(), new Gate()];
  const seen: string[] = [];
  const handle = async (context: Context, message: string) => {
    seen.push(message);
    begun.open();
    await free.opened;
    await context.reply(message);
  };
  await node.startWorker('w', new Handler(handle));
  const first = node.sendAndReceive('w', 'first');
  await begun.opened;
  const controller = giveUp();
  const second = outcome(node.sendAndReceive('w', 'second', { signal: controller.signal }));
  // It is at the worker, behind the one in hand.
  await turns();
  controller.abort();
  // In the same turn, before the core can have heard of it.
  free.open();
  t.is(await first, 'first');
  t.is(await second, '20');
  // And in the turn in which it was asked, of a worker that has nothing to do.
  const hasty = giveUp();
  const never = outcome(node.sendAndReceive('w', 'never', { signal: hasty.signal }));
  hasty.abort();
  t.is(await never, '20');
  t.is(await node.sendAndReceive('w', 'third'), 'third');
  t.deepEqual(seen, ['first', 'third']);
});

test.serial('what was answered is not called off when its worker is stopped, what runs is', async (t) => {
  const node = await testNode(t);
  const signals: AbortSignal[] = [];
  const handle = (context: Context, message: string) => {
    signals.push(context.signal);
    return message === 'answer' ? context.reply('') : new Promise(() => {});
  };
  await node.startWorker('w', new Handler(handle));
  // Both at once: their requests have different numbers.
  const answered = node.sendAndReceive('w', 'answer');
  const running = outcome(node.sendAndReceive('w', 'run'));
  t.is(await answered, '');
  await turns();
  await node.stopWorker('w', { timeout: 0 });
  t.is(await running, 'WORKER_STOPPED');
  t.deepEqual(
    signals.map(({ aborted }) => aborted),
    [false, true],
  );
});

test.serial(
  'what remains of a deadline is known to the handler, and inherited by what it asks: the smaller of the two',
  async (t) => {
    const node = await testNode(t);
    await node.startWorker('leaf', new Handler((context) => context.reply(String(context.remaining))));
    const handle = async (context: Context, timeout: string) => {
      const own = context.remaining;
      const options = timeout === '' ? {} : { timeout: timeout as '1s' };
      const nested = Number(await context.sendAndReceive('leaf', 'x', options));
      const free = Number(await context.node.sendAndReceive('leaf', 'x', { timeout: '2h' }));
      await context.reply(JSON.stringify([own, nested, free]));
    };
    await node.startWorker('middle', new Handler(handle));
    const ask = async (timeout: string, wait: '10s' | '1h') =>
      JSON.parse(await node.sendAndReceive('middle', timeout, { timeout: wait })) as [number, number, number];
    const minute = 60_000;
    {
      const [own, nested, free] = await ask('1h', '10s');
      t.true(own > 0 && own <= 10_000);
      // Of a length that records carry in whole milliseconds.
      t.true(nested > 0 && nested <= own + 1, `${nested} of ${own}`);
      t.true(free > 60 * minute, 'node.sendAndReceive inherits nothing');
    }
    {
      const [own, nested] = await ask('1s', '1h');
      t.true(own > 59 * minute);
      t.true(nested <= 1_000);
    }
    {
      const [, nested] = await ask('', '1h');
      t.true(nested <= 30_000 && nested > 1_000, '30 s by default');
    }
  },
);

test.serial('a message nobody waits on, and a request without a limit, remain for ever', async (t) => {
  const node = await testNode(t);
  const remaining: number[] = [];
  const handle = async (context: Context) => {
    remaining.push(context.remaining);
    await context.reply('x');
  };
  await node.startWorker('w', new Handler(handle));
  await node.send('w', 'x');
  await node.sendAndReceive('w', 'x', { timeout: Infinity });
  t.deepEqual(remaining, [Infinity, Infinity]);
});

test("a nested request ends with its asker's deadline, as a TimeoutError that does not claim its own time", async (t) => {
  const node = await testNode(t);
  const nested = new Gate<TimeoutError>();
  await node.startWorker('mute', new Handler(() => {}));
  const handle = async (context: Context) => {
    nested.open(await failure<TimeoutError>(t, context.sendAndReceive('mute', 'x', { timeout: '1h' })));
  };
  await node.startWorker('middle', new Handler(handle));
  t.is(await outcome(node.sendAndReceive('middle', 'x', { timeout: '250ms' })), 'TIMEOUT');
  const error = await nested.opened;
  t.is(error.code, 'TIMEOUT');
  t.notRegex(error.message, /3600000/);
});

test.serial('giving up travels: what is nested rejects with context.signal.reason, to any depth', async (t) => {
  const node = await testNode(t);
  const reached = new Gate();
  const leaf = new Gate<boolean>();
  const failed: Record<string, boolean> = {};
  const leafHandle = async ({ signal }: Context) => {
    const aborted = new Promise((resolve) => signal.addEventListener('abort', resolve));
    reached.open();
    await aborted;
    leaf.open(signal.aborted);
  };
  await node.startWorker('leaf', new Handler(leafHandle));
  const pass = (to: string, name: string) => async (context: Context) => {
    const reason = await failure<unknown>(t, context.sendAndReceive(to, 'x', { timeout: Infinity }));
    failed[name] = reason === context.signal.reason && context.signal.aborted;
    // And what it would ask from now on.
    t.is(await failure<unknown>(t, context.sendAndReceive('leaf', 'x')), context.signal.reason);
  };
  await node.startWorker('second', new Handler(pass('leaf', 'second')));
  await node.startWorker('first', new Handler(pass('second', 'first')));
  const { signal, abort } = giveUp();
  const asked = failure<unknown>(t, node.sendAndReceive('first', 'x', { signal, timeout: Infinity }));
  await reached.opened;
  abort('enough');
  t.is(await asked, 'enough');
  t.true(await leaf.opened);
  await until(() => 'first' in failed && 'second' in failed);
  t.deepEqual(failed, { second: true, first: true });
});

test.serial('a request that was answered holds nothing nested back: it lives by its own timeout', async (t) => {
  const node = await testNode(t);
  const gate = new Gate();
  const nested = new Gate<string>();
  const wait = async (context: Context) => {
    await gate.opened;
    await context.reply('done');
  };
  await node.startWorker('leaf', new Handler(wait));
  const handle = async (context: Context) => {
    const asked = context.sendAndReceive('leaf', 'x', { timeout: Infinity });
    await context.reply('early');
    nested.open(await asked);
  };
  await node.startWorker('middle', new Handler(handle));
  t.is(await node.sendAndReceive('middle', 'x'), 'early');
  await turns();
  gate.open();
  t.is(await nested.opened, 'done');
});

test.serial('a message whose deadline passed while the event loop was blocked is not handled', async (t) => {
  const node = await testNode(t);
  const seen: string[] = [];
  const handle = (context: Context, message: string) => {
    seen.push(message);
    // A handler that computes for so long.
    const end = performance.now() + 80;
    while (message === 'long' && performance.now() < end);
    void context.reply(message);
  };
  await node.startWorker('one', new Handler(handle));
  await node.startWorker('other', new Handler(handle));
  const long = node.sendAndReceive('one', 'long');
  const expired = ['one', 'other'].map((to) =>
    failure<TimeoutError>(t, node.sendAndReceive(to, 'short', { timeout: '20ms' })),
  );
  t.is(await long, 'long');
  for (const error of await Promise.all(expired)) t.is(error.stage, 'queued');
  t.deepEqual(seen, ['long']);
});

test.serial('a timeout of 0 waits for nothing that takes time', async (t) => {
  const node = await testNode(t);
  const slow = new Slow();
  await node.startWorker('slow', slow);
  t.is(await outcome(node.sendAndReceive('slow', 'x', { timeout: 0 })), 'TIMEOUT');
});

test.serial('ten thousand requests that fail leave nothing behind', async (t) => {
  const node = await testNode(t);
  const throws = () => {
    throw new Error('on purpose');
  };
  await node.startWorker('throws', new Handler(throws));
  await node.startWorker('mute', new Handler(() => {}));
  const { signal, abort } = giveUp();
  const ends = new Map<string, number>();
  const count = (how: string) => ends.set(how, (ends.get(how) ?? 0) + 1);
  const calls = Array.from({ length: 10_000 }, (_, i) => {
    const to = ['throws', 'mute', 'nobody', 'mute'][i % 4] as string;
    return outcome(node.sendAndReceive(to, 'x', [{}, { signal }, {}, { timeout: '100ms' as const }][i % 4])).then(
      count,
    );
  });
  await turns();
  abort();
  await Promise.all(calls);
  t.deepEqual(Object.fromEntries(ends), { WORKER_FAILED: 2_500, '20': 2_500, NO_SUCH_WORKER: 2_500, TIMEOUT: 2_500 });
  await node.stop({ timeout: 0 });
  await turns();
  t.deepEqual(held(), { bodies: 0, requests: 0, sends: 0 });
});
