/** `troupe zone logs`: the lines of all nodes of a zone, as one. */
import type { Node } from '#lib/node';
import { EXIT } from '../failure.ts';
import { BEWARE, harmless, note, paint, writeArray, type Style } from '../terminal.ts';
import { follow, history, type Reader } from '../zone/lines.ts';
import { lookAt, notUp, withObserver } from '../zone/observer.ts';
import type { Level, Line } from '../zone/reports.ts';
import { SUPERVISOR } from '../zone/supervisor.ts';
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
  const { level, node, lines: count } = options;
  const filter = { level, ...(node !== undefined && { node }) };
  let found = 0;
  const reader: Reader = {
    line: (line) => {
      found += 1;
      output.line(line);
    },
    dropped: (member, missed) => note(older(member, missed), BEWARE),
    failed: (member, { message }) => {
      note(`the lines of "${member}" can't be read: ${message}`, BEWARE);
      process.exitCode = EXIT.failed;
    },
  };
  const read = async (observer: Node): Promise<void> => {
    const sources = await history(observer, filter, reader, count);
    if (options.follow === true) {
      await follow(observer, sources, filter, reader, new AbortController().signal);
    } else if (sources.length === 0) {
      throw notUp(which);
    } else if (found === 0) note('There are no such lines.');
  };
  try {
    // Who follows may wait for the zone to come up.
    await (options.follow === true ? withObserver(which.zone, read) : lookAt(which, read));
  } finally {
    output.end();
  }
}

/** What is said of lines that were gone from memory before they were asked for. */
const older = (member: string, count: number): string =>
  member === SUPERVISOR
    ? `${count} older lines are not shown: the supervisor has them on disk, and \`--lines COUNT\` goes as far back as its 64 MiB do`
    : `${count} older lines of "${member}" are gone: it keeps only the newest`;

/** An array; while lines may still come, one object a line, as an array would have no end. */
function jsonOutput(endless: boolean): { line: (line: Line) => void; end: () => void } {
  if (endless) return { line: (line) => process.stdout.write(`${JSON.stringify(line)}\n`), end: () => {} };
  let isFirst = true;
  return {
    line: (line) => {
      writeArray(`${isFirst ? '[\n' : ',\n'}${JSON.stringify(line)}`);
      isFirst = false;
    },
    end: () => writeArray(isFirst ? '[]\n' : '\n]\n'),
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
    paint(colourOf(node), harmless(node)),
    ...(speaker === '' ? [] : [paint('gray', `${harmless(speaker)}:`)]),
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
