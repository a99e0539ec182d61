/** A node of the zone, as seen from another one. */
import { checkName, splitAddress, type Address } from './address.ts';
import { listThere, startThere, stopThere } from './control.ts';
import { invalidArgument } from './errors.ts';
import { checkBehaviour, checkWorker, started } from './behaviour.ts';
import type { Node } from './node.ts';
import type { NodeHandle } from './node-handle.ts';
import {
  listSettings,
  startWorkerSettings,
  stopTimeout,
  type RequestOptions,
  type SendOptions,
  type StopOptions,
} from './options.ts';
import { refused } from './port/send.ts';
import type { StartWorkerOptions, Worker, WorkerClass, WorkerInfo } from './worker.ts';

/** A node of the zone, as seen from another one. A plain name means that node's worker only. */
export class RemoteNode implements NodeHandle {
  readonly #from: Node;
  /** Unique among the live nodes of the zone. */
  readonly name: string;
  /** Identifier of the node's identity: derived from its public key, so it can't be claimed by another node. */
  readonly id: string;

  /** @internal */
  constructor(from: Node, name: string, id: string) {
    this.#from = from;
    this.name = name;
    this.id = id;
  }

  /** See {@link NodeHandle.startWorker}. */
  startWorker(name: string, worker: Worker, options?: StartWorkerOptions): Promise<void>;
  startWorker<A extends unknown[]>(
    name: string,
    worker: WorkerClass<A>,
    options: StartWorkerOptions & { args: A },
  ): Promise<void>;
  startWorker(name: string, worker: WorkerClass<[]>, options?: StartWorkerOptions): Promise<void>;
  async startWorker(
    name: string,
    worker: Worker | WorkerClass,
    options?: StartWorkerOptions & { args?: unknown[] },
  ): Promise<void> {
    checkName(name, 'name');
    const isClass = checkWorker(worker);
    const settings = startWorkerSettings(options, isClass);
    if (isClass) return startThere(this.#from, this.name, name, worker, settings);
    checkBehaviour(worker as Worker, name);
    started.add(worker);
    try {
      await startThere(this.#from, this.name, name, worker, settings);
    } catch (error) {
      started.delete(worker);
      throw error;
    }
  }

  /** See {@link NodeHandle.stopWorker}. */
  async stopWorker(name: string, options?: StopOptions): Promise<void> {
    checkName(name, 'name');
    await stopThere(this.#from, this.name, name, stopTimeout(options));
  }

  /** See {@link NodeHandle.listWorkers}. */
  async listWorkers(options?: { prefix?: string; limit?: number }): Promise<WorkerInfo[]> {
    const { prefix, limit } = listSettings(options);
    return listThere(this.#from, this.name, prefix, limit);
  }

  /** See {@link NodeHandle.send}. */
  send(to: Address, message: string, options?: SendOptions): Promise<void> {
    const address = this.#address(to);
    return address instanceof Error ? refused(address) : this.#from.send(address, message, options);
  }

  /** See {@link NodeHandle.sendAndReceive}. */
  sendAndReceive(to: Address, message: string, options?: RequestOptions): Promise<string> {
    const address = this.#address(to);
    return address instanceof Error ? Promise.reject(address) : this.#from.sendAndReceive(address, message, options);
  }

  /** The full address of a worker of this node. What is no address at all is refused further on. */
  #address(to: Address): Address | Error {
    if (typeof to !== 'string') return to;
    const { node } = splitAddress(to);
    if (node === undefined) return `${this.name}/${to}`;
    if (node === this.name) return to;
    return invalidArgument(`"to" is "${to}", a worker of another node than "${this.name}"; send it from your own node`);
  }
}
