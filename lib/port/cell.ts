/**
 * One worker of this isolate: runs its handlers one at a time, on what the port lends it.
 *
 * Mailbox, order, bounds and life are the port's; a cell holds the behaviour and the few messages that are lent.
 */
import * as log from '../log.ts';
import { encodeCause, stackOf, thrownText } from '../failures.ts';
import { native } from '../native.ts';
import type { Worker } from '../worker.ts';
import { spend } from './budget.ts';
import { put, putKept, putText } from './outgoing.ts';
import { askerGone, isOpen } from './requests.ts';
import { ASYNC, FAILED_START, HANDLED, INBOUND, NIL, OUT, QUEUED, RUNNING } from './record.ts';
import { handleWatched, isWatched, tellOfFailure, tellOfStart, tellOfStop } from './watch.ts';

/** One message at its worker; a `Context` to the user. */
export interface Handling {
  readonly request: number;
  readonly generation: number;
  /** On the clock of `performance.now()`; `Infinity` when nobody waits. */
  readonly until: number;
  /** The trace that the message belongs to, or its handling: a `traceparent`. */
  trace?: string | undefined;
  abort(reason: unknown): void;
}

/** Makes what a handler gets for a message. `sender`: a cell of this isolate, or the number of a target. */
export type MakeHandling = (
  cell: Cell,
  request: number,
  generation: number,
  sender: Cell | number,
  senderGeneration: number,
  until: number,
) => Handling;

/** What a cell needs of whoever started it. */
export interface Behind {
  readonly make: MakeHandling;
  /** The same for a message that belongs to a trace. */
  readonly makeTraced: (...of: [...Parameters<MakeHandling>, traceparent: string]) => Handling;
  /** A fresh instance, for a restart. */
  readonly renew: (() => Worker) | undefined;
  /** Anything but `resume`: after a failure nothing is handled until the port has decided. */
  readonly holdsOnFailure: boolean;
}

/** A mailbox without a behaviour takes what it is lent, and holds it until somebody receives it. */
export interface Receiver {
  receive(handling: Handling, message: string): void;
  /** Takes a message out whose asker gave up; false: it was received before. */
  withdraw(request: number, generation: number): boolean;
  /** Takes out everything that was not received. */
  giveBack(): Handling[];
}

/** All cells of this isolate, by slot. */
export const cells: (Cell | undefined)[] = [];
/** Cells with messages done since the last flush. */
let dirty: Cell[] = [];
/** Cells whose budget ran out between two messages. */
let parked: Cell[] = [];
let wake: () => void = () => {};

/** Called once by the turn: how to ask for another one. */
export function connectCells(hook: () => void): void {
  wake = hook;
}

/** What nobody may wait for, for people: in the log, and for those who observe the node. */
export function reportFailure(cell: Cell, what: string, error: unknown): void {
  if (error === undefined) log.emitError('worker', `${what}: ${thrownText(error)}`, { worker: cell.name });
  else log.emitError('worker', what, { worker: cell.name, error });
  tellOfFailure(cell, what, error);
  if (!cell.isGone) native.noteFailure(cell.slot, cell.generation, thrownText(error), stackOf(error));
}

const stopping = () => new DOMException('the worker is being stopped and its time to drain is over', 'AbortError');

/** Whether the asker, in this isolate, has left already: the port may not have heard of it. */
function isGivenUp({ request, generation }: Handling): boolean {
  return (request & INBOUND) === 0 && !isOpen(request, generation);
}

/** Whether its deadline has passed: the clocks of port and isolate may differ by a millisecond, and the port says how it ends. */
function isExpired({ until }: Handling): boolean {
  return until !== Infinity && performance.now() > until + 1;
}

/** Whether nobody waits any more for what a mailbox was lent: the port takes it back in a moment. */
export function isOver(handling: Handling): boolean {
  return isExpired(handling) || isGivenUp(handling);
}

