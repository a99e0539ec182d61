// `npm run verify`: everything beside the tests that must hold before a change is taken in: format, lints, documentation, generated files,
// the package as users get it. `npm run verify -- NAME …` runs some of the checks; `--list` names them.
import { readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { checkDependencies } from './check-dependencies.mjs';
import { checkFuzz } from './check-fuzz.mjs';
import { checkImages } from './check-images.mjs';
import { checkInterop } from './check-interop.mjs';
import { checkLayers } from './check-layers.mjs';
import { checkMonitoring } from './check-monitoring.mjs';
import { checkMutations } from './mutations.mjs';
import { checkPage } from './check-page.mjs';
import { checkPackage } from './check-package.mjs';
import { checkTree } from './check-tree.mjs';
import { checkGenerated } from './generate.mjs';
import { attempt, capture, colour, Failure, main, NotHere, readJson, root, run, say, toolEnv } from './shell.mjs';
import { setUp } from './setup.mjs';
import { nodeOf } from './toolbox.mjs';

const quietly = (command, args, options) => run(command, args, { quiet: true, ...options });

/** The lock file's first entry repeats what package.json asks for; `npm ci` refuses a difference only where it is run. */
function checkLockFile() {
  const locked = readJson('package-lock.json').packages[''];
  const wanted = readJson('package.json');
  for (const field of ['name', 'version', 'dependencies', 'devDependencies', 'engines']) {
    if (JSON.stringify(locked[field]) === JSON.stringify(wanted[field])) continue;
    throw new Failure(
      `package-lock.json does not follow package.json in "${field}": run \`npm install\` and commit it.`,
    );
  }
}

/** One version for all: the two packages and the crates. */
function checkVersions() {
  const crates = /^\[workspace\.package\]\nversion = "(.+)"/m.exec(readFileSync(join(root, 'Cargo.toml'), 'utf8'))?.[1];
  const { version } = readJson('package.json');
  if (crates !== version) throw new Failure(`package.json is at ${version}, Cargo.toml at ${crates}.`);
  if (!readFileSync(join(root, 'CHANGELOG.md'), 'utf8').includes(`\n## ${version}`)) {
    throw new Failure(`CHANGELOG.md says nothing of ${version}.`);
  }
}

const checks = {
  'rust-format': () => quietly('cargo', ['fmt', '--all', '--check']),
  'rust-lints': () =>
    quietly('cargo', ['clippy', '--workspace', '--all-targets', '--locked', '--', '--deny', 'warnings']),
  'rust-docs': () =>
    quietly('cargo', ['doc', '--workspace', '--no-deps', '--locked'], {
      env: toolEnv({ RUSTDOCFLAGS: '--deny warnings' }),
    }),
  model: async () => {
    // Many times what `npm test` runs; a failure prints its seed and the smallest program that still fails. Those in a zone take ten
    // times as long as those on a port, so they are halved; those on real nodes take about half a second each.
    const test = (name, from, seeds) => {
      const env = toolEnv({ TROUPE_MODEL_FROM: `${from}`, TROUPE_MODEL_SEEDS: `${seeds}` });
      return quietly('cargo', ['test', '--package', 'troupe-node', '--test', name, '--locked'], { env });
    };
    await Promise.all([test('model', 0, 10_000), test('zone_model', 0, 5000), test('zone_model', 5000, 5000)]);
    await quietly('ava', ['__test__/model.spec.ts'], { env: toolEnv({ TROUPE_MODEL_SEEDS: '150' }) });
    return '10 000 random programs on a port, 10 000 in a zone, 150 on real nodes';
  },
  format: () => quietly('prettier', ['--check', '.']),
  types: async () => {
    for (const project of ['tsconfig.json', 'page/tsconfig.json']) await quietly('tsc', ['-p', project]);
  },
  lints: () => quietly('eslint', ['.', '--max-warnings', '0']),
  layers: checkLayers,
  tree: checkTree,
  generated: async () => {
    await checkGenerated();
    checkLockFile();
    checkVersions();
    // Here the build has rewritten them; what was committed must be the same.
    const changed = await capture('git', ['status', '--porcelain', '--', 'bindings/native.d.ts', 'Cargo.lock']);
    if (changed && process.env.CI) throw new Failure(`Generated files are not what was committed:\n${changed}`);
  },
  dependencies: checkDependencies,
  nodes: async () => {
    const others = await Promise.all(['20', '22', '24', '26'].map(nodeOf));
    const paths = others.filter((path) => path && path !== process.execPath);
    if (paths.length === 0) throw new NotHere('other versions of Node come from npm for Linux x64 only');
    const env = toolEnv({ TROUPE_TEST_NODES: paths.join(delimiter) });
    const specs = ['examples', 'programs', 'leaks'].map((name) => `__test__/${name}.spec.ts`);
    await quietly('ava', specs, { env });
    return 'examples, programs and worker threads on Node 20, 22, 24 and 26';
  },
  blocked: async () => {
    const env = toolEnv({ TROUPE_BLOCKED_MS: '30000' });
    await quietly('ava', ['__test__/blocked.spec.ts'], { env });
    return 'a node whose JavaScript is blocked for 30 s';
  },
  interop: checkInterop,
  monitoring: checkMonitoring,
  page: () => checkPage(),
  images: checkImages,
  package: async () => (await checkPackage()).join('; '),
  fuzz: () => checkFuzz(),
  'rust-advisories': async () => {
    const { status, output } = await attempt('cargo', ['deny', '--version'], { quiet: true });
    if (status !== 0)
      throw new NotHere(
        'cargo-deny is not installed (`cargo install cargo-deny`); it also needs the advisory database',
      );
    await quietly('cargo', ['deny', '--locked', 'check']);
    return output.trim();
  },
  'npm-advisories': async () => {
    const { status, output } = await attempt('npm', ['audit', '--omit=dev', '--audit-level=high', '--loglevel=error'], {
      quiet: true,
    });
    if (status !== 0 && output.includes('audit endpoint returned an error'))
      throw new NotHere('this registry has no advisories (`npm audit`)');
    if (status !== 0) throw new Failure(output);
  },
};

/** Checks that take longer than all the others together: only when they are asked for by name. */
const long = { mutations: () => checkMutations() };

/** Runs one check and prints its line; resolves with `passed`, `failed` or `skipped`. */
async function check(name) {
  const started = performance.now();
  const time = () => colour.dim(`${((performance.now() - started) / 1000).toFixed(1)} s`);
  try {
    const found = await { ...checks, ...long }[name]();
    console.log(`${colour.green('✓')} ${name} ${time()}${typeof found === 'string' ? colour.dim(` ${found}`) : ''}`);
    return 'passed';
  } catch (error) {
    if (error instanceof NotHere) {
      console.log(`${colour.yellow('○')} ${name}: not checked here: ${error.message}`);
      return 'skipped';
    }
    console.log(`${colour.red('✗')} ${name} ${time()}\n${error instanceof Failure ? error.message : error.stack}`);
    return 'failed';
  }
}

await main(async () => {
  const names = process.argv.slice(2);
  const known = [...Object.keys(checks), ...Object.keys(long)];
  if (names.includes('--list')) return console.log(known.join('\n'));
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length > 0) throw new Failure(`There is no check ${unknown.join(', ')}. There are: ${known.join(', ')}.`);
  await setUp();
  say('checking; the Rust lints compile the workspace once more, which takes a minute or two …');
  const count = { passed: 0, failed: 0, skipped: 0 };
  for (const name of names.length > 0 ? names : Object.keys(checks)) count[await check(name)] += 1;
  console.log(`${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped`);
  if (count.failed > 0) process.exitCode = 1;
});
