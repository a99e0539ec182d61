/**
 * What arrives, made whole. States of nodes are what other processes said, handed on by the server; one that has only just been seen has
 * said nothing yet. Whatever is missing or of another kind becomes an empty value here, so that no view need think of it.
 */
import {
  type HandlerFailure,
  type Histogram,
  type Level,
  type Line,
  type NodeState,
  type Peer,
  type Presence,
  type Role,
  type Sample,
  type WorkerClass,
  type WorkerDetail,
  type WorkerState,
} from './shapes.ts';

type Fields = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Fields => typeof value === 'object' && value !== null;
const fieldsOf = (value: unknown): Fields => (isObject(value) && !Array.isArray(value) ? value : {});
const text = (value: unknown, other = ''): string => (typeof value === 'string' ? value : other);
const number = (value: unknown, other = 0): number =>
  typeof value === 'number' && Number.isFinite(value) ? value : other;
const maybe = (value: unknown): number | undefined =>
  typeof value === 'number' && Number.isFinite(value) ? value : undefined;
const list = <T>(value: unknown, of: (item: unknown) => T): T[] => (Array.isArray(value) ? value.map(of) : []);
const oneOf = <T extends string>(value: unknown, known: readonly T[], other: T): T =>
  known.includes(value as T) ? (value as T) : other;

const levels: readonly Level[] = ['debug', 'info', 'warn', 'error'];
const presences: readonly Presence[] = ['up', 'stalled', 'draining', 'gone'];
const roles: readonly Role[] = ['node', 'observer', 'supervisor'];

/** A line. */
export function readLine(value: unknown): Line {
  const line = fieldsOf(value);
  return {
    id: text(line.id),
    time: number(line.time),
    node: text(line.node),
    level: oneOf(line.level, levels, 'info'),
    name: text(line.name),
    worker: typeof line.worker === 'string' ? line.worker : undefined,
    message: text(line.message),
    fields: isObject(line.fields) ? fieldsOf(line.fields) : undefined,
  };
}

/** Several of what `read` makes whole; none where it is no list. */
export const readAll = list;

function readHistogram(value: unknown): Histogram {
  const { count, sumMs, buckets } = fieldsOf(value);
  return {
    count: number(count),
    sumMs: number(sumMs),
    buckets: list(buckets, (bucket) => {
      const [bound, counted] = Array.isArray(bucket) ? (bucket as unknown[]) : [];
      return [maybe(bound) ?? null, number(counted)] as const;
    }),
  };
}

function readFailure(value: unknown): HandlerFailure {
  const { time, worker, type, message, stack } = fieldsOf(value);
  return {
    time: number(time),
    worker: text(worker),
    type: text(type),
    message: text(message),
    stack: typeof stack === 'string' ? stack : undefined,
  };
}

function readClass(value: unknown): WorkerClass {
  const of = fieldsOf(value);
  return {
    type: text(of.type),
    workers: number(of.workers),
    queued: number(of.queued),
    handled: number(of.handled),
    failed: number(of.failed),
    restarts: number(of.restarts),
    oldestMs: maybe(of.oldestMs),
    inMailbox: readHistogram(of.inMailbox),
    inHandler: readHistogram(of.inHandler),
  };
}

function readPeer(value: unknown): Peer {
  const peer = fieldsOf(value);
  return {
    node: text(peer.node),
    state: oneOf(peer.state, ['connected', 'away', 'connecting'], 'away'),
    bytesIn: number(peer.bytesIn),
    bytesOut: number(peer.bytesOut),
    messagesIn: number(peer.messagesIn),
    messagesOut: number(peer.messagesOut),
    roundTripMs: maybe(peer.roundTripMs),
    handshakes: number(peer.handshakes),
  };
}

/** The state of a node. */
export function readNode(value: unknown): NodeState {
  const node = fieldsOf(value);
  const state = oneOf(node.state, presences, 'up');
  return {
    node: text(node.node),
    id: text(node.id),
    incarnation: text(node.incarnation),
    zone: text(node.zone),
    role: oneOf(node.role, roles, 'node'),
    pid: number(node.pid),
    version: text(node.version),
    since: number(node.since),
    time: number(node.time),
    state,
    presence: oneOf(node.presence, presences, state),
    presentSince: maybe(node.presentSince),
    http: typeof node.http === 'string' ? node.http : undefined,
    cpuMs: number(node.cpuMs),
    rss: number(node.rss),
    isolates: list(node.isolates, (isolate) => {
      const { name, sinceTurnMs, delay } = fieldsOf(isolate);
      return { name: text(name), sinceTurnMs: number(sinceTurnMs), delay: readHistogram(delay) };
    }),
    workersTotal: number(node.workersTotal),
    classes: list(node.classes, readClass),
    deadLetters: Object.fromEntries(
      Object.entries(fieldsOf(node.deadLetters)).map(([reason, counted]) => [reason, number(counted)]),
    ),
    peers: list(node.peers, readPeer),
    failures: list(node.failures, readFailure),
    asOf: node.asOf === null ? null : maybe(node.asOf),
  };
}

/** The state of a worker. */
export function readWorker(value: unknown): WorkerState {
  const worker = fieldsOf(value);
  return {
    node: text(worker.node),
    name: text(worker.name),
    type: text(worker.type),
    state: text(worker.state, 'unknown'),
    queued: number(worker.queued),
    handled: number(worker.handled),
    failed: number(worker.failed),
    restarts: number(worker.restarts),
    oldestMs: maybe(worker.oldestMs),
    slowestMs: maybe(worker.slowestMs),
  };
}

/** What the address of one worker answers. */
export function readDetail(value: unknown): WorkerDetail {
  const { samples, failures } = fieldsOf(value);
  return {
    ...readWorker(value),
    samples: list(samples, (sample) => {
      const [time, queued, handled, failed] = Array.isArray(sample) ? (sample as unknown[]) : [];
      return [number(time), number(queued), number(handled), number(failed)] as Sample;
    }),
    failures: list(failures, readFailure),
  };
}
