// What a handler does wrong stays with its worker: the asker hears of it if it still waits, and it is logged once.
import test, { type ExecutionContext } from 'ava';
import { WorkerFailedError, type Context } from 'troupe';
import { captureLog, Echo, failure, Gate, Handler, outcome, testNode, turns, until } from './support/node.ts';

const log = captureLog();
const unhandled: unknown[] = [];
process.on('unhandledRejection', (reason) => unhandled.push(reason));
process.on('uncaughtException', (error) => unhandled.push(error));

/** Records of failures of one worker. */
const logged = (worker: string) =>
  log.filter(
    ({ level, fields }) => level === 'error' && (fields as { worker?: string } | undefined)?.worker === worker,
  );

const thrown = Object.assign(new RangeError('on purpose'), { code: 'E_PURPOSE' });

/** Ways to fail, each with what the asker gets as the cause. */
const ways: Record<string, { handle: (context: Context) => unknown; cause: unknown; message: RegExp }> = {
  'throws an error': {
    handle: () => {
      throw thrown;
    },
    cause: thrown,
    message: /failed: on purpose/,
  },
  'rejects at once': { handle: () => Promise.reject(thrown), cause: thrown, message: /failed: on purpose/ },
  'rejects much later': {
    handle: async () => {
      await turns(50);
      throw thrown;
    },
    cause: thrown,
    message: /failed: on purpose/,
  },
  'throws a string': {
    handle: () => {
      throw 'just words';
    },
    cause: 'just words',
    message: /failed: just words/,
  },
  'throws undefined': {
    handle: () => {
      throw undefined;
    },
    cause: undefined,
    message: /failed: it threw undefined$/,
  },
  'rejects with undefined': {
    handle: () => Promise.reject(),
    cause: undefined,
    message: /failed: it threw undefined$/,
  },
  'returns what throws when it is awaited': {
    handle: () => ({
      get then() {
        throw thrown;
      },
    }),
    cause: thrown,
    message: /failed: on purpose/,
  },
  'returns a promise of another kind that rejects': {
    handle: () => ({ then: (_: unknown, reject: (reason: unknown) => void) => reject(thrown) }),
    cause: thrown,
    message: /failed: on purpose/,
  },
  'throws what can not be read': {
    handle: () => {
      throw hostile;
    },
    cause: undefined,
    message: /failed/,
  },
  'throws a proxy whose every trap throws': {
    handle: () => {
      throw trap;
    },
    cause: undefined,
    message: /failed: it threw something that can not be read/,
  },
};
/** Nothing of it can be read, not even what it is. */
const trap: unknown = new Proxy(
  {},
  new Proxy(
    {},
    {
      get: () => () => {
        throw new TypeError('trap');
      },
    },
  ),
);
const hostile = {
  get message(): string {
    throw new Error('no');
  },
};

let number = 0;
for (const [way, { handle, cause, message }] of Object.entries(ways)) {
  test(`a handler that ${way} fails its asker with the cause, and nobody else`, async (t) => {
    const node = await testNode(t);
    const name = `failing-${number++}`;
    const either = (context: Context, text: string) => (text === 'fail' ? handle(context) : context.reply(text));
    await node.startWorker(name, new Handler(either));
    await node.startWorker('other', Echo);
    const calls = [
      node.sendAndReceive(name, 'fail'),
      node.sendAndReceive(name, 'fine'),
      node.sendAndReceive('other', 'x'),
    ];
    const [failed, ...others] = await Promise.allSettled(calls);
    t.deepEqual(
      others.map((other) => other.status === 'fulfilled' && other.value),
      ['fine', 'x'],
      'state and mailbox are kept',
    );
    const error = (failed as PromiseRejectedResult).reason as WorkerFailedError;
    t.true(error instanceof WorkerFailedError);
    t.is(error.code, 'WORKER_FAILED');
    t.is(error.worker, name);
    t.is(error.node, node.name);
    t.regex(error.message, message);
    if (!/can not be read|proxy/.test(way)) t.is(error.cause, cause, 'itself, with its stack: it ran on this node');
    // A send that fails is nobody's request: it is logged as well.
    t.is(logged(name).length, 1);
    if (/undefined/.test(way))
      t.regex(logged(name)[0]?.message ?? '', /failed to handle a message: it threw undefined$/);
    await node.send(name, 'fail');
    await until(() => logged(name).length === 2);
    const [info] = await node.listWorkers({ prefix: name });
    t.like(info, { failed: 2, handled: 3 });
  });
}

