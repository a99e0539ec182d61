/** What `troupe` says where something is missing or broken around it: one error, what to do, and the status that scripts go by. */
import test, { type ExecutionContext } from 'ava';
import {
  chmodSync,
  chownSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Shell } from './support/cli.ts';
import { Program } from './support/program.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  engines: { node: string };
  dependencies: Record<string, string>;
};
const platform = `${process.platform}-${process.arch}`;

/** The package without its native parts, in a folder from which looking upwards finds none either; `native` puts some there. */
function installed(t: ExecutionContext, native: (folder: string) => void): { run: Run } {
  const folder = mkdtempSync(join(tmpdir(), 'troupe-broken-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const own = join(folder, 'node_modules', 'troupe');
  mkdirSync(own, { recursive: true });
  cpSync(join(root, 'dist'), join(own, 'dist'), { recursive: true });
  cpSync(join(root, 'package.json'), join(own, 'package.json'));
  for (const name of Object.keys(manifest.dependencies))
    symlinkSync(join(root, 'node_modules', name), join(folder, 'node_modules', name));
  native(own);
  writeFileSync(join(folder, 'troupe.yaml'), 'name: shop\npods: [{ name: one, containers: [{ image: one }] }]\n');
  mkdirSync(join(folder, 'images', 'one'), { recursive: true });
  writeFileSync(join(folder, 'images', 'one', 'main.mjs'), '');
  return {
    run: async (args, options = []) => {
      const main = join(own, 'dist', 'cli', 'main.js');
      const env = { TROUPE_HOME: join(folder, 'home') };
      const program = new Program(t, [...options, main, ...args], env, process.execPath, { cwd: folder });
      const { code } = await program.ended;
      return { code, stdout: program.stdout, stderr: program.stderr };
    },
  };
}

type Run = (args: string[], options?: string[]) => Promise<{ code: number | null; stdout: string; stderr: string }>;

/** One error, without a stack. */
function isOneError(t: ExecutionContext, stderr: string): void {
  t.regex(stderr, /^error: /);
  t.notRegex(stderr, /^\s+at |\nerror: /m);
}

test('without an add-on for this platform each command says so, and help and version need none', async (t) => {
  const { run } = installed(t, () => {});
  for (const args of [
    ['zone', 'nodes', '--json'],
    ['zone', 'deploy'],
    ['ask', 'a', 'b'],
    ['zone', 'inlet', '--to', 'logs'],
  ]) {
    const { code, stderr } = await run(args);
    t.is(code, 1, args.join(' '));
    isOneError(t, stderr);
    t.regex(stderr, new RegExp(`no native add-on for this platform \\(${process.platform} ${process.arch}`));
    t.regex(stderr, new RegExp(`package @troupe/${platform}.*: not there`));
    t.regex(stderr, /install again without `--omit=optional`/);
  }
  for (const args of [['--version'], ['--help'], ['zone', 'logs', '--help']]) t.is((await run(args)).code, 0);
});

test('an add-on of another machine is told apart from none, with what the system says and what to do', async (t) => {
  const { run } = installed(t, (own) => {
    const [name = ''] = readdirSync(root).filter((file) => /^troupe\..*\.node$/.test(file));
    const addon = readFileSync(join(root, name));
    // The machine that an ELF file is for: one that no Node runs on. Elsewhere it is no library at all then either.
    addon.writeUInt16LE(0xfefe, 18);
    writeFileSync(join(own, name), addon);
  });
  const { code, stderr } = await run(['zone', 'nodes']);
  t.is(code, 1);
  isOneError(t, stderr);
  t.regex(stderr, /native add-on does not load for this platform/);
  t.regex(stderr, /file .*\.node: .+/);
  t.regex(stderr, /remove node_modules and install again on this one/);
});

test('without a supervisor, or with one that is not for this machine, a deploy says so', async (t) => {
  const addon = (own: string) => {
    for (const name of readdirSync(root).filter((file) => /^troupe\..*\.node$/.test(file)))
      symlinkSync(join(root, name), join(own, name));
  };
  const none = await installed(t, addon).run(['zone', 'deploy']);
  t.is(none.code, 1);
  isOneError(t, none.stderr);
  t.regex(none.stderr, /no supervisor for this platform/);
  t.regex(none.stderr, /install again without `--omit=optional`/);
  const wrong = await installed(t, (own) => {
    addon(own);
    const [name = ''] = readdirSync(root).filter((file) => file.startsWith('troupe-supervisor.'));
    const program = readFileSync(join(root, name));
    program.writeUInt16LE(0xfefe, 18);
    writeFileSync(join(own, name), program, { mode: 0o644 });
  }).run(['zone', 'deploy']);
  t.is(wrong.code, 1);
  isOneError(t, wrong.stderr);
  t.regex(wrong.stderr, /the supervisor can't be started: .*EACCES/);
  t.regex(wrong.stderr, /remove node_modules and install again on this one/);
});

test('a Node that is too old is told which one it takes', async (t) => {
  const { run } = installed(t, () => {});
  const as = (version: string) =>
    `data:text/javascript,Object.defineProperty(process,'versions',{value:{...process.versions,node:'${version}'}})`;
  for (const version of ['18.20.8', '20.18.3']) {
    const { code, stdout, stderr } = await run(['--version'], ['--import', as(version)]);
    t.is(code, 1);
    t.is(stdout, '');
    isOneError(t, stderr);
    t.true(stderr.includes(`needs Node ${manifest.engines.node.slice(2)} or later, and this is ${version}`), stderr);
  }
  t.is((await run(['--version'], ['--import', as('20.19.0')])).code, 0);
});

test('a folder without troupe.yaml, and a project whose packages are not installed, deploy nothing', async (t) => {
  const shell = new Shell(t);
  const none = await shell.run('zone', 'deploy');
  t.is(none.code, 2);
  isOneError(t, none.stderr);
  t.regex(none.stderr, /there is no troupe\.yaml: .* troupe init NAME/);
  await shell.ok('init', 'demo');
  shell.folder = join(shell.folder, 'demo');
  const bare = await shell.run('zone', 'deploy');
  t.is(bare.code, 2);
  isOneError(t, bare.stderr);
  t.regex(bare.stderr, /are not installed: .* npm install$/m);
  t.deepEqual(shell.processes(), []);
});

test('where the files of zones can not be, every command says which folder, and to choose another', async (t) => {
  const shell = new Shell(t);
  writeFileSync(join(shell.folder, 'file'), '');
  const commands = [
    ['zone', 'nodes'],
    ['zone', 'list'],
    ['zone', 'logs'],
    ['zone', 'delete', '--yes'],
    ['ask', 'a', 'b'],
    ['zone', 'inlet', '--to', 'logs', '--port', '0'],
  ];
  // Below a file there is no folder; /proc takes none, whoever asks.
  for (const home of [join(shell.folder, 'file', 'home'), '/proc/troupe']) {
    for (const args of commands) {
      const program = shell.start(args, { TROUPE_HOME: home });
      const { code } = await program.ended;
      if (home === '/proc/troupe' && args[1] !== 'inlet') {
        t.is(code, args[1] === 'list' ? 0 : 3, 'a folder that is not there has no zones');
        continue;
      }
      t.is(code, 1, `${args.join(' ')}: ${program.stderr}`);
      isOneError(t, program.stderr);
      t.regex(program.stderr, /TROUPE_HOME|mv /, args.join(' '));
    }
  }
});

test("a zone of another user's folder is refused by name, and hides no other zone", async (t) => {
  if (process.getuid?.() !== 0) {
    t.log("not checkable: only root can make another user's folder");
    t.pass();
    return;
  }
  const shell = new Shell(t);
  const theirs = join(shell.home, 'zones', 'theirs');
  mkdirSync(theirs, { recursive: true, mode: 0o700 });
  for (const folder of [shell.home, join(shell.home, 'zones')]) chmodSync(folder, 0o700);
  chownSync(theirs, 1234, 1234);
  const nodes = await shell.run('zone', 'nodes', '--zone', 'theirs');
  t.is(nodes.code, 1);
  isOneError(t, nodes.stderr);
  t.true(nodes.stderr.includes(`${theirs} belongs to user 1234, and this process runs as user 0; set TROUPE_HOME`));
  const list = await shell.run('zone', 'list', '--json');
  t.is(list.code, 1);
  t.is(list.stdout, '[]\n');
  t.regex(list.stderr, /^note: zone "theirs": .* belongs to user 1234/);
});
