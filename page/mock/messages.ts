/** What made-up programs write to their logs: the common first, the rare last. */
import { type Line } from '../src/shapes.ts';

type Random = () => number;
type Made = Partial<Line>;

const number = (random: Random, most: number) => Math.floor(random() * most);
const pick = <T>(random: Random, ...list: readonly [T, ...T[]]): T => list[number(random, list.length)] ?? list[0];

/** Makers of lines; how often one is chosen falls with its place. */
export const messages: readonly ((random: Random) => Made)[] = [
  (random) => ({
    name: 'stdout',
    worker: undefined,
    message: `\u001b[32mGET\u001b[0m /orders/${number(random, 90_000)} \u001b[1m200\u001b[0m \u001b[2m${number(random, 40)} ms\u001b[0m`,
  }),
  (random) => ({
    name: 'node',
    worker: 'session',
    level: 'debug',
    message: `session ${number(random, 9_999)} renewed`,
    fields: { user: `u-${number(random, 900)}`, ms: number(random, 30) },
  }),
  (random) => ({
    name: 'node',
    worker: 'index',
    message: `indexed ${number(random, 400)} documents in ${number(random, 90)} ms`,
  }),
  (random) => ({
    name: 'node',
    worker: 'thumbnailer',
    message: `rendered ${pick(random, 'cover', 'portrait', 'banner')}-${number(random, 9_000)}.webp`,
    fields: { width: pick(random, 320, 640, 1280), bytes: number(random, 90_000) },
  }),
  (random) => ({
    name: 'channel',
    level: 'debug',
    message: `acknowledged ${number(random, 4_000)} frames, window ${number(random, 64)} KiB`,
  }),
  (random) => ({
    name: 'node',
    worker: 'greeter',
    message: `greeted ${pick(random, 'Alice', 'Bob', 'Chandra', 'Dmitri', 'Eun-ji', 'Félix')}`,
  }),
  (random) => ({
    name: 'node',
    worker: 'ledger',
    message: `booked ${number(random, 900)}.${number(random, 90) + 10} €`,
    fields: { account: `DE-${number(random, 9_999)}` },
  }),
  (random) => ({
    name: 'stderr',
    level: 'warn',
    message: `\u001b[33mwarn\u001b[0m cache is ${number(random, 40) + 60} % full`,
  }),
  (random) => ({
    name: 'node',
    worker: 'mailer',
    level: 'warn',
    message: `the mail server answered after ${number(random, 4_000) + 1_000} ms, trying again`,
    fields: { attempt: number(random, 4) + 1 },
  }),
  (random) => ({
    name: 'node',
    level: 'warn',
    message: `dead letter: no such worker`,
    fields: { to: `session-${number(random, 99)}`, bytes: number(random, 900) },
  }),
  (random) => ({
    name: 'node',
    worker: 'index',
    level: 'error',
    message:
      `handler failed: TypeError: Cannot read properties of undefined (reading 'total')\n` +
      `    at Index.handleMessage (file:///app/images/runner/index.ts:41:28)\n` +
      `    at Cell.run (file:///app/node_modules/troupe/dist/port/cell.js:118:14)\n` +
      `    at process.processTicksAndRejections (node:internal/process/task_queues:${number(random, 90)}:5)`,
  }),
];
