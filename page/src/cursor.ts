/** Cursors: `HISTORY-NUMBER`. Lines of one history are numbered from 1 on; a server that began anew has another history. */

/** The history that a cursor is of; empty where it is no cursor. */
export const historyOf = (cursor: string): string => /^([^-]+)-\d+$/.exec(cursor)?.[1] ?? '';

/** The cursor so many lines before the line of that cursor; undefined where it is no cursor. */
export function cursorBefore(cursor: string, lines: number): string | undefined {
  const [, history, number] = /^([^-]+)-(\d+)$/.exec(cursor) ?? [];
  return history === undefined ? undefined : `${history}-${Math.max(0, Number(number) - lines)}`;
}
