// The benchmark runs, has every figure, and does not take a wrong reply. How fast anything is, is no matter of a test.
import test from 'ava';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { figures, rounds } from '../benchmark/figures.mjs';
import { peers } from '../benchmark/measure.mjs';
import { work } from '../benchmark/work.mjs';
import { Program } from './support/program.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const run = join(root, 'benchmark', 'run.mjs');

interface Result {
  name: string;
  peer: string;
  rounds: number;
  compared: number;
  ratio: Spread;
  cpu: Spread;
}

interface Spread {
  median: number;
  low: number;
  high: number;
}

test('a quick run measures every figure on both sides and compares every reply', async (t) => {
  const lines = await new Program(t, [run, '--quick', '--json'], {}).output(t);
  const { quick, figures: results } = JSON.parse(lines.join('\n')) as { quick: boolean; figures: Result[] };
  t.true(quick);
  t.deepEqual(
    results.map(({ name, peer, rounds, compared }) => ({ name, peer, rounds, compared })),
    figures.map((figure) => ({
      name: figure.name,
      peer: peers[figure.place],
      rounds: rounds.quick,
      // Both sides, and one round more that is not counted.
      compared: 2 * (rounds.quick + 1) * figure.quick,
    })),
  );
  for (const { name, ratio, cpu } of results) {
    for (const spread of [ratio, cpu]) {
      const { low, median, high } = spread;
      t.true(low > 0 && low <= median && median <= high && Number.isFinite(high), `${name}: ${JSON.stringify(spread)}`);
    }
  }
});

test('one figure can be asked for by its name', async (t) => {
  const lines = await new Program(t, [run, '--quick', '--json', 'send'], {}).output(t);
  const { figures: results } = JSON.parse(lines.join('\n')) as { figures: Result[] };
  t.deepEqual(
    results.map(({ name }) => name),
    ['send'],
  );
});

test('a figure that does not exist is refused with the names of those that do', async (t) => {
  const program = new Program(t, [run, 'quick'], {});
  t.is((await program.ended).code, 1);
  for (const { name } of figures) t.true(program.stderr.includes(name));
});

test('the README names the command and every figure', (t) => {
  const readme = readFileSync(join(root, 'README.md'), 'utf8');
  t.true(readme.includes('npm run bench'));
  t.deepEqual(
    figures.map(({ title }) => title).filter((title) => !readme.includes(`| ${title} |`)),
    [],
  );
});

/** A side that answers as it should, but for one reply. */
function sideWithOneWrongReply(wrongAt: number, wrong: (right: string) => string) {
  let asked = 0;
  let received = 0;
  const answer = async (right: string) => (++asked === wrongAt ? wrong(right) : right);
  return {
    ask: (message: string) => answer(`Hello ${message}`),
    send: () => void received++,
    received: () => answer(String(received)),
    startIdle: () => {},
    askIdle: (_name: string, message: string) => answer(`Hello ${message}`),
  };
}

for (const name of Object.keys(work) as (keyof typeof work)[]) {
  test(`one wrong reply fails a round of ${name}`, async (t) => {
    // There where the collector is not exposed: what memory is there does not matter here.
    (globalThis as { gc?: () => void }).gc ??= () => {};
    // The first that `sends` asks for is where the count begins, whatever it is.
    for (const wrongAt of [2, 3]) {
      const side = sideWithOneWrongReply(wrongAt, (right) => `${right}?`);
      await t.throwsAsync(work[name](side, 10_000), { message: /^a wrong reply: .*\?|^a wrong reply: \d+ characters/ });
    }
    await t.notThrowsAsync(work[name](sideWithOneWrongReply(Infinity, String), 10));
  });
}
