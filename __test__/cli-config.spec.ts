/** troupe.yaml: what it comes to, and that every mistake is told at once, with its place, what was expected and the nearest known word. */
import test from 'ava';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { parseConfig, readConfig, readName } from '../cli/config/read.ts';
import { jsonSchema } from '../cli/config/shape.ts';

/** A project with these files, empty unless told otherwise. */
function project(t: ExecutionContext, ...files: string[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'troupe-config-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  for (const file of files) {
    mkdirSync(join(folder, dirname(file)), { recursive: true });
    writeFileSync(join(folder, file), '');
  }
  return folder;
}

/** The mistakes of a text, each as `line:column what`. */
function mistakes(t: ExecutionContext, text: string, ...files: string[]): string[] {
  return parseConfig(text, project(t, ...files)).mistakes.map(({ line, column, what }) => `${line}:${column} ${what}`);
}

const values = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value, (key, v) => (key === 'at' ? undefined : v)));

test('a file with every key comes to what it says', (t) => {
  const text = `
name: shop
pods:
  - name: web
    clones: 3
    public: true
    containers:
      - name: front
        image: front
        env: { PORT: 8080, VERSION: 1.10, DEBUG: true, EMPTY: "" }
        args: [--level, 7]
      - image: tools/back
`;
  const { config, mistakes } = parseConfig(text, project(t, 'images/front/main.ts', 'images/tools/back/main.js'));
  t.deepEqual(mistakes, []);
  const front = {
    name: { value: 'front' },
    image: { value: 'front' },
    env: { PORT: '8080', VERSION: '1.10', DEBUG: 'true', EMPTY: '' },
    args: ['--level', '7'],
  };
  const back = { name: { value: 'tools-back' }, image: { value: 'tools/back' }, env: {}, args: [] };
  t.deepEqual(values(config), {
    name: 'shop',
    pods: [{ name: { value: 'web' }, clones: 3, public: true, containers: [front, back] }],
  });
});

test('clones, public, env and args may be left out', (t) => {
  const { config } = parseConfig(
    'name: a\npods: [{ name: b, containers: [{ image: c }] }]',
    project(t, 'images/c/main.mts'),
  );
  const container = { name: { value: 'c' }, image: { value: 'c' }, env: {}, args: [] };
  t.deepEqual(values(config), {
    name: 'a',
    pods: [{ name: { value: 'b' }, clones: 1, public: false, containers: [container] }],
  });
});

test('where a pod is served is told to public pods only, and can be had by each clone and not by everyone', (t) => {
  const at = (pod: string, env: string) =>
    mistakes(
      t,
      `name: a\npods:\n- { name: b, ${pod} containers: [{ image: c, env: ${env} }] }`,
      'images/c/main.js',
    ).map((each) => each.replace(/^3:\d+ /, ''));
  const open = 'public: true,';
  t.deepEqual(at(open, '{ TROUPE_HTTP: "127.0.0.1:8080" }'), []);
  t.deepEqual(at(`${open} clones: 2,`, '{ TROUPE_HTTP: "localhost:0" }'), []);
  t.deepEqual(at(open, '{ TROUPE_HTTP: "0.0.0.0:80", TROUPE_HTTP_TOKEN_FILE: token }'), []);
  const closed = 'is for pods that are public, and "b" is not: give it "public: true", or leave this out';
  t.deepEqual(at('', '{ TROUPE_HTTP: "127.0.0.1:0", TROUPE_HTTP_TOKEN_FILE: token }'), [
    `TROUPE_HTTP ${closed}`,
    `TROUPE_HTTP_TOKEN_FILE ${closed}`,
  ]);
  t.deepEqual(at(`${open} clones: 2,`, '{ TROUPE_HTTP: "127.0.0.1:80" }'), [
    "2 clones can't all listen on port 80; with port 0 each has one of its own",
  ]);
  for (const address of ['0.0.0.0:0', '[::]:0', '10.0.0.1:80'])
    t.deepEqual(at(open, `{ TROUPE_HTTP: "${address}" }`), [
      `${address} can be reached from other machines: name a file with a token in TROUPE_HTTP_TOKEN_FILE as well`,
    ]);
  t.regex(at(open, '{ TROUPE_HTTP: 8080 }').join(), /^"TROUPE_HTTP" must be "host:port"/);
  // Where the value stands, not the pod.
  const text = 'name: a\npods:\n- name: b\n  containers:\n  - image: c\n    env:\n      TROUPE_HTTP: "127.0.0.1:0"';
  t.regex(mistakes(t, text, 'images/c/main.js').join(), /^7:20 TROUPE_HTTP/);
});

