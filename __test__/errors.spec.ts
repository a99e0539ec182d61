// Errors: told apart by code and by instanceof, also across copies; messages that say what to do.
import test from 'ava';
import { readFileSync } from 'node:fs';
import { inspect } from 'node:util';
import * as errors from '../lib/errors.ts';
import { decodeCause, encodeCause, fromCode, rejection } from '../lib/failures.ts';
import type { Stage, TroupeErrorCode } from '../lib/errors.ts';

const { ERROR_CODES, NoSuchWorkerError, TimeoutError, TroupeError, WorkerFailedError } = errors;
const classes = Object.values(ERROR_CODES).map((code) => {
  const name = `${code.toLowerCase().replace(/(?:^|_)([a-z])/g, (found) => found.replace('_', '').toUpperCase())}Error`;
  return { code, name, Class: errors[name as keyof typeof errors] as typeof TroupeError };
});

test('every code has a number, and every number a class of its own', (t) => {
  t.deepEqual(Object.keys(ERROR_CODES).map(Number), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  t.is(new Set(classes.map(({ Class }) => Class)).size, 11);
  for (const [number, code] of Object.entries(ERROR_CODES)) {
    const error = fromCode(Number(number), { worker: 'w', node: 'n' });
    const expected = classes.find((entry) => entry.code === code);
    t.is(error.code, code);
    t.is(error.name, expected?.name ?? '');
    t.is(Object.getPrototypeOf(error), expected?.Class.prototype);
    t.is(error.worker, 'w');
    t.is(error.node, 'n');
  }
});

test("Rust's numbers and codes are the same as TypeScript's", (t) => {
  const rust = readFileSync(new URL('../crates/node/src/code.rs', import.meta.url), 'utf8');
  const numbers = new Map(
    [...rust.matchAll(/^pub const (\w+): u8 = (\d+);$/gm)].map(([, name, number]) => [name, number]),
  );
  const named = [...rust.matchAll(/^ {4}\((\w+), "(\w+)"\),$/gm)].map(([, name, code]) => [numbers.get(name), code]);
  t.deepEqual(named, Object.entries(ERROR_CODES));
});

test('instanceof tells the classes apart, and knows the base', (t) => {
  for (const { Class } of classes) {
    const error = new Class('what happened');
    t.true(error instanceof TroupeError && error instanceof Error && error instanceof Class);
    for (const other of classes) t.is(error instanceof other.Class, other.Class === Class);
  }
  for (const other of [new Error('x'), null, undefined, 1, 'TIMEOUT', { code: 'TIMEOUT' }]) {
    t.false((other as object) instanceof TroupeError);
    t.false((other as object) instanceof TimeoutError);
  }
});

test('instanceof holds across two copies of the package', async (t) => {
  const second = (await import(`../lib/errors.ts?copy=${Date.now()}`)) as typeof errors;
  t.not(second.TimeoutError, TimeoutError);
  const theirs = new second.TimeoutError('late');
  t.true(theirs instanceof TimeoutError && theirs instanceof TroupeError);
  t.false(theirs instanceof NoSuchWorkerError);
  t.true(new TimeoutError('late') instanceof second.TimeoutError);
});

test('a class derived from ours is not taken for its siblings', (t) => {
  class Mine extends TimeoutError {}
  const mine = new Mine('late');
  t.true(mine instanceof Mine && mine instanceof TimeoutError);
  t.is(mine.code, 'TIMEOUT');
  t.false(new TimeoutError('late') instanceof Mine);
});

test('the message of every TimeoutError contains "timeout", and its stage in words', (t) => {
  const words: Record<Stage, RegExp> = {
    'in-transit': /in transit/,
    queued: /queued/,
    running: /running/,
    handled: /handled .*no reply/,
  };
  for (const [stage, pattern] of Object.entries(words) as [Stage, RegExp][]) {
    const error = fromCode(1, { worker: 'greeter', node: 'runner-1', stage, waited: 300 });
    t.regex(error.message, /^timeout after 300 ms: /);
    t.regex(error.message, /worker "greeter" on node "runner-1"/);
    t.regex(error.message, pattern);
    t.is((error as errors.TimeoutError).stage, stage);
  }
  t.regex(fromCode(1).message, /timeout/);
  t.regex(fromCode(1, { detail: 'only 1 of 2 nodes are there' }).message, /timeout: only 1 of 2 nodes/);
  t.is(new TimeoutError('too slow').message, 'timeout: too slow');
  t.is(new TimeoutError().message, 'timeout');
  t.false('stage' in new TimeoutError());
});

test('a message names the worker and the node, and what to do', (t) => {
  const about = { worker: 'greeter', node: 'runner-1' };
  const patterns: Partial<Record<TroupeErrorCode, RegExp>> = {
    NO_SUCH_WORKER: /no worker "greeter" on node "runner-1".*never started/,
    NAME_TAKEN: /"greeter" is taken on node "runner-1".*another name/,
    MAILBOX_FULL: /mailbox of worker "greeter" on node "runner-1" is full.*more slowly/,
    WORKER_STOPPED: /worker "greeter" on node "runner-1" was stopped.*may have/,
    NODE_UNREACHABLE: /node "runner-1" can't be reached.*may have been handled/,
    NODE_STOPPED: /node "runner-1" is stopping/,
    MESSAGE_TOO_LARGE: /16 MiB/,
  };
  for (const [number, code] of Object.entries(ERROR_CODES)) {
    t.regex(fromCode(Number(number), about).message, patterns[code] ?? /./, code);
    for (const bare of [fromCode(Number(number)), fromCode(Number(number), { worker: 'w' })]) {
      t.notRegex(bare.message, /undefined|\s{2}|: ?$/, code);
    }
  }
  t.regex(fromCode(7, { node: 'n', maybeExecuted: false }).message, /trying again is safe/);
  const full = {
    mailbox: /mailbox of worker "greeter" on node "runner-1" is full/,
    line: /for worker "greeter" on node "runner-1" was refused: 65 536 messages or 64 MiB .*await what you send/,
    requests: /for worker "greeter" on node "runner-1" was refused: too many requests of this thread are open.*await/,
    there: /^node "runner-1" takes no more requests of this one: .*await their answers/,
  };
  for (const what of ['mailbox', 'line', 'requests', 'there'] as const) {
    t.regex(fromCode(4, { ...about, full: what }).message, full[what]);
    t.notRegex(fromCode(4, { full: what }).message, /undefined|\s{2}|: ?$/, what);
  }
});

test('maybeExecuted is false only where that is known', (t) => {
  for (const number of [6, 7]) {
    t.true((fromCode(number) as errors.WorkerStoppedError).maybeExecuted);
    const known = fromCode(number, { maybeExecuted: false }) as errors.WorkerStoppedError;
    t.false(known.maybeExecuted);
  }
});

test('the failure of a newer node is reported, not guessed', (t) => {
  const error = fromCode(200, { node: 'runner-1' });
  t.is(error.code, 'NODE_UNREACHABLE');
  t.regex(error.message, /failure 200/);
});

test('a printed error shows what it is about, and nothing that is not there', (t) => {
  const text = inspect(fromCode(1, { worker: 'greeter', stage: 'queued' }));
  t.regex(text, /^TimeoutError: timeout: /);
  t.regex(text, /code: 'TIMEOUT'/);
  t.regex(text, /worker: 'greeter'/);
  t.notRegex(text, /cause:|node: /);
});

test('the stack of a rejection shows who waits, though nothing was kept for it', async (t) => {
  const waiting: ((value: Promise<never>) => void)[] = [];
  const request = () => new Promise<string>((resolve) => waiting.push(resolve));
  async function theCallersOwnFunction() {
    return await request();
  }
  const outcome = theCallersOwnFunction().catch((error: unknown) => error);
  await new Promise((resolve) => setImmediate(resolve));
  for (const resolve of waiting) resolve(rejection(2, { worker: 'greeter' }));
  const error = (await outcome) as errors.TroupeError;
  t.is(error.code, 'NO_SUCH_WORKER');
  t.regex(error.stack ?? '', /theCallersOwnFunction/);
});

test('a cause travels with name, message and code, and without its stack', (t) => {
  const thrown = Object.assign(new RangeError('boom 42'), { code: 'E_BOOM' });
  const cause = decodeCause(encodeCause(thrown)) as Error & { code: string };
  t.true(cause instanceof Error);
  t.deepEqual([cause.name, cause.message, cause.code], ['RangeError', 'boom 42', 'E_BOOM']);
  t.is(cause.stack, 'RangeError: boom 42');
  const failed = fromCode(5, { worker: 'fragile', cause });
  t.true(failed instanceof WorkerFailedError);
  t.is(failed.cause, cause);
  t.is(failed.message, 'worker "fragile" failed: boom 42');
});

test('anything that can be thrown can travel', (t) => {
  const circular: Record<string, unknown> = {};
  circular['self'] = circular;
  const hostile = {
    get message(): string {
      throw new Error('no');
    },
  };
  const texts = ['plain', 7, null, undefined, { code: 3 }, Symbol('s'), 10n, circular, hostile].map(
    (thrown) => decodeCause(encodeCause(thrown)).message,
  );
  t.deepEqual(texts.slice(0, 5), ['plain', '7', 'null', 'it threw undefined', '{"code":3}']);
  t.true(texts.every((text) => typeof text === 'string'));
  t.true(encodeCause(new Error('x'.repeat(1_000_000))).length < 10_000);
});

test('a cause that is not of our form is still a cause', (t) => {
  for (const text of ['not json', '"text"', 'null', '3', '{"message":3}']) t.true(decodeCause(text) instanceof Error);
  t.is(decodeCause('not json').message, 'not json');
});

test('an invalid argument names itself and what was expected, and keeps a message to itself', (t) => {
  const type = errors.invalidType('message', 'a string', { secret: 1 });
  t.true(type instanceof TypeError);
  t.is(type.code, 'INVALID_ARGUMENT');
  t.is(type.message, '"message" must be a string, got an object');
  t.is(errors.invalidType('message', 'a string', 12_345).message, '"message" must be a string, got a number');
  t.regex(errors.invalidType('worker', 'a class', new Date()).message, /an instance of Date/);
  t.regex(errors.invalidType('worker', 'a class', Object.create(null)).message, /an object/);
  const range = errors.invalidRange('timeout', 'zero or more', -1);
  t.true(range instanceof RangeError);
  t.is(range.message, '"timeout" must be zero or more, got -1');
  t.true(errors.invalidRange('name', 'a name', 'x'.repeat(10_000)).message.length < 100);
});
