/**
 * The lines of a zone, from all its members: first what they still have, in the order of their times, then what comes. Pulled, page by
 * page: a reader that is slow holds up nobody, and is told what it missed.
 */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Node } from '#lib/node';
import { ask, members, OBSERVE, onMembers } from '#lib/observer';
import type { Level, Line, Lines } from './reports.ts';

/** Lines of one answer; with it a merge holds at most so many of each member. */
const PAGE = 500;
/** How long a member may keep the question until there is something to answer: as long as the service allows. Milliseconds. */
const WAIT = 25_000;
/** What an answer may take beyond that. Milliseconds. */
const PATIENCE = 5_000;

/** A member that did not answer is asked again after so long. Milliseconds. */
const AGAIN = 1_000;

/**
 * As many lines as a node keeps: one whose supervisor could not read it for a while is at most so far behind the others in the
 * supervisor's history, which is in the order in which lines came there.
 */
const WINDOW = 10_000;

/** Puts lines into the order of their times; those of one node stay in their order, whatever its clock did. Holds twice {@link WINDOW}. */
export class Sorter {
  readonly #emit: (line: Line) => void;
  readonly #newest = new Map<string, number>();
  #held: { time: number; line: Line }[] = [];

  constructor(emit: (line: Line) => void) {
    this.#emit = emit;
  }

