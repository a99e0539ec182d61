/** What the zone says over HTTP: the shapes of its JSON, as far as the page reads them. Times are milliseconds since 1970. */

/** How loud a line is. */
export type Level = 'debug' | 'info' | 'warn' | 'error';

/** A line of some node's log, or of its captured output. */
export interface Line {
  /** Where it stands in the reader's order: what `after` takes, and what a link to the line names. */
  readonly id: string;
  readonly time: number;
  readonly node: string;
  readonly level: Level;
  /** Which part of the node speaks; `stdout` and `stderr` for captured output. */
  readonly name: string;
  readonly worker?: string;
  readonly message: string;
  readonly fields?: Readonly<Record<string, unknown>>;
}

/** Durations by size; the bounds are upper ones in milliseconds, the last is null. Counts are not cumulative. */
export interface Histogram {
  readonly count: number;
  readonly sumMs: number;
  readonly buckets: readonly (readonly [number | null, number])[];
}

/** How a node is: `gone` only by what others say of it. */
export type Presence = 'up' | 'stalled' | 'draining' | 'gone';

/** What a member is in its zone. */
export type Role = 'node' | 'observer' | 'supervisor';

/** One isolate of a node: its event loop. */
export interface Isolate {
  readonly name: string;
  readonly sinceTurnMs: number;
  readonly delay: Histogram;
}

/** All workers of one class on one node, counted together. */
export interface WorkerClass {
  readonly type: string;
  readonly workers: number;
  readonly queued: number;
  readonly handled: number;
  readonly failed: number;
  readonly restarts: number;
  readonly oldestMs?: number | null;
  readonly inMailbox: Histogram;
  readonly inHandler: Histogram;
}

/** A node's channel to another, from its own side. */
export interface Peer {
  readonly node: string;
  readonly state: 'connected' | 'away' | 'connecting';
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly messagesIn: number;
  readonly messagesOut: number;
  readonly roundTripMs?: number | null;
  readonly handshakes: number;
}

/** A handler that threw. */
export interface HandlerFailure {
  readonly time: number;
  readonly worker: string;
  readonly type: string;
  readonly message: string;
  readonly stack?: string;
}

/** The state of one node, without its workers. Counters count from its start. */
export interface NodeState {
  readonly node: string;
  readonly id: string;
  readonly incarnation: string;
  readonly zone: string;
  readonly role: Role;
  readonly pid: number;
  readonly version: string;
  readonly since: number;
  readonly time: number;
  readonly state: Presence;
  readonly presence: Presence;
  /** Since when its presence is so, where the server says it. */
  readonly presentSince?: number;
  readonly http?: string;
  readonly cpuMs: number;
  readonly rss: number;
  readonly isolates: readonly Isolate[];
  readonly workersTotal: number;
  readonly classes: readonly WorkerClass[];
  readonly deadLetters: Readonly<Record<string, number>>;
  readonly peers: readonly Peer[];
  readonly failures: readonly HandlerFailure[];
  /** Of when workers and classes are, where JavaScript could not be asked. */
  readonly asOf?: number | null;
}

/** The state of one worker. */
export interface WorkerState {
  readonly node: string;
  readonly name: string;
  readonly type: string;
  readonly state: string;
  readonly queued: number;
  readonly handled: number;
  readonly failed: number;
  readonly restarts: number;
  readonly oldestMs?: number | null;
  readonly slowestMs?: number | null;
}

/** When, how many were queued then, and handled and failed until then. */
export type Sample = readonly [time: number, queued: number, handled: number, failed: number];

/** What the address of one worker answers. */
export interface WorkerDetail extends WorkerState {
  readonly samples: readonly Sample[];
  readonly failures: readonly HandlerFailure[];
}
