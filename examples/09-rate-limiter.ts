// A rate limiter: a bucket of tokens that fills up again with time. One worker a client keeps the count, so no two requests get one token.
// Prints:
//   carol, 10 at once: 5 served, 5 too many
//   dave, 3 at once: 3 served, 0 too many
//   carol, after a pause: served
import { Node, type Context } from 'troupe';
import { setTimeout as sleep } from 'node:timers/promises';

class Bucket {
  #size: number;
  #perSecond: number;
  #tokens: number;
  #filledAt = performance.now();
  constructor(size: number, perSecond: number) {
    this.#size = size;
    this.#perSecond = perSecond;
    this.#tokens = size;
  }
  async handleMessage(context: Context) {
    const now = performance.now();
    const fresh = ((now - this.#filledAt) / 1_000) * this.#perSecond;
    this.#tokens = Math.min(this.#size, this.#tokens + fresh);
    this.#filledAt = now;
    const served = this.#tokens >= 1;
    if (served) this.#tokens -= 1;
    await context.reply(served ? 'served' : 'too many');
  }
}

await Node.start(
  async (node) => {
    for (const client of ['carol', 'dave']) await node.startWorker(`limit-${client}`, Bucket, { args: [5, 0.5] });
    const call = (client: string) => node.sendAndReceive(`limit-${client}`, 'may I?', { timeout: '5s' });
    const burst = async (client: string, calls: number) => {
      const replies = await Promise.all(Array.from({ length: calls }, () => call(client)));
      const served = replies.filter((reply) => reply === 'served').length;
      return `${served} served, ${calls - served} too many`;
    };
    console.log(`carol, 10 at once: ${await burst('carol', 10)}`);
    console.log(`dave, 3 at once: ${await burst('dave', 3)}`);
    await sleep(2_100); // half a token a second
    console.log(`carol, after a pause: ${await call('carol')}`);
  },
  { waitUntilInterrupted: false },
);
