/// <reference lib="esnext.disposable" />
// The public API of troupe on one page. Generated from lib/ by `npm run generate`; not to be edited.

/**
 * `troupe`: workers with a name, a mailbox and private state, on one node or many. This file is the public API:
 * what it exports is what the package offers; everything else under `lib/` is its own business. `npm run generate` rolls the types
 * of these exports up into `index.d.ts`, in this order.
 *
 * @packageDocumentation
 */
declare global {
  /** So that the types check where neither the dom library nor `@types/node` is installed; both add to it. */
  interface AbortSignal {}
}

// ── context ─────────────────────────────────────────────────────────────────────────────────────────────────────────

declare class Context {
  readonly worker: string;
}

// ── duration ────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Milliseconds, or a number with a unit: `250`, `"250ms"`, `"10s"`, `"5m"`, `"1h"`. `Infinity` = no limit. */
type Duration = number | `${number}${'ms' | 's' | 'm' | 'h'}`;

// ── errors ──────────────────────────────────────────────────────────────────────────────────────────────────────────

/**
 * Everything that can go wrong, as classes a caller can tell apart: by `code`, or by `instanceof`.
 * `failures.ts` writes their messages from what the Rust core reports.
 */
/** The codes of {@link TroupeError}; stable, so match on them. */
type TroupeErrorCode =
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

// ── log ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** How serious a record is. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

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
export type Logger = (record: LogRecord) => void;

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

/** Writes or hands on a record, if its level is wanted. For records that come from the Rust core as well. */
export declare function emit(record: LogRecord): void;

/** Whether a record of that level from that part would go anywhere, for those who would have to work to make one. */
export declare function wanted(level: LogLevel, name: string): boolean;

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

export {};
