/** The README's first command ends well, and what it says of its channels is what was logged. */
import test from 'ava';
import { fileURLToPath } from 'node:url';
import { Program } from './support/program.ts';

test('the demo runs a zone of three processes over two channels, and ends with status 0', async (t) => {
  const script = fileURLToPath(new URL('../scripts/demo.mjs', import.meta.url));
  const lines = (await new Program(t, [script], {}).output(t)).join('\n');
  t.true(lines.includes('1² + 2² + … + 100² = 338350'), lines);
  t.true(lines.includes('over 2 encrypted channels: main ⇄ runner-1, main ⇄ runner-2'), lines);
});
