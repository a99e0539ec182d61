/** What docs/operations.md and README.md say of the program `troupe` is what it takes; deploy.spec.ts runs the session. */
import test from 'ava';
import type { Command } from 'commander';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseConfig } from '../cli/config/read.ts';
import { EXIT } from '../cli/failure.ts';
import { HTTP_VARIABLES, INHERITED, OWN_VARIABLES } from '../cli/plan/environment.ts';
import type * as programs from '../cli/program.ts';
import { blocksOf } from '../scripts/documents.mjs';

const { program } = (await import(new URL('../dist/cli/program.js', import.meta.url).href)) as typeof programs;
const page = readFileSync(fileURLToPath(new URL('../docs/operations.md', import.meta.url)), 'utf8');

/** The program with every command doing nothing, and failures thrown. */
function harmless(): Command {
  const each = (command: Command): Command => {
    command.exitOverride().configureOutput({ writeErr: () => {} });
    if (command.commands.length === 0) command.action(() => {});
    command.commands.forEach(each);
    return command;
  };
  return each(program());
}

/** The words of a line of a shell, as far as documents use one. */
const words = (line: string): string[] =>
  [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '');

test('every command that the documents show is one that the program takes', async (t) => {
  const lines = ['README.md', 'docs/operations.md']
    .flatMap((document) => blocksOf(document).filter(({ language }) => language === 'sh'))
    .flatMap(({ text }) => text.split('\n'))
    .flatMap((line) => line.replace(/\s#.*$/, '').split('&&'))
    .map((line) => line.trim())
    .filter((line) => line.startsWith('npx troupe '));
  t.true(lines.length >= 9, lines.join('\n'));
  for (const line of lines) await t.notThrowsAsync(harmless().parseAsync(words(line).slice(2), { from: 'user' }), line);
});

test('the table of commands names each command and all of its options', (t) => {
  const rows = [...page.matchAll(/^\| `troupe ([^`]*)` \|/gm)].map(([, usage = '']) => usage);
  const leaves = (command: Command, path: string[]): [string, Command][] =>
    command.commands.flatMap((child) => {
      const name = [...path, child.name()];
      return child.commands.length > 0 ? leaves(child, name) : [[name.join(' '), child] as [string, Command]];
    });
  const commands = leaves(program(), []).filter(([name]) => name !== 'help');
  t.deepEqual(rows.map((usage) => usage.replace(/ ?[[A-Z-].*$/, '')).sort(), commands.map(([name]) => name).sort());
  // These three are told for all commands at once.
  const common = ['--zone', '--json'];
  for (const [name, command] of commands) {
    const usage = rows.find((row) => row === name || row.startsWith(`${name} `)) ?? '';
    for (const { short, long } of command.options) {
      if (common.includes(long ?? '')) continue;
      const isShown = [short, long].some((flag) => flag !== undefined && new RegExp(`${flag}\\b`).test(usage));
      t.true(isShown, `${name}: ${long}`);
    }
  }
});

test('the statuses in the document are those that commands end with', (t) => {
  const [, table = ''] = /^\| status \| means \|\n\|---\|---\|\n((?:\|.*\n)+)/m.exec(page) ?? [];
  const told = [...table.matchAll(/^\| (\d+) \|/gm)].map(([, status]) => Number(status));
  t.deepEqual(
    told,
    Object.values(EXIT).sort((a, b) => a - b),
  );
});

test('the variables in the document are those that a container has', (t) => {
  const [, table = ''] = /^\| variable \| from \|\n\|---\|---\|\n((?:\|.*\n)+)/m.exec(page) ?? [];
  const told = [...table.matchAll(/^\| ((?:`\w+`(?:, )?)+) \|/gm)].flatMap(([, names = '']) =>
    names.replace(/`/g, '').split(', '),
  );
  t.deepEqual(told.sort(), [...INHERITED, ...OWN_VARIABLES, ...HTTP_VARIABLES].sort());
});

test('each troupe.yaml of the document has no mistake but that its image is not here', (t) => {
  const blocks = blocksOf('docs/operations.md').filter(({ language, info }) => language === 'yaml' && info === '');
  t.true(blocks.length > 0);
  for (const { text } of blocks) {
    const { mistakes } = parseConfig(text, tmpdir());
    t.deepEqual(
      mistakes.map(({ what }) => what.replace(/ \(.*/, '')),
      ['there is no folder images/front'],
    );
  }
});
