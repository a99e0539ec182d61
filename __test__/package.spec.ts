/**
 * The package as it is packed: what is in it, that it runs in an empty folder without Rust, and what it says where no add-on fits.
 * `npm run verify` does the same with npm, on every supported Node, and checks the types under every supported compiler.
 */
import test from 'ava';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { blocksOf } from '../scripts/documents.mjs';
import { packAll } from '../scripts/package.mjs';
import { nodeBinaries, Program } from './support/program.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'troupe-packed-'));
const installed = join(folder, 'node_modules', 'troupe');
const manifest = () => JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as Record<string, object>;

/** What a user's process finds: this Node, and no compiler. */
const env = { PATH: dirname(process.execPath), TROUPE_HOME: join(folder, 'home') };

/** As npm would: each tarball in its place, with the dependencies of the project beside them. */
test.before(async () => {
  const tarballs = join(folder, 'tarballs');
  for (const tarball of await packAll(tarballs)) {
    const platform = /^troupe-((?:linux|darwin).*)-\d+\.\d+\.\d+\.tgz$/.exec(tarball)?.[1];
    const target = platform ? join(folder, 'node_modules', '@troupe', platform) : installed;
    mkdirSync(target, { recursive: true });
    execFileSync('tar', ['-xzf', join(tarballs, tarball), '-C', target, '--strip-components=1']);
  }
  for (const name of Object.keys(manifest()['dependencies'] ?? {})) {
    symlinkSync(join(root, 'node_modules', name), join(folder, 'node_modules', name));
  }
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }\n');
});

test.after.always(() => rmSync(folder, { recursive: true, force: true }));

test('the packed manifest has no install script and offers the platforms as options of its own version', (t) => {
  const { scripts, devDependencies, optionalDependencies, version } = manifest();
  t.is(scripts, undefined);
  t.is(devDependencies, undefined);
  t.true(Object.keys(optionalDependencies ?? {}).some((name) => name.includes(`${process.platform}-${process.arch}`)));
  t.deepEqual([...new Set(Object.values(optionalDependencies ?? {}))], [version]);
});

test("README's twelve lines run as an installed package, without Rust in the PATH", async (t) => {
  const hello = blocksOf('README.md').find(({ info }) => info === 'hello.mts');
  t.is(hello?.text.trimEnd().split('\n').length, 12);
  const file = join(folder, 'hello.mts');
  writeFileSync(file, hello?.text ?? '');
  for (const node of nodeBinaries()) {
    const program = new Program(t, [...node.args, file], env, node.path);
    t.is(`${(await program.output(t)).join('\n')}\n`, hello?.output ?? '');
  }
});

test('a program that uses require gets the same package', async (t) => {
  const file = join(folder, 'program.cjs');
  writeFileSync(file, "console.log(typeof require('troupe').Node.start);\n");
  t.deepEqual(await new Program(t, ['--no-warnings', file], env).output(t), ['function']);
});

test('what index.d.ts declares is what the package exports', async (t) => {
  const page = readFileSync(join(installed, 'index.d.ts'), 'utf8');
  const declared = [...page.matchAll(/^export declare (?:abstract )?(?:class|function|const) (\w+)/gm)].map(
    ([, name]) => name,
  );
  const file = join(folder, 'names.mjs');
  writeFileSync(file, "import * as troupe from 'troupe';\nconsole.log(JSON.stringify(Object.keys(troupe)));\n");
  const [line = ''] = await new Program(t, [file], env).output(t);
  t.deepEqual([...new Set(declared)].sort(), (JSON.parse(line) as string[]).sort());
});

test('where no add-on fits, the failure says which were looked for and how to build one', async (t) => {
  // A folder of its own: looking upwards from there does not find the platform's package.
  const lonely = mkdtempSync(join(tmpdir(), 'troupe-lonely-'));
  t.teardown(() => rmSync(lonely, { recursive: true, force: true }));
  cpSync(installed, join(lonely, 'node_modules', 'troupe'), { recursive: true });
  for (const name of Object.keys(manifest()['dependencies'] ?? {})) {
    symlinkSync(join(root, 'node_modules', name), join(lonely, 'node_modules', name));
  }
  const file = join(lonely, 'program.mjs');
  writeFileSync(file, "import 'troupe';\n");
  const program = new Program(t, [file], env);
  t.not((await program.ended).code, 0);
  for (const part of [
    `@troupe/${process.platform}-`,
    `${process.platform}-${process.arch}`,
    '.node',
    'npm run build',
  ]) {
    t.true(program.stderr.includes(part), `${part} in\n${program.stderr}`);
  }
});
