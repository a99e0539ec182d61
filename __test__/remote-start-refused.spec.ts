// Classes that can't travel, or fail where they arrive, and nodes that take none: what the caller is told.
import test from 'ava';
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';
import {
  NotPermittedError,
  NotPortableError,
  setLogger,
  WorkerFailedError,
  Zone,
  type Context,
  type LogRecord,
  type NodeOptions,
} from 'troupe';
import { Counter, Echo } from './fixtures/nodes/workers.ts';
import { Missing } from './fixtures/refused/fails-there.ts';
import { make, WithAddon, WithArgs, WithCallback, WithPrivate, WithSocket } from './fixtures/refused/shapes.ts';
import { Throws } from './fixtures/refused/throws-there.ts';
import { failureOf, nodesOf } from './support/nodes.ts';
import { zoneHome } from './support/program.ts';
import { testZone } from './support/zone.ts';

const file = (name: string) => fileURLToPath(new URL(`fixtures/refused/${name}`, import.meta.url));

const setUp = async (create: ReturnType<typeof nodesOf>, options?: NodeOptions) => {
  const [own, here] = [await create('there', options), await create('here')];
  return { own, here, there: await Zone.node(here, 'there') };
};

test.serial(
  "what can't travel is NotPortableError with class, file, field or import, reason and the form that works",
  async (t) => {
    const { own, there } = await setUp(nodesOf(t));
    const socket = new WithSocket();
    t.teardown(() => socket.state.socket.destroy());
    const calls: Record<string, [call: Promise<void>, name: string, reason: RegExp]> = {
      'a function in a field': [
        there.startWorker('w', new WithCallback()),
        'WithCallback',
        /WithCallback\.onDone can't travel.*it is a function\..*Pass the class with its `args`/,
      ],
      'a socket below a field': [
        there.startWorker('w', socket),
        'WithSocket',
        /WithSocket\.state\.socket can't travel.*Socket.*Pass the class with its `args`/,
      ],
      'an instance with a private field': [
        there.startWorker('w', new WithPrivate()),
        'WithPrivate',
        /the private field #secret can't be read.*Pass the class with its `args`/,
      ],
      'a function in an argument': [
        there.startWorker('w', WithArgs, { args: [{ deep: [() => 1] }] }),
        'WithArgs',
        /args\[0\]\.deep\[0\] can't travel.*it is a function.*Send plain data/,
      ],
      'a class inside a function': [
        there.startWorker('w', make()),
        'Inside',
        /declared inside a function.*Declare it at the top level of a module/,
      ],
      'a class that needs a native add-on': [
        there.startWorker('w', WithAddon),
        'WithAddon',
        /native add-on.*addon\.cjs loads.*list the class under `workers`/,
      ],
    };
    for (const [what, [call, name, reason]] of Object.entries(calls)) {
      const error = await failureOf<NotPortableError>(t, call);
      t.true(error instanceof NotPortableError, `${what}: ${String(error)}`);
      t.deepEqual([error.worker, error.node], ['w', 'there'], what);
      t.regex(error.message, /^worker "w".* was not started on node "there": /, what);
      t.true(error.message.includes(`class ${name} (${file('shapes.ts')})`), `${what}: ${error.message}`);
      t.regex(error.message, reason, what);
    }
    t.deepEqual((await own.listWorkers()).map(String), ['main']);
  },
);

test.serial('a file that is missing there fails the start with its cause, and the receiver serves on', async (t) => {
  const { here, there } = await setUp(nodesOf(t));
  // It works where it was written.
  await here.startWorker('missing', Missing);
  t.is(await here.sendAndReceive('here/missing', ''), 'Hello!\n');
  for (let i = 0; i < 2; i++) {
    const error = await failureOf<WorkerFailedError>(t, there.startWorker('missing', Missing));
    t.true(error instanceof WorkerFailedError, String(error));
    t.deepEqual([error.worker, error.node], ['missing', 'there']);
    t.regex(
      error.message,
      /the module of class Missing \(.*fails-there\.ts\) failed while it was loaded: ENOENT.*greeting\.txt/,
    );
    const cause = error.cause as NodeJS.ErrnoException;
    t.is(cause.code, 'ENOENT');
    t.regex(cause.stack ?? '', new RegExp(`at .*${file('fails-there.ts')}:5:`));
  }
  await there.startWorker('echo', Echo);
  t.is(await there.sendAndReceive('echo', 'still here'), 'still here');
});