test('a handler that throws after it has replied has answered: the asker gets the reply, the log the failure', async (t) => {
  const node = await testNode(t);
  const gate = new Gate();
  const handle = async (context: Context) => {
    await context.reply('answer');
    await gate.opened;
    throw thrown;
  };
  await node.startWorker('replies-first', new Handler(handle));
  t.is(await node.sendAndReceive('replies-first', 'x'), 'answer');
  gate.open();
  await until(() => logged('replies-first').length === 1);
  t.is(await outcome(node.sendAndReceive('replies-first', 'x')), 'ok');
});

test('a handler that fails after its asker has left is logged, and that is all', async (t) => {
  const node = await testNode(t);
  const gate = new Gate();
  const handle = async () => {
    await gate.opened;
    throw thrown;
  };
  await node.startWorker('fails-late', new Handler(handle));
  const controller = new AbortController();
  const asked = outcome(node.sendAndReceive('fails-late', 'x', { signal: controller.signal }));
  await turns();
  controller.abort();
  t.is(await asked, '20');
  gate.open();
  await until(() => logged('fails-late').length === 1);
  t.is(logged('fails-late')[0]?.fields && (logged('fails-late')[0]?.fields as { error: unknown }).error, thrown);
});

test('a handler that never settles holds its own worker, and no other', async (t) => {
  const node = await testNode(t);
  await node.startWorker('stuck', new Handler(() => new Promise(() => {})));
  await node.startWorker('other', Echo);
  const asked = outcome(node.sendAndReceive('stuck', 'x', { timeout: '100ms' }));
  const behind = outcome(node.sendAndReceive('stuck', 'x', { timeout: '100ms' }));
  t.is(await node.sendAndReceive('other', 'x'), 'x');
  t.deepEqual([await asked, await behind], ['TIMEOUT', 'TIMEOUT']);
  t.is(await outcome(node.stopWorker('stuck', { timeout: 0 })), 'ok');
});

/** Fails on demand; counts its lives. */
class Fragile {
  static lives = 0;
  readonly life = ++Fragile.lives;
  #handled = 0;
  async handleMessage(context: Context, message: string) {
    if (message === 'fail') throw thrown;
    await context.reply(`${message} ${++this.#handled}`);
  }
}

test('with "stop" the asker hears of the failure when the worker is gone; what waited fails, and may be tried again', async (t) => {
  const node = await testNode(t);
  await node.startWorker('w', Fragile, { onFailure: 'stop' });
  const calls = ['a', 'fail', 'b', 'c'].map((message) => node.sendAndReceive('w', message));
  // Heard from the start: they may fail a turn before the one that was asked for first is looked at.
  const waiting = calls.slice(2).map((call) => failure(t, call));
  t.is(await calls[0], 'a 1');
  const error = await failure(t, calls[1] as Promise<string>);
  t.is(error.code, 'WORKER_FAILED');
  t.is(error.cause, thrown);
  // Done, not under way: its name is free.
  t.is(await outcome(node.startWorker('w', Fragile)), 'ok');
  for (const call of waiting) t.like(await call, { code: 'WORKER_STOPPED', maybeExecuted: false });
});

