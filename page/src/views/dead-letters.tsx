/** Messages that reached nobody: how many, why, and on which node that was noticed. */
import { count } from '../format.ts';
import { deadLettersOf } from '../nodes.ts';
import { type Column, Table } from '../parts/table.tsx';
import { View } from '../parts/view.tsx';
import { members } from '../store.ts';

type Row = ReturnType<typeof deadLettersOf>[number];

/** Most nodes with a column each; beyond it, those with most dead letters, and the others together. */
const mostColumns = 8;

/** The view. */
export function DeadLetters() {
  const rows = deadLettersOf(members.value.values());
  const total = rows.reduce((sum, row) => sum + row.total, 0);
  const perNode = new Map<string, number>();
  for (const { by } of rows) for (const [node, number] of by) perNode.set(node, (perNode.get(node) ?? 0) + number);
  const named = [...perNode]
    .sort(([, a], [, b]) => b - a)
    .slice(0, mostColumns)
    .map(([node]) => node)
    .sort();
  const columns: Column<Row>[] = [
    { id: 'reason', title: 'Reason', head: true, cell: ({ reason }) => reason },
    { id: 'total', title: 'All', numeric: true, cell: (row) => <span class="strong">{count(row.total)}</span> },
    {
      id: 'share',
      title: 'Share',
      cell: (row) => (
        <span class="share">
          <span style={{ width: `${(100 * row.total) / total}%` }} />
        </span>
      ),
    },
    ...named.map((node): Column<Row> => ({
      id: `node ${node}`,
      title: node,
      numeric: true,
      cell: ({ by }) => <span class={by.has(node) ? undefined : 'muted'}>{count(by.get(node) ?? 0)}</span>,
    })),
  ];
  if (perNode.size > named.length) {
    columns.push({
      id: 'others',
      title: 'others',
      numeric: true,
      cell: ({ by, total: all }) => count(all - named.reduce((sum, node) => sum + (by.get(node) ?? 0), 0)),
    });
  }
  return (
    <View
      title="Dead letters"
      note={`${count(total)} since the nodes started`}
      tools={
        <a class="button quiet" href="/logs?text=reached+nobody">
          In the lines
        </a>
      }
    >
      <Table
        caption="Dead letters by reason and node"
        columns={columns}
        rows={rows}
        keyOf={({ reason }) => reason}
        empty="Every message has reached its worker."
      />
    </View>
  );
}
