/** Cursors: `HISTORY-NUMBER`. Lines of one history are numbered from 1 on; a server that began anew has another history. */

/** The history that a cursor is of; empty where it is no cursor. */
export const historyOf = (cursor: string): string => /^([^-]+)-\d+$/.exec(cursor)?.[1] ?? '';

/** The cursor so many lines before the line of that cursor; undefined where it is no cursor. */
export function cursorBefore(cursor: string, lines: number): string | undefined {
  const [, history, number] = /^([^-]+)-(\d+)$/.exec(cursor) ?? [];
  return history === undefined ? undefined : `${history}-${Math.max(0, Number(number) - lines)}`;
}

/** How many lines are between the lines of two cursors; 0 where they are not of one history. */
export function linesBetween(before: string, after: string): number {
  if (!historyOf(before) || historyOf(before) !== historyOf(after)) return 0;
  const number = (cursor: string) => Number(cursor.slice(cursor.lastIndexOf('-') + 1));
  return Math.max(0, number(after) - number(before) - 1);
}
