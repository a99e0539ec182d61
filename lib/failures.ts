/**
 * Turns what the Rust core reports (a number and what it is about) into the error a caller gets: what happened, to which worker on
 * which node, and what to do. Also how a handler's failure travels to another node.
 */
import { getSystemErrorName } from 'node:util';
import {
  ERROR_CODES,
  MailboxFullError,
  MessageTooLargeError,
  NameTakenError,
  NodeStoppedError,
  NodeUnreachableError,
  NoSuchWorkerError,
  NotPermittedError,
  NotPortableError,
  TimeoutError,
  TroupeError,
  WorkerFailedError,
  WorkerStoppedError,
  type Stage,
  type TroupeErrorCode,
} from './errors.ts';

/** Why a node can't be reached that is not there; what `Zone.node` says, a message to it says as well. */
export const NO_SUCH_NODE = 'no live node of the zone has this name';

/** What a failure is about; whatever is known. */
export interface Failure {
  /** Name of the worker. */
  worker?: string | undefined;
  /** Name of the node. */
  node?: string | undefined;
  /** For TIMEOUT: how far the message came; absent where no message was sent. */
  stage?: Stage | undefined;
  /** For MAILBOX_FULL: what is full; the mailbox unless something else is said. */
  full?: 'mailbox' | 'line' | 'requests' | 'there' | undefined;
  /** For TIMEOUT: how long the caller waited, in milliseconds. */
  waited?: number | undefined;
  /** For WORKER_STOPPED and NODE_UNREACHABLE. Default true. */
  maybeExecuted?: boolean | undefined;
  /** A clause in words that takes the place of the general one, e.g. the reason a channel was closed. */
  detail?: string | undefined;
  /** What a handler threw, or what lies below. */
  cause?: unknown;
}

/**
 * The error for a code, or for its number in {@link ERROR_CODES}. Never throws; a number that a newer node knows and this one does not is
 * reported as such.
 */
export function fromCode(code: TroupeErrorCode | number, about: Failure = {}): TroupeError {
  const options: Failure & { cause?: unknown } = about;
  switch (typeof code === 'number' ? ERROR_CODES[code] : code) {
    case 'TIMEOUT':
      return new TimeoutError(timeoutText(about), options);
    case 'NO_SUCH_WORKER':
      return new NoSuchWorkerError(noSuchWorkerText(about), options);
    case 'NAME_TAKEN':
      return new NameTakenError(
        `the name ${quoted(about.worker)} is taken${onNode(about)}: ${about.detail ?? 'stop the worker that has it first, or choose another name'}`,
        options,
      );
    case 'MAILBOX_FULL':
      return new MailboxFullError(fullText(about), options);
    case 'WORKER_FAILED':
      return new WorkerFailedError(
        `${subject(about)} failed: ${about.detail ?? (messageOf(about.cause) || 'see its log')}`,
        options,
      );
    case 'WORKER_STOPPED':
      return new WorkerStoppedError(`${subject(about)} was stopped: ${about.detail ?? stoppedText(about)}`, options);
    case 'NODE_UNREACHABLE':
      return new NodeUnreachableError(unreachableText(about), options);
    case 'NODE_STOPPED':
      return new NodeStoppedError(
        `${nodeSubject(about)} ${about.detail ?? 'is stopping or has stopped: nothing more is accepted there'}`,
        options,
      );
    case 'NOT_PERMITTED':
      return new NotPermittedError(
        `not permitted${onNode(about)}: ${about.detail ?? 'the node does not allow it'}`,
        options,
      );
    case 'NOT_PORTABLE':
      return new NotPortableError(
        `the worker ${about.worker === undefined ? '' : `${quoted(about.worker)} `}can't travel to another node: ${about.detail ?? 'declare its class at the top level of a module'}`,
        options,
      );
    case 'MESSAGE_TOO_LARGE':
      return new MessageTooLargeError(
        `the message for ${subject(about)} is too large: ${about.detail ?? 'at most 16 MiB as UTF-8; split it, or send where to find it'}`,
        options,
      );
    default:
      return new NodeUnreachableError(
        `${nodeSubject(about)} answered with failure ${code}, which this version of troupe does not know: run the same version on both`,
        { ...options, maybeExecuted: true },
      );
  }
}

