/** A node of this process. */
import type { Address } from './address.ts';
import { checkName } from './address.ts';
import { checkBehaviour, checkWorker, started } from './behaviour.ts';
import { makeContext, makeTracedContext } from './context.ts';
import { answer } from './control.ts';
import { NO_LIMIT } from './duration.ts';
import { invalidArgument, invalidType, TroupeError } from './errors.ts';
import { fromCode, openFailure, thrownText } from './failures.ts';
import { closeServer, serve, socketAddress } from './http.ts';
import * as log from './log.ts';
import { Mailbox } from './mailbox.ts';
import type { NodeMetrics } from './metrics.ts';
import { native } from './native.ts';
import type { NodeHandle } from './node-handle.ts';
import {
  listSettings,
  NODE,
  mailboxCapacity,
  nodeSettings,
  startWorkerSettings,
  staysUp,
  stopTimeout,
  type NodeOptions,
  type NodeSettings,
  type RequestOptions,
  type Role,
  type SendOptions,
  type StartOptions,
  type StartWorkerSettings,
  type StopOptions,
} from './options.ts';
import { type Behind, cells } from './port/cell.ts';
import { initialize, openCell, openMailboxCell } from './port/life.ts';
import { handOverLogs, nodeClosed, nodeOpened } from './port/logs.ts';
import { order } from './port/requests.ts';
import { AddressBook, request, send } from './port/send.ts';
import { onNodeEvents, routeNow } from './port/turn.ts';
import { tellOfNodes } from './port/watch.ts';
import { runUntilInterrupted } from './start.ts';
import { traceIfRegistered } from './telemetry.ts';
import type { StartWorkerOptions, Worker, WorkerClass, WorkerInfo } from './worker.ts';
import { Listed } from './worker-info.ts';

/** The nodes of this isolate, by number. */
const nodes: (Node | undefined)[] = [];
/** What other nodes have asked of those that are not open yet: they may see a node of the zone a moment before its program does. */
const opening = new Map<number, [request: number, generation: number][]>();
const RESUME = 0;
const RESTART = 1;
/** Workers that `metrics` tells of one by one. */
const METRICS_WORKERS = 1_000;
const MAIN_MAILBOX = 10_000;
/** A stop that takes longer says what it waits for. Milliseconds. */
const TELL_OF_DRAIN = 1_000;
/** Workers that it names. */
const NAMED = 10;
/** What stands behind most workers; one for all of them. */
const RESUMED: Behind = { make: makeContext, makeTraced: makeTracedContext, renew: undefined, holdsOnFailure: false };

onNodeEvents({
  control: (number, id, generation) => {
    const node = nodes[number];
    if (node !== undefined) void answer(node, id, generation);
    else opening.get(number)?.push([id, generation]);
  },
  members: (number) => {
    const node = nodes[number];
    if (node === undefined) return;
    node.membersChanged.dispatchEvent(new Event('change'));
    tellOfNodes(node, () => native.members(number).filter(({ role }) => role === NODE));
  },
});

/** Channels and the zone's record are closed also when the process ends without `stop`. */
process.on('exit', () => {
  for (const node of nodes) {
    if (node === undefined) continue;
    native.closeNodeNow(node.number);
    nodeClosed(node);
  }
  handOverLogs();
});

/** One runtime with one identity: workers of this process, and the way to those of the zone. */
export class Node implements NodeHandle {
  readonly #settings: NodeSettings;
  readonly #stopping = new AbortController();
  /** Holds the event loop while the node is up. */
  readonly #alive: NodeJS.Timeout;
  #stopped: Promise<void> | undefined;
  #http: string | undefined;
  /** Unique among the live nodes of the zone. */
  readonly name: string;
  /** Identifier of the node's identity: derived from its public key, so it can't be claimed by another node. */
  readonly id: string;
  /** The mailbox of `main`. Every node has one. `stopWorker('main')` is NOT_PERMITTED. */
  readonly mailbox: Mailbox;
  /** @internal */
  readonly number: number;
  /** @internal */
  readonly book: AddressBook;
  /** @internal */
  readonly membersChanged = new EventTarget();

