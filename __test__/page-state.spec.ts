/** What the page holds of a zone: lines within bounds, the list of those that fit, nodes and workers over time. */
import test from 'ava';
import { cursorBefore, historyOf, linesBetween } from '../page/src/cursor.ts';
import { quantile, since, together } from '../page/src/histogram.ts';
import { held, Lines } from '../page/src/lines.ts';
import { deadLettersOf, mergeNodes, type SeenNode } from '../page/src/nodes.ts';
import { channelsOf, layOut } from '../page/src/picture.ts';
import { readDetail, readLine, readNode, readWorker } from '../page/src/reading.ts';
import { type Histogram, type NodeState, type Peer, type WorkerState } from '../page/src/shapes.ts';
import { Shown } from '../page/src/shown.ts';
import { findsWorker, mergeWorkers, sortWorkers } from '../page/src/workers.ts';

const line = (id: number, message = `line ${id}`) =>
  held({ id: String(id), time: id, node: 'a', level: 'info', name: 'node', message });
const idsOf = (shown: Shown) => Array.from({ length: shown.length }, (_, i) => Number(shown.at(i)?.id));

test('200 000 lines are held, and no more: the oldest go first', (t) => {
  const lines = new Lines();
  for (let i = 0; i < 450_000; i += 1) lines.append(line(i));
  t.is(lines.end - lines.start, 200_000);
  t.is(lines.at(lines.start)?.id, '250000');
  t.is(lines.at(lines.end - 1)?.id, '449999');
  t.is(lines.at(lines.start - 1), undefined);
  t.is(lines.at(lines.end), undefined);
});

test('lines are bounded by their text too, and the newest is held however long it is', (t) => {
  const lines = new Lines(1000, 100);
  for (let i = 0; i < 50; i += 1) lines.append(line(i, 'x'.repeat(30)));
  t.is(lines.end - lines.start, 3);
  t.is(lines.text, 90);
  lines.append(line(50, 'x'.repeat(500)));
  t.is(lines.end - lines.start, 1);
  t.is(lines.at(lines.start)?.id, '50');
  lines.append(line(51, ''));
  t.is(lines.text, 0);
  lines.clear();
  t.is(lines.at(lines.end - 1), undefined);
});

test('the list has the lines that fit, in order, while lines come and go', (t) => {
  const lines = new Lines(10);
  const even = new Shown(lines, ({ id }) => Number(id) % 2 === 0);
  for (let i = 0; i < 7; i += 1) lines.append(line(i));
  t.is(even.catchUp(), 0);
  t.deepEqual(idsOf(even), [0, 2, 4, 6]);
  for (let i = 7; i < 15; i += 1) lines.append(line(i));
  t.is(even.catchUp(), 3);
  t.deepEqual(idsOf(even), [6, 8, 10, 12, 14]);
  t.is(even.before(9), 2);
  t.is(even.numberAt(2), 10);
  t.is(even.at(-1), undefined);
  even.refill(({ id }) => Number(id) > 12);
  t.deepEqual(idsOf(even), [13, 14]);
});

test('the list does not grow with what it has given up', (t) => {
  const lines = new Lines(100);
  const all = new Shown(lines, () => true);
  for (let i = 0; i < 60_000; i += 1) {
    lines.append(line(i));
    all.catchUp();
  }
  t.is(all.length, 100);
  t.is(all.at(0)?.id, '59900');
  // More at once than the ring holds: those that were never seen are no loss to it.
  for (let i = 60_000; i < 61_000; i += 1) lines.append(line(i));
  all.catchUp();
  t.is(all.at(0)?.id, '60900');
});

const histogram = (...counts: number[]): Histogram => ({
  count: counts.reduce((sum, count) => sum + count, 0),
  sumMs: 0,
  buckets: counts.map((count, i) => [i === counts.length - 1 ? null : 2 ** i, count] as const),
});

test('a histogram tells below which duration a share lies, of all and of what came since', (t) => {
  t.is(quantile(histogram(98, 1, 1, 0), 0.99), 2);
  t.is(quantile(histogram(0, 0, 0, 3), 0.5), Infinity);
  t.is(quantile(histogram(0, 0), 0.5), undefined);
  const newer = since(histogram(100, 0, 5, 0), histogram(100, 0, 1, 0));
  t.is(quantile(newer, 0.5), 4);
  t.is(newer.count, 4);
  const restarted = histogram(3, 0, 0, 0);
  t.is(since(restarted, histogram(100, 0, 0, 0)), restarted);
  t.is(together([histogram(1, 2), histogram(3, 4)]).count, 10);
});

