/**
 * What a zone promises, said a second time and as plainly as can be. Between nodes much may come in more than one order, so it does not
 * foretell what happens: it says of all that is seen whether that may be, and of all that has to come whether it has.
 *
 * What is promised is in `docs/semantics.md`; nothing here is taken from the package.
 */
import { failureOf, replyOf, type Outcome, type Seen } from './agent.ts';
import {
  isTimed,
  mayBeCalledOff,
  saysBegun,
  saysNotHandled,
  titleOf,
  type CallState,
  type MessageState,
  type NodeState,
  type WorkerState,
} from './state.ts';

/** What a zone did that it may not do. */
export class Broken extends Error {}

function broken(what: string): never {
  throw new Broken(what);
}

/** All of one zone. */
export class Reference {
  readonly nodes: NodeState[] = [];
  readonly workers: WorkerState[] = [];
  readonly messages: MessageState[] = [];
  readonly calls: CallState[] = [];
  /** How often everything was waited for. What two steps ask for between two such times may happen in either order. */
  now = 0;
  /** The last message that a receiver has begun of a sender. */
  readonly #lastBegun = new Map<string, number>();

  /** Takes what was seen; throws {@link Broken} when that may not be. */
  hear(seen: Seen): void {
    switch (seen.seen) {
      case 'outcome':
        return this.#outcome(this.messages[seen.message] as MessageState, seen);
      case 'called':
        return this.#called(this.calls[seen.call] as CallState, seen);
      case 'begun':
        return this.#begun(seen);
      case 'ended': {
        const worker = this.workers[seen.worker] as WorkerState;
        const message = this.messages[seen.message] as MessageState;
        message.isEnded = true;
        if (worker.hand === message) worker.hand = undefined;
        return;
      }
      case 'aborted':
        return this.#aborted(this.messages[seen.message] as MessageState);
      case 'initialized': {
        const worker = this.workers[seen.worker] as WorkerState;
        worker.initialized += 1;
        if (seen.instance === worker.initialized && worker.initialized <= worker.instances) return;
        return broken(`worker ${worker.name} has instance ${seen.instance}, and ${worker.instances} were due`);
      }
      case 'shut down': {
        const worker = this.workers[seen.worker] as WorkerState;
        if (worker.hand !== undefined) broken(`worker ${worker.name} is shut down with a message in hand`);
        // A restart shuts the old instance down, too.
        if (seen.instance !== worker.instances) return;
        if (worker.isShutDown) broken(`worker ${worker.name} is shut down twice`);
        worker.isShutDown = true;
      }
    }
  }

