/**
 * The session of a person: a project from nothing, deployed, looked at, asked, changed, deployed again, taken down. On the package of this
 * tree; scripts/check-package.mjs does the beginning of it with the tarballs that npm installs. One after the other: each starts a dozen
 * processes.
 */
import test from 'ava';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Change, ContainerStatus, Line, NodeState, WorkerState } from '../cli/zone/reports.ts';
import { readConfig } from '../cli/config/read.ts';
import { planOf } from '../cli/plan/plan.ts';
import type * as observers from '../lib/observer.ts';
import { Shell } from './support/cli.ts';
import { until } from './support/node.ts';
import { answering, pids, POD, project, write } from './support/project.ts';

const { openObserver, ask, SUPERVISE } = (await import(
  new URL('../dist/observer.js', import.meta.url).href
)) as typeof observers;

test.serial('a project from nothing is deployed, watched, asked and deleted, and nothing of it is left', async (t) => {
  const shell = new Shell(t);
  await shell.ok('init', 'demo');
  shell.install('demo');

  const dry = await shell.list<Change>('zone', 'deploy', '--dry-run');
  t.deepEqual(
    dry.map(({ node, what }) => [node, what]),
    [
      ['runner-0', 'start'],
      ['runner-1', 'start'],
      ['client', 'start'],
    ],
  );
  t.deepEqual(shell.processes(), [], '--dry-run starts nothing');

  const deployed = await shell.ok('zone', 'deploy');
  t.regex(deployed.stderr, /zone "demo" is up: 3 containers/);

  const nodes = await shell.list<NodeState>('zone', 'nodes');
  t.deepEqual(
    nodes.map(({ node, state }) => [node, state]),
    [
      ['client', 'up'],
      ['runner-0', 'up'],
      ['runner-1', 'up'],
    ],
  );
  const running = await pids(shell);
  t.deepEqual(
    nodes.map(({ node, pid }) => [node, pid]),
    Object.entries(running).sort(),
    'what the nodes say of themselves is what the supervisor says of its processes',
  );
  t.deepEqual(
    (await shell.list<{ zone: string; nodes: number }>('zone', 'list')).map(({ zone, nodes }) => [zone, nodes]),
    [['demo', 3]],
  );

  // The client starts a greeter on each runner by itself.
  await until(async () => {
    const workers = await shell.list<WorkerState & { node: string }>('zone', 'workers');
    const greeters = workers.filter(({ name, type }) => name === 'greeter' && type === 'Greeter');
    return greeters.length === 2 && greeters.every(({ handled }) => handled > 0);
  });
  t.is((await shell.ok('ask', 'runner-0/greeter', 'Hi')).stdout, 'Hello, Hi!\n');
  await shell.ok('send', 'runner-1/greeter', 'there');
  const greeted = ({ node, message }: Line) => node === 'runner-1' && /^greeting number \d+: there$/.test(message);
  await until(async () => (await shell.list<Line>('zone', 'logs')).some(greeted));

  t.is((await shell.run('zone', 'delete')).code, 2, 'without a terminal to ask at it wants to be told');
  t.deepEqual(await pids(shell), running, 'and has done nothing');
  t.regex((await shell.ok('zone', 'delete', '--yes')).stderr, /zone "demo" is down: 3 containers/);
  await until(() => shell.processes().length === 0);
  t.deepEqual(await shell.list('zone', 'list'), []);
  t.is((await shell.run('zone', 'delete', '--yes')).code, 3);
  t.is((await shell.run('zone', 'show')).code, 3);
});

