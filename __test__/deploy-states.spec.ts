// What a deploy says of containers that are not simply up, or can't be, and of what is left of a zone before.
import test from 'ava';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Change, ContainerStatus, Line } from '../cli/zone/reports.ts';
import { Shell } from './support/cli.ts';
import { until } from './support/node.ts';
import { observerSettings, openAs } from './support/observer.ts';
import { answering, pids, POD, project, write } from './support/project.ts';

test.serial('a deploy counts what is up, names what is done, and fails for a program without a node', async (t) => {
  const shell = new Shell(t);
  const job = `console.log('done');`;
  project(shell, POD('well') + POD('job'), { well: answering('a'), job });
  const done = await shell.ok('zone', 'deploy');
  t.regex(done.stderr, /^job is done: exited with status 0, /m);
  t.regex(done.stderr, /zone "shop" is up: 1 containers/);
  t.deepEqual(
    (await shell.list<Change>('zone', 'deploy')).map(({ node, what, why }) => [node, what, why]),
    [
      ['job', 'replace', 'it had ended'],
      ['well', 'keep', 'nothing has changed'],
    ],
  );
  write(shell, POD('well') + POD('silent'), { silent: `setInterval(() => {}, 1000);` });
  const { code, stderr } = await shell.run('zone', 'deploy');
  t.is(code, 1, stderr);
  t.regex(
    stderr,
    /1 of 2 containers of zone "shop" are not up:\n {2}silent: its process, \d+, runs, and its node is not in the zone/,
  );
  t.deepEqual(
    (await shell.list<ContainerStatus>('zone', 'show')).map(({ node, state }) => [node, state]),
    [
      ['silent', 'running'],
      ['well', 'up'],
    ],
  );
  await shell.ok('zone', 'delete', '--yes');
});

test.serial('a deploy right after the supervisor was killed waits for the nodes that still drain', async (t) => {
  const shell = new Shell(t);
  const gate = join(shell.home, '..', 'gate');
  // Ends, when it is asked to, as soon as the gate is there.
  const slow = `import { existsSync } from 'node:fs';
    import { Node } from 'troupe';
    process.on('SIGTERM', () => setInterval(() => existsSync(process.env.GATE) && process.exit(0), 10));
    await Node.create();`;
  project(shell, `  - { name: one, containers: [{ image: one, env: { GATE: ${gate} } }] }\n`, { one: slow });
  await shell.ok('zone', 'deploy');
  const before = await pids(shell);
  const supervisor = shell.processes().find(({ command }) => command.includes('troupe-supervisor'));
  process.kill(supervisor?.pid ?? 0, 'SIGKILL');
  const again = shell.start(['zone', 'deploy']);
  await until(async () =>
    (await shell.list<Line>('zone', 'logs')).some(({ message }) => message.includes('is in the zone still')),
  );
  writeFileSync(gate, '');
  t.is((await again.ended).code, 0, again.stderr);
  t.regex(again.stderr, /zone "shop" is up: 1 containers/);
  const [one] = await shell.list<ContainerStatus>('zone', 'show');
  t.like(one, { node: 'one', state: 'up', restarts: 0, lastExit: undefined });
  t.not(one?.pid, before['one']);
  await shell.ok('zone', 'delete', '--yes');
});

test.serial('a zone whose node has the supervisor’s name says so at once', async (t) => {
  const shell = new Shell(t);
  project(shell, POD('one'), { one: answering('a') });
  process.env['TROUPE_HOME'] = shell.home;
  const namesake = await openAs({ ...observerSettings('shop'), name: 'troupe-supervisor', role: 0 });
  t.teardown(() => namesake.stop({ timeout: 0 }));
  const { code, stderr } = await shell.run('zone', 'deploy');
  t.is(code, 1);
  t.regex(stderr, /zone "shop" can have no supervisor: one of its nodes is called "troupe-supervisor"/);
});
