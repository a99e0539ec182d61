// Deadlines and giving up, between nodes: both travel, and what can be known of a message is said.
import test from 'ava';
import { TimeoutError, WorkerFailedError, type Context } from 'troupe';
import { failureOf, gate, nodesOf, worker } from './support/nodes.ts';

/** Long enough for a message to get there on a busy machine, short enough to wait for. Milliseconds. */
const SHORT = 300;

test.serial('a timeout says how far the message came: running, queued, or handled without a reply', async (t) => {
  const create = nodesOf(t);
  const [there, here] = [await create('there'), await create('here')];
  const free = gate();
  await there.startWorker(
    'slow',
    worker(() => free.opened),
  );
  await there.startWorker(
    'silent',
    worker(() => {}),
  );
  const ask = (name: string) => failureOf<TimeoutError>(t, here.sendAndReceive(name, '', { timeout: SHORT }));
  const [first, second, silent] = await Promise.all([ask('slow'), ask('slow'), ask('silent')]);
  for (const [error, stage, message] of [
    [first, 'running', /still running its handler/],
    [second, 'queued', /still queued/],
    [silent, 'handled', /sent no reply/],
  ] as const) {
    t.true(error instanceof TimeoutError, String(error));
    t.is(error.stage, stage);
    t.regex(error.message, message);
    t.regex(error.message, new RegExp(`timeout after ${SHORT} ms.*on node "there"`));
  }
  free.open();
});

test.serial('what waits in line for a full mailbox of another node counts as queued', async (t) => {
  const create = nodesOf(t);
  const [there, here] = [await create('there'), await create('here')];
  const free = gate();
  await there.startWorker(
    'small',
    worker(() => free.opened),
    { mailbox: 1 },
  );
  const errors = await Promise.all(
    Array.from({ length: 5 }, () => failureOf<TimeoutError>(t, here.sendAndReceive('small', '', { timeout: SHORT }))),
  );
  t.deepEqual(
    errors.map(({ stage }) => stage),
    ['running', 'queued', 'queued', 'queued', 'queued'],
  );
  // The first one takes the one free place.
  await here.send('small', '');
  const send = await failureOf<TimeoutError>(t, here.send('small', '', { timeout: SHORT }));
  t.true(send instanceof TimeoutError, String(send));
  t.is(send.stage, 'queued');
  free.open();
});

test.serial('a message whose deadline passes before its turn is never handled', async (t) => {
  const create = nodesOf(t);
  const [there, here] = [await create('there'), await create('here')];
  const free = gate();
  const seen: string[] = [];
  await there.startWorker(
    'slow',
    worker(async (context: Context, message) => {
      seen.push(message);
      await free.opened;
      await context.reply(message);
    }),
  );
  const first = here.sendAndReceive('slow', 'first');
  const late = await failureOf(t, here.sendAndReceive('slow', 'late', { timeout: SHORT }));
  t.true(late instanceof TimeoutError);
  free.open();
  t.is(await first, 'first');
  t.is(await here.sendAndReceive('slow', 'last'), 'last');
  t.deepEqual(seen, ['first', 'last']);
});

test.serial('the time that is left travels with a message', async (t) => {
  const create = nodesOf(t);
  const [there, here] = [await create('there'), await create('here')];
  await there.startWorker(
    'left',
    worker((context: Context) => context.reply(String(context.remaining))),
  );
  const left = Number(await here.sendAndReceive('left', '', { timeout: '10s' }));
  t.true(left > 0 && left <= 10_000, `${left}`);
  t.is(await here.sendAndReceive('left', '', { timeout: Infinity }), 'Infinity');
  const box = await here.createMailbox('box');
  await box.send('left', '');
  t.is((await box.receive()).message, 'Infinity');
});

test.serial('a deadline aborts the signal of the handler on the other node', async (t) => {
  const create = nodesOf(t);
  const [there, here] = [await create('there'), await create('here')];
  const aborted = gate();
  await there.startWorker(
    'slow',
    worker((context: Context) => {
      context.signal.addEventListener('abort', aborted.open);
      return aborted.opened;
    }),
  );
  const error = await failureOf<TimeoutError>(t, here.sendAndReceive('slow', '', { timeout: SHORT }));
  t.is(error.stage, 'running', String(error));
  await aborted.opened;
  t.pass();
});

test.serial(
  'giving up travels: the asker gets its reason, the handler its abort, and what waits is never handled',
  async (t) => {
    const create = nodesOf(t);
    const [there, here] = [await create('there'), await create('here')];
    const [begun, aborted, free] = [gate(), gate(), gate()];
    const seen: string[] = [];
    await there.startWorker(
      'slow',
      worker(async (context: Context, message) => {
        seen.push(message);
        if (message !== 'first') return context.reply(message);
        context.signal.addEventListener('abort', aborted.open);
        begun.open();
        await free.opened;
        // Nobody waits for it any more.
        await context.reply('too late');
      }),
    );
    const controller = new AbortController();
    const reason = new Error('not wanted any more');
    const options = { timeout: Infinity, signal: controller.signal };
    const calls = ['first', 'second'].map((message) => failureOf(t, here.sendAndReceive('slow', message, options)));
    await begun.opened;
    controller.abort(reason);
    for (const call of calls) t.is(await call, reason);
    await aborted.opened;
    const last = here.sendAndReceive('slow', 'last');
    free.open();
    t.is(await last, 'last');
    t.deepEqual(seen, ['first', 'last']);
  },
);

