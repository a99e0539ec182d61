/** Does in one process what a random program says, and tells everything that can be seen of it, in the order in which it happens. */
import {
  Node,
  Zone,
  type Context,
  type NodeHandle,
  type NodeUnreachableError,
  type TimeoutError,
  type WorkerInfo,
} from 'troupe';
import { Actor, STAGE, type Stage } from './actor.ts';

/** How a handler ends. */
export type Ending = 'replies' | 'replies twice' | 'is silent' | 'throws';

/** What an agent is told. Workers, messages and calls are known by their numbers. */
export type Command =
  | { do: 'join'; call: number; node: string; home: string }
  | { do: 'leave'; call: number; node: string; drains: boolean }
  /** Until a node has seen that another one is gone. */
  | { do: 'see off'; call: number; node: string; gone: string }
  /** Until what somebody asked has come to a worker of this node: it takes nothing more. */
  | { do: 'see close'; call: number; node: string; name: string }
  | { do: 'start'; call: number; node: string; on: string; name: string; worker: number; options: ActorOptions }
  | { do: 'stop'; call: number; node: string; on: string; name: string; drains: boolean }
  | ({ do: 'say'; node: string; worker: number | undefined } & Said)
  | { do: 'give up'; message: number }
  | { do: 'finish'; worker: number; ending: Ending }
  | { do: 'reply later'; message: number };

/** A message, and how it is sent. */
export interface Said {
  message: number;
  to: string;
  isRequest: boolean;
  /** Answered at once, without a word of the program. */
  isQuick: boolean;
  /** Milliseconds; undefined: no limit. */
  timeout: number | undefined;
  size: number;
}

/** Options of a worker. */
export interface ActorOptions {
  mailbox: number;
  overflow: 'wait' | 'reject';
  onFailure: 'resume' | 'restart' | 'stop';
  maxRestarts: number;
}

/** How a call ended: `ok`, `reply`, or a code; `ABORTED` with the reason it was given, `PARENT` with what it is nested in. */
export interface Outcome {
  code: string;
  text?: string;
  stage?: string;
  maybeExecuted?: boolean;
}

/** What an agent tells. */
export type Seen =
  | ({ seen: 'outcome'; message: number } & Outcome)
  | ({ seen: 'called'; call: number } & Outcome)
  | { seen: 'begun'; worker: number; instance: number; message: number; isWhole: boolean; sender: string }
  | { seen: 'ended'; worker: number; message: number }
  | { seen: 'aborted'; message: number }
  | { seen: 'initialized'; worker: number; instance: number }
  | { seen: 'shut down'; worker: number; instance: number };

/** The text of a message. */
export function textOf({ message, isRequest, isQuick, size }: Said): string {
  return `${message} ${isRequest ? 'asked' : 'told'} ${isQuick ? 'quick' : 'gated'} ${size} ${'x'.repeat(size)}`;
}

/** The reply to a message; `number`: the first one or the second. */
export function replyOf(message: number, number: number): string {
  return `reply ${number} to ${message}`;
}

/** What a handler throws. */
export function failureOf(message: number): string {
  return `${message} failed`;
}

const GIVEN_UP = new Error('the program gave it up');

interface Handling {
  message: number;
  context: Context;
  finish: (ending: Ending) => void;
}

/** One process of a random program. */
export class Agent implements Stage {
  readonly #tell: (seen: Seen) => void;
  readonly #nodes = new Map<string, Node>();
  readonly #hands = new Map<number, Handling>();
  readonly #contexts = new Map<number, Context>();
  readonly #controllers = new Map<number, AbortController>();
  readonly #instances = new Map<number, number>();

  constructor(tell: (seen: Seen) => void) {
    this.#tell = tell;
    (globalThis as unknown as Record<string, Stage>)[STAGE] = this;
  }

