// Whether what was built still matches its sources: by content, since a fresh clone gives every file the same time.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { root } from './shell.mjs';

const stamps = join(root, '.cache', 'built.json');

/** All files under the given files and folders, sorted. Folders that hold outputs are passed over. */
export function filesUnder(...paths) {
  const found = [];
  const visit = (path) => {
    if (!existsSync(path)) return;
    if (!statSync(path).isDirectory()) return void found.push(path);
    for (const name of readdirSync(path).sort()) {
      if (name !== 'target' && name !== 'node_modules') visit(join(path, name));
    }
  };
  for (const path of paths) visit(join(root, path));
  return found;
}

/** One hash over the names and contents of files. */
export function hashOf(...paths) {
  const hash = createHash('sha256');
  for (const file of filesUnder(...paths))
    hash
      .update(`${relative(root, file)}\0`)
      .update(readFileSync(file))
      .update('\0');
  return hash.digest('hex');
}

function readStamps() {
  try {
    return JSON.parse(readFileSync(stamps, 'utf8'));
  } catch {
    return {};
  }
}

/** Whether `name` was last made from sources with this hash. */
export const isFresh = (name, hash) => readStamps()[name] === hash;

/** Remembers that `name` was made from sources with this hash. */
export function stamp(name, hash) {
  mkdirSync(dirname(stamps), { recursive: true });
  writeFileSync(stamps, `${JSON.stringify({ ...readStamps(), [name]: hash }, null, 2)}\n`);
}
