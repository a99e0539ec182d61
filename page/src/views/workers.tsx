/** The workers: who has a queue, who is busy, who fails. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { changeQuery, query } from '../address.ts';
import { count, duration, hueOf, rate } from '../format.ts';
import { bind } from '../keys.ts';
import { type Column, Table } from '../parts/table.tsx';
import { View } from '../parts/view.tsx';
import { pathOf } from '../router.ts';
import { nodes, workers, workersKnown } from '../store.ts';
import { findsWorker, type SeenWorker, sortWorkers, type WorkerOrder } from '../workers.ts';

/** Rows shown before one asks for all: a screen or five, quick to bring up to date each second. */
const mostRows = 200;

const columns: readonly Column<SeenWorker>[] = [
  {
    id: 'name',
    title: 'Worker',
    head: true,
    cell: ({ node, name }) => <a href={pathOf({ view: 'worker', node, name })}>{name}</a>,
  },
  { id: 'type', title: 'Class', cell: ({ type }) => type },
  {
    id: 'node',
    title: 'Node',
    cell: ({ node, gone }) => (
      <>
        <a class={`hue-${hueOf(node)}`} href={pathOf({ view: 'node', node })}>
          {node}
        </a>
        {gone && <span class="tag">gone</span>}
      </>
    ),
  },
  {
    id: 'state',
    title: 'State',
    cell: ({ state, gone }) => <span class="muted">{gone ? `was ${state}` : state}</span>,
  },
  {
    id: 'queued',
    title: 'Queued',
    numeric: true,
    cell: ({ queued }) => <span class={queued > 0 ? 'strong' : 'muted'}>{count(queued)}</span>,
  },
  {
    id: 'rate',
    title: 'A second',
    hint: 'Messages handled a second',
    numeric: true,
    cell: (worker) => rate(worker.rate),
  },
  {
    id: 'oldest',
    title: 'Oldest waits',
    hint: 'How long the oldest message has been in the mailbox',
    numeric: true,
    cell: ({ oldestMs }) => duration(oldestMs),
  },
  { id: 'handled', title: 'Handled', numeric: true, cell: ({ handled }) => count(handled) },
  {
    id: 'failed',
    title: 'Failed',
    numeric: true,
    cell: ({ failed }) => <span class={failed > 0 ? 'error' : 'muted'}>{count(failed)}</span>,
  },
  {
    id: 'restarts',
    title: 'Restarts',
    numeric: true,
    cell: ({ restarts }) => <span class={restarts > 0 ? undefined : 'muted'}>{count(restarts)}</span>,
  },
];

const orders: readonly WorkerOrder[] = [
  ...(['name', 'type', 'node', 'queued', 'rate', 'failed', 'oldest', 'handled', 'restarts'] as const),
];
const upwards: readonly string[] = ['name', 'type', 'node'];

/** The view. */
export function Workers() {
  const field = useRef<HTMLInputElement>(null);
  const [all, showAll] = useState(false);
  useEffect(() => bind({ '/': () => field.current?.focus() }), []);
  const find = query.value.get('find') ?? '';
  const asked = query.value.get('by') as WorkerOrder;
  const by = orders.includes(asked) ? asked : 'queued';
  const turned = query.value.has('turned');
  const down = upwards.includes(by) ? turned : !turned;
  const found = sortWorkers([...workers.value.values()].filter(findsWorker(find)), by, down);
  const rows = all ? found : found.slice(0, mostRows);
  const known = workers.value.size;
  const goneOnes = [...workers.value.values()].filter(({ gone }) => gone).length;
  const total = nodes.value.reduce(
    (sum, { state, presence }) => sum + (presence === 'gone' ? 0 : state.workersTotal),
    goneOnes,
  );
  return (
    <View
      title="Workers"
      note={
        total > known
          ? `the ${count(known)} with the longest queues of ${count(total)}`
          : `${count(known)} on ${nodes.value.length} nodes`
      }
      tools={
        <input
          ref={field}
          type="search"
          placeholder="Find a worker  /"
          aria-label="Worker, class or node"
          value={find}
          onInput={(event) => changeQuery({ find: event.currentTarget.value })}
        />
      }
    >
      <Table
        caption="Workers of the zone"
        columns={columns}
        rows={rows}
        keyOf={({ key }) => key}
        classOf={({ gone }) => (gone ? 'gone' : undefined)}
        ordering={{
          by,
          down,
          columns: orders,
          change: (next) => changeQuery({ by: next, turned: next === by && !turned ? '1' : '' }),
        }}
        empty={
          find
            ? 'No worker has this in its name, class or node.'
            : workersKnown.value
              ? 'There is no worker in the zone.'
              : 'Waiting for the nodes to tell of their workers.'
        }
      />
      {found.length > rows.length && (
        <p>
          <button type="button" onClick={() => showAll(true)}>
            Show all {count(found.length)}
          </button>
        </p>
      )}
    </View>
  );
}
