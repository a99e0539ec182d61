// Tracking of messages: each station reports what it did with an order, and one worker knows where every order is and how it got there.
// Prints:
//   order-1: accepted, checked, packed, shipped
//   order-2: accepted, checked, refused: no lamps left
//   order-3: accepted, checked, packed, shipped
//   shipped 2, refused 1
import { Node, type Context } from 'troupe';

class Tracker {
  #histories = new Map<string, string[]>();
  #asking = new Map<string, Context>();
  async handleMessage(context: Context, message: string) {
    const { ask, order, event } = JSON.parse(message) as Record<string, string>;
    if (ask === 'summary') {
      const last = [...this.#histories.values()].map((history) => history.at(-1) ?? '');
      const count = (word: string) => last.filter((entry) => entry.startsWith(word)).length;
      return context.reply(`shipped ${count('shipped')}, refused ${count('refused')}`);
    }
    if (ask !== undefined) this.#asking.set(ask, context);
    const id = ask ?? order ?? '';
    const history = this.#histories.get(id) ?? [];
    if (event !== undefined) this.#histories.set(id, [...history, event]);
    const now = this.#histories.get(id) ?? [];
    // Whoever asks about an order is answered when it has come to its end.
    if (/^(shipped|refused)/.test(now.at(-1) ?? '')) await this.#asking.get(id)?.reply(now.join(', '));
  }
}
const report = (context: Context, order: string, event: string) =>
  context.send('tracker', JSON.stringify({ order, event }));

class Station {
  #done: string;
  #next: string | undefined;
  constructor(done: string, next?: string) {
    this.#done = done;
    this.#next = next;
  }
  async handleMessage(context: Context, order: string) {
    const refused = this.#done === 'packed' && order === 'order-2';
    await report(context, order, refused ? 'refused: no lamps left' : this.#done);
    if (!refused && this.#next !== undefined) await context.send(this.#next, order);
  }
}

await Node.start(
  async (node) => {
    await node.startWorker('tracker', Tracker);
    const line = ['accepted', 'checked', 'packed', 'shipped'];
    for (const [i, done] of line.entries()) await node.startWorker(done, Station, { args: [done, line[i + 1]] });
    const orders = ['order-1', 'order-2', 'order-3'];
    for (const order of orders) await node.send('accepted', order);
    const ask = (what: string) => node.sendAndReceive('tracker', JSON.stringify({ ask: what }), { timeout: '10s' });
    for (const order of orders) console.log(`${order}: ${await ask(order)}`);
    console.log(await ask('summary'));
  },
  { waitUntilInterrupted: false },
);
