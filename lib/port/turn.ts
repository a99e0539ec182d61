/**
 * Turns: when the port is flushed, and what is done with what comes back.
 *
 * A flush runs by `process.nextTick`, when the promise jobs have drained, as long as the turn's budget lasts, and by
 * `setImmediate` beyond it. A wake-up from another thread begins a turn of its own.
 */
import { native } from '../native.ts';
import { afterTurn, beginTurn, isSpent, spend } from './budget.ts';
import { acknowledgeAll, cancel, type Cell, cells, connectCells, hasParked, unparkAll } from './cell.ts';
import { batchRouted, found, refused, unsent, waits } from './delivery.ts';
import { runRestart, runShutdown } from './life.ts';
import { handOverLogs } from './logs.ts';
import {
  connect,
  incoming,
  nextNumber,
  outgoing,
  pending,
  put,
  routePending,
  SPILLED,
  takeBatch,
  takeKept,
} from './outgoing.ts';
import { HEADER, IN, KIND, NIL, OUT, REF, SENDER_ELSEWHERE, STRIDE } from './record.ts';
import { answered, causeOf, failed } from './requests.ts';
import { Traced } from './trace.ts';
import { lookForWatchers, tellOfDeadLetters } from './watch.ts';

/** Timers of Node hold 31 bits; a longer wait is armed again. */
const MAX_TIMER = 2 ** 31 - 1;
/**
 * Of messages whose deadline is nearer than this, in milliseconds, the clock is read before each is handled. Between farther ones it is
 * read every few: no handler before them is likely to have blocked for so long.
 */
const NEAR = 10_000;

// Looking `process` or `performance` up goes through a getter of the global object, each time.
const nextTick = process.nextTick.bind(process);
const now = performance.now.bind(performance);

const NONE: (string | Traced)[] = [];
let texts = NONE;
let scheduled = false;
let deferred = false;
let inTurn = false;
let cursor = 0;
let count = 0;
/** When the records at hand were handed out, on the clock of `performance.now()`. */
let flushedAt = 0;
let more = false;
let timer: NodeJS.Timeout | undefined;
let timerAt = Infinity;
/** The clock, read once a tick and only where something has a deadline; 0: not read. */
let time = 0;

/** What the port tells that concerns a node and not a worker. */
export interface NodeEvents {
  control(node: number, request: number, generation: number): void;
  members(node: number): void;
}
let events: NodeEvents | undefined;

/** Called once by the nodes of this isolate. */
export function onNodeEvents(handlers: NodeEvents): void {
  events = handlers;
}

const flush = native.openPort(
  outgoing,
  incoming,
  (...stashed: string[]) => {
    texts = stashed;
  },
  () => {
    if (scheduled) return;
    scheduled = true;
    tick();
  },
);

/** Within a turn, what is scheduled by `nextTick` would run before the promise jobs that the turn has led to. */
const afterJobs = () => nextTick(tick);
/** Half the price of `queueMicrotask`. */
const JOBS = Promise.resolve();

function schedule(): void {
  if (scheduled) return;
  scheduled = true;
  if (inTurn) void JOBS.then(afterJobs);
  else nextTick(tick);
}

connect({ spill, wake: schedule });
connectCells(schedule);
afterTurn(() => {
  if (!deferred) return;
  deferred = false;
  tick();
});

/** Routes a full batch, in the middle of whatever runs: nothing of a user's runs here. */
function spill(): void {
  const { text, records } = takeBatch();
  flush(text, records, false);
  readSends(SPILLED, incoming[0] as number);
  batchRouted(nextNumber());
}

/** How sends of the batch fared, where they were not simply taken. */
function readSends(start: number, total: number): void {
  for (let at = start, end = start + total * STRIDE; at < end; at += STRIDE) {
    const kind = (incoming[at] as number) & KIND;
    if (kind === IN.WAITING) waits(incoming[at + 1] as number, incoming[at + 2] as number, incoming[at + 3] as number);
    else if (kind === IN.REFUSED) {
      if (((incoming[at] as number) & REF) !== 0) takeKept(incoming[at + 4] as number);
      refused(
        incoming[at + 1] as number,
        incoming[at + 3] as number,
        incoming[at + 7] as number,
        incoming[at + 5] as number,
      );
    }
  }
}

/**
 * Routes what waits for the next flush: before a call that must not overtake it. Nothing of a user's runs here.
 */
export function routeNow(): void {
  acknowledgeAll();
  routePending();
}

function tick(): void {
  if (isSpent()) {
    deferred = true;
    return;
  }
  scheduled = false;
  inTurn = true;
  time = 0;
  lookForWatchers();
  beginTurn();
  unparkAll();
  const goesOn = cursor < count;
  if (!goesOn) exchange();
  dispatch();
  // Whatever asked for a flush while an interrupted turn waited to go on did so in vain, as one was to come: it comes now.
  if (goesOn || cursor < count || more || pending() > 0 || hasParked()) schedule();
  inTurn = false;
}

