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

// ── context ─────────────────────────────────────────────────────────────────────────────────────────────────────────

/** What a worker may do while it handles a message. */
export declare class Context {
  #private;
  /** This worker's own name. */
  get worker(): string;
  /** The node this worker runs on. */
  get node(): Node;
  /** Who sent the message: `"node/worker"`. Empty in `initialize` and `shutdown`, and when the sender has gone meanwhile. */
  get sender(): Address;
  /** Aborts when the asker gave up (deadline or its own signal), or when the drain time of a stop is over. Made when first read. */
  get signal(): AbortSignal;
  /** Milliseconds that the asker still waits; `Infinity` for a message nobody waits on. */
  get remaining(): number;
  /**
   * Answers the sender: 0 to many times for one message, also after the handler returned. To a request, the first one is the
   * answer, further ones are dead letters; to a mailbox or a worker that used `send`, each is a message. Never rejects
   * because the asker is gone.
   */
  reply(message: string): Promise<void>;
  /** As on `Node`, with this worker as the sender. */
  send(to: Address, message: string, options?: SendOptions): Promise<void>;
  /**
   * As on `Node`, with this worker as the sender. Waits for the smaller of its own timeout ("30s" by default) and what remains
   * of this message's deadline (then `TimeoutError`), and is given up when this message's asker gives up (then it rejects with
   * `context.signal.reason`). (`context.node.*` inherits nothing.)
   */
  sendAndReceive(to: Address, message: string, options?: RequestOptions): Promise<string>;
  /** As on `Node`. */
  get startWorker(): NodeHandle['startWorker'];
  /** As on `Node`. */
  stopWorker(name: string, options?: StopOptions): Promise<void>;
}

// ── mailbox ─────────────────────────────────────────────────────────────────────────────────────────────────────────

/** A message that came to a mailbox. */
export interface Incoming {
  /** The text. */
  readonly message: string;
  /** Who sent it: `"node/worker"`. */
  readonly sender: Address;
  /** Answers the sender; see `Context.reply`. */
  reply(message: string): Promise<void>;
}

/** Holds what is sent or replied to it until it is received. Made by `node.createMailbox`; every node has one, `node.mailbox`. */
export declare class Mailbox implements AsyncIterable<Incoming> {
  #private;
  /** Its name, unique on its node. */
  readonly name: string;
  /**
   * The next message. Several callers are served in the order of their calls.
   *
   * @throws TimeoutError after `timeout` (default "30s"); NodeStoppedError when the node stops or the mailbox is closed.
   */
  receive(options?: RequestOptions): Promise<Incoming>;
  /** Sends with this mailbox as the sender, so that every reply comes back here. */
  send(to: Address, message: string, options?: SendOptions): Promise<void>;
  /**
   * Takes its name back. Messages that were not received are dead letters, requests among them fail with `WorkerStoppedError`.
   *
   * @throws NotPermittedError for the node's own mailbox, which closes when the node stops.
   */
  close(): Promise<void>;
  /** Every message as it comes; ends when the mailbox is closed. Leaving the loop does not close the mailbox. */
  [Symbol.asyncIterator](): AsyncIterator<Incoming>;
  /** {@link Mailbox.close}. */
  [Symbol.asyncDispose](): Promise<void>;
}

// ── node-handle ─────────────────────────────────────────────────────────────────────────────────────────────────────

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
    options: StartWorkerOptions & {
      args: A;
    },
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

