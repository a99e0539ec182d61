/** Runs a program on real nodes and on the reference at once. */
import { inspect } from 'node:util';
import type { Ending } from './agent.ts';
import { Ground } from './ground.ts';
import type { Members } from './members.ts';
import type { MessageDraw, Step } from './program.ts';
import { Broken } from './reference.ts';
import { isTimed, titleOf, type MessageState, type NodeState, type WorkerState } from './state.ts';

const MAX_NODES = 4;
const MAX_MORTALS = 2;

/** What was wrong with a run, and all that was done and seen in it. */
export interface Failure {
  what: string;
  history: string[];
}

/** Runs a program; resolves with what was wrong, or undefined. */
export async function play(program: Step[], members: Members): Promise<Failure | undefined> {
  const player = new Player(members);
  const failureOf = (error: unknown): Failure => {
    const what = error instanceof Broken ? error.message : inspect(error);
    return { what, history: player.history };
  };
  let failure: Failure | undefined;
  try {
    await player.begin();
    for (const step of program) await player.perform(step);
    await player.windUp();
  } catch (error) {
    failure = failureOf(error);
  }
  try {
    await player.end();
  } catch (error) {
    failure ??= failureOf(error);
  }
  return failure;
}

class Player extends Ground {
  /** Two nodes, one of them in a process of its own. */
  async begin(): Promise<void> {
    await this.#join(false);
    await this.#join(true);
  }

  async perform(step: Step): Promise<void> {
    switch (step.step) {
      case 'start':
        await this.#start(step);
        break;
      case 'stop':
        this.#stop(step.by, step.worker, step.drains);
        break;
      case 'say': {
        const from = Ground.of(this.up(), step.from);
        if (from !== undefined) this.#say(from, undefined, step.to, step.isPlain, step.message);
        break;
      }
      case 'nest': {
        const worker = Ground.of(this.#busy(), step.from);
        if (worker !== undefined) this.#say(worker.node, worker, step.to, false, step.message);
        break;
      }
      case 'finish': {
        const worker = Ground.of(this.#busy(), step.worker);
        if (worker !== undefined) this.#finish(worker, step.ending);
        break;
      }
      case 'reply later': {
        const { messages } = this.reference;
        const message = Ground.of(messages.filter(canBeAnswered), step.message);
        if (message === undefined) break;
        message.isReplied = true;
        this.tell(message.at, { do: 'reply later', message: message.message });
        break;
      }
      case 'give up': {
        const message = Ground.of(this.#open(), step.message);
        if (message !== undefined) this.#giveUp(message);
        break;
      }
      case 'wait':
        await this.settle(true);
        break;
      case 'join':
        await this.#join(step.isMortal);
        break;
      case 'leave': {
        // One stays, so that the program goes on.
        const node = Ground.of(this.up().slice(1), step.node);
        await this.seeCloses();
        if (node !== undefined) this.#leave(node, step.drains);
        break;
      }
      case 'kill': {
        const node = Ground.of(
          this.up().filter((one) => one.isMortal),
          step.node,
        );
        await this.seeCloses();
        if (node !== undefined) await this.#kill(node);
      }
    }
    if (step.settles) await this.settle();
  }

  /** Workers with a message in hand that waits for the program. */
  #busy(): WorkerState[] {
    return this.reference.workers.filter(({ hand, node, state, drops }) => {
      const isAlive = node.state === 'up' || node.state === 'leaving';
      return hand !== undefined && isAlive && state !== 'gone' && !drops && !hand.isQuick && !hand.isFinished;
    });
  }

  /** Messages that somebody waits on, and can give up. */
  #open(): MessageState[] {
    return this.reference.messages.filter(({ outcome, from, isGivenUp }) => {
      return outcome === undefined && from.state === 'up' && !isGivenUp;
    });
  }

  async #join(isMortal: boolean): Promise<void> {
    const { nodes, now } = this.reference;
    const alive = nodes.filter(({ state }) => state === 'up' || state === 'leaving');
    const mortals = alive.filter((node) => node.isMortal).length;
    if (alive.length >= MAX_NODES || (isMortal && mortals >= MAX_MORTALS)) return;
    const node: NodeState = { name: `n${nodes.length}`, isMortal, state: 'up', since: now };
    if (isMortal) this.mortals.set(node, await this.members.take((seen) => this.hear(seen)));
    nodes.push(node);
    const call = this.call(`node ${node.name} joins`, node, ['ok']);
    this.tell(node, { do: 'join', call, node: node.name, home: this.home });
    await this.settle();
  }

