// Classes that travel: every shape of class, in every way a program is run, made in a process that never saw its file.
import { rmSync } from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { layOut, outcomes, PLAIN, run, WAYS, type Ended, type Outcome, type Way } from './fixtures/ship/ways.ts';

/** A result, or the reason of a refusal with the form that works. */
type Expected = { value: unknown } | { refused: RegExp };

const INSIDE = /declared inside a function, a block or another expression.*Declare it at the top level of a module/;
const ARGS = /Pass the class with its `args`/;

const SHAPES: Record<string, Expected> = {
  Declared: { value: 'declared' },
  Derived: { value: 'base and derived, from json' },
  WithArgs: { value: [5, 7, 'runtime of the receiver'] },
  Expressed: { value: 'expressed' },
  Outer: { value: true },
  Exported: { value: true },
  Anonymous: { value: 'anonymous' },
  Expression: { value: 'expression' },
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
        ? new RegExp(`at .*${folder}/shapes\\.ts:69:\\d+`)
        : new RegExp(`at .*${folder}/shapes\\.js:\\d+:\\d+`),
    );
  });
}

async function shapesOf(t: ExecutionContext, way: Way): Promise<{ found: Map<string, Outcome>; folder: string }> {
  const folder = layOut('module');
  t.teardown(() => rmSync(folder, { recursive: true }));
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
