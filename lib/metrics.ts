/** What a node has counted and measured of itself, as `node.metrics()` tells it. */

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
  isolates: { name: string; sinceTurnMs: number; delay: Histogram }[];
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