  private constructor(settings: NodeSettings, number: number, alive: NodeJS.Timeout) {
    if (number === undefined)
      throw invalidArgument(
        'a node is made by "await Node.create(options)" or "Node.start(main, options)", not by "new"',
      );
    this.#settings = settings;
    this.#alive = alive;
    this.name = settings.name;
    this.number = number;
    this.id = native.nodeId(number);
    this.book = new AddressBook(number, settings.name, settings.zone !== false);
    nodes[number] = this;
    this.mailbox = this.#openMailbox('main', MAIN_MAILBOX);
  }

  /**
   * Starts a node, runs `main` as its first worker (named `main`), and keeps the node up until SIGINT or SIGTERM,
   * which drain it, also while `main` still runs; a second signal ends at once. Resolves when the node has stopped, with what `main`
   * returned, or undefined when a signal came first (the process then ends with status 0); if `main` fails, the node is stopped and the failure is thrown.
   */
  static async start<T>(main: (node: Node) => T | Promise<T>, options?: StartOptions): Promise<T | undefined> {
    if (typeof main !== 'function') throw invalidType('main', 'a function that takes the node', main);
    const settings = nodeSettings(options, true);
    return runUntilInterrupted(() => Node.#open(settings), main, staysUp(options));
  }

  /** Starts a node to embed in a program that has its own life: no signal handlers, `await using` or `stop()` ends it. */
  static async create(options?: NodeOptions): Promise<Node> {
    return Node.#open(nodeSettings(options));
  }

  /** @internal The same, of checked options. */
  static openAs(settings: NodeSettings): Promise<Node> {
    return Node.#open(settings);
  }

  static async #open(settings: NodeSettings): Promise<Node> {
    const { name, zone } = settings;
    await traceIfRegistered();
    const listen = await socketAddress(settings);
    // The port itself holds nothing: this does, from the first order to the last.
    const alive = setInterval(() => {}, 2 ** 31 - 1);
    let number = -1;
    let node: Node;
    try {
      await order<unknown>(name, NO_LIMIT, (id, generation) => {
        const acceptCode = settings.acceptCode ?? true;
        const { role } = settings;
        const inZone = zone === false ? {} : { zone };
        number = native.openNode({ name, ...inZone, listen, acceptCode, role }, id, generation);
        opening.set(number, []);
      });
      node = new Node(settings, number, alive);
      nodeOpened(node);
      for (const [request, generation] of opening.get(number) ?? []) void answer(node, request, generation);
    } catch (error) {
      if (number >= 0) await order(name, NO_LIMIT, (id, generation) => native.closeNode(number, id, generation));
      clearInterval(alive);
      throw openFailure(error, name);
    } finally {
      opening.delete(number);
    }
    await node.#serve();
    return node;
  }

