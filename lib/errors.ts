/**
 * Everything that can go wrong, as classes a caller can tell apart: by `code`, or by `instanceof`.
 * `failures.ts` writes their messages from what the Rust core reports.
 */

/** The codes of {@link TroupeError}; stable, so match on them. */
export type TroupeErrorCode =
  | 'TIMEOUT'
  | 'NO_SUCH_WORKER'
  | 'NAME_TAKEN'
  | 'MAILBOX_FULL'
  | 'WORKER_FAILED'
  | 'WORKER_STOPPED'
  | 'NODE_UNREACHABLE'
  | 'NODE_STOPPED'
  | 'NOT_PERMITTED'
  | 'NOT_PORTABLE'
  | 'MESSAGE_TOO_LARGE';

/** The number of each code on the wire and on the bridge. Rust holds the same table; a test compares the two. */
export const ERROR_CODES: Readonly<Record<number, TroupeErrorCode>> = Object.freeze({
  1: 'TIMEOUT',
  2: 'NO_SUCH_WORKER',
  3: 'NAME_TAKEN',
  4: 'MAILBOX_FULL',
  5: 'WORKER_FAILED',
  6: 'WORKER_STOPPED',
  7: 'NODE_UNREACHABLE',
  8: 'NODE_STOPPED',
  9: 'NOT_PERMITTED',
  10: 'NOT_PORTABLE',
  11: 'MESSAGE_TOO_LARGE',
});

/** How far a message had come when its deadline passed. */
export type Stage = 'in-transit' | 'queued' | 'running' | 'handled';

/** What an error is about, beside its message. */
export interface TroupeErrorOptions {
  /** What led to it, e.g. what a handler threw. */
  cause?: unknown;
  /** Name of the worker it is about. */
  worker?: string | undefined;
  /** Name of the node it is about. */
  node?: string | undefined;
}

/**
 * Marks our classes (its value there: their code) and their instances (`true`). Registered, so that a second copy of the
 * package, which has classes of its own, knows it too.
 */
const BRAND = Symbol.for('troupe.error');
/** The brand's value on the base class: any code will do. */
const ANY = '*';

/**
 * Base of all failures of this package. Match on `code`: it is stable; `instanceof` also holds across two copies of the package.
 * Bad arguments are not among them: those are a `TypeError` or `RangeError` with the code `INVALID_ARGUMENT`.
 */
export class TroupeError extends Error {
  /** Which failure this is. */
  declare readonly code: TroupeErrorCode;
  /** Name of the worker it is about, where there is one. */
  declare readonly worker?: string;
  /** Name of the node it is about, where there is one. */
  declare readonly node?: string;

  /** Normally made by the package; by hand it serves the tests of code that handles failures. */
  constructor(message?: string, options: TroupeErrorOptions = {}) {
    // Passed on only where there is one: `{ cause: undefined }` would give every error a cause to print.
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    const code = (new.target as unknown as Branded)[BRAND];
    // Own properties, so that printing an error shows what it is about.
    if (code !== undefined && code !== ANY) this.code = code as TroupeErrorCode;
    if (options.worker !== undefined) this.worker = options.worker;
    if (options.node !== undefined) this.node = options.node;
  }
}

/** No answer within the time allowed. The message of every one contains "timeout". */
export class TimeoutError extends TroupeError {
  declare readonly code: 'TIMEOUT';
  /**
   * How far the message came: `in-transit`, not known to have arrived; `queued`, waiting, in line or in the mailbox; `running`, being
   * handled; `handled`, without a reply. Absent where no message was sent (`receive`, `Zone.nodes`). The receiver reports it, also
   * from another node.
   */
  declare readonly stage?: Stage;

  constructor(message = 'timeout', options: TroupeErrorOptions & { stage?: Stage | undefined } = {}) {
    super(/timeout/i.test(message) ? message : `timeout: ${message}`, options);
    if (options.stage !== undefined) this.stage = options.stage;
  }
}

/** No live node of the zone has a worker of that name (or the one node that was asked has none). */
export class NoSuchWorkerError extends TroupeError {
  declare readonly code: 'NO_SUCH_WORKER';
}

/** A worker or mailbox of that name exists on the node already, or is still stopping. */
export class NameTakenError extends TroupeError {
  declare readonly code: 'NAME_TAKEN';
}

/** The mailbox took no more: it refuses when full, its waiting line is full as well, or waiting could never end. */
export class MailboxFullError extends TroupeError {
  declare readonly code: 'MAILBOX_FULL';
}

/** The handler failed. `cause` holds what it threw: name, message, code; the stack too when it ran on this node. */
export class WorkerFailedError extends TroupeError {
  declare readonly code: 'WORKER_FAILED';
}

/** Options of the failures after which the message may or may not have been handled. */
export interface MaybeExecutedOptions extends TroupeErrorOptions {
  /** Default true: not known to be unhandled. */
  maybeExecuted?: boolean | undefined;
}

/** The worker was stopped before it replied. */
export class WorkerStoppedError extends TroupeError {
  declare readonly code: 'WORKER_STOPPED';
  /** True when it had begun to handle the message. */
  declare readonly maybeExecuted: boolean;

  constructor(message?: string, options: MaybeExecutedOptions = {}) {
    super(message, options);
    this.maybeExecuted = options.maybeExecuted ?? true;
  }
}

