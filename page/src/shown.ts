/** Which of the held lines fit the filter: their numbers, in order, kept up to date as lines come and go. */
import { type HeldLine, type Lines } from './lines.ts';

/** Positions given up at the front before the array is cut: seldom enough to cost nothing, often enough to stay small. */
const slack = 16_384;

/** The numbers of the lines that fit. `catchUp` after lines were appended; `refill` when the filter is another. */
export class Shown {
  readonly #lines: Lines;
  #fits: (line: HeldLine) => boolean;
  #numbers: number[] = [];
  #head = 0;
  #seen: number;

  constructor(lines: Lines, fits: (line: HeldLine) => boolean) {
    this.#lines = lines;
    this.#fits = fits;
    this.#seen = lines.start;
    this.catchUp();
  }

  /** How many lines fit. */
  get length(): number {
    return this.#numbers.length - this.#head;
  }

  /** The number of the line at that place among those that fit. */
  numberAt(index: number): number | undefined {
    return index < 0 ? undefined : this.#numbers[this.#head + index];
  }

  /** The line at that place among those that fit. */
  at(index: number): HeldLine | undefined {
    const number = this.numberAt(index);
    return number === undefined ? undefined : this.#lines.at(number);
  }

  /** How many of the lines that fit have a smaller number. */
  before(number: number): number {
    let low = this.#head;
    let high = this.#numbers.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#numbers[middle] ?? Infinity) < number) low = middle + 1;
      else high = middle;
    }
    return low - this.#head;
  }

  /** Tests the lines that are new, and gives up those that are no longer held. Returns how many it gave up. */
  catchUp(): number {
    const { start, end } = this.#lines;
    for (let number = Math.max(this.#seen, start); number < end; number += 1) {
      const line = this.#lines.at(number);
      if (line && this.#fits(line)) this.#numbers.push(number);
    }
    this.#seen = end;
    const gone = this.before(start);
    this.#head += gone;
    if (this.#head > slack) {
      this.#numbers = this.#numbers.slice(this.#head);
      this.#head = 0;
    }
    return gone;
  }

  /** Tests every held line anew. */
  refill(fits: (line: HeldLine) => boolean): void {
    this.#fits = fits;
    this.#numbers = [];
    this.#head = 0;
    this.#seen = this.#lines.start;
    this.catchUp();
  }
}
