// Makes a fresh clone ready: npm's packages, the native add-on, the compiled library; each only when missing or older than its sources.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { buildStale } from './build.mjs';
import { hashOf, isFresh, stamp } from './freshness.mjs';
import { Failure, isMain, main, root, run, say } from './shell.mjs';

function requireNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return;
  throw new Failure(`Node ${process.versions.node} is too old: troupe needs Node 20.19 or later.`);
}

async function installPackages() {
  const hash = hashOf('package-lock.json');
  if (existsSync(join(root, 'node_modules', '.bin')) && isFresh('packages', hash)) return false;
  say('installing the development packages (npm ci; they run no scripts) …');
  await run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']);
  stamp('packages', hash);
  return true;
}

/** Does what is missing, and says so; silent when nothing is. */
export async function setUp() {
  const started = performance.now();
  requireNode();
  const installed = await installPackages();
  const built = await buildStale();
  if (installed || built.length > 0) say(`ready after ${((performance.now() - started) / 1000).toFixed(0)} s`);
}

if (isMain(import.meta.url)) await main(setUp);
