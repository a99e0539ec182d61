/** Listings: a table for people, an array of objects for programs. */
import { harmless, paint, widthOf, writeArray, type Style } from './terminal.ts';

/** A column of a table of rows `R`. */
export interface Column<R> {
  readonly title: string;
  /** What stands in the cell. */
  readonly of: (row: R) => string | number | undefined;
  /** The colour of the cell, if any. */
  readonly style?: (row: R) => Style | undefined;
  /** Numbers stand on the right. Default: on the left. */
  readonly align?: 'right';
  /** Whether the cells may be cut where the terminal is too narrow. Default: no. */
  readonly isElastic?: boolean;
  /** Where that is not enough, columns are left out, those with the lowest number first. Default: it stays. */
  readonly leaves?: number;
}

const GAP = '  ';
/** Narrower than this a cell says nothing any more. Characters. */
const LEAST = 8;

/** Prints rows: `--json` as one array on standard output and nothing else there; else as a table that fits the terminal, or `nothing` for none. */
export function list<R>(
  rows: readonly R[],
  columns: readonly Column<R>[],
  options: { json?: boolean },
  nothing: string,
): void {
  if (options.json === true) writeArray(`${JSON.stringify(rows, null, 2)}\n`);
  else if (rows.length === 0) process.stderr.write(`${nothing}\n`);
  else process.stdout.write(`${table(rows, columns, widthOf(process.stdout)).join('\n')}\n`);
}

/** The lines of a table, at most `width` characters wide as long as its columns can give way. */
export function table<R>(rows: readonly R[], all: readonly Column<R>[], width: number): string[] {
  const columns = fitting(rows, all, width);
  const cells = rows.map((row) => columns.map((column) => harmless(String(column.of(row) ?? ''))));
  const widths = columns.map((column, i) =>
    Math.max(column.title.length, ...cells.map((line) => lengthOf(line[i] ?? ''))),
  );
  narrow(widths, columns, width);
  const fit = (text: string, i: number): string => {
    const room = widths[i] ?? 0;
    const cut = lengthOf(text) > room ? `${[...text].slice(0, room - 1).join('')}…` : text;
    const space = ' '.repeat(Math.max(0, room - lengthOf(cut)));
    return columns[i]?.align === 'right' ? space + cut : cut + space;
  };
  const line = (texts: string[]): string => texts.join(GAP).trimEnd();
  const header = line(columns.map(({ title }, i) => paint('bold', fit(title, i))));
  const body = cells.map((texts, at) =>
    line(
      texts.map((text, i) => {
        const style = columns[i]?.style?.(rows[at] as R);
        return style === undefined ? fit(text, i) : paint(style, fit(text, i));
      }),
    ),
  );
  return [header, ...body];
}

/** The columns without as many of those that may leave as have to go for the rest to fit, cut to the least. */
function fitting<R>(rows: readonly R[], columns: readonly Column<R>[], width: number): readonly Column<R>[] {
  const least = columns.map((column) => {
    const widest = Math.max(column.title.length, ...rows.map((row) => lengthOf(String(column.of(row) ?? ''))));
    return column.isElastic === true ? Math.min(widest, Math.max(LEAST, column.title.length)) : widest;
  });
  if (least.reduce((sum, each) => sum + each, 0) + GAP.length * (columns.length - 1) <= width) return columns;
  const first = Math.min(...columns.map(({ leaves }) => leaves ?? Infinity));
  const at = columns.findIndex(({ leaves }) => leaves === first);
  return at === -1 ? columns : fitting(rows, columns.toSpliced(at, 1), width);
}

/** Takes from the widest elastic column, again and again, until the line fits or none can give any more. */
function narrow(widths: number[], columns: readonly Column<never>[], width: number): void {
  const total = () => widths.reduce((sum, each) => sum + each, 0) + GAP.length * (widths.length - 1);
  while (total() > width) {
    let widest = -1;
    for (const [i, column] of columns.entries()) {
      const room = widths[i] ?? 0;
      if (column.isElastic === true && room > Math.max(LEAST, column.title.length) && room > (widths[widest] ?? 0))
        widest = i;
    }
    if (widest === -1) return;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
}

/** Characters as people count them, near enough: a pair of surrogates is one. */
function lengthOf(text: string): number {
  return [...text].length;
}

/** A length of time in the largest unit of which there is one: `850 ms`, `12 s`, `3 min`, `5 h`, `2 d`. */
export function timeText(ms: number): string {
  const units = [
    [86_400_000, 'd'],
    [3_600_000, 'h'],
    [60_000, 'min'],
    [1_000, 's'],
  ] as const;
  for (const [size, unit] of units) if (ms >= size) return `${Math.floor(ms / size)} ${unit}`;
  return `${Math.max(0, Math.round(ms))} ms`;
}

/** A number of bytes in units of 1024: `512 B`, `38.2 MiB`. */
export function bytesText(bytes: number): string {
  const units = ['KiB', 'MiB', 'GiB', 'TiB'];
  if (bytes < 1024) return `${bytes} B`;
  let value = bytes;
  let unit = '';
  for (unit of units) {
    value /= 1024;
    if (value < 1024) break;
  }
  return `${value.toFixed(1)} ${unit}`;
}