test.serial(
  'a nested request to a third node waits no longer than the first asker, and is given up with it',
  async (t) => {
    const create = nodesOf(t);
    const [here, middle, end] = [await create('here'), await create('middle'), await create('end')];
    const [begun, aborted] = [gate(), gate()];
    let left = 0;
    await end.startWorker(
      'end',
      worker((context: Context) => {
        left = context.remaining;
        context.signal.addEventListener('abort', aborted.open);
        begun.open();
        return aborted.opened;
      }),
    );
    const nested: Promise<Error>[] = [];
    await middle.startWorker(
      'middle',
      worker(async (context: Context) => {
        const failure = failureOf(t, context.sendAndReceive('end', '', { timeout: '1h' }));
        nested.push(failure);
        await failure;
      }),
    );
    const timeout = await failureOf<TimeoutError>(t, here.sendAndReceive('middle', '', { timeout: SHORT }));
    t.true(timeout instanceof TimeoutError);
    await aborted.opened;
    t.true(left <= SHORT, `${left}`);
    const inner = (await nested[0]) as Error;
    t.true(inner instanceof TimeoutError || inner.name === 'AbortError', String(inner));
  },
);

test.serial('an abort reaches a request nested on a third node', async (t) => {
  const create = nodesOf(t);
  const [here, middle, end] = [await create('here'), await create('middle'), await create('end')];
  const [begun, aborted] = [gate(), gate()];
  await end.startWorker(
    'end',
    worker((context: Context) => {
      context.signal.addEventListener('abort', aborted.open);
      begun.open();
      return aborted.opened;
    }),
  );
  const nested: [Promise<Error>, AbortSignal][] = [];
  await middle.startWorker(
    'middle',
    worker(async (context: Context) => {
      const failure = failureOf(t, context.sendAndReceive('end', '', { timeout: Infinity }));
      nested.push([failure, context.signal]);
      await failure;
    }),
  );
  const controller = new AbortController();
  const asked = failureOf(t, here.sendAndReceive('middle', '', { timeout: Infinity, signal: controller.signal }));
  await begun.opened;
  const reason = new Error('enough');
  controller.abort(reason);
  t.is(await asked, reason);
  await aborted.opened;
  const [failure, signal] = nested[0] as [Promise<Error>, AbortSignal];
  t.is(await failure, signal.reason);
});

test.serial(
  'what a handler throws on another node reaches the asker: name, message and code, and no stack of that machine',
  async (t) => {
    const create = nodesOf(t);
    const [there, here] = [await create('there'), await create('here')];
    await there.startWorker(
      'throws',
      worker((_: Context, message) => {
        if (message === 'string') throw 'just text';
        if (message === 'nothing') throw undefined;
        throw Object.assign(new RangeError(`can't ${message}`), { code: 'E_CANT' });
      }),
    );
    const ask = (message: string) => failureOf<WorkerFailedError>(t, here.sendAndReceive('throws', message));
    const error = await ask('sing');
    t.true(error instanceof WorkerFailedError);
    t.deepEqual([error.worker, error.node], ['throws', 'there']);
    const cause = error.cause as Error & { code: string };
    t.deepEqual([cause.name, cause.message, cause.code], ['RangeError', "can't sing", 'E_CANT']);
    t.is(cause.stack, "RangeError: can't sing");
    t.is(((await ask('string')).cause as Error).message, 'just text');
    t.true((await ask('nothing')) instanceof WorkerFailedError);
  },
);

const revoked = Proxy.revocable({}, {});
revoked.revoke();
const refuses = {
  get: () => {
    throw new Error('no');
  },
};
/** What a handler may throw that can hardly be told of, and what its asker is told. */
const unspeakable: [what: string, thrown: unknown, told: RegExp][] = [
  ['a revoked proxy', revoked.proxy, /^it threw something that can not be read$/],
  ['an object whose getters throw', new Proxy({}, refuses), /^it threw something that can not be read$/],
  ['an error whose message throws', Object.defineProperty(new Error(), 'message', refuses), /^\{\}$/],
  ['a symbol', Symbol('enough'), /^Symbol\(enough\)$/],
  ['a function', () => {}, /^\(\) ?=> ?\{ ?\}$/],
  ['a circle', Object.assign({ self: {} }, { toJSON: () => revoked.proxy }), /^\[object Object\]$/],
  ['a message of 20 MiB', new Error('x'.repeat(20 << 20)), /^x{8192}…$/],
  ['half a character', new Error('\ud800'), /^\ud800$/],
];

test.serial(
  'whatever a handler throws on another node, its asker hears that it failed, and the node serves on',
  async (t) => {
    const create = nodesOf(t);
    const [there, here] = [await create('there'), await create('here')];
    await there.startWorker(
      'throws',
      worker((context: Context, message) => {
        const [how, index] = message.split(' ');
        if (how === 'serves') return context.reply('serves');
        const thrown = unspeakable[Number(index)]?.[1];
        if (how === 'rejects') return Promise.reject(thrown);
        throw thrown;
      }),
    );
    for (const [index, [what, , told]] of unspeakable.entries()) {
      for (const how of ['throws', 'rejects']) {
        const error = await failureOf<WorkerFailedError>(t, here.sendAndReceive('throws', `${how} ${index}`));
        t.is(error.code, 'WORKER_FAILED', what);
        t.deepEqual([error.worker, error.node], ['throws', 'there'], what);
        t.regex((error.cause as Error).message, told, what);
      }
      await t.notThrowsAsync(here.send('throws', `throws ${index}`), 'nobody hears of that but the log');
      t.is(await here.sendAndReceive('throws', 'serves'), 'serves', what);
    }
  },
);
