// What must not be in the tree: unfinished work by its own words, tests that do not run, paths of one machine, files that grew too long.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Failure, isMain, main, root } from './shell.mjs';

const rules = [
  // Each pattern is written so that this file does not match itself.
  {
    in: /\.(rs|[cm]?[jt]s)$/,
    pattern: /\b(TO[D]O|FIX[M]E|XX[X]|HA[C]K)\b|\b(to[d]o|unimplemente[d])!|\bfor no[w]\b|\bnot (yet )?implemente[d]\b/,
    why: 'unfinished, by its own words',
  },
  {
    in: /\.spec\.ts$/,
    pattern: /\.(ski[p]|onl[y]|tod[o]|failin[g])\(/,
    why: 'a test that does not run, or keeps others from it',
  },
  { in: /\.rs$/, pattern: /#\[ignor[e]/, why: 'a test that does not run' },
  {
    in: /\.(rs|[cm]?[jt]s|json|toml|ya?ml|md)$/,
    pattern: /(^|[\s"'`(=])\/(hom[e]|roo[t]|wor[k]|User[s])\//,
    why: 'a path of one machine',
  },
  {
    in: /(^|\/)package-lock\.json$|^Cargo\.lock$/,
    pattern: /"resolve[d]":|registry = "http/,
    why: "where a package was fetched from is the machine's own matter",
  },
];
/** Longest file, in lines; beyond it there is a second noun that wants a file of its own. */
const longest = 400;

/** Fails with every place that breaks a rule. */
export function checkTree() {
  const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
  })
    .split('\n')
    .filter((file) => file && existsSync(join(root, file)));
  const problems = [];
  for (const file of files) {
    const fitting = rules.filter((rule) => rule.in.test(file));
    const code = /\.(rs|ts|mjs)$/.test(file) && !file.endsWith('.d.ts');
    if (fitting.length === 0 && !code) continue;
    const lines = readFileSync(join(root, file), 'utf8').split('\n');
    if (code && lines.length - 1 > longest) problems.push(`${file}: ${lines.length - 1} lines, ${longest} at most`);
    for (const [i, line] of lines.entries()) {
      for (const { pattern, why } of fitting)
        if (pattern.test(line)) problems.push(`${file}:${i + 1}: ${why}: ${line.trim()}`);
    }
  }
  if (problems.length > 0) throw new Failure(problems.join('\n'));
}

if (isMain(import.meta.url)) await main(async () => checkTree());
