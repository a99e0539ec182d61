/**
 * The budget of a turn: after so long with handlers the event loop gets its turn, for timers, I/O and everyone else.
 *
 * One budget serves the whole isolate, handlers that return promises included. The clock is read every few messages while they
 * are cheap, and at each one when they are not.
 */

/** Milliseconds of handling in one turn. */
const BUDGET = 0.75;
const STRIDE = 32;

const now = performance.now.bind(performance);

let armed = false;
let over = false;
let end = 0;
let last = 0;
let stride = STRIDE;
let left = STRIDE;
let onTurn: () => void = () => {};

/** Called once: what to do when the event loop has had its turn. */
export function afterTurn(resume: () => void): void {
  onTurn = resume;
}

function turned(): void {
  armed = false;
  over = false;
  onTurn();
}

/** Begins to count, if this turn has not begun. */
export function beginTurn(): void {
  if (armed) return;
  armed = true;
  last = now();
  end = last + BUDGET;
  left = stride;
  setImmediate(turned);
}

/** Counts one message; true when the budget of the turn is spent. */
export function spend(): boolean {
  if (over || --left > 0) return over;
  const time = now();
  const took = time - last;
  last = time;
  if (took > BUDGET / 4) stride = stride > 3 ? stride >> 2 : 1;
  else if (took < BUDGET / 16 && stride < STRIDE) stride <<= 1;
  left = stride;
  if (armed && time >= end) over = true;
  return over;
}

/** Whether the budget of the turn is spent. */
export function isSpent(): boolean {
  return over;
}