test('ten mistakes are told at once, each where it is', (t) => {
  const text = `name: my zone
podz: []
pods:
  - name: web
    clones: many
    pulic: true
    containers:
      - image: frnt
        env:
          8TH: x
          TROUPE_NODE: me
        args: fast
  - name: web
    containers: []
  - containers:
      - name: tools
        image: hollow
`;
  t.deepEqual(mistakes(t, text, 'images/front/main.ts', 'images/hollow/readme.md'), [
    '1:7 name is "my zone"; expected a name of 1 to 128 letters, digits, "_" or "-"',
    '2:1 unknown key "podz"; did you mean "pods"? (known: name, pods)',
    '5:13 pods[0].clones is "many"; expected a whole number from 1 to 1000',
    '6:5 unknown key "pulic"; did you mean "public"? (known: name, clones, public, containers)',
    '8:16 there is no folder images/frnt; did you mean "front"? (there are: front, hollow)',
    `10:11 "8TH" can't be a key of pods[0].containers[0].env; expected letters, digits and "_", not beginning with a digit`,
    '11:11 pods[0].containers[0].env sets TROUPE_NODE, which the deploy sets; leave it out',
    '12:15 pods[0].containers[0].args is "fast"; expected a list of arguments',
    '13:11 there is another pod "web" above; a pod has a name of its own',
    '14:17 pods[1].containers is a list; expected a list of containers, at least one',
    '15:5 "name" is missing in pods[2]; expected a pod with "name" and "containers"',
    '17:16 images/hollow has no main file; looked for main.ts, main.mts, main.js, main.mjs',
  ]);
});

test('a key that is most likely meant is not missing as well', (t) => {
  t.deepEqual(mistakes(t, 'nme: a\npods: [{ name: b, containers: [{ imgae: c }] }]'), [
    '1:1 unknown key "nme"; did you mean "name"? (known: name, pods)',
    '2:34 unknown key "imgae"; did you mean "image"? (known: name, image, env, args)',
  ]);
});

test('two nodes of one name are refused, whichever way they come to it', (t) => {
  const pods = (...list: string[]) => `name: z\npods:\n${list.map((pod) => `  - ${pod}\n`).join('')}`;
  const containers = 'containers: [{ image: a }]';
  t.deepEqual(
    mistakes(t, pods(`{ name: x, clones: 2, ${containers} }`, `{ name: x-1, ${containers} }`), 'images/a/main.ts'),
    ['4:13 pods "x" and "x-1" would both have a node "x-1"; rename one of them'],
  );
  t.deepEqual(mistakes(t, pods('{ name: x, containers: [{ image: a }, { image: a }] }'), 'images/a/main.ts'), [
    '3:52 there is another container "a" in pod "x" above; give this one a "name" of its own',
  ]);
  for (const name of ['troupe-supervisor', 'observer-1']) {
    t.deepEqual(mistakes(t, pods(`{ name: ${name}, ${containers} }`), 'images/a/main.ts'), [
      `3:13 a node can't be called "${name}": that is for troupe's own members of the zone`,
    ]);
  }
  const long = 'x'.repeat(127);
  t.regex(
    mistakes(t, pods(`{ name: ${long}, clones: 2, ${containers} }`), 'images/a/main.ts').join(),
    /name of 129 characters; at most 128/,
  );
});

