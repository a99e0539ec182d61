// What stands in two places is the same there: the port's records in Rust and TypeScript, the wire's numbers in the code and on its page.
import test from 'ava';
import { readFileSync } from 'node:fs';
import { ERROR_CODES } from '../lib/errors.ts';
import * as records from '../lib/port/record.ts';

const read = (path: string) => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');
/** Constants of Rust by name, in order: those of a module, or those at the margin. */
function constants(source: string, module?: string): [string, number][] {
  const part = module === undefined ? source : (source.split(`pub mod ${module} {`)[1]?.split('\n}')[0] ?? '');
  const margin = module === undefined ? '' : ' {4}';
  return [...part.matchAll(new RegExp(`^${margin}pub(?:\\(super\\))? const (\\w+): \\w+ = (.+);$`, 'gm'))].map(
    ([, name = '', value = '']) => [name, value === 'u32::MAX' ? 0xffff_ffff : Number(value.replaceAll('_', ''))],
  );
}

test("the port's records are the same in Rust and in TypeScript", (t) => {
  const rust = read('crates/node/src/port/record.rs');
  t.deepEqual(constants(rust, 'outgoing'), Object.entries(records.OUT));
  t.deepEqual(constants(rust, 'incoming'), Object.entries(records.IN));
  const stages = constants(rust, 'stage').map(([name, number]) => [number, name.toLowerCase().replaceAll('_', '-')]);
  t.deepEqual(stages, [...records.STAGES.entries()]);
  const shared = Object.entries(records).filter(([name, value]) => typeof value === 'number' && name !== 'HEADER');
  const theirs = new Map([...constants(rust), ...constants(rust, 'stage')]);
  for (const [name, value] of shared) t.is<unknown, unknown>(theirs.get(name), value, name);
});

const page = read('docs/wire.md');
/** The rows of a table of the page: those whose first cell matches. */
const rows = (first: RegExp, from = page) =>
  from
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .map((line) => line.split('|').map((cell) => cell.trim()))
    .flatMap(([, cell = '', ...others]) => {
      const found = first.exec(cell);
      return found === null ? [] : [[found[1] ?? '', ...others]];
    });
const section = (title: string) => page.split(`\n## ${title}\n`)[1]?.split('\n## ')[0] ?? '';

test('the page on the wire lists every kind of frame with its number', (t) => {
  const source = read('crates/proto/src/codec/kind.rs');
  const kinds = [...source.matchAll(/^pub\(super\) const (\w+): u8 = (NUMBERED_BIT \| )?(0x0\w);$/gm)]
    .map(([, name, numbered, value]) => [Number(value) | (numbered === undefined ? 0 : 0x40), name])
    // The first flag ends the kinds: its name begins with that of a kind.
    .filter(([, name]) => !/_/.test(String(name)));
  const listed = rows(/^`([04]\w)`$/, section('Frames')).map(([number, name]) => [Number(`0x${number}`), name]);
  t.is(kinds.length, 20);
  t.deepEqual(listed, kinds);
});

test('the page on the wire lists every failure with its number', (t) => {
  const listed = rows(/^(\d+)$/, section('Answers')).map(([number = '', name = '']) => [
    number,
    name.replaceAll('`', ''),
  ]);
  t.deepEqual(listed, Object.entries(ERROR_CODES));
});

test('the page on the wire lists every control request with the capability it takes', (t) => {
  const source = read('crates/node/src/node/events.rs');
  const needed = [...source.matchAll(/Some\(b'(\w)'\) => Some\(([^)]+)\)/g)].map(([, letter, set = '']) => [
    letter,
    [...set.matchAll(/Capabilities::(\w+)/g)]
      .map(([, name = '']) => name.replace('_', ':').toLowerCase())
      .join(' and '),
  ]);
  const listed = rows(/^`(\w)` \(\w\w\)$/, section('The control service')).map(([letter, , capability = '']) => [
    letter,
    capability.replaceAll('`', ''),
  ]);
  t.is(needed.length, 5);
  t.deepEqual(listed.filter(([, capability]) => capability !== 'none').sort(), needed.sort());
  const known = ['lib/control.ts', 'lib/observer.ts'].flatMap((file) =>
    [...read(file).matchAll(/^(?:export )?const \w+ = '(\w)';$/gm)].map(([, letter]) => letter),
  );
  t.deepEqual(listed.map(([letter]) => letter).sort(), known.sort());
});

test('the page on the wire lists every reason for a CLOSE', (t) => {
  const source = read('crates/proto/src/codec/session_frames.rs').split('pub enum CloseReason {')[1] ?? '';
  const reasons = [...source.matchAll(/^ {4}\w+ = (\d),$/gm)].map(([, number]) => number);
  const listed = rows(/^(\d)$/, section('The end of a channel')).map(([number]) => number);
  t.is(reasons.length, 6);
  t.deepEqual(listed, reasons);
});
