/** The page's pure parts: what an address means, which lines a filter lets through, what colours of terminals become. */
import test from 'ava';
import { pieces, withoutAnsi } from '../page/src/ansi.ts';
import {
  everything,
  failureOf,
  fieldsInShort,
  filterOf,
  type LineFilter,
  matcher,
  queryOf,
} from '../page/src/filter.ts';
import { bytes, count, duration, percent, rate } from '../page/src/format.ts';
import { gap, held } from '../page/src/lines.ts';
import { pathOf, places, type Route, routeOf } from '../page/src/router.ts';
import { type Line } from '../page/src/shapes.ts';

const line = (fields: Partial<Line>) =>
  held({ id: '1', time: 0, node: 'runner-0', level: 'info', name: 'node', message: '', ...fields });
const fits = (filter: Partial<LineFilter>, fields: Partial<Line>) =>
  matcher({ ...everything, ...filter })(line(fields));

test('every view has an address, and the address leads back to the view', (t) => {
  const routes: Route[] = [
    ...places.map(({ view }): Route => ({ view })),
    { view: 'node', node: 'runner-0' },
    { view: 'node', node: 'a/b c%' },
    { view: 'worker', node: 'runner-0', name: 'greeter' },
    { view: 'worker', node: 'r', name: 'täg/<b>?#' },
  ];
  for (const route of routes) t.deepEqual(routeOf(pathOf(route)), route);
});

test('an address that means no view is shown as such, whatever is in it', (t) => {
  t.deepEqual(routeOf('/'), { view: 'logs' });
  for (const path of ['/nope', '/logs/x', '/workers/only-node', '/workers/a/b/c', '/nodes/%E0%A4%A']) {
    t.is(routeOf(path).view, 'unknown', path);
  }
});

test('a filter stands in the address, and comes back from it', (t) => {
  const filter: LineFilter = { level: 'warn', node: 'runner-0', worker: 'gr*', text: 'a&b=c #1 é' };
  t.deepEqual(filterOf(new URLSearchParams(queryOf(filter))), filter);
  t.is(queryOf(everything), '');
  t.is(queryOf(everything, '17'), 'line=17');
  t.is(filterOf(new URLSearchParams('level=shout')).level, 'debug');
});

test('a filter lets through the level it names and those above', (t) => {
  const through = (['debug', 'info', 'warn', 'error'] as const).filter((level) => fits({ level: 'warn' }, { level }));
  t.deepEqual(through, ['warn', 'error']);
});

test('a filter by node or worker takes the whole name; a worker also its beginning with a star', (t) => {
  t.true(fits({ node: 'runner-0' }, {}));
  t.false(fits({ node: 'runner' }, {}));
  t.true(fits({ worker: 'greeter' }, { worker: 'greeter' }));
  t.false(fits({ worker: 'greet' }, { worker: 'greeter' }));
  t.true(fits({ worker: 'greet*' }, { worker: 'greeter' }));
  t.false(fits({ worker: 'greet*' }, {}));
});

test('a filter finds text in message, worker and fields, whatever its case and whatever its characters', (t) => {
  t.true(fits({ text: 'ORDER (7)' }, { message: 'an order (7) came' }));
  t.true(fits({ text: 'greet' }, { worker: 'Greeter' }));
  t.true(fits({ text: 'user=u-7' }, { fields: { user: 'u-7' } }));
  t.true(fits({ text: '"deep":[1' }, { fields: { of: { deep: [1] } } }));
  t.false(fits({ text: '.*' }, { message: 'anything' }));
  t.true(fits({ text: 'red apple' }, { message: 'a \u001b[31mred\u001b[0m apple' }), 'through colours');
});

