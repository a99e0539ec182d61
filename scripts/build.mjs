// `npm run build`: the native add-on and the supervisor beside this package's root (Rust, release), lib/ and cli/ to dist/ (TypeScript), page/
// to dist/page/ (Vite). With --native, --library or --page only that one; --target (a Rust target, for the release workflow) builds for
// another platform.
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { describeAddon, describingEnv, itemsFolder } from './describe-addon.mjs';
import { hashOf, isFresh, stamp } from './freshness.mjs';
import { finishPage, pageFolder } from './page.mjs';
import { addonFile, builtPlatforms, libraryFile, platformOf, SUPERVISOR, supervisorFile } from './platform.mjs';
import { attempt, Failure, isMain, main, root, run, say, toolEnv } from './shell.mjs';

const nativeSources = [
  ...['Cargo.toml', 'Cargo.lock', 'bindings/Cargo.toml', 'bindings/build.rs', 'bindings/src'],
  ...['proto', 'node', 'http', 'supervisor'].flatMap((crate) => [`crates/${crate}/Cargo.toml`, `crates/${crate}/src`]),
];
const librarySources = [
  'lib',
  'cli',
  'tsconfig.base.json',
  'tsconfig.build.json',
  'tsconfig.cli.json',
  'package-lock.json',
];
const pageSources = [
  ...['page/index.html', 'page/src', 'page/vite.config.ts', 'page/tsconfig.json'],
  ...['tsconfig.base.json', 'scripts/page.mjs', 'package-lock.json'],
];

/** Says what is missing where the Rust compiler is absent or too old; resolves with its own platform, in Rust's words. */
async function requireRust() {
  const needed = readFileSync(join(root, 'Cargo.toml'), 'utf8').match(/rust-version = "([\d.]+)"/)?.[1] ?? '';
  const { status, output } = await attempt('rustc', ['-vV'], { quiet: true });
  if (status !== 0) {
    throw new Failure(
      `The native part is written in Rust, and no Rust compiler was found (rustc: ${output.trim()}).\n` +
        `Install Rust ${needed} or later from https://rustup.rs and run this again.`,
    );
  }
  const [, release, major, minor] = /release: ((\d+)\.(\d+)\S*)/.exec(output) ?? [];
  const [leastMajor, leastMinor] = needed.split('.').map(Number);
  if (Number(major) < leastMajor || (Number(major) === leastMajor && Number(minor) < leastMinor)) {
    throw new Failure(
      `The native part needs Rust ${needed}; this is ${release}. \`rustup update stable\` brings a newer one.`,
    );
  }
  return /host: (\S+)/.exec(output)?.[1] ?? '';
}

/** Builds the add-on and the supervisor for this platform (or for `target`, in Rust's words), and the description of what the add-on exports. */
export async function buildNative(target) {
  const host = await requireRust();
  const platform = platformOf(target ?? host);
  say(
    `building the native add-on and the supervisor for ${platform.name} (cargo, release; a minute or two the first time) …`,
  );
  const hash = hashOf(...nativeSources);
  mkdirSync(itemsFolder, { recursive: true });
  // Whoever adds a dependency has the lock file follow; elsewhere it decides.
  const locked = process.env.CI ? ['--locked'] : [];
  const args = [
    'build',
    '--release',
    ...locked,
    '--package',
    'troupe-bindings',
    '--package',
    SUPERVISOR,
    ...(target ? ['--target', target] : []),
  ];
  await run('cargo', args, { env: toolEnv(describingEnv()) });
  const outputs = join(process.env.CARGO_TARGET_DIR ?? join(root, 'target'), ...(target ? [target] : []), 'release');
  // Fresh files, never written over: a process that has the old one loaded keeps it.
  for (const [built, file] of [
    [libraryFile(platform), addonFile(platform.name)],
    [SUPERVISOR, supervisorFile(platform.name)],
  ]) {
    const beside = join(root, file);
    copyFileSync(join(outputs, built), `${beside}.new`);
    renameSync(`${beside}.new`, beside);
  }
  describeAddon();
  stamp('native', hash);
}

/** Compiles lib/ to dist/ and cli/, which stands on that, to dist/cli/. */
export async function buildLibrary() {
  say('compiling the TypeScript library and the command line …');
  const hash = hashOf(...librarySources);
  const dist = join(root, 'dist');
  // What else is in it is made by others.
  mkdirSync(dist, { recursive: true });
  for (const name of readdirSync(dist)) if (name !== 'page') rmSync(join(dist, name), { recursive: true });
  await run('tsc', ['-p', 'tsconfig.build.json']);
  await run('tsc', ['-p', 'tsconfig.cli.json']);
  chmodSync(join(dist, 'cli', 'main.js'), 0o755);
  cpSync(join(root, 'cli', 'templates'), join(dist, 'cli', 'templates'), { recursive: true });
  const { jsonSchema } = await import(pathToFileURL(join(dist, 'cli', 'config', 'shape.js')).href);
  writeFileSync(join(dist, 'troupe.schema.json'), `${JSON.stringify(jsonSchema(), null, 2)}\n`);
  stamp('library', hash);
}

/** Bundles page/ to dist/page/. */
export async function buildPage() {
  say('bundling the page …');
  const hash = hashOf(...pageSources);
  await run('vite', ['build', '--config', 'page/vite.config.ts', '--logLevel', 'warn']);
  finishPage();
  stamp('page', hash);
}

/** Whether an add-on and a supervisor for the platform of this process are there. */
const usable = () =>
  builtPlatforms().some(
    (name) => name.startsWith(`${process.platform}-${process.arch}`) && existsSync(join(root, supervisorFile(name))),
  );

/** Builds what is missing or older than its sources. Resolves with the names of what was built. */
export async function buildStale() {
  const built = [];
  if (!usable() || !isFresh('native', hashOf(...nativeSources))) {
    await buildNative();
    built.push('native');
  }
  if (!existsSync(join(root, 'dist', 'index.js')) || !isFresh('library', hashOf(...librarySources))) {
    await buildLibrary();
    built.push('library');
  }
  if (!existsSync(join(pageFolder, 'index.html')) || !isFresh('page', hashOf(...pageSources))) {
    await buildPage();
    built.push('page');
  }
  return built;
}

if (isMain(import.meta.url)) {
  await main(async () => {
    const { values } = parseArgs({
      options: {
        native: { type: 'boolean' },
        library: { type: 'boolean' },
        page: { type: 'boolean' },
        target: { type: 'string' },
      },
    });
    const all = !values.native && !values.library && !values.page;
    if (all || values.native) await buildNative(values.target);
    if (all || values.library) await buildLibrary();
    if (all || values.page) await buildPage();
    say(
      `built: ${[...builtPlatforms().flatMap((name) => [addonFile(name), supervisorFile(name)]), 'dist/'].join(', ')}`,
    );
  });
}