const settled = Promise.resolve();

/**
 * A promise that rejects with {@link fromCode}'s error two microtasks from now. `resolve` a waiting promise with it instead of
 * rejecting that: V8 then finds who awaits it, and the error's stack shows the caller's lines though nothing was kept for that
 * while the request was under way.
 */
export async function rejection(number: number, about?: Failure): Promise<never> {
  // The promise that was resolved with this one is attached a microtask later; the stack must be taken after that.
  await settled;
  await settled;
  throw fromCode(number, about);
}

/**
 * The error that `make` makes, without the lines of whoever calls this: where a failure is told in a turn of the port they are ours and
 * say nothing, and of a flood that is refused each would cost a kilobyte more (a million that is caught held 2.2 GB with them, 1.0 GB without, on
 * Node 20).
 */
export function withoutLines<E extends Error>(make: () => E): E {
  const limit = Error.stackTraceLimit;
  // By `Reflect`: a program may have made it read-only.
  Reflect.set(Error, 'stackTraceLimit', 0);
  try {
    return make();
  } finally {
    Reflect.set(Error, 'stackTraceLimit', limit);
  }
}

function timeoutText(about: Failure): string {
  const after = about.waited === undefined ? 'timeout' : `timeout after ${about.waited} ms`;
  if (about.detail !== undefined) return `${after}: ${about.detail}`;
  const who = subject(about);
  switch (about.stage) {
    case 'in-transit':
      return `${after}: the message to ${who} was still in transit: it is not known to have arrived`;
    case 'queued':
      return `${after}: the message to ${who} was still queued behind others and will not be handled`;
    case 'running':
      return `${after}: ${who} was still running its handler for the message; its context.signal has been aborted`;
    case 'handled':
      return `${after}: ${who} handled the message but sent no reply; its handler must call context.reply`;
    default:
      return `${after}: ${about.worker === undefined ? 'what was waited for did not happen' : `nothing came from ${who}`}`;
  }
}

function fullText(about: Failure): string {
  switch (about.full) {
    case 'line':
      return `the message for ${subject(about)} was refused: 65 536 messages or 64 MiB of this thread wait for room already, there or elsewhere: await what you send, or send more slowly`;
    case 'requests':
      return `the request for ${subject(about)} was refused: too many requests of this thread are open: await some of them first`;
    case 'there':
      return `${nodeSubject(about)} takes no more requests of this one: ${about.detail ?? 'too many are open there'}; await their answers first`;
    default:
      return `the mailbox of ${subject(about)} is full: ${about.detail ?? 'send more slowly, give it a larger "mailbox", or more workers'}`;
  }
}

function noSuchWorkerText(about: Failure): string {
  const where = about.node === undefined ? 'in the zone' : `on node ${quoted(about.node)}`;
  return `there is no worker ${quoted(about.worker)} ${where}: ${about.detail ?? 'it was never started there, or was stopped'}`;
}

function stoppedText(about: Failure): string {
  return about.maybeExecuted === false
    ? 'the message was not handled'
    : 'it had begun to handle the message, which may have had its effects';
}

function unreachableText(about: Failure): string {
  const outcome =
    about.maybeExecuted === false
      ? 'nothing reached it, so trying again is safe'
      : 'what was under way may have been handled there';
  if (about.node === undefined && about.worker !== undefined) {
    return `worker ${quoted(about.worker)} was not found, and may be on a node of the zone that does not answer: ${outcome}`;
  }
  return `${nodeSubject(about)} can't be reached: ${about.detail === undefined ? '' : `${about.detail}; `}${outcome}`;
}

function subject(about: Failure): string {
  return about.worker === undefined ? 'the worker' : `worker ${quoted(about.worker)}${onNode(about)}`;
}

function nodeSubject(about: Failure): string {
  return about.node === undefined ? 'the node' : `node ${quoted(about.node)}`;
}

function onNode(about: Failure): string {
  return about.node === undefined ? '' : ` on node ${quoted(about.node)}`;
}

