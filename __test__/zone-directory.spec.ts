// The zone's folder: whose it must be, what may lie in it, and what is said when it can't be used.
import test from 'ava';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  Node,
  NodeUnreachableError,
  NoSuchWorkerError,
  NotPermittedError,
  setLogger,
  Zone,
  type LogRecord,
} from 'troupe';
import { Echo } from './fixtures/nodes/workers.ts';
import { failureOf, nodesOf } from './support/nodes.ts';
import { zoneHome } from './support/program.ts';
import { testZone } from './support/zone.ts';

const ZONE = 'zones/default';
const names = async (node: Node) => (await Zone.nodes(node)).map(({ name }) => name);

/** Runs the command that an error tells to run. */
function mend(message: string): void {
  const command = /: ((?:chmod|rm|mv) .*)$/.exec(message)?.[1] ?? '';
  execFileSync('sh', ['-c', command]);
}

test.serial('the folder and all in it are closed to everybody else from the first use on', async (t) => {
  const home = zoneHome(t);
  rmSync(home, { recursive: true });
  const here = await nodesOf(t, home)('here');
  await (await nodesOf(t, home)('there')).startWorker('echo', Echo);
  t.is(await here.sendAndReceive('echo', 'x'), 'x');
  const all = readdirSync(home, { recursive: true }) as string[];
  t.true(all.includes(`${ZONE}/authority.key`) && all.includes(`${ZONE}/nodes/here.node`), all.join());
  for (const path of ['.', ...all]) {
    const { mode } = lstatSync(join(home, path));
    t.is(mode & 0o077, 0, path);
  }
});

test.serial('a folder or key that others can read is refused with the command that mends it', async (t) => {
  const home = zoneHome(t);
  const create = nodesOf(t, home);
  await (await create('first')).stop();
  for (const [path, mode] of [
    ['', 0o755],
    ['zones', 0o750],
    [ZONE, 0o711],
    [`${ZONE}/nodes`, 0o770],
    [`${ZONE}/authority.key`, 0o644],
    [`${ZONE}/access.key`, 0o640],
  ] as const) {
    const full = join(home, path);
    chmodSync(full, mode);
    const error = await failureOf<NotPermittedError>(t, create('here'));
    t.true(error instanceof NotPermittedError, `${path}: ${String(error)}`);
    t.is(error.node, 'here');
    t.true(error.message.includes(full), error.message);
    t.regex(error.message, /has mode 0\d{3} where only 0[67]00 keeps others out; close it: chmod [67]00 /);
    mend(error.message);
    await (await create('here')).stop();
  }
});

test.serial(
  'a symbolic link in the place of the folder, or of anything in it, is refused with the command that mends it',
  async (t) => {
    const home = zoneHome(t);
    const create = nodesOf(t, home);
    await (await create('first')).stop();
    for (const path of ['zones', ZONE, `${ZONE}/nodes`, `${ZONE}/access.key`]) {
      const full = join(home, path);
      renameSync(full, `${full}.real`);
      symlinkSync(`${full}.real`, full);
      const error = await failureOf<NotPermittedError>(t, create('here'));
      t.true(error instanceof NotPermittedError, `${path}: ${String(error)}`);
      t.true(error.message.includes(`${full} is a symbolic link; remove it: rm `), error.message);
      mend(error.message);
      renameSync(`${full}.real`, full);
      await (await create('here')).stop();
    }
    const link = `${zoneHome(t)}/link`;
    symlinkSync(home, link);
    process.env['TROUPE_HOME'] = link;
    const error = await failureOf(t, Node.create({ name: 'here' }));
    t.true(error instanceof NotPermittedError);
    t.true(error.message.includes(`export TROUPE_HOME='${home}'`), error.message);
  },
);

