/**
 * What README and docs show is true: the programs run and print what stands behind them, the commands exist, the links lead somewhere.
 * A `ts` block is a whole program; the `text` block that follows is what it prints. `ts runners`: with two runners up. `ts fragment`:
 * part of a program, which is only parsed.
 */
import test from 'ava';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { blocksOf } from '../scripts/documents.mjs';
import { testZone } from './support/zone.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const documents = [
  ...readdirSync(root).filter((name) => name.endsWith('.md')),
  ...readdirSync(join(root, 'docs')).map((name) => `docs/${name}`),
  'examples/README.md',
].filter((name) => name.endsWith('.md'));
/** Programs run from here: inside the project, where the name `troupe` means the built package. */
const folder = join(root, '.cache', 'docs');

test.before(() => {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
});

for (const document of documents) {
  const blocks = blocksOf(document);
  for (const { info, text, line, output } of blocks.filter(({ language }) => language === 'ts')) {
    const words = info.split(' ');
    if (words.includes('fragment')) {
      test(`${document}:${line} can be parsed`, (t) => {
        const { diagnostics } = ts.transpileModule(text, {
          reportDiagnostics: true,
          compilerOptions: { erasableSyntaxOnly: true },
        });
        t.deepEqual(
          diagnostics?.map(({ messageText }) => messageText),
          [],
        );
      });
      continue;
    }
    test.serial(`${document}:${line} runs and prints what stands behind it`, async (t) => {
      const file = join(folder, `${document.replaceAll('/', '-')}-${line}.mts`);
      writeFileSync(file, text);
      const zone = testZone(t);
      if (words.includes('runners')) await zone.startUntil(join(root, 'examples', 'runner.ts'), 2, / is up$/);
      const lines = await zone.start(file).output(t);
      t.truthy(output, 'the document shows what the program prints');
      t.is(`${lines.join('\n')}\n`, output ?? '');
    });
  }

  const prose = readFileSync(join(root, document), 'utf8');

  test(`${document} names only commands that exist`, (t) => {
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: object };
    // With npm's own words.
    const known = new Set([...Object.keys(scripts), 'ci', 'install', 'pack', 'publish', 'audit']);
    const named = [...prose.matchAll(/`npm (?:run )?([a-z][\w:-]*)|^npm (?:run )?([a-z][\w:-]*)/gm)];
    t.deepEqual(
      named.filter(([, inline, line]) => !known.has(inline ?? line ?? '')).map(([command]) => command),
      [],
    );
  });

  test(`${document} names only files that are there`, (t) => {
    const named = [
      ...prose.matchAll(/`((?:bindings|crates|docs|examples|interop|lib|scripts|__test__)\/[\w./-]*\w\/?)`/g),
    ];
    t.deepEqual(
      named.map(([, path = '']) => path).filter((path) => !existsSync(join(root, path))),
      [],
    );
  });

  test(`${document} links to what is there`, (t) => {
    const targets = [...prose.replace(/```[\s\S]*?\n```/g, '').matchAll(/\]\(([^)\s]+)\)/g)].map(
      ([, target = '']) => target,
    );
    const local = targets.filter((target) => !/^(https?:|#)/.test(target)).map((target) => target.replace(/#.*$/, ''));
    t.deepEqual(
      local.filter((target) => !existsSync(join(root, dirname(document), target))),
      [],
    );
  });
}
