// Links between processes: full on both sides, and cut by the death of one.
import test from 'ava';
import { fileURLToPath } from 'node:url';
import { logMessages, testZone } from './support/zone.ts';

const file = (name: string) => fileURLToPath(new URL(`fixtures/link/${name}`, import.meta.url));

test('two workers with mailboxes of one flood each other across a link, and every request is answered', async (t) => {
  const zone = testZone(t);
  const programs = [zone.start(file('left.ts')), zone.start(file('right.ts'))];
  for (const program of programs) {
    await program.until(() => logMessages(program).includes('heard all'));
    await program.until(() => logMessages(program).some((message) => message.startsWith('answered')));
    t.true(logMessages(program).includes('answered all'));
  }
});

test('what a killed process was asked fails at once, and may have been handled', async (t) => {
  const zone = testZone(t);
  const [sleeper] = await zone.startUntil(file('sleeper.ts'), 1, /^Sleeper is ready/);
  const asker = zone.start(file('asker.ts'));
  await sleeper?.until((program) => logMessages(program).includes('Sleeping'));
  sleeper?.signal('SIGKILL');
  await asker.until((program) => logMessages(program).filter((m) => m === 'NODE_UNREACHABLE true').length === 3);
  t.pass();
});
