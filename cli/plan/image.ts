/** A folder under images/: its main file, and whether anything in it has changed. */
import { createHash } from 'node:crypto';
import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** What is run of an image: the first of these that is there. */
export const MAIN_FILES = ['main.ts', 'main.mts', 'main.js', 'main.mjs'] as const;

/** Not part of what an image is: packages are named by its manifest, the rest is of tools. */
const PASSED_OVER = new Set(['node_modules', '.git', '.DS_Store']);

/** The folder of an image. */
export function imageFolder(project: string, image: string): string {
  return join(project, 'images', image);
}

/** The path of an image's main file; undefined where it has none. */
export function mainFile(folder: string): string | undefined {
  return MAIN_FILES.map((name) => join(folder, name)).find((path) => existsSync(path) && statSync(path).isFile());
}

/** The names of the folders in a folder, sorted; none where it is not there. */
export function foldersIn(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .sort();
}

/**
 * A hash, in hexadecimal, over the names and contents of all files of a folder, which may itself be behind a symbolic link. Those in it
 * count by where they lead.
 */
export function hashOf(folder: string): string {
  const hash = createHash('sha256');
  const visit = (path: string, name: string): void => {
    const stat = lstatSync(path);
    if (stat.isDirectory()) {
      for (const entry of readdirSync(path).sort()) {
        if (!PASSED_OVER.has(entry)) visit(join(path, entry), name === '' ? entry : `${name}/${entry}`);
      }
    } else if (stat.isSymbolicLink()) add(name, Buffer.from(readlinkSync(path)));
    else if (stat.isFile()) add(name, readFileSync(path));
  };
  // Lengths before what they measure: no two folders come to the same bytes.
  const add = (name: string, content: Buffer): void => {
    hash.update(`${Buffer.byteLength(name)} ${content.length} ${name}`).update(content);
  };
  visit(realpathSync(folder), '');
  return hash.digest('hex');
}
