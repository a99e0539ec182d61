/** The sending side: from a class to the bytes with which another node can make it. What does the work is loaded with the first class. */
import { receivedAs } from './load.ts';
import { classAt, refusal } from './refusal.ts';
import { readCode, fileOf } from './store.ts';

/** A class with all it needs. */
export interface Bundle {
  /** Lower-case hex SHA-256 of `code`. */
  readonly hash: string;
  /** Which of the module's classes. */
  readonly label: string;
  /** One ES module that holds the class's module and what that imports. */
  readonly code: Uint8Array;
  /** Where the class was found. */
  readonly file: string;
}

const bundles = new WeakMap<object, Promise<Bundle>>();

/**
 * The bundle of a class, made once. All classes of one module share the code and its hash. A class that was received is passed on
 * with the bytes it came with.
 *
 * @throws NotPortableError that names the class, its file, the reason and the form that works.
 */
export function bundle(cls: unknown): Promise<Bundle> {
  if (typeof cls !== 'function') return make(cls);
  let known = bundles.get(cls);
  if (!known) {
    known = make(cls);
    bundles.set(cls, known);
    // What was refused may be mended on the disk: an import that was missing.
    known.catch(() => bundles.delete(cls));
  }
  return known;
}

async function make(cls: unknown): Promise<Bundle> {
  const from = typeof cls === 'function' ? receivedAs(cls) : undefined;
  if (!from) {
    const { bundleModuleOf } = await import('./build.ts');
    return bundleModuleOf(cls);
  }
  const { hash, label, directory } = from;
  const code = await readCode(hash, directory);
  const file = fileOf(hash, directory);
  if (!code)
    throw refusal(
      classAt(label, file),
      'its file was removed or changed since it was received',
      'Start it from the node that first had it',
    );
  return { hash, label, code, file };
}

/** The file that a class was written in, for messages; undefined for what is in none. */
export async function writtenIn(cls: unknown): Promise<string | undefined> {
  try {
    const { locate } = await import('./locate.ts');
    return locate(cls).file;
  } catch {
    return undefined;
  }
}
