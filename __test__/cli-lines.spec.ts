/** The lines of a zone without a supervisor: read from its nodes, in order, as they come, and with what was missed. */
import test from 'ava';
import { Sorter } from '../cli/zone/lines.ts';
import type { Line } from '../cli/zone/reports.ts';

const line = (node: string, time: number, message = ''): Line => ({
  seq: 0,
  time,
  node,
  level: 'info',
  name: 'node',
  message,
});

/** The messages of lines in the order in which a sorter gives them away, and how many it had given before the end. */
function sorted(lines: Line[]): { order: string[]; early: number } {
  const order: string[] = [];
  const sorter = new Sorter(({ node, time, message }) => order.push(`${node}${time}${message}`));
  for (const each of lines) sorter.push(each);
  const early = order.length;
  sorter.flush();
  return { order, early };
}

test('lines are put into the order of their times, those of one moment as they came', (t) => {
  const { order } = sorted([line('a', 3), line('b', 1), line('a', 4), line('b', 3, 'x'), line('c', 3), line('c', 9)]);
  t.deepEqual(order, ['b1', 'a3', 'b3x', 'c3', 'a4', 'c9']);
});

test('lines of one node keep their order when its clock is set back', (t) => {
  const { order } = sorted([line('a', 5, 'first'), line('a', 2, 'second'), line('b', 3), line('a', 6, 'third')]);
  t.deepEqual(order, ['b3', 'a5first', 'a2second', 'a6third']);
});

test('a sorter holds no more than twice what a node keeps', (t) => {
  const { order, early } = sorted(Array.from({ length: 50_000 }, (_, i) => line('a', i % 2 === 0 ? i + 1 : i - 1)));
  t.true(early >= 30_000, `${early}`);
  t.is(order.length, 50_000);
});