/** One native call: the batch goes, what there is to do comes. */
function exchange(): void {
  acknowledgeAll();
  const { text, records } = takeBatch();
  texts = NONE;
  flushedAt = now();
  flush(text, records, true);
  count = incoming[0] as number;
  more = incoming[2] !== 0;
  cursor = 0;
  if (incoming[5] !== 0) readSends(HEADER, count);
  const hasLogs = incoming[6] !== 0;
  arm(incoming[3] as number);
  batchRouted(nextNumber());
  if (hasLogs) handOverLogs();
}

function arm(wait: number): void {
  if (wait === NIL) return;
  const at = flushedAt + wait;
  if (at >= timerAt) return;
  clearTimeout(timer);
  timerAt = at;
  timer = setTimeout(
    () => {
      timer = undefined;
      timerAt = Infinity;
      schedule();
    },
    Math.min(wait, MAX_TIMER),
  );
  // The node keeps the process alive, not its deadlines.
  timer.unref();
}

/** The worker that a record is about, unless it has gone since. */
function withCell(slot: number, generation: number, run: (cell: Cell) => void): void {
  const cell = cells[slot];
  if (cell?.generation === generation) run(cell);
}

/** The sender of a message: a worker of this isolate, or the number of a target; none if it has gone since. */
function senderOf(word: number, index: number, generation: number): Cell | number {
  if ((word & SENDER_ELSEWHERE) !== 0) return index;
  const cell = cells[index];
  return cell?.generation === generation ? cell : NIL;
}

/** Puts a trace beside the text of the message in the next record, as in the slab. Both by their numbers among the texts. */
function readTrace(trace: number, text: number): void {
  texts[text] = new Traced(texts[text] as string, texts[trace] as string);
}

function deliverTraced(
  cell: Cell,
  request: number,
  generation: number,
  sender: Cell | number,
  senderGeneration: number,
  until: number,
  { text, traceparent }: Traced,
  isLate: boolean,
): void {
  const of = [cell, request, generation, sender, senderGeneration, until] as const;
  cell.deliver(cell.behind.makeTraced(...of, traceparent), text, isLate);
}

/** What is rare is apart: V8 makes one piece of code of this and of the handling of a message, up to a size that the two are near. */
function dispatch(): void {
  while (cursor < count) {
    const at = HEADER + cursor++ * STRIDE;
    const word = incoming[at] as number;
    const one = incoming[at + 1] as number;
    const two = incoming[at + 2] as number;
    const three = incoming[at + 3] as number;
    const four = incoming[at + 4] as number;
    switch (word & KIND) {
      case IN.MESSAGE: {
        const body = (word & REF) !== 0 ? takeKept(four) : texts[four];
        const cell = cells[one];
        // Otherwise its worker has gone since, and the port has said so to whoever asked.
        if (cell === undefined || (cell.generation & 0xffff) !== word >>> 16) break;
        const left = incoming[at + 5] as number;
        const until = left === NIL ? Infinity : flushedAt + left;
        const isLate = left !== NIL && until - (time ||= now()) < NEAR && now() > until + 1;
        const seven = incoming[at + 7] as number;
        const sender = senderOf(word, incoming[at + 6] as number, seven);
        if (typeof body === 'string') {
          cell.deliver(cell.behind.make(cell, two, three, sender, seven, until), body, isLate);
        } else deliverTraced(cell, two, three, sender, seven, until, body as Traced, isLate);
        if (spend()) return;
        break;
      }
      case IN.REPLY:
        answered(one, two, (word & REF) !== 0 ? takeKept(four) : (texts[four] ?? ''));
        break;
      case IN.FAIL: {
        const cause = causeOf((word & REF) !== 0, four, texts as string[]);
        const stage = incoming[at + 5] as number;
        failed(one, two, three, cause, stage, incoming[at + 6] !== 0, incoming[at + 7] as number);
        break;
      }
      case IN.SENT:
        found(one, two);
        break;
      case IN.UNSENT:
        unsent(one, two, three, incoming[at + 5] as number, incoming[at + 6] !== 0, incoming[at + 7] as number);
        break;
      case IN.DROPPED:
        takeKept(four);
        break;
      case IN.CANCEL: {
        const stage = cancel(one, two, three);
        if (four === 1) put(OUT.STAGE, two, three, stage);
        break;
      }
      case IN.RESTART:
        withCell(one, two, runRestart);
        break;
      case IN.SHUTDOWN:
        withCell(one, two, runShutdown);
        break;
      case IN.ABORT:
        withCell(one, two, (cell) => cell.abort());
        break;
      case IN.GONE:
        withCell(one, two, (cell) => cell.end(three !== 0));
        break;
      case IN.CONTROL:
        events?.control(one, two, three);
        break;
      case IN.CONTROLLED:
        answered(one, two, native.takeControl(one));
        break;
      case IN.DEAD_LETTER:
        tellOfDeadLetters(one, cells[two]?.generation === three ? cells[two] : undefined, incoming[at + 5] as number);
        break;
      case IN.TRACE:
        readTrace(four, incoming[at + STRIDE + 4] as number);
        break;
      case IN.MEMBERS:
        events?.members(one);
        break;
      default:
        // How sends fared was read at once.
        break;
    }
  }
  texts = NONE;
}