test.serial('a key that is damaged is refused, and never made anew by itself', async (t) => {
  const home = zoneHome(t);
  const create = nodesOf(t, home);
  await (await create('first')).stop();
  const key = join(home, ZONE, 'authority.key');
  const good = readFileSync(key);
  for (const bytes of [good.subarray(0, 20), Buffer.alloc(40), Buffer.concat([good, Buffer.from('x')])]) {
    writeFileSync(key, bytes);
    const error = await failureOf(t, create('here'));
    t.regex(error.message, /authority\.key .*begin the zone anew, with new keys: rm -r /);
    t.true(error instanceof NotPermittedError);
    t.deepEqual(readFileSync(key), bytes);
  }
  writeFileSync(key, good);
  await create('here');
});

test.serial('a half-written or foreign file among the records is skipped with a warning that names it', async (t) => {
  const home = zoneHome(t);
  const create = nodesOf(t, home);
  const records: LogRecord[] = [];
  setLogger((record) => records.push(record));
  t.teardown(() => setLogger(undefined));
  const [first, second] = [await create('first'), await create('second')];
  const folder = join(home, ZONE, 'nodes');
  const record = readFileSync(join(folder, 'second.node'));
  writeFileSync(join(folder, 'README.txt'), 'foreign');
  mkdirSync(join(folder, 'folder.node'));
  symlinkSync('/etc/passwd', join(folder, 'link.node'));
  writeFileSync(join(folder, 'open.node'), record, { mode: 0o644 });
  t.deepEqual(await names(first), ['first', 'second']);
  for (const name of ['README.txt', 'folder.node', 'link.node', 'open.node']) {
    while (!records.some(({ level, message }) => level === 'warn' && message.includes(name))) {
      await new Promise(setImmediate);
    }
  }
  const [warning] = records.filter(({ message }) => message.includes('link.node'));
  t.regex(warning?.message ?? '', /is a symbolic link.*not counted as a member/);
  // They hurt nobody: messages go on, others join, and each was told of once.
  await second.startWorker('echo', Echo);
  t.is(await first.sendAndReceive('echo', 'x'), 'x');
  await create('third');
  t.deepEqual(await names(first), ['first', 'second', 'third']);
  const told = records.filter(({ message }) => message.includes('README.txt')).length;
  t.true(told >= 1 && told <= 3, 'once by each node');
});

test.serial(
  'a half-written record that nobody holds goes away as one of a dead node, and its name is free',
  async (t) => {
    const home = zoneHome(t);
    const create = nodesOf(t, home);
    const first = await create('first');
    const folder = join(home, ZONE, 'nodes');
    const half = join(folder, 'second.node');
    writeFileSync(half, readFileSync(join(folder, 'first.node')).subarray(0, 30), { mode: 0o600 });
    t.deepEqual(await names(first), ['first']);
    while (existsSync(half)) await names(first);
    await create('second');
    t.deepEqual(await names(first), ['first', 'second']);
  },
);

test.serial('the record of a crash hurts nobody: the node is not there, and its name is free', async (t) => {
  const zone = testZone(t);
  const record = join(zone.home, ZONE, 'nodes', 'runner.node');
  const crashed = await zone.runner('runner');
  crashed.signal('SIGKILL');
  await crashed.ended;
  t.true(existsSync(record), 'nobody was there to take it away');
  const here = await nodesOf(t, zone.home)('here');
  t.deepEqual(await names(here), ['here']);
  t.true((await failureOf(t, Zone.node(here, 'runner'))) instanceof NodeUnreachableError);
  await zone.runner('runner');
  t.deepEqual(await names(here), ['here', 'runner']);
});

test.serial('zones of one user do not see each other, whatever the names of their nodes and workers', async (t) => {
  const create = nodesOf(t);
  const [one, other] = [await create('same', { zone: 'one' }), await create('same', { zone: 'other' })];
  const second = await create('second', { zone: 'one' });
  await one.startWorker('echo', Echo);
  t.deepEqual(await names(one), ['same', 'second']);
  t.deepEqual(await names(other), ['same']);
  t.is(await second.sendAndReceive('same/echo', 'x'), 'x');
  t.true((await failureOf(t, other.sendAndReceive('echo', 'x'))) instanceof NoSuchWorkerError);
  t.true((await failureOf(t, other.sendAndReceive('second/main', 'x'))) instanceof NodeUnreachableError);
});

