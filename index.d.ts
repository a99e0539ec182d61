/// <reference lib="esnext.disposable" />
// The public API of troupe on one page. Generated from lib/ by `npm run generate`; not to be edited.

declare global {
  interface AbortSignal {}
}

// ── address ─────────────────────────────────────────────────────────────────────────────────────────────────────────

/**
 * Where a message goes: `"greeter"` — the worker of that name, on this node if it runs here, else
 * wherever in the zone it runs — or `"runner-1/greeter"`, that worker on that node.
 * Names: `[A-Za-z0-9_-]`, 1 to 128 characters.
 */
export type Address = string;

// ── duration ────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Milliseconds, or a number with a unit: `250`, `"250ms"`, `"10s"`, `"5m"`, `"1h"`. `Infinity` = no limit. */
export type Duration = number | `${number}${'ms' | 's' | 'm' | 'h'}`;

// ── worker ──────────────────────────────────────────────────────────────────────────────────────────────────────────

/**
 * An actor's behaviour: private state and what it does with one message.
 * One message at a time: the next one waits until the promise that `handleMessage` returned settles.
 */
export interface Worker {
  /** Once, before the first message. A failure here fails `startWorker`. */
  initialize?(context: Context): unknown;
  /** One message. A failure reaches whoever asked, as `WorkerFailedError`; see {@link StartWorkerOptions.onFailure}. */
  handleMessage(context: Context, message: string): unknown;
  /** Once, after the last message, also when the node stops. */
  shutdown?(context: Context): unknown;
}

/** A class of behaviours: what {@link Worker} instances are made from, with the arguments its constructor takes. */
export type WorkerClass<Args extends unknown[] = any[]> = new (...args: Args) => Worker;

/** How a worker is started: the bounds of its mailbox, and what becomes of it when it fails. */
export interface StartWorkerOptions {
  /** Messages that may wait, 1 to 2147483648. Default 10_000, and 64 MiB of text in any case. */
  mailbox?: number;
  /**
   * When the mailbox is full. `"wait"` (default): senders wait in order, within their timeouts.
   * `"reject"`: they get `MailboxFullError` at once.
   */
  overflow?: 'wait' | 'reject';
  /**
   * What a failing message does to the worker. `"resume"` (default): the message fails, state is kept.
   * `"restart"`: a fresh instance takes over the same mailbox (only when a class was given); more than `maxRestarts`
   * within `within` stops it. `"stop"`: it is stopped, and waiting messages fail.
   * The failed message is not tried again; a failing restart counts as one. When the asker hears of the failure, the restart
   * or stop has been done.
   */
  onFailure?: 'resume' | 'restart' | 'stop';
  /** Restarts allowed within `within`; 0 stops it at the first failure. Default 10. */
  maxRestarts?: number;
  /** The time over which restarts are counted; `Infinity` counts them all. Default "1m". */
  within?: Duration;
}

/** One worker of a node, as `listWorkers` reports it. */
export interface WorkerInfo {
  /** The worker's name, unique on its node. */
  readonly name: string;
  /** Name of the node it runs on. */
  readonly node: string;
  /** Class name of the behaviour. */
  readonly type: string;
  /** What it is doing. */
  readonly state: 'starting' | 'idle' | 'busy' | 'stopping';
  /** Messages in the mailbox, not counting the one being handled, nor those that wait in line at their senders. */
  readonly queued: number;
  /** Messages done with, failed ones included. */
  readonly handled: number;
  /** Messages whose handler failed. */
  readonly failed: number;
  /** The name, so that a listing prints well. */
  toString(): string;
}

// ── errors ──────────────────────────────────────────────────────────────────────────────────────────────────────────

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

/** How far a message had come when its deadline passed. */
type Stage = 'in-transit' | 'queued' | 'running' | 'handled';

/** What an error is about, beside its message. */
interface TroupeErrorOptions {
  /** What led to it, e.g. what a handler threw. */
  cause?: unknown;
  /** Name of the worker it is about. */
  worker?: string | undefined;
  /** Name of the node it is about. */
  node?: string | undefined;
}

/**
 * Base of all failures of this package. Match on `code`: it is stable; `instanceof` also holds across two copies of the package.
 * Bad arguments are not among them: those are a `TypeError` or `RangeError` with the code `INVALID_ARGUMENT`.
 */
export declare class TroupeError extends Error {
  /** Which failure this is. */
  readonly code: TroupeErrorCode;
  /** Name of the worker it is about, where there is one. */
  readonly worker?: string;
  /** Name of the node it is about, where there is one. */
  readonly node?: string;
  /** Normally made by the package; by hand it serves the tests of code that handles failures. */
  constructor(message?: string, options?: TroupeErrorOptions);
}

/** No answer within the time allowed. The message of every one contains "timeout". */
export declare class TimeoutError extends TroupeError {
  readonly code: 'TIMEOUT';
  /**
   * How far the message came: `in-transit`, not known to have arrived; `queued`, waiting, in line or in the mailbox; `running`, being
   * handled; `handled`, without a reply. Absent where no message was sent (`receive`, `Zone.nodes`). The receiver reports it, also
   * from another node.
   */
  readonly stage?: Stage;
  constructor(
    message?: string,
    options?: TroupeErrorOptions & {
      stage?: Stage | undefined;
    },
  );
}

/** No live node of the zone has a worker of that name (or the one node that was asked has none). */
export declare class NoSuchWorkerError extends TroupeError {
  readonly code: 'NO_SUCH_WORKER';
}

/** A worker or mailbox of that name exists on the node already, or is still stopping. */
export declare class NameTakenError extends TroupeError {
  readonly code: 'NAME_TAKEN';
}

