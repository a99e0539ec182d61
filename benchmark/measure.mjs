// Measures a figure: both sides in turn, one round each, so that what else the machine does meets them alike; what counts is the ratio
// within each pair of rounds. The CPU time of a round is told besides: a busy machine disturbs it least.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Contender } from './contender.mjs';
import { rounds } from './figures.mjs';

/** Whom troupe is measured beside. */
export const peers = { local: 'mailbox', remote: 'tls' };

/** Median and quartiles. @param {number[]} values */
export function summary(values) {
  const sorted = values.toSorted ? values.toSorted((a, b) => a - b) : [...values].sort((a, b) => a - b);
  const at = (share) => {
    const index = share * (sorted.length - 1);
    const below = sorted[Math.floor(index)];
    return below + (sorted[Math.ceil(index)] - below) * (index - Math.floor(index));
  };
  return { median: at(0.5), low: at(0.25), high: at(0.75) };
}

/**
 * Measures one figure.
 *
 * @param {import('./figures.mjs').Figure} figure
 * @param {boolean} quick
 */
export async function measure(figure, quick) {
  const { work, place, fresh } = figure;
  const count = quick ? figure.quick : figure.count;
  const total = quick ? rounds.quick : rounds.full;
  // Short: the names of sockets and locks below it have a limit.
  const folder = mkdtempSync(join(tmpdir(), 'bench-'));
  const sides = ['troupe', peers[place]].map((name) => new Contender(name, place, folder));
  const values = [[], []];
  try {
    for (let round = 0; round <= total; round++) {
      for (const [i, side] of sides.entries()) {
        await side.start();
        const done = await side.round(work, count);
        if (fresh) await side.end();
        // The first round is the compiler's.
        if (round > 0) values[i].push(done);
      }
    }
  } finally {
    await Promise.all(sides.map((side) => side.end()));
    rmSync(folder, { recursive: true, force: true });
  }
  const [ours, peer] = values;
  return {
    name: figure.name,
    title: figure.title,
    unit: figure.unit,
    better: figure.better,
    peer: peers[place],
    ratio: summary(ours.map(({ value }, i) => value / peer[i].value)),
    cpu: summary(ours.map(({ cpu }, i) => cpu / peer[i].cpu)),
    troupe: summary(ours.map(({ value }) => value)),
    other: summary(peer.map(({ value }) => value)),
    rounds: total,
    compared: 2 * (total + 1) * count,
  };
}
