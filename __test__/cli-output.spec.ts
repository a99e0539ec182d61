/** What commands print: tables that fit, text of others that can do a terminal no harm, processes by what they run. */
import test from 'ava';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { Readable, Writable } from 'node:stream';
import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { exitOf, CommandFailure, EXIT, wordsOf } from '../cli/failure.ts';
import { isAlive, listenerOn, processText } from '../cli/process.ts';
import { bytesText, table, timeText, type Column } from '../cli/table.ts';
import { harmless } from '../cli/terminal.ts';
import { until } from './support/node.ts';

interface Row {
  name: string;
  count: number | undefined;
  text: string;
}

const columns: Column<Row>[] = [
  { title: 'NAME', of: ({ name }) => name },
  { title: 'COUNT', of: ({ count }) => count, align: 'right' },
  { title: 'TEXT', of: ({ text }) => text, isElastic: true },
];
const rows: Row[] = [
  { name: 'a', count: 12345678, text: 'short' },
  { name: 'longer', count: undefined, text: 'a text that goes on and on and on' },
];

test('a table is as wide as what is in it, numbers on the right', (t) => {
  t.deepEqual(table(rows, columns, Infinity), [
    'NAME       COUNT  TEXT',
    'a       12345678  short',
    'longer            a text that goes on and on and on',
  ]);
});

test('a table that is too wide cuts only what may be cut, and no more than is needed', (t) => {
  t.deepEqual(table(rows, columns, 30), [
    'NAME       COUNT  TEXT',
    'a       12345678  short',
    'longer            a text that…',
  ]);
  // Names are never cut: half of one would be another.
  t.true(table(rows, columns, 10).every((line) => !line.startsWith('longer') || line.startsWith('longer  ')));
});

test('where cutting is not enough, columns are left out in the order that they have for it', (t) => {
  const some: Column<Row>[] = [
    { title: 'NAME', of: ({ name }) => name },
    { title: 'FIRST', of: () => 'f', leaves: 2 },
    { title: 'TEXT', of: ({ text }) => text, isElastic: true },
    { title: 'LAST', of: () => 'l', leaves: 1 },
  ];
  const header = (width: number) => table(rows, some, width)[0];
  t.regex(header(29) ?? '', /^NAME {4}FIRST {2}TEXT +LAST$/);
  t.regex(header(28) ?? '', /^NAME {4}FIRST {2}TEXT$/);
  t.regex(header(20) ?? '', /^NAME {4}TEXT$/);
  t.regex(header(5) ?? '', /^NAME {4}TEXT$/);
  for (const width of [29, 28, 23, 20, 16])
    for (const each of table(rows, some, width)) t.true(each.length <= width, `${width}: ${each}`);
});

test('text of others moves no cursor and changes no title', (t) => {
  t.is(harmless('a\u001b[2Jb\rc\nd\u0007e\u009bf\u007fg\th'), 'a␛[2Jb␍c␊d␇e\ufffdf␡g\th');
  t.deepEqual(table([{ name: '\u001b]0;title\u0007', count: 1, text: '' }], columns, Infinity).slice(1), [
    '␛]0;title␇      1',
  ]);
});

test('times and sizes are told in the largest unit that fits', (t) => {
  t.deepEqual([0, 0.4, 999, 1_000, 59_999, 60_000, 3_600_000, 86_400_000 * 3].map(timeText), [
    '0 ms',
    '0 ms',
    '999 ms',
    '1 s',
    '59 s',
    '1 min',
    '1 h',
    '3 d',
  ]);
  t.deepEqual([0, 1023, 1024, 40_000_000, 2 ** 33, 2 ** 60].map(bytesText), [
    '0 B',
    '1023 B',
    '1.0 KiB',
    '38.1 MiB',
    '8.0 GiB',
    '1048576.0 TiB',
  ]);
});

test('a failure ends the process with the status of its kind', (t) => {
  const coded = (code: string) => Object.assign(new Error('words'), { code });
  t.is(exitOf(new CommandFailure('words', EXIT.absent)), 3);
  t.is(exitOf(new CommandFailure('words')), 1);
  t.is(exitOf(coded('INVALID_ARGUMENT')), 2);
  t.is(exitOf(coded('NO_SUCH_WORKER')), 3);
  t.is(exitOf(coded('NODE_UNREACHABLE')), 3);
  t.is(exitOf(coded('TIMEOUT')), 4);
  t.is(exitOf(coded('WORKER_FAILED')), 1);
  t.is(exitOf('thrown text'), 1);
});

test('only what nobody foresaw is told with its stack', (t) => {
  t.is(wordsOf(new CommandFailure('what to do')), 'what to do');
  t.is(wordsOf(Object.assign(new Error('coded'), { code: 'TIMEOUT' })), 'coded');
  t.regex(wordsOf(new Error('a defect')), /^Error: a defect\n {4}at /);
  t.is(wordsOf('thrown text'), 'thrown text');
});

if (process.platform === 'linux') {
  test('who listens on a port is known, with its command', async (t) => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    t.is(listenerOn(port), process.pid);
    t.true(processText(process.pid).startsWith(`process ${process.pid} (`), processText(process.pid));
    server.close();
    await once(server, 'close');
    t.is(listenerOn(port), undefined);
  });
}

test('a process that has ended is not alive, also while nobody has waited for it', async (t) => {
  // A shell that starts another program, says which, and goes on as one that waits for nobody.
  const parent = spawn('sh', ['-c', 'cat <&3 & echo $!; exec sleep 1000'], {
    stdio: ['ignore', 'pipe', 'ignore', 'pipe'],
  });
  t.teardown(() => parent.kill('SIGKILL'));
  const [line] = (await once(parent.stdout as Readable, 'data')) as [Buffer];
  const pid = Number(String(line));
  await until(() => Promise.resolve(readFileSync(`/proc/${parent.pid}/comm`, 'utf8') === 'sleep\n'));
  t.true(isAlive(pid));
  (parent.stdio[3] as Writable).end();
  await until(() => Promise.resolve(!isAlive(pid)));
  // Its number is still its own.
  process.kill(pid, 0);
  t.true(isAlive(process.pid));
  t.true(isAlive(parent.pid ?? 0));
});

test('a process that is not there is told by its number', (t) => {
  // The largest number that Linux gives to a process is 4 194 304.
  t.is(processText(4_194_305), 'process 4194305');
});