const peer = (fields: Partial<Peer> & { node: string }): Peer => ({
  state: 'connected',
  bytesIn: 0,
  bytesOut: 0,
  messagesIn: 0,
  messagesOut: 0,
  handshakes: 1,
  ...fields,
});

const state = (node: string, fields: Partial<NodeState> = {}): NodeState => ({
  node,
  id: node,
  incarnation: '1',
  zone: 'z',
  role: 'node',
  pid: 1,
  version: '0',
  since: 0,
  time: 1000,
  state: 'up',
  presence: 'up',
  cpuMs: 0,
  rss: 1,
  isolates: [],
  workersTotal: 0,
  classes: [],
  deadLetters: {},
  peers: [],
  failures: [],
  ...fields,
});

test('two states of a node tell its CPU, its delay and its rates', (t) => {
  const loop = (delay: Histogram) => [{ name: 'main', sinceTurnMs: 0, delay }];
  const first = mergeNodes(new Map(), [state('a', { isolates: loop(histogram(9, 0, 9, 0)) })]);
  t.is(first.get('a')?.cpu, undefined);
  const second = mergeNodes(first, [
    state('a', {
      time: 3000,
      cpuMs: 500,
      isolates: loop(histogram(19, 0, 9, 0)),
      peers: [peer({ node: 'b', messagesOut: 40 })],
    }),
  ]);
  t.is(second.get('a')?.cpu, 0.25);
  t.is(second.get('a')?.delayMs, 1);
  t.is(second.get('a')?.sending.get('b'), 0);
  const third = mergeNodes(second, [
    state('a', { time: 4000, cpuMs: 500, peers: [peer({ node: 'b', messagesOut: 70 })] }),
  ]);
  t.is(third.get('a')?.sending.get('b'), 30);
  t.is(third.get('a')?.history.length, 2);
});

test('a node that began anew has no negative figures', (t) => {
  const before = mergeNodes(new Map(), [state('a', { cpuMs: 9000 })]);
  const after = mergeNodes(before, [state('a', { incarnation: '2', time: 2000, cpuMs: 5 })]);
  t.is(after.get('a')?.cpu, undefined);
  t.is(after.get('a')?.presence, 'up');
});

test('a node that vanishes stays as gone, with the last that was seen of it, and comes back', (t) => {
  const seen = mergeNodes(new Map(), [state('a', { workersTotal: 7 }), state('b')]);
  const told = mergeNodes(seen, [state('a', { presence: 'gone', workersTotal: 7 })]);
  t.is(told.get('a')?.presence, 'gone');
  t.is(told.get('b')?.presence, 'up');
  // Only the first states after a connection was opened name every node.
  t.is(mergeNodes(seen, [state('b')]).get('a')?.presence, 'up');
  const missed = mergeNodes(seen, [state('b')], true);
  t.is(missed.get('a')?.presence, 'gone');
  t.is(missed.get('a')?.state.workersTotal, 7);
  t.is(mergeNodes(missed, [state('a', { time: 2000 })]).get('a')?.presence, 'up');
});

test('dead letters are told by reason and node, most first, and those of none are not told', (t) => {
  const nodes = mergeNodes(new Map(), [
    state('a', { deadLetters: { stopped: 2, 'no such worker': 1, never: 0 } }),
    state('b', { deadLetters: { 'no such worker': 4 } }),
  ]);
  const rows = deadLettersOf(nodes.values());
  t.deepEqual(
    rows.map(({ reason, total }) => [reason, total]),
    [
      ['no such worker', 5],
      ['stopped', 2],
    ],
  );
  t.is(rows[0]?.by.get('b'), 4);
});

const worker = (name: string, fields: Partial<WorkerState> = {}): WorkerState => ({
  node: 'a',
  name,
  type: 'T',
  state: 'idle',
  queued: 0,
  handled: 0,
  failed: 0,
  restarts: 0,
  ...fields,
});
const nobody = () => false;

test('two lists of workers tell their rates; a worker that began anew has none', (t) => {
  const first = mergeWorkers(new Map(), [worker('x', { handled: 10 }), worker('y', { handled: 10 })], 0, nobody);
  t.is(first.get('a/x')?.rate, undefined);
  const second = mergeWorkers(first, [worker('x', { handled: 30 }), worker('y', { handled: 1 })], 2000, nobody);
  t.is(second.get('a/x')?.rate, 10);
  t.is(second.get('a/y')?.rate, undefined);
});

