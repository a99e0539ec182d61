// The log: two forms, levels by part, another logger, and that it never gets in the way.
import test, { type ExecutionContext } from 'ava';
import { debug, emit, error, info, setLogger, warn, type LogRecord } from '../lib/log.ts';
import { jsonText } from '../lib/log-text.ts';
import { Program } from './support/program.ts';

const module = new URL('../lib/log.ts', import.meta.url).href;

/** What a program of these lines writes to standard error, a pipe. */
async function logged(t: ExecutionContext, body: string, env: Record<string, string> = {}): Promise<string[]> {
  const source = `import * as log from ${JSON.stringify(module)}; const { debug, info, warn, error } = log;\n${body}`;
  const program = new Program(t, ['--import', 'tsx', '--input-type=module', '--eval', source], env);
  await program.output(t);
  return program.stderr.split('\n').slice(0, -1);
}

test('away from a terminal a record is one JSON object a line', async (t) => {
  const lines = await logged(t, `info('Runner is ready'); warn('two\\nlines', { worker: 'w', n: 1 });`);
  const [first, second] = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  t.is(lines.length, 2);
  t.regex(String(first?.['time']), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  t.deepEqual({ ...first, time: 0 }, { time: 0, level: 'info', name: 'node', message: 'Runner is ready' });
  const fields = { worker: 'w', n: 1 };
  t.deepEqual({ ...second, time: 0 }, { time: 0, level: 'warn', name: 'node', message: 'two\nlines', fields });
});

test('the pretty form has time, level, part and words, and nothing can forge a line or move the cursor', async (t) => {
  const lines = await logged(t, `info('Runner is ready', { n: 1 }); error('a\\nb \\u001b[2J \\r\\u009b');`, {
    TROUPE_LOG_FORMAT: 'pretty',
  });
  t.regex(lines[0] ?? '', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z INFO node Runner is ready \{"n":1\}$/);
  t.regex(lines[1] ?? '', /Z ERROR node a$/);
  t.is(lines[2], '  b \\x1b[2J \\x0d\\x9b');
});

test('levels are chosen for all and by part', async (t) => {
  const body = `for (const level of ['debug', 'info', 'warn', 'error']) for (const name of ['node', 'channel', 'zone'])
    log.emit({ time: new Date(), level, name, message: level });`;
  const seen = async (TROUPE_LOG: string) =>
    (await logged(t, body, { TROUPE_LOG })).map((line) => {
      const { name, message } = JSON.parse(line) as LogRecord;
      return `${name}:${message}`;
    });
  const all = ['info', 'warn', 'error'].flatMap((level) =>
    ['node', 'channel', 'zone'].map((name) => `${name}:${level}`),
  );
  t.deepEqual(await seen(''), all);
  t.deepEqual(await seen('off'), []);
  t.deepEqual(await seen('error, channel=DEBUG,zone=off'), [
    'channel:debug',
    'channel:info',
    'channel:warn',
    'node:error',
    'channel:error',
  ]);
});

test('a level that makes no sense is reported, and the rest holds', async (t) => {
  const lines = await logged(t, `info('here');`, { TROUPE_LOG: 'loud,channel=debug,zone=' });
  const messages = lines.map((line) => (JSON.parse(line) as LogRecord).message);
  t.regex(messages[0] ?? '', /"loud" is neither a level \(debug, info, warn, error, off\) nor "name=level"/);
  t.regex(messages[1] ?? '', /"zone="/);
  t.is(messages[2], 'here');
});

test('a format that makes no sense is reported, once', async (t) => {
  const lines = await logged(t, `info('one'); info('two');`, { TROUPE_LOG_FORMAT: 'yaml' });
  const messages = lines.map((line) => (JSON.parse(line) as LogRecord).message);
  t.deepEqual(messages, ['TROUPE_LOG_FORMAT: "yaml" is neither "pretty" nor "json"', 'one', 'two']);
});

test('what was logged is out even if the process ends right after', async (t) => {
  const lines = await logged(t, `for (let i = 0; i < 5000; i++) info('line ' + i); process.exit(0);`);
  t.is(lines.length, 5_000);
  t.is((JSON.parse(lines.at(-1) ?? '') as LogRecord).message, 'line 4999');
});

test('a reader that went away or fell behind does not stop the program', async (t) => {
  const body = `import { spawn } from 'node:child_process'; import { once } from 'node:events';`;
  // The inner program writes far more than a pipe holds; the outer one never reads.
  const inner = `process.stderr; const log = await import(${JSON.stringify(module)});
    for (let i = 0; i < 3000; i++) log.info('x'.repeat(200)); console.log('went on');`;
  const lines = await logged(
    t,
    `${body} const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', ${JSON.stringify(inner)}]);
     child.stdout.setEncoding('utf8').on('data', (text) => info(text.trim())); child.stderr.pause();
     await once(child, 'exit'); child.stderr.destroy();`,
  );
  t.is((JSON.parse(lines[0] ?? '') as LogRecord).message, 'went on');
});

test('fields that JSON does not know come out readable', (t) => {
  const circular: Record<string, unknown> = { name: 'c' };
  circular['self'] = circular;
  t.is(jsonText(circular), '{"name":"c","self":"[circular]"}');
  const shared = { a: 1 };
  t.is(jsonText({ x: shared, y: [shared] }), '{"x":{"a":1},"y":[{"a":1}]}');
  t.is(jsonText({ big: 10n, f: jsonText, s: Symbol('s') }), '{"big":"10n","f":"[function jsonText]","s":"Symbol(s)"}');
  t.is(jsonText({ m: new Map([['k', 1]]), s: new Set([1, 2]) }), '{"m":[["k",1]],"s":[1,2]}');
  const failed = new Error('outer', { cause: Object.assign(new TypeError('inner'), { code: 'E' }) });
  const parsed = JSON.parse(jsonText({ failed })) as { failed: Error & { cause: { name: string; code: string } } };
  t.is(parsed.failed.message, 'outer');
  t.is(parsed.failed.cause.name, 'TypeError');
  t.is(parsed.failed.cause.code, 'E');
  failed.cause = failed;
  t.regex(jsonText(failed), /"cause":"\[circular\]"/);
  const hostile = {
    a: 1,
    get b() {
      throw new Error('no');
    },
    toString: null,
  };
  t.is(jsonText(hostile), '{"a":1,"b":"[not readable: Error: no]","toString":null}');
  t.is(jsonText(undefined), '"undefined"');
  t.true(jsonText('x'.repeat(1_000_000)).length < 20_000);
});

test.serial('another logger gets every record instead, until it is taken away', (t) => {
  const records: LogRecord[] = [];
  setLogger((record) => records.push(record));
  t.teardown(() => setLogger(undefined));
  const fields = { n: 1 };
  debug('d');
  info('i', fields);
  warn('w');
  error('e');
  const core: LogRecord = { time: new Date(0), level: 'debug', name: 'channel', message: 'opened' };
  emit(core);
  t.deepEqual(
    records.map(({ level, name, message }) => [level, name, message]),
    [
      ['debug', 'node', 'd'],
      ['info', 'node', 'i'],
      ['warn', 'node', 'w'],
      ['error', 'node', 'e'],
      ['debug', 'channel', 'opened'],
    ],
  );
  t.is(records[1]?.fields, fields);
  t.true(records[0]?.time instanceof Date);
  t.is(records.at(-1), core);
});

test('a logger that fails is reported once, and its records are not lost', async (t) => {
  const throwing = `log.setLogger(() => { throw new Error('disk full'); }); info('one'); warn('two');`;
  const lines = (await logged(t, throwing)).map((line) => JSON.parse(line) as LogRecord);
  t.deepEqual(
    lines.map(({ name, message }) => [name, message.slice(0, 30)]),
    [
      ['log', 'the logger given to setLogger '],
      ['node', 'one'],
      ['node', 'two'],
    ],
  );
  t.regex(lines[0]?.message ?? '', /disk full/);
  const rejecting = `log.setLogger(async () => { throw new Error('late'); }); info('one'); info('two');`;
  t.is((await logged(t, rejecting)).length, 1);
});

test('a logger that logs does not call itself', async (t) => {
  const body = `let calls = 0; log.setLogger((r) => { calls += 1; info('inside ' + r.message); }); info('outside');
    log.setLogger(undefined); info('calls: ' + calls);`;
  const messages = (await logged(t, body)).map((line) => (JSON.parse(line) as LogRecord).message);
  t.deepEqual(messages, ['inside outside', 'calls: 1']);
});
