/** The life of a worker of this isolate: its start, restart and end, as the port orders them. */
import { fromCode, thrownText } from '../failures.ts';
import { native } from '../native.ts';
import type { StartWorkerSettings } from '../options.ts';
import type { Worker } from '../worker.ts';
import { type Behind, Cell, type Receiver, reportFailure } from './cell.ts';
import { incoming, put } from './outgoing.ts';
import { NIL, OUT } from './record.ts';
import { tellOfRestart } from './watch.ts';

/** The node that a worker starts on. */
export interface Place {
  /** Number of the node in the port. */
  readonly number: number;
  readonly name: string;
}

/** Characters of a class's name by which it is counted. */
const MAX_CLASS_NAME = 128;
/** The numbers of classes in the port. */
const classNumbers = new WeakMap<object, number>();

/** Under which number the port counts workers of that class. */
function classNumber(behaviour: Worker): number {
  const { constructor } = behaviour as { constructor: unknown };
  if (typeof constructor !== 'function') return native.classNumber('Object');
  let number = classNumbers.get(constructor);
  if (number === undefined) {
    const { name } = constructor as { name: unknown };
    number = native.classNumber(typeof name === 'string' && name !== '' ? name.slice(0, MAX_CLASS_NAME) : 'Object');
    classNumbers.set(constructor, number);
  }
  return number;
}

/** Takes a name and a mailbox for a worker; nothing is handled until it is ready. */
export function openCell(
  place: Place,
  name: string,
  settings: Omit<StartWorkerSettings, 'args'>,
  behind: Behind,
  behaviour: Worker,
): Cell {
  const { mailbox, overflow, onFailure, maxRestarts, withinMs } = settings;
  const type = classNumber(behaviour);
  const slot = native.startWorker(place.number, name, type, mailbox, overflow + 2 * onFailure, maxRestarts, withinMs);
  return cellOf(slot, place, name, behind, behaviour, undefined);
}

/** The same for a mailbox without a behaviour, which is ready at once. */
export function openMailboxCell(
  place: Place,
  name: string,
  capacity: number,
  behind: Behind,
  receiver: Receiver,
): Cell {
  const cell = cellOf(native.openMailbox(place.number, name, capacity), place, name, behind, undefined, receiver);
  cell.ready(true);
  return cell;
}

/** `slot`: as the port says; its generation stands in word 4. A negative one is a code of failure. */
function cellOf(
  slot: number,
  place: Place,
  name: string,
  behind: Behind,
  behaviour: Worker | undefined,
  receiver: Receiver | undefined,
): Cell {
  if (slot < 0) throw fromCode(-slot, { worker: name, node: place.name });
  return new Cell(slot, incoming[4] as number, name, place, behind, behaviour, receiver);
}

/** Runs `initialize`; a failure frees the name again and is the start's failure. */
export async function initialize(cell: Cell, place: Place): Promise<void> {
  if (cell.behaviour?.initialize === undefined) {
    cell.ready(true);
    return;
  }
  const context = cell.behind.make(cell, NIL, 0, NIL, 0, Infinity);
  const gone = new Promise<void>((resolve) => (cell.onGone = () => resolve()));
  try {
    cell.current = context;
    await Promise.race([cell.behaviour.initialize(context as never), gone]);
  } catch (cause) {
    cell.current = undefined;
    cell.ready(false);
    await gone;
    const detail = 'its initialize failed, so it was not started';
    throw fromCode('WORKER_FAILED', {
      worker: cell.name,
      node: place.name,
      detail: `${detail}: ${thrownText(cause)}`,
      cause,
    });
  }
  cell.current = undefined;
  if (cell.isGone)
    throw fromCode('WORKER_STOPPED', { worker: cell.name, node: place.name, detail: 'while its initialize still ran' });
  cell.onGone = undefined;
  cell.ready(true);
}

/** The port orders a fresh instance; the old one gets `shutdown`. */
export function runRestart(cell: Cell): void {
  void restart(cell).then(
    () => {
      tellOfRestart(cell);
      cell.ready(true);
    },
    (error: unknown) => {
      reportFailure(cell, `worker ${cell.name} could not be restarted`, error);
      cell.current = undefined;
      if (!cell.isGone) cell.ready(false);
    },
  );
}

async function restart(cell: Cell): Promise<void> {
  await end(cell);
  const fresh = (cell.behind.renew as () => Worker)();
  cell.behaviour = fresh;
  const context = cell.behind.make(cell, NIL, 0, NIL, 0, Infinity);
  cell.current = context;
  await fresh.initialize?.(context as never);
  cell.current = undefined;
}

/** Runs `shutdown`, once an instance; what it throws is logged, for nobody waits for it. */
async function end(cell: Cell): Promise<void> {
  if (!cell.isUp || cell.behaviour?.shutdown === undefined) return;
  cell.isUp = false;
  const context = cell.behind.make(cell, NIL, 0, NIL, 0, Infinity);
  try {
    cell.current = context;
    await cell.behaviour.shutdown(context as never);
  } catch (error) {
    reportFailure(cell, `shutdown of worker ${cell.name} failed`, error);
  } finally {
    cell.current = undefined;
  }
}

/** The port orders the end: everything was handled or failed. */
export function runShutdown(cell: Cell): void {
  void end(cell).then(() => {
    put(OUT.ENDED, cell.slot, cell.generation, 0);
  });
}
