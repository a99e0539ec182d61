// The seam between JavaScript and Rust: both halves know the same records and codes, Rust counts what JavaScript handles, and what the
// Rust core logs arrives where everything else does.
import test, { type ExecutionContext } from 'ava';
import { readFileSync } from 'node:fs';
import { setLogger, type Context, type LogRecord } from 'troupe';
import { ERROR_CODES } from '../lib/errors.ts';
import * as table from '../lib/port/record.ts';
import { captureLog, Echo, Handler, native, outcome, testNode, turns, until } from './support/node.ts';
import { Program } from './support/program.ts';
import { logMessages } from './support/zone.ts';

test.before(() => {
  captureLog();
});

const read = (file: string) => readFileSync(new URL(`../${file}`, import.meta.url), 'utf8');

/** Constants of a piece of Rust: `pub const NAME: u32 = 5;`. */
function constants(source: string): Record<string, number> {
  const found = source.matchAll(/pub const (\w+): (?:u32|usize) = (0x[\da-f_]+|\d+|u32::MAX);/g);
  return Object.fromEntries(
    [...found].map(([, name, value]) => [
      name as string,
      value === 'u32::MAX' ? 0xffff_ffff : Number((value as string).replaceAll('_', '')),
    ]),
  );
}

test('both halves of the port know the same records and flags', (t) => {
  const source = read('crates/node/src/port/record.rs');
  const [flags = '', out = '', incoming = '', stages = ''] = source.split(/\npub mod \w+ \{/);
  t.deepEqual(constants(out), { ...table.OUT });
  t.deepEqual(constants(incoming), { ...table.IN });
  t.deepEqual(Object.values(constants(stages)), [0, 1, 2, 3]);
  t.deepEqual(
    Object.keys(constants(stages)).map((name) => name.toLowerCase().replace('_', '-')),
    [...table.STAGES],
  );
  for (const [name, value] of Object.entries(constants(flags))) {
    if (name === 'NO_LIMIT') continue;
    t.is((table as unknown as Record<string, number>)[name], value, name);
  }
});

test('the add-on has the codes that TypeScript has', (t) => {
  t.deepEqual(
    native.errorCodes(),
    Object.entries(ERROR_CODES).map(([number, code]) => `${number} ${code}`),
  );
});

test.serial("Rust's count of deliveries is that of the messages that handlers and mailboxes saw", async (t) => {
  const node = await testNode(t);
  let seen = 0;
  const handle = async (context: Context, message: string) => {
    seen += 1;
    if (message === 'pass on') await context.send('sink', 'x');
    if (message === 'throw') throw new Error('on purpose');
    await context.reply(message);
  };
  await node.startWorker('sink', new Handler(() => void (seen += 1)));
  await node.startWorker('sync', new Handler((context, message) => void handle(context, message)));
  await node.startWorker('async', new Handler(handle));
  const box = await node.createMailbox('box');
  const before = native.counters().delivered;
  const calls: Promise<unknown>[] = [];
  for (let i = 0; i < 300; i++) {
    calls.push(node.sendAndReceive('sync', 'x'), node.sendAndReceive('async', 'pass on'));
    calls.push(
      outcome(node.sendAndReceive('async', 'throw')),
      box.send('sync', 'x'),
      outcome(node.send('nobody', 'x')),
    );
  }
  for (let i = 0; i < 300; i++) {
    await box.receive();
    seen += 1;
  }
  await Promise.all(calls);
  await until(() => seen === 300 * 6);
  t.is(native.counters().delivered - before, seen);
});

test.serial('the port counts the requests that are open', async (t) => {
  const node = await testNode(t);
  const before = native.counters().open;
  const controller = new AbortController();
  await node.startWorker('mute', new Handler(() => {}));
  const calls = Array.from({ length: 10 }, () =>
    outcome(node.sendAndReceive('mute', 'x', { signal: controller.signal })),
  );
  await turns();
  t.is(native.counters().open - before, 10);
  controller.abort();
  await Promise.all(calls);
  await until(() => native.counters().open === before);
});

test.serial('another logger gets the records of the Rust core as well', async (t) => {
  const node = await testNode(t);
  const records: LogRecord[] = [];
  setLogger((record) => records.push(record));
  t.teardown(() => {
    captureLog();
  });
  await outcome(node.send('nobody-at-all', 'x'));
  await node.startWorker('echo', Echo);
  const replies = new Handler(async (context) => {
    await context.reply('first');
    await context.reply('second');
  });
  await node.startWorker('twice', replies);
  await node.sendAndReceive('twice', 'x');
  await until(() => records.filter(({ name }) => name === 'dead-letter').length >= 1);
  const record = records.find(({ name }) => name === 'dead-letter');
  t.true(record?.time instanceof Date);
  t.true(record?.level === 'warn' || record?.level === 'debug');
  t.regex(record?.message ?? '', /reached nobody/);
});

const losses = `import { Node } from 'troupe';
  const node = await Node.create({ zone: false });
  for (let i = 0; i < 10_000; i++) void node.send('nobody', 'secret words');
  await node.startWorker('twice', { async handleMessage(c) { await c.reply('1'); await c.reply('2'); } });
  await node.sendAndReceive('twice', 'x');
  await node.stop();`;
const program = (t: ExecutionContext, log: string) =>
  new Program(t, ['--input-type=module', '--eval', losses], { TROUPE_LOG: log, TROUPE_LOG_FORMAT: 'json' });

test('dead letters are logged without their text, a line a second for each reason at most', async (t) => {
  const run = program(t, '');
  await run.output(t);
  const lines = logMessages(run);
  t.true(lines.length >= 1 && lines.length < 50, `${lines.length} lines for 10 000 losses`);
  t.regex(lines[0] ?? '', /a message for worker nobody from worker main reached nobody: no such worker/);
  t.notRegex(run.stderr, /secret words/);
  t.notRegex(run.stderr, /nobody waits for this reply/, 'late replies are at debug');
});

test('TROUPE_LOG holds for the Rust core, too', async (t) => {
  const silent = program(t, 'off');
  await silent.output(t);
  t.is(silent.stderr, '');
  const all = program(t, 'warn,dead-letter=debug');
  await all.output(t);
  t.true(
    logMessages(all).some((message) =>
      /a reply from worker twice reached nobody: nobody waits for this reply/.test(message),
    ),
  );
});

test('a second copy of the package in one isolate is refused with what to do, and harms the first in nothing', async (t) => {
  const error = await t.throwsAsync(import('../lib/port/turn.ts'));
  t.regex(error.message, /^troupe is loaded twice here: .*npm ls troupe.*a process of its own$/);
  const node = await testNode(t);
  await node.startWorker('echo-of-the-first', Echo);
  t.is(await node.sendAndReceive('echo-of-the-first', 'x'), 'x');
});

test('each isolate has a port of its own: nodes in worker threads live and end by themselves', async (t) => {
  const source = `import { Worker } from 'node:worker_threads';
    for (let i = 0; i < 10; i++) {
      const worker = new Worker(\`import('troupe').then(async ({ Node }) => {
        const { parentPort } = await import('node:worker_threads');
        const node = await Node.create({ zone: false });
        await node.startWorker('echo', { handleMessage: (context, message) => context.reply(message) });
        parentPort.postMessage(await node.sendAndReceive('echo', 'x'));
        if (\${i} % 2 === 0) await node.stop(); else process.exit();
      })\`, { eval: true });
      const answered = new Promise((resolve, reject) => worker.on('message', resolve).on('error', reject));
      const ended = new Promise((resolve) => worker.on('exit', resolve));
      const answer = await answered;
      await ended;
      if (answer !== 'x') throw new Error('no answer');
    }
    console.log('ten');`;
  const run = new Program(t, ['--input-type=module', '--eval', source], {});
  t.deepEqual(await run.output(t), ['ten']);
});
