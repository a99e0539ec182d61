// Durations: what users write for a length of time, and what the core counts.
import test from 'ava';
import { countdown, milliseconds, NO_LIMIT, type Duration } from '../lib/duration.ts';
import { setLogger, type LogRecord } from '../lib/log.ts';

const ms = (duration: unknown) => milliseconds(duration as Duration, 'timeout');

test('numbers are milliseconds, strings carry their unit', (t) => {
  const cases: [unknown, number][] = [
    [0, 0],
    [250, 250],
    ['250ms', 250],
    ['0s', 0],
    ['10s', 10_000],
    ['5m', 300_000],
    ['1h', 3_600_000],
    ['1.5s', 1_500],
    ['2.007s', 2_007],
    ['0.25m', 15_000],
  ];
  for (const [duration, expected] of cases) t.is(ms(duration), expected, String(duration));
  for (const [duration, expected] of cases) t.is(ms(duration), expected, `${String(duration)}, again`);
});

test('parts of a millisecond are rounded up, so that nothing ends early', (t) => {
  t.is(ms(99.1), 100);
  t.is(ms('0.4ms'), 1);
});

test('Infinity and what is longer than 49 days have no limit', (t) => {
  for (const duration of [Infinity, 2 ** 32, 2 ** 60, '1200h', '99999999999h', `${'9'.repeat(400)}h`]) {
    t.is(ms(duration), NO_LIMIT, String(duration).slice(0, 20));
  }
  t.is(ms('1176h'), 49 * 24 * 3_600_000);
  t.true(ms('1193h') < NO_LIMIT);
});

test('what is no duration is refused by name', (t) => {
  for (const duration of [-1, -Infinity, NaN, '', '10', '10 s', '-5s', '1e3s', 's', '5d', 'ten', '1.s', '10S']) {
    const error = t.throws(() => ms(duration), { instanceOf: RangeError, message: /^"timeout" must be milliseconds/ });
    t.is((error as { code?: string }).code, 'INVALID_ARGUMENT');
  }
  for (const duration of [null, undefined, {}, [], true, 10n, new Date()]) {
    const error = t.throws(() => ms(duration), { instanceOf: TypeError, message: /^"timeout" must be milliseconds/ });
    t.is((error as { code?: string }).code, 'INVALID_ARGUMENT');
  }
});

test('many different texts are all understood', (t) => {
  for (let i = 50; i < 1_000; i++) t.is(ms(`${i}ms`), i);
  t.is(ms('10s'), 10_000);
});

test.serial('a small plain number is suspected to mean seconds, once', (t) => {
  const records: LogRecord[] = [];
  setLogger((record) => records.push(record));
  t.teardown(() => setLogger(undefined));
  for (const duration of [0, 50, '30ms', '1ms', 1_000]) ms(duration);
  t.is(records.length, 0);
  t.is(ms(30), 30);
  t.is(ms(10), 10);
  t.is(records.length, 1);
  t.is(records[0]?.level, 'warn');
  t.regex(records[0]?.message ?? '', /"timeout" is 30 milliseconds.*"30s"/);
});

test('what takes several steps has one time for all of them', (t) => {
  let now = 1_000.5;
  const left = countdown(30_000, () => now);
  t.is(left(), 30_000);
  now += 12_000.2;
  t.is(left(), 18_000, 'rounded up');
  now += 18_000;
  t.is(left(), 1, 'no step without a time');
  t.is((now += 5_000) && left(), 1);
});