// ── node ────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** One runtime with one identity: workers of this process, and the way to those of the zone. */
export declare class Node implements NodeHandle {
  #private;
  /** Unique among the live nodes of the zone. */
  readonly name: string;
  /** Identifier of the node's identity: derived from its public key, so it can't be claimed by another node. */
  readonly id: string;
  /** The mailbox of `main`. Every node has one. `stopWorker('main')` is NOT_PERMITTED. */
  readonly mailbox: Mailbox;
  private constructor();
  /**
   * Starts a node, runs `main` as its first worker (named `main`), and keeps the node up until SIGINT or SIGTERM,
   * which drain it, also while `main` still runs; a second signal ends at once. Resolves when the node has stopped, with what `main`
   * returned, or undefined when a signal came first (the process then ends with status 0); if `main` fails, the node is stopped and the failure is thrown.
   */
  static start<T>(main: (node: Node) => T | Promise<T>, options?: StartOptions): Promise<T | undefined>;
  /** Starts a node to embed in a program that has its own life: no signal handlers, `await using` or `stop()` ends it. */
  static create(options?: NodeOptions): Promise<Node>;
  /** Where the node is served over HTTP, `host:port`; undefined when it is not. */
  get http(): string | undefined;
  /** Aborts when the node begins to stop. */
  get signal(): AbortSignal;
  /** See {@link NodeHandle.startWorker}. */
  startWorker(name: string, worker: Worker, options?: StartWorkerOptions): Promise<void>;
  startWorker<A extends unknown[]>(
    name: string,
    worker: WorkerClass<A>,
    options: StartWorkerOptions & {
      args: A;
    },
  ): Promise<void>;
  startWorker(name: string, worker: WorkerClass<[]>, options?: StartWorkerOptions): Promise<void>;
  /** A named mailbox without a behaviour: what is sent or replied to it waits there. `capacity`: messages, default 10_000. */
  createMailbox(
    name: string,
    options?: {
      capacity?: number;
    },
  ): Promise<Mailbox>;
  /** See {@link NodeHandle.stopWorker}. */
  stopWorker(name: string, options?: StopOptions): Promise<void>;
  /** See {@link NodeHandle.listWorkers}. */
  listWorkers(options?: { prefix?: string; limit?: number }): Promise<WorkerInfo[]>;
  /**
   * The state of this node and what it has counted: messages by class and worker, times in mailboxes and handlers, dead letters, the way to
   * other nodes, the last failures. Takes a moment, more with many workers: it looks at each. Throws `NodeStoppedError`.
   */
  metrics(): NodeMetrics;
  /** See {@link NodeHandle.send}; the sender is `node/main`. */
  send(to: Address, message: string, options?: SendOptions): Promise<void>;
  /** See {@link NodeHandle.sendAndReceive}; the sender is `node/main`. */
  sendAndReceive(to: Address, message: string, options?: RequestOptions): Promise<string>;
  /**
   * Drains and stops every worker, leaves the zone, closes channels and its server. Afterwards nothing keeps the process alive. A mailbox is drained while
   * somebody receives from it; what waits in others is a dead letter.
   */
  stop(options?: StopOptions): Promise<void>;
  /** {@link Node.stop} with its defaults. */
  [Symbol.asyncDispose](): Promise<void>;
}

// ── metrics ─────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Times by their length. The bounds double, from a sixteenth of a millisecond to 65 536 ms. */
export interface Histogram {
  /** How many times were counted. */
  count: number;
  /** All of them together, in milliseconds. */
  sumMs: number;
  /** Upper bound in milliseconds, inclusive, and how many were no longer than that and longer than the bound before; the last has no bound. */
  buckets: [boundMs: number | null, count: number][];
}

/** What is counted of one worker. */
export interface WorkerMetrics {
  /** Its name. */
  name: string;
  /** The name of its class; `Mailbox` for one without a behaviour. */
  type: string;
  /** Where it is in its life. */
  state: 'starting' | 'idle' | 'busy' | 'stopping';
  /** Messages that wait. */
  queued: number;
  /** Messages done with, failed ones included. */
  handled: number;
  /** Messages whose handler failed. */
  failed: number;
  /** How often a fresh instance took its place. */
  restarts: number;
  /** How long the oldest message that waits has waited, in milliseconds. */
  oldestMs: number;
  /** The longest that it had a message in hand, in milliseconds. */
  slowestMs: number;
}

/** What is counted of all workers of one class. */
export interface ClassMetrics {
  /** The name of the class. */
  type: string;
  /** How many live. */
  workers: number;
  /** Messages that wait at them. */
  queued: number;
  /** Messages done with, failed ones included, also by workers that are gone. */
  handled: number;
  /** Messages whose handler failed. */
  failed: number;
  /** How often a fresh instance took the place of one. */
  restarts: number;
  /** How long the oldest message that waits has waited, in milliseconds. */
  oldestMs: number;
  /** From a message's arrival in a mailbox until it is lent to its worker. */
  inMailbox: Histogram;
  /**
   * From there, or from the end of the message before it, until it is done with; as finely as turns go: what other workers do in the same
   * turn counts, and messages done with in one turn share its time alike.
   */
  inHandler: Histogram;
}

/** What is counted of the way to another node. */
export interface PeerMetrics {
  /** Its name. */
  node: string;
  /** Identifier of its identity. */
  id: string;
  /** `away`: the channel was lost, and the session waits for another. */
  state: 'connected' | 'away' | 'connecting';
  /** Bytes read, sealed as they came; handshakes aside. */
  bytesIn: number;
  /** Bytes written, likewise. */
  bytesOut: number;
  /** Messages, requests and answers that came. */
  messagesIn: number;
  /** Messages, requests and answers that were handed to the link. */
  messagesOut: number;
  /** Time of a round trip, as last measured. */
  roundTripMs?: number;
  /** Channels that the session had, each with a handshake of its own. */
  handshakes: number;
}

/** A failure of a worker, as it was reported. */
export interface WorkerFailure {
  /** Milliseconds since 1970. */
  time: number;
  /** Whose it was. */
  worker: string;
  /** The name of its class. */
  type: string;
  /** What it failed with. */
  message: string;
  /** Where, if that is known. */
  stack?: string;
}

