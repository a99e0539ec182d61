/** The lines the page holds: a ring bounded by their number and by their text, so that a tab left open for a week stays small. */
import { withoutAnsi } from './ansi.ts';
import { type Line } from './shapes.ts';

/** A held line. `plain` is what a filter reads; `lost` makes it a mark where so many lines are missing. */
export interface HeldLine extends Line {
  readonly plain: string;
  readonly lost?: number;
}

/** Most lines held. */
export const mostLines = 200_000;
/** Most text held, in UTF-16 units: 200 000 lines of 320; a line may have 65 536 and would fill the tab's memory by itself. */
export const mostText = 64 * 1024 * 1024;

/** Makes a line that is held of one that arrived. */
export function held(line: Line): HeldLine {
  return { ...line, plain: withoutAnsi(line.message) };
}

/** A mark in the row of lines: `lost` lines are missing here, for the reason given. */
export function gap(lost: number, reason: string, time: number): HeldLine {
  return { id: '', time, node: '', level: 'warn', name: '', message: reason, plain: reason, lost };
}

const weigh = (line: HeldLine) => line.message.length + (line.plain === line.message ? 0 : line.plain.length);

/**
 * Lines by number. Numbers count up from 0 and are never given twice: a line keeps its number until it is dropped, oldest first, when
 * there are more than `capacity` or more than `text` UTF-16 units of messages.
 */
export class Lines {
  readonly #capacity: number;
  readonly #mostText: number;
  readonly #slots: (HeldLine | undefined)[] = [];
  #start = 0;
  #end = 0;
  #text = 0;

  constructor(capacity = mostLines, text = mostText) {
    this.#capacity = capacity;
    this.#mostText = text;
  }

  /** The number of the oldest line held. */
  get start(): number {
    return this.#start;
  }

  /** One more than the number of the newest line; `end - start` lines are held. */
  get end(): number {
    return this.#end;
  }

  /** UTF-16 units of messages held. */
  get text(): number {
    return this.#text;
  }

  /** The line of that number, or undefined where it is no longer or not yet held. */
  at(number: number): HeldLine | undefined {
    return number >= this.#start && number < this.#end ? this.#slots[number % this.#capacity] : undefined;
  }

  /** Adds a line as the newest. */
  append(line: HeldLine): void {
    if (this.#end - this.#start === this.#capacity) this.#drop();
    this.#slots[this.#end % this.#capacity] = line;
    this.#end += 1;
    this.#text += weigh(line);
    // The newest line stays, however long it is.
    while (this.#text > this.#mostText && this.#end - this.#start > 1) this.#drop();
  }

  /** Forgets all lines; numbers go on. */
  clear(): void {
    while (this.#start < this.#end) this.#drop();
  }

  #drop(): void {
    const slot = this.#start % this.#capacity;
    const line = this.#slots[slot];
    if (line) this.#text -= weigh(line);
    this.#slots[slot] = undefined;
    this.#start += 1;
  }
}
