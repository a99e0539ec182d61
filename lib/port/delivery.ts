/**
 * How a `send` fares. A promise for each would cost more than the message: a `Delivery` becomes one only when somebody looks.
 * Silence of the port within the batch means that the message was taken.
 */
import { withoutLines } from '../failures.ts';
import { native } from '../native.ts';
import { put, routePending } from './outgoing.ts';
import { type Heading, sendFailure } from './requests.ts';
import { OUT } from './record.ts';
import { onAbort } from './signals.ts';

/** The sends between two flushes. */
interface Batch {
  done: boolean;
  /** Deliveries that somebody looks at. */
  watched: Delivery[];
}

const TAKEN = Promise.resolve();

let batch: Batch = { done: false, watched: [] };
let base = 0;
const sent: (Delivery | undefined)[] = [];
/** Deliveries that wait for room, by the number and generation of their wait. */
const waiting = new Map<number, { delivery: Delivery; forget: () => void }>();

/**
 * The port gives a number anew as soon as its wait is over, before this isolate has read how it ended: the two are told apart by the
 * generation, of which 20 bits fit beside the number.
 */
function keyOf(id: number, generation: number): number {
  return (generation & 0xf_ffff) * 2 ** 32 + id;
}

/** The outcome of one `send`: a promise in all that can be told from outside. */
export class Delivery implements Promise<void> {
  readonly #batch = batch;
  readonly #to: Heading | undefined;
  readonly #signal: AbortSignal | undefined;
  /** Why it failed, or how to say so. */
  #failure: unknown;
  #state: 'sent' | 'waiting' | 'taken' | 'failed' | 'untold' = 'sent';
  #promise: Promise<void> | undefined;
  #settle: { resolve: () => void; reject: (reason: unknown) => void } | undefined;
  readonly timeout: number;

  constructor(to: Heading | undefined, timeout: number, signal: AbortSignal | undefined) {
    this.#to = to;
    this.timeout = timeout;
    this.#signal = signal;
  }

  get [Symbol.toStringTag](): string {
    return 'Promise';
  }

  then<T = void, E = never>(
    taken?: ((value: void) => T | PromiseLike<T>) | null,
    failed?: ((reason: unknown) => E | PromiseLike<E>) | null,
  ): Promise<T | E> {
    return this.#look().then(taken, failed);
  }

  catch<E = never>(failed?: ((reason: unknown) => E | PromiseLike<E>) | null): Promise<void | E> {
    return this.#look().catch(failed);
  }

  finally(done?: (() => void) | null): Promise<void> {
    return this.#look().finally(done);
  }

  /** The message was not taken: it waits for room under this number. */
  wait(id: number, generation: number): void {
    this.#state = 'waiting';
    const signal = this.#signal;
    const key = keyOf(id, generation);
    const abort = () => {
      // The port may have let it in already, or failed it, and this isolate reads so in a moment: then that is how it ended.
      routePending();
      if (!native.isOpen(id, generation)) return;
      waiting.delete(key);
      put(OUT.CANCEL, id, generation, 0);
      this.fail(signal?.reason);
    };
    const isAborted = signal?.aborted === true;
    const forget = signal === undefined || isAborted ? () => {} : onAbort(signal, abort);
    waiting.set(key, { delivery: this, forget });
    if (isAborted) abort();
  }

  /** It found room. */
  take(): void {
    this.#state = 'taken';
    this.#settle?.resolve();
  }

  /** It was refused. */
  fail(reason: unknown): void {
    this.#state = 'failed';
    this.#failure = reason;
    this.#settle?.reject(reason);
  }

  /** It failed, as the port says. The error is made when somebody looks: of a flood that is refused, hardly anyone does. */
  failBy(code: number, link: number, stage: number, maybeDelivered: boolean): void {
    const about = this.#to as Heading;
    const tell = () => withoutLines(() => sendFailure(about, code, link, this.timeout, stage, maybeDelivered));
    if (this.#settle !== undefined) return this.fail(tell());
    this.#state = 'untold';
    this.#failure = tell;
  }

  /** Its batch was routed and the port had nothing to say of it. */
  settleWithBatch(): void {
    if (this.#state === 'sent') this.take();
  }

  #look(): Promise<void> {
    if (this.#promise !== undefined) return this.#promise;
    if (this.#state === 'untold') this.fail((this.#failure as () => Error)());
    if (this.#state === 'failed') this.#promise = Promise.reject(this.#failure);
    else if (this.#state === 'taken' || (this.#state === 'sent' && this.#batch.done)) return TAKEN;
    else {
      this.#promise = new Promise<void>((resolve, reject) => (this.#settle = { resolve, reject }));
      if (this.#state === 'sent') this.#batch.watched.push(this);
    }
    return this.#promise;
  }
}
// `instanceof Promise` holds; every method of a promise that would look inside of one is defined above.
Object.setPrototypeOf(Delivery.prototype, Promise.prototype);

/** Keeps a delivery until its batch has been routed. `number`: that of its record. */
export function expect(number: number, delivery: Delivery): void {
  sent[(number - base) >>> 0] = delivery;
}

/** The port says how a send of the batch fared: it waits. */
export function waits(number: number, id: number, generation: number): void {
  sent[(number - base) >>> 0]?.wait(id, generation);
}

/** The port says how a send of the batch fared: it was refused. */
export function refused(number: number, code: number, link: number, stage: number): void {
  sent[(number - base) >>> 0]?.failBy(code, link, stage, false);
}

/** The batch has been routed: what the port said nothing of was taken. `next`: the number of the next record. */
export function batchRouted(next: number): void {
  base = next;
  if (sent.length === 0) return;
  sent.length = 0;
  const routed = batch;
  batch = { done: false, watched: [] };
  routed.done = true;
  for (const delivery of routed.watched) delivery.settleWithBatch();
}

/** A send that waited found room. */
export function found(id: number, generation: number): void {
  end(id, generation)?.take();
}

/** A send that waited failed. */
export function unsent(
  id: number,
  generation: number,
  code: number,
  stage: number,
  maybe: boolean,
  link: number,
): void {
  end(id, generation)?.failBy(code, link, stage, maybe);
}

function end(id: number, generation: number): Delivery | undefined {
  const key = keyOf(id, generation);
  const entry = waiting.get(key);
  if (entry === undefined) return undefined;
  waiting.delete(key);
  entry.forget();
  return entry.delivery;
}

/** Sends that wait for room; a test sees that none is left behind. */
export function waitingSends(): number {
  return waiting.size;
}
