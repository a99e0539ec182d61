// The demo's main: finds two runners, starts a class there that they have never seen, spreads work over them, meets a worker that is
// stuck, and leaves nothing behind. `npm run demo` starts all three processes.
import { type Context, Node, type NodeHandle, TimeoutError, Zone } from 'troupe';

class SumOfSquares {
  async handleMessage(context: Context, message: string) {
    const numbers = JSON.parse(message) as number[];
    const sum = numbers.reduce((total, n) => total + n * n, 0);
    await context.reply(JSON.stringify({ sum, node: context.node.name, pid: process.pid }));
  }
}

class MaybeStuck {
  #stuck: boolean;
  constructor(stuck: boolean) {
    this.#stuck = stuck;
  }
  async handleMessage(context: Context) {
    if (!this.#stuck) await context.reply('done');
    else await new Promise(() => {});
  }
}

/** Adds the squares of 1 to 100 up in ten pieces, in turn on each runner. */
async function addUp(node: Node, runners: NodeHandle[]) {
  for (const [i, runner] of runners.entries()) await runner.startWorker(`sum-${i}`, SumOfSquares);
  console.log(
    `the class SumOfSquares went to ${runners.map(({ name }) => name).join(' and ')}: they had never seen its file`,
  );
  const pieces = Array.from({ length: 10 }, (_, i) => Array.from({ length: 10 }, (_, j) => i * 10 + j + 1));
  const replies = await Promise.all(
    pieces.map((piece, i) =>
      node.sendAndReceive(`sum-${i % runners.length}`, JSON.stringify(piece), { timeout: '10s' }),
    ),
  );
  const parts = replies.map((reply) => JSON.parse(reply) as { sum: number; node: string; pid: number });
  for (const runner of runners) {
    const own = parts.filter((part) => part.node === runner.name);
    console.log(
      `${runner.name}, process ${own[0]?.pid}, did ${own.length} pieces: ${own.map((part) => part.sum).join(' + ')}`,
    );
  }
  console.log(`1² + 2² + … + 100² = ${parts.reduce((total, part) => total + part.sum, 0)}`);
}

/** One worker answers, one never does: the request to that one ends by its timeout, which says how far it came. */
async function meetStuckWorker(node: Node, runners: NodeHandle[]) {
  for (const [i, runner] of runners.entries()) await runner.startWorker(`worker-${i}`, MaybeStuck, { args: [i === 0] });
  for (const [i, runner] of runners.entries()) {
    try {
      console.log(
        `worker-${i} on ${runner.name} says: ${await node.sendAndReceive(`worker-${i}`, 'work', { timeout: 300 })}`,
      );
    } catch (error) {
      if (!(error instanceof TimeoutError)) throw error;
      console.log(`worker-${i} on ${runner.name} is stuck: ${error.code} after 300 ms, stage "${error.stage}"`);
    }
  }
}

await Node.start(
  async (node) => {
    const runners = await Zone.nodes(node, { filter: 'runner', atLeast: 2, timeout: '20s' });
    console.log(`found ${runners.map(({ name }) => name).join(' and ')} in the zone`);
    await addUp(node, runners);
    await meetStuckWorker(node, runners);
    for (const [i, runner] of runners.entries()) {
      await runner.stopWorker(`sum-${i}`);
      await runner.stopWorker(`worker-${i}`, { timeout: 0 });
    }
    const left = await Promise.all(runners.map((runner) => runner.listWorkers()));
    console.log(`left behind: ${left.flat().filter(({ name }) => name !== 'main').length} workers`);
  },
  { name: 'main', waitUntilInterrupted: false },
);
