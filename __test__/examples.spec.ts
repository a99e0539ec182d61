// Every example prints what its header says, on every Node at hand.
import test, { type ExecutionContext } from 'ava';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { headerLines, nodeBinaries, type Program } from './support/program.ts';
import { testZone } from './support/zone.ts';

const folder = new URL('../examples/', import.meta.url);
const path = (name: string) => fileURLToPath(new URL(name, folder));
const examples = readdirSync(folder).filter((name) => /^\d\d-.*\.ts$/.test(name));

/** Those that stay up say so in the header. */
const staysUp = (name: string) => /^\/\/ .*stays up until/m.test(readFileSync(path(name), 'utf8'));
/** Those that need other nodes say so in the header. */
const needsRunners = (name: string) => /^\/\/ .*two runners up/m.test(readFileSync(path(name), 'utf8'));

async function interrupt(t: ExecutionContext, program: Program) {
  program.signal('SIGINT');
  await program.output(t);
}

for (const node of nodeBinaries()) {
  for (const name of examples) {
    // One at a time: some of them are about time, and the machine may be small.
    test.serial(`${name} prints what its header says on Node ${node.version}`, async (t) => {
      const expected = headerLines(path(name));
      t.true(expected.length > 0, 'the header says what it prints');
      const zone = testZone(t, node);
      const runners = needsRunners(name) ? await zone.startUntil(path('runner.ts'), 2, / is up$/) : [];
      const program = zone.start(path(name));
      if (staysUp(name)) {
        await program.until(({ stdout }) => stdout.split('\n').length > expected.length);
        await interrupt(t, program);
      }
      t.deepEqual(await program.output(t), expected);
      for (const runner of runners) await interrupt(t, runner);
    });
  }
}

test('every example has one page at most, and the list of them names each', (t) => {
  const readme = readFileSync(path('README.md'), 'utf8');
  for (const name of examples) {
    t.true(readFileSync(path(name), 'utf8').split('\n').length < 60, name);
    t.true(readme.includes(`](${name})`), name);
  }
});
