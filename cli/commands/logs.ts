/** `troupe zone logs`: the lines of all nodes of a zone, as one. */
import { CommandFailure, EXIT } from '../failure.ts';
import { harmless, note, paint, type Style } from '../terminal.ts';
import { follow, history, type Reader } from '../zone/lines.ts';
import { withObserver } from '../zone/observer.ts';
import { LEVELS, type Level, type Line } from '../zone/reports.ts';
import { whichZone, type ZoneOption } from '../zone/which.ts';

interface Options extends ZoneOption {
  json?: boolean;
  follow?: boolean;
  node?: string;
  level: Level;
  lines?: number;
}

const COLOURS: Readonly<Record<Level, Style>> = { debug: 'gray', info: 'green', warn: 'yellow', error: 'red' };
/** Nodes are told apart by these; red and yellow say something else. */
const NODES: readonly Style[] = ['cyan', 'magenta', 'blue', 'green', 'cyanBright', 'magentaBright', 'blueBright'];

/** Prints what there is, and with `follow` what comes, until it is interrupted. */
export async function logs(options: Options): Promise<void> {
  const which = await whichZone(options);
  const output = options.json === true ? jsonOutput(options.follow === true) : { line: printLine, end: () => {} };
  const least = LEVELS.indexOf(options.level);
  const wanted = (line: Line) =>
    LEVELS.indexOf(line.level) >= least && (options.node === undefined || line.node === options.node);
  let found = 0;
  let show = output.line;
  const reader: Reader = {
    line: (line) => {
      if (!wanted(line)) return;
      found += 1;
      show(line);
    },
    dropped: (member, count) => note(missing(`${count} older lines of "${member}" are gone: it keeps only the newest`)),
    failed: (member, { message }) => {
      note(missing(`the lines of "${member}" can't be read: ${message}`));
      process.exitCode = EXIT.failed;
    },
  };
  await withObserver(which.zone, async (observer) => {
    const last: Line[] = [];
    const { lines: most } = options;
    if (most !== undefined) {
      // Only the last ones: nothing is printed before all have been seen.
      show = (line) => {
        last.push(line);
        if (last.length > most) last.shift();
      };
    }
    const sources = await history(observer, reader);
    for (const line of last) output.line(line);
    show = output.line;
    if (options.follow === true) {
      await follow(observer, sources, reader, new AbortController().signal);
    } else if (sources.length === 0) {
      output.end();
      throw new CommandFailure(
        `zone "${which.zone}" (${which.from}) has nobody who could tell. \`troupe zone deploy\` brings a zone up.`,
        EXIT.absent,
      );
    } else if (found === 0) note('There are no such lines.');
  });
  output.end();
}

const missing = (words: string): string => `${paint('yellow', 'note:', process.stderr)} ${words}`;

/** An array; while lines may still come, one object a line, as an array would have no end. */
function jsonOutput(endless: boolean): { line: (line: Line) => void; end: () => void } {
  if (endless) return { line: (line) => process.stdout.write(`${JSON.stringify(line)}\n`), end: () => {} };
  let isFirst = true;
  return {
    line: (line) => {
      process.stdout.write(`${isFirst ? '[\n' : ',\n'}${JSON.stringify(line)}`);
      isFirst = false;
    },
    end: () => process.stdout.write(isFirst ? '[]\n' : '\n]\n'),
  };
}

/** Time, level, node, and who speaks where that is not the node's own code; more lines of a message are indented. */
function printLine({ time, level, node, name, worker, message, fields }: Line): void {
  const shown = process.stdout.isTTY === true ? clock(new Date(time)) : new Date(time).toISOString();
  const speaker = [name === 'node' ? '' : name, worker ?? ''].filter((part) => part !== '').join(' ');
  const text = message.split('\n').map(harmless).join('\n  ');
  const details = fields === undefined ? '' : ` ${paint('gray', harmless(JSON.stringify(fields)))}`;
  const parts = [
    paint('gray', shown),
    paint(COLOURS[level], level.toUpperCase().padEnd(5)),
    paint(colourOf(node), node),
    ...(speaker === '' ? [] : [paint('gray', `${speaker}:`)]),
    text,
  ];
  process.stdout.write(`${parts.join(' ')}${details}\n`);
}

/** The time of day where the person is. */
function clock(time: Date): string {
  const parts = [time.getHours(), time.getMinutes(), time.getSeconds()].map((part) => String(part).padStart(2, '0'));
  return `${parts.join(':')}.${String(time.getMilliseconds()).padStart(3, '0')}`;
}

/** Always the same colour for the same node. */
function colourOf(node: string): Style {
  let sum = 0;
  for (const character of node) sum = (sum * 31 + character.charCodeAt(0)) >>> 0;
  return NODES[sum % NODES.length] as Style;
}
