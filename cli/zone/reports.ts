/** What members of a zone report of themselves, as far as commands show it; the JSON of the services between members. */

/** Lengths of time as counts: how many took at most so many milliseconds; the last bound is null. */
export interface Histogram {
  readonly count: number;
  readonly sumMs: number;
  readonly buckets: readonly (readonly [number | null, number])[];
}

/** A worker of a node. Times in milliseconds. */
export interface WorkerState {
  readonly name: string;
  readonly type: string;
  readonly state: string;
  readonly queued: number;
  readonly handled: number;
  readonly failed: number;
  readonly restarts: number;
  /** How long its oldest message has waited. */
  readonly oldestMs: number;
}

/** A node, as it sees itself. */
export interface NodeState {
  readonly node: string;
  readonly id: string;
  readonly role: 'node' | 'observer' | 'supervisor';
  readonly pid: number;
  readonly version: string;
  /** When it was opened; milliseconds since 1970. */
  readonly since: number;
  readonly time: number;
  readonly state: 'up' | 'stalled' | 'draining';
  readonly http?: string;
  /** Processor time so far. */
  readonly cpuMs: number;
  /** Resident memory in bytes. */
  readonly rss: number;
  readonly workersTotal: number;
  /** The busiest of them. */
  readonly workers: readonly WorkerState[];
  /** When its JavaScript thread last told what only it knows, where it is held up; milliseconds since 1970. */
  readonly asOf?: number | null;
}

/** How serious a line is. */
export type Level = 'debug' | 'info' | 'warn' | 'error';

/** A line of a log, or one that a program printed (`name` is `stdout` or `stderr` then). */
export interface Line {
  /** Its number in the memory of the member that told it; none on disk. */
  readonly seq?: number;
  /** Milliseconds since 1970. */
  readonly time: number;
  readonly node: string;
  readonly level: Level;
  readonly name: string;
  readonly worker?: string;
  readonly message: string;
  readonly fields?: object;
}

/** What a member answers who is asked for lines. */
export interface Lines {
  /** Another one: the node was started anew, and its numbers begin again. */
  readonly incarnation: string;
  /** The number to ask on from, for what comes later; null where only older ones were asked for. */
  readonly next: number | null;
  /** Lines that came and went before anyone asked. */
  readonly dropped: number;
  /** The nodes whose lines a supervisor carries. */
  readonly covers: readonly string[];
  /** Where to ask on for older ones; null: there are none. */
  readonly before?: string | null;
  readonly lines: readonly Line[];
}

/** What a supervisor does with a container, and why. */
export interface Change {
  readonly node: string;
  readonly what: 'start' | 'replace' | 'stop' | 'keep';
  readonly why: string;
}

/** A container, as its supervisor sees it. Times in milliseconds since 1970. */
export interface ContainerStatus {
  readonly node: string;
  readonly pod: string;
  readonly clone: number;
  readonly container: string;
  readonly image: string;
  readonly pid?: number;
  readonly state: 'starting' | 'running' | 'up' | 'backing-off' | 'given-up' | 'draining' | 'ended';
  readonly since: number;
  readonly restarts: number;
  readonly lastExit?: string;
  readonly nextTry?: number;
}

/** A zone, as its supervisor sees it. */
export interface ZoneStatus {
  readonly zone: string;
  readonly project: string;
  readonly pid: number;
  readonly since: number;
  readonly containers: readonly ContainerStatus[];
}
