/** What the reference knows of a zone: nodes, workers, messages and calls, as lists of plain records. */
import type { ActorOptions, Outcome, Said } from './agent.ts';

/** A node. */
export interface NodeState {
  name: string;
  /** In a process of its own, which can be killed. */
  isMortal: boolean;
  state: 'up' | 'leaving' | 'gone' | 'killed';
  /** The step after which everything was waited for last, when it began to go. */
  since: number;
}

/** One incarnation of a worker. */
export interface WorkerState {
  id: number;
  node: NodeState;
  name: string;
  /** Who started it: that node finds it at once. */
  starter: NodeState;
  options: ActorOptions;
  state: 'starting' | 'up' | 'closing' | 'gone' | 'never';
  since: number;
  /** How often something has asked for its end. */
  stops: number;
  /** Closing: what was not begun is not handled any more. */
  drops: boolean;
  /** Its handler may outlive it. */
  mayBeAbandoned: boolean;
  hand: MessageState | undefined;
  /** How many instances there should have been, and how many there were. */
  instances: number;
  initialized: number;
  isShutDown: boolean;
  failures: number;
  /** Somebody of another node has sent it something: places may be granted there. */
  hasRemoteSenders: boolean;
}

/** A message. */
export interface MessageState extends Said {
  from: NodeState;
  speaker: WorkerState | undefined;
  /** Whom it is for; undefined: nobody. */
  receiver: WorkerState | undefined;
  /** The node it is for. */
  at: NodeState;
  parent: MessageState | undefined;
  since: number;
  /** Its receiver was known by this very address before: what was sent by two addresses is in order only then. */
  isFound: boolean;
  /** How many messages may have been in front of it. */
  ahead: number;
  isBegun: boolean;
  isEnded: boolean;
  isAborted: boolean;
  isGivenUp: boolean;
  /** Its handler has been told how to end. */
  isFinished: boolean;
  isReplied: boolean;
  isThrown: boolean;
  outcome: Outcome | undefined;
}

/** Something that was asked of a node beside messages. */
export interface CallState {
  what: string;
  by: NodeState;
  /** Whether it may end so. */
  allows: (code: string) => boolean;
  /** Whether it has to have ended, when everything else has. */
  isDue: () => boolean;
  done: (outcome: Outcome) => void;
  outcome: Outcome | undefined;
}

/** A message by its number, for people. */
export function titleOf({ message, isRequest, from, speaker, to }: MessageState): string {
  return `${isRequest ? 'request' : 'send'} ${message} (${from.name}/${speaker?.name ?? 'main'} → ${to})`;
}

/** Whether somebody who had asked may have left by a deadline, its own or one above it. */
export function isTimed(message: MessageState): boolean {
  return message.timeout !== undefined || (message.parent !== undefined && isTimed(message.parent));
}

/** Whether what it is nested in may have been given up: by its asker, by time, with its worker or with a node. */
export function mayBeCalledOff({ parent }: MessageState): boolean {
  if (parent === undefined) return false;
  const isAnswered = parent.outcome?.code === 'reply' || parent.outcome?.code === 'ok';
  const isOver = parent.isGivenUp || isTimed(parent) || (parent.outcome !== undefined && !isAnswered);
  return isOver || parent.receiver?.drops === true || parent.from.state !== 'up' || mayBeCalledOff(parent);
}

/** Outcomes that say: it was not handled, and will not be. */
export function saysNotHandled({ isRequest, outcome }: MessageState): boolean {
  if (outcome === undefined) return false;
  const { code, stage, maybeExecuted } = outcome;
  if (['MAILBOX_FULL', 'NO_SUCH_WORKER', 'NODE_STOPPED'].includes(code)) return true;
  if (code === 'WORKER_STOPPED' || code === 'NODE_UNREACHABLE') return maybeExecuted === false;
  if (!isRequest) return code !== 'ok';
  return code === 'TIMEOUT' && stage === 'queued';
}

/** Outcomes that say: its handler has begun. */
export function saysBegun({ isRequest, outcome }: MessageState): boolean {
  if (outcome === undefined || !isRequest) return false;
  const { code, stage, maybeExecuted } = outcome;
  if (code === 'TIMEOUT') return stage === 'running' || stage === 'handled';
  return code === 'reply' || code === 'WORKER_FAILED' || (code === 'WORKER_STOPPED' && maybeExecuted === true);
}
