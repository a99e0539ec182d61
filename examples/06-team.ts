// Workers start and ask other workers. What they ask inherits the deadline of what they were asked, and is given up with it.
// Prints:
//   on the table: soup, roast, cake
//   the guest left after 300 ms: TIMEOUT
//   stew: stopped when the guest had left
import { Node, type TroupeError, type Context } from 'troupe';
import { once } from 'node:events';

class Cook {
  #dish: string;
  #state = 'not begun';
  constructor(dish: string) {
    this.#dish = dish;
  }
  async handleMessage(context: Context, message: string) {
    if (message === 'how is it?') return context.reply(`${this.#dish}: ${this.#state}`);
    if (this.#dish === 'stew') {
      // A stew takes all day, unless nobody waits for it any longer.
      if (!context.signal.aborted) await once(context.signal, 'abort');
      this.#state = 'stopped when the guest had left';
      return;
    }
    await context.reply(this.#dish);
  }
}
class Chef {
  async initialize(context: Context) {
    for (const dish of ['soup', 'roast', 'cake', 'stew']) {
      await context.startWorker(`cook-${dish}`, Cook, { args: [dish] });
    }
  }
  async handleMessage(context: Context, order: string) {
    // No timeout is given here: the guest's own holds.
    const dishes = order.split(' ').map((dish) => context.sendAndReceive(`cook-${dish}`, 'please'));
    await context.reply((await Promise.all(dishes)).join(', '));
  }
}

await Node.start(
  async (node) => {
    await node.startWorker('chef', Chef);
    console.log(`on the table: ${await node.sendAndReceive('chef', 'soup roast cake')}`);
    await node
      .sendAndReceive('chef', 'soup stew', { timeout: 300 })
      .catch((error: TroupeError) => console.log(`the guest left after 300 ms: ${error.code}`));
    console.log(await node.sendAndReceive('cook-stew', 'how is it?'));
  },
  { waitUntilInterrupted: false },
);
