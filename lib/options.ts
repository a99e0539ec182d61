/**
 * Options as users write them, checked and turned into the plain numbers that cross the bridge. Every default of the package stands
 * here. A key that no one knows or a value that does not do is INVALID_ARGUMENT, with what was expected.
 */
import { randomBytes } from 'node:crypto';
import { checkName, defaultNodeName, nodeName } from './address.ts';
import { milliseconds, type Duration } from './duration.ts';
import { invalidArgument, invalidRange, invalidType } from './errors.ts';
import { nearest } from './nearest.ts';
import type { StartWorkerOptions, WorkerClass } from './worker.ts';

// So that the types check where neither the dom library nor @types/node is installed.
declare global {
  // eslint-disable-next-line @typescript-eslint/no-empty-object-type -- where it has a body, the two merge
  interface AbortSignal {}
}

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

/** {@link StartWorkerOptions}, checked. */
export interface StartWorkerSettings {
  /** 1 to 2^31. */
  mailbox: number;
  /** 0 = wait, 1 = reject. */
  overflow: 0 | 1;
  /** 0 = resume, 1 = restart, 2 = stop. */
  onFailure: 0 | 1 | 2;
  /** 0 to 2^31. */
  maxRestarts: number;
  /** Milliseconds. */
  withinMs: number;
  /** Arguments for the constructor; empty for an instance. */
  args: unknown[];
}

/** {@link NodeOptions}, checked, with what the environment says. */
export interface NodeSettings {
  name: string;
  zone: string | false;
  host: string;
  port: number;
  /** Undefined: by where the other member is. */
  acceptCode: boolean | undefined;
  workers: Map<string, WorkerClass>;
  role: Role;
  /** Undefined: not served. */
  http: HttpSettings | undefined;
}

/** {@link HttpOptions}, checked. */
export interface HttpSettings {
  host: string;
  port: number;
  tokenFile: string | undefined;
  workers: boolean;
  stallMs: number;
}

/** What a member is in its zone: a node, an observer, the supervisor. The numbers of `crates/node/src/discovery/mod.rs`. */
export type Role = 0 | 1 | 2;
/** A member that runs workers. */
export const NODE = 0;
/** A member that looks on. */
export const OBSERVER = 1;

const DEFAULT_TIMEOUT_MS = 30_000;
const DEFAULT_DRAIN_MS = 5_000;
const DEFAULT_MAILBOX = 10_000;
const DEFAULT_RESTARTS = 10;
const DEFAULT_WITHIN_MS = 60_000;
const DEFAULT_STALL_MS = 10_000;
const MAX_COUNT = 2 ** 31;

const OVERFLOW = ['wait', 'reject'] as const;
const ON_FAILURE = ['resume', 'restart', 'stop'] as const;

const REQUEST_KEYS = ['timeout', 'signal'];
const STOP_KEYS = ['timeout'];
const START_WORKER_KEYS = ['mailbox', 'overflow', 'onFailure', 'maxRestarts', 'within', 'args'];
const NODE_KEYS = ['name', 'zone', 'listen', 'acceptCode', 'workers', 'http'];
const HTTP_KEYS = ['listen', 'tokenFile', 'workers', 'stallMs'];
const START_KEYS = [...NODE_KEYS, 'waitUntilInterrupted'];

/** Milliseconds that a send, a request or a receive may wait; checks the signal as well. Allocates nothing: it runs once a message. */
export function requestTimeout(options: RequestOptions | SendOptions | undefined): number {
  if (options === undefined) return DEFAULT_TIMEOUT_MS;
  checkKeys(options, REQUEST_KEYS);
  checkSignal(options.signal);
  return options.timeout === undefined ? DEFAULT_TIMEOUT_MS : milliseconds(options.timeout, 'timeout');
}

/** Milliseconds that a stop may take to drain. */
export function stopTimeout(options: StopOptions | undefined): number {
  if (options === undefined) return DEFAULT_DRAIN_MS;
  checkKeys(options, STOP_KEYS);
  return options.timeout === undefined ? DEFAULT_DRAIN_MS : milliseconds(options.timeout, 'timeout');
}

/** How to start a worker; `isClass` tells which of the two forms the caller gave, since only a class can be made anew. */
export function startWorkerSettings(
  options: (StartWorkerOptions & { args?: unknown[] }) | undefined,
  isClass: boolean,
): StartWorkerSettings {
  if (options !== undefined) checkKeys(options, START_WORKER_KEYS);
  const { mailbox, overflow, onFailure, maxRestarts, within, args } = options ?? {};
  if (args !== undefined && !Array.isArray(args))
    throw invalidType('args', "an array of the constructor's arguments", args);
  if (args !== undefined && !isClass)
    throw invalidArgument('"args" go with a class; an instance has had its arguments');
  if (onFailure === 'restart' && !isClass) {
    throw invalidArgument('"onFailure" can be "restart" only when a class is given: an instance can\'t be made anew');
  }
  return {
    mailbox: mailbox === undefined ? DEFAULT_MAILBOX : count(mailbox, 'mailbox', 1),
    overflow: choice(overflow, 'overflow', OVERFLOW) as 0 | 1,
    onFailure: choice(onFailure, 'onFailure', ON_FAILURE) as 0 | 1 | 2,
    maxRestarts: maxRestarts === undefined ? DEFAULT_RESTARTS : count(maxRestarts, 'maxRestarts', 0),
    withinMs: within === undefined ? DEFAULT_WITHIN_MS : milliseconds(within, 'within'),
    args: args ?? [],
  };
}

