/**
 * What is told on `node:diagnostics_channel` of messages: that they were sent, and that they are handled. Channels without subscribers
 * cost a look at each send and one at each turn. docs/tracing.md has their names and fields.
 */
import { channel, tracingChannel } from 'node:diagnostics_channel';
import type { Worker } from '../worker.ts';
import type { Cell, Handling } from './cell.ts';
import { NIL } from './record.ts';
import { carried, type End, following, type Kind, tracer } from './trace.ts';

/** `troupe:send`. */
export const sends = channel('troupe:send');
const handlings = tracingChannel('troupe:handle');
const { start, end, asyncStart, asyncEnd, error } = handlings;

/** Whether somebody wants to hear of handlers, as of the beginning of this turn. */
export let isWatched = false;

/** Looks whether somebody wants to hear of handlers: once a turn, for it takes more than what it saves. */
export function lookForWatchers(): void {
  isWatched = tracer !== undefined || isHeard();
}

function isHeard(): boolean {
  return (
    start.hasSubscribers ||
    end.hasSubscribers ||
    asyncStart.hasSubscribers ||
    asyncEnd.hasSubscribers ||
    error.hasSubscribers
  );
}

/** A message was handed over. */
export function tellOfSend(node: string, from: string, to: string, kind: Kind): void {
  sends.publish({ node, from, to, kind, traceparent: carried });
}

/** What is told of a handling. */
class HandleEvent {
  readonly #handling: Handling;
  readonly node: string;
  readonly worker: string;
  readonly kind: Kind;
  readonly traceparent: string | undefined;
  error: unknown = undefined;

  constructor(cell: Cell, handling: Handling) {
    this.#handling = handling;
    this.node = (cell.owner as { readonly name: string }).name;
    this.worker = cell.name;
    this.kind = handling.request === NIL ? 'send' : 'request';
    this.traceparent = handling.trace;
  }

  /** Who sent the message; looked up when it is read, as in a context. */
  get sender(): string {
    return (this.#handling as unknown as { readonly sender: string }).sender;
  }
}

/** Runs a handler of which somebody wants to hear. */
export function handleWatched(cell: Cell, handling: Handling, message: string): unknown {
  const run = (): unknown => (cell.behaviour as Worker).handleMessage(handling as never, message);
  const spans = tracer;
  const traced = spans === undefined ? run : () => spans.handle(cell, handling, run);
  return isHeard() ? tell(new HandleEvent(cell, handling), traced) : traced();
}

/** As `TracingChannel.tracePromise`, for handlers that may return a promise or may not. */
function tell(event: HandleEvent, run: () => unknown): unknown {
  let isAsync = false;
  const ended = (how: End) => {
    if (how !== undefined) {
      event.error = how.thrown;
      error.publish(event);
    }
    if (!isAsync) return;
    asyncStart.publish(event);
    asyncEnd.publish(event);
  };
  return start.runStores(event, () => {
    try {
      return following(run, ended);
    } finally {
      isAsync = true;
      end.publish(event);
    }
  });
}