test('workers of a node that is gone stay, marked; those that stopped do not', (t) => {
  const list = [worker('x'), worker('y', { node: 'b' }), worker('z', { node: 'b' })];
  const known = mergeWorkers(new Map(), list, 0, nobody);
  const gone = (node: string) => node === 'a';
  const after = mergeWorkers(known, [worker('y', { node: 'b' })], 1000, gone);
  t.deepEqual([...after.keys()].sort(), ['a/x', 'b/y']);
  t.true(after.get('a/x')?.gone);
  t.true(mergeWorkers(known, list, 1000, gone).get('a/x')?.gone);
  t.is(mergeWorkers(known, list, 1000, gone).get('a/x')?.rate, undefined);
  t.false(after.get('b/y')?.gone);
});

test('workers sort by each column, those with the same value by name, and are found by name, class and node', (t) => {
  const known = mergeWorkers(
    new Map(),
    [worker('b', { queued: 2 }), worker('c', { queued: 5, failed: 1 }), worker('a', { queued: 2, oldestMs: 9 })],
    0,
    nobody,
  );
  const names = (...[by, down]: [Parameters<typeof sortWorkers>[1], boolean]) =>
    sortWorkers(known.values(), by, down)
      .map(({ name }) => name)
      .join('');
  t.is(names('queued', true), 'cab');
  t.is(names('queued', false), 'abc');
  t.is(names('failed', true), 'cab');
  t.is(names('oldest', true), 'abc');
  t.is(names('name', true), 'cba');
  t.deepEqual(
    [...known.values()].filter(findsWorker('A/B'.slice(2))).map(({ name }) => name),
    ['b'],
  );
  t.is([...known.values()].filter(findsWorker('t')).length, 3);
});

test('a channel is one line between two nodes, and says when only one end takes it for connected', (t) => {
  const seen = mergeNodes(new Map(), [
    state('a', { peers: [peer({ node: 'b', roundTripMs: 3 }), peer({ node: 'c', state: 'connecting' })] }),
    state('b', { peers: [peer({ node: 'a', state: 'away', roundTripMs: 2 }), peer({ node: 'who' })] }),
    state('c', { presence: 'gone', peers: [peer({ node: 'b' })] }),
  ]);
  const places = layOut([...seen.values()] as SeenNode[]);
  t.is(new Set(places.map(({ x, y }) => `${x} ${y}`)).size, 3);
  t.deepEqual(
    channelsOf(places).map(({ from, to, state, roundTripMs }) => [
      from.node.state.node,
      to.node.state.node,
      state,
      roundTripMs,
    ]),
    [
      ['a', 'b', 'one-sided', 2],
      ['a', 'c', 'connecting', undefined],
    ],
  );
});

test('a cursor tells its history, and the cursor of a line so many before', (t) => {
  t.is(historyOf('0000a11e-17'), '0000a11e');
  t.is(historyOf('17'), '');
  t.is(cursorBefore('0000a11e-17', 5), '0000a11e-12');
  t.is(cursorBefore('0000a11e-17', 200), '0000a11e-0');
  for (const none of ['', 'x', '7-', '-7', '0000a11e--7', '0000a11e-7x']) t.is(cursorBefore(none, 1), undefined, none);
});

test('whatever arrives becomes whole: what is missing or of another kind is empty', (t) => {
  for (const value of [
    undefined,
    null,
    5,
    'x',
    [],
    { peers: {}, isolates: 'x', classes: [7], deadLetters: [], time: '9', role: 2 },
  ]) {
    const node = readNode(value);
    t.deepEqual([node.presence, node.role, node.time, node.peers, node.isolates], ['up', 'node', 0, [], []]);
    t.is(readWorker(value).state, 'unknown');
    t.deepEqual(readDetail(value).samples, []);
    t.is(readLine(value).level, 'info');
    t.notThrows(() => mergeNodes(mergeNodes(new Map(), [node]), [node]));
  }
  t.deepEqual(readDetail({ samples: [[1, 2, 3, 4], 5, [6]] }).samples, [
    [1, 2, 3, 4],
    [0, 0, 0, 0],
    [6, 0, 0, 0],
  ]);
  const whole = state('a', { presence: 'stalled', presentSince: 3, peers: [peer({ node: 'b', roundTripMs: 1 })] });
  t.deepEqual(readNode(JSON.parse(JSON.stringify(whole))), { ...whole, http: undefined, asOf: undefined });
});

test('lines between two cursors are those that are missing, and none where the server began anew', (t) => {
  t.is(linesBetween('a-7', 'a-8'), 0);
  t.is(linesBetween('a-7', 'a-12'), 4);
  t.is(linesBetween('a-7', 'a-3'), 0);
  for (const [before, after] of [
    ['a-7', 'b-12'],
    ['', 'a-12'],
    ['a-7', ''],
    ['', ''],
  ] as const)
    t.is(linesBetween(before, after), 0);
});
