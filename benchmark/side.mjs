// A process of one side: loads what it is told to, does one round after the other as its parent asks, and ends with it.
//
// Started as `node side.mjs MODULE`. The module's `open(settings)` gives the side on which rounds are done, or serves
// others and gives the settings that a client needs.
import { pathToFileURL } from 'node:url';
import { work } from './work.mjs';

/**
 * What is measured.
 *
 * @typedef {object} Side
 * @property {(message: string) => Promise<string>} ask Answered with `Hello ${message}`.
 * @property {(message: string) => void} send To a worker that counts.
 * @property {() => Promise<string>} received What that worker has counted.
 * @property {(name: string) => unknown} startIdle Starts a worker that answers as `ask` does.
 * @property {(name: string, message: string) => Promise<string>} askIdle
 */

process.on('disconnect', () => process.exit());

/** Tells the parent how something went: its value, or what failed. */
async function answer(run) {
  try {
    process.send({ value: await run() });
  } catch (error) {
    process.send({ failure: error.stack ?? String(error) });
  }
}

let side;
process.on('message', (order) =>
  answer(async () => {
    if (order.usage) {
      const { user, system } = process.cpuUsage();
      return user + system;
    }
    if (order.work !== undefined) return work[order.work](side, order.count);
    const { open } = await import(pathToFileURL(process.argv[2]));
    const opened = await open(order.settings);
    side = opened.side;
    return opened.settings;
  }),
);
