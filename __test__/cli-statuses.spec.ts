/** How commands end: with the status that docs/operations.md gives them, one error that says what to do, and an array where --json asks for one. */
import test, { type ExecutionContext } from 'ava';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Shell, type Ended } from './support/cli.ts';
import { until } from './support/node.ts';
import { nodeBinaries, Program } from './support/program.ts';

/** What a person can do next: a command, another value, a variable, a key. */
const ADVICE =
  /`troupe [^`]+`|troupe init|expected|must be|Expected|Its nodes are|Allowed choices|--help|--port|--timeout|TROUPE_HOME/;

/** Checks how a command has ended. */
function check(t: ExecutionContext, args: readonly string[], ended: Ended, status: number): void {
  const { code, stdout, stderr } = ended;
  const command = `troupe ${args.join(' ')}`;
  t.is(code, status, `${command}:\n${stderr}`);
  if (status === 0) t.notRegex(stderr, /error:/, command);
  else {
    t.is(stderr.match(/^error: /gm)?.length, 1, `${command}: ${stderr}`);
    t.regex(stderr, ADVICE, command);
    t.notRegex(stderr, /^\s+at /m, command);
  }
  // What the parser of arguments refuses is no listing yet.
  if (args.includes('--json') && !/--help/.test(stderr)) {
    t.true(Array.isArray(JSON.parse(stdout)), `${command}: ${stdout}`);
    if (status !== 0) t.deepEqual(JSON.parse(stdout), [], command);
  } else if (status !== 0) t.is(stdout, '', command);
}

const LISTINGS = [['list'], ['show'], ['nodes'], ['workers'], ['logs'], ['deploy'], ['deploy', '--dry-run']];

test('where nothing is up each command ends with its status, and each listing is an empty array', async (t) => {
  const shell = new Shell(t);
  const expected: [number, ...string[]][] = [
    [0, 'zone', 'list'],
    [3, 'zone', 'show'],
    [3, 'zone', 'nodes'],
    [3, 'zone', 'workers'],
    [3, 'zone', 'logs'],
    [3, 'zone', 'logs', '-n', '3'],
    [2, 'zone', 'deploy'],
    [2, 'zone', 'deploy', '--dry-run'],
    [3, 'zone', 'delete', '--yes'],
    [3, 'zone', 'nodes', '--node', 'nobody'],
    [3, 'zone', 'workers', '--node', 'nobody'],
    [3, 'ask', 'nobody', 'x'],
    [3, 'ask', 'nowhere/nobody', 'x'],
    [3, 'send', 'nobody', 'x'],
  ];
  for (const [status, ...args] of expected) {
    check(t, args, await shell.run(...args), status);
    const isListing = args[0] === 'zone' && args[1] !== 'delete';
    if (isListing) check(t, [...args, '--json'], await shell.run(...args, '--json'), status);
  }
  t.false(existsSync(join(shell.home, 'zones')), 'who only looks makes no zone');
});

test('wrong arguments are status 2, and nothing is done', async (t) => {
  const shell = new Shell(t);
  const wrong = [
    ['bogus'],
    ['zone', 'bogus'],
    ['init'],
    ['init', 'Not-A-Name'],
    ['ask', 'one'],
    ['ask', 'a//b', 'x'],
    ['ask', 'with space', 'x'],
    ['ask', '', 'x'],
    ['send', 'a/b/c', 'x'],
    ['ask', 'a', 'b', '--timeout', '5'],
    ['ask', 'a', 'b', '--timeout', '-1s'],
    ['zone', 'logs', '-n', '-1'],
    ['zone', 'logs', '-n', 'many'],
    ['zone', 'logs', '--level', 'loud'],
    ['zone', 'inlet'],
    ['zone', 'inlet', '--to', 'nowhere'],
    ['zone', 'inlet', '--to', 'logs', '--port', '70000'],
    ['zone', 'nodes', '--zone', 'a/b'],
    ['zone', 'nodes', '--zone', ''],
    ['zone', 'delete', '--no-such-option'],
    ...LISTINGS.map((args) => ['zone', ...args, '--bogus', '--json']),
    ...['show', 'nodes', 'workers', 'logs'].map((name) => ['zone', name, '--zone', '../x', '--json']),
  ];
  for (const args of wrong) check(t, args, await shell.run(...args), 2);
  t.deepEqual(shell.processes(), []);
});

/** A node started by hand, with workers that answer, say nothing, and fail. */
async function one(t: ExecutionContext, shell: Shell): Promise<void> {
  const file = join(shell.folder, 'one.mjs');
  shell.install('');
  writeFileSync(
    file,
    `import { info, Node } from 'troupe';
    class Echo { handleMessage(context, message) { return context.reply(message); } }
    class Silent { handleMessage() { return new Promise(() => {}); } }
    class Failing { handleMessage() { throw new RangeError('too far'); } }
    await Node.start(async (node) => {
      await node.startWorker('echo', Echo);
      await node.startWorker('silent', Silent);
      await node.startWorker('failing', Failing);
      info('here');
      console.log('ready');
    });`,
  );
  const program = new Program(t, [file], { TROUPE_HOME: shell.home, TROUPE_NODE: 'one' }, nodeBinaries()[0]?.path, {
    cwd: shell.folder,
  });
  await program.until(({ stdout }) => stdout.includes('ready'));
}

test('with a node in the zone each command ends with its status, and each listing is an array', async (t) => {
  const shell = new Shell(t);
  await one(t, shell);
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  const expected: [number, ...string[]][] = [
    [0, 'zone', 'list'],
    [3, 'zone', 'show'],
    [0, 'zone', 'nodes'],
    [0, 'zone', 'workers'],
    [0, 'zone', 'logs'],
    [0, 'zone', 'logs', '-n', '0'],
    [0, 'zone', 'nodes', '--node', 'one'],
    [3, 'zone', 'nodes', '--node', 'two'],
    [3, 'zone', 'workers', '--node', 'two'],
    [0, 'ask', 'one/echo', 'x'],
    [0, 'send', 'one/echo', 'x'],
    [3, 'ask', 'one/nobody', 'x'],
    [4, 'ask', 'one/silent', 'x', '--timeout', '50ms'],
    [1, 'ask', 'one/failing', 'x'],
    [1, 'zone', 'inlet', '--to', 'logs', '--port', String(port)],
    [3, 'zone', 'delete', '--yes'],
  ];
  for (const [status, ...args] of expected) {
    check(t, args, await shell.run(...args), status);
    if (args[0] === 'zone' && !['delete', 'inlet'].includes(args[1] ?? ''))
      check(t, [...args, '--json'], await shell.run(...args, '--json'), status);
  }
});

test('what is interrupted ends with status 130', async (t) => {
  const shell = new Shell(t);
  await one(t, shell);
  const endless = [
    shell.start(['zone', 'logs', '-f']),
    shell.start(['zone', 'inlet', '--to', 'logs', '--port', '0']),
    shell.start(['ask', 'one/silent', 'x']),
  ];
  await endless[0]?.until(({ stdout }) => stdout !== '');
  await endless[1]?.until(({ stdout }) => stdout !== '');
  await until(async () =>
    (await shell.list<{ name: string; state: string }>('zone', 'workers')).some(
      ({ name, state }) => name === 'silent' && state !== 'idle',
    ),
  );
  for (const program of endless) {
    program.signal('SIGINT');
    t.is((await program.ended).code, 130, program.stderr);
  }
});
