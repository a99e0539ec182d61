/** What the logs view is looking at: the lines that fit, which of them, and whether it goes along with the newest. Kept over views. */
import { computed, effect, signal } from '@preact/signals';
import { changeQuery, query, route } from '../../address.ts';
import { filterOf, type LineFilter, matcher, queryOf } from '../../filter.ts';
import { fieldsText } from '../../filter.ts';
import { iso } from '../../format.ts';
import { type HeldLine } from '../../lines.ts';
import { setQuery } from '../../address.ts';
import { Shown } from '../../shown.ts';
import { lines, linesVersion } from '../../store.ts';

/** Whether the newest line is kept in view. */
export const follow = signal(true);
/** While paused: the number before which lines are shown. */
export const pausedAt = signal<number | undefined>(undefined);
/** The number of the line that is selected. */
export const selected = signal<number | undefined>(undefined);
/** The line in the top row, by number, and how far the list is scrolled into it, in pixels. */
export const anchor = signal({ number: 0, offset: 0 });

const inLogs = computed(() => route.value.view === 'logs');
let last: LineFilter = filterOf(query.value);
/** The filter, as the address has it. */
export const filter = computed(() => {
  if (inLogs.value) {
    const next = filterOf(query.value);
    if (queryOf(next) !== queryOf(last)) last = next;
  }
  return last;
});

/** The lines that fit the filter. */
export const shown = new Shown(lines, matcher(filter.value));
/** Changes whenever `shown` does. */
export const shownVersion = signal(0);

let filled = filter.value;
effect(() => {
  const wanted = filter.value;
  void linesVersion.value;
  if (wanted === filled) shown.catchUp();
  else shown.refill(matcher((filled = wanted)));
  shownVersion.value = shownVersion.peek() + 1;
});

/** How many lines are in the list: all that fit, or those before the pause. */
export const listLength = computed(() => {
  void shownVersion.value;
  return pausedAt.value === undefined ? shown.length : shown.before(pausedAt.value);
});

/** How many lines that fit have come since the pause. */
export const waiting = computed(() => {
  void shownVersion.value;
  return pausedAt.value === undefined ? 0 : shown.length - listLength.value;
});

/** Another filter: into the address, with the line that is selected. */
export function setFilter(change: Partial<LineFilter>): void {
  setQuery(queryOf({ ...filter.value, ...change }, query.value.get('line') ?? ''));
}

/** Stops the list where it is, or lets it go on. */
export function pause(): void {
  pausedAt.value = pausedAt.value === undefined ? lines.end : undefined;
}

/** Goes to the newest line and stays with it, or stays where it is. */
export function toggleFollow(): void {
  follow.value = !follow.value;
  if (follow.value) pausedAt.value = undefined;
}

/** Selects a line, so that the address names it; the list then stays there. */
export function select(number: number | undefined): void {
  selected.value = number;
  const line = number === undefined ? undefined : lines.at(number);
  if (line) follow.value = false;
  wanted.value = '';
  changeQuery({ line: line?.id ?? '' });
}

/** The line that the address asked for, until it is found. */
export const wanted = signal(query.value.get('line') ?? '');
let sought = 0;

effect(() => {
  void linesVersion.value;
  const id = wanted.value;
  if (!id) return;
  for (sought = Math.max(sought, lines.start); sought < lines.end; sought += 1) {
    if (lines.at(sought)?.id !== id) continue;
    selected.value = sought;
    follow.value = false;
    anchor.value = { number: sought, offset: -120 };
    wanted.value = '';
    return;
  }
});

/** A line as a file has it. */
export function plainLine({ time, level, node, name, worker, plain, fields }: HeldLine): string {
  const source = worker ? `${node}/${worker}` : node;
  return `${iso(time)} ${level.padEnd(5)} ${source} ${name}: ${plain}${fields ? ` ${fieldsText(fields)}` : ''}`;
}

/** All lines of the list as text, the oldest first. */
export function plainText(): string[] {
  const parts: string[] = [];
  for (let i = 0; i < listLength.value; i += 1) {
    const line = shown.at(i);
    if (line) parts.push(line.lost === undefined ? plainLine(line) : `… ${line.lost} ${line.plain}`, '\n');
  }
  return parts;
}
