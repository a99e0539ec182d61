// The node that the peers in other languages ask: workers that answer, fail and dawdle, and a class that they may start by its name.
import { Node, type Context } from 'troupe';

class Greeter {
  async handleMessage(context: Context, message: string) {
    await context.reply(`Hello, ${message}!`);
  }
}

class Repeater {
  async handleMessage(context: Context, message: string) {
    await context.reply(message);
  }
}

class Failing {
  handleMessage() {
    throw new RangeError('out of order');
  }
}

class Slow {
  handleMessage(context: Context) {
    return new Promise((_, reject) => {
      context.signal.addEventListener('abort', () => reject(context.signal.reason as Error));
    });
  }
}

class Counter {
  #count: number;
  constructor(first: number) {
    this.#count = first;
  }
  async handleMessage(context: Context) {
    await context.reply(`${++this.#count}`);
  }
}

await Node.start(
  async (node) => {
    await node.startWorker('greeter', Greeter);
    await node.startWorker('repeater', Repeater);
    await node.startWorker('failing', Failing);
    await node.startWorker('slow', Slow);
    console.log('up');
  },
  { name: 'runner', acceptCode: false, workers: { Counter } },
);