/** The state of a node, and what it has counted since it was opened. */
export interface NodeMetrics {
  /** Its name. */
  node: string;
  /** Identifier of its identity. */
  id: string;
  /** Which life of the node this is; all zero without a zone. */
  incarnation: string;
  /** Its zone; null without one. */
  zone: string | null;
  /** What it is in its zone. */
  role: 'node' | 'observer' | 'supervisor';
  /** Its process. */
  pid: number;
  /** The version of this package. */
  version: string;
  /** When it was opened, in milliseconds since 1970. */
  since: number;
  /** When this was told, in milliseconds since 1970. */
  time: number;
  /** `draining` from the call of `stop` on. Others may see `stalled` as well: woken, and without a turn for a second. */
  state: 'up' | 'stalled' | 'draining';
  /** Where it is served over HTTP. */
  http?: string;
  /** Time of processors that the process has used. */
  cpuMs: number;
  /** Memory of the process that is in main memory, in bytes; where the system tells. */
  rss?: number;
  /** Its isolates: how long ago each last had a turn, and how long it took from a wake-up by another thread to the turn that saw to it. */
  isolates: {
    name: string;
    sinceTurnMs: number;
    delay: Histogram;
  }[];
  /** How many workers and mailboxes it has. */
  workersTotal: number;
  /** The 1000 of them with the longest queues, longest first. */
  workers: WorkerMetrics[];
  /** By class, sorted by name. */
  classes: ClassMetrics[];
  /** Messages of this process that reached nobody, by reason. */
  deadLetters: Record<string, number>;
  /** The nodes that it has to do with, sorted by name. */
  peers: PeerMetrics[];
  /** The last 20 failures of its workers, oldest first. */
  failures: WorkerFailure[];
}

// ── remote-node ─────────────────────────────────────────────────────────────────────────────────────────────────────

/** A node of the zone, as seen from another one. A plain name means that node's worker only. */
export declare class RemoteNode implements NodeHandle {
  #private;
  /** Unique among the live nodes of the zone. */
  readonly name: string;
  /** Identifier of the node's identity: derived from its public key, so it can't be claimed by another node. */
  readonly id: string;
  /** See {@link NodeHandle.startWorker}. */
  startWorker(name: string, worker: Worker, options?: StartWorkerOptions): Promise<void>;
  startWorker<A extends unknown[]>(
    name: string,
    worker: WorkerClass<A>,
    options: StartWorkerOptions & {
      args: A;
    },
  ): Promise<void>;
  startWorker(name: string, worker: WorkerClass<[]>, options?: StartWorkerOptions): Promise<void>;
  /** See {@link NodeHandle.stopWorker}. */
  stopWorker(name: string, options?: StopOptions): Promise<void>;
  /** See {@link NodeHandle.listWorkers}. */
  listWorkers(options?: { prefix?: string; limit?: number }): Promise<WorkerInfo[]>;
  /** See {@link NodeHandle.send}. */
  send(to: Address, message: string, options?: SendOptions): Promise<void>;
  /** See {@link NodeHandle.sendAndReceive}. */
  sendAndReceive(to: Address, message: string, options?: RequestOptions): Promise<string>;
}

// ── zone ────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** The zone of a node. */
export declare class Zone {
  /**
   * The zone's live nodes, sorted by name; this one is among them, as the `Node` itself. `filter`: only nodes whose name begins with it.
   * `atLeast` with `timeout` (default "30s"): wait until so many are there, else `TimeoutError`.
   */
  static nodes(
    node: Node,
    options?: {
      filter?: string;
      atLeast?: number;
      timeout?: Duration;
      signal?: AbortSignal;
    },
  ): Promise<NodeHandle[]>;
  /** One node by its full name, or `NodeUnreachableError`. */
  static node(node: Node, name: string): Promise<NodeHandle>;
  /** Who joins and leaves, from now on; first one `joined` for each node that is there. Ends when the node stops or `signal` aborts. */
  static watch(
    node: Node,
    options?: {
      filter?: string;
      signal?: AbortSignal;
    },
  ): AsyncIterable<{
    type: 'joined' | 'left';
    node: NodeHandle;
  }>;
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
  /**
   * Serves the node over HTTP, from a thread of its own: `/livez` and `/readyz`, `/metrics`, `/openapi.json` and, where enabled, messages
   * to workers. `"host:port"` is short for `{ listen: "host:port" }`. Default: not served; under `Node.start`, where `TROUPE_HTTP` is a
   * `"host:port"`, there, with messages to workers and `TROUPE_HTTP_TOKEN_FILE` as `tokenFile`: so a deployment opens a pod that is
   * public. What is given here counts as a whole, and `false` is never served.
   */
  http?: string | HttpOptions | false;
}

/** How a node is served over HTTP. */
export interface HttpOptions {
  /** `"host:port"`. Default `"127.0.0.1:0"`, a free port: `node.http` tells which. What other machines reach needs a `tokenFile`. */
  listen?: string;
  /**
   * File with the token, one line of 16 characters at least, printable ASCII, that callers must show: as a bearer token, or as the
   * password of basic authentication. Only its owner may be able to read it. Probes need none. Default: no token.
   */
  tokenFile?: string;
  /** Whether `POST /workers/{name}` and the like reach the workers of the zone. Default false. */
  workers?: boolean;
  /** How long the event loop may be held up before `/livez` fails, in milliseconds, at least 1. Default 10_000. */
  stallMs?: number;
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

export {};
