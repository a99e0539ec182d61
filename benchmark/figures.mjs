// What is measured: each figure with the work of one round, the two sides that do it, and how often.

/**
 * @typedef {object} Figure
 * @property {string} name As it is given on the command line.
 * @property {string} title
 * @property {'µs' | 'ns' | 'bytes' | 'k/s' | 'MB/s'} unit Of one side's value.
 * @property {'less' | 'more'} better Which way the ratio, troupe's value by the other's, is good.
 * @property {keyof typeof import('./work.mjs').work} work What one round does; see work.mjs.
 * @property {'local' | 'remote'} place In one process, or between two.
 * @property {number} count Messages, or workers, of one round: so many that it lasts some 100 ms.
 * @property {number} quick The same for `--quick`.
 * @property {boolean} [fresh] Each round in a new process: memory that was used once is not given back.
 */

/** @type {Figure[]} */
export const figures = [
  {
    name: 'local-request',
    title: 'local request, one at a time',
    unit: 'µs',
    better: 'less',
    work: 'oneAtATime',
    place: 'local',
    count: 100_000,
    quick: 500,
  },
  {
    name: 'local-requests',
    title: 'local requests, 1000 in flight',
    unit: 'k/s',
    better: 'more',
    work: 'inFlight',
    place: 'local',
    count: 300_000,
    quick: 3_000,
  },
  {
    name: 'send',
    title: 'local send',
    unit: 'k/s',
    better: 'more',
    work: 'sends',
    place: 'local',
    count: 500_000,
    quick: 10_000,
  },
  {
    name: 'idle-start',
    title: 'start of an idle worker',
    unit: 'ns',
    better: 'less',
    work: 'idleTime',
    place: 'local',
    count: 100_000,
    quick: 2_000,
    fresh: true,
  },
  {
    name: 'idle-memory',
    title: 'memory of an idle worker',
    unit: 'bytes',
    better: 'less',
    work: 'idleMemory',
    place: 'local',
    count: 100_000,
    quick: 20_000,
    fresh: true,
  },
  {
    name: 'remote-request',
    title: 'remote request, one at a time',
    unit: 'µs',
    better: 'less',
    work: 'oneAtATime',
    place: 'remote',
    count: 2_000,
    quick: 50,
  },
  {
    name: 'remote-requests',
    title: 'remote requests, 1000 in flight',
    unit: 'k/s',
    better: 'more',
    work: 'inFlight',
    place: 'remote',
    count: 100_000,
    quick: 3_000,
  },
  {
    name: 'echo',
    title: 'remote echo of 0.9 MB, 4 in flight',
    unit: 'MB/s',
    better: 'more',
    work: 'echo',
    place: 'remote',
    count: 40,
    quick: 4,
  },
];

/** Rounds of a figure, each of both sides; the first is for the compiler and is not counted. */
export const rounds = { full: 15, quick: 2 };
