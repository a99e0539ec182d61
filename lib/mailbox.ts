/** A named mailbox without a behaviour. */
import type { Address } from './address.ts';
import type { Context } from './context.ts';
import { fromCode } from './failures.ts';
import type { Node } from './node.ts';
import { requestTimeout, type RequestOptions, type SendOptions } from './options.ts';
import { NO_LIMIT } from './duration.ts';
import { isOver, type Cell, type Handling } from './port/cell.ts';
import { send } from './port/send.ts';
import { onAbort } from './port/signals.ts';

/** A message that came to a mailbox. */
export interface Incoming {
  /** The text. */
  readonly message: string;
  /** Who sent it: `"node/worker"`. */
  readonly sender: Address;
  /** Answers the sender; see `Context.reply`. */
  reply(message: string): Promise<void>;
}

class Received implements Incoming {
  readonly message: string;
  readonly #context: Context;

  constructor(context: Context, message: string) {
    this.#context = context;
    this.message = message;
  }

  get sender(): Address {
    return this.#context.sender;
  }

  reply(message: string): Promise<void> {
    return this.#context.reply(message);
  }
}

/** One that was not received yet, and what the port knows it by. */
interface Held {
  readonly incoming: Incoming;
  readonly handling: Handling;
}

interface Waiting {
  take(incoming: Incoming): void;
  fail(reason: unknown): void;
}

/** Holds what is sent or replied to it until it is received. Made by `node.createMailbox`; every node has one, `node.mailbox`. */
export class Mailbox implements AsyncIterable<Incoming> {
  /** @internal */
  cell!: Cell;
  readonly #node: Node;
  readonly #lent: Held[] = [];
  readonly #waiting = new Set<Waiting>();
  #isClosed = false;
  /** Loops that are under way. */
  #loops = 0;
  #closing: Promise<void> | undefined;
  /** Its name, unique on its node. */
  readonly name: string;

  /** @internal */
  constructor(node: Node, name: string) {
    this.#node = node;
    this.name = name;
  }

  /** @internal */
  receive(handling: Handling, message: string): void;
  /**
   * The next message. Several callers are served in the order of their calls.
   *
   * @throws TimeoutError after `timeout` (default "30s"); NodeStoppedError when the node stops or the mailbox is closed.
   */
  receive(options?: RequestOptions): Promise<Incoming>;
  receive(first?: RequestOptions | Handling, message?: string): Promise<Incoming> | void {
    if (message !== undefined) return this.#deliver(first as Context, message);
    try {
      return this.#next(
        requestTimeout(first as RequestOptions | undefined),
        (first as RequestOptions | undefined)?.signal,
      );
    } catch (error) {
      return Promise.reject(error as Error);
    }
  }

  #deliver(handling: Context, message: string): void {
    const incoming = new Received(handling, message);
    for (const waiting of isOver(handling) ? [] : this.#waiting) {
      this.#waiting.delete(waiting);
      this.cell.acknowledge();
      waiting.take(incoming);
      return;
    }
    this.#lent.push({ incoming, handling });
  }

  /** @internal */
  withdraw(request: number, generation: number): boolean {
    const at = this.#lent.findIndex(
      ({ handling }) => handling.request === request && handling.generation === generation,
    );
    if (at === -1) return false;
    this.#lent.splice(at, 1);
    return true;
  }

  /** @internal */
  giveBack(): Handling[] {
    return this.#lent.splice(0).map(({ handling }) => handling);
  }

  #next(timeout: number, signal?: AbortSignal): Promise<Incoming> {
    if (signal?.aborted === true) return Promise.reject(signal.reason as Error);
    const at = this.#lent.findIndex(({ handling }) => !isOver(handling));
    const [ready] = at === -1 ? [] : this.#lent.splice(at, 1);
    if (ready !== undefined) {
      this.cell.acknowledge();
      return Promise.resolve(ready.incoming);
    }
    if (this.#isClosed) return Promise.reject(this.#closedError());
    return new Promise((resolve, reject) => {
      let timer: NodeJS.Timeout | undefined;
      let forget = () => {};
      const end = () => {
        this.#waiting.delete(waiting);
        clearTimeout(timer);
        forget();
      };
      const waiting: Waiting = {
        take: (incoming) => {
          end();
          resolve(incoming);
        },
        fail: (reason) => {
          end();
          reject(reason as Error);
        },
      };
      if (signal !== undefined) forget = onAbort(signal, () => waiting.fail(signal.reason));
      this.#waiting.add(waiting);
      // A timer only for those who wait with a limit: most messages are there already, or are iterated over.
      if (timeout < 2 ** 31) {
        const detail = `no message came to mailbox "${this.name}"`;
        timer = setTimeout(() => waiting.fail(fromCode('TIMEOUT', { waited: timeout, detail })), timeout);
      }
    });
  }

  #closedError(): Error {
    return fromCode('NODE_STOPPED', { node: this.#node.name, detail: `has closed its mailbox "${this.name}"` });
  }

  /** Sends with this mailbox as the sender, so that every reply comes back here. */
  send(to: Address, message: string, options?: SendOptions): Promise<void> {
    return send(this.cell, this.#node.book, to, message, options);
  }

  /** @internal What waits in it fails, and so does whoever waits at it. */
  ended(): void {
    this.#isClosed = true;
    for (const waiting of this.#waiting) waiting.fail(this.#closedError());
  }

  /** @internal Somebody takes out what comes, and will take out what is there. */
  get isReceived(): boolean {
    return this.#loops > 0 || this.#waiting.size > 0;
  }

  /** @internal */
  get isMain(): boolean {
    return this.#node.mailbox === this;
  }

  /**
   * Takes its name back. Messages that were not received are dead letters, requests among them fail with `WorkerStoppedError`.
   *
   * @throws NotPermittedError for the node's own mailbox, which closes when the node stops.
   */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#closing ??= this.#node.stopWorker(this.name, { timeout: 0 });
    await this.#closing;
  }

  /** Every message as it comes; ends when the mailbox is closed. Leaving the loop does not close the mailbox. */
  async *[Symbol.asyncIterator](): AsyncIterator<Incoming> {
    this.#loops += 1;
    try {
      while (!this.#isClosed || this.#lent.length > 0) {
        let next;
        try {
          next = await this.#next(NO_LIMIT);
        } catch (error) {
          if (this.#isClosed) return;
          throw error;
        }
        yield next;
      }
    } finally {
      this.#loops -= 1;
    }
  }

  /** {@link Mailbox.close}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