test.serial(
  'lines come once, in the order of their times, what a program prints among them, with nodes that are gone',
  async (t) => {
    const shell = new Shell(t);
    const talking = `import { info, Node, warn } from 'troupe';
    console.log('printed');
    await Node.start(async (node) => { info('logged', { by: node.name }); warn('\\u001b[31mcareful'); });`;
    project(shell, POD('one') + POD('two'), { one: talking, two: talking });
    await shell.ok('zone', 'deploy');
    const about = (lines: Line[], node: string) =>
      lines
        .filter((line) => line.node === node && ['node', 'stdout'].includes(line.name))
        .map(({ message }) => message);
    let lines: Line[] = [];
    const all = ['printed', 'logged', '\u001b[31mcareful'];
    await until(async () => {
      lines = await shell.list<Line>('zone', 'logs');
      return ['one', 'two'].every((node) => all.every((message) => about(lines, node).includes(message)));
    });
    for (const node of ['one', 'two']) t.deepEqual(about(lines, node).sort(), [...all].sort(), node);
    // What is printed has the time at which the supervisor took it, behind what the node records by itself.
    for (const isPrinted of [true, false]) {
      const times = lines
        .filter(({ name }) => (name === 'stdout' || name === 'stderr') === isPrinted)
        .map(({ time }) => time);
      t.deepEqual(
        times,
        [...times].sort((a, b) => a - b),
      );
    }

    const plain = await shell.ok('zone', 'logs', '--node', 'two', '--level', 'warn');
    t.regex(plain.stdout, /^\d{4}-\d\d-\d\dT[\d:.]+Z WARN {2}two ␛\[31mcareful$/m);
    t.notRegex(plain.stdout, /logged|one/);

    // Gone from troupe.yaml: its node is gone, what it said is not.
    writeFileSync(join(shell.folder, 'troupe.yaml'), `name: shop\npods:\n${POD('one')}`);
    await shell.ok('zone', 'deploy');
    t.deepEqual(
      (await shell.list<NodeState>('zone', 'nodes')).map(({ node }) => node),
      ['one'],
    );
    t.deepEqual(about(await shell.list<Line>('zone', 'logs'), 'two').sort(), [...all].sort());
    await shell.ok('zone', 'delete', '--yes');
  },
);

test.serial('a second deploy replaces what has changed and leaves the rest alone', async (t) => {
  const shell = new Shell(t);
  project(shell, POD('one') + POD('two') + POD('three'), {
    one: answering('a'),
    two: answering('a'),
    three: answering('a'),
  });
  await shell.ok('zone', 'deploy');
  const before = await pids(shell);
  const changes = async (...args: string[]) =>
    (await shell.list<Change>('zone', 'deploy', ...args)).map(({ node, what }) => `${what} ${node}`).sort();
  t.deepEqual(await changes(), ['keep one', 'keep three', 'keep two']);
  t.deepEqual(await pids(shell), before);

  writeFileSync(join(shell.folder, 'images', 'two', 'main.js'), answering('b'));
  writeFileSync(
    join(shell.folder, 'troupe.yaml'),
    `name: shop\npods:\n${POD('one') + POD('two') + POD('four', 'one')}`,
  );
  const wanted = ['keep one', 'replace two', 'start four', 'stop three'];
  t.deepEqual(await changes('--dry-run'), wanted);
  t.deepEqual(await pids(shell), before, '--dry-run changes nothing');
  t.deepEqual(await changes(), wanted);
  const after = await pids(shell);
  t.deepEqual(Object.keys(after).sort(), ['four', 'one', 'two']);
  t.is(after['one'], before['one']);
  t.not(after['two'], before['two']);
  t.is((await shell.ok('ask', 'two/answer', 'x')).stdout, `${after['two']} b x\n`);
  t.is((await shell.ok('ask', 'one/answer', 'x')).stdout, `${before['one']} a x\n`);
  t.false(existsSync(`/proc/${before['three']}`));
  await shell.ok('zone', 'delete', '--yes');
});

test.serial('two deploys at once bring up one zone', async (t) => {
  const shell = new Shell(t);
  project(shell, POD('one') + POD('two'), { one: answering('a'), two: answering('a') });
  const deploys = [shell.start(['zone', 'deploy']), shell.start(['zone', 'deploy'])];
  for (const deploy of deploys) t.is((await deploy.ended).code, 0, deploy.stderr);
  const commands = () => shell.processes().map(({ command }) => command);
  // The supervisor that came too late has ended by itself.
  await until(() => commands().length === 3);
  t.is(commands().filter((command) => command.includes('troupe-supervisor')).length, 1);
  for (const name of ['one', 'two'])
    t.is(commands().filter((command) => command.endsWith(`${name}/main.js`)).length, 1);
  await shell.ok('zone', 'delete', '--yes');
});

test.serial('while another deploy is at work the second waits, and says for whom', async (t) => {
  const shell = new Shell(t);
  const gate = join(shell.home, '..', 'gate');
  // Ends, when it is asked to, as soon as the gate is there.
  const reluctant = `import { existsSync } from 'node:fs';
    import { Node } from 'troupe';
    process.on('SIGTERM', () => setInterval(() => existsSync(process.env.GATE) && process.exit(0), 10));
    await Node.create();`;
  const pods = (version: number) =>
    `  - { name: one, containers: [{ image: one, env: { GATE: ${gate}, VERSION: ${version} } }] }\n`;
  project(shell, pods(1), { one: reluctant });
  await shell.ok('zone', 'deploy');
  writeFileSync(join(shell.folder, 'troupe.yaml'), `name: shop\npods:\n${pods(2)}`);

  // This process is the first; it gives the container all the time it wants.
  process.env['TROUPE_HOME'] = shell.home;
  const observer = await openObserver('shop');
  t.teardown(() => observer.stop({ timeout: 0 }));
  const config = readConfig(join(shell.folder, 'troupe.yaml'), shell.folder);
  const node = { path: process.execPath, version: process.versions.node };
  const supervised = pathToFileURL(join(shell.folder, 'node_modules/troupe/dist/supervised.js')).href;
  const plan = planOf(config, {
    project: shell.folder,
    version: '0',
    supervised,
    node,
    env: { TROUPE_HOME: shell.home },
  });
  const first = ask(observer, 'troupe-supervisor', SUPERVISE, { apply: { ...plan, drainMs: 600_000 } }, 600_000);
  await until(async () =>
    (await shell.list<ContainerStatus>('zone', 'show')).some(({ state }) => state === 'draining'),
  );

  const second = shell.start(['zone', 'deploy']);
  const waits = new RegExp(`process ${process.pid} \\(.*\\) has been deploying to zone "shop" for .*; waiting`);
  await second.until(({ stderr }) => waits.test(stderr));
  writeFileSync(gate, '');
  t.deepEqual((await first) as object, {
    changes: [{ node: 'one', what: 'replace', why: 'its image or its configuration has changed' }],
  });
  t.is((await second.ended).code, 0, second.stderr);
  t.is(second.stderr.match(/has been deploying/g)?.length, 1, 'it says so once');
  await shell.ok('zone', 'delete', '--yes');
});

test.serial('a deploy while the zone is being deleted waits for that, and brings it up anew', async (t) => {
  const shell = new Shell(t);
  const gate = join(shell.home, '..', 'gate');
  // Ends, when it is asked to, as soon as the gate is there.
  const reluctant = `import { existsSync } from 'node:fs';
    import { Node } from 'troupe';
    process.on('SIGTERM', () => setInterval(() => existsSync(process.env.GATE) && process.exit(0), 10));
    await Node.create();`;
  project(shell, `  - { name: one, containers: [{ image: one, env: { GATE: ${gate} } }] }\n`, { one: reluctant });
  await shell.ok('zone', 'deploy');
  const before = await pids(shell);
  const deleting = shell.start(['zone', 'delete', '--yes']);
  await until(async () =>
    (await shell.list<ContainerStatus>('zone', 'show')).some(({ state }) => state === 'draining'),
  );
  const deploying = shell.start(['zone', 'deploy']);
  await deploying.until(({ stderr }) => stderr.includes('zone "shop" is being deleted; waiting until that is done'));
  writeFileSync(gate, '');
  t.is((await deleting.ended).code, 0, deleting.stderr);
  t.is((await deploying.ended).code, 0, deploying.stderr);
  t.regex(deploying.stdout, /^\+ {2}one +start/m);
  t.not((await pids(shell))['one'], before['one']);
  t.is(shell.processes().filter(({ command }) => command.includes('troupe-supervisor')).length, 1);
  await shell.ok('zone', 'delete', '--yes');
});

test.serial('a troupe.yaml with mistakes is told all of them and starts nothing', async (t) => {
  const shell = new Shell(t);
  project(shell, `  - { name: one, clons: 2, containers: [{ imag: one, env: 7 }] }\n  - nothing\n`, { one: '' });
  const { code, stdout, stderr } = await shell.run('zone', 'deploy');
  t.is(code, 2);
  t.is(stdout, '');
  t.deepEqual(stderr.match(/troupe\.yaml:\d+:\d+: /g)?.length, 4);
  t.regex(stderr, /troupe\.yaml:3:18: unknown key "clons"; did you mean "clones"\?/);
  t.deepEqual(shell.processes(), []);
});

test.serial('a zone that runs another project is not taken over', async (t) => {
  const shell = new Shell(t);
  for (const name of ['first', 'second']) mkdirSync(join(shell.folder, name));
  const base = shell.folder;
  shell.install('first');
  write(shell, POD('one'), { one: answering('a') });
  await shell.ok('zone', 'deploy');
  const before = await pids(shell);
  const { folder: first } = shell;
  shell.folder = base;
  shell.install('second');
  write(shell, POD('other'), { other: answering('b') });
  const { code, stderr } = await shell.run('zone', 'deploy');
  t.is(code, 1);
  t.true(stderr.includes(`zone "shop" runs the project in ${first}; `), stderr);
  t.regex(stderr, /troupe zone delete --zone shop/);
  t.deepEqual(await pids(shell), before);
  await shell.ok('zone', 'delete', '--yes');
  await shell.ok('zone', 'deploy');
  t.deepEqual(Object.keys(await pids(shell)), ['other']);
  await shell.ok('zone', 'delete', '--yes');
});

test.serial('a container that does not come up fails the deploy, with how it ended', async (t) => {
  const shell = new Shell(t);
  project(shell, POD('well') + POD('ill'), { well: answering('a'), ill: 'process.exit(7);\n' });
  const { code, stderr } = await shell.run('zone', 'deploy');
  t.is(code, 1);
  t.regex(stderr, /1 of 2 containers of zone "shop" are not up:\n {2}ill: exited with status 7/);
  t.regex(stderr, /troupe zone logs --node ill/);
  t.is((await shell.ok('ask', 'well/answer', 'x')).stdout.split(' ')[1], 'a');
  await shell.ok('zone', 'delete', '--yes');
});

test.serial('who asks a worker that is not there, or does not answer in time, is told what to do', async (t) => {
  const shell = new Shell(t);
  const silent = `import { Node } from 'troupe';
    await Node.start((node) => node.startWorker('silent', { handleMessage() {} }));`;
  project(shell, POD('one'), { one: silent });
  await shell.ok('zone', 'deploy');
  const nobody = await shell.run('ask', 'one/nobody', 'x');
  t.is(nobody.code, 3, nobody.stderr);
  t.regex(nobody.stderr, /troupe zone workers/);
  t.is((await shell.run('ask', 'nowhere/nobody', 'x')).code, 3);
  const late = await shell.run('ask', 'one/silent', 'x', '--timeout', '100ms');
  t.is(late.code, 4, late.stderr);
  t.is((await shell.run('ask', 'one/silent', 'x', '--timeout', 'soon')).code, 2);
  t.is((await shell.run('zone', 'nodes', '--node', 'nowhere')).code, 3);
  await shell.ok('zone', 'delete', '--yes');
});

test.serial('the nodes of a public pod are served over HTTP where listings say, others are not', async (t) => {
  const shell = new Shell(t);
  const token = join(shell.home, '..', 'token');
  writeFileSync(token, 'of some length, by chance\n', { mode: 0o600 });
  const open = (name: string, more: string, image = 'one', env = '{}') =>
    `  - { name: ${name}, public: true, ${more} containers: [{ image: ${image}, env: ${env} }] }\n`;
  const pods = [
    open('open', 'clones: 2,'),
    open('told', '', 'one', `{ TROUPE_HTTP_TOKEN_FILE: ${token} }`),
    open('mute', '', 'mute'),
    POD('closed', 'one'),
  ].join('');
  const mute = `import { Node } from 'troupe'; await Node.start(() => {}, { http: false });`;
  project(shell, pods, { one: answering('a'), mute });
  const deployed = await shell.ok('zone', 'deploy');
  const told = new Map(
    [...deployed.stderr.matchAll(/^(\S+) is served at (http:\S+)$/gm)].map(([, node, at]) => [node, at]),
  );
  t.deepEqual([...told.keys()].sort(), ['open-0', 'open-1', 'told']);
  t.is(new Set(told.values()).size, 3, 'each has a port of its own');
  t.regex(deployed.stderr, /"mute" is public, but its program serves nothing/);

  const at = (rows: { node: string; http?: string }[]) =>
    Object.fromEntries(rows.map(({ node, http }) => [node, http === undefined ? http : `http://${http}`]));
  const wanted = { closed: undefined, mute: undefined, ...Object.fromEntries(told) };
  t.deepEqual(at(await shell.list<NodeState>('zone', 'nodes')), wanted);
  t.deepEqual(at(await shell.list<ContainerStatus & { http?: string }>('zone', 'show')), wanted);
  const said = (await shell.list<Line>('zone', 'logs')).filter(({ name }) => name === 'http');
  for (const [node, address] of told)
    t.true(said.some((line) => line.node === node && line.message.includes(`${address}:`)));

  const post = async (node: string, headers: Record<string, string> = {}) => {
    const response = await fetch(`${told.get(node)}/workers/${node}/answer`, { method: 'POST', body: 'x', headers });
    return [response.status, (await response.text()).replace(/^\d+ /, '')];
  };
  t.deepEqual(await post('open-0'), [200, 'a x']);
  t.deepEqual(await post('open-1'), [200, 'a x']);
  t.is((await post('told'))[0], 401);
  t.deepEqual(await post('told', { authorization: 'Bearer of some length, by chance' }), [200, 'a x']);

  // A port of one's own choice stays the same over a replacement.
  const fixed = told.get('open-0')?.replace('http://', '') ?? '';
  const again = (image: string) =>
    write(shell, open('open', '', 'one', `{ TROUPE_HTTP: "${fixed}" }`), { one: answering(image) });
  for (const word of ['b', 'c']) {
    again(word);
    t.regex((await shell.ok('zone', 'deploy')).stderr, new RegExp(`^open is served at http://${fixed}$`, 'm'));
    const response = await fetch(`http://${fixed}/workers/answer`, { method: 'POST', body: 'x' });
    t.regex(await response.text(), new RegExp(`^\\d+ ${word} x$`));
  }
  await shell.ok('zone', 'delete', '--yes');
});

test.serial('when the supervisor is killed its containers end, and a deploy brings the zone back', async (t) => {
  const shell = new Shell(t);
  project(shell, POD('one'), { one: answering('a') });
  await shell.ok('zone', 'deploy');
  const supervisor = shell.processes().find(({ command }) => command.includes('troupe-supervisor'));
  process.kill(supervisor?.pid ?? 0, 'SIGKILL');
  await until(() => shell.processes().length === 0);
  t.is((await shell.run('zone', 'show')).code, 3);
  await shell.ok('zone', 'deploy');
  t.regex((await shell.ok('ask', 'one/answer', 'x')).stdout, / a x$/m);
  await shell.ok('zone', 'delete', '--yes');
});

test.serial('the supervisor survives the terminal that the deploy was run in', async (t) => {
  const shell = new Shell(t);
  project(shell, POD('one'), { one: answering('a') });
  await shell.ok('zone', 'deploy');
  const group = (pid: number) => readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').pop()?.split(' ').slice(2, 4);
  const supervisor = shell.processes().find(({ command }) => command.includes('troupe-supervisor'))?.pid ?? 0;
  // A session of its own: what a terminal that closes signals does not reach it.
  t.is(group(supervisor)?.[1], String(supervisor));
  await shell.ok('zone', 'delete', '--yes');
});
