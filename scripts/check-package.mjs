// The package as its users meet it: the tarballs in an empty folder, no Rust in the PATH, nothing else installed.
import { cpSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { blocksOf } from './documents.mjs';
import { packAll } from './package.mjs';
import { builtPlatforms, supervisorFile } from './platform.mjs';
import { attempt, Failure, isMain, main, readJson, root, run, say } from './shell.mjs';
import { setUp } from './setup.mjs';
import { compilerOf, nodeOf } from './toolbox.mjs';

const stripsTypes = ['22', '24', '26'];
const compilers = ['5.8', '6', '7'];
/** What the demo's client may take to start its workers. Milliseconds. */
const GREETER = 30_000;

/** Runs `body` in an empty folder outside of the project, in which the tarballs are installed. */
async function withInstalled(body) {
  const folder = mkdtempSync(join(tmpdir(), 'troupe-user-'));
  try {
    const tarballs = join(root, 'dist-packages');
    const files = (await packAll(tarballs)).map((name) => join(tarballs, name));
    writeFileSync(join(folder, 'package.json'), '{ "private": true, "type": "module" }\n');
    await run('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error', ...files], {
      cwd: folder,
      quiet: true,
    });
    return await body(folder, files);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What a program of the user's finds: one Node, no compiler. */
const userEnv = (node, folder) => ({
  PATH: [dirname(node), '/usr/bin', '/bin'].join(delimiter),
  HOME: folder,
  TROUPE_HOME: join(folder, 'home'),
});

async function readmeRuns(folder) {
  const block = blocksOf('README.md').find(({ info }) => info === 'hello.mts');
  if (!block?.output) throw new Failure('README.md has no block `ts hello.mts` with its output behind it.');
  writeFileSync(join(folder, 'hello.mts'), block.text);
  const tsx = new URL('../node_modules/tsx/dist/loader.mjs', import.meta.url).href;
  const passed = [];
  for (const major of ['20', ...stripsTypes]) {
    const node = await nodeOf(major);
    if (!node) continue;
    const args = [
      ...(stripsTypes.includes(major) ? ['--disable-warning=ExperimentalWarning'] : ['--import', tsx]),
      'hello.mts',
    ];
    const { status, stdout, output } = await attempt(node, args, {
      cwd: folder,
      env: userEnv(node, folder),
      quiet: true,
    });
    if (status !== 0 || stdout !== block.output)
      throw new Failure(`README's hello.mts on Node ${major}: status ${status}, printed\n${output}`);
    passed.push(major);
  }
  return `hello.mts runs on Node ${passed.join(', ')}`;
}

/** The session of docs/operations.md as far as it needs no browser: a project from nothing, deployed, asked, deleted. */
async function sessionRuns(folder, tarballs) {
  const passed = [];
  for (const major of ['20', ...stripsTypes]) {
    const node = await nodeOf(major);
    if (!node) continue;
    const work = mkdtempSync(join(folder, `session-${major}-`));
    const project = join(work, 'demo');
    const env = userEnv(node, work);
    const troupe = (args, cwd = project) =>
      attempt(node, [join(cwd, 'node_modules', '.bin', 'troupe'), ...args], { cwd, env, quiet: true });
    const eventually = async (args, words) => {
      const until = performance.now() + GREETER;
      for (;;) {
        const ended = await troupe(args);
        if (words.test(ended.output) || performance.now() > until) return ended;
      }
    };
    const step = async (what, words) => {
      const { status, output } = await what;
      if (status !== 0 || !words.test(output))
        throw new Failure(`A session on Node ${major}: status ${status}, expected ${words} in\n${output}`);
    };
    await step(
      attempt(node, [join(folder, 'node_modules', '.bin', 'troupe'), 'init', 'demo'], { cwd: work, env, quiet: true }),
      /npx troupe zone deploy/,
    );
    // The version of the package is in no registry: the tarballs stand for it. The project's own tsx comes with the rest.
    await run('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error', ...tarballs], {
      cwd: project,
      quiet: true,
    });
    try {
      await step(troupe(['zone', 'deploy']), /zone "demo" is up: 3 containers/);
      await step(troupe(['zone', 'nodes', '--json']), /"runner-1"/);
      // The client starts the greeters by itself, a moment after it is up.
      await step(eventually(['ask', 'runner-0/greeter', 'Hi'], /^Hello, Hi!\n$/), /^Hello, Hi!\n$/);
      await step(eventually(['zone', 'logs'], /runner-0 says: Hello/), /runner-0 says: Hello/);
    } finally {
      await troupe(['zone', 'delete', '--yes']);
    }
    await step(troupe(['zone', 'list']), /No zone has a node/);
    passed.push(major);
  }
  return `a project from \`troupe init\` is deployed, asked and deleted on Node ${passed.join(', ')}`;
}

/** The supervisor of the platform's package can be run as it was installed, and is of the same version. */
async function supervisorRuns(folder) {
  const [platform] = builtPlatforms().filter((name) => name.startsWith(`${process.platform}-${process.arch}`));
  const program = join(folder, 'node_modules', '@troupe', platform, supervisorFile(platform));
  const { status, output } = await attempt(program, ['--version'], { env: {}, quiet: true });
  const expected = `troupe-supervisor ${readJson('package.json').version}\n`;
  if (status !== 0 || output !== expected)
    throw new Failure(`${program} --version: status ${status}, printed\n${output}`);
  return `the supervisor runs (${(statSync(program).size / 1e6).toFixed(1)} MB)`;
}

async function typesCheck(folder) {
  cpSync(join(root, '__test__', 'fixtures', 'user-program.ts'), join(folder, 'user-program.ts'));
  for (const version of compilers) {
    for (const lib of [['es2022'], ['es2022', 'dom']]) {
      const config = {
        compilerOptions: {
          target: 'es2022',
          lib,
          types: [],
          module: 'nodenext',
          strict: true,
          noEmit: true,
          skipLibCheck: false,
        },
        files: ['user-program.ts'],
      };
      writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
      const { status, output } = await attempt(process.execPath, [await compilerOf(version), '-p', folder], {
        cwd: folder,
        quiet: true,
      });
      if (status !== 0)
        throw new Failure(`A user's program under TypeScript ${version}, lib ${lib.join(' and ')}:\n${output}`);
    }
  }
  return `types check under TypeScript ${compilers.join(', ')}, with and without dom`;
}

async function linted(_folder, [mainTarball]) {
  await run('publint', ['run', mainTarball, '--strict'], { quiet: true });
  await run('attw', [mainTarball, '--profile', 'esm-only', '--no-definitely-typed', '--no-color'], { quiet: true });
  return 'publint and attw find nothing';
}

/** All of it; resolves with what was found, a line each. */
export async function checkPackage(only = undefined) {
  return withInstalled(async (folder, tarballs) => {
    const found = [];
    for (const check of [readmeRuns, supervisorRuns, sessionRuns, typesCheck, linted]) {
      if (!only || check.name === only) found.push(await check(folder, tarballs));
    }
    return found;
  });
}

if (isMain(import.meta.url)) {
  await main(async () => {
    await setUp();
    for (const line of await checkPackage(process.argv[2])) say(line);
  });
}
