// Every dependency has its reason in docs/dependencies.md, nothing stands there that is not used, and every licence in the tree is one that
// lets people use troupe as they like.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { capture, Failure, isMain, main, readJson, root } from './shell.mjs';

/** Licences that ask for no more than their notice. */
const permissive = new Set([
  'Apache-2.0',
  'MIT',
  'MIT-0',
  'ISC',
  'BSD-2-Clause',
  'BSD-3-Clause',
  '0BSD',
  'Unicode-3.0',
  'Zlib',
  'BlueOak-1.0.0',
  'CC0-1.0',
  'Unlicense',
  'Python-2.0',
]);

/** Whether an SPDX expression leaves a permissive choice; `WITH` adds a permission, so it may be passed over. */
export function isPermissive(expression = '') {
  const choices = expression
    .replace(/[()]/g, '')
    .replaceAll('/', ' OR ')
    .split(/\s+OR\s+/);
  return choices.some((choice) =>
    choice.split(/\s+AND\s+/).every((part) => permissive.has(part.replace(/\s+WITH\s+.*/, '').trim())),
  );
}

/** The packages of a workspace, and what its own crates depend on by name. */
async function workspace(...options) {
  const args = ['metadata', '--format-version', '1', '--locked', ...options];
  const { packages } = JSON.parse(await capture('cargo', args));
  const own = packages.filter(({ source }) => source === null);
  const direct = own.flatMap(({ dependencies }) => dependencies.filter(({ path }) => !path).map(({ name }) => name));
  return { packages, direct };
}

async function rustPackages() {
  const { packages, direct: shipped } = await workspace();
  // What only fuzzes is in nothing that anyone gets: it needs a reason, and its licence is its own matter.
  const fuzz = await workspace('--manifest-path', join('fuzz', 'Cargo.toml'));
  const direct = new Set([...shipped, ...fuzz.direct]);
  return {
    direct,
    licences: packages.filter(({ source }) => source !== null).map(({ name, license }) => [`crate ${name}`, license]),
  };
}

function npmPackages() {
  const { dependencies = {}, devDependencies = {} } = readJson('package.json');
  const { packages } = readJson('package-lock.json');
  const shipped = Object.entries(packages).filter(([path, { dev }]) => path && !dev);
  return {
    direct: new Set([...Object.keys(dependencies), ...Object.keys(devDependencies)]),
    licences: shipped.map(([path, { license }]) => [`package ${path.replace(/^.*node_modules\//, '')}`, license]),
  };
}

/** Fails with each dependency that lacks a reason, each reason that lacks a dependency, and each licence that is not permissive. */
export async function checkDependencies() {
  const document = readFileSync(join(root, 'docs', 'dependencies.md'), 'utf8');
  const reasons = new Set([...document.matchAll(/^\| `([^`]+)`/gm)].map(([, name]) => name));
  const [rust, npm] = [await rustPackages(), npmPackages()];
  const used = new Set([...rust.direct, ...npm.direct]);
  const problems = [
    ...[...used].filter((name) => !reasons.has(name)).map((name) => `${name} has no reason in docs/dependencies.md`),
    ...[...reasons]
      .filter((name) => !used.has(name))
      .map((name) => `docs/dependencies.md gives a reason for ${name}, which nothing uses`),
    ...[...rust.licences, ...npm.licences]
      .filter(([, license]) => !isPermissive(license))
      .map(([name, license]) => `${name}: licence ${license}`),
  ];
  if (problems.length > 0) throw new Failure(problems.join('\n'));
}

if (isMain(import.meta.url)) await main(checkDependencies);
