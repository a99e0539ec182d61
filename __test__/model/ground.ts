/** What a program that is run stands on: the processes of its nodes, the reference beside them, and how to wait for what has to come. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command, Seen } from './agent.ts';
import { ownMember, type Member, type Members, type Mortal } from './members.ts';
import { Broken, Reference } from './reference.ts';
import type { NodeState, WorkerState } from './state.ts';

/** What has to come comes at once; this is for a machine that has much else to do. Milliseconds. */
const PATIENCE = 20_000;
const CLOSES = ' begins to stop';

/** One run of a program. */
export class Ground {
  protected readonly members: Members;
  protected readonly home = mkdtempSync(join(tmpdir(), 'troupe-test-'));
  protected readonly reference = new Reference();
  protected readonly own: Member;
  protected readonly mortals = new Map<NodeState, Mortal>();
  readonly history: string[] = [];
  #broken: Broken | undefined;
  #wake: () => void = () => {};
  #isOver = false;

  constructor(members: Members) {
    this.members = members;
    this.own = ownMember((seen) => this.hear(seen));
  }

  protected hear(seen: Seen): void {
    if (this.#isOver || this.#broken !== undefined) return;
    this.history.push(`  ${JSON.stringify(seen)}`);
    try {
      this.reference.hear(seen);
    } catch (error) {
      if (!(error instanceof Broken)) throw error;
      this.#broken = error;
    }
    this.#wake();
  }

  async end(): Promise<void> {
    this.#isOver = true;
    await Promise.all([this.own, ...this.mortals.values()].map((member) => member.reset()));
    rmSync(this.home, { recursive: true, force: true });
  }

  /** Waits until all that has to come has come. */
  protected async settle(inTime = false): Promise<void> {
    const limit = AbortSignal.timeout(PATIENCE);
    limit.addEventListener('abort', () => this.#wake());
    for (;;) {
      if (this.#broken !== undefined) throw this.#broken;
      const due = this.reference.due(inTime);
      if (due === undefined) return this.reference.settled();
      if (limit.aborted) throw new Broken(`this did not happen: ${due}`);
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  protected up(): NodeState[] {
    return this.reference.nodes.filter(({ state }) => state === 'up');
  }

  /** One of several, by any number. */
  protected static of<T>(values: T[], number: number): T | undefined {
    return values[number % Math.max(values.length, 1)];
  }

  protected tell(node: NodeState, command: Command): void {
    this.history.push(`${node.name}: ${JSON.stringify(command)}`);
    (this.mortals.get(node) ?? this.own).tell(command);
  }

  /** What has a node's name or worker's name now. */
  protected holder(node: NodeState, name: string): WorkerState | undefined {
    return this.reference.workers.findLast((worker) => {
      return worker.node === node && worker.name === name && (worker.state === 'up' || worker.state === 'closing');
    });
  }

  protected call(
    what: string,
    by: NodeState,
    allowed: string[] | ((code: string) => boolean),
    isDue = () => true,
    done: () => void = () => {},
  ): number {
    const allows = typeof allowed === 'function' ? allowed : (code: string) => allowed.includes(code);
    const finish = (outcome: { code: string }) => {
      if (outcome.code === 'ok') done();
    };
    return this.reference.calls.push({ what, by, allows, isDue, done: finish, outcome: undefined }) - 1;
  }

  /** A worker is to end. */
  protected close(worker: WorkerState, drops: boolean): void {
    worker.stops += 1;
    if (worker.state === 'up') {
      worker.state = 'closing';
      worker.since = this.reference.now;
    }
    if (!drops || worker.drops) return;
    worker.drops = true;
    worker.mayBeAbandoned = true;
  }

  /** Whether nothing but time keeps a worker that closes. */
  protected mayEnd(worker: WorkerState): boolean {
    return worker.drops || (worker.hand === undefined && this.reference.pending(worker).length === 0);
  }

  /** Order and message to a worker of another process may overtake each other; once this has ended it takes nothing more. */
  protected seeClose(node: NodeState, name: string): void {
    const call = this.call(`worker ${node.name}/${name}${CLOSES}`, node, ['ok', 'NODE_STOPPED']);
    this.tell(node, { do: 'see close', call, node: node.name, name });
  }

  /** What a node has ordered comes to nothing when it ends too soon; the program goes on with what is certain. */
  protected async seeCloses(): Promise<void> {
    if (this.reference.calls.some(({ what, outcome }) => outcome === undefined && what.endsWith(CLOSES)))
      await this.settle();
  }
}
