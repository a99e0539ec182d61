// `npm run generate`: index.d.ts, the public API on one page, from lib/. With --check it only compares, and names the first difference.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Failure, isMain, main, root, say } from './shell.mjs';
import { setUp } from './setup.mjs';

const path = join(root, 'index.d.ts');

/** Fails, with the first line that differs, when index.d.ts is not what lib/ says. */
export async function checkGenerated() {
  const { rollUpTypes } = await import('./roll-up-types.mjs');
  const wanted = (await rollUpTypes()).split('\n');
  const found = existsSync(path) ? readFileSync(path, 'utf8').split('\n') : [];
  const line = wanted.findIndex((text, i) => text !== found[i]);
  if (line < 0 && found.length === wanted.length) return;
  const at = line < 0 ? wanted.length : line;
  throw new Failure(
    `index.d.ts is not what lib/ says. First difference, line ${at + 1}:\n  is:     ${found[at] ?? '(end)'}\n  should: ${wanted[at] ?? '(end)'}\n` +
      '`npm run generate` brings it up to date; commit what it changes, it is the public API.',
  );
}

if (isMain(import.meta.url)) {
  await main(async () => {
    await setUp();
    if (process.argv.includes('--check')) return checkGenerated();
    const { rollUpTypes } = await import('./roll-up-types.mjs');
    writeFileSync(path, await rollUpTypes());
    say('index.d.ts is up to date with lib/');
  });
}
