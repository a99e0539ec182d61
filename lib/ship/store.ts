/**
 * Code that came from other nodes, as files named by the SHA-256 of what is in them. What is in a file is checked each time it is
 * about to be run or passed on; only the user can enter the folder.
 */
import { createHash, randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { lstat, mkdir, open, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { NotPermittedError } from '../errors.ts';

/** Lower-case hex SHA-256. */
export function hashOf(code: Uint8Array): string {
  return createHash('sha256').update(code).digest('hex');
}

/** Where the code of that hash is kept. The hash comes from another node: anything but a hash is refused, for it becomes a path. */
export function fileOf(hash: string, directory: string): string {
  if (!/^[0-9a-f]{64}$/.test(hash))
    throw new NotPermittedError(`refused a bundle: ${JSON.stringify(hash.slice(0, 80))} is no SHA-256`);
  return path.join(path.resolve(directory), `${hash}.mjs`);
}

/** @throws NotPermittedError when the code is not what the hash says. */
export function checkCode(hash: string, code: Uint8Array): void {
  const actual = hashOf(code);
  if (actual === hash) return;
  throw new NotPermittedError(
    `refused a bundle: its code has the SHA-256 ${actual}, not ${JSON.stringify(hash.slice(0, 80))}; it was changed on its way or by its sender`,
  );
}

/** The code of that hash; undefined when it is not there, or not what its name says. */
export async function readCode(hash: string, directory: string): Promise<Uint8Array | undefined> {
  const file = fileOf(hash, directory);
  let handle;
  try {
    handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW);
    const code = await handle.readFile();
    return hashOf(code) === hash ? code : undefined;
  } catch (error) {
    // ELOOP: a symbolic link, which we never make.
    if (['ENOENT', 'ELOOP', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  } finally {
    await handle?.close();
  }
}

/**
 * Keeps `code`, unless it is there already, and gives its file.
 *
 * @throws NotPermittedError when the code is not what the hash says, or others could change what is in the folder.
 */
export async function keepCode(hash: string, code: Uint8Array, directory: string): Promise<string> {
  const file = fileOf(hash, directory);
  checkCode(hash, code);
  await secureFolder(path.dirname(file));
  if (await readCode(hash, directory)) return file;
  const temporary = `${file}.${process.pid}.${randomBytes(6).toString('hex')}`;
  try {
    const handle = await open(temporary, 'wx', 0o600);
    try {
      await handle.writeFile(code);
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  return file;
}

/** The folder exists, and is this user's alone: what is in it is run. */
async function secureFolder(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const { mode, uid, isDirectory } = await lstat(directory).then((stats) => ({
    mode: stats.mode,
    uid: stats.uid,
    isDirectory: stats.isDirectory(),
  }));
  const own = process.getuid === undefined || uid === process.getuid();
  if (isDirectory && own && (mode & 0o077) === 0) return;
  throw new NotPermittedError(
    `the folder for received code, ${directory}, must be a real folder of this user with mode 0700; repair it or remove it`,
  );
}
