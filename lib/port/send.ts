/** Sending from a worker of this isolate: what is checked, where it goes, and what its caller gets. */
import { checkAddress, splitAddress } from '../address.ts';
import { MessageTooLargeError } from '../errors.ts';
import { fromCode, NO_SUCH_NODE } from '../failures.ts';
import { native } from '../native.ts';
import { requestTimeout, type RequestOptions, type SendOptions } from '../options.ts';
import { type Cell, cells } from './cell.ts';
import { Delivery, expect } from './delivery.ts';
import { refusal } from './message.ts';
import { incoming, nextNumber, put as record, putKept, putParent, putText, putTrace, sizeBits } from './outgoing.ts';
import { NIL, NO_WAIT, OUT, TO_TARGET } from './record.ts';
import { abortWith, generationOf, type Heading, open, type Parent } from './requests.ts';
import { type Body, carried, isTraced, Traced, withSpan } from './trace.ts';
import { lookForWatchers, sends, tellOfSend } from './watch.ts';

/** Where an address leads, as far as it is known here. */
class Destination implements Heading {
  readonly #book: AddressBook;
  readonly #to: string;
  #cell: Cell | undefined = undefined;
  about = '';
  /** The number of the address in the port, and its generation (0: it has none yet). */
  target = 0;
  generation = 0;

  constructor(book: AddressBook, to: string, cell: Cell | undefined) {
    this.#book = book;
    this.#to = to;
    this.cell = cell;
  }

  /** A worker of this isolate. */
  get cell(): Cell | undefined {
    return this.#cell;
  }