/** The mailbox took no more: it refuses when full, its waiting line is full as well, or waiting could never end. */
export declare class MailboxFullError extends TroupeError {
  readonly code: 'MAILBOX_FULL';
}

/** The handler failed. `cause` holds what it threw: name, message, code; the stack too when it ran on this node. */
export declare class WorkerFailedError extends TroupeError {
  readonly code: 'WORKER_FAILED';
}

/** Options of the failures after which the message may or may not have been handled. */
interface MaybeExecutedOptions extends TroupeErrorOptions {
  /** Default true: not known to be unhandled. */
  maybeExecuted?: boolean | undefined;
}

/** The worker was stopped before it replied. */
export declare class WorkerStoppedError extends TroupeError {
  readonly code: 'WORKER_STOPPED';
  /** True when it had begun to handle the message. */
  readonly maybeExecuted: boolean;
  constructor(message?: string, options?: MaybeExecutedOptions);
}

/** There is no channel to the node, or it was lost. */
export declare class NodeUnreachableError extends TroupeError {
  readonly code: 'NODE_UNREACHABLE';
  /** False only when the message surely did not get there. */
  readonly maybeExecuted: boolean;
  constructor(message?: string, options?: MaybeExecutedOptions);
}

/** The node that was to do it is stopping or has stopped. */
export declare class NodeStoppedError extends TroupeError {
  readonly code: 'NODE_STOPPED';
}

/** A capability or an option of the node says no. */
export declare class NotPermittedError extends TroupeError {
  readonly code: 'NOT_PERMITTED';
}

/** The worker can't travel to another node; the message names the field or import, and the form that works. */
export declare class NotPortableError extends TroupeError {
  readonly code: 'NOT_PORTABLE';
}

/** A message longer than 16 MiB, counted as UTF-8. */
export declare class MessageTooLargeError extends TroupeError {
  readonly code: 'MESSAGE_TOO_LARGE';
}

// ── options ─────────────────────────────────────────────────────────────────────────────────────────────────────────

/** How a message is handed over. */
export interface SendOptions {
  /** How long to wait while the mailbox or the link is full. Default "30s". */
  timeout?: Duration;
  /** Gives up when it aborts: the call then rejects with its reason. */
  signal?: AbortSignal;
}

/** How an answer is waited for. */
export interface RequestOptions {
  /** How long to wait for the reply. Default "30s". */
  timeout?: Duration;
  /** Gives up when it aborts: the call then rejects with its reason, and the handler's `context.signal` aborts. */
  signal?: AbortSignal;
}

/** How a worker or a node is stopped. */
export interface StopOptions {
  /** How long running and waiting messages may take to drain before they are failed. Default "5s"; 0 = at once. */
  timeout?: Duration;
}

/** How a node is made. */
export interface NodeOptions {
  /**
   * Default: `TROUPE_NODE`, else the main file's name (its folder's, if it is `main` or `index`) and a short random suffix.
   * Other characters become `-`.
   */
  name?: string;
  /**
   * Default: `TROUPE_ZONE`, else `"default"`, the zone of this machine's user, which needs no server and no set-up.
   * `false`: a node by itself, that opens no socket and touches no file. The zone's files are under `TROUPE_HOME`.
   */
  zone?: string | false;
  /** `"host:port"` to listen on for other nodes. Default: `TROUPE_LISTEN`, else `"127.0.0.1:0"`. */
  listen?: string;
  /**
   * Whether other members may start code here that this node does not have. Default: true for members of the same user on the
   * same machine, else false.
   */
  acceptCode?: boolean;
  /** Classes that other members may start here by name without shipping their code. */
  workers?: Record<string, WorkerClass>;
}

/** How a node is started that is a program of its own. */
export interface StartOptions extends NodeOptions {
  /** Stay up after `main` returned, until SIGINT or SIGTERM. Default true. With false the node stops when `main` returns. */
  waitUntilInterrupted?: boolean;
}

// ── log ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** How serious a record is. */
type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** One entry of the log. */
export interface LogRecord {
  /** When it was logged. */
  time: Date;
  /** How serious it is. */
  level: LogLevel;
  /** Which part speaks: `node` for the user's own code, else a part of the runtime such as `channel` or `zone`. */
  name: string;
  /** What happened, in words. */
  message: string;
  /** Details to search by. */
  fields?: object;
}

/** Another logger's entrance. */
type Logger = (record: LogRecord) => void;

/**
 * To standard error: `2026-01-31T12:00:00.000Z INFO node Runner is ready` on a terminal, one JSON object a line elsewhere
 * (TROUPE_LOG_FORMAT=pretty|json). Levels: TROUPE_LOG="info,channel=debug"; default `info`, `off` for silence.
 */
export declare function debug(message: string, fields?: object): void;

/** Like {@link debug}, one level up: shown unless TROUPE_LOG says otherwise. */
export declare function info(message: string, fields?: object): void;

/** Like {@link info}, for what someone should look at. */
export declare function warn(message: string, fields?: object): void;

/** Like {@link info}, for what failed. */
export declare function error(message: string, fields?: object): void;

/**
 * Hands every record, the Rust core's too, to another logger instead, e.g. `(r) => pino[r.level](r.fields, r.message)`; `undefined`:
 * back to the default. That logger filters by itself: TROUPE_LOG holds for it only where it is set. If it throws, that is
 * reported once, and the record is written as if it were not there.
 */
export declare function setLogger(log: Logger | undefined): void;

// ── context ─────────────────────────────────────────────────────────────────────────────────────────────────────────

declare class Context {
  readonly worker: string;
  reply(message: string): Promise<void>;
}

export {};
