/** Where the nodes stand in the picture of the zone, and which channels are between them. Pure: names in, places out. */
import { type SeenNode } from './nodes.ts';

/** A node's place. */
export interface Place {
  readonly node: SeenNode;
  readonly x: number;
  readonly y: number;
}

/** A channel between two places, as either end tells of it. */
export interface Channel {
  readonly from: Place;
  readonly to: Place;
  /** `one-sided`: only one end takes it for connected. */
  readonly state: 'connected' | 'one-sided' | 'away' | 'connecting';
  readonly roundTripMs?: number;
  /** Messages a second, both ways. */
  readonly rate: number;
}

/** Size of the picture, in its own units. */
export const size = { width: 960, height: 560 };

/** Places on an ellipse in the order given, beginning at the top; a single one in the middle. */
export function layOut(nodes: readonly SeenNode[]): Place[] {
  const [middleX, middleY] = [size.width / 2, size.height / 2];
  if (nodes.length === 1 && nodes[0]) return [{ node: nodes[0], x: middleX, y: middleY }];
  // Two or three stand side by side rather than above each other.
  const turn = nodes.length === 2 ? Math.PI : -Math.PI / 2;
  return nodes.map((node, i) => {
    const angle = turn + (i * 2 * Math.PI) / nodes.length;
    return {
      node,
      x: Math.round(middleX + Math.cos(angle) * (middleX - 130)),
      y: Math.round(middleY + Math.sin(angle) * (middleY - 70)),
    };
  });
}

/** Each pair of nodes of which one at least knows a channel to the other. */
export function channelsOf(places: readonly Place[]): Channel[] {
  const byName = new Map(places.map((place, i) => [place.node.state.node, [place, i] as const]));
  const found = new Map<string, Channel>();
  for (const [i, here] of places.entries()) {
    if (here.node.presence === 'gone') continue;
    for (const peer of here.node.state.peers) {
      const [there, j] = byName.get(peer.node) ?? [];
      if (!there || j === undefined) continue;
      const key = i < j ? `${i} ${j}` : `${j} ${i}`;
      const rate = here.node.sending.get(peer.node) ?? 0;
      const other = found.get(key);
      if (!other) {
        found.set(key, { from: here, to: there, state: peer.state, roundTripMs: peer.roundTripMs ?? undefined, rate });
        continue;
      }
      const state = other.state === peer.state ? peer.state : either(other.state, peer.state);
      const trips = [other.roundTripMs, peer.roundTripMs].filter((trip) => typeof trip === 'number');
      found.set(key, {
        ...other,
        state,
        rate: other.rate + rate,
        roundTripMs: trips.length > 0 ? Math.min(...trips) : undefined,
      });
    }
  }
  return [...found.values()];
}

const either = (a: Channel['state'], b: Channel['state']): Channel['state'] =>
  a === 'connected' || b === 'connected'
    ? 'one-sided'
    : a === 'connecting' || b === 'connecting'
      ? 'connecting'
      : 'away';
