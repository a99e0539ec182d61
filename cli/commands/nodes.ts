/** `troupe zone nodes` and `troupe zone workers`: what the nodes of a zone report of themselves. */
import { EXIT } from '../failure.ts';
import { bytesText, list, timeText } from '../table.ts';
import { note, paint } from '../terminal.ts';
import { nodesNamed, stateOf, withObserver } from '../zone/observer.ts';
import type { NodeState, WorkerState } from '../zone/reports.ts';
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
  const rows = await withObserver(which.zone, async (observer) =>
    Promise.all(
      nodesNamed(observer, which, options.node).map(async (member): Promise<NodeRow> => {
        const state = await stateOf(observer, member, 0);
        if (state instanceof Error) {
          unheard(member.name, state);
          return { node: member.name, id: member.id, state: 'no answer' };
        }
        return { ...state, workers: undefined };
      }),
    ),
  );
  const known = (of: (row: NodeRow) => string | number) => (row: NodeRow) => (row.pid === undefined ? '' : of(row));
  list(
    rows,
    [
      { title: 'NODE', of: ({ node }) => node, isElastic: true },
      { title: 'STATE', of: ({ state }) => state, style: ({ state }) => (state === 'up' ? 'green' : 'yellow') },
      { title: 'PID', of: ({ pid }) => pid, align: 'right' },
      { title: 'UP', of: known(({ time = 0, since = 0 }) => timeText(time - since)), align: 'right' },
      { title: 'WORKERS', of: ({ workersTotal }) => workersTotal, align: 'right' },
      { title: 'CPU', of: known(({ cpuMs = 0 }) => timeText(cpuMs)), align: 'right', isOptional: true },
      { title: 'MEMORY', of: known(({ rss = 0 }) => bytesText(rss)), align: 'right' },
      { title: 'HTTP', of: ({ http }) => http },
    ],
    options,
    EMPTY(which, 'nodes'),
  );
}

/** Prints a row for each worker, node by node, the busiest of a node first. */
export async function workers(options: Options): Promise<void> {
  const which = await whichZone(options);
  const rows = await withObserver(which.zone, async (observer) => {
    const states = await Promise.all(
      nodesNamed(observer, which, options.node).map(async (member): Promise<({ node: string } & WorkerState)[]> => {
        const state = await stateOf(observer, member, MOST_WORKERS);
        if (state instanceof Error) {
          unheard(member.name, state);
          return [];
        }
        if (state.asOf !== undefined)
          note(`${state.node} is held up: its workers are those of ${timeText(state.time - state.asOf)} ago`);
        if (state.workersTotal > state.workers.length)
          note(
            `${state.node} has ${state.workersTotal} workers; these are the ${state.workers.length} with most in their mailboxes`,
          );
        return state.workers.map((worker) => ({ node: member.name, ...worker }));
      }),
    );
    return states.flat();
  });
  list(
    rows,
    [
      { title: 'NODE', of: ({ node }) => node, isElastic: true },
      { title: 'WORKER', of: ({ name }) => name, isElastic: true },
      { title: 'TYPE', of: ({ type }) => type, isElastic: true, isOptional: true },
      { title: 'STATE', of: ({ state }) => state },
      { title: 'QUEUED', of: ({ queued }) => queued, align: 'right' },
      {
        title: 'OLDEST',
        of: ({ queued, oldestMs }) => (queued > 0 ? timeText(oldestMs) : ''),
        align: 'right',
        isOptional: true,
      },
      { title: 'HANDLED', of: ({ handled }) => handled, align: 'right' },
      {
        title: 'FAILED',
        of: ({ failed }) => failed,
        align: 'right',
        style: ({ failed }) => (failed > 0 ? 'red' : undefined),
      },
      { title: 'RESTARTS', of: ({ restarts }) => restarts, align: 'right', isOptional: true },
    ],
    options,
    EMPTY(which, 'workers'),
  );
}

/** A node that does not answer is no reason to show nothing of the others; the status says that something is missing. */
function unheard(node: string, { message }: Error): void {
  note(`${paint('yellow', 'note:', process.stderr)} node "${node}" did not say how it is: ${message}`);
  process.exitCode = EXIT.failed;
}
