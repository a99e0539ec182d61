// A resource of which there are only two, say licences of a renderer, shared by workers on several nodes: a worker hands them out in turn.
// With two runners up, prints:
//   12 frames rendered by 6 workers on 2 nodes
//   licences in use at the same time, at most: 2
import { Node, Zone, type Context } from 'troupe';
import { setTimeout as sleep } from 'node:timers/promises';

class Licences {
  #free: number;
  #inUse = 0;
  #most = 0;
  #waiting: Context[] = [];
  constructor(count: number) {
    this.#free = count;
  }
  async handleMessage(context: Context, message: string) {
    if (message === 'most in use?') return context.reply(String(this.#most));
    if (message === 'give back') {
      this.#free += 1;
      this.#inUse -= 1;
    } else this.#waiting.push(context);
    while (this.#free > 0 && this.#waiting.length > 0) {
      const next = this.#waiting.shift();
      if (next === undefined || next.signal.aborted) continue; // gave up while it waited
      this.#free -= 1;
      this.#most = Math.max(this.#most, ++this.#inUse);
      await next.reply('granted'); // long after its message was handled
    }
  }
}
class Renderer {
  async handleMessage(context: Context, frame: string) {
    await context.sendAndReceive('licences', 'take');
    try {
      await sleep(20);
      await context.reply(`${frame} by ${context.node.name}`);
    } finally {
      await context.send('licences', 'give back');
    }
  }
}

await Node.start(
  async (node) => {
    const runners = await Zone.nodes(node, { filter: 'runner', atLeast: 2, timeout: '20s' });
    await node.startWorker('licences', Licences, { args: [2] });
    const names = Array.from({ length: 6 }, (_, i) => `renderer-${i}`);
    const home = (i: number) => runners[i % runners.length];
    await Promise.all(names.map((name, i) => home(i)?.startWorker(name, Renderer)));
    const frames = Array.from({ length: 12 }, (_, i) => node.sendAndReceive(`renderer-${i % 6}`, `frame ${i}`));
    const nodes = new Set((await Promise.all(frames)).map((reply) => reply.split(' by ')[1]));
    console.log(`${frames.length} frames rendered by ${names.length} workers on ${nodes.size} nodes`);
    console.log(`licences in use at the same time, at most: ${await node.sendAndReceive('licences', 'most in use?')}`);
    await Promise.all(names.map((name, i) => home(i)?.stopWorker(name)));
  },
  { waitUntilInterrupted: false },
);
