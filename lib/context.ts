/** What a worker may do while it handles a message. */
import type { Address } from './address.ts';
import { native } from './native.ts';
import type { Node } from './node.ts';
import type { RequestOptions, SendOptions, StopOptions } from './options.ts';
import type { Cell, Handling } from './port/cell.ts';
import { refusal } from './port/message.ts';
import { putKept, putText } from './port/outgoing.ts';
import { INBOUND, NIL, OUT } from './port/record.ts';
import { replyTo, request, send } from './port/send.ts';
import { carrying } from './port/trace.ts';
import type { NodeHandle } from './node-handle.ts';

const DONE = Promise.resolve();

/** What a worker may do while it handles a message. */
export class Context {
  readonly #cell: Cell;
  readonly #sender: Cell | number;
  readonly #senderGeneration: number;
  #controller: AbortController | undefined = undefined;
  #reason: unknown = undefined;
  /** @internal */
  readonly request: number;
  /** @internal */
  readonly generation: number;
  /** @internal */
  readonly until: number;

  /** @internal */
  constructor(
    cell: Cell,
    id: number,
    generation: number,
    sender: Cell | number,
    senderGeneration: number,
    until: number,
  ) {
    this.#cell = cell;
    this.request = id;
    this.generation = generation;
    this.#sender = sender;
    this.#senderGeneration = senderGeneration;
    this.until = until;
  }

  /** This worker's own name. */
  get worker(): string {
    return this.#cell.name;
  }

  /** The node this worker runs on. */
  get node(): Node {
    return this.#cell.owner as Node;
  }

  /** Who sent the message: `"node/worker"`. Empty in `initialize` and `shutdown`, and when the sender has gone meanwhile. */
  get sender(): Address {
    const sender = this.#sender;
    if (typeof sender !== 'number') return `${(sender.owner as Node).name}/${sender.name}`;
    return sender === NIL ? '' : (native.addressOf(sender, this.#senderGeneration) ?? '');
  }

  /** Aborts when the asker gave up (deadline or its own signal), or when the drain time of a stop is over. Made when first read. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#reason !== undefined) this.#controller.abort(this.#reason);
      else if (this.request !== NIL) (this.#cell.signalled ??= new Map<number, Handling>()).set(this.request, this);
    }
    return this.#controller.signal;
  }

  /** Milliseconds that the asker still waits; `Infinity` for a message nobody waits on. */
  get remaining(): number {
    return this.until === Infinity ? Infinity : Math.max(0, this.until - performance.now());
  }

  /** @internal */
  abort(reason: unknown): void {
    this.#reason ??= reason;
    this.#controller?.abort(reason);
  }

  /**
   * Answers the sender: 0 to many times for one message, also after the handler returned. To a request, the first one is the
   * answer, further ones are dead letters; to a mailbox or a worker that used `send`, each is a message. Never rejects
   * because the asker is gone.
   */
  reply(message: string): Promise<void> {
    const refused = refusal(message, 'the sender');
    if (refused !== undefined) return Promise.reject(refused);
    const id = this.request;
    if (id === NIL) replyTo(this.#cell, this.#sender, this.#senderGeneration, message);
    else {
      this.#cell.answered(this);
      if ((id & INBOUND) === 0) putKept(OUT.REPLY, id, this.generation, this.#cell.slot, message, 0, NIL, 0);
      else putText(OUT.REPLY, id, this.generation, this.#cell.slot, message, 0, NIL, 0);
    }
    return DONE;
  }

  /** As on `Node`, with this worker as the sender. */
  send(to: Address, message: string, options?: SendOptions): Promise<void> {
    return send(this.#cell, this.node.book, to, message, options);
  }

  /**
   * As on `Node`, with this worker as the sender. Waits for the smaller of its own timeout ("30s" by default) and what remains
   * of this message's deadline (then `TimeoutError`), and is given up when this message's asker gives up (then it rejects with
   * `context.signal.reason`). (`context.node.*` inherits nothing.)
   */
  sendAndReceive(to: Address, message: string, options?: RequestOptions): Promise<string> {
    if (this.#reason !== undefined) return Promise.reject(this.#reason as Error);
    return request(this.#cell, this.node.book, to, message, options, this.request === NIL ? undefined : this);
  }

  /** As on `Node`. */
  get startWorker(): NodeHandle['startWorker'] {
    const { node } = this;
    return node.startWorker.bind(node);
  }

  /** As on `Node`. */
  stopWorker(name: string, options?: StopOptions): Promise<void> {
    return this.node.stopWorker(name, options);
  }
}

/** One whose message belongs to a trace: what is sent through it belongs to that as well. */
class TracedContext extends Context {
  #trace: string | undefined = undefined;

  /** @internal */
  get trace(): string | undefined {
    return this.#trace;
  }

  /** @internal */
  set trace(traceparent: string | undefined) {
    this.#trace = traceparent;
  }

  override reply(message: string): Promise<void> {
    return carrying(this.#trace, () => super.reply(message));
  }

  override send(to: Address, message: string, options?: SendOptions): Promise<void> {
    return carrying(this.#trace, () => super.send(to, message, options));
  }

  override sendAndReceive(to: Address, message: string, options?: RequestOptions): Promise<string> {
    return carrying(this.#trace, () => super.sendAndReceive(to, message, options));
  }
}

/** Makes what a handler gets. */
export function makeContext(
  cell: Cell,
  id: number,
  generation: number,
  sender: Cell | number,
  senderGeneration: number,
  until: number,
): Context {
  return new Context(cell, id, generation, sender, senderGeneration, until);
}

/** The same for a message that belongs to a trace. */
export function makeTracedContext(
  cell: Cell,
  id: number,
  generation: number,
  sender: Cell | number,
  senderGeneration: number,
  until: number,
  traceparent: string,
): Context {
  const context = new TracedContext(cell, id, generation, sender, senderGeneration, until);
  context.trace = traceparent;
  return context;
}
