/**
 * What is told on `node:diagnostics_channel`: of messages, workers, dead letters and nodes. Channels without subscribers cost a look at
 * each send and some at each turn. docs/tracing.md has their names and fields.
 */
import { channel, tracingChannel } from 'node:diagnostics_channel';
import { native } from '../native.ts';
import type { Worker } from '../worker.ts';
import type { Cell, Handling } from './cell.ts';
import { NIL } from './record.ts';
import { carried, type End, following, type Kind, tracer } from './trace.ts';

/** `troupe:send`. */
export const sends = channel('troupe:send');
const handlings = tracingChannel('troupe:handle');
const { start, end, asyncStart, asyncEnd, error } = handlings;

const started = channel('troupe:worker:start');
const stopped = channel('troupe:worker:stop');
const restarted = channel('troupe:worker:restart');
const failures = channel('troupe:worker:fail');
const deadLetters = channel('troupe:dead-letter');
const joined = channel('troupe:node:join');
const left = channel('troupe:node:leave');

/** Whether the port tells of dead letters. */
let tellsDeadLetters = false;
let reasons: readonly string[] | undefined;

/** Whether somebody wants to hear of handlers, as of the beginning of this turn. */
export let isWatched = false;

/** Looks whether somebody wants to hear of handlers: once a turn, for it takes more than what it saves. */
export function lookForWatchers(): void {
  isWatched = tracer !== undefined || isHeard();
  if (deadLetters.hasSubscribers !== tellsDeadLetters) native.tellDeadLetters((tellsDeadLetters = !tellsDeadLetters));
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

/** A message was handed over. `request`: the number of the request that it asks for. */
export function tellOfSend(from: Cell, { name: node }: { readonly name: string }, to: string, request: number): void {
  sends.publish({ node, from: from.name, to, kind: kindOf(request), traceparent: carried });
}

function kindOf(request: number): Kind {
  return request === NIL ? 'send' : 'request';
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
    this.node = nodeOf(cell);
    this.worker = cell.name;
    this.kind = kindOf(handling.request);
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

function nodeOf(cell: Cell): string {
  return (cell.owner as { readonly name: string }).name;
}

/** A worker handles messages from here on. */
export function tellOfStart(cell: Cell): void {
  if (started.hasSubscribers) started.publish({ node: nodeOf(cell), worker: cell.name });
}

/** A fresh instance has taken a worker over. */
export function tellOfRestart(cell: Cell): void {
  if (restarted.hasSubscribers) restarted.publish({ node: nodeOf(cell), worker: cell.name });
}

/** A worker that had started is gone. */
export function tellOfStop(cell: Cell, wasAbandoned: boolean): void {
  if (stopped.hasSubscribers) stopped.publish({ node: nodeOf(cell), worker: cell.name, wasAbandoned });
}

/** Something of a worker failed. */
export function tellOfFailure(cell: Cell, what: string, thrown: unknown): void {
  if (failures.hasSubscribers) failures.publish({ node: nodeOf(cell), worker: cell.name, what, error: thrown });
}

/** Messages reached nobody. `from`: who sent them, as far as that is known. */
export function tellOfDeadLetters(reason: number, from: Cell | undefined, count: number): void {
  reasons ??= native.deadLetterReasons();
  deadLetters.publish({
    node: from === undefined ? undefined : nodeOf(from),
    worker: from?.name,
    reason: reasons[reason],
    count,
  });
}

/** One node as another one sees it. */
interface Member {
  readonly name: string;
  readonly id: string;
}

/** Whom a node knew when it last told. */
const known = new WeakMap<object, Map<string, Member>>();

/** Nodes have come or gone, as far as this one sees. `look`: who is there now; called only when somebody wants to know. */
export function tellOfNodes(node: { readonly name: string }, look: () => Member[]): void {
  if (!joined.hasSubscribers && !left.hasSubscribers) return;
  const before = known.get(node) ?? new Map<string, Member>();
  const now = new Map(look().map(({ name, id }) => [id, { name, id }]));
  known.set(node, now);
  for (const [id, { name }] of before) if (!now.has(id)) left.publish({ node: node.name, name, id });
  for (const [id, { name }] of now) if (!before.has(id)) joined.publish({ node: node.name, name, id });
}
