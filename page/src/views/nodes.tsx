/** The nodes: which there are, how they are, what they cost. */
import { useMemo } from 'preact/hooks';
import { bytes, count, dayAndTime, duration, percent } from '../format.ts';
import { hasSpoken, type SeenNode } from '../nodes.ts';
import { PresenceMark } from '../parts/presence.tsx';
import { Spark } from '../parts/spark.tsx';
import { type Column, Table } from '../parts/table.tsx';
import { View } from '../parts/view.tsx';
import { pathOf } from '../router.ts';
import { nodes } from '../store.ts';

/** Above it a waiting event loop is felt by who waits for an answer. Milliseconds. */
export const slowLoopMs = 100;

const connected = ({ state }: SeenNode) => state.peers.filter((peer) => peer.state === 'connected').length;

const columns: readonly Column<SeenNode>[] = [
  {
    id: 'node',
    title: 'Node',
    head: true,
    cell: ({ state }) => <a href={pathOf({ view: 'node', node: state.node })}>{state.node}</a>,
  },
  { id: 'presence', title: 'State', cell: ({ presence }) => <PresenceMark presence={presence} /> },
  {
    id: 'since',
    title: 'For',
    hint: 'How long it has been so',
    cell: ({ presentSince }) => (
      <span title={dayAndTime(presentSince)}>{duration(Math.max(0, Date.now() - presentSince))}</span>
    ),
  },
  {
    id: 'cpu',
    title: 'CPU',
    hint: 'Processor time a second; 100 % is one core',
    numeric: true,
    cell: ({ cpu, history }) => (
      <span class="with-spark">
        <Spark values={history.map((value) => value.cpu)} top={1} />
        {percent(cpu)}
      </span>
    ),
  },
  { id: 'rss', title: 'Memory', numeric: true, cell: ({ state }) => (hasSpoken(state) ? bytes(state.rss) : '–') },
  {
    id: 'delay',
    title: 'Loop delay',
    hint: '99 of 100 waits of its event loops were at most so long',
    numeric: true,
    cell: ({ delayMs }) => <span class={(delayMs ?? 0) >= slowLoopMs ? 'warn' : undefined}>{duration(delayMs)}</span>,
  },
  {
    id: 'workers',
    title: 'Workers',
    numeric: true,
    cell: ({ state }) => <a href={`/workers?find=${encodeURIComponent(state.node)}`}>{count(state.workersTotal)}</a>,
  },
  {
    id: 'channels',
    title: 'Channels',
    hint: 'Connected, of those it knows',
    numeric: true,
    cell: (node) => (hasSpoken(node.state) ? `${connected(node)} / ${node.state.peers.length}` : '–'),
  },
  {
    id: 'pid',
    title: 'Process',
    numeric: true,
    cell: ({ state }) => <span class="mono">{hasSpoken(state) ? state.pid : '–'}</span>,
  },
  {
    id: 'http',
    title: 'HTTP',
    cell: ({ state }) => <span class="mono muted">{state.http ?? '–'}</span>,
  },
];

/** The view. */
export function Nodes() {
  const rows = nodes.value;
  const counts = useMemo(() => {
    const found = new Map<string, number>();
    for (const { presence } of rows) found.set(presence, (found.get(presence) ?? 0) + 1);
    return [...found].map(([presence, number]) => `${number} ${presence}`).join(', ');
  }, [rows]);
  return (
    <View title="Nodes" note={counts}>
      <Table
        caption="Nodes of the zone"
        columns={columns}
        rows={rows}
        keyOf={({ state }) => state.node}
        classOf={({ presence }) => (presence === 'gone' ? 'gone' : undefined)}
        empty="No node has said how it is yet."
      />
    </View>
  );
}
