/**
 * What this isolate hands to its port: records in a shared array and text in one string, flushed in one native call.
 *
 * A body for a worker of this isolate never leaves JavaScript: it waits in a slab, and only its index travels.
 */
import { HEADER, NIL, OUT, REF, STRIDE } from './record.ts';
import { type Body, Traced } from './trace.ts';

/** Records of one batch; a full one is routed at once. */
const BATCH = 4096;
/** UTF-16 units of one batch. */
const UNITS = 1 << 16;
/** The same of bodies that stay here: 2 MiB. What a full mailbox refuses is not held for longer than its batch. */
const KEPT_UNITS = 1 << 20;

export const outgoing = new Uint32Array(BATCH * STRIDE);
/** Where records stand that a batch routed in the middle of a turn brings: apart from those still being read. */
export const SPILLED = HEADER + (2048 + BATCH + 16) * STRIDE;
/** Room for what one flush hands out, 2048 records and one more for each of the batch, and for what a routed batch brings. */
export const incoming = new Uint32Array(SPILLED + BATCH * STRIDE);

const slab: unknown[] = [];
const freed: number[] = [];

let count = 0;
let text = '';
let kept = 0;
let flushed = 0;
let spill: () => void = () => {};
let wake: () => void = () => {};

/** Called once by the turn: how to route a full batch, and how to ask for a flush. */
export function connect(hooks: { spill: () => void; wake: () => void }): void {
  ({ spill, wake } = hooks);
}

/** Records that wait for the next flush. */
export function pending(): number {
  return count;
}

/** The number of the next record: the port counts alike. */
export function nextNumber(): number {
  return (flushed + count) >>> 0;
}

/** Takes the batch out: its text, and how many records stand in {@link outgoing}. */
export function takeBatch(): { text: string; records: number } {
  const batch = { text, records: count };
  flushed = (flushed + count) >>> 0;
  text = '';
  kept = 0;
  count = 0;
  return batch;
}

/** A record without a body. */
export function put(word: number, one: number, two: number, three: number, five = 0): void {
  const at = count * STRIDE;
  outgoing[at] = word;
  outgoing[at + 1] = one;
  outgoing[at + 2] = two;
  outgoing[at + 3] = three;
  outgoing[at + 4] = NIL;
  outgoing[at + 5] = five;
  outgoing[at + 6] = NIL;
  outgoing[at + 7] = 0;
  advance();
}

/** A record whose body stays here: it comes back with the index exactly once. */
export function putKept(
  word: number,
  one: number,
  two: number,
  three: number,
  body: unknown,
  five: number,
  six: number,
  seven: number,
): void {
  const at = count * STRIDE;
  const index = freed.length > 0 ? (freed.pop() as number) : slab.length;
  slab[index] = body;
  if (typeof body === 'string' || body instanceof Traced) kept += body.length;
  outgoing[at] = word | REF;
  outgoing[at + 1] = one;
  outgoing[at + 2] = two;
  outgoing[at + 3] = three;
  outgoing[at + 4] = index;
  outgoing[at + 5] = five;
  outgoing[at + 6] = six;
  outgoing[at + 7] = seven;
  advance();
}

/** A record whose text leaves this isolate. */
export function putText(
  word: number,
  one: number,
  two: number,
  three: number,
  body: string,
  five: number,
  six: number,
  seven: number,
): void {
  const at = count * STRIDE;
  outgoing[at] = word;
  outgoing[at + 1] = one;
  outgoing[at + 2] = two;
  outgoing[at + 3] = three;
  outgoing[at + 4] = body.length;
  outgoing[at + 5] = five;
  outgoing[at + 6] = six;
  outgoing[at + 7] = seven;
  text += body;
  advance();
}

function advance(): void {
  if (++count === BATCH || text.length > UNITS || kept > KEPT_UNITS) spill();
  wake();
}

/** Routes what waits for the next flush, before a call of the port that must not overtake it. */
export function routePending(): void {
  if (count > 0) spill();
}

/** Asks for a flush although no record waits: the port has something to say. */
export function askForFlush(): void {
  wake();
}

/** The request in which the next message is nested. */
export function putParent(request: number, generation: number): void {
  put(OUT.PARENT, request, generation, 0);
}

/** The trace to which the next message belongs, if that leaves this isolate. */
export function putTrace(traceparent: string): void {
  putText(OUT.TRACE, 0, 0, 0, traceparent, 0, NIL, 0);
}

/** Bits 16 to 31 of a message's first word: its UTF-16 units, exactly below 32 768, else in steps of 1024. */
export function sizeBits(body: Body): number {
  const units = body.length;
  return units < 0x8000 ? units << 16 : ((0x8000 | ((units + 1023) >> 10)) << 16) >>> 0;
}

/** Takes a body out of the slab. */
export function takeKept(index: number): unknown {
  const body = slab[index];
  slab[index] = undefined;
  freed.push(index);
  return body;
}

/** Bodies in the slab; a test sees that none is left behind. */
export function keptBodies(): number {
  return slab.length - freed.length;
}
