/** One node: its event loops, its classes of workers, its channels, what failed there. */
import { bytes, count, dayAndTime, duration, percent, rate } from '../format.ts';
import { hasSpoken, type SeenNode } from '../nodes.ts';
import { Bars } from '../parts/bars.tsx';
import { Failures } from '../parts/failures.tsx';
import { LazyChart } from '../parts/lazy-chart.tsx';
import { PresenceMark } from '../parts/presence.tsx';
import { type Column, Table } from '../parts/table.tsx';
import { Figure, Section, View } from '../parts/view.tsx';
import { pathOf } from '../router.ts';
import { type Peer, type WorkerClass } from '../shapes.ts';
import { connection, members } from '../store.ts';
import { slowLoopMs } from './nodes.tsx';

const classColumns: readonly Column<WorkerClass>[] = [
  { id: 'type', title: 'Class', head: true, cell: ({ type }) => type },
  { id: 'workers', title: 'Workers', numeric: true, cell: ({ workers }) => count(workers) },
  { id: 'queued', title: 'Queued', numeric: true, cell: ({ queued }) => count(queued) },
  { id: 'handled', title: 'Handled', numeric: true, cell: ({ handled }) => count(handled) },
  {
    id: 'failed',
    title: 'Failed',
    numeric: true,
    cell: ({ failed }) => <span class={failed > 0 ? 'error' : undefined}>{count(failed)}</span>,
  },
  { id: 'restarts', title: 'Restarts', numeric: true, cell: ({ restarts }) => count(restarts) },
  { id: 'mailbox', title: 'Time in mailbox', cell: ({ inMailbox }) => <Bars histogram={inMailbox} /> },
  { id: 'handler', title: 'Time in handler', cell: ({ inHandler }) => <Bars histogram={inHandler} /> },
];

const peerColumns = (node: SeenNode): readonly Column<Peer>[] => [
  {
    id: 'peer',
    title: 'Node',
    head: true,
    cell: (peer) => <a href={pathOf({ view: 'node', node: peer.node })}>{peer.node}</a>,
  },
  {
    id: 'state',
    title: 'Channel',
    cell: (peer) => <span class={peer.state === 'connected' ? undefined : 'warn'}>{peer.state}</span>,
  },
  { id: 'trip', title: 'Round trip', numeric: true, cell: (peer) => duration(peer.roundTripMs) },
  { id: 'rate', title: 'Sends a second', numeric: true, cell: (peer) => rate(node.sending.get(peer.node)) },
  {
    id: 'messages',
    title: 'Messages in / out',
    numeric: true,
    cell: (peer) => `${count(peer.messagesIn)} / ${count(peer.messagesOut)}`,
  },
  {
    id: 'bytes',
    title: 'Bytes in / out',
    numeric: true,
    cell: (peer) => `${bytes(peer.bytesIn)} / ${bytes(peer.bytesOut)}`,
  },
  { id: 'handshakes', title: 'Handshakes', numeric: true, cell: (peer) => count(peer.handshakes) },
];

/** The view of the node of that name. */
export function NodeView({ name }: { name: string }) {
  const node = members.value.get(name);
  const logs = `/logs?node=${encodeURIComponent(name)}`;
  if (!node) {
    const waiting = members.value.size === 0 && connection.value.state !== 'lost';
    return (
      <View title={name}>
        <p class="empty">
          {waiting ? 'Waiting for the nodes to say how they are.' : 'No node of this name has been seen in the zone.'}
        </p>
      </View>
    );
  }
  const { state, history } = node;
  if (!hasSpoken(state)) {
    return (
      <View title={name} note={<PresenceMark presence={node.presence} />}>
        <p class="callout">This node is {node.presence}, and has not said anything of itself yet.</p>
      </View>
    );
  }
  const times = history.map(({ time }) => time / 1000);
  return (
    <View
      title={name}
      note={<PresenceMark presence={node.presence} />}
      tools={
        <a class="button quiet" href={logs}>
          Its lines
        </a>
      }
    >
      {node.presence === 'gone' && (
        <p class="callout">This node is gone. What stands here is the last that was seen of it.</p>
      )}
      {state.asOf !== undefined && node.presence !== 'gone' && (
        <p class="callout">
          {state.asOf === null
            ? 'Its JavaScript is held up, and has told nothing of workers and classes yet.'
            : `Its JavaScript is held up. Workers and classes are those of ${duration(Math.max(0, state.time - state.asOf))} before.`}
        </p>
      )}
      <dl class="figures">
        <Figure name="CPU">{percent(node.cpu)}</Figure>
        <Figure name="memory">{bytes(state.rss)}</Figure>
        <Figure name="loop delay, 99 %" alarming={(node.delayMs ?? 0) >= slowLoopMs}>
          {duration(node.delayMs)}
        </Figure>
        <Figure name="workers">
          <a href={`/workers?find=${encodeURIComponent(name)}`}>{count(state.workersTotal)}</a>
        </Figure>
        <Figure name="up for">{duration(Math.max(0, state.time - state.since))}</Figure>
      </dl>
      <p class="facts">
        <span>since {dayAndTime(state.since)}</span>
        <span>process {state.pid}</span>
        <span>troupe {state.version}</span>
        {state.http && <span>HTTP at {state.http}</span>}
      </p>
      <div class="charts">
        <LazyChart title="CPU" times={times} values={history.map(({ cpu }) => cpu)} colour="accent" format={percent} />
        <LazyChart
          title="Memory"
          times={times}
          values={history.map(({ rss }) => rss)}
          colour="calm"
          format={bytes}
          steps="binary"
        />
      </div>
      <Section title="Event loops">
        <Table
          caption="Event loops of this node"
          columns={[
            { id: 'name', title: 'Isolate', head: true, cell: (isolate) => isolate.name },
            { id: 'turn', title: 'Last turn', cell: (isolate) => `${duration(isolate.sinceTurnMs)} ago` },
            { id: 'delay', title: 'Delay since its start', cell: (isolate) => <Bars histogram={isolate.delay} /> },
          ]}
          rows={state.isolates}
          keyOf={(isolate) => isolate.name}
          empty="It has none."
        />
      </Section>
      <Section title="Classes of workers">
        <Table
          caption="Classes of workers on this node"
          columns={classColumns}
          rows={state.classes}
          keyOf={({ type }) => type}
          empty="It has no workers."
        />
      </Section>
      <Section title="Channels">
        <Table
          caption="Channels of this node"
          columns={peerColumns(node)}
          rows={state.peers}
          keyOf={(peer) => peer.node}
          empty="It has a channel to nobody."
        />
      </Section>
      <Section title="Last failures">
        <Failures failures={state.failures} node={name} />
      </Section>
    </View>
  );
}
