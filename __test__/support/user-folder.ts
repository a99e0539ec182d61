/** A folder as of a user who installed the package: programs in it run as theirs do, far from this tree. */
import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';

const ROOT = realpathSync(fileURLToPath(new URL('../..', import.meta.url)));

/** Makes it, with copies of what is in `from` if that is given, until the test ends. */
export function userFolder(t: ExecutionContext, from?: URL): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'troupe-user-')));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  if (from !== undefined) cpSync(fileURLToPath(from), folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ type: 'module' }));
  mkdirSync(join(folder, 'node_modules'));
  symlinkSync(ROOT, join(folder, 'node_modules', 'troupe'));
  return folder;
}