  #leave(node: NodeState, drains: boolean): void {
    const { workers, now } = this.reference;
    node.state = 'leaving';
    node.since = now;
    const own = workers.filter((worker) => worker.node === node && worker.state !== 'never' && worker.state !== 'gone');
    for (const worker of own) this.close(worker, !drains);
    const call = this.call(
      `node ${node.name} leaves`,
      node,
      ['ok'],
      () => own.every((worker) => this.mayEnd(worker)),
      () => {
        node.state = 'gone';
        for (const worker of own) worker.state = 'gone';
      },
    );
    this.tell(node, { do: 'leave', call, node: node.name, drains });
    for (const { name } of own) this.seeClose(node, name);
  }

  async #kill(node: NodeState): Promise<void> {
    const { now } = this.reference;
    node.state = 'killed';
    node.since = now;
    await this.mortals.get(node)?.kill();
    this.mortals.delete(node);
    for (const other of this.up()) {
      const call = this.call(`node ${node.name} is gone for ${other.name}`, other, ['ok', 'NODE_STOPPED']);
      this.tell(other, { do: 'see off', call, node: other.name, gone: node.name });
    }
  }

  async #start(step: Step & { step: 'start' }): Promise<void> {
    await this.settle();
    const by = Ground.of(this.up(), step.by);
    const node = Ground.of(this.up(), step.on);
    if (by === undefined || node === undefined) return;
    const { workers, now } = this.reference;
    const name = `w${step.name}`;
    const before = this.holder(node, name);
    const worker: WorkerState = {
      id: workers.length,
      node,
      name,
      starter: by,
      options: step.options,
      state: 'starting',
      since: now,
      drops: false,
      stops: 0,
      mayBeAbandoned: false,
      hand: undefined,
      instances: 1,
      initialized: 0,
      isShutDown: false,
      failures: 0,
      hasRemoteSenders: false,
    };
    workers.push(worker);
    const isFree = before === undefined;
    const mayBeFree = isFree || before.isShutDown || before.drops;
    const allowed = [...(mayBeFree ? ['ok'] : []), ...(isFree ? [] : ['NAME_TAKEN'])];
    const call = this.call(
      `worker ${node.name}/${name} (${worker.id}) is started by ${by.name}`,
      by,
      allowed,
      () => true,
      () => {
        worker.state = 'up';
        if (before !== undefined) before.state = 'gone';
      },
    );
    const { options } = step;
    this.tell(by, { do: 'start', call, node: by.name, on: node.name, name, worker: worker.id, options });
    await this.settle();
    if (worker.state === 'starting') worker.state = 'never';
  }

  #stop(by: number, number: number, drains: boolean): void {
    const caller = Ground.of(this.up(), by);
    const known = this.reference.workers.filter(({ node, state }) => node.state === 'up' && state !== 'never');
    const chosen = Ground.of(known, number);
    if (caller === undefined || chosen === undefined) return;
    const worker = this.holder(chosen.node, chosen.name);
    // It may end by itself, by another call or with its node before this one comes to it.
    const isOnlyCall = worker?.state === 'up';
    let calls = 0;
    const allows = (code: string) => {
      if (code === 'ok') return worker !== undefined;
      if (code === 'NO_SUCH_WORKER') return !isOnlyCall || calls !== worker.stops || chosen.node.state !== 'up';
      return (
        (code === 'NODE_UNREACHABLE' && (chosen.node.state !== 'up' || caller.state !== 'up')) ||
        (code === 'NODE_STOPPED' && caller.state !== 'up')
      );
    };
    const { node, name } = chosen;
    const call = this.call(
      `worker ${node.name}/${name} is stopped by ${caller.name}`,
      caller,
      allows,
      () => worker === undefined || this.mayEnd(worker),
      () => {
        if (worker !== undefined) worker.state = 'gone';
      },
    );
    if (worker !== undefined) {
      this.close(worker, !drains);
      calls = worker.stops;
    }
    this.tell(caller, { do: 'stop', call, node: caller.name, on: node.name, name, drains });
    this.seeClose(node, name);
  }

  #say(from: NodeState, speaker: WorkerState | undefined, to: number, isPlain: boolean, drawn: MessageDraw): void {
    const { workers, messages } = this.reference;
    const chosen = Ground.of(
      workers.filter(({ state }) => state !== 'never'),
      to,
    );
    if (chosen === undefined) return;
    const { node, name } = chosen;
    const receiver = this.holder(node, name);
    // A plain name is that of one worker only if no other node has ever had it.
    const isAlone = workers.every((other) => other.name !== name || other.node === node || other.state === 'never');
    const isKnown = receiver !== undefined && (from === node || from === receiver.starter);
    const address = isPlain && isAlone && isKnown && receiver.state === 'up' ? name : `${node.name}/${name}`;
    for (let count = 0; count < drawn.times; count++) {
      if (receiver !== undefined && from !== node) receiver.hasRemoteSenders = true;
      const message: MessageState = {
        message: messages.length,
        to: address,
        isRequest: drawn.isRequest,
        isQuick: drawn.isQuick,
        timeout: drawn.timeout,
        size: drawn.size,
        from,
        speaker,
        receiver,
        at: node,
        // A send is not given up with the message in whose handler it was made, and to what was sent nobody waits for an answer.
        parent: drawn.isRequest && speaker?.hand?.isRequest === true ? speaker.hand : undefined,
        since: this.reference.now,
        isFound: messages.some((other) => {
          return other.from === from && other.to === address && other.receiver === receiver && other.isBegun;
        }),
        ahead: receiver === undefined ? 0 : this.reference.waiting(receiver).length,
        isBegun: false,
        isEnded: false,
        isAborted: false,
        isGivenUp: false,
        isFinished: false,
        isReplied: false,
        isThrown: false,
        outcome: undefined,
      };
      messages.push(message);
      const { isRequest, isQuick, timeout, size } = message;
      const said = { message: message.message, to: address, isRequest, isQuick, timeout, size };
      this.tell(from, { do: 'say', node: from.name, worker: speaker?.id, ...said });
    }
  }

  #giveUp(message: MessageState): void {
    message.isGivenUp = true;
    this.tell(message.from, { do: 'give up', message: message.message });
  }

  #finish(worker: WorkerState, ending: Ending): void {
    const message = worker.hand as MessageState;
    message.isFinished = true;
    if (ending === 'replies' || ending === 'replies twice') message.isReplied = message.isRequest;
    if (ending === 'throws') {
      message.isThrown = true;
      worker.failures += 1;
      const { onFailure, maxRestarts } = worker.options;
      if (onFailure === 'restart' && worker.failures <= maxRestarts) worker.instances += 1;
      else if (onFailure !== 'resume') {
        this.close(worker, true);
        worker.mayBeAbandoned = false;
      }
    }
    this.tell(worker.node, { do: 'finish', worker: worker.id, ending });
  }

  /** Ends what the program has begun, until nothing is open. */
  async windUp(): Promise<void> {
    for (;;) {
      await this.settle();
      const [busy] = this.#busy();
      const open = this.#open().filter((message) => !isTimed(message));
      const leaving = this.reference.nodes.some(({ state }) => state === 'leaving');
      if (busy !== undefined) this.#finish(busy, 'replies');
      else if (open.length > 0) open.forEach((message) => this.#giveUp(message));
      else if (leaving && this.reference.calls.every(({ outcome }) => outcome !== undefined)) return;
      else break;
    }
    await this.settle(true);
    const left = this.reference.messages.find(({ outcome, from }) => outcome === undefined && from.state === 'up');
    if (left !== undefined) throw new Broken(`${titleOf(left)} never ended`);
  }
}

/** Whether its handler ended, and its asker may still hear from it. */
function canBeAnswered({ isEnded, isRequest, isReplied, isThrown, receiver, at, isQuick }: MessageState): boolean {
  const isAlive = receiver?.state === 'up' && at.state === 'up';
  return isEnded && isRequest && !isReplied && !isThrown && !isQuick && isAlive;
}