test('a zone has no more containers than one supervisor takes', (t) => {
  const pods = (clones: number) =>
    `name: z\npods:\n  - { name: x, clones: 600, containers: [{ image: a }] }\n  - { name: y, clones: ${clones}, containers: [{ image: a }] }\n`;
  t.deepEqual(mistakes(t, pods(400), 'images/a/main.ts'), []);
  t.deepEqual(mistakes(t, pods(401), 'images/a/main.ts'), [
    '4:13 with pod "y" the zone has 1001 containers; at most 1000: divide it into several zones',
  ]);
});

test('an image is a folder below images/, and none outside of it', (t) => {
  for (const image of ['../secret', '/etc', 'a/../../b', '.', 'a//b']) {
    const [mistake = ''] = mistakes(t, `name: z\npods: [{ name: x, containers: [{ image: ${image} }] }]`);
    t.true(mistake.endsWith(`is "${image}"; expected the name of a folder under images/`), mistake);
  }
});

test('an argument or a variable is text, and has no NUL in it', (t) => {
  const of = (container: string) =>
    mistakes(t, `name: z\npods: [{ name: x, containers: [{ image: a, ${container} }] }]`, 'images/a/main.ts');
  const expected = 'expected text, a number, true or false, without NUL characters';
  t.deepEqual(of('args: [[a]]'), [`2:51 pods[0].containers[0].args[0] is a list; ${expected}`]);
  t.deepEqual(of('env: { A: null }'), [`2:54 pods[0].containers[0].env.A is empty; ${expected}`]);
  t.is(of('args: ["a\\0b"]').length, 1);
  t.deepEqual(of('args: [a, 7, false, "", 1.50]'), []);
});

test('what YAML itself refuses is told with its place, and nothing is invented beside it', (t) => {
  const [first = '', ...others] = mistakes(t, 'name: z\npods: [{ name: x, containers: [\n');
  t.regex(first, /^3:1 /);
  t.true(
    others.every((line) => line.startsWith('3:1 ')),
    others.join('\n'),
  );
  t.regex(
    mistakes(t, 'name: a\nname: b\npods: [{ name: x, containers: [{ image: a }] }]', 'images/a/main.ts').join(),
    /^2:1 Map keys must be unique/,
  );
});

test('a file that is empty, or no mapping, says what was expected', (t) => {
  t.deepEqual(mistakes(t, ''), ['1:1 the file is empty; expected a zone with "name" and "pods"']);
  t.deepEqual(mistakes(t, '- a'), ['1:1 the file is a list; expected a zone with "name" and "pods"']);
});

test('the failure names the file and counts the mistakes', (t) => {
  const folder = project(t);
  const file = join(folder, 'troupe.yaml');
  writeFileSync(file, 'name: 7\n');
  const error = t.throws(() => readConfig(file, folder));
  t.is(
    error?.message,
    [
      `${file}:1:1: "pods" is missing in the file; expected a zone with "name" and "pods"`,
      `${file}:1:7: name is 7; expected a name of 1 to 128 letters, digits, "_" or "-"`,
      `2 mistakes in ${file}; nothing was done. Mend it and run this again.`,
    ].join('\n'),
  );
  t.regex(t.throws(() => readConfig(join(folder, 'other.yaml'), folder))?.message ?? '', /troupe init NAME/);
});

test("the zone's name is read from a file that has mistakes elsewhere", (t) => {
  const folder = project(t);
  const file = join(folder, 'troupe.yaml');
  writeFileSync(file, 'name: shop\npods: nonsense\n');
  t.is(readName(file), 'shop');
  writeFileSync(file, 'name: [shop]\n');
  t.is(readName(file), undefined);
});

test('the schema for editors knows the same keys', (t) => {
  const { properties, required, additionalProperties } = jsonSchema() as {
    properties: { pods: { items: { properties: object; required: string[] } } };
    required: string[];
    additionalProperties: boolean;
  };
  t.deepEqual(required, ['name', 'pods']);
  t.false(additionalProperties);
  t.deepEqual(Object.keys(properties.pods.items.properties), ['name', 'clones', 'public', 'containers']);
  t.deepEqual(properties.pods.items.required, ['name', 'containers']);
});