  #begun(seen: Seen & { seen: 'begun' }): void {
    const worker = this.workers[seen.worker] as WorkerState;
    const message = this.messages[seen.message];
    if (message === undefined) broken(`worker ${worker.name} has message ${seen.message}, which nobody sent`);
    const title = titleOf(message);
    if (!seen.isWhole) broken(`${title} arrived in part`);
    if (message.receiver !== worker) broken(`${title} reached worker ${worker.id} ${worker.node.name}/${worker.name}`);
    if (message.isBegun) broken(`${title} is handled twice`);
    if (worker.hand !== undefined) broken(`${title} is begun while ${titleOf(worker.hand)} is in hand`);
    if (seen.instance !== worker.instances)
      broken(`${title} is handled by instance ${seen.instance} of ${worker.instances}`);
    const isLocal = message.from === worker.node;
    const from = `${message.from.name}/${message.speaker?.name ?? 'main'}`;
    const mayBeNobody =
      message.from.state !== 'up' || (message.speaker !== undefined && message.speaker.state !== 'up');
    if (seen.sender !== from && !(mayBeNobody && seen.sender === ''))
      broken(`${title} says that it comes from "${seen.sender}"`);
    // Of one sender in the order sent; of those of the worker's own node, which wait in one line, all of them.
    const pairs = [`${from} ${message.speaker?.id ?? ''} ${worker.id}`, ...(isLocal ? [`${worker.id}`] : [])];
    for (const pair of pairs) {
      const last = this.#lastBegun.get(pair) ?? -1;
      const byAnother = this.messages[last]?.to !== message.to && !message.isFound && !isLocal;
      if (last > message.message && !byAnother) broken(`${title} is begun after ${last}`);
      this.#lastBegun.set(pair, Math.max(last, message.message));
    }
    if (saysNotHandled(message)) broken(`${title} is begun after all, though it ended as ${shown(message.outcome)}`);
    if (isLocal && message.isRequest && message.outcome !== undefined)
      broken(`${title} is begun when its asker has left: ${shown(message.outcome)}`);
    message.isBegun = true;
    worker.hand = message;
  }

  #aborted(message: MessageState): void {
    const { receiver, from } = message;
    const may = message.isGivenUp || isTimed(message) || mayBeCalledOff(message);
    if (!may && receiver?.drops !== true && from.state === 'up')
      broken(`the signal of ${titleOf(message)} aborts, and nobody has given it up`);
    message.isAborted = true;
  }

  #called(call: CallState, outcome: Outcome): void {
    if (call.outcome !== undefined) broken(`${call.what} ended twice`);
    call.outcome = outcome;
    if (!call.allows(outcome.code)) broken(`${call.what} ended as ${shown(outcome)}`);
    call.done(outcome);
  }

  #outcome(message: MessageState, outcome: Outcome): void {
    if (message.outcome !== undefined) broken(`${titleOf(message)} ended twice, now as ${shown(outcome)}`);
    const reason = this.#refusal(message, outcome);
    message.outcome = outcome;
    if (reason !== undefined) broken(`${titleOf(message)} ended as ${shown(outcome)}, but ${reason}`);
    if (message.isBegun && saysNotHandled(message)) {
      broken(`${titleOf(message)} ended as ${shown(outcome)}, but its handler had begun`);
    }
  }

  /** Why a message can't have ended so; undefined when it can. */
  #refusal(message: MessageState, outcome: Outcome): string | undefined {
    const { receiver, at, from, isRequest } = message;
    const isLocal = at === from;
    switch (outcome.code) {
      case 'ok':
        if (receiver === undefined) return 'there is nobody';
        return receiver.state !== 'up' && receiver.since < message.since ? 'its worker had stopped' : undefined;
      case 'reply':
        if (outcome.text !== replyOf(message.message, 1)) return 'that is not its reply';
        return message.isReplied || message.isQuick ? undefined : 'nobody has replied';
      case 'WORKER_FAILED':
        if (!message.isThrown || outcome.text !== failureOf(message.message)) return 'its handler has not failed so';
        return isLocal ? this.#unfinished(receiver as WorkerState) : undefined;
      case 'TIMEOUT':
        if (!isTimed(message)) return 'it had all the time there is';
        if (outcome.stage === 'in-transit') return isLocal ? 'between two workers of a node all is known' : undefined;
        if (!isRequest && outcome.stage !== 'queued') return 'a send ends with its wait for room';
        return outcome.stage === 'handled' && !message.isFinished && !message.isQuick
          ? 'its handler has not ended'
          : undefined;
      case 'ABORTED':
        return message.isGivenUp ? undefined : 'nobody gave it up';
      case 'PARENT':
        return mayBeCalledOff(message) ? undefined : 'what it is nested in was not given up';
      case 'MAILBOX_FULL': {
        if (receiver === undefined) return 'there is nobody';
        if (receiver.options.overflow !== 'reject' && receiver !== message.speaker) return 'it might have waited';
        // Places that were granted to other nodes are not free.
        const isFull = receiver.hasRemoteSenders || message.ahead >= receiver.options.mailbox;
        return isFull ? undefined : `there was room: ${message.ahead} of ${receiver.options.mailbox}`;
      }
      case 'WORKER_STOPPED':
        // One that another node still took for the worker's: it was had.
        if (receiver === undefined) return isLocal || outcome.maybeExecuted !== false ? 'there is nobody' : undefined;
        return ['closing', 'gone'].includes(receiver.state) ? undefined : 'its worker is up';
      case 'NO_SUCH_WORKER':
        // A node that has looked for a name in vain may hear of its start a moment later than the node that asked for it.
        if (this.#hasMissed(message)) return undefined;
        return receiver?.state === 'up' && at.state === 'up' ? 'its worker is up' : undefined;
      case 'NODE_UNREACHABLE':
        // A node that leaves closes its channels, whatever still waits behind them.
        if (from.state !== 'up') return undefined;
        if (at.state === 'up') return 'its node is up';
        return at.state !== 'leaving' && at.since < message.since && outcome.maybeExecuted !== false
          ? 'its node had gone before'
          : undefined;
      case 'NODE_STOPPED':
        return from.state === 'up' ? 'its node is up' : undefined;
      default:
        return 'nothing ends so';
    }
  }

  /** Whether the sender's node has been told that there is no such worker, before it was started by another one. */
  #hasMissed({ from, to, receiver }: MessageState): boolean {
    if (receiver === undefined || from === receiver.starter || from === receiver.node) return false;
    return this.messages.some((other) => {
      return other.from === from && other.to === to && other.outcome?.code === 'NO_SUCH_WORKER';
    });
  }

  /** What has not been done of the policy that a failure carries out. */
  #unfinished(worker: WorkerState): string | undefined {
    if (worker.drops || worker.state === 'gone') return undefined;
    return worker.initialized === worker.instances ? undefined : 'its worker has not been restarted yet';
  }

  /** Says what has yet to come before all is quiet, or undefined. `inTime`: also what only time ends. */
  due(inTime: boolean): string | undefined {
    for (const call of this.calls) {
      if (call.outcome === undefined && call.by.state !== 'killed' && call.isDue()) return call.what;
    }
    for (const worker of this.workers) {
      const due = this.#dueOf(worker);
      if (due !== undefined) return due;
    }
    for (const message of this.messages) {
      const due = this.#dueOfMessage(message, inTime);
      if (due !== undefined) return `${titleOf(message)}: ${due}`;
    }
    return undefined;
  }

  /** Messages that may wait for a worker. */
  waiting(worker: WorkerState): MessageState[] {
    return this.messages.filter((message) => {
      return message.receiver === worker && !message.isBegun && !saysNotHandled(message);
    });
  }

  /** Messages that a worker has yet to begin. */
  pending(worker: WorkerState): MessageState[] {
    return this.waiting(worker).filter((message) => {
      const isWithdrawn = message.isGivenUp || isTimed(message) || mayBeCalledOff(message);
      return !isWithdrawn && (message.outcome === undefined || message.outcome.code === 'ok');
    });
  }

  #dueOf(worker: WorkerState): string | undefined {
    const { node, hand, state, name } = worker;
    if (node.state === 'killed' || state === 'gone' || state === 'never' || state === 'starting') return undefined;
    const who = `worker ${node.name}/${name}`;
    if (hand !== undefined && (hand.isQuick || hand.isFinished)) return `${who} ends ${titleOf(hand)}`;
    if (hand !== undefined || worker.drops) {
      const isPolicy = worker.drops && !worker.mayBeAbandoned && !worker.isShutDown;
      return isPolicy && hand === undefined ? `${who} is shut down` : undefined;
    }
    if (worker.initialized < worker.instances) return `${who} is restarted`;
    const next = this.pending(worker).find((message) => {
      if (message.from.state === 'killed') return false;
      // What was on its way when the worker closed may have come too late.
      return state === 'up' || (message.from === node && message.outcome?.code === 'ok');
    });
    if (next !== undefined) return `${who} begins ${titleOf(next)}`;
    if (state === 'closing' && !worker.isShutDown) return `${who} is shut down`;
    return undefined;
  }

  #dueOfMessage(message: MessageState, inTime: boolean): string | undefined {
    const { receiver, at, from, outcome } = message;
    if (from.state === 'killed') return undefined;
    if (outcome === undefined) return this.#dueOutcome(message, inTime);
    const isKnown = at.state !== 'killed' && receiver !== undefined;
    if (isKnown && saysBegun(message) && !message.isBegun)
      return `it ended as ${shown(outcome)} and is seen to be begun`;
    if (isKnown && outcome.code === 'ABORTED' && receiver.hand === message && !message.isAborted && !message.isReplied)
      return 'its signal aborts';
    return undefined;
  }

  #dueOutcome(message: MessageState, inTime: boolean): string | undefined {
    const { receiver, at, isRequest, parent } = message;
    if (message.isGivenUp) return 'was given up';
    if (isTimed(message) && inTime) return 'times out';
    // Once it was answered, what its handler asked lives on by its own timeout.
    if (parent?.outcome?.code === 'ABORTED' && !parent.isReplied && !parent.isThrown) return 'was called off';
    if (receiver === undefined) return 'is for nobody';
    if (at.state === 'killed' || at.state === 'gone' || receiver.state === 'gone') return 'its worker is gone';
    if (isRequest && (message.isReplied || message.isThrown)) return 'was answered';
    if (!isRequest && message.isBegun) return 'was begun';
    if (receiver.state === 'closing' && receiver.since < message.since) return 'its worker is closing';
    if (receiver.drops && !message.isBegun) return 'its worker drops it';
    const hasRoom = !receiver.hasRemoteSenders && message.ahead < receiver.options.mailbox;
    if (!isRequest && receiver.state === 'up' && hasRoom && !isTimed(message)) return 'has room';
    if (!message.isBegun && receiver.state === 'up' && !receiver.hasRemoteSenders && !hasRoom) {
      // It was behind what has yet to be begun, and that has not become less.
      const isStillFull = this.pending(receiver).filter((other) => other.message < message.message).length;
      const refuses = receiver.options.overflow === 'reject' || receiver === message.speaker;
      if (refuses && !isRequest && isStillFull >= receiver.options.mailbox) return 'is refused';
    }
    return undefined;
  }

  /** Everything that had to come has come: throws when a promise was not kept. */
  settled(): void {
    for (const worker of this.workers) {
      if (worker.node.state === 'killed') continue;
      const taken = this.messages.filter((message) => {
        return message.receiver === worker && !message.isBegun && message.outcome?.code === 'ok';
      });
      const { mailbox } = worker.options;
      if (worker.state === 'up' && worker.hand !== undefined && taken.length > mailbox)
        broken(`a mailbox of ${mailbox} took ${taken.length} messages: ${taken.map(titleOf).join(', ')}`);
      const lost = taken.find(({ from }) => from === worker.node);
      if (worker.state === 'gone' && !worker.drops && lost !== undefined)
        broken(`${titleOf(lost)} is lost: its worker drained, and has not handled it`);
    }
    this.now += 1;
  }
}

function shown(outcome: Outcome | undefined): string {
  if (outcome === undefined) return 'nothing';
  const { code, text, stage, maybeExecuted } = outcome;
  const more = [stage, maybeExecuted === undefined ? undefined : `maybeExecuted: ${maybeExecuted}`, text];
  return `${code} (${more.filter((part) => part !== undefined).join(', ')})`;
}
