/** Commands on a terminal: what they ask, what they show of how it goes, in colour and as wide as there is room. */
import test, { type ExecutionContext } from 'ava';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { hasTerminals, Shell } from './support/cli.ts';
import { until } from './support/node.ts';
import type { ContainerStatus } from '../cli/zone/reports.ts';

const POD = 'a-pod-whose-name-takes-the-width-of-a-terminal';

/** A deployed zone of one container, which ends only when there is a file `gate`. */
async function deployed(t: ExecutionContext): Promise<{ shell: Shell; open: () => void }> {
  const shell = new Shell(t);
  shell.install('');
  const gate = join(shell.home, '..', 'gate');
  const program = `import { existsSync } from 'node:fs';
    import { Node } from 'troupe';
    class Silent { handleMessage() { return new Promise(() => {}); } }
    process.on('SIGTERM', () => setInterval(() => existsSync(process.env.GATE) && process.exit(0), 10));
    const node = await Node.create();
    await node.startWorker('silent-and-with-a-long-name', Silent);`;
  writeFileSync(join(shell.folder, 'package.json'), '{ "type": "module" }\n');
  writeFileSync(
    join(shell.folder, 'troupe.yaml'),
    `name: shop\npods:\n  - { name: ${POD}, containers: [{ image: one, env: { GATE: ${gate} } }] }\n`,
  );
  mkdirSync(join(shell.folder, 'images', 'one'), { recursive: true });
  writeFileSync(join(shell.folder, 'images', 'one', 'main.js'), program);
  await shell.ok('zone', 'deploy');
  return { shell, open: () => writeFileSync(gate, '') };
}

const QUESTION = 'Stop 1 containers of zone "shop" and its supervisor? [y/N] ';
const RED = '\u001b[31m';
const ERASE = '\r\u001b[K';

/** Whether a test can do what it is for; where it can't, it says so. */
function isCheckable(t: ExecutionContext): boolean {
  if (!hasTerminals) {
    t.log('not checkable: this machine has no `script` (util-linux), which makes a terminal');
    t.pass();
  }
  return hasTerminals;
}

test.serial('delete asks on a terminal and does nothing unless it is told yes, then shows how it goes', async (t) => {
  if (!isCheckable(t)) return;
  const { shell, open } = await deployed(t);
  const asked = () => {
    const terminal = shell.terminal(80, ['zone', 'delete']);
    return terminal.until(({ stdout }) => stdout.includes(QUESTION)).then(() => terminal);
  };
  const pids = async () => (await shell.list<ContainerStatus>('zone', 'show')).map(({ pid }) => pid);
  const before = await pids();
  const answers = { 'n\r': 1, '\r': 1, 'yesterday\r': 1, '\u0003': 130, 'y\u0003': 130, '\u0004': 1 };
  for (const [keys, status] of Object.entries(answers)) {
    const terminal = await asked();
    terminal.type(keys);
    t.is((await terminal.ended).code, status, JSON.stringify(keys));
    t.true(
      terminal.stdout.endsWith(`\n${RED}error:\u001b[39m nothing was stopped\r\n`),
      JSON.stringify(terminal.stdout),
    );
  }
  t.deepEqual(await pids(), before);

  const terminal = await asked();
  terminal.type('Yes\r');
  await terminal.until(({ stdout }) => stdout.includes('draining 1 containers of zone shop ('));
  open();
  t.is((await terminal.ended).code, 0, terminal.stdout);
  // What was shown of how it went is gone.
  t.regex(terminal.stdout.split(ERASE).at(-1) ?? '', /^\S+✓\S+ zone "shop" is down: 1 containers/);
  await until(() => shell.processes().length === 0);
});

test.serial('what a terminal shows has its colours unless NO_COLOR, and what a pipe gets has none', async (t) => {
  if (!isCheckable(t)) return;
  const { shell, open } = await deployed(t);
  // eslint-disable-next-line no-control-regex -- they are what is looked for
  const colours = /\u001b\[\d+m/;
  for (const args of [
    ['zone', 'nodes'],
    ['zone', 'show'],
    ['zone', 'workers'],
    ['zone', 'list'],
    ['zone', 'logs'],
  ]) {
    const plain = shell.terminal(80, args, { NO_COLOR: '1' });
    t.is((await plain.ended).code, 0, plain.stdout);
    t.notRegex(plain.stdout, colours, args[1]);
    const coloured = shell.terminal(80, args);
    await coloured.ended;
    t.regex(coloured.stdout, colours, args[1]);
    const piped = await shell.ok(...args);
    t.false(`${piped.stdout}${piped.stderr}`.includes('\u001b'), args[1]);
  }
  open();
  await shell.ok('zone', 'delete', '--yes');
});

test.serial('a table on a terminal of 40 columns is no wider, and says what and how', async (t) => {
  if (!isCheckable(t)) return;
  const { shell, open } = await deployed(t);
  const tables: [string[], RegExp][] = [
    [['zone', 'nodes'], /^NODE +STATE/],
    [['zone', 'show'], /^NODE +STATE/],
    [['zone', 'workers'], /^NODE +WORKER +STATE +QUEUED/],
    [['zone', 'list'], /^ZONE +NODES/],
    [['zone', 'deploy', '--dry-run'], /^ +NODE +CHANGE/],
  ];
  for (const [args, header] of tables) {
    const terminal = shell.terminal(40, args);
    t.is((await terminal.ended).code, 0, terminal.stdout);
    const lines = stripVTControlCharacters(terminal.stdout).split('\r\n');
    const at = lines.findIndex((line) => header.test(line));
    t.true(at >= 0, terminal.stdout);
    for (const line of lines.slice(at, at + 2)) t.true(line.length <= 40, `${args.join(' ')}: ${line}`);
    t.true(args[1] === 'list' || lines[at + 1]?.includes('…'), lines[at + 1]);
  }
  open();
  await shell.ok('zone', 'delete', '--yes');
});

test.serial('who waits for a reply is shown so on a terminal only, and the line is gone when it is over', async (t) => {
  if (!isCheckable(t)) return;
  const { shell, open } = await deployed(t);
  const args = ['ask', `${POD}/silent-and-with-a-long-name`, 'x', '--timeout', '2s'];
  const terminal = shell.terminal(60, args);
  t.is((await terminal.ended).code, 4, terminal.stdout);
  const shown = terminal.stdout.split(ERASE);
  t.true(shown.some((text) => /^\S waiting for the reply of a-pod-whose-name/.test(text)));
  for (const text of shown.slice(0, -1)) t.true(text.length < 60, text);
  t.true(shown.at(-1)?.startsWith(`${RED}error:`), shown.at(-1));
  const piped = await shell.run(...args);
  t.notRegex(piped.stderr, /waiting/);
  open();
  await shell.ok('zone', 'delete', '--yes');
});
