// `npm test`: sets up what is missing, then every Rust and TypeScript test that needs no more than Node and Rust.
// `npm test -- --rust`, `npm test -- --ts [ava's arguments]`: one half only.
import { attempt, colour, Failure, main, say } from './shell.mjs';
import { setUp } from './setup.mjs';

await main(async () => {
  const [half, ...rest] = process.argv.slice(2);
  await setUp();
  const failed = [];
  if (half !== '--ts') {
    say('Rust tests (cargo test --workspace) …');
    if ((await attempt('cargo', ['test', '--workspace', ...(half === '--rust' ? rest : [])])).status !== 0)
      failed.push('Rust');
  }
  if (half !== '--rust') {
    say('TypeScript tests (ava) …');
    if ((await attempt('ava', half === '--ts' ? rest : [])).status !== 0) failed.push('TypeScript');
  }
  if (failed.length > 0) throw new Failure(`${failed.join(' and ')} tests failed; see above.`);
  console.log(colour.green('All tests passed.'));
});
