// A cache: however many ask for a key at the same time, it is loaded once; a slow key does not hold up the others; entries expire.
// Prints:
//   100 askers of one key: 1 load
//   a known key while a slow one loads: answered first
//   after it expired: 1 load more
import { Node, type Context } from 'troupe';
import { setTimeout as sleep } from 'node:timers/promises';

let loads = 0;
async function load(key: string) {
  loads += 1;
  await sleep(key === 'slow' ? 500 : 10);
  return `value of ${key}`;
}

class Cache {
  #keepFor: number;
  #entries = new Map<string, Promise<string>>();
  constructor(keepFor: number) {
    this.#keepFor = keepFor;
  }
  handleMessage(context: Context, key: string) {
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      entry = load(key);
      this.#entries.set(key, entry);
      const forget = () => this.#entries.delete(key);
      // A failed load is not kept: the next asker tries again.
      entry.then(() => setTimeout(forget, this.#keepFor).unref(), forget);
    }
    // The handler returns at once and replies later, so that other keys need not wait for this one.
    void entry.then((value) => context.reply(value));
  }
}

await Node.start(
  async (node) => {
    await node.startWorker('cache', Cache, { args: [1_000] });
    const get = (key: string) => node.sendAndReceive('cache', key, { timeout: '10s' });

    await Promise.all(Array.from({ length: 100 }, () => get('fast')));
    console.log(`100 askers of one key: ${loads} load`);

    const first = await Promise.race([get('slow'), get('fast')]);
    console.log(`a known key while a slow one loads: ${first === 'value of fast' ? 'answered first' : 'had to wait'}`);

    const before = loads;
    await sleep(1_500);
    await get('fast');
    console.log(`after it expired: ${loads - before} load more`);
  },
  { waitUntilInterrupted: false },
);
