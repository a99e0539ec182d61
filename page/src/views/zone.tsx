/** The zone in one picture: its nodes, and the channels between them. The table below says the same in words. */
import { count, duration, rate } from '../format.ts';
import { isSupervisor } from '../nodes.ts';
import { PresenceMark } from '../parts/presence.tsx';
import { type Column, Table } from '../parts/table.tsx';
import { Section, View } from '../parts/view.tsx';
import { type Channel, channelsOf, layOut, type Place, size } from '../picture.ts';
import { pathOf } from '../router.ts';
import { members, nodes, zoneName } from '../store.ts';

const [boxWidth, boxHeight] = [168, 58];
/** Longest name that fits into a box; the whole one is in its title. */
const longestName = 20;
const short = (name: string) => (name.length > longestName ? `${name.slice(0, longestName - 1)}…` : name);

const workersOf = (number: number) => `${count(number)} ${number === 1 ? 'worker' : 'workers'}`;

const keyOf = ({ from, to }: Channel) => `${from.node.state.node} ${to.node.state.node}`;

const columns: readonly Column<Channel>[] = [
  {
    id: 'from',
    title: 'Between',
    head: true,
    cell: ({ from }) => <a href={pathOf({ view: 'node', node: from.node.state.node })}>{from.node.state.node}</a>,
  },
  {
    id: 'to',
    title: 'and',
    cell: ({ to }) => <a href={pathOf({ view: 'node', node: to.node.state.node })}>{to.node.state.node}</a>,
  },
  {
    id: 'state',
    title: 'Channel',
    cell: ({ state }) => <span class={state === 'connected' ? undefined : 'warn'}>{state}</span>,
  },
  { id: 'trip', title: 'Round trip', numeric: true, cell: (channel) => duration(channel.roundTripMs) },
  { id: 'rate', title: 'Messages a second', numeric: true, cell: (channel) => rate(channel.rate) },
];

function Line({ channel }: { channel: Channel }) {
  const { from, to, state } = channel;
  // One pixel for a quiet channel, six for one with 100 000 messages a second.
  const width = 1.2 + Math.log10(1 + channel.rate);
  const [x, y] = [(from.x + to.x) / 2, (from.y + to.y) / 2];
  return (
    <g class={`channel channel-${state}`}>
      <line x1={from.x} y1={from.y} x2={to.x} y2={to.y} stroke-width={width.toFixed(1)} />
      {channel.rate > 0 && (
        <text x={x} y={y - 4} class="channel-rate">
          {rate(channel.rate)}/s
        </text>
      )}
    </g>
  );
}

function Box({ place }: { place: Place }) {
  const { node, x, y } = place;
  const { state, presence } = node;
  return (
    <a href={pathOf({ view: 'node', node: state.node })} class={`box box-${presence}`}>
      <title>{`${state.node}: ${presence}, ${workersOf(state.workersTotal)}`}</title>
      <rect x={x - boxWidth / 2} y={y - boxHeight / 2} width={boxWidth} height={boxHeight} rx={8} />
      <circle cx={x - boxWidth / 2 + 18} cy={y - 9} r={4.5} />
      <text x={x - boxWidth / 2 + 32} y={y - 5} class="box-name">
        {short(state.node)}
      </text>
      <text x={x - boxWidth / 2 + 32} y={y + 14} class="box-note">
        {presence} · {workersOf(state.workersTotal)}
      </text>
    </a>
  );
}

/** The view. */
export function Zone() {
  const places = layOut(nodes.value);
  const channels = channelsOf(places);
  const supervisor = [...members.value.values()].find(({ state }) => isSupervisor(state));
  const up = nodes.value.filter(({ presence }) => presence !== 'gone').length;
  return (
    <View
      title={zoneName.value ? `Zone ${zoneName.value}` : 'Zone'}
      note={
        <>
          {count(up)} {up === 1 ? 'node' : 'nodes'}, {count(channels.length)}{' '}
          {channels.length === 1 ? 'channel' : 'channels'}
          {supervisor && (
            <>
              {' '}
              · supervisor <PresenceMark presence={supervisor.presence} />
            </>
          )}
        </>
      }
    >
      {places.length === 0 ? (
        <p class="empty">No node has said how it is yet.</p>
      ) : (
        <svg
          class="picture"
          viewBox={`0 0 ${size.width} ${size.height}`}
          role="group"
          aria-label={`${count(up)} nodes and ${count(channels.length)} channels between them`}
        >
          {channels.map((channel) => (
            <Line key={keyOf(channel)} channel={channel} />
          ))}
          {places.map((place) => (
            <Box key={place.node.state.node} place={place} />
          ))}
        </svg>
      )}
      <Section title="Channels">
        <Table
          caption="Channels between the nodes"
          columns={columns}
          rows={channels}
          keyOf={keyOf}
          empty="No node has a channel to another."
        />
      </Section>
    </View>
  );
}