function quoted(name: string | undefined): string {
  return name === undefined ? 'asked for' : `"${name}"`;
}

/** More than this of a failure's message is cut before it travels: it is for people to read, and frames are bounded. */
const MAX_CAUSE_CHARACTERS = 8_192;

/** What a handler threw, as the JSON text that travels to the asker: name, message and code; no stack. Never throws. */
export function encodeCause(thrown: unknown): string {
  const name = read(thrown, 'name');
  const code = read(thrown, 'code');
  return JSON.stringify({
    name: typeof name === 'string' ? shorten(name) : undefined,
    message: shorten(thrownText(thrown)),
    code: typeof code === 'string' ? shorten(code) : typeof code === 'number' ? code : undefined,
  });
}

/** The reverse of {@link encodeCause}: an `Error` without a stack of its own. Text that is not of that form becomes the message. */
export function decodeCause(text: string): Error {
  const parts = objectIn(text) ?? { message: text };
  const error = new Error(typeof parts.message === 'string' ? parts.message : '');
  const hide = (key: string, value: unknown) =>
    Object.defineProperty(error, key, { value, enumerable: false, writable: true, configurable: true });
  if (typeof parts.name === 'string') hide('name', parts.name);
  // The stack of this function would send the reader to the wrong machine.
  hide('stack', `${error.name}: ${error.message}`);
  if (typeof parts.code === 'string' || typeof parts.code === 'number') Object.assign(error, { code: parts.code });
  return error;
}

function objectIn(json: string): { name?: unknown; message?: unknown; code?: unknown } | undefined {
  try {
    const parsed: unknown = JSON.parse(json);
    return typeof parsed === 'object' && parsed !== null ? parsed : undefined;
  } catch {
    return undefined;
  }
}

/** What a thrown value says of itself, in words; empty for undefined. Never throws: a getter, a trap or a toString of it may. */
export function messageOf(thrown: unknown): string {
  if (thrown === undefined) return '';
  const message = read(thrown, 'message');
  if (typeof message === 'string') return message;
  if (typeof thrown === 'string') return thrown;
  try {
    return JSON.stringify(thrown) ?? String(thrown);
  } catch {
    return nameOf(thrown);
  }
}

/** As {@link messageOf}, for what was surely thrown: also of undefined there is something to say. */
export function thrownText(thrown: unknown): string {
  return thrown === undefined ? 'it threw undefined' : messageOf(thrown);
}

/** The stack of an error, if it is one and has one. Never throws. */
export function stackOf(thrown: unknown): string | undefined {
  try {
    const stack: unknown = thrown instanceof Error ? thrown.stack : undefined;
    return typeof stack === 'string' && stack !== '' ? stack : undefined;
  } catch {
    return undefined;
  }
}

/** The kind of a value that JSON has no words for, such as one with a circle in it. */
function nameOf(thrown: unknown): string {
  try {
    return Object.prototype.toString.call(thrown);
  } catch {
    return 'it threw something that can not be read';
  }
}

/** A property of anything, or undefined: what is thrown need not be an object, and a getter may itself throw. */
function read(value: unknown, key: string): unknown {
  try {
    return (value as Record<string, unknown> | null | undefined)?.[key];
  } catch {
    return undefined;
  }
}

function shorten(text: string): string {
  return text.length > MAX_CAUSE_CHARACTERS ? `${text.slice(0, MAX_CAUSE_CHARACTERS)}…` : text;
}

/** Why a node could not be opened: in the words of the core, which knows the file, the address or the node that is in the way. */
export function openFailure(error: unknown, node: string): unknown {
  if (!(error instanceof TroupeError && error.cause instanceof Error)) return error;
  const [, number, message] = /^(\d+)\n(.*)$/s.exec(error.cause.message) ?? [];
  if (error.code === 'NAME_TAKEN') return new NameTakenError(message, { node });
  if (error.code === 'NOT_PERMITTED') return new NotPermittedError(message, { node });
  const code = Number(number) === 0 ? {} : { code: getSystemErrorName(-Number(number)) };
  return Object.assign(new Error(`node "${node}" can't be opened: ${message}`), code);
}