/** How to make a node; with `start`, `waitUntilInterrupted` is a known key as well, and the environment may say where it is served. */
export function nodeSettings(options: NodeOptions | undefined, start = false): NodeSettings {
  if (options !== undefined) checkKeys(options, start ? START_KEYS : NODE_KEYS);
  const { name, zone, listen, acceptCode, workers, http } = options ?? {};
  if (acceptCode !== undefined) checkBoolean(acceptCode, 'acceptCode');
  return {
    name: nameSetting(name),
    zone: zoneSetting(zone),
    ...(listen === undefined
      ? listenAddress(environment('TROUPE_LISTEN') ?? '127.0.0.1:0', 'TROUPE_LISTEN')
      : listenAddress(listen, 'listen')),
    acceptCode,
    workers: workerClasses(workers),
    role: NODE,
    http: http === undefined ? (start ? publicSettings() : undefined) : http === false ? undefined : httpSettings(http),
  };
}

/** How to serve the node of a program to which its surroundings say so. */
function publicSettings(): HttpSettings | undefined {
  const listen = environment('TROUPE_HTTP');
  if (listen === undefined) return undefined;
  return {
    ...listenAddress(listen, 'TROUPE_HTTP'),
    tokenFile: environment('TROUPE_HTTP_TOKEN_FILE'),
    workers: true,
    stallMs: DEFAULT_STALL_MS,
  };
}

/** How to serve a node. */
export function httpSettings(http: string | HttpOptions): HttpSettings {
  if (typeof http === 'string') return httpSettings({ listen: http });
  if (typeof http !== 'object' || http === null || Array.isArray(http))
    throw invalidType('http', `${LISTEN_EXPECTED}, or an object`, http);
  checkKeys(http, HTTP_KEYS);
  const { listen, tokenFile, workers, stallMs } = http;
  if (workers !== undefined) checkBoolean(workers, 'http.workers');
  if (tokenFile !== undefined && (typeof tokenFile !== 'string' || tokenFile === ''))
    throw invalidType('http.tokenFile', 'the path of a file', tokenFile);
  return {
    ...listenAddress(listen ?? '127.0.0.1:0', 'http.listen'),
    tokenFile,
    workers: workers ?? false,
    stallMs: stallMs === undefined ? DEFAULT_STALL_MS : count(stallMs, 'http.stallMs', 1),
  };
}

/** How to make an observer of a zone. It runs no workers and takes no code. */
export function observerSettings(zone: string | undefined): NodeSettings {
  const name = `observer-${process.pid}-${randomBytes(2).toString('hex')}`;
  return {
    ...nodeSettings({
      name: 'looks-on',
      listen: '127.0.0.1:0',
      acceptCode: false,
      ...(zone === undefined ? {} : { zone }),
    }),
    name,
    role: OBSERVER,
  };
}

/** Whether a started node stays up after `main` returned. */
export function staysUp(options: StartOptions | undefined): boolean {
  const { waitUntilInterrupted } = options ?? {};
  if (waitUntilInterrupted !== undefined) checkBoolean(waitUntilInterrupted, 'waitUntilInterrupted');
  return waitUntilInterrupted ?? true;
}

/** `listWorkers`' options: no prefix is the empty one; no limit is the largest number there is. */
export function listSettings(options: { prefix?: string; limit?: number } | undefined): {
  prefix: string;
  limit: number;
} {
  if (options !== undefined) checkKeys(options, ['prefix', 'limit']);
  const { prefix, limit } = options ?? {};
  return { prefix: text(prefix, 'prefix'), limit: limit === undefined ? MAX_COUNT : count(limit, 'limit', 0) };
}

/** `createMailbox`'s capacity. */
export function mailboxCapacity(options: { capacity?: number } | undefined): number {
  if (options !== undefined) checkKeys(options, ['capacity']);
  return options?.capacity === undefined ? DEFAULT_MAILBOX : count(options.capacity, 'capacity', 1);
}

