/**
 * The trace that a message belongs to: a `traceparent` beside its text, which only those messages have that came with one or are sent
 * while somebody traces. All others are told by one comparison that they have none.
 */
import type { Cell, Handling } from './cell.ts';

/** A body in the slab that has a trace. */
export class Traced {
  readonly text: string;
  readonly traceparent: string;

  constructor(text: string, traceparent: string) {
    this.text = text;
    this.traceparent = traceparent;
  }

  /** UTF-16 units of the text. */
  get length(): number {
    return this.text.length;
  }
}

/** The body of a message: its text, with its trace if it belongs to one. */
export type Body = string | Traced;

/** The trace of messages that are handed over now. */
export let carried: string | undefined = undefined;

/** Hands something over as a part of a trace. */
export function carrying<T>(traceparent: string | undefined, hand: () => T): T {
  const before = carried;
  carried = traceparent;
  try {
    return hand();
  } finally {
    carried = before;
  }
}

/** How a message is handed over: its sender waits for a reply, or does not. */
export type Kind = 'send' | 'request';

/** Whoever makes spans of messages. */
export interface Tracer {
  /** Hands a message over; what it returns is the outcome. */
  hand<T extends Promise<unknown>>(kind: Kind, from: Cell, to: string, hand: () => T): T;
  /** Runs a handler; returns what it returned, or a promise that settles as that does. */
  handle(cell: Cell, handling: Handling, run: () => unknown): unknown;
}

/** None, unless the program traces. */
export let tracer: Tracer | undefined = undefined;

/** What is handed over gets a span: somebody traces, and this is not the call within the span. */
export let isTraced = false;

/** Everything is traced from here on. */
export function traceWith(spans: Tracer): void {
  tracer = spans;
  isTraced = true;
}

/** Hands a message over with a span of its own. */
export function withSpan<T extends Promise<unknown>>(kind: Kind, from: Cell, to: string, hand: () => T): T {
  return (tracer as Tracer).hand(kind, from, to, () => {
    isTraced = false;
    try {
      return hand();
    } finally {
      isTraced = true;
    }
  });
}

/** How something ended: well, or with what it threw. */
export type End = { readonly thrown: unknown } | undefined;

/** Runs a handler and tells when it has ended, a promise of it included; returns what it returned, or a promise that settles as that does. */
export function following(run: () => unknown, ended: (end: End) => void): unknown {
  let result: unknown;
  let isPending: boolean;
  try {
    result = run();
    isPending = result !== undefined && typeof (result as PromiseLike<unknown> | null)?.then === 'function';
  } catch (thrown) {
    ended({ thrown });
    throw thrown;
  }
  if (!isPending) {
    ended(undefined);
    return result;
  }
  const promise = Promise.resolve(result);
  promise.then(
    () => ended(undefined),
    (thrown: unknown) => ended({ thrown }),
  );
  return promise;
}