test.serial('TROUPE_ZONE names the zone of a node that is given none', async (t) => {
  const create = nodesOf(t);
  process.env['TROUPE_ZONE'] = 'from-the-environment';
  t.teardown(() => delete process.env['TROUPE_ZONE']);
  const one = await create('one');
  await create('two', { zone: 'default' });
  await create('three', { zone: 'from-the-environment' });
  t.deepEqual(await names(one), ['one', 'three']);
});

test.serial(
  "an address that can't be listened on is said with the system's code, and leaves nothing behind",
  async (t) => {
    const home = zoneHome(t);
    const create = nodesOf(t, home);
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.teardown(() => server.close());
    const { port } = server.address() as AddressInfo;
    const error = await failureOf<NodeJS.ErrnoException>(t, create('here', { listen: `127.0.0.1:${port}` }));
    t.is(error.code, 'EADDRINUSE');
    t.regex(
      error.message,
      new RegExp(`node "here" can't be opened: can't listen on 127\\.0\\.0\\.1:${port}.*port 0 for any free port`),
    );
    t.deepEqual(readdirSync(join(home, ZONE, 'nodes')), []);
    await create('here');
  },
);

/** How a program that opens a node fails when its shell is prepared so; `shell` runs what is prepared. */
function failureIn(home: string, preparation: string, shell: readonly string[] = ['sh']): Record<string, string> {
  const program = `${process.execPath} --input-type=module -e '
    import { Node } from "troupe";
    await Node.create({ name: "here" }).catch(({ name, code, message }) => console.log(JSON.stringify({ name, code, message })));'`;
  const [command = 'sh', ...args] = [...shell, '-c', `${preparation} && exec ${program}`, home];
  const env = { PATH: process.env['PATH'], TROUPE_HOME: home };
  const { stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', env });
  return JSON.parse(stdout || stderr) as Record<string, string>;
}

test.serial("a node that can't write its files says so, with the system's code and the file", async (t) => {
  const home = zoneHome(t);
  const create = nodesOf(t, home);
  for (const file of ['access.key.new', 'drafts/']) {
    // No file may grow, and the signal that says so is ignored: each write fails, here and on every system.
    const { name, code, message } = failureIn(home, "trap '' XFSZ && ulimit -f 0");
    t.deepEqual([name, code], ['Error', 'EFBIG']);
    t.true(message?.startsWith(`node "here" can't be opened: can't write ${join(home, ZONE, file)}`), message);
    const all = readdirSync(join(home, ZONE), { recursive: true }) as string[];
    t.deepEqual(
      all.filter((path) => /^(?:drafts|nodes)\//.test(path)),
      [],
      'no record of a node that is not there',
    );
    // What was begun bars nobody: once there is room a node opens, the first time with keys that it makes.
    await (await create('here')).stop();
  }
});

/** A shell with file systems of its own, where the user may mount one. */
const APART = ['unshare', '--user', '--map-root-user', '--mount', 'sh'];
/** Gives the folder a file system of so many bytes. */
const tight = (size: string) => `mount -t tmpfs -o size=${size},mode=700 tmpfs "$0"`;
const canMount = (() => {
  const folder = mkdtempSync(join(tmpdir(), 'troupe-tight-'));
  const { status } = spawnSync(APART[0] ?? '', [...APART.slice(1), '-c', tight('4k'), folder]);
  rmSync(folder, { recursive: true });
  return status === 0;
})();
// Where nothing can be mounted (macOS; Linux that keeps name spaces from its users) a full disk is not proven: what a failed write does is,
// by the test before.
if (canMount) {
  test.serial("a full disk is said with the system's code and the file that has no place on it", (t) => {
    for (const [size, file] of [
      ['4k', 'authority.key.new'],
      ['8k', 'drafts/'],
    ] as const) {
      const home = zoneHome(t);
      const { name, code, message } = failureIn(home, tight(size), APART);
      t.deepEqual([name, code], ['Error', 'ENOSPC']);
      t.true(message?.startsWith(`node "here" can't be opened: can't write ${join(home, ZONE, file)}`), message);
      t.regex(message ?? '', /No space left on device/);
    }
  });
}
