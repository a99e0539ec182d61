/** Reads the text format of Prometheus by its rules: what does not keep to them is an error. */

/** One line of values. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** A metric with all of its samples. */
export interface Family {
  readonly type: string;
  readonly help: string;
  readonly samples: Sample[];
}

/** What a histogram's samples are called behind its name. */
const PARTS = ['_bucket', '_sum', '_count'];

/** The families of a text, by name, in its order. */
export function families(text: string): Map<string, Family> {
  if (!text.endsWith('\n')) throw new Error('the last line has no end');
  const found = new Map<string, Family>();
  const series = new Set<string>();
  let help: [string, string] | undefined;
  let open: [string, Family] | undefined;
  for (const line of text.slice(0, -1).split('\n')) {
    const [, word, name = '', rest = ''] = /^# (HELP|TYPE) ([a-zA-Z_:][\w:]*) (.+)$/.exec(line) ?? [];
    if (word === 'HELP') {
      if (found.has(name)) throw new Error(`${name} comes twice`);
      help = [name, rest];
    } else if (word === 'TYPE') {
      if (help?.[0] !== name) throw new Error(`${name} has no help before its type`);
      open = [name, { type: rest, help: help[1], samples: [] }];
      found.set(...open);
    } else {
      const sample = sampleOf(line);
      const names = open?.[1].type === 'histogram' ? PARTS.map((part) => `${open?.[0]}${part}`) : [open?.[0]];
      if (!names.includes(sample.name)) throw new Error(`a sample outside of its family: ${line}`);
      const key = line.slice(0, line.lastIndexOf(' '));
      if (series.has(key)) throw new Error(`the same series twice: ${line}`);
      series.add(key);
      open?.[1].samples.push(sample);
    }
  }
  return found;
}

function sampleOf(line: string): Sample {
  const [head = '', name = ''] = /^([a-zA-Z_:][\w:]*)/.exec(line) ?? [];
  let at = head.length;
  const labels: Record<string, string> = {};
  if (line[at] === '{') {
    const label = /[{,]([a-zA-Z_]\w*)="((?:[^"\\]|\\[\\"n])*)"/y;
    label.lastIndex = at;
    for (let match = label.exec(line); match !== null; match = label.exec(line)) {
      const [, key = '', escaped = ''] = match;
      if (key in labels) throw new Error(`a label twice: ${line}`);
      labels[key] = escaped.replace(/\\(.)/g, (_, character: string) => (character === 'n' ? '\n' : character));
      at = label.lastIndex;
    }
    if (line[at] !== '}') throw new Error(`labels without an end: ${line}`);
    at += 1;
  }
  const [, value = ''] = /^ ([+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?)$/.exec(line.slice(at)) ?? [];
  if (value === '') throw new Error(`no sample: ${line}`);
  return { name, labels, value: Number(value) };
}
