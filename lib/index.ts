/// <reference lib="esnext.disposable" preserve="true" />
/**
 * `troupe`: workers with a name, a mailbox and private state, on one node or many. This file is the public API:
 * what it exports is what the package offers; everything else under `lib/` is its own business. `npm run generate` rolls the types
 * of these exports up into `index.d.ts`, in this order.
 *
 * @packageDocumentation
 */

// So that the types check where neither the dom library nor `@types/node` is installed; both add to it.
declare global {
  // eslint-disable-next-line @typescript-eslint/no-empty-object-type -- those who have the real one merge it in
  interface AbortSignal {}
}

import * as exported from './index.ts';
import { installRuntime } from './ship/index.ts';

export type { Address } from './address.ts';
export type { Duration } from './duration.ts';
export type { StartWorkerOptions, Worker, WorkerClass, WorkerInfo } from './worker.ts';
export {
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
  type TroupeErrorCode,
  WorkerFailedError,
  WorkerStoppedError,
} from './errors.ts';
export { Context } from './context.ts';
export { type Incoming, Mailbox } from './mailbox.ts';
export type { NodeHandle } from './node-handle.ts';
export { Node } from './node.ts';
export type { ClassMetrics, Histogram, NodeMetrics, PeerMetrics, WorkerFailure, WorkerMetrics } from './metrics.ts';
export { RemoteNode } from './remote-node.ts';
export { Zone } from './zone.ts';
export type { NodeOptions, RequestOptions, SendOptions, StartOptions, StopOptions } from './options.ts';
export { debug, error, info, type LogRecord, setLogger, warn } from './log.ts';

installRuntime(exported);