/** `Zone.nodes`' and, without a number to wait for, `Zone.watch`'s options. */
export function zoneSettings(
  options: { filter?: string; atLeast?: number; timeout?: Duration; signal?: AbortSignal } | undefined,
  watch = false,
): { filter: string; atLeast: number; timeoutMs: number; signal: AbortSignal | undefined } {
  if (options !== undefined)
    checkKeys(options, watch ? ['filter', 'signal'] : ['filter', 'atLeast', 'timeout', 'signal']);
  const { filter, atLeast, timeout, signal } = options ?? {};
  checkSignal(signal);
  return {
    filter: text(filter, 'filter'),
    atLeast: atLeast === undefined ? 0 : count(atLeast, 'atLeast', 0),
    timeoutMs: timeout === undefined ? DEFAULT_TIMEOUT_MS : milliseconds(timeout, 'timeout'),
    signal,
  };
}

function nameSetting(name: string | undefined): string {
  if (name !== undefined) return nodeName(name, 'name');
  const wanted = environment('TROUPE_NODE');
  return wanted === undefined ? defaultNodeName(process.argv[1]) : nodeName(wanted, 'TROUPE_NODE');
}

function zoneSetting(zone: string | false | undefined): string | false {
  if (zone === false) return false;
  const wanted = zone ?? environment('TROUPE_ZONE') ?? 'default';
  checkName(wanted, zone === undefined ? 'TROUPE_ZONE' : 'zone');
  return wanted;
}

/** Set and not empty: `TROUPE_NODE= npm start` means that there is none. */
function environment(name: string): string | undefined {
  return process.env[name] || undefined;
}

const LISTEN_EXPECTED = '"host:port", e.g. "127.0.0.1:0" or "[::1]:4000"';
const LISTEN = /^(?:\[([0-9A-Fa-f:.]+)\]|([^\s:[\]]+)):(\d{1,5})$/;

/** The two halves of a `"host:port"`. */
export function listenAddress(listen: unknown, argument: string): { host: string; port: number } {
  if (typeof listen !== 'string') throw invalidType(argument, LISTEN_EXPECTED, listen);
  const match = LISTEN.exec(listen);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || port > 65_535) throw invalidRange(argument, LISTEN_EXPECTED, listen);
  return { host, port };
}

function workerClasses(workers: Record<string, WorkerClass> | undefined): Map<string, WorkerClass> {
  const classes = new Map<string, WorkerClass>();
  if (workers === undefined) return classes;
  // An array or a map has no entries of its own: it would offer nothing, silently.
  if (typeof workers !== 'object' || workers === null || Symbol.iterator in workers)
    throw invalidType('workers', 'an object of classes by name', workers);
  for (const [name, Class] of Object.entries(workers)) {
    if (typeof Class !== 'function' || typeof Class.prototype?.handleMessage !== 'function') {
      throw invalidType(`workers.${name}`, 'a class with a method handleMessage', Class);
    }
    classes.set(name, Class);
  }
  return classes;
}

function checkBoolean(value: unknown, argument: string): asserts value is boolean {
  if (typeof value !== 'boolean') throw invalidType(argument, 'true or false', value);
}

function checkSignal(signal: unknown): void {
  if (signal === undefined) return;
  // By shape: a signal of another realm or a polyfill does as well.
  const { aborted, addEventListener } = (signal ?? {}) as { aborted?: unknown; addEventListener?: unknown };
  if (typeof aborted !== 'boolean' || typeof addEventListener !== 'function')
    throw invalidType('signal', 'an AbortSignal', signal);
}

function text(value: unknown, argument: string): string {
  if (value === undefined) return '';
  if (typeof value !== 'string') throw invalidType(argument, 'the beginning of a name', value);
  return value;
}

function count(value: unknown, argument: string, least: number): number {
  const expected = `a whole number from ${least} to ${MAX_COUNT}`;
  if (typeof value !== 'number') throw invalidType(argument, expected, value);
  if (!Number.isInteger(value) || value < least || value > MAX_COUNT) throw invalidRange(argument, expected, value);
  return value;
}

/** The place of a word among those allowed; the first one is the default. */
function choice(value: unknown, argument: string, words: readonly string[]): number {
  if (value === undefined) return 0;
  const expected = words.map((word) => `"${word}"`).join(' or ');
  if (typeof value !== 'string') throw invalidType(argument, expected, value);
  const index = words.indexOf(value);
  if (index === -1) throw invalidRange(argument, expected, value);
  return index;
}

/** A key nobody knows is a typing error that would otherwise silently change nothing. */
function checkKeys(options: unknown, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options))
    throw invalidType('options', 'an object', options);
  for (const key in options) if (!known.includes(key)) throw unknownKey(key, known);
}

function unknownKey(key: string, known: readonly string[]): Error {
  const near = nearest(key, known);
  const hint = near === undefined ? '' : `; did you mean "${near}"?`;
  return invalidArgument(`unknown option "${key.slice(0, 40)}"${hint} (known: ${known.join(', ')})`);
}
