/** A zone that is made up: nodes, workers, channels and lines that behave as real ones do. For developing the page and for its tests. */
import {
  type Histogram,
  type Line,
  type NodeState,
  type Peer,
  type Presence,
  type WorkerState,
} from '../src/shapes.ts';
import { messages } from './messages.ts';

/** Of what a made-up zone consists. */
export interface ZoneOptions {
  readonly name: string;
  /** Its nodes, by name. */
  readonly nodes: readonly string[];
  readonly workersPerNode: number;
}

/** A small generator of chance: the same seed, the same zone. */
function chance(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

const bounds = [...Array(21).keys()].map((power) => 2 ** (power - 4));

interface MockWorker {
  state: WorkerState;
  readonly busy: number;
  readonly samples: [number, number, number, number][];
}

interface MockNode {
  presence: Presence;
  readonly since: number;
  cpuMs: number;
  rss: number;
  readonly delay: number[];
  readonly inMailbox: number[];
  readonly inHandler: number[];
  readonly dead: Record<string, number>;
  readonly sent: Map<string, number>;
  readonly failures: NodeState['failures'][number][];
}

const histogram = (counts: readonly number[]): Histogram => ({
  count: counts.reduce((sum, count) => sum + count, 0),
  sumMs: counts.reduce((sum, count, i) => sum + count * (bounds[i] ?? 65_536) * 0.7, 0),
  buckets: counts.map((count, i) => [bounds[i] ?? null, count] as const),
});

const types = ['Greeter', 'Index', 'Thumbnailer', 'Session', 'Ledger', 'Mailer'];

/** The zone. Time passes only by `pass`; lines come only by `emit` and `chat`. */
export class MockZone {
  readonly name: string;
  readonly #random = chance(7);
  readonly #nodes = new Map<string, MockNode>();
  readonly #workers = new Map<string, MockWorker>();
  readonly #lines: Line[] = [];
  /** What its cursors begin with. */
  history = '0000a11e';
  #next = 1;
  #now: number;

  constructor({ name, nodes, workersPerNode }: ZoneOptions, now = Date.now()) {
    this.name = name;
    this.#now = now - 15 * 60_000;
    for (const [i, node] of nodes.entries()) this.#addNode(node, i, workersPerNode);
    // A quarter of an hour has passed already: charts have something to show.
    for (let i = 0; i < 180; i += 1) this.pass(5000);
  }

  #addNode(node: string, place: number, workers: number): void {
    const counts = () => Array<number>(bounds.length + 1).fill(0);
    this.#nodes.set(node, {
      presence: 'up',
      since: this.#now - (place + 1) * 3_700_000,
      cpuMs: 10_000,
      rss: (70 + place * 23) * 1024 * 1024,
      delay: counts(),
      inMailbox: counts(),
      inHandler: counts(),
      dead: { 'no such worker': 3 * place, 'worker stopped': place % 2 ? 14 : 0 },
      sent: new Map(),
      failures: [],
    });
    for (let i = 0; i < workers; i += 1) {
      const type = types[i % types.length] ?? 'Greeter';
      const name = `${type.toLowerCase()}${i < types.length ? '' : `-${Math.floor(i / types.length)}`}`;
      this.addWorker({ node, name, type });
    }
  }

  /** Starts a worker. */
  addWorker({ node, name, type }: { node: string; name: string; type: string }): void {
    const state = { node, name, type, state: 'idle', queued: 0, handled: 0, failed: 0, restarts: 0 };
    this.#workers.set(`${node}/${name}`, { state, busy: this.#random() ** 3, samples: [] });
  }

  /** The last line's number; 0 where there is none. */
  get last(): number {
    return this.#next - 1;
  }

  /** Adds a line; what is not given is made up. */
  emit(line: Partial<Line>): Line {
    const added: Line = {
      time: Date.now(),
      node: [...this.#nodes.keys()][0] ?? '',
      level: 'info',
      name: 'node',
      message: '',
      ...line,
      id: `${this.history}-${this.#next}`,
    };
    this.#next += 1;
    this.#lines.push(added);
    // Twice what the page holds.
    if (this.#lines.length > 400_000) this.#lines.splice(0, 100_000);
    return added;
  }

  /** Adds so many lines as programs write them. */
  chat(lines: number, spreadMs = 0): void {
    const up = [...this.#nodes].filter(([, { presence }]) => presence === 'up').map(([name]) => name);
    for (let i = 0; i < lines; i += 1) {
      const node = up[Math.floor(this.#random() * up.length)];
      const made = messages[Math.floor(this.#random() ** 1.4 * messages.length)];
      if (!node || !made) continue;
      const time = Date.now() - Math.round((spreadMs * (lines - i)) / lines);
      this.emit({ ...made(this.#random), node, time });
    }
  }

  /** The number in a cursor; that of another history is before all lines. */
  numberOf(cursor: string): number {
    const [history, number] = cursor.split('-');
    return history === this.history ? Number(number) : 0;
  }

  /** As a server that was started again: the same lines, under other cursors. */
  beginAnew(history: string): void {
    this.history = history;
    const lines = this.#lines.splice(0);
    this.#next = 1;
    for (const line of lines) this.emit(line);
  }

  /** So many lines come and are given up with all before them, and nobody has read them. */
  forget(lines: number): void {
    this.#next += lines;
    this.#lines.length = 0;
  }

  /** Up to `limit` lines after that number, oldest first. */
  linesAfter(number: number, limit = Infinity): Line[] {
    const first = this.#next - this.#lines.length;
    const from = Math.max(0, number + 1 - first);
    return this.#lines.slice(from, from + Math.min(limit, this.#lines.length));
  }

  /** Lets a node be otherwise; `gone` is what a node is that does not answer. */
  become(node: string, presence: Presence): void {
    const found = this.#nodes.get(node);
    if (found) found.presence = presence;
  }

  /** Lets time pass for what counts. */
  pass(ms: number): void {
    this.#now += ms;
    const seconds = ms / 1000;
    for (const [name, node] of this.#nodes) {
      if (node.presence === 'gone') continue;
      const stalled = node.presence === 'stalled';
      const mine = [...this.#workers.values()].filter(({ state }) => state.node === name);
      let handled = 0;
      for (const worker of mine) if (!stalled) handled += this.#work(worker, node, seconds);
      node.cpuMs += ms * Math.min(1.4, stalled ? 1 : 0.02 + handled / seconds / 9000);
      node.rss += Math.round((this.#random() - 0.498) * 600_000);
      for (let i = 0; i < 20; i += 1) this.#count(node.delay, stalled ? 14 : this.#random() ** 4 * 7);
      for (const other of this.#nodes.keys()) {
        if (other === name) continue;
        const weight = ((name.length * 7 + other.length * 13 + other.charCodeAt(other.length - 1)) % 10) ** 3;
        node.sent.set(other, (node.sent.get(other) ?? 0) + Math.round(weight * seconds * (0.8 + this.#random() * 0.4)));
      }
    }
  }

  #count(counts: number[], size: number): void {
    const i = Math.min(counts.length - 1, Math.floor(size));
    counts[i] = (counts[i] ?? 0) + 1;
  }

  #work(worker: MockWorker, node: MockNode, seconds: number): number {
    const wave = 0.7 + 0.3 * Math.sin(this.#now / 90_000 + worker.busy * 20);
    const handled = Math.round(worker.busy * wave * 900 * seconds * (0.9 + this.#random() * 0.2));
    const queued = worker.busy > 0.55 ? Math.round(wave * worker.busy * 40 * this.#random()) : 0;
    const fails = this.#random() < worker.busy * 0.01 ? 1 : 0;
    const { state } = worker;
    worker.state = {
      ...state,
      state: handled > 0 ? 'busy' : 'idle',
      queued,
      handled: state.handled + handled,
      failed: state.failed + fails,
      restarts: state.restarts + (fails && this.#random() < 0.3 ? 1 : 0),
      oldestMs: queued > 0 ? queued * 3.4 : null,
      slowestMs: 2 + worker.busy * 60,
    };
    if (fails) {
      node.failures.push({
        time: this.#now,
        worker: state.name,
        type: state.type,
        message: `TypeError: Cannot read properties of undefined (reading 'total')`,
        stack:
          `TypeError: Cannot read properties of undefined (reading 'total')\n` +
          `    at ${state.type}.handleMessage (file:///app/images/runner/${state.type.toLowerCase()}.ts:41:28)\n` +
          `    at Cell.run (file:///app/node_modules/troupe/dist/port/cell.js:118:14)`,
      });
      if (node.failures.length > 20) node.failures.shift();
    }
    for (let i = 0; i < 3; i += 1) {
      this.#count(node.inMailbox, this.#random() ** 3 * 9);
      this.#count(node.inHandler, this.#random() ** 2 * 8);
    }
    worker.samples.push([this.#now, queued, worker.state.handled, worker.state.failed]);
    if (worker.samples.length > 180) worker.samples.shift();
    return handled;
  }

  /** The states of all nodes. */
  states(): NodeState[] {
    return [...this.#nodes].map(([name, node]) => this.#state(name, node));
  }

  #state(name: string, node: MockNode): NodeState {
    const mine = [...this.#workers.values()].filter(({ state }) => state.node === name).map(({ state }) => state);
    const sum = (list: WorkerState[], of: (worker: WorkerState) => number) =>
      list.reduce((total, worker) => total + of(worker), 0);
    return {
      node: name,
      id: `id-of-${name}`,
      incarnation: `1-${name}`,
      zone: this.name,
      role: 'node',
      pid: 4000 + name.charCodeAt(name.length - 1),
      version: '0.1.0',
      since: node.since,
      time: this.#now,
      state: node.presence === 'gone' ? 'up' : node.presence,
      presence: node.presence,
      http: name.endsWith('0') ? '127.0.0.1:9100' : undefined,
      cpuMs: node.cpuMs,
      rss: node.rss,
      isolates: [{ name: 'main', sinceTurnMs: node.presence === 'stalled' ? 4200 : 3, delay: histogram(node.delay) }],
      workersTotal: mine.length,
      classes: [...new Set(mine.map(({ type }) => type))].map((type) => {
        const ofType = mine.filter((worker) => worker.type === type);
        return {
          type,
          workers: ofType.length,
          queued: sum(ofType, ({ queued }) => queued),
          handled: sum(ofType, ({ handled }) => handled),
          failed: sum(ofType, ({ failed }) => failed),
          restarts: sum(ofType, ({ restarts }) => restarts),
          inMailbox: histogram(node.inMailbox),
          inHandler: histogram(node.inHandler),
        };
      }),
      deadLetters: node.dead,
      peers: [...this.#nodes].filter(([other]) => other !== name).map(([other]) => this.#peer(name, node, other)),
      failures: node.failures,
      ...(node.presence === 'stalled' ? { asOf: this.#now - 4200 } : {}),
    };
  }

  #peer(name: string, node: MockNode, other: string): Peer {
    const messagesOut = node.sent.get(other) ?? 0;
    const messagesIn = this.#nodes.get(other)?.sent.get(name) ?? 0;
    const away = this.#nodes.get(other)?.presence === 'gone';
    return {
      node: other,
      state: away ? 'away' : 'connected',
      bytesIn: messagesIn * 212,
      bytesOut: messagesOut * 187,
      messagesIn,
      messagesOut,
      roundTripMs: away ? null : 0.2 + (name.length % 3) / 10,
      handshakes: 1,
    };
  }

  /** The workers with the longest queues; those of nodes that are gone as they were last. */
  workers(limit = 1000): WorkerState[] {
    return [...this.#workers.values()]
      .map(({ state }) => state)
      .sort((a, b) => b.queued - a.queued)
      .slice(0, limit);
  }

  /** One worker with its samples and failures; undefined where there is none. */
  worker(node: string, name: string): object | undefined {
    const found = this.#workers.get(`${node}/${name}`);
    const failures = this.#nodes.get(node)?.failures.filter(({ worker }) => worker === name);
    return found && { ...found.state, samples: found.samples, failures };
  }
}
