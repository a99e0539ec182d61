/** Open requests of this isolate: a table of resolvers, not a native promise or timer each. */
import { fromCode, decodeCause, rejection, thrownText, type Failure } from '../failures.ts';
import { splitAddress } from '../address.ts';
import { native } from '../native.ts';
import { askForFlush, put, routePending, takeKept } from './outgoing.ts';
import { FULL, NIL, OUT, STAGES } from './record.ts';
import { onAbort } from './signals.ts';

/** What is known of the request in which another one is nested. */
export interface Parent {
  readonly request: number;
  readonly generation: number;
  readonly until: number;
  readonly signal: AbortSignal;
  abort(reason: unknown): void;
}

/** What a handler hears that outlives its asker. */
export const askerGone = () => new DOMException('the asker gave up, or its deadline passed', 'AbortError');

/** Where a message goes, for the failure that may come of it. */
export interface Heading {
  /** The address, with the node in front of a worker of this one. */
  readonly about: string;
  /** Why a node can't be reached, where more is known of that than that it can't. */
  unreachable(): string | undefined;
}

/** One of which nothing else is known. */
function headingTo(about: string): Heading {
  return { about, unreachable: () => undefined };
}

type Resolve = (outcome: unknown) => void;

const resolvers: (Resolve | undefined)[] = [];
const generations: number[] = [];
const headings: (Heading | undefined)[] = [];
const timeouts: number[] = [];
const parents: (Parent | undefined)[] = [];
const freed: number[] = [];
/** What to do when a request with a signal has ended. */
const listeners = new Map<number, () => void>();

/** The code of a request that was given up with the one it is nested in; never seen by a user. */
const GIVEN_UP = 255;
const MAILBOX_FULL = 4;
const WORKER_FAILED = 5;
const NODE_UNREACHABLE = 7;
const NOT_PERMITTED = 9;

/** Opens a request; `resolve` gets its outcome, a failure as a promise that rejects. Returns its number. */
export function open(resolve: Resolve, to: Heading, timeout: number, parent: Parent | undefined): number {
  let id: number;
  if (freed.length > 0) id = freed.pop() as number;
  else {
    id = resolvers.length;
    generations.push(1);
  }
  resolvers[id] = resolve;
  headings[id] = to;
  timeouts[id] = timeout;
  parents[id] = parent;
  return id;
}

export function generationOf(id: number): number {
  return generations[id] as number;
}

/** Whether a request still waits for its outcome. */
export function isOpen(id: number, generation: number): boolean {
  return generations[id] === generation;
}

/** Gives a request up when the caller's signal aborts. */
export function abortWith(id: number, signal: AbortSignal): void {
  const generation = generationOf(id);
  const abort = () => {
    const resolve = close(id, generation);
    if (resolve === undefined) return;
    put(OUT.CANCEL, id, generation, 0);
    resolve(Promise.reject(signal.reason));
  };
  listeners.set(id, onAbort(signal, abort));
}

function close(id: number, generation: number): Resolve | undefined {
  if (generations[id] !== generation) return undefined;
  const resolve = resolvers[id];
  resolvers[id] = undefined;
  headings[id] = undefined;
  parents[id] = undefined;
  generations[id] = generation === 0xffff_ffff ? 1 : generation + 1;
  freed.push(id);
  if (listeners.size > 0) {
    listeners.get(id)?.();
    listeners.delete(id);
  }
  return resolve;
}

/** A request was answered. */
export function answered(id: number, generation: number, reply: unknown): void {
  close(id, generation)?.(reply);
}

/** A request failed. */
export function failed(
  id: number,
  generation: number,
  code: number,
  cause: unknown,
  stage: number,
  maybeExecuted: boolean,
  link: number,
): void {
  const to = headings[id] ?? headingTo('');
  const parent = parents[id];
  const waited = timeouts[id];
  const resolve = close(id, generation);
  if (resolve === undefined) return;
  if (code === GIVEN_UP) {
    // The news may come before the one that aborts the asker's own context.
    parent?.abort(askerGone());
    resolve(Promise.reject(parent?.signal.reason as unknown));
    return;
  }
  // One that was nested may have ended with less than its own time.
  const isInherited = parent !== undefined && parent.until - performance.now() <= 1;
  resolve(
    rejection(code, {
      ...about(to, link),
      ...reached(code, stage),
      waited: isInherited ? undefined : waited,
      maybeExecuted,
      detail: detailOf(to, code, cause, maybeExecuted),
      cause,
    }),
  );
}

/** The failure of a send to an address. */
export function sendFailure(
  to: Heading,
  code: number,
  link: number,
  waited: number,
  stage: number,
  maybe: boolean,
): Error {
  return fromCode(code, {
    ...about(to, link),
    waited,
    ...reached(code, stage),
    maybeExecuted: maybe,
    detail: detailOf(to, code, undefined, maybe),
  });
}

/** How far the message came, or what it found full. */
function reached(code: number, stage: number): Failure {
  return code === MAILBOX_FULL ? { full: FULL[stage] } : { stage: STAGES[stage] };
}

/** Whom a failure is about. */
function about(to: Heading, link: number): Failure {
  const { node, worker } = splitAddress(to.about);
  const peer = link === NIL ? undefined : (native.linkPeer(link) ?? undefined);
  return { worker: worker === '' ? undefined : worker, node: node ?? peer };
}

/** What is known of a failure beyond its code. */
function detailOf(to: Heading, code: number, cause: unknown, maybeExecuted: boolean): string | undefined {
  const mayComeWithWords = code === NOT_PERMITTED || code === MAILBOX_FULL || code === NODE_UNREACHABLE;
  if (mayComeWithWords && cause instanceof Error) return cause.message;
  if (code === WORKER_FAILED && cause === undefined) return thrownText(undefined);
  return code === NODE_UNREACHABLE && !maybeExecuted ? to.unreachable() : undefined;
}

/** The cause of a failure as it came: kept here, or as text. */
export function causeOf(isKept: boolean, index: number, texts: readonly string[]): unknown {
  if (index === NIL) return undefined;
  return isKept ? (takeKept(index) as { thrown: unknown }).thrown : decodeCause(texts[index] ?? '');
}

/** Opens a request that no message makes: the port answers it when something has been done. */
export function order<T>(to: string, timeout: number, start: (id: number, generation: number) => void): Promise<T> {
  // The port has to hear of a request that was given up before its number is used again.
  routePending();
  return new Promise<T>((resolve, reject) => {
    const id = open(resolve as Resolve, headingTo(to), timeout, undefined);
    try {
      start(id, generationOf(id));
      // The port may have answered it already, and hands that out at a flush.
      askForFlush();
    } catch (error) {
      close(id, generationOf(id));
      reject(error as Error);
    }
  });
}

/** Requests that are open; a test sees that none is left behind. */
export function openRequests(): number {
  return resolvers.length - freed.length;
}