  /** Serves the node where that was asked for; a node that can't be is stopped. */
  async #serve(): Promise<void> {
    const { http } = this.#settings;
    if (http === undefined) return;
    try {
      this.#http = await serve(this, http);
      const what = http.workers ? 'probes, metrics and messages to workers' : 'probes and metrics';
      log.emitInfo('http', `node ${this.name} is served at http://${this.#http}: ${what}`, { node: this.name });
    } catch (error) {
      await this.stop({ timeout: 0 });
      throw error;
    }
  }

  /** Where the node is served over HTTP, `host:port`; undefined when it is not. */
  get http(): string | undefined {
    return this.#http;
  }

  /** Aborts when the node begins to stop. */
  get signal(): AbortSignal {
    return this.#stopping.signal;
  }

  /** @internal */
  get zone(): string | false {
    return this.#settings.zone;
  }

  /** @internal */
  get role(): Role {
    return this.#settings.role;
  }

  /** @internal */
  get acceptsCode(): boolean {
    return this.#settings.acceptCode ?? true;
  }

  /** @internal */
  get offered(): Map<string, WorkerClass> {
    return this.#settings.workers;
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
    await this.startHere(name, worker, startWorkerSettings(options, checkWorker(worker)));
  }

  /** @internal The same, of checked arguments. */
  async startHere(name: string, worker: Worker | WorkerClass, settings: StartWorkerSettings): Promise<void> {
    this.#refuseWhenStopped();
    const isClass = typeof worker === 'function';
    let instance: Worker;
    try {
      instance = isClass ? new worker(...settings.args) : worker;
    } catch (cause) {
      const detail = `its constructor failed: ${thrownText(cause)}`;
      throw fromCode('WORKER_FAILED', { worker: name, node: this.name, detail, cause });
    }
    checkBehaviour(instance, name);
    const cell = openCell(this, name, settings, behindOf(worker, settings), instance);
    if (!isClass) started.add(instance);
    this.book.started(cell);
    await initialize(cell, this);
  }

  #openMailbox(name: string, capacity: number): Mailbox {
    const opened = new Mailbox(this, name);
    const cell = openMailboxCell(this, name, capacity, RESUMED, opened);
    opened.cell = cell;
    cell.onGone = () => opened.ended();
    this.book.started(cell);
    return opened;
  }

  #refuseWhenStopped(): void {
    if (this.#stopping.signal.aborted) throw fromCode('NODE_STOPPED', { node: this.name });
  }

  #refuseWhenClosed(): void {
    if (this.book.isClosed) throw fromCode('NODE_STOPPED', { node: this.name });
  }

  /** A named mailbox without a behaviour: what is sent or replied to it waits there. `capacity`: messages, default 10_000. */
  async createMailbox(name: string, options?: { capacity?: number }): Promise<Mailbox> {
    checkName(name, 'name');
    const capacity = mailboxCapacity(options);
    this.#refuseWhenStopped();
    return this.#openMailbox(name, capacity);
  }

  /** See {@link NodeHandle.stopWorker}. */
  async stopWorker(name: string, options?: StopOptions): Promise<void> {
    checkName(name, 'name');
    const timeout = stopTimeout(options);
    this.#refuseWhenClosed();
    if (name === 'main') {
      throw fromCode('NOT_PERMITTED', { node: this.name, detail: 'worker main ends with its node; stop the node' });
    }
    await this.#stopWorker(name, timeout);
  }

  async #stopWorker(name: string, timeout: number): Promise<void> {
    // What was sent before is before the stop.
    routeNow();
    await order<unknown>(name, NO_LIMIT, (id, generation) => {
      if (!native.stopWorker(this.number, name, timeout, id, generation)) {
        throw fromCode('NO_SUCH_WORKER', { worker: name, node: this.name });
      }
    });
  }

  /** See {@link NodeHandle.listWorkers}. */
  async listWorkers(options?: { prefix?: string; limit?: number }): Promise<WorkerInfo[]> {
    const { prefix, limit } = listSettings(options);
    this.#refuseWhenClosed();
    routeNow();
    return native.listWorkers(this.number, prefix, limit).map((entry) => {
      const { name, slot, state, held, lent, handled, failed } = entry;
      const behaviour = cells[slot]?.behaviour;
      const type = behaviour === undefined ? 'Mailbox' : behaviour.constructor.name;
      // A worker that has messages is handling one of them.
      const queued = behaviour === undefined || lent === 0 ? held : held - 1;
      return new Listed({ name, node: this.name, type, state: state as WorkerInfo['state'], queued, handled, failed });
    });
  }

  /**
   * The state of this node and what it has counted: messages by class and worker, times in mailboxes and handlers, dead letters, the way to
   * other nodes, the last failures. Takes a moment, more with many workers: it looks at each. Throws `NodeStoppedError`.
   */
  metrics(): NodeMetrics {
    this.#refuseWhenClosed();
    routeNow();
    const state = native.nodeState(this.number, METRICS_WORKERS);
    if (state === null) throw fromCode('NODE_STOPPED', { node: this.name });
    return JSON.parse(state) as NodeMetrics;
  }

  /** See {@link NodeHandle.send}; the sender is `node/main`. */
  send(to: Address, message: string, options?: SendOptions): Promise<void> {
    return send(this.mailbox.cell, this.book, to, message, options);
  }

  /** See {@link NodeHandle.sendAndReceive}; the sender is `node/main`. */
  sendAndReceive(to: Address, message: string, options?: RequestOptions): Promise<string> {
    return request(this.mailbox.cell, this.book, to, message, options, undefined);
  }

  /**
   * Drains and stops every worker, leaves the zone, closes channels and its server. Afterwards nothing keeps the process alive. A mailbox is drained while
   * somebody receives from it; what waits in others is a dead letter.
   */
  async stop(options?: StopOptions): Promise<void> {
    const timeout = stopTimeout(options);
    this.#stopped ??= this.#stop(timeout);
    await this.#stopped;
  }

  async #stop(timeout: number): Promise<void> {
    this.#stopping.abort(fromCode('NODE_STOPPED', { node: this.name }));
    native.setDraining(this.number);
    const others = native.listWorkers(this.number, '', 2 ** 31).filter(({ name }) => name !== 'main');
    // A mailbox that nobody receives from would never be empty. It is open until the workers have ended: they may send to it.
    const [mailboxes, workers] = [others.filter(isLeftAlone), others.filter((one) => !isLeftAlone(one))];
    const gone = (error: unknown) => {
      // Another call may have stopped it first.
      if (!(error instanceof TroupeError && error.code === 'NO_SUCH_WORKER')) {
        log.emitError('node', `a worker of node ${this.name} could not be stopped`, { node: this.name, error });
      }
    };
    const report = setTimeout(() => this.#tellOfDrain(), TELL_OF_DRAIN);
    await Promise.all(workers.map(({ name }) => this.#stopWorker(name, timeout).catch(gone)));
    clearTimeout(report);
    await Promise.all(mailboxes.map(({ name }) => this.#stopWorker(name, 0).catch(gone)));
    await order(this.name, NO_LIMIT, (id, generation) => native.drainNode(this.number, id, generation));
    this.book.isClosed = true;
    await this.#stopWorker('main', 0).catch(gone);
    await order(this.name, NO_LIMIT, (id, generation) => native.closeNode(this.number, id, generation));
    // Last of all: until then a probe is answered, and whoever asks hears that the node has stopped.
    await closeServer(this);
    nodes[this.number] = undefined;
    nodeClosed(this);
    clearInterval(this.#alive);
  }

  /** Says what a stop is waiting for. */
  #tellOfDrain(): void {
    const left = native.listWorkers(this.number, '', 2 ** 31).filter((one) => one.name !== 'main' && !isLeftAlone(one));
    const shown = left.slice(0, NAMED).map(({ name, held }) => `${name} (${held})`);
    const more = left.length > NAMED ? ` and ${left.length - NAMED} more` : '';
    const what = `node ${this.name} is stopping and waits for ${left.length} workers to end, with so many messages: ${shown.join(', ')}${more}`;
    log.emitInfo('node', what, { node: this.name });
  }

  /** {@link Node.stop} with its defaults. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/** Whether it is a mailbox that nobody receives from. */
function isLeftAlone({ slot }: { slot: number }): boolean {
  return (cells[slot]?.receiver as Mailbox | undefined)?.isReceived === false;
}

/** What a failure of the worker asks for. */
function behindOf(worker: Worker | WorkerClass, { onFailure, args }: StartWorkerSettings): Behind {
  if (onFailure === RESUME) return RESUMED;
  const renew = onFailure === RESTART && typeof worker === 'function' ? () => new worker(...args) : undefined;
  return { make: makeContext, makeTraced: makeTracedContext, renew, holdsOnFailure: true };
}
