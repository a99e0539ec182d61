/** `troupe zone nodes` and `troupe zone workers`: what the nodes of a zone report of themselves. */
import type { Node } from '#lib/node';
import type { Member } from '#lib/observer';
import { EXIT } from '../failure.ts';
import { bytesText, list, timeText } from '../table.ts';
import { BEWARE, note, withProgress } from '../terminal.ts';
import { lookAt, nodesNamed, notUp, stateOf } from '../zone/observer.ts';
import type { NodeState, WorkerState } from '../zone/reports.ts';
import { isSupervised } from '../zone/supervisor.ts';
import { whichZone, type WhichZone, type ZoneOption } from '../zone/which.ts';

interface Options extends ZoneOption {
  json?: boolean;
  node?: string;
}

/** Workers of a node that are asked for; the busiest come first. */
const MOST_WORKERS = 1_000;

/** A row of `zone nodes`. */
type NodeRow = Pick<NodeState, 'node' | 'id'> & { state: string; workers?: undefined } & Partial<
    Omit<NodeState, 'node' | 'id' | 'state' | 'workers'>
  >;

const EMPTY = ({ zone, from }: WhichZone, of: string): string =>
  `zone "${zone}" (${from}) has no ${of}. \`troupe zone deploy\` brings a zone up; \`troupe zone list\` shows which there are.`;

/** Prints a row for each node. */
export async function nodes(options: Options): Promise<void> {
  const which = await whichZone(options);
  const rows = await eachNode(which, options.node, async (observer, member): Promise<NodeRow> => {
    const state = await stateOf(observer, member, 0);
    if (state instanceof Error) {
      unheard(member.name, state);
      return { node: member.name, id: member.id, state: 'no answer' };
    }
    return { ...state, workers: undefined };
  });
  const known = (of: (row: NodeRow) => string | number) => (row: NodeRow) => (row.pid === undefined ? '' : of(row));
  list(
    rows,
    [
      { title: 'NODE', of: ({ node }) => node, isElastic: true },
      { title: 'STATE', of: ({ state }) => state, style: ({ state }) => (state === 'up' ? 'green' : 'yellow') },
      { title: 'PID', of: ({ pid }) => pid, align: 'right', leaves: 2 },
      { title: 'UP', of: known(({ time = 0, since = 0 }) => timeText(time - since)), align: 'right', leaves: 3 },
      { title: 'WORKERS', of: ({ workersTotal }) => workersTotal, align: 'right' },
      { title: 'CPU', of: known(({ cpuMs = 0 }) => timeText(cpuMs)), align: 'right', leaves: 1 },
      { title: 'MEMORY', of: known(({ rss = 0 }) => bytesText(rss)), align: 'right', leaves: 4 },
      { title: 'HTTP', of: ({ http }) => http, leaves: 5 },
    ],
    options,
    EMPTY(which, 'nodes'),
  );
}

/** Prints a row for each worker, node by node, the busiest of a node first. */
export async function workers(options: Options): Promise<void> {
  const which = await whichZone(options);
  const each = async (observer: Node, member: Member): Promise<({ node: string } & WorkerState)[]> => {
    const state = await stateOf(observer, member, MOST_WORKERS);
    if (state instanceof Error) {
      unheard(member.name, state);
      return [];
    }
    if (state.asOf !== undefined)
      note(
        state.asOf === null
          ? `${state.node} is held up, and has told nothing of its workers yet`
          : `${state.node} is held up: its workers are those of ${timeText(state.time - state.asOf)} ago`,
      );
    if (state.workersTotal > state.workers.length)
      note(
        `${state.node} has ${state.workersTotal} workers; these are the ${state.workers.length} with most in their mailboxes`,
      );
    return state.workers.map((worker) => ({ node: member.name, ...worker }));
  };
  const rows = (await eachNode(which, options.node, each)).flat();
  list(
    rows,
    [
      { title: 'NODE', of: ({ node }) => node, isElastic: true },
      { title: 'WORKER', of: ({ name }) => name, isElastic: true },
      { title: 'TYPE', of: ({ type }) => type, isElastic: true, leaves: 3 },
      { title: 'STATE', of: ({ state }) => state },
      { title: 'QUEUED', of: ({ queued }) => queued, align: 'right' },
      {
        title: 'OLDEST',
        of: ({ queued, oldestMs }) => (queued > 0 ? timeText(oldestMs) : ''),
        align: 'right',
        leaves: 2,
      },
      { title: 'HANDLED', of: ({ handled }) => handled, align: 'right', leaves: 4 },
      {
        title: 'FAILED',
        of: ({ failed }) => failed,
        align: 'right',
        leaves: 5,
        style: ({ failed }) => (failed > 0 ? 'red' : undefined),
      },
      { title: 'RESTARTS', of: ({ restarts }) => restarts, align: 'right', leaves: 1 },
    ],
    options,
    EMPTY(which, 'workers'),
  );
}

/** Does the same with each node, or the one that is named, at the same time. */
function eachNode<T>(
  which: WhichZone,
  name: string | undefined,
  each: (observer: Node, member: Member) => Promise<T>,
): Promise<T[]> {
  return lookAt(which, (observer) => {
    const nodes = nodesNamed(observer, which, name);
    if (nodes.length === 0 && !isSupervised(observer)) throw notUp(which);
    return withProgress(
      () => `asking ${nodes.length === 1 ? nodes[0]?.name : `${nodes.length} nodes`}`,
      () => Promise.all(nodes.map((member) => each(observer, member))),
    );
  });
}

/** A node that does not answer is no reason to show nothing of the others; the status says that something is missing. */
function unheard(node: string, { message }: Error): void {
  note(`node "${node}" did not say how it is: ${message}`, BEWARE);
  process.exitCode = EXIT.failed;
}