/** There is no channel to the node, or it was lost. */
export class NodeUnreachableError extends TroupeError {
  declare readonly code: 'NODE_UNREACHABLE';
  /** False only when the message surely did not get there. */
  declare readonly maybeExecuted: boolean;

  constructor(message?: string, options: MaybeExecutedOptions = {}) {
    super(message, options);
    this.maybeExecuted = options.maybeExecuted ?? true;
  }
}

/** The node that was to do it is stopping or has stopped. */
export class NodeStoppedError extends TroupeError {
  declare readonly code: 'NODE_STOPPED';
}

/** A capability or an option of the node says no. */
export class NotPermittedError extends TroupeError {
  declare readonly code: 'NOT_PERMITTED';
}

/** The worker can't travel to another node; the message names the field or import, and the form that works. */
export class NotPortableError extends TroupeError {
  declare readonly code: 'NOT_PORTABLE';
}

/** A message longer than 16 MiB, counted as UTF-8. */
export class MessageTooLargeError extends TroupeError {
  declare readonly code: 'MESSAGE_TOO_LARGE';
}

interface Branded {
  [BRAND]?: unknown;
}

const CLASSES: Record<TroupeErrorCode, typeof TroupeError> = {
  TIMEOUT: TimeoutError,
  NO_SUCH_WORKER: NoSuchWorkerError,
  NAME_TAKEN: NameTakenError,
  MAILBOX_FULL: MailboxFullError,
  WORKER_FAILED: WorkerFailedError,
  WORKER_STOPPED: WorkerStoppedError,
  NODE_UNREACHABLE: NodeUnreachableError,
  NODE_STOPPED: NodeStoppedError,
  NOT_PERMITTED: NotPermittedError,
  NOT_PORTABLE: NotPortableError,
  MESSAGE_TOO_LARGE: MessageTooLargeError,
};

/** An error with the text that another node composed. */
export function errorOf(
  code: TroupeErrorCode,
  message: string,
  options: MaybeExecutedOptions & { stage?: Stage | undefined },
): TroupeError {
  return new CLASSES[code](message, options);
}

// Set here and not in the classes: none of it belongs in the public types, and `name` must not be an own, printed property.
// The names are spelled by the source, so a minifier that renames classes must not decide what a log shows.
const hidden = (value: unknown) => ({ value, enumerable: false, writable: true, configurable: true });
Object.defineProperty(TroupeError, BRAND, hidden(ANY));
Object.defineProperty(TroupeError, Symbol.hasInstance, hidden(hasInstance));
Object.defineProperty(TroupeError.prototype, BRAND, hidden(true));
Object.defineProperty(TroupeError.prototype, 'name', hidden('TroupeError'));
for (const [code, Class] of Object.entries(CLASSES)) {
  Object.defineProperty(Class, BRAND, hidden(code));
  Object.defineProperty(Class.prototype, 'name', hidden(nameOf(code)));
}

/** `instanceof`: true for the errors of any copy of the package that carry this class's code; ordinary for classes derived from ours. */
function hasInstance(this: unknown, value: unknown): boolean {
  if (typeof this !== 'function') return false;
  if (!Object.hasOwn(this, BRAND)) return Function.prototype[Symbol.hasInstance].call(this, value);
  if (typeof value !== 'object' || value === null || (value as Branded)[BRAND] !== true) return false;
  const code = (this as Branded)[BRAND];
  return code === ANY || code === (value as TroupeError).code;
}

/** `NO_SUCH_WORKER` → `NoSuchWorkerError`. */
function nameOf(code: string): string {
  const words = code.split('_').map((word) => word[0] + word.slice(1).toLowerCase());
  return `${words.join('')}Error`;
}

/** What the functions below throw: Node's own error classes, with a code to match on. */
export type InvalidArgumentError = (TypeError | RangeError) & { readonly code: 'INVALID_ARGUMENT' };

/**
 * A `TypeError` that says which argument is of the wrong kind, what was expected, and the kind of what came. Never the value:
 * it may be a message.
 */
export function invalidType(argument: string, expected: string, got: unknown): InvalidArgumentError {
  return coded(new TypeError(`"${argument}" must be ${expected}, got ${kindOf(got)}`));
}

/** A `RangeError` for an argument of the right kind with a value that does not do; the message shows the value, shortened. */
export function invalidRange(argument: string, expected: string, got: unknown): InvalidArgumentError {
  return coded(new RangeError(`"${argument}" must be ${expected}, got ${shown(got)}`));
}

/** A `TypeError` whose message is not of the form "must be …, got …", e.g. for an unknown option. */
export function invalidArgument(message: string): InvalidArgumentError {
  return coded(new TypeError(message));
}

function coded(error: TypeError | RangeError): InvalidArgumentError {
  return Object.assign(error, { code: 'INVALID_ARGUMENT' as const });
}

function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value === 'function') return value.name ? `the function ${value.name}` : 'a function';
  if (typeof value !== 'object') return `a ${typeof value}`;
  if (Array.isArray(value)) return 'an array';
  const name: unknown = Object.getPrototypeOf(value)?.constructor?.name;
  return typeof name === 'string' && name !== '' && name !== 'Object' ? `an instance of ${name}` : 'an object';
}

function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 40 ? `${value.slice(0, 39)}…` : value);
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean') return String(value);
  return kindOf(value);
}