test('with "restart" a fresh instance takes over mailbox and address; the message that failed is not tried again', async (t) => {
  const node = await testNode(t);
  const seen: string[] = [];
  let lives = 0;
  class Recorder {
    readonly #life = ++lives;
    async initialize() {
      await turns(2);
      seen.push(`${this.#life} initialize`);
    }
    async handleMessage(context: Context, message: string) {
      seen.push(`${this.#life} ${message}`);
      await turns(1);
      if (message === 'fail') throw thrown;
      await context.reply(`${this.#life}`);
    }
    shutdown() {
      seen.push(`${this.#life} shutdown`);
    }
  }
  await node.startWorker('w', Recorder, { onFailure: 'restart' });
  const answers = ['a', 'fail', 'b', 'c'].map((message) => node.sendAndReceive('w', message));
  let failedAt: string[] = [];
  const failed = failure(t, answers[1] as Promise<string>).then((error) => {
    failedAt = [...seen];
    return error;
  });
  t.is((await failed).cause, thrown);
  t.deepEqual(
    failedAt.slice(0, 5),
    ['1 initialize', '1 a', '1 fail', '1 shutdown', '2 initialize'],
    'when it was done',
  );
  t.deepEqual([await answers[0], await answers[2], await answers[3]], ['1', '2', '2']);
  await node.stopWorker('w');
  t.deepEqual(seen.slice(5), ['2 b', '2 c', '2 shutdown']);
});

test('more failures than maxRestarts within "within" stop the worker', async (t) => {
  const node = await testNode(t);
  await node.startWorker('w', Fragile, { onFailure: 'restart', maxRestarts: 2 });
  for (let i = 0; i < 2; i++) t.is(await outcome(node.sendAndReceive('w', 'fail')), 'WORKER_FAILED');
  t.is(await node.sendAndReceive('w', 'up'), 'up 1');
  t.is(await outcome(node.sendAndReceive('w', 'fail')), 'WORKER_FAILED');
  t.is(await outcome(node.sendAndReceive('w', 'up')), 'NO_SUCH_WORKER');
  t.true(
    log.some(({ level, message }) => level === 'warn' && /worker w is stopped: it failed too often/.test(message)),
  );
});

async function restartsThatFail(t: ExecutionContext, fails: 'constructor' | 'initialize') {
  const node = await testNode(t);
  const seen: string[] = [];
  let lives = 0;
  class Unlucky {
    readonly #life = ++lives;
    constructor() {
      if (this.#life > 1 && fails === 'constructor') throw new Error('no more');
    }
    initialize() {
      if (this.#life > 1) throw new Error('no more');
    }
    handleMessage() {
      throw thrown;
    }
    shutdown() {
      seen.push(`${this.#life}`);
    }
  }
  await node.startWorker('w', Unlucky, { onFailure: 'restart', maxRestarts: 3 });
  const error = await failure(t, node.sendAndReceive('w', 'x'));
  t.is(error.code, 'WORKER_FAILED');
  t.is(error.cause, thrown);
  t.is(await outcome(node.sendAndReceive('w', 'x')), 'NO_SUCH_WORKER');
  t.is(lives, 4, 'a failing restart counts as one');
  t.deepEqual(seen, ['1'], 'shutdown once, of what had been up');
}
test(
  'a restart whose constructor fails counts as one, and the old instance is shut down once',
  restartsThatFail,
  'constructor',
);
test(
  'a restart whose initialize fails counts as one, and the old instance is shut down once',
  restartsThatFail,
  'initialize',
);

for (const onFailure of ['resume', 'restart', 'stop'] as const) {
  test(`with "${onFailure}" a failure while a stop drains does what it does at other times`, async (t) => {
    const node = await testNode(t);
    const gate = new Gate();
    const handle = async (context: Context, message: string) => {
      await gate.opened;
      if (message === 'fail') throw thrown;
      await context.reply(message);
    };
    class Gated extends Handler {
      constructor() {
        super(handle);
      }
    }
    await node.startWorker('w', Gated, { onFailure });
    const calls = ['fail', 'a', 'b'].map((message) => outcome(node.sendAndReceive('w', message)));
    await turns();
    const stopped = node.stopWorker('w', { timeout: Infinity });
    await turns();
    t.is(await outcome(node.sendAndReceive('w', 'too late')), 'WORKER_STOPPED');
    gate.open();
    const rest = onFailure === 'stop' ? 'WORKER_STOPPED' : 'ok';
    t.deepEqual(await Promise.all(calls), ['WORKER_FAILED', rest, rest]);
    await stopped;
    t.is(await outcome(node.sendAndReceive('w', 'x')), 'NO_SUCH_WORKER');
  });
}

test.after('none of these failures reached the process', (t) => {
  t.deepEqual(unhandled, []);
});