export class Cell {
  readonly slot: number;
  readonly generation: number;
  readonly name: string;
  readonly owner: object;
  readonly behind: Behind;
  behaviour: Worker | undefined;
  readonly receiver: Receiver | undefined;
  isGone = false;
  /** `initialize` has ended well, and `shutdown` has not begun. */
  isUp = false;
  /** The handling whose promise has not settled. */
  current: Handling | undefined = undefined;
  #hasStarted = false;
  #isPaused = true;
  #isAsync = false;
  #isParked = false;
  #done = 0;
  /** Lent and not begun: handling and message in turn. */
  #lent: (Handling | string)[] | undefined = undefined;
  #head = 0;
  /**
   * Handlings whose signal somebody holds, by their request: it aborts also after the handler has ended. Made when first needed, and
   * gone with the worker.
   */
  signalled: Map<number, Handling> | undefined = undefined;
  #settled: (() => void) | undefined = undefined;
  #rejected: ((reason: unknown) => void) | undefined = undefined;
  /** Called when the worker is gone. */
  onGone: ((wasAbandoned: boolean) => void) | undefined = undefined;

  constructor(
    slot: number,
    generation: number,
    name: string,
    owner: object,
    behind: Behind,
    behaviour: Worker | undefined,
    receiver: Receiver | undefined,
  ) {
    this.slot = slot;
    this.generation = generation;
    this.name = name;
    this.owner = owner;
    this.behind = behind;
    this.behaviour = behaviour;
    this.receiver = receiver;
    // The port frees a slot before this isolate has read that its worker is gone.
    cells[slot]?.end(false);
    cells[slot] = this;
  }

  /** A message was lent. `isLate`: its deadline has passed since, and the port says how it ends. */
  deliver(handling: Handling, message: string, isLate: boolean): void {
    if (this.receiver !== undefined) this.receiver.receive(handling, message);
    else if (isLate || this.current !== undefined || this.#isPaused || this.#lent !== undefined) {
      (this.#lent ??= []).push(handling, message);
      if (isLate) this.#park();
    } else if (isGivenUp(handling)) this.acknowledge();
    else this.#handle(handling, message);
  }

  #handle(handling: Handling, message: string): void {
    let isPending: boolean;
    log.here.worker = this.name;
    try {
      const result: unknown = isWatched
        ? handleWatched(this, handling, message)
        : (this.behaviour as Worker).handleMessage(handling as never, message);
      isPending = result !== undefined && typeof (result as PromiseLike<unknown> | null)?.then === 'function';
      if (isPending) this.#await(handling, result);
    } catch (thrown) {
      log.here.worker = undefined;
      this.current = undefined;
      this.#fail(handling, thrown);
      return;
    }
    log.here.worker = undefined;
    if (!isPending) this.acknowledge();
  }

