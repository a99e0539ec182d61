/** Where a command writes: colour and progress on a terminal, plain text elsewhere, and nothing that a terminal would obey. */
import { styleText } from 'node:util';

/** What a table takes where nobody says how wide the terminal is. */
const PLAIN_WIDTH = 80;
/** A command that is done sooner shows nothing of how it goes: it would only flicker. Milliseconds. */
const PATIENCE = 500;
/** How often the line of progress is written anew. Milliseconds. */
const BEAT = 100;
const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

/** A part of a line that colour sets off from the rest. */
export type Style = Parameters<typeof styleText>[0];

type Output = NodeJS.WriteStream;

/** Whether colour is wanted on a stream: it is a terminal, and `NO_COLOR` is not set. */
export function isColoured(output: Output): boolean {
  return output.isTTY === true && !process.env['NO_COLOR'] && process.env['TERM'] !== 'dumb';
}

/** The text in a colour where the stream takes colours. */
export function paint(style: Style, text: string, output: Output = process.stdout): string {
  // Whether the stream takes colours has been looked at; newer Nodes would look at standard output again.
  return isColoured(output) ? styleText(style, text, { validateStream: false } as never) : text;
}

/** The columns of a terminal; Infinity where the stream is none, so that nothing is cut for a program that reads it. */
export function widthOf(output: Output): number {
  return output.isTTY === true ? output.columns || PLAIN_WIDTH : Infinity;
}

/** Text of others for a terminal: what would move its cursor, change its colours or its title is shown, not obeyed. Tabs stay. */
export function harmless(text: string): string {
  // eslint-disable-next-line no-control-regex -- they are what is looked for
  return text.replace(/[\u0000-\u0008\u000a-\u001f\u007f-\u009f]/g, (character) => {
    const code = character.charCodeAt(0);
    if (code < 0x20) return String.fromCharCode(0x2400 + code);
    return code === 0x7f ? '\u2421' : '\ufffd';
  });
}

/** The same of several lines, which stay lines. */
export function harmlessLines(text: string): string {
  return text.split('\n').map(harmless).join('\n');
}

/** What stands before a line, in colour where there is any. */
export type Mark = readonly [style: Style, text: string];

export const FAILED: Mark = ['red', 'error:'];
export const BEWARE: Mark = ['yellow', 'note:'];
export const DONE: Mark = ['green', '✓'];

/** Lines for the person, on standard error, so that standard output holds only what was asked for. They may be the words of others. */
export function note(text: string, mark?: Mark): void {
  clearProgress();
  const before = mark === undefined ? '' : `${paint(mark[0], mark[1], process.stderr)} `;
  process.stderr.write(`${before}${harmlessLines(text)}\n`);
}

let hasArray = false;

/** Writes a part of the array that `--json` is, on standard output. */
export function writeArray(text: string): void {
  hasArray = true;
  process.stdout.write(text);
}

/** For the end of a command with `--json` that has failed: what reads its output gets an array all the same. */
export function endArray(): void {
  if (!hasArray) writeArray('[]\n');
}

/** Whether a line of progress stands on the terminal now. */
let isShown = false;

/** Takes the line of progress away, so that something else may stand there. */
function clearProgress(): void {
  if (isShown) process.stderr.write('\r\u001b[K');
  isShown = false;
}

/**
 * Shows on a terminal how far something is that takes more than half a second: `words` are asked for again and again, as they may
 * change. The line is gone when `body` has settled. Elsewhere it only awaits.
 */
export async function withProgress<T>(words: () => string, body: () => Promise<T>): Promise<T> {
  const output = process.stderr;
  if (output.isTTY !== true) return body();
  const started = performance.now();
  let shown = 0;
  const timer = setInterval(() => {
    const waited = performance.now() - started;
    if (waited < PATIENCE) return;
    const frame = FRAMES[shown++ % FRAMES.length] ?? '';
    const line = harmless(`${frame} ${words()} (${Math.floor(waited / 1000)} s)`);
    isShown = true;
    output.write(`\r\u001b[K${line.slice(0, Math.max(0, widthOf(output) - 1))}`);
  }, BEAT);
  // Also when a signal ends the command: what the shell says next begins a line.
  process.once('exit', clearProgress);
  try {
    return await body();
  } finally {
    clearInterval(timer);
    process.off('exit', clearProgress);
    clearProgress();
  }
}
