/** What is known of the zone's nodes, and what two states of one node say together: CPU, delay of the event loop, rates of channels. */
import { quantile, since, together } from './histogram.ts';
import { type NodeState, type Presence } from './shapes.ts';

/** A node as the page shows it. Shares and rates are undefined until a second state has come. */
export interface SeenNode {
  readonly state: NodeState;
  readonly presence: Presence;
  /** Since when its presence is so; until a change was seen, since its start. */
  readonly presentSince: number;
  /** Processor time a second: 1 is one core. */
  readonly cpu?: number;
  /** Below which 99 of 100 waits of its event loops were, in milliseconds, of those since the state before. */
  readonly delayMs?: number;
  /** Messages out a second over each channel, by the other node's name. */
  readonly sending: ReadonlyMap<string, number>;
  /** The last values, oldest first, for a small chart. */
  readonly history: readonly { readonly time: number; readonly cpu: number; readonly rss: number }[];
}

/** Values kept for a node's charts: fifteen minutes at one a second. */
const mostHistory = 900;

/**
 * The nodes after states have arrived. A node that is not among them stays as it was; with `whole` (the first states after a connection
 * was opened name every node there is) it is gone. A node that is gone stays, with its last state.
 */
export function mergeNodes(
  known: ReadonlyMap<string, SeenNode>,
  states: readonly NodeState[],
  whole = false,
): ReadonlyMap<string, SeenNode> {
  const merged = new Map(known);
  for (const state of states) merged.set(state.node, see(known.get(state.node), state));
  if (whole) {
    const named = new Set(states.map(({ node }) => node));
    for (const [name, node] of known) if (!named.has(name)) merged.set(name, vanish(node));
  }
  return merged;
}

function vanish(node: SeenNode): SeenNode {
  if (node.presence === 'gone') return node;
  return { ...node, presence: 'gone', presentSince: node.state.time, cpu: undefined, delayMs: undefined };
}

function see(before: SeenNode | undefined, state: NodeState): SeenNode {
  const { presence } = state;
  if (presence === 'gone') {
    const seen = before ? { ...vanish(before), state } : { ...bare(state), presence };
    return state.presentSince === undefined ? seen : { ...seen, presentSince: state.presentSince };
  }
  const last = before?.state;
  // Another incarnation counts from nothing.
  if (!before || !last || last.incarnation !== state.incarnation) return { ...bare(state), presence };
  const presentSince = state.presentSince ?? (before.presence === presence ? before.presentSince : state.time);
  const passed = state.time - last.time;
  if (passed <= 0) return { ...before, state, presence, presentSince };
  const cpu = Math.max(0, state.cpuMs - last.cpuMs) / passed;
  const delays = state.isolates.map(({ name, delay }) =>
    since(delay, last.isolates.find((isolate) => isolate.name === name)?.delay),
  );
  const sent = new Map(last.peers.map((peer) => [peer.node, peer.messagesOut]));
  const sending = new Map(
    state.peers.map((peer) => {
      const more = peer.messagesOut - (sent.get(peer.node) ?? peer.messagesOut);
      return [peer.node, (Math.max(0, more) / passed) * 1000];
    }),
  );
  const history = [...before.history.slice(1 - mostHistory), { time: state.time, cpu, rss: state.rss }];
  return {
    state,
    presence,
    presentSince,
    cpu,
    delayMs: quantile(together(delays), 0.99) ?? before.delayMs,
    sending,
    history,
  };
}

const bare = (state: NodeState): SeenNode => ({
  state,
  presence: 'up',
  presentSince: state.presentSince ?? state.since,
  sending: new Map(),
  history: [],
});

/** Whether a node has said anything of itself yet; before, there is no more than its name and that it is there. */
export const hasSpoken = ({ time }: NodeState): boolean => time > 0;

/** Whether a member is a node of the zone, rather than one that only watches or supervises. */
export const isNode = ({ role }: NodeState): boolean => role === 'node';

/** Whether a member is the zone's supervisor. */
export const isSupervisor = ({ role }: NodeState): boolean => role === 'supervisor';

/** Dead letters of all nodes by reason, most first. */
export function deadLettersOf(nodes: Iterable<SeenNode>): { reason: string; total: number; by: Map<string, number> }[] {
  const reasons = new Map<string, Map<string, number>>();
  for (const { state } of nodes) {
    for (const [reason, count] of Object.entries(state.deadLetters)) {
      if (count === 0) continue;
      const by = reasons.get(reason) ?? new Map<string, number>();
      reasons.set(reason, by.set(state.node, count));
    }
  }
  return [...reasons]
    .map(([reason, by]) => ({ reason, by, total: [...by.values()].reduce((sum, count) => sum + count, 0) }))
    .sort((a, b) => b.total - a.total);
}
