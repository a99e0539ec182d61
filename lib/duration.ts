/** Lengths of time as users write them, turned into the whole milliseconds that the Rust core counts in. */
import { invalidRange, invalidType } from './errors.ts';
import { warn } from './log.ts';

/** Milliseconds, or a number with a unit: `250`, `"250ms"`, `"10s"`, `"5m"`, `"1h"`. `Infinity` = no limit. */
export type Duration = number | `${number}${'ms' | 's' | 'm' | 'h'}`;

/** The value that stands for "no limit" on the bridge and on the wire: the largest 32-bit number. */
export const NO_LIMIT = 0xffff_ffff;

/**
 * Counts `whole` milliseconds down from now on, for what takes several steps: the function answers how many are left, whole and at
 * least 1. `now`: a clock in milliseconds that never goes back.
 */
export function countdown(whole: number, now: () => number = () => performance.now()): () => number {
  const until = now() + whole;
  return () => Math.max(1, Math.ceil(until - now()));
}

/** Plain numbers below this were probably meant as seconds: the languages people come from count in them. */
const SUSPICIOUSLY_SHORT = 50;

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };
const FORMAT = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/;
const EXPECTED = 'milliseconds, or a number with a unit such as "250ms", "10s", "5m" or "1h"';

/** Programs write few different durations, but each of them for every request. Full, it starts anew. */
const parsed = new Map<string, number>();
const MAX_PARSED = 64;

let warned = false;

/**
 * Whole milliseconds of a duration, rounded up, so that nothing ends early; {@link NO_LIMIT} for `Infinity` and for all that is too
 * long for 32 bits (49 days and more). Throws INVALID_ARGUMENT with the argument's name for what is no duration, negative or NaN.
 */
export function milliseconds(duration: Duration, argument: string): number {
  if (typeof duration === 'number') {
    if (!(duration >= 0)) throw invalidRange(argument, `${EXPECTED}, zero or more`, duration);
    if (duration < SUSPICIOUSLY_SHORT && duration > 0 && !warned) warnOfSeconds(duration, argument);
    return duration < NO_LIMIT ? Math.ceil(duration) : NO_LIMIT;
  }
  if (typeof duration !== 'string') throw invalidType(argument, EXPECTED, duration);
  return parsed.get(duration) ?? parse(duration, argument);
}

function parse(text: string, argument: string): number {
  const match = FORMAT.exec(text);
  const unit = UNITS[match?.[2] ?? ''];
  if (match === null || unit === undefined) throw invalidRange(argument, EXPECTED, text);
  // To the microsecond first: "1.1s" times 1000 must not become 1101 by a rounding error far behind the point.
  const exact = Math.round(Number(match[1]) * unit * 1_000) / 1_000;
  const whole = exact < NO_LIMIT ? Math.ceil(exact) : NO_LIMIT;
  if (parsed.size >= MAX_PARSED) parsed.clear();
  parsed.set(text, whole);
  return whole;
}

function warnOfSeconds(duration: number, argument: string): void {
  warned = true;
  warn(
    `"${argument}" is ${duration} milliseconds; if seconds were meant, write "${duration}s" (if not, "${duration}ms" is silent)`,
  );
}