test('a row has of a failure among the fields what it says, and does not name the worker twice', (t) => {
  const error = { name: 'TypeError', message: 'no', stack: 'TypeError: no\n    at x' };
  t.is(fieldsInShort({ worker: 'w', error, n: 1 }, 'w'), 'error=TypeError: no n=1');
  t.is(fieldsInShort({ worker: 'v', of: { message: 'no' } }, 'w'), 'worker=v of={"message":"no"}');
  t.is(failureOf(error)?.stack, error.stack);
  for (const none of [null, undefined, 'x', 5, {}, { message: 5, stack: 'x' }]) t.is(failureOf(none), undefined);
});

test('a mark of missing lines passes every filter', (t) => {
  t.true(matcher({ level: 'error', node: 'x', worker: 'y', text: 'z' })(gap(3, 'lines are missing', 0)));
});

test('colours of terminals become marked pieces, and all other control sequences vanish', (t) => {
  t.deepEqual(pieces('plain'), [{ text: 'plain' }]);
  t.deepEqual(pieces('\u001b[1;31mbad\u001b[0m good'), [{ text: 'bad', bold: true, colour: 1 }, { text: ' good' }]);
  t.deepEqual(pieces('\u001b[92;44ma\u001b[39mb\u001b[49mc'), [
    { text: 'a', colour: 10, ground: 4 },
    { text: 'b', ground: 4 },
    { text: 'c' },
  ]);
  t.deepEqual(pieces('\u001b[38;5;196mx\u001b[48;2;1;2;3my'), [
    { text: 'x', colour: '#ff0000' },
    { text: 'y', colour: '#ff0000', ground: '#010203' },
  ]);
  t.deepEqual(pieces('\u001b[7mx\u001b[27my'), [{ text: 'x', colour: 0, ground: 7 }, { text: 'y' }]);
  t.is(
    withoutAnsi('a\u001b[2Kb\u001b]8;;http://x\u0007c\u001b]8;;\u001b\\d\u001bcE\u0007\u009bf\u0000\tg\nh'),
    'abcdEf\tg\nh',
  );
});

test('what is no colour is no style: bytes out of range, unfinished sequences, names of properties', (t) => {
  for (const text of [
    '\u001b[38;5;999mx',
    '\u001b[38;2;1;2mx',
    '\u001b[38;2;300;0;0mx',
    '\u001b[999mx',
    '\u001b[38mx',
  ]) {
    t.deepEqual(pieces(text), [{ text: 'x' }], JSON.stringify(text));
  }
  t.is(withoutAnsi('x\u001b[31'), 'x');
  t.is(withoutAnsi('x\u001b['), 'x');
});

test('pieces together are the text without its sequences, and a hostile line makes no more than 256 of them', (t) => {
  const hostile = Array.from({ length: 20_000 }, (_, i) => `\u001b[${30 + (i % 8)}m${i}`).join('');
  const made = pieces(hostile);
  t.is(made.map(({ text }) => text).join(''), withoutAnsi(hostile));
  t.is(made.length, 256);
});

test('figures are short and have their units', (t) => {
  t.is(count(1_234_567), '1\u202f234\u202f567');
  t.deepEqual([0, 0.25, 9.96, 1234.4].map(rate), ['0', '0.3', '10', '1\u202f234']);
  t.deepEqual([undefined, NaN].map(rate), ['–', '–']);
  t.deepEqual([0, 1023, 1024, 90.7 * 1024 ** 2, 3e12].map(bytes), ['0 B', '1023 B', '1.0 KB', '90.7 MB', '2.7 TB']);
  t.deepEqual([null, 0, 0.25, 12.4, 999.6, 9_960, 65_000, 200_000, 7_200_000, 3e8, Infinity].map(duration), [
    '–',
    '0 ms',
    '0.3 ms',
    '12 ms',
    '1.0 s',
    '10 s',
    '65 s',
    '3 min',
    '2 h',
    '3 d',
    '> 65 s',
  ]);
  t.deepEqual([0.004, 0.37, 1.5, undefined].map(percent), ['0.4 %', '37 %', '150 %', '–']);
});
