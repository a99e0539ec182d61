/** What tests of one node share: a node that ends with its test, gates to wait for, failures to look at, what the port has counted. */
import { inspect } from 'node:util';
import type { ExecutionContext } from 'ava';
import { setLogger, Node, type Context, type LogRecord, type NodeOptions, type TroupeError } from 'troupe';
import type { Native } from '../../lib/native.ts';

/** A node by itself, stopped when its test ends. */
export async function testNode(t: ExecutionContext, options: NodeOptions = {}): Promise<Node> {
  const node = await Node.create({ zone: false, ...options });
  t.teardown(() => node.stop({ timeout: 0 }));
  return node;
}

/** Something that happens when a test says so. */
export class Gate<T = void> {
  /** Resolves when the gate is opened. */
  readonly opened: Promise<T>;
  open!: (value: T) => void;

  constructor() {
    this.opened = new Promise<T>((resolve) => (this.open = resolve));
  }
}

/** Hands each message to a function: a behaviour written where it is used. */
export class Handler {
  readonly #handle: (context: Context, message: string) => unknown;

  constructor(handle: (context: Context, message: string) => unknown) {
    this.#handle = handle;
  }

  handleMessage(context: Context, message: string): unknown {
    return this.#handle(context, message);
  }
}

/** Answers with what it is asked. */
export class Echo {
  async handleMessage(context: Context, message: string) {
    await context.reply(message);
  }
}

/**
 * A worker that holds every message until it is told to go on: `begun` tells which one it has in hand. Takes `go` to end one, `done` to
 * end all that come.
 */
export class Slow {
  readonly seen: string[] = [];
  #begun = new Gate<string>();
  #current: Gate | undefined = undefined;
  #isFree = false;

  async handleMessage(context: Context, message: string) {
    this.seen.push(message);
    this.#current = new Gate();
    this.#begun.open(message);
    if (!this.#isFree) await this.#current.opened;
    this.#current = undefined;
    this.#begun = new Gate();
    await context.reply(`did ${message}`);
  }

  /** Resolves with the message in hand, when there is one. */
  get begun(): Promise<string> {
    return this.#begun.opened;
  }

  /** Ends the message in hand. */
  go(): void {
    this.#current?.open();
  }

  /** Ends it, and every later one at once. */
  free(): void {
    this.#isFree = true;
    this.go();
  }
}

/** How a call ended: its code, or `ok`. */
export async function outcome(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => 'ok',
    (error: unknown) => String((error as TroupeError).code ?? error),
  );
}

/** The failure of a call that must fail. */
export async function failure<E = TroupeError>(t: ExecutionContext, call: Promise<unknown>): Promise<E> {
  return call.then(
    (value) => t.fail(`expected a failure, got ${inspect(value, { depth: 0 })}`) as never,
    (error: unknown) => error as E,
  );
}

/** The log of the process from here on, instead of lines on standard error. */
export function captureLog(): LogRecord[] {
  const records: LogRecord[] = [];
  setLogger((record) => records.push(record));
  return records;
}

/** Turns of the event loop: whatever can happen now has happened after a few. */
export async function turns(count = 3): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** Resolves when the condition holds, looked at once a turn of the event loop. Never: the test's own timeout ends it. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await turns(1);
}

const dist = (file: string) => new URL(`../../dist/${file}`, import.meta.url).href;

/** The add-on that the built package uses: another copy of it would open a second port. */
export const native = ((await import(dist('native.js'))) as { native: Native }).native;

/** Why messages reached nobody, in the order in which the port counts them. */
const REASONS = [
  'no-such-worker',
  'worker-stopped',
  'mailbox-full',
  'expired',
  'node-unreachable',
  'node-stopped',
  'too-large',
  'late-reply',
  'invalid',
] as const;

/** Dead letters of this process so far. */
export function deadLetters(reason: (typeof REASONS)[number]): number {
  return native.counters().deadLetters[REASONS.indexOf(reason)] as number;
}

const { keptBodies } = (await import(dist('port/outgoing.js'))) as { keptBodies(): number };
const { openRequests } = (await import(dist('port/requests.js'))) as { openRequests(): number };
const { waitingSends } = (await import(dist('port/delivery.js'))) as { waitingSends(): number };

/** Texts that JavaScript's half of the port holds for messages under way. */
export const bodies = keptBodies;

/** All that it holds: 0 each when nothing is under way. */
export function held(): { bodies: number; requests: number; sends: number } {
  return { bodies: keptBodies(), requests: openRequests(), sends: waitingSends() };
}
