/** The lines of a zone without a supervisor: read from its nodes, in order, as they come, and with what was missed. */
import test, { type ExecutionContext } from 'ava';
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Sorter } from '../cli/zone/lines.ts';
import type { Line } from '../cli/zone/reports.ts';
import { Shell } from './support/cli.ts';
import { until } from './support/node.ts';
import { nodeBinaries, Program } from './support/program.ts';

const line = (node: string, time: number, message = ''): Line => ({
  seq: 0,
  time,
  node,
  level: 'info',
  name: 'node',
  message,
});

/** The messages of lines in the order in which a sorter gives them away, and how many it had given before the end. */
function sorted(lines: Line[]): { order: string[]; early: number } {
  const order: string[] = [];
  const sorter = new Sorter(({ node, time, message }) => order.push(`${node}${time}${message}`));
  for (const each of lines) sorter.push(each);
  const early = order.length;
  sorter.flush();
  return { order, early };
}

test('lines are put into the order of their times, those of one moment as they came', (t) => {
  const { order } = sorted([line('a', 3), line('b', 1), line('a', 4), line('b', 3, 'x'), line('c', 3), line('c', 9)]);
  t.deepEqual(order, ['b1', 'a3', 'b3x', 'c3', 'a4', 'c9']);
});

test('lines of one node keep their order when its clock is set back', (t) => {
  const { order } = sorted([line('a', 5, 'first'), line('a', 2, 'second'), line('b', 3), line('a', 6, 'third')]);
  t.deepEqual(order, ['b3', 'a5first', 'a2second', 'a6third']);
});

test('a sorter holds no more than twice what a node keeps', (t) => {
  const { order, early } = sorted(Array.from({ length: 50_000 }, (_, i) => line('a', i % 2 === 0 ? i + 1 : i - 1)));
  t.true(early >= 30_000, `${early}`);
  t.is(order.length, 50_000);
});

const RUNNER = fileURLToPath(new URL('../examples/runner.ts', import.meta.url));

/** Starts a node by hand, as its users do; it logs that it is up. */
function runner(t: ExecutionContext, { home }: Shell, name: string): Program {
  const [binary] = nodeBinaries();
  return new Program(t, [...(binary?.args ?? []), RUNNER], { TROUPE_HOME: home, TROUPE_NODE: name });
}

test('the lines of nodes without a supervisor are read from the nodes, each once', async (t) => {
  const shell = new Shell(t);
  runner(t, shell, 'one');
  runner(t, shell, 'two');
  const up = async () => {
    const { code, stdout } = await shell.run('zone', 'logs', '--json', '--level', 'info');
    return (code === 0 ? (JSON.parse(stdout) as Line[]) : []).filter(({ message }) => message.endsWith(' is up'));
  };
  await until(async () => (await up()).length === 2);
  t.deepEqual((await up()).map(({ node, message }) => `${node}: ${message}`).sort(), [
    'one: one is up',
    'two: two is up',
  ]);
  t.is((await shell.run('zone', 'logs', '--zone', 'empty')).code, 3);
});

test('who follows sees what there is, what comes, and nodes that come later, each line once', async (t) => {
  const shell = new Shell(t);
  runner(t, shell, 'one');
  await until(async () => (await shell.run('zone', 'logs', '--node', 'one')).stdout.includes('one is up'));
  const following = shell.start(['zone', 'logs', '-f', '--level', 'info']);
  await following.until(({ stdout }) => stdout.includes('one is up'));
  runner(t, shell, 'two');
  await following.until(({ stdout }) => stdout.includes('two is up'));
  const json = shell.start(['zone', 'logs', '-f', '--json', '-n', '1', '--node', 'two']);
  await json.until(({ stdout }) => stdout.includes('\n'));
  t.is((JSON.parse(json.stdout.split('\n')[0] ?? '') as Line).message, 'two is up');
  for (const program of [following, json]) {
    program.signal('SIGINT');
    t.is((await program.ended).code, 130);
  }
  for (const name of ['one', 'two']) t.is(following.stdout.split(`${name} is up`).length, 2, following.stdout);
});

test('who follows is told when nobody can say who is in the zone, and goes on when somebody can again', async (t) => {
  const shell = new Shell(t);
  const one = runner(t, shell, 'one');
  await until(async () => (await shell.run('zone', 'logs', '--node', 'one')).stdout.includes('one is up'));
  const following = shell.start(['zone', 'logs', '-f', '--level', 'info']);
  await following.until(({ stdout }) => stdout.includes('one is up'));
  const nodes = join(shell.home, 'zones', 'default', 'nodes');
  renameSync(nodes, `${nodes}-aside`);
  writeFileSync(nodes, 'no folder');
  // Whoever asked it for lines now looks whether it is there.
  one.signal('SIGKILL');
  await following.until(({ stderr }) => stderr.includes('the lines of "the zone" can\'t be read'));
  rmSync(nodes);
  renameSync(`${nodes}-aside`, nodes);
  runner(t, shell, 'two');
  await following.until(({ stdout }) => stdout.includes('two is up'));
  following.signal('SIGINT');
  t.is((await following.ended).code, 130);
  for (const name of ['one', 'two']) t.is(following.stdout.split(`${name} is up`).length, 2, following.stdout);
});
