/** What a deploy asks the supervisor for: names of nodes, commands, environments, and what changes a container's hash. */
import test, { type ExecutionContext } from 'ava';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseConfig, type ZoneConfig } from '../cli/config/read.ts';
import { isServed, planOf, stripsTypes, type Setting } from '../cli/plan/plan.ts';

const TSX = 'node_modules/tsx';

/** A project that holds these files. */
function project(t: ExecutionContext, files: Record<string, string>): string {
  const folder = mkdtempSync(join(tmpdir(), 'troupe-plan-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(join(folder, dirname(file)), { recursive: true });
    writeFileSync(join(folder, file), text);
  }
  return folder;
}

function configOf(text: string, folder: string): ZoneConfig {
  const { config, mistakes } = parseConfig(text, folder);
  if (config === undefined) throw new Error(JSON.stringify(mistakes));
  return config;
}

const setting = (folder: string, more: Partial<Setting> = {}): Setting => ({
  project: folder,
  version: '0.1.0',
  supervised: 'file:///package/dist/supervised.js',
  node: { path: '/usr/bin/node', version: '24.1.0' },
  env: {},
  ...more,
});

const ONE = 'name: z\npods: [{ name: x, containers: [{ image: a }] }]';

test('a node is called after its pod, its clone where there are several, and its container where there are several', (t) => {
  const folder = project(t, { 'images/a/main.js': '', 'images/b/main.js': '' });
  const nodes = (pod: string) =>
    planOf(configOf(`name: z\npods: [${pod}]`, folder), setting(folder)).containers.map(({ node, clone }) => [
      node,
      clone,
    ]);
  t.deepEqual(nodes('{ name: x, containers: [{ image: a }] }'), [['x', 0]]);
  t.deepEqual(nodes('{ name: x, clones: 2, containers: [{ image: a }] }'), [
    ['x-0', 0],
    ['x-1', 1],
  ]);
  t.deepEqual(nodes('{ name: x, containers: [{ image: a }, { image: b, name: c }] }'), [
    ['x-a', 0],
    ['x-c', 0],
  ]);
  t.deepEqual(nodes('{ name: x, clones: 2, containers: [{ image: a }, { image: b }] }'), [
    ['x-0-a', 0],
    ['x-0-b', 0],
    ['x-1-a', 1],
    ['x-1-b', 1],
  ]);
});

test('a container runs its main file with its arguments, under the module that supervised programs load', (t) => {
  const folder = project(t, { 'images/a/main.ts': '', 'images/a/main.js': '' });
  const config = configOf('name: z\npods: [{ name: x, containers: [{ image: a, args: [--fast, 2] }] }]', folder);
  const plan = planOf(config, setting(folder));
  t.is(plan.containers.length, 1);
  const { program, args, cwd, pod, container, image } = plan.containers[0]!;
  t.deepEqual(
    { program, args, cwd, pod, container, image },
    {
      program: '/usr/bin/node',
      args: ['--import', 'file:///package/dist/supervised.js', join(folder, 'images/a/main.ts'), '--fast', '2'],
      cwd: folder,
      pod: 'x',
      container: 'a',
      image: 'a',
    },
  );
  t.deepEqual(
    { ...plan, containers: [] },
    { zone: 'z', project: folder, by: { pid: process.pid }, drainMs: 5000, containers: [] },
  );
});

test("where Node strips no types the project's own tsx does", (t) => {
  const folder = project(t, {
    'images/a/main.ts': '',
    'images/b/main.js': '',
    [`${TSX}/package.json`]: '{ "name": "tsx", "main": "loader.js" }',
    [`${TSX}/loader.js`]: '',
  });
  const node = { path: '/usr/bin/node', version: '20.19.0' };
  const text = 'name: z\npods: [{ name: x, containers: [{ image: a }, { image: b }] }]';
  const [a, b] = planOf(configOf(text, folder), setting(folder, { node })).containers;
  t.deepEqual(a?.args.slice(2), [
    '--import',
    new URL(`file://${folder}/${TSX}/loader.js`).href,
    join(folder, 'images/a/main.ts'),
  ]);
  t.deepEqual(b?.args.slice(2), [join(folder, 'images/b/main.js')]);
});

test('without a tsx in the project the failure says what to install', (t) => {
  const folder = project(t, { 'images/a/main.ts': '' });
  const node = { path: '/usr/bin/node', version: '20.19.0' };
  const error = t.throws(() => planOf(configOf(ONE, folder), setting(folder, { node })));
  t.regex(error?.message ?? '', /Node 20\.19\.0 does not run TypeScript by itself/);
  t.regex(error?.message ?? '', /npm install --save-dev tsx/);
});

test('Node strips types from 22.18 and 23.6 on', (t) => {
  t.deepEqual(['20.19.5', '22.17.9', '22.18.0', '23.5.0', '23.6.0', '24.0.0', '26.1.0'].filter(stripsTypes), [
    '22.18.0',
    '23.6.0',
    '24.0.0',
    '26.1.0',
  ]);
});

test('a container has of the environment what is listed and its own, and nothing else', (t) => {
  const folder = project(t, { 'images/a/main.js': '' });
  const config = configOf(
    'name: z\npods: [{ name: x, containers: [{ image: a, env: { TZ: Asia/Tokyo, MINE: 1 } }] }]',
    folder,
  );
  const outer = {
    PATH: '/bin',
    TZ: 'UTC',
    LANG: '',
    SECRET: 'x',
    AWS_SECRET_ACCESS_KEY: 'y',
    TROUPE_ZONE: 'other',
    TROUPE_HOME: '/h',
    TROUPE_LOG: 'debug',
  };
  const { env } = planOf(config, setting(folder, { env: outer })).containers[0]!;
  t.deepEqual(env, {
    PATH: '/bin',
    TZ: 'Asia/Tokyo',
    MINE: '1',
    TROUPE_HOME: '/h',
    TROUPE_ZONE: 'z',
    TROUPE_NODE: 'x',
    TROUPE_SUPERVISED: '1',
  });
});

test('a container of a public pod is told where to be served: each on a free port of this machine, or where its env says', (t) => {
  const folder = project(t, { 'images/a/main.js': '', 'images/b/main.js': '' });
  const http = (pod: string) =>
    planOf(
      configOf(`name: z\npods: [${pod}]`, folder),
      setting(folder, { env: { TROUPE_HTTP: '0.0.0.0:1' } }),
    ).containers.map(({ env, ...container }) => [env['TROUPE_HTTP'], isServed({ env, ...container })]);
  t.deepEqual(http('{ name: x, containers: [{ image: a }] }'), [[undefined, false]]);
  t.deepEqual(http('{ name: x, public: true, clones: 2, containers: [{ image: a }] }'), [
    ['127.0.0.1:0', true],
    ['127.0.0.1:0', true],
  ]);
  const [first, second] = ['{ TROUPE_HTTP: "127.0.0.1:8080" }', '{ TROUPE_HTTP: "" }'];
  t.deepEqual(
    http(`{ name: x, public: true, containers: [{ image: a, env: ${first} }, { image: b, env: ${second} }] }`),
    [
      ['127.0.0.1:8080', true],
      ['', false],
    ],
  );
});

test('the hash changes with what the container is, and with nothing else', (t) => {
  const folder = project(t, { 'images/a/main.js': 'one', 'images/a/part.js': 'p', 'images/other/main.js': '' });
  const now = (text = ONE, more: Partial<Setting> = {}) =>
    planOf(configOf(text, folder), setting(folder, more)).containers[0]!.hash;
  const first = now();
  t.is(now(), first, 'nothing changed');
  t.is(now(ONE, { env: { PATH: '/elsewhere' } }), first, 'another shell');
  t.is(now(ONE.replace('name: x', 'name: x, public: false')), first, 'a word that changes nothing');
  writeFileSync(join(folder, 'images/other/main.js'), 'changed');
  mkdirSync(join(folder, 'images/a/node_modules/p'), { recursive: true });
  writeFileSync(join(folder, 'images/a/node_modules/p/index.js'), 'x');
  t.is(now(), first, 'what is not of the image');

  const seen = new Set([first]);
  const differs = (found: string, why: string) => {
    t.false(seen.has(found), why);
    seen.add(found);
  };
  differs(now(ONE.replace('image: a', 'image: a, args: [1]')), 'an argument');
  differs(now(ONE.replace('image: a', 'image: a, env: { A: 1 }')), 'a variable');
  const open = ONE.replace('name: x', 'name: x, public: true');
  differs(now(open), 'served or not');
  differs(now(open.replace('image: a', 'image: a, env: { TROUPE_HTTP: "127.0.0.1:1" }')), 'served elsewhere');
  differs(now(ONE, { version: '0.1.1' }), 'another version of the package');
  differs(now(ONE, { node: { path: '/usr/bin/node', version: '26.0.0' } }), 'another Node');
  writeFileSync(join(folder, 'images/a/part.js'), 'q');
  differs(now(), 'the content of a file');
  writeFileSync(join(folder, 'images/a/pq.js'), '');
  differs(now(), 'a file more');
  symlinkSync('part.js', join(folder, 'images/a/link.js'));
  differs(now(), 'a link');
  renameSync(join(folder, 'images/a'), join(folder, 'elsewhere'));
  symlinkSync('../elsewhere', join(folder, 'images/a'));
  t.true(seen.has(now()), 'the same behind a link');
  writeFileSync(join(folder, 'elsewhere/part.js'), 'r');
  differs(now(), 'the content of a file of an image behind a link');
});
