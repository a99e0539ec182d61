/**
 * Random programs run on real nodes, some of them in processes that are killed, and beside a reference that was written independently:
 * all that is seen has to be what is promised, and what is promised has to be seen.
 *
 * `TROUPE_MODEL_SEEDS` says how many programs, a fixed few by default; `TROUPE_MODEL_SEED` runs the one of that seed. A failure prints its seed and
 * the smallest program found that still fails.
 */
import test from 'ava';
import { setLogger } from 'troupe';
import { Members } from './model/members.ts';
import { play } from './model/play.ts';
import { draw, Random, shrink, type Step } from './model/program.ts';
import { held, until } from './support/node.ts';

/** Steps of one program. */
const STEPS = 50;
/** What `npm test` runs: the first few, and some that have found something. */
const SEEDS = [0, 1, 2, 3, 4, 11, 90, 149, 280];
/** A failing program is made smaller for so long, in milliseconds. */
/** So often it may have to be run until it fails again. */
const TIMES = 3;
const SHRINK_FOR = 90_000;

function number(name: string): number | undefined {
  const text = process.env[name];
  if (text === undefined) return undefined;
  if (!/^\d+$/.test(text)) throw new Error(`${name} is "${text}", and a number is expected`);
  return Number(text);
}

test.serial('random programs do on real nodes what the reference says', async (t) => {
  t.timeout(30 * 60_000);
  // What handlers throw is logged, and there is much of it.
  setLogger(() => {});
  t.teardown(() => setLogger(undefined));
  const members = new Members(2);
  t.teardown(() => members.end());
  const one = number('TROUPE_MODEL_SEED');
  const many = number('TROUPE_MODEL_SEEDS');
  const seeds =
    one !== undefined ? [one] : many !== undefined ? Array.from({ length: many }, (_, seed) => seed) : SEEDS;
  for (const seed of seeds) {
    const program = draw(new Random(seed), STEPS);
    const failure = await play(program, members);
    if (failure === undefined) continue;
    const end = performance.now() + SHRINK_FOR;
    let last = failure;
    const smallest = await shrink(program, async (smaller) => {
      // Between processes nothing happens in the same order each time: what does not fail at once may fail again.
      for (let times = 0; times < TIMES && performance.now() < end; times++) {
        const found = await play(smaller, members);
        if (found === undefined) continue;
        last = found;
        return true;
      }
      return false;
    });
    t.fail(
      [
        `TROUPE_MODEL_SEED=${seed}: ${failure.what}`,
        'the smallest program found that fails:',
        ...smallest.map((step) => `    ${JSON.stringify(step)},`),
        `${last.what}; what was done and seen:`,
        ...last.history,
      ].join('\n'),
    );
    return;
  }
  await until(() => Object.values(held()).every((count) => count === 0));
  t.pass();
});

test('a failing program shrinks to the steps that matter', async (t) => {
  const kills = (program: Step[]) => Promise.resolve(program.filter(({ step }) => step === 'kill').length >= 2);
  const program = [...draw(new Random(7), 100), ...draw(new Random(8), 100)];
  program.push({ step: 'kill', node: 0, settles: true }, { step: 'kill', node: 1, settles: true });
  t.is((await shrink(program, kills)).length, 2);
});
