/** All that the views show. What arrives is taken in at once; views hear of it once a frame, however much came. */
import { computed, signal } from '@preact/signals';
import { announce } from './parts/announce.tsx';
import { gap, held, Lines } from './lines.ts';
import { isNode, mergeNodes, type SeenNode } from './nodes.ts';
import { type Connection, openStream, type StreamReader } from './stream.ts';
import { mergeWorkers, type SeenWorker } from './workers.ts';

/** The lines; `linesVersion` changes when there are others. */
export const lines = new Lines();
export const linesVersion = signal(0);
/** Lines that came in the last whole second. */
export const linesRate = signal(0);
/** Lines the server gave up before this page had read them, since it was opened. */
export const lostLines = signal(0);

export const connection = signal<Connection>({ state: 'opening' });
export const members = signal<ReadonlyMap<string, SeenNode>>(new Map());
export const workers = signal<ReadonlyMap<string, SeenWorker>>(new Map());
/** Whether anything has been heard of members yet: that there is none, as well. */
export const membersKnown = signal(false);
/** Whether any state of workers has arrived yet. */
export const workersKnown = signal(false);

/** The nodes, by name: neither who only watches nor the supervisor. */
export const nodes = computed(() =>
  [...members.value.values()]
    .filter(({ state }) => isNode(state))
    .sort((a, b) => (a.state.node < b.state.node ? -1 : 1)),
);

/** The zone's name; empty until a node has said it. */
export const zoneName = computed(() => members.value.values().next().value?.state.zone ?? '');

let asked = false;

/** Has the views told of new lines in the next frame; a page that is not seen has none, and needs none. */
function tell(): void {
  if (asked) return;
  asked = true;
  requestAnimationFrame(() => {
    asked = false;
    linesVersion.value += 1;
  });
}

let cameSince = 0;
let workersAt = 0;

const isGone = (node: string) => members.value.get(node)?.presence === 'gone';

const reader: StreamReader = {
  connection: (now) => (connection.value = now),
  lines: (arrived) => {
    for (const line of arrived) lines.append(held(line));
    cameSince += arrived.length;
    tell();
  },
  nodes: (states, first) => {
    members.value = mergeNodes(members.value, states, first);
    membersKnown.value = true;
  },
  workers: (list) => {
    const now = performance.now();
    workers.value = mergeWorkers(workers.value, list, workersAt === 0 ? 0 : now - workersAt, isGone);
    workersAt = now;
    workersKnown.value = true;
  },
  anew: () => {
    lines.clear();
    announce('The server of this page began anew; these are the lines it has');
  },
  dropped: (lost) => {
    lostLines.value += lost;
    lines.append(
      gap(lost, 'lines are missing here: the server had given them up before this page came to read them', Date.now()),
    );
    tell();
  },
};

/** Begins to read; with the cursor of a line, from somewhat before that line on. */
export function start(line: string): { retry(): void } {
  setInterval(() => {
    linesRate.value = cameSince;
    cameSince = 0;
  }, 1000);
  return openStream(reader, document, line);
}
