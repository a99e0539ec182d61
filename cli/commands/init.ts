/** `troupe init`: a new project, as files and nothing else. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CommandFailure, EXIT } from '../failure.ts';
import { paint } from '../terminal.ts';
import { version } from '../version.ts';

const TEMPLATES = fileURLToPath(new URL('../templates/', import.meta.url));

/** npm takes small letters only, a zone no dots. */
const NAME = /^[a-z0-9][a-z0-9_-]{0,127}$/;

/** What stands in the templates for what only the project knows. */
const PROJECT = /name-of-the-project/g;
const VERSION = '^0.0.0';

/**
 * Files that have another name among the templates: npm leaves ignore files out of a package, and a manifest there would make the
 * templates a package of their own, in which the name `troupe` means nothing.
 */
const RENAMED: Readonly<Record<string, string>> = {
  gitignore: '.gitignore',
  dockerignore: '.dockerignore',
  'manifest.json': 'package.json',
};

/** Writes the project into a folder that is new or empty, and says what to do next. */
export function init(path: string): void {
  const folder = resolve(path);
  const name = basename(folder);
  if (!NAME.test(name)) {
    throw new CommandFailure(
      `"${name}" can't name a project; expected small letters, digits, "-" and "_", beginning with a letter or a digit: troupe init demo`,
      EXIT.usage,
    );
  }
  checkEmpty(folder);
  const files = filesIn(TEMPLATES);
  for (const file of files) {
    const target = join(folder, dirname(file), RENAMED[basename(file)] ?? basename(file));
    const text = readFileSync(join(TEMPLATES, file), 'utf8').replace(PROJECT, name).replace(VERSION, `^${version()}`);
    mkdirSync(dirname(target), { recursive: true });
    // Never over a file that came there meanwhile.
    writeFileSync(target, text, { flag: 'wx' });
  }
  const there = relative('', folder) || '.';
  process.stdout.write(
    [
      `${paint('green', '✓')} ${files.length} files in ${there}. Next:`,
      ...(there === '.' ? [] : [`  cd ${there}`]),
      '  npm install',
      '  npx troupe zone deploy',
      '',
    ].join('\n'),
  );
}

function checkEmpty(folder: string): void {
  if (!existsSync(folder)) return;
  let entries: string[];
  try {
    entries = readdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOTDIR') throw error;
    throw new CommandFailure(`${folder} is a file. Choose another name.`, EXIT.usage);
  }
  if (entries.length === 0) return;
  const some = entries.slice(0, 3).join(', ') + (entries.length > 3 ? ', …' : '');
  throw new CommandFailure(
    `the folder ${folder} is not empty (${some}); init writes over nothing. Choose another name, or empty it.`,
    EXIT.usage,
  );
}

/** Paths of all files below a folder, relative to it, sorted. */
function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort();
}
