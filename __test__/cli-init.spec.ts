/** `troupe init`, and the program around all commands: what it prints, how it ends, what it loads. */
import test, { type ExecutionContext } from 'ava';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { readConfig } from '../cli/config/read.ts';
import { Program } from './support/program.ts';

const MAIN = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
const packageJson = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

function folderOf(t: ExecutionContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'troupe-init-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Runs the program to its end. */
async function troupe(t: ExecutionContext, ...args: string[]) {
  const program = new Program(t, [MAIN, ...args], {});
  const { code } = await program.ended;
  return { code, stdout: program.stdout, stderr: program.stderr };
}

test('init writes a project whose troupe.yaml has no mistake and whose programs the compiler takes', async (t) => {
  const folder = join(folderOf(t), 'demo');
  const { code, stdout, stderr } = await troupe(t, 'init', folder);
  t.is(code, 0, stderr);
  t.regex(stdout, /npm install\n {2}npx troupe zone deploy/);
  const files = (readdirSync(folder, { recursive: true, withFileTypes: true }) as { name: string; isFile(): boolean }[])
    .filter((entry) => entry.isFile())
    .map(({ name }) => name);
  t.deepEqual(files.sort(), [
    '.dockerignore',
    '.gitignore',
    'Dockerfile',
    'Dockerfile',
    'main.ts',
    'main.ts',
    'package.json',
    'troupe.yaml',
    'tsconfig.json',
  ]);

  const config = readConfig(join(folder, 'troupe.yaml'), folder);
  t.is(config.name, 'demo');
  t.deepEqual(
    config.pods.map(({ name, clones }) => [name.value, clones]),
    [
      ['runner', 2],
      ['client', 1],
    ],
  );
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
    name: string;
    type: string;
    dependencies: Record<string, string>;
    devDependencies: Record<string, string>;
  };
  t.is(manifest.name, 'demo');
  t.is(manifest.type, 'module');
  t.deepEqual(manifest.dependencies, { troupe: `^${packageJson.version}` });
  t.true('tsx' in manifest.devDependencies);

  // The project's own settings, with the packages of this tree in the place of those that npm would install.
  const { config: raw } = ts.readConfigFile(join(folder, 'tsconfig.json'), ts.sys.readFile.bind(ts.sys)) as {
    config: object;
  };
  const parsed = ts.parseJsonConfigFileContent(raw, ts.sys, folder);
  t.deepEqual(parsed.errors, []);
  const root = fileURLToPath(new URL('..', import.meta.url));
  const options = {
    ...parsed.options,
    paths: { troupe: [join(root, 'index.d.ts')] },
    typeRoots: [join(root, 'node_modules/@types')],
  };
  const compiled = ts.createProgram(parsed.fileNames, options);
  t.is(parsed.fileNames.length, 2);
  t.deepEqual(
    ts.getPreEmitDiagnostics(compiled).map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, ' ')),
    [],
  );
});

test('init refuses a folder that is not empty, a file, and a name that nothing can have', async (t) => {
  const folder = folderOf(t);
  writeFileSync(join(folder, 'mine.txt'), 'mine');
  mkdirSync(join(folder, 'full'));
  writeFileSync(join(folder, 'full', 'mine.txt'), 'mine');
  const refusals = [
    ['full', /full is not empty \(mine\.txt\); init writes over nothing\. Choose another name/],
    ['mine-txt/../mine.txt', /can't name a project/],
    ['Demo', /"Demo" can't name a project; expected small letters/],
    ['-x', /unknown option '-x'/],
  ] as const;
  for (const [name, words] of refusals) {
    const { code, stdout, stderr } = await troupe(t, 'init', name.startsWith('-') ? name : join(folder, name));
    t.is(code, 2, name);
    t.is(stdout, '');
    t.regex(stderr, words);
  }
  writeFileSync(join(folder, 'file'), '');
  t.regex((await troupe(t, 'init', join(folder, 'file'))).stderr, /is a file\. Choose another name/);
  t.deepEqual(readdirSync(join(folder, 'full')), ['mine.txt']);
  t.false(existsSync(join(folder, 'Demo')));
});

test('init fills a folder that is there and empty', async (t) => {
  const folder = join(folderOf(t), 'demo');
  mkdirSync(folder);
  t.is((await troupe(t, 'init', folder)).code, 0);
  t.true(existsSync(join(folder, 'images/client/main.ts')));
});

test('help and version are no failures; wrong usage is one, with the nearest command', async (t) => {
  const version = await troupe(t, '--version');
  t.deepEqual(version, { code: 0, stdout: `${packageJson.version}\n`, stderr: '' });
  const help = await troupe(t, '--help');
  t.is(help.code, 0);
  t.regex(help.stdout, /^Usage: troupe /);
  t.is(help.stderr, '');
  const wrong = await troupe(t, 'inti');
  t.is(wrong.code, 2);
  t.is(wrong.stdout, '');
  t.regex(wrong.stderr, /unknown command 'inti'\n\(Did you mean init\?\)/);
  t.is((await troupe(t)).code, 2);
});

test('help and version load neither the add-on nor a parser', async (t) => {
  const folder = folderOf(t);
  const file = join(folder, 'loaded.mjs');
  // Writes down which modules are loaded beside Node's own.
  const hooks = `import { appendFileSync } from 'node:fs';
    export async function load(url, context, next) {
      if (url.startsWith('file:')) appendFileSync(process.env.LOADED, url + '\\n');
      return next(url, context);
    }`;
  const url = `data:text/javascript,${encodeURIComponent(hooks)}`;
  writeFileSync(file, `import { register } from 'node:module';\nregister(${JSON.stringify(url)});\n`);
  const loaded = join(folder, 'loaded.txt');
  for (const argument of ['--help', '--version']) {
    const program = new Program(t, ['--import', file, MAIN, argument], { LOADED: loaded });
    await program.output(t);
  }
  const modules = readFileSync(loaded, 'utf8').trim().split('\n');
  t.true(
    modules.some((url) => url.endsWith('/dist/cli/program.js')),
    'it saw what was loaded',
  );
  t.deepEqual(
    modules.filter((url) => !/\/dist\/cli\/[\w-]+\.js$|\/node_modules\/commander\//.test(url)),
    [],
  );
});
