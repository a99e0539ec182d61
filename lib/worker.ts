/** What a user writes: a behaviour, and how it is started; and what a listing of workers shows. */
import type { Context } from './context.ts';
import type { Duration } from './duration.ts';

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
// `any` so that a class with any constructor is assignable to the plain form.
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