test.serial('a throw at the top of a module fails the start with its stack in the original file', async (t) => {
  const { there } = await setUp(nodesOf(t));
  const records: LogRecord[] = [];
  setLogger((record) => records.push(record));
  t.teardown(() => setLogger(undefined));
  const error = await failureOf<WorkerFailedError>(t, there.startWorker('throws', Throws));
  t.true(error instanceof WorkerFailedError, String(error));
  t.regex(error.message, /class Throws .* failed while it was loaded: this module ran before/);
  const cause = error.cause as Error;
  t.is(cause.name, 'TypeError');
  t.regex(
    cause.stack ?? '',
    new RegExp(
      `TypeError: this module ran before\\n +at check .*${file('throws-there.ts')}:6:.*\\n +at .*throws-there.ts:9:`,
    ),
  );
  // Whoever runs that node finds it in its log.
  const [logged] = records.filter(({ message }) => message.includes('failed to load'));
  t.is(logged?.level, 'warn');
  t.is(logged?.message, 'worker throws was not started for node here: the module of its class Throws failed to load');
  t.like(logged?.fields, { node: 'there', worker: 'throws', class: 'Throws', from: 'here' });
  t.regex(inspect(logged?.fields), new RegExp(`this module ran before\\n +at check .*${file('throws-there.ts')}:6:`));
});

test.serial('a node that takes no code answers NotPermittedError, and keeps none', async (t) => {
  const home = zoneHome(t);
  const { own, there } = await setUp(nodesOf(t, home), { acceptCode: false });
  for (const worker of [Echo, new Echo()]) {
    const error = await failureOf<NotPermittedError>(t, there.startWorker('echo', worker as typeof Echo));
    t.true(error instanceof NotPermittedError, String(error));
    t.is(error.node, 'there');
    t.regex(
      error.message,
      /takes no code from node here \(acceptCode is false\).*\(workers: none\) none is called Echo/,
    );
  }
  t.deepEqual((await own.listWorkers()).map(String), ['main']);
  t.false(readdirSync(join(home, 'zones/default')).includes('code'));
});

test.serial('a node that takes no code starts the classes that its workers option offers, by name', async (t) => {
  class Own {
    readonly how: string;
    #count: number;
    constructor(count: number) {
      this.#count = count;
      this.how = 'as declared there';
    }
    handleMessage(context: Context) {
      return context.reply(`${this.how}, ${++this.#count}`);
    }
  }
  const { there } = await setUp(nodesOf(t), { acceptCode: false, workers: { Counter: Own, Echo } });
  // Same name, another class: the receiver's runs.
  await there.startWorker('counter', Counter, { args: [6] });
  t.is(await there.sendAndReceive('counter', ''), 'as declared there, 7');
  // Also one that could not travel.
  const Inside = {
    Echo: class Echo {
      handleMessage() {}
    },
  }.Echo;
  await there.startWorker('echo', Inside);
  t.is(await there.sendAndReceive('echo', 'x'), 'x');
  await there.startWorker('instance', new Echo());
  t.is(await there.sendAndReceive('instance', 'y'), 'y');
  const error = await failureOf<NotPermittedError>(t, there.startWorker('with-args', WithArgs, { args: [1] }));
  t.true(error instanceof NotPermittedError);
  t.regex(error.message, /\(workers: Counter, Echo\) none is called WithArgs/);
});

test.serial('the code of a module is sent once to a node, whatever classes of it are started how often', async (t) => {
  const zone = testZone(t);
  const create = nodesOf(t, zone.home);
  const [, here] = await Promise.all([zone.runner('runner'), create('here')]);
  const there = await Zone.node(here, 'runner');
  await there.startWorker('echo-0', Echo);
  const folder = join(zone.home, 'zones/default/code');
  const kept = readdirSync(folder);
  t.is(kept.length, 1);
  // What is sent is put there.
  rmSync(join(folder, kept[0] as string));
  for (let i = 1; i < 5; i++) await there.startWorker(`echo-${i}`, Echo);
  await there.startWorker('counter', Counter, { args: [1] });
  await there.startWorker('instance', new Echo());
  t.deepEqual(readdirSync(folder), []);
  t.is(await here.sendAndReceive('echo-4', 'x'), 'x');
});
