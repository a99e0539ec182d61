/** The JSON schema of troupe.yaml, by which editors complete and check it: it takes and refuses what the program does, read by ajv. */
import test from 'ava';
import { Ajv } from 'ajv';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { parseConfig } from '../cli/config/read.ts';
import { jsonSchema } from '../cli/config/shape.ts';
import { OWN_VARIABLES } from '../cli/plan/environment.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
/** Strict: a keyword that is none is an error. Values of several types are meant. */
const validate = new Ajv({ allErrors: true, allowUnionTypes: true }).compile(jsonSchema());

/** Whether an editor finds nothing wrong. */
const isFine = (text: string): boolean => validate(parse(text));

/** A project in which every image that these texts name is there: what is wrong then is wrong in the file itself. */
let project: string;
test.before(() => {
  project = mkdtempSync(join(tmpdir(), 'troupe-schema-'));
  for (const image of ['front', 'tools/back']) {
    mkdirSync(join(project, 'images', image), { recursive: true });
    writeFileSync(join(project, 'images', image, 'main.ts'), '');
  }
});
test.after.always(() => rmSync(project, { recursive: true, force: true }));

interface Places {
  zone?: string;
  name?: string;
  pod?: string;
  image?: string;
  container?: string;
  pods?: string;
}

/** A file that is right but for what stands in one of its places. */
function file({ zone, name, pod, image, container, pods }: Places = {}): string {
  const containers = `containers:\n      - ${image ?? 'image: front'}\n        ${container ?? ''}\n`;
  return `${zone ?? 'name: shop'}\n${pods ?? `pods:\n  - ${name ?? 'name: web'}\n    ${pod ?? ''}\n    ${containers}`}`;
}

const right: Record<string, string> = {
  'the least that is taken': file(),
  'every key': file({
    pod: 'clones: 3\n    public: true',
    container:
      'name: a\n        env: { PORT: 8080, VERSION: 1.10, DEBUG: true, EMPTY: "" }\n        args: [--level, 7, false]',
  }),
  'an image in a folder of images': file({ image: 'image: tools/back' }),
  'the most clones': file({ pod: 'clones: 1000' }),
  'no arguments, no variables': file({ container: 'args: []\n        env: {}' }),
};

const wrong: Record<string, string> = {
  'a name that is none': file({ zone: 'name: my zone' }),
  'a name that is a number': file({ zone: 'name: 7' }),
  'a name that is too long': file({ zone: `name: ${'x'.repeat(129)}` }),
  'no name': file({ zone: 'title: shop' }),
  'a key that is none': file({ zone: 'name: shop\npodz: []' }),
  'no pods': 'name: shop\n',
  'no pod among the pods': file({ pods: 'pods: []\n' }),
  'pods that are no list': file({ pods: 'pods: { name: web }\n' }),
  'a pod without a name': file({ name: 'clones: 2' }),
  'a pod without containers': file({ pods: 'pods: [{ name: web }]\n' }),
  'a pod with no container': file({ pods: 'pods: [{ name: web, containers: [] }]\n' }),
  'a key of a pod that is none': file({ pod: 'pulic: true' }),
  'clones in words': file({ pod: 'clones: many' }),
  'no clone': file({ pod: 'clones: 0' }),
  'half a clone': file({ pod: 'clones: 1.5' }),
  'more clones than any machine has processes': file({ pod: 'clones: 1001' }),
  'public in a word': file({ pod: 'public: maybe' }),
  'a container without an image': file({ image: 'name: front' }),
  'an image outside of images': file({ image: 'image: ../secret' }),
  'an image from the root': file({ image: 'image: /etc' }),
  'a key of a container that is none': file({ container: 'imgae: front' }),
  'a variable that no shell takes': file({ container: 'env: { 8TH: x }' }),
  'a variable without a value': file({ container: 'env: { A: null }' }),
  'arguments that are no list': file({ container: 'args: fast' }),
  'a list among arguments': file({ container: 'args: [[a]]' }),
  'a NUL among arguments': file({ container: 'args: ["a\\0b"]' }),
  'an empty file': '',
  'a list': '- a\n',
};
for (const variable of OWN_VARIABLES)
  wrong[`the deploy's own ${variable}`] = file({ container: `env: { ${variable}: x }` });

for (const [what, text] of Object.entries(right)) {
  test(`schema and program take ${what}`, (t) => {
    t.deepEqual(parseConfig(text, project).mistakes, []);
    t.true(isFine(text), JSON.stringify(validate.errors));
  });
}

for (const [what, text] of Object.entries(wrong)) {
  test(`schema and program refuse ${what}`, (t) => {
    t.not(parseConfig(text, project).mistakes.length, 0);
    t.false(isFine(text));
  });
}

test('the file of a new project names the schema that the package carries, and has no mistake by it', (t) => {
  const text = readFileSync(join(root, 'cli/templates/troupe.yaml'), 'utf8');
  const [, path = ''] = /^# yaml-language-server: \$schema=\.\/node_modules\/troupe\/(.+)\n/.exec(text) ?? [];
  const { files } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { files: string[] };
  t.true(files.includes(path), path);
  t.deepEqual(JSON.parse(readFileSync(join(root, path), 'utf8')), jsonSchema(), 'what is built is this schema');
  t.true(isFine(text), JSON.stringify(validate.errors));
});

test('an editor has a description for every key', (t) => {
  const keys: string[] = [];
  const visit = (schema: unknown, at: string) => {
    const {
      description,
      properties = {},
      items,
    } = schema as { description?: string; properties?: object; items?: unknown };
    t.regex(description ?? '', /^[A-Z].*\.$/, at);
    for (const [key, value] of Object.entries(properties)) {
      keys.push(key);
      visit(value, `${at}.${key}`);
    }
    if (items !== undefined) visit(items, `${at}[]`);
  };
  visit(jsonSchema(), 'the file');
  t.true(
    ['pods', 'clones', 'containers', 'image', 'env'].every((key) => keys.includes(key)),
    keys.join(' '),
  );
});
