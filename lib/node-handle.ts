/** What one can do with a node, this one or another of the zone. */
import type { Address } from './address.ts';
import type { RequestOptions, SendOptions, StopOptions } from './options.ts';
import type { StartWorkerOptions, Worker, WorkerClass, WorkerInfo } from './worker.ts';

/** What one can do with a node, this one or another of the zone: the same calls, the same results. */
export interface NodeHandle {
  /** Unique among the live nodes of the zone. */
  readonly name: string;
  /** Identifier of the node's identity: derived from its public key, so it can't be claimed by another node. */
  readonly id: string;
  /**
   * Resolves when the worker is initialised and this node finds it by its name. An instance can be started once; the class form,
   * with its constructor arguments, can also be restarted and moved: prefer it. On another node it takes at most 30 s.
   *
   * @throws NameTakenError when the node has a worker of that name.
   * @throws WorkerFailedError when the constructor or `initialize` fails, with what it threw as `cause`.
   * @throws NotPortableError when the class can't travel to that node; NotPermittedError when that node takes no code.
   */
  startWorker(name: string, worker: Worker, options?: StartWorkerOptions): Promise<void>;
  startWorker<A extends unknown[]>(
    name: string,
    worker: WorkerClass<A>,
    options: StartWorkerOptions & { args: A },
  ): Promise<void>;
  startWorker(name: string, worker: WorkerClass<[]>, options?: StartWorkerOptions): Promise<void>;
  /**
   * Resolves when the worker is gone: what it held was handled within `timeout`, or has failed with `WorkerStoppedError`.
   *
   * @throws NoSuchWorkerError when the node has no worker of that name.
   */
  stopWorker(name: string, options?: StopOptions): Promise<void>;
  /** Sorted by name. Includes `main`. */
  listWorkers(options?: { prefix?: string; limit?: number }): Promise<WorkerInfo[]>;
  /**
   * Hands a message over without waiting for what it does. Resolves at once where there is room (in the worker's mailbox; for another
   * node: a place granted by the receiver, and room on the link), else when there is, in order, up to `timeout`. A send that fails is
   * a dead letter (counted, logged) whether or not anyone awaits it, and never an unhandled rejection.
   */
  send(to: Address, message: string, options?: SendOptions): Promise<void>;
  /** Sends and waits for the first reply. Exactly one outcome: the reply, or an error. Order with `send` to the same worker is kept. */
  sendAndReceive(to: Address, message: string, options?: RequestOptions): Promise<string>;
}