  set cell(cell: Cell | undefined) {
    this.#cell = cell;
    const isHere = (cell !== undefined || !this.#book.hasZone) && !this.#to.includes('/');
    this.about = isHere ? `${this.#book.name}/${this.#to}` : this.#to;
  }

  unreachable(): string | undefined {
    const { node } = splitAddress(this.#to);
    return node === undefined ? undefined : this.#book.unreachable(node);
  }
}

/** Addresses that a node remembers; beyond it all are forgotten and looked up again. */
const REMEMBERED = 65_536;

/** The addresses that one node's workers have used. */
export class AddressBook {
  readonly #node: number;
  readonly #name: string;
  /** Whether there may be other nodes. */
  readonly hasZone: boolean;
  readonly #known = new Map<string, Destination>();
  /** The node takes nothing more. */
  isClosed = false;

  constructor(node: number, name: string, hasZone: boolean) {
    this.#node = node;
    this.#name = name;
    this.hasZone = hasZone;
  }

  /** The node's name. */
  get name(): string {
    return this.#name;
  }

  find(to: string): Destination {
    const known = this.#known.get(to);
    if (known !== undefined) {
      if (known.cell?.isGone === true) known.cell = this.#local(to);
      return known;
    }
    checkAddress(to, 'to');
    const destination = new Destination(this, to, this.#local(to));
    if (this.#known.size >= REMEMBERED) this.#forget();
    this.#known.set(to, destination);
    return destination;
  }

  /** Why another node can't be reached, where that is known. */
  unreachable(node: string): string | undefined {
    if (!this.hasZone) return `node "${this.#name}" has no zone (option zone: false), so it reaches no other`;
    const isThere = this.isClosed || native.members(this.#node).some(({ name }) => name === node);
    return isThere ? undefined : NO_SUCH_NODE;
  }

  /** The number by which the port knows an address. */
  target(to: string, destination: Destination): Destination {
    if (destination.generation === 0) {
      destination.target = native.target(this.#node, to);
      destination.generation = incoming[4] as number;
    }
    return destination;
  }

  /** A worker started here: its name leads to it from now on. */
  started(cell: Cell): void {
    for (const address of [cell.name, `${this.#name}/${cell.name}`]) {
      const known = this.#known.get(address);
      if (known !== undefined) known.cell = cell;
    }
  }

  #local(to: string): Cell | undefined {
    const { node, worker } = splitAddress(to);
    if (node !== undefined && node !== this.#name) return undefined;
    const slot = native.lookUp(this.#node, worker);
    return slot < 0 ? undefined : cells[slot];
  }

  #forget(): void {
    for (const { target, generation } of this.#known.values()) {
      if (generation !== 0) native.releaseTarget(target, generation);
    }
    this.#known.clear();
  }
}

/** Hands a message over. Never throws: bad input is a rejection like all others. */
export function send(from: Cell, book: AddressBook, to: string, message: string, options?: SendOptions): Promise<void> {
  if (isTraced) return sendTraced(from, book, to, message, options);
  let timeout;
  let destination;
  try {
    timeout = requestTimeout(options);
    destination = book.find(to);
  } catch (error) {
    return refused(error, REFUSED.invalid, from);
  }
  const refusedBy = refusal(message, to);
  if (refusedBy !== undefined) return refused(refusedBy, reasonOf(refusedBy), from, to);
  const stoppedBy = stopped(from, book);
  if (stoppedBy !== undefined) return refused(stoppedBy, REFUSED.stopped, from, to);
  const signal = options?.signal;
  if (signal?.aborted === true) return refused(signal.reason, REFUSED.givenUp, from, to);
  const body = carried === undefined ? message : tracedBody(carried, book, to, destination, message);
  const delivery = new Delivery(destination, timeout, signal);
  expect(nextNumber(), delivery);
  put(from, book, to, destination, body, timeout, NIL, 0);
  return delivery;
}

/** Apart: what a closure takes along is allocated by every call of the function around it. */
function sendTraced(
  from: Cell,
  book: AddressBook,
  to: string,
  message: string,
  options: SendOptions | undefined,
): Promise<void> {
  return withSpan('send', from, to, () => send(from, book, to, message, options));
}

/** Reasons of dead letters that the port does not see; `crates/node/src/port/dead_letter.rs` has them all. */
const REFUSED = { givenUp: 3, stopped: 5, tooLarge: 6, invalid: 8 } as const;

function reasonOf(refusedBy: Error): number {
  return refusedBy instanceof MessageTooLargeError ? REFUSED.tooLarge : REFUSED.invalid;
}

/** A rejection that nobody has to catch; so it is counted and logged. `to`: the address, where it is one. */
export function refused(reason: unknown, why: number = REFUSED.invalid, from?: Cell, to?: string): Promise<void> {
  lookForWatchers();
  native.countRefused(why, from?.slot ?? NIL, from?.generation ?? 0, to);
  const delivery = new Delivery(undefined, 0, undefined);
  delivery.fail(reason);
  return delivery;
}

function stopped(from: Cell, book: AddressBook): Error | undefined {
  return book.isClosed || from.isGone ? stoppedError(from, book) : undefined;
}

function stoppedError(from: Cell, book: AddressBook): Error {
  if (book.isClosed) return fromCode('NODE_STOPPED', { node: book.name });
  const detail = 'it can send nothing more';
  return fromCode('WORKER_STOPPED', { worker: from.name, node: book.name, detail, maybeExecuted: false });
}

/** Sends and waits for the first reply. `parent`: the message in whose handler this is asked. */
export function request(
  from: Cell,
  book: AddressBook,
  to: string,
  message: string,
  options: RequestOptions | undefined,
  parent: Parent | undefined,
): Promise<string> {
  if (isTraced) return requestTraced(from, book, to, message, options, parent);
  let timeout: number;
  let destination: Destination;
  try {
    timeout = requestTimeout(options);
    destination = book.find(to);
  } catch (error) {
    return Promise.reject(error as Error);
  }
  const refusedBy = refusal(message, to) ?? stopped(from, book);
  if (refusedBy !== undefined) return Promise.reject(refusedBy);
  const signal = options?.signal;
  if (signal?.aborted === true) return Promise.reject(signal.reason as Error);
  try {
    const body = carried === undefined ? message : tracedBody(carried, book, to, destination, message);
    const promise = new Promise<string>(keepResolve);
    const id = open(resolvePromise, destination, timeout, parent);
    if (parent !== undefined) putParent(parent.request, parent.generation);
    put(from, book, to, destination, body, timeout, id, generationOf(id));
    if (signal !== undefined) abortWith(id, signal);
    return promise;
  } catch (error) {
    return Promise.reject(error as Error);
  }
}

function requestTraced(
  from: Cell,
  book: AddressBook,
  to: string,
  message: string,
  options: RequestOptions | undefined,
  parent: Parent | undefined,
): Promise<string> {
  return withSpan('request', from, to, () => request(from, book, to, message, options, parent));
}

let resolvePromise: (outcome: unknown) => void;

/** What every promise of a request is made with: a closure for each would hold on to all that `request` knows. */
function keepResolve(resolve: (outcome: never) => void): void {
  resolvePromise = resolve as (outcome: unknown) => void;
}

/** What stands for a message of a trace: a body that has it, or the text behind a record of it where the message leaves this isolate. */
function tracedBody(
  traceparent: string,
  book: AddressBook,
  to: string,
  destination: Destination,
  message: string,
): Body {
  if (destination.cell !== undefined) return new Traced(message, traceparent);
  // What may fail of the message has to before: the next one is another's.
  book.target(to, destination);
  putTrace(traceparent);
  return message;
}

/** Small, and all that is rare apart: V8 makes one piece of code of it and its caller, up to a size that the two are near. */
function put(
  from: Cell,
  book: AddressBook,
  to: string,
  destination: Destination,
  body: Body,
  timeout: number,
  id: number,
  generation: number,
): void {
  const { cell } = destination;
  if (cell === undefined) putAway(from, book, to, destination, body, timeout, id, generation);
  else putKept(OUT.MESSAGE | sizeBits(body), cell.slot, cell.generation, from.slot, body, timeout, id, generation);
  if (sends.hasSubscribers) tellOfSend(from, book, to, id);
}

/** A message that leaves this isolate. */
function putAway(
  from: Cell,
  book: AddressBook,
  to: string,
  destination: Destination,
  body: Body,
  timeout: number,
  id: number,
  generation: number,
): void {
  const { target, generation: targetGeneration } = book.target(to, destination);
  putText(OUT.MESSAGE | TO_TARGET, target, targetGeneration, from.slot, body as string, timeout, id, generation);
}

/** Answers a message that came without a request: a message to whoever sent it, if that has room. */
export function replyTo(from: Cell, sender: Cell | number, senderGeneration: number, message: string): void {
  if (from.isGone) {
    // Its slot may be another worker's by now. The answer to no request is a dead letter, and counted as one.
    record(OUT.REPLY, 0, 0, NIL);
  } else if (typeof sender === 'number') {
    if (carried !== undefined) putTrace(carried);
    putText(OUT.MESSAGE | TO_TARGET | NO_WAIT, sender, senderGeneration, from.slot, message, 0, NIL, 0);
  } else {
    const body = carried === undefined ? message : new Traced(message, carried);
    putKept(OUT.MESSAGE | NO_WAIT | sizeBits(body), sender.slot, sender.generation, from.slot, body, 0, NIL, 0);
  }
}
