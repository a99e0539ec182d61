/** Each promise of docs/semantics.md names the tests that prove it, and each of those is there. */
import test from 'ava';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const path = (name: string) => fileURLToPath(new URL(`../${name}`, import.meta.url));
const lines = readFileSync(path('docs/semantics.md'), 'utf8').split('\n');

/** A promise begins with `* `; the tests that prove it stand below it. */
interface PromiseMade {
  line: number;
  proofs: { file: string; title: string }[];
}

function promises(): PromiseMade[] {
  const found: PromiseMade[] = [];
  for (const [index, line] of lines.entries()) {
    if (line.startsWith('* ')) found.push({ line: index + 1, proofs: [] });
    const proof = /^ {2}- `([^`]+)` › (.+)$/.exec(line);
    if (proof !== null) found.at(-1)?.proofs.push({ file: proof[1] ?? '', title: proof[2] ?? '' });
  }
  return found;
}

/** Whether the file has a test of that name. */
function isThere(file: string, title: string): boolean {
  if (!existsSync(path(file))) return false;
  const source = readFileSync(path(file), 'utf8');
  if (file.endsWith('.rs')) return new RegExp(`#\\[(tokio::)?test[^]*?fn ${title}\\(`).test(source);
  // As the title stands between its quotation marks.
  return ["'", '"', '`'].some((mark) => source.includes(`${mark}${title.replaceAll(mark, `\\${mark}`)}${mark}`));
}

test('each promise names a test that proves it', (t) => {
  t.true(promises().length > 0);
  t.deepEqual(
    promises()
      .filter(({ proofs }) => proofs.length === 0)
      .map(({ line }) => `docs/semantics.md:${line}`),
    [],
  );
});

test('each test that a promise names is there', (t) => {
  const named = promises().flatMap(({ proofs }) => proofs);
  t.deepEqual(
    named.filter(({ file, title }) => !isThere(file, title)),
    [],
  );
});
