/** Which lines a person wants to see, and how that stands in the address. */
import { type HeldLine } from './lines.ts';
import { type Level } from './shapes.ts';

/** The levels, quietest first. */
export const levels: readonly Level[] = ['debug', 'info', 'warn', 'error'];

/** Empty fields ask for nothing. `level` is the quietest that is shown. */
export interface LineFilter {
  readonly level: Level;
  readonly node: string;
  readonly worker: string;
  readonly text: string;
}

/** Every line. */
export const everything: LineFilter = { level: 'debug', node: '', worker: '', text: '' };

/** Reads a filter from an address's query; what it doesn't know, it takes for not said. */
export function filterOf(query: URLSearchParams): LineFilter {
  const level = query.get('level') as Level;
  return {
    level: levels.includes(level) ? level : 'debug',
    node: query.get('node') ?? '',
    worker: query.get('worker') ?? '',
    text: query.get('text') ?? '',
  };
}

/** The query of a filter, without the `?`: only what asks for something, always in the same order. */
export function queryOf(filter: LineFilter, line = ''): string {
  const query = new URLSearchParams();
  if (filter.level !== 'debug') query.set('level', filter.level);
  for (const field of ['node', 'worker', 'text'] as const) if (filter[field]) query.set(field, filter[field]);
  if (line) query.set('line', line);
  return query.toString();
}

/**
 * The test of a filter. Text is found in message, worker and fields, whatever its case. A worker is named whole, or by its beginning with
 * `*` behind it. Marks of missing lines always fit: that lines are missing is true under every filter.
 */
export function matcher(filter: LineFilter): (line: HeldLine) => boolean {
  const least = levels.indexOf(filter.level);
  const { node } = filter;
  const text = filter.text ? new RegExp(filter.text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'), 'iu') : undefined;
  const prefix = filter.worker.endsWith('*') ? filter.worker.slice(0, -1) : undefined;
  return (line) => {
    if (line.lost !== undefined) return true;
    if (least > 0 && levels.indexOf(line.level) < least) return false;
    if (node && line.node !== node) return false;
    if (filter.worker) {
      const name = line.worker ?? '';
      if (prefix === undefined ? name !== filter.worker : !name.startsWith(prefix)) return false;
    }
    if (!text) return true;
    if (text.test(line.plain) || text.test(line.worker ?? '')) return true;
    return line.fields !== undefined && text.test(fieldsText(line.fields));
  };
}

/** Fields on one line, as `name=value`; what is no text, as JSON. */
export function fieldsText(fields: Readonly<Record<string, unknown>>): string {
  return Object.entries(fields)
    .map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(' ');
}

/** What a failure among the fields says, where it is one: name and message, and the stack by itself. */
export function failureOf(value: unknown): { message: string; stack: string } | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { name, message, stack } = value as Readonly<Record<string, unknown>>;
  if (typeof message !== 'string' || typeof stack !== 'string') return undefined;
  return { message: typeof name === 'string' ? `${name}: ${message}` : message, stack };
}

/** Fields as a row has room for them: of a failure only what it says, and not what the row says already. */
export function fieldsInShort(fields: Readonly<Record<string, unknown>>, worker: string | undefined): string {
  const told = Object.entries(fields).filter(([name, value]) => !(name === 'worker' && value === worker));
  return fieldsText(Object.fromEntries(told.map(([name, value]) => [name, failureOf(value)?.message ?? value])));
}
