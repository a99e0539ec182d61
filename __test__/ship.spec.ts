// Classes that travel: every shape of class, in every way a program is run, made in a process that never saw its file.
import { rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { layOut, outcomes, PLAIN, run, WAYS, type Outcome, type Way } from './fixtures/ship/ways.ts';

/** A result, or the reason of a refusal with the form that works. */
type Expected = { value: unknown } | { refused: RegExp };

const INSIDE = /declared inside a function, a block or another expression.*Declare it at the top level of a module/;
const ARGS = /Pass the class with its `args`/;

/** Writes the URL of every module that is loaded to standard error. */
const LOG_MODULES = `data:text/javascript,${encodeURIComponent(`
  import { register } from 'node:module';
  register('data:text/javascript,' + encodeURIComponent(\`export async function resolve(specifier, context, next) {
    const found = await next(specifier, context);
    process._rawDebug(found.url);
    return found;
  }\`));
`)}`;

const SHAPES: Record<string, Expected> = {
  Declared: { value: 'declared' },
  Derived: { value: 'base and derived, from json' },
  WithArgs: { value: [5, 7, 'runtime of the receiver'] },
  Expressed: { value: 'expressed' },
  Outer: { value: true },
  Exported: { value: true },
  Anonymous: { value: 'anonymous' },
  Expression: { value: 'expression' },
  Named: { value: 'named default' },
  Kept: { value: 'kept function' },
  Put: { value: 'put, kept function' },
  Whole: { value: 'whole, in string' },
  Renamed: { value: 'listed' },
  Arrowed: { value: 'arrowed' },
  Passed: { value: 'base' },
  Packaged: { value: ['ESM!functionstring', 42, 'cjs,x,function,none'] },
  FromRuntime: { value: 'runtime of the receiver' },
  Dynamic: { value: ['lazily', 'function'] },
  Neighbour: { value: ['declared', 'later', 'hoisted'] },
  Starts: { value: 0 },
  Onward: { value: ['first', 'second', 'listed'] },
  Fields: { value: [1, 2, true] },
  FieldsInstance: { value: [42, 2, true] },
  DerivedInstance: { value: 'base and derived, from json' },
  HiddenInstance: { refused: new RegExp(`private field #\\w+ can't be read.*${ARGS.source}`) },
  HiddenBelowInstance: {
    refused: new RegExp(`private field #\\w+ of its superclass .* can't be read.*${ARGS.source}`),
  },
  CallbackInstance: {
    refused: new RegExp(`^\\w+\\.onDone can't travel to another node: it is a function\\..*${ARGS.source}`),
  },
  TableInstance: { refused: new RegExp(`extends Map, whose state can't be read.*${ARGS.source}`) },
  ObjectInstance: { refused: /an object without a class\. Declare a class/ },
  BadArgs: { refused: /^args\[0\]\.count\.deep\[1\] can't travel to another node: it is a function\. Send plain data/ },
  Made: { refused: INSIDE },
  Local: { refused: INSIDE },
  Mixed: { refused: INSIDE },
  Property: { refused: INSIDE },
  Blocked: { refused: INSIDE },
  Builtin: { refused: /^class Map can't travel.*built in or bound.*Declare a class of your own/ },
  Function: { refused: /it is a function, not a class\. Declare a class/ },
  Arrow: { refused: /it is a function, not a class\. Declare a class/ },
  Bound: { refused: /built in or bound.*Declare a class of your own/ },
  Proxied: { refused: /wrapped in a proxy\. Pass the class itself/ },
  Evaluated: { refused: /not loaded from a file but from eval\. Declare it at the top level/ },
  Cjs: { value: ['string', 'function'] },
};

const plainNode = Boolean((process.features as { typescript?: unknown }).typescript);

for (const way of plainNode ? [...WAYS, PLAIN] : WAYS) {
  test(`classes of every shape travel, or are refused with the form that works: ${way.title}`, async (t) => {
    const { found, folder } = await shapesOf(t, way);
    for (const [name, row] of Object.entries(SHAPES)) compare(t, name, found.get(name), row);
    t.deepEqual(
      [...found.keys()].filter((name) => !(name in SHAPES)),
      ['Thrower'],
    );
    const { message, stack } = found.get('Thrower')!;
    t.is(message, 'thrown');
    t.regex(
      stack!,
      way.trace === 'ts'
        ? new RegExp(`at .*${folder}/shapes\\.ts:72:\\d+`)
        : new RegExp(`at .*${folder}/shapes\\.js:\\d+:\\d+`),
    );
  });
}

async function shapesOf(t: ExecutionContext, way: Way): Promise<{ found: Map<string, Outcome>; folder: string }> {
  const folder = temporary(t);
  return { folder, found: outcomes(await run(folder, way.prepare(folder, 'shapes'))) };
}

function compare(t: ExecutionContext, name: string, outcome: Outcome | undefined, expected: Expected): void {
  if ('value' in expected) {
    t.deepEqual(outcome?.value, expected.value, `${name}: ${outcome?.message}`);
  } else {
    t.is(outcome?.refused, 'NOT_PORTABLE', `${name}: ${JSON.stringify(outcome)}`);
    t.regex(outcome!.message!, expected.refused, name);
  }
}

for (const way of WAYS.filter(({ title }) => /by tsx$|with source maps|older language/.test(title))) {
  test(`decorated classes travel: ${way.title}`, async (t) => {
    const folder = temporary(t);
    const found = outcomes(await run(folder, way.prepare(folder, 'decorated')));
    compare(t, 'Decorated', found.get('Decorated'), { value: 'decorated and marked' });
    compare(t, 'Member', found.get('Member'), { value: 'member, logged' });
  });
}

const AT = (file: string) => `\\(/[^)]*/${file}\\)`;
const OWN_FILE = /Declare the class at the top level of a file of its own/;

test('a class needs nothing that stands behind an awaited Node.start', async (t) => {
  const folder = temporary(t);
  const found = outcomes(await run(folder, WAYS[0]!.prepare(folder, 'late')));
  const late = new RegExp(
    `${AT('late\\.ts')}.* uses "RESULT", declared after "await Node.start.*Move the declaration of "RESULT" above`,
  );
  const rows: Record<string, Expected> = {
    Plain: { value: 'plain' },
    UsesLate: { refused: late },
    UsesLateInFunction: { refused: late },
    UsesOwn: { value: ['own', 1, { RESULT: 'own' }, 'inner'] },
    UsesHoisted: { value: 'hoisted' },
    Late: {
      refused: new RegExp(
        `class Late ${AT('late\\.ts')}.*declared after "await Node.start.*Move the class above that call`,
      ),
    },
  };
  for (const [name, row] of Object.entries(rows)) compare(t, name, found.get(name), row);
});

test('a class whose file and the main file import each other is refused', async (t) => {
  const folder = temporary(t);
  const found = outcomes(await run(folder, WAYS[0]!.prepare(folder, 'cycle')));
  const refused = new RegExp(
    `class Cyclic ${AT('cycle-part\\.ts')}.*not declared when its module called Node.start.*${OWN_FILE.source}`,
  );
  compare(t, 'Cyclic', found.get('Cyclic'), { refused });
});

test('what a class needs around it is bundled, bound to the receiver, or refused by name', async (t) => {
  const folder = temporary(t);
  const found = outcomes(await run(folder, WAYS[0]!.prepare(folder, 'refusals')));
  const top = /Declare it at the top level of a module in a file/.source;
  const addon = /needs a native add-on.*list the class under `workers` in the options of the nodes that have the add-on/
    .source;
  const rows: Record<string, Expected> = {
    Assigned: { value: 'assigned' },
    ByPath: { value: true },
    Unawaited: { value: 'what stands behind a call that is not awaited' },
    Missing: {
      refused: new RegExp(
        `class Missing ${AT('missing\\.ts')}.*Could not resolve "./not-there.ts" at /.*missing\\.ts:\\d.*Install or repair`,
      ),
    },
    Internal: {
      refused: /needs an internal file of troupe \(\/.*\/dist\/address\.js\).*Import what you need from "troupe"/,
    },
    AddonFile: { refused: new RegExp(`class AddonFile ${AT('addon-file\\.ts')}.*${addon}`) },
    AddonPackage: {
      refused: new RegExp(
        `class AddonPackage ${AT('addon-package\\.ts')}.*fixture-addon/index\\.js loads "bindings".*`,
      ),
    },
    AddonOptional: { value: [3, 'MODULE_NOT_FOUND'] },
    Stuck: {
      refused: new RegExp(`class Stuck ${AT('stuck\\.ts')}.*within 5 s: a top-level await.*does not settle there`),
    },
    Sometimes: { refused: INSIDE },
    Withdrawn: {
      refused: new RegExp(`class Withdrawn ${AT('sometimes\\.ts')}.*without declaring it.*${OWN_FILE.source}`),
    },
    EventEmitter: { refused: /it is part of Node\.js/ },
    FromUrl: { refused: new RegExp(`from a data: URL. ${top}`) },
    InContext: { refused: new RegExp(`not loaded from a file but from evalmachine.*${top}`) },
    InFile: { refused: INSIDE },
    Nothing: { refused: /^undefined can't travel to another node: it is not a class/ },
    Text: { refused: /it is not a class/ },
  };
  for (const [name, row] of Object.entries(rows)) compare(t, name, found.get(name), row);
  const { refused, message, cause } = found.get('Fails')!;
  t.is(refused, 'WORKER_FAILED');
  t.regex(
    message!,
    new RegExp(`the module of class Fails ${AT('fails\\.ts')} failed while it was loaded: no database here`),
  );
  t.regex(cause!.stack, new RegExp(`TypeError: no database here\\n +at .*${folder}/fails\\.ts:6:`));
});

function temporary(t: ExecutionContext): string {
  const folder = layOut('module');
  t.teardown(() => rmSync(folder, { recursive: true }));
  return folder;
}

test('nothing heavy is loaded before the first bundle, and nothing of it where classes are received', async (t) => {
  const folder = temporary(t);
  const heavy = /node:inspector|\/node_modules\/(esbuild|acorn)\//;
  const loaded = async (program: string) => {
    const { out, err } = await run(folder, ['--import', LOG_MODULES, '--input-type=module', '-e', program]);
    t.regex(out, /done/, err);
    return err;
  };
  const ship = JSON.stringify(new URL('../dist/ship/index.js', import.meta.url).href);
  const receive = `
    import * as ship from ${ship};
    import { createHash } from 'node:crypto';
    ship.installRuntime({ Node: class {} });
    const code = Buffer.from("const self = globalThis[Symbol.for('troupe.ship.modules')].get(import.meta.url); class A {} self.declare(() => ({ A: () => A }));");
    const hash = createHash('sha256').update(code).digest('hex');
    const A = await ship.load({ hash, label: 'A', code }, 'zone');
    ship.revive(A, ship.encodeData({ a: [1] }, 'args'));
    await ship.bundle(A);
    console.log('done');`;
  t.notRegex(await loaded(receive), heavy);
  t.regex(await loaded(`import { bundle } from ${ship}; await bundle(Map).catch(() => console.log('done'));`), heavy);
});

test('where the inspector is not allowed, the message says which option allows it', async (t) => {
  const allow = ['--permission', '--experimental-permission'].find((flag) =>
    process.allowedNodeEnvironmentFlags.has(flag),
  );
  const folder = temporary(t);
  const program = `import { bundle } from ${JSON.stringify(new URL('../dist/ship/index.js', import.meta.url).href)};
    import { Quick } from './quick.js';
    await bundle(Quick).catch((error) => console.log(JSON.stringify({ name: error.code, message: error.message })));`;
  writeFileSync(path.join(folder, 'quick.js'), 'export class Quick {}');
  const flags = [allow!, '--allow-fs-read=*', '--allow-worker', '--input-type=module', '-e', program];
  const ended = await run(folder, flags);
  t.regex(ended.out, /NOT_PORTABLE.*class Quick can't travel.*--allow-inspector/, ended.err);
});