  #await(handling: Handling, result: unknown): void {
    this.current = handling;
    this.#isAsync = true;
    // A promise as it is; of anything else with a `then`, one that settles once, whatever that does.
    Promise.resolve(result).then(
      (this.#settled ??= () => {
        this.current = undefined;
        if (this.isGone) return;
        this.acknowledge();
        this.drain();
      }),
      (this.#rejected ??= (thrown) => {
        const failed = this.current as Handling;
        this.current = undefined;
        this.#fail(failed, thrown);
        this.drain();
      }),
    );
  }

  /** Nobody waits for this one any more. */
  answered(handling: Handling): void {
    if (this.signalled?.get(handling.request) === handling) this.signalled.delete(handling.request);
  }

  /** A message is done with. */
  acknowledge(): void {
    if (this.#done++ === 0) dirty.push(this);
    wake();
  }

  #fail(handling: Handling, thrown: unknown): void {
    const { request, generation } = handling;
    reportFailure(this, `worker ${this.name} failed to handle a message`, thrown);
    if (this.isGone) return;
    this.answered(handling);
    if (this.behind.holdsOnFailure) this.#isPaused = true;
    if (request === NIL) put(OUT.FAILED, this.slot, this.generation, NIL);
    else if ((request & INBOUND) === 0) {
      putKept(OUT.FAILED, this.slot, this.generation, request, { thrown }, generation, NIL, 0);
    } else putText(OUT.FAILED, this.slot, this.generation, request, encodeCause(thrown), generation, NIL, 0);
  }

  /** Handles what is lent, one at a time, within the turn's budget. */
  drain(): void {
    while (this.#lent !== undefined && this.current === undefined && !this.#isPaused) {
      const handling = this.#lent[this.#head] as Handling;
      if (spend() || isExpired(handling)) {
        this.#park();
        return;
      }
      const message = this.#lent[this.#head + 1] as string;
      this.#shift();
      if (isGivenUp(handling)) this.acknowledge();
      else this.#handle(handling, message);
    }
  }

  #shift(): void {
    const lent = this.#lent as (Handling | string)[];
    lent[this.#head] = lent[this.#head + 1] = '';
    this.#head += 2;
    if (this.#head === lent.length) {
      this.#lent = undefined;
      this.#head = 0;
    }
  }

  #park(): void {
    if (this.#isParked) return;
    this.#isParked = true;
    parked.push(this);
    wake();
  }

  /** Goes on where the budget ran out. */
  unpark(): void {
    this.#isParked = false;
    if (!this.isGone) this.drain();
  }

  /** The asker of a lent message gave up. Returns how far the message had come. */
  cancelLent(request: number, generation: number): number {
    if (this.receiver?.withdraw(request, generation) === true) {
      this.acknowledge();
      return QUEUED;
    }
    const { current } = this;
    if (current !== undefined && current.request === request && current.generation === generation) {
      current.abort(askerGone());
      return RUNNING;
    }
    for (let at = this.#head; this.#lent !== undefined && at < this.#lent.length; at += 2) {
      const handling = this.#lent[at] as Handling;
      if (handling.request !== request || handling.generation !== generation) continue;
      this.#lent.splice(at, 2);
      if (this.#lent.length === this.#head) {
        this.#lent = undefined;
        this.#head = 0;
      }
      this.acknowledge();
      return QUEUED;
    }
    return HANDLED;
  }

  /** Says how many messages were done since the last flush. */
  flush(): void {
    const done = this.#done;
    this.#done = 0;
    if (!this.isGone) put(this.#isAsync ? OUT.ACK | ASYNC : OUT.ACK, this.slot, this.generation, done);
  }

  /** `initialize`, or a restart, is over. */
  ready(isGood: boolean): void {
    this.isUp = isGood;
    if (isGood && !this.#hasStarted && this.behaviour !== undefined) {
      this.#hasStarted = true;
      tellOfStart(this);
    }
    put(isGood ? OUT.READY : OUT.READY | FAILED_START, this.slot, this.generation, 0);
    if (isGood) this.resume();
  }

  /** Messages are handled from here on. */
  resume(): void {
    this.#isPaused = false;
    this.drain();
  }

  /** The drain time is over: what was not begun goes back, what runs is told. */
  abort(): void {
    const lent = this.#lent;
    this.#lent = undefined;
    for (let at = this.#head; lent !== undefined && at < lent.length; at += 2) this.#refuse(lent[at] as Handling);
    this.#head = 0;
    for (const handling of this.receiver?.giveBack() ?? []) this.#refuse(handling);
    this.current?.abort(stopping());
    const { signalled } = this;
    this.signalled = undefined;
    for (const handling of signalled?.values() ?? []) handling.abort(stopping());
  }

  #refuse({ request, generation }: Handling): void {
    put(OUT.REFUSED, this.slot, this.generation, request, generation);
  }

  /** The worker is gone. */
  end(wasAbandoned: boolean): void {
    this.isGone = true;
    if (wasAbandoned && this.current !== undefined) {
      const what = `worker ${this.name} was abandoned: what it was doing when it was stopped has not ended in time`;
      log.emitWarn('worker', what, { worker: this.name });
    }
    if (cells[this.slot] === this) cells[this.slot] = undefined;
    // Whoever has used its address still knows the cell: the state of a user's worker is not kept with it.
    this.behaviour = undefined;
    this.signalled = undefined;
    if (this.#hasStarted) tellOfStop(this, wasAbandoned);
    this.onGone?.(wasAbandoned);
  }
}

/** The asker of a message that was lent to a slot gave up. Returns how far it had come. */
export function cancel(slot: number, request: number, generation: number): number {
  const cell = cells[slot];
  if (cell === undefined) return HANDLED;
  const held = cell.signalled?.get(request);
  if (held?.generation === generation) {
    cell.answered(held);
    held.abort(askerGone());
  }
  return cell.cancelLent(request, generation);
}

/** Acknowledges what was done since the last flush. */
export function acknowledgeAll(): void {
  if (dirty.length === 0) return;
  const cellsDone = dirty;
  dirty = [];
  for (const cell of cellsDone) cell.flush();
}

/** Lets cells go on whose budget ran out. */
export function unparkAll(): void {
  if (parked.length === 0) return;
  const waiting = parked;
  parked = [];
  for (const cell of waiting) cell.unpark();
}

export function hasParked(): boolean {
  return parked.length > 0;
}