  /** Does what it is told. Never fails: how it went is told. */
  perform(command: Command): void {
    switch (command.do) {
      case 'join':
      case 'leave':
      case 'see off':
      case 'see close':
      case 'start':
      case 'stop':
        void ending(this.#call(command)).then((outcome) => {
          this.#tell({ seen: 'called', call: command.call, ...outcome });
        });
        break;
      case 'say':
        this.#say(command.node, command.worker, command);
        break;
      case 'give up':
        this.#controllers.get(command.message)?.abort(GIVEN_UP);
        break;
      case 'finish':
        this.#hands.get(command.worker)?.finish(command.ending);
        break;
      case 'reply later':
        void this.#contexts.get(command.message)?.reply(replyOf(command.message, 1));
        break;
    }
  }

  /** Ends every node of the process, and forgets all. */
  async reset(): Promise<void> {
    await Promise.all([...this.#nodes.values()].map((node) => node.stop({ timeout: 0 })));
    for (const map of [this.#nodes, this.#hands, this.#contexts, this.#controllers, this.#instances]) map.clear();
  }

  async #call(command: Extract<Command, { call: number }>): Promise<void> {
    if (command.do === 'join') {
      process.env['TROUPE_HOME'] = command.home;
      this.#nodes.set(command.node, await Node.create({ name: command.node }));
      return;
    }
    const node = this.#node(command.node);
    if (command.do === 'leave') return node.stop({ timeout: command.drains ? Infinity : 0 });
    if (command.do === 'see off') {
      const isThere = async () => (await Zone.nodes(node)).some(({ name }) => name === command.gone);
      while (await isThere()) await new Promise(setImmediate);
      return;
    }
    if (command.do === 'see close') {
      const isOpen = ({ name, state }: WorkerInfo) => name === command.name && state !== 'stopping';
      while ((await node.listWorkers({ prefix: command.name })).some(isOpen)) await new Promise(setImmediate);
      return;
    }
    const handle: NodeHandle = command.on === command.node ? node : await Zone.node(node, command.on);
    if (command.do === 'start')
      return handle.startWorker(command.name, Actor, { args: [command.worker], ...command.options });
    return handle.stopWorker(command.name, { timeout: command.drains ? Infinity : 0 });
  }

  #node(name: string): Node {
    const node = this.#nodes.get(name);
    if (node === undefined) throw new Error(`no node ${name} is here`);
    return node;
  }

  #say(from: string, worker: number | undefined, said: Said): void {
    const controller = new AbortController();
    this.#controllers.set(said.message, controller);
    const options = { timeout: said.timeout ?? Infinity, signal: controller.signal };
    // The program has a worker speak only while it holds a message; by now its node may have ended.
    const speaker = worker === undefined ? this.#node(from) : this.#hands.get(worker)?.context;
    if (speaker === undefined) return;
    const text = textOf(said);
    const call = said.isRequest ? speaker.sendAndReceive(said.to, text, options) : speaker.send(said.to, text, options);
    void ending(call).then((outcome) => {
      this.#tell({ seen: 'outcome', message: said.message, ...outcome });
    });
  }

  made(worker: number): number {
    const instance = (this.#instances.get(worker) ?? 0) + 1;
    this.#instances.set(worker, instance);
    return instance;
  }

  initialized(worker: number, instance: number): void {
    this.#tell({ seen: 'initialized', worker, instance });
  }

  ended(worker: number, instance: number): void {
    this.#tell({ seen: 'shut down', worker, instance });
  }

  async handle(worker: number, instance: number, context: Context, text: string): Promise<void> {
    const [number, kind, pace, size, rest] = text.split(' ');
    const message = Number(number);
    const isWhole = rest?.length === Number(size);
    this.#tell({ seen: 'begun', worker, instance, message, isWhole, sender: context.sender });
    this.#contexts.set(message, context);
    const aborted = () => {
      this.#tell({ seen: 'aborted', message });
    };
    if (context.signal.aborted) aborted();
    else context.signal.addEventListener('abort', aborted, { once: true });
    const how = await new Promise<Ending>((finish) => {
      this.#hands.set(worker, { message, context, finish });
      if (pace === 'quick') setImmediate(finish, 'replies');
    });
    // An abandoned one may end when another instance, or worker, has a message in hand.
    if (this.#hands.get(worker)?.message === message) this.#hands.delete(worker);
    // The answer to what was sent would be one more message, in a mailbox that may be full.
    const replies = kind === 'asked' ? { replies: 1, 'replies twice': 2, 'is silent': 0, throws: 0 }[how] : 0;
    for (let number = 1; number <= replies; number++) await context.reply(replyOf(message, number));
    this.#tell({ seen: 'ended', worker, message });
    if (how === 'throws') throw new Error(failureOf(message));
  }
}

/** How a call ends. */
async function ending(call: Promise<unknown>): Promise<Outcome> {
  try {
    const reply = await call;
    return typeof reply === 'string' ? { code: 'reply', text: reply } : { code: 'ok' };
  } catch (error) {
    if (error === GIVEN_UP) return { code: 'ABORTED' };
    const { code, name, message, cause, stage, maybeExecuted } = error as TimeoutError & NodeUnreachableError;
    if (name === 'AbortError') return { code: 'PARENT' };
    return {
      code: String(code ?? name),
      text: code === 'WORKER_FAILED' ? String((cause as Error | undefined)?.message) : message,
      ...(stage === undefined ? {} : { stage }),
      ...(maybeExecuted === undefined ? {} : { maybeExecuted }),
    };
  }
}
