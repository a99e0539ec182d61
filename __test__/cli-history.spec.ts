/** The last lines of a long history: found in the files of a supervisor, without reading or sending the rest. */
import test from 'ava';
import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { history, type Filter, type Reader } from '../cli/zone/lines.ts';
import type { Line } from '../cli/zone/reports.ts';
import { ask, OBSERVE } from './support/observer.ts';
import { supervised, type Supervised } from './support/supervisor.ts';

const KIB = 1024;
/** Files of a history, and lines of each: 8 MiB. */
const FILES = 8;
const EACH = 8 * KIB;

/** Lines 0, 1, 2 … of node `api`; the first of each file but the newest is one of node `old`, and an error. */
function fill(folder: string): void {
  const time = Date.now() - FILES * EACH;
  for (let file = 0; file < FILES; file++) {
    const lines = Array.from({ length: EACH }, (_, i) => {
      const isOld = i === 0 && file < FILES - 1;
      const number = file * EACH + i;
      const line = {
        time: time + number,
        node: isOld ? 'old' : 'api',
        level: isOld ? 'error' : 'info',
        name: 'stdout',
      };
      const json = (message: string) => `${JSON.stringify({ ...line, message })}\n`;
      // A KiB each, so that it is known where they are.
      return json(String(number).padEnd(KIB - json('').length));
    });
    writeFileSync(join(folder, `history-${String(file + 1).padStart(6, '0')}.jsonl`), lines.join(''), { mode: 0o600 });
  }
}

/** The last lines as `zone logs -n` gets them: their numbers; and what the supervisor has read and sent for it. */
async function last({ observer, supervisor }: Supervised, count: number, filter: Filter) {
  const lines: Line[] = [];
  const reader: Reader = {
    line: (line) => lines.push(line),
    dropped: (member, missed) => {
      throw new Error(`${missed} lines of ${member} were gone`);
    },
    failed: (_, error) => {
      throw error;
    },
  };
  const used = async () => {
    interface State {
      peers: { node: string; bytesOut: number }[];
    }
    const { peers } = (await ask(observer, 'troupe-supervisor', OBSERVE, { state: { workers: 0 } })) as State;
    const read = /^rchar: (\d+)$/m.exec(readFileSync(`/proc/${supervisor.pid}/io`, 'utf8'))?.[1];
    return { read: Number(read), sent: peers.find(({ node }) => node === observer.name)?.bytesOut ?? NaN };
  };
  const before = await used();
  // One and the same, under two descriptions.
  await history(observer as unknown as Parameters<typeof history>[0], filter, reader, count);
  const after = await used();
  const numbers = lines.filter(({ name }) => name === 'stdout').map(({ message }) => Number(message));
  return { lines, numbers, read: after.read - before.read, sent: after.sent - before.sent };
}

test.serial('the last lines of a history of 64 MiB come without the rest being read or sent', async (t) => {
  const zone = await supervised(t, fill);
  const all = FILES * EACH;
  const few = await last(zone, 20, { level: 'info' });
  t.is(few.lines.length, 20);
  // Behind them the supervisor has said that it is up.
  t.deepEqual(
    few.numbers,
    Array.from({ length: 19 }, (_, i) => all - 19 + i),
  );
  t.true(few.sent < 64 * KIB && few.read < 256 * KIB, JSON.stringify([few.sent, few.read]));

  // More than the supervisor has in memory: over the end of a file, each once, in order.
  const many = await last(zone, 12_000, { level: 'info', node: 'api' });
  const expected = Array.from({ length: all }, (_, i) => i).filter((i) => i % EACH !== 0 || i === all - EACH);
  t.deepEqual(many.numbers, expected.slice(-12_000));
  t.true(many.read < 16 * KIB * KIB, `${many.read}`);

  // Few of a node that has long been gone: what is not of it is looked at where it is, and not sent.
  const old = await last(zone, 5, { level: 'error', node: 'old' });
  t.deepEqual(
    old.numbers,
    [2, 3, 4, 5, 6].map((file) => file * EACH),
  );
  t.true(old.sent < 64 * KIB, `${old.sent}`);
  t.deepEqual((await last(zone, 100, { level: 'error' })).numbers.length, FILES - 1);
  t.deepEqual((await last(zone, 0, { level: 'debug' })).lines, []);
});

test.serial(
  'no line is lost or doubled in what is read back while a new file is begun and the oldest one goes',
  async (t) => {
    // The newest file becomes full in the middle of what the program prints, which is no more than may come at once.
    const zone = await supervised(t, (folder) => {
      fill(folder);
      const newest = join(folder, `history-00000${FILES}.jsonl`);
      truncateSync(newest, (EACH - KIB) * KIB);
    });
    const [newestKept, printed] = [FILES * EACH - KIB, 4_000];
    const program = `
    const text = ' '.repeat(500);
    let next = 0;
    (function some() {
      for (let i = 0; i < 100; i++) console.log(String(next++) + text);
      if (next < ${printed}) setTimeout(some, 10); else console.log('done');
    })();
    setInterval(() => {}, 1 << 30);`;
    const applied = zone.apply({ writer: program }, 100);
    for (let isDone = false; !isDone;) {
      const { lines } = await last(zone, 13_000, { level: 'info' });
      const of = (node: string) => lines.filter((line) => line.node === node && line.name === 'stdout');
      const old = of('api').map(({ message }) => Number(message));
      t.deepEqual(
        old,
        old.map((_, i) => newestKept - old.length + i),
      );
      t.true(old.length > 8_000);
      const written = of('writer').map(({ message }) => message.trim());
      isDone = written.at(-1) === 'done';
      if (isDone) t.is(written.length, printed + 1);
      t.deepEqual(
        written.slice(0, printed),
        written.slice(0, printed).map((_, i) => String(i)),
      );
    }
    t.is(zone.files().length, FILES);
    t.false(zone.files().includes('history-000001.jsonl'));
    await applied;
    await zone.delete();
  },
);