  /** Takes a line, and gives others away when it holds too many. */
  push(line: Line): void {
    const time = Math.max(line.time, this.#newest.get(line.node) ?? 0);
    this.#newest.set(line.node, time);
    this.#held.push({ time, line });
    if (this.#held.length >= 2 * WINDOW) this.#give(WINDOW);
  }

  /** Gives away all that it holds. */
  flush(): void {
    this.#give(this.#held.length);
  }

  #give(count: number): void {
    // Equal ones stay as they are: the sort is stable.
    this.#held.sort((a, b) => a.time - b.time);
    for (const { line } of this.#held.splice(0, count)) this.#emit(line);
  }
}

/** What a reader of lines gets. */
export interface Reader {
  /** A line; called in order. */
  line(line: Line): void;
  /** So many lines of a member were gone before they were asked for. */
  dropped(member: string, count: number): void;
  /** A member could not be asked. */
  failed(member: string, error: Error): void;
}

/** Which lines are wanted; the members send no others. */
export interface Filter {
  /** From which level on. */
  readonly level: Level;
  /** Only those of this node. */
  readonly node?: string;
}

/** Where to go on with a member. */
class Source {
  readonly member: string;
  readonly #filter: Filter;
  incarnation: string | undefined;
  after = 0;
  covers: readonly string[] = [];

  constructor(member: string, filter: Filter) {
    this.member = member;
    this.#filter = filter;
  }

  /** Its next lines; waits up to `wait` milliseconds for the first. */
  async pull(observer: Node, wait: number): Promise<Lines> {
    const question = { after: this.after, limit: PAGE, wait, ...this.#filter };
    const answer = await this.#ask(observer, question, wait + PATIENCE);
    if (this.incarnation !== undefined && this.incarnation !== answer.incarnation && this.after > 0) {
      // Started anew: its numbers are others, and none of these has been read.
      this.after = 0;
      this.incarnation = answer.incarnation;
      return this.pull(observer, wait);
    }
    this.incarnation = answer.incarnation;
    this.after = answer.next ?? this.after;
    this.covers = answer.covers;
    return answer;
  }

  /** Its last `count` lines, oldest first. Page by page from the newest on: what is older than these is not read. */
  async last(observer: Node, count: number): Promise<readonly Line[]> {
    const pages: (readonly Line[])[] = [];
    let missing = count;
    let before: string | null | undefined;
    do {
      const question = { last: Math.min(missing, PAGE), before, ...this.#filter };
      const answer = await this.#ask(observer, question, PATIENCE);
      if (before === undefined) {
        this.incarnation = answer.incarnation;
        this.after = answer.next ?? 0;
        this.covers = answer.covers;
      }
      pages.push(answer.lines);
      missing -= answer.lines.length;
      before = answer.before ?? null;
    } while (missing > 0 && before !== null);
    return pages.reverse().flat();
  }

  /** Learns whose lines it carries, without reading any. */
  async lookAtCovers(observer: Node): Promise<void> {
    if (this.covers.length === 0) return;
    const question = { after: this.after, limit: 1, wait: 0 };
    const answer = await this.#ask(observer, question, PATIENCE).catch(() => undefined);
    if (answer !== undefined) this.covers = answer.covers;
  }

  async #ask(observer: Node, lines: object, patience: number): Promise<Lines> {
    return (await ask(observer, this.member, OBSERVE, { lines }, patience)) as Lines;
  }
}

/**
 * The lines that the members have, merged by time; resolves with where to go on. With `count` only the last so many, for which the supervisor
 * goes back into its files; without it what they have in memory.
 */
export async function history(
  observer: Node,
  filter: Filter,
  reader: Reader,
  count: number | undefined,
): Promise<Source[]> {
  const all = members(observer).filter(({ role }) => role !== 'observer');
  const opened = (name: string) => new Open(new Source(name, filter), count);
  const supervisors = all.filter(({ role }) => role === 'supervisor').map(({ name }) => opened(name));
  // First, as it says whose lines it carries: those are not read twice.
  await Promise.all(supervisors.map((open) => open.refill(observer, reader)));
  const covered = new Set(supervisors.flatMap(({ source }) => source.covers));
  const others = all.filter(({ name, role }) => role === 'node' && !covered.has(name)).map(({ name }) => opened(name));
  await Promise.all(others.map((open) => open.refill(observer, reader)));
  const open = [...supervisors, ...others];
  const last: Line[] = [];
  const sorter = new Sorter((line) => (count === undefined ? reader.line(line) : last.push(line)));
  for (;;) {
    let first: Open | undefined;
    for (const each of open) {
      if (each.head !== undefined && (first?.head === undefined || each.head.time < first.head.time)) first = each;
    }
    if (first?.head === undefined) break;
    sorter.push(first.head);
    first.at += 1;
    if (first.head === undefined) await first.refill(observer, reader);
  }
  sorter.flush();
  if (count !== undefined) for (const line of last.slice(Math.max(0, last.length - count))) reader.line(line);
  return open.filter(({ isLost }) => !isLost).map(({ source }) => source);
}

/** A source whose next lines are here. */
class Open {
  readonly source: Source;
  readonly #count: number | undefined;
  page: readonly Line[] = [];
  at = 0;
  isLost = false;
  #isRead = false;

  constructor(source: Source, count: number | undefined) {
    this.source = source;
    this.#count = count;
  }

  get head(): Line | undefined {
    return this.page[this.at];
  }

  async refill(observer: Node, reader: Reader): Promise<void> {
    try {
      this.page = await this.#next(observer, reader);
    } catch (error) {
      this.isLost = true;
      this.page = [];
      reader.failed(this.source.member, error as Error);
    }
    this.at = 0;
  }

  async #next(observer: Node, reader: Reader): Promise<readonly Line[]> {
    if (this.#count !== undefined) {
      // The last ones come at once.
      const lines = this.#isRead ? [] : await this.source.last(observer, this.#count);
      this.#isRead = true;
      return lines;
    }
    const { lines, dropped } = await this.source.pull(observer, 0);
    if (dropped > 0) reader.dropped(this.source.member, dropped);
    return lines;
  }
}

/** Goes on from where `history` ended, with members that come as well; until `signal` aborts. */
export async function follow(
  observer: Node,
  from: Source[],
  filter: Filter,
  reader: Reader,
  signal: AbortSignal,
): Promise<void> {
  const read = new Map<string, Source>();
  /** The time of the newest line so far: what a supervisor that comes later has of before has been shown. */
  let newest = 0;
  const show = (line: Line) => {
    newest = Math.max(newest, line.time);
    reader.line(line);
  };
  /** The members now; where nobody can tell, as soon as somebody can, or none when `signal` aborts. */
  const present = async (): Promise<ReturnType<typeof members>> => {
    for (let isTold = false; !signal.aborted; isTold = true) {
      try {
        return members(observer);
      } catch (error) {
        if (!isTold) reader.failed('the zone', error as Error);
        await sleep(AGAIN, undefined, { signal }).catch(() => {});
      }
    }
    return [];
  };
  const carried = () => new Set([...read.values()].flatMap(({ covers }) => covers));

  /** Reads on until the member is gone, or a supervisor carries its lines. */
  const listen = async (source: Source, since: number): Promise<void> => {
    let isTold = false;
    while (!signal.aborted && !carried().has(source.member)) {
      try {
        const { lines, dropped } = await source.pull(observer, WAIT);
        if (signal.aborted) return;
        if (dropped > 0) reader.dropped(source.member, dropped);
        for (const line of lines) if (line.time > since) show(line);
        isTold = false;
      } catch (error) {
        if (!(await present()).some(({ name }) => name === source.member)) return;
        if (!isTold) reader.failed(source.member, error as Error);
        isTold = true;
        await sleep(AGAIN, undefined, { signal }).catch(() => {});
      }
    }
  };
  const start = (source: Source, since = 0): void => {
    read.set(source.member, source);
    void listen(source, since).finally(() => read.delete(source.member));
  };
  const look = async (): Promise<void> => {
    const all = (await present()).filter(({ role, name }) => role !== 'observer' && !read.has(name));
    for (const { name } of all.filter(({ role }) => role === 'supervisor')) start(new Source(name, filter), newest);
    const nodes = all.filter(({ role }) => role === 'node');
    // What a supervisor carries is known anew first: it may have started this very node.
    if (nodes.length > 0) await Promise.all([...read.values()].map((source) => source.lookAtCovers(observer)));
    for (const { name } of nodes) if (!read.has(name) && !carried().has(name)) start(new Source(name, filter));
  };

  for (const source of from) start(source);
  // One look after the other: two at once would both find a new member not read yet.
  let looking = look();
  const forget = onMembers(observer, () => (looking = looking.then(look)));
  try {
    await aborted(signal);
  } finally {
    forget();
    await looking;
  }
}

/** Resolves when the signal aborts. */
async function aborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort');
}
