// Each worker has state of its own and handles one message at a time: nothing can slip in between, so there are no locks.
// Prints:
//   of 10 withdrawals at the same time, 3 went through
//   alice has 10, bob has 250
//   open: alice, bob
//   after closing bob: alice
//   asking bob: NO_SUCH_WORKER
import { Node, type TroupeError, type Context } from 'troupe';
import { setTimeout as sleep } from 'node:timers/promises';

class Account {
  #balance: number;
  constructor(balance: number) {
    this.#balance = balance;
  }
  async handleMessage(context: Context, message: string) {
    const after = this.#balance + Number(message);
    if (after < 0) return context.reply('refused');
    await sleep(5); // as if it were written to disk; the next message waits meanwhile
    this.#balance = after;
    await context.reply(String(after));
  }
}

await Node.start(
  async (node) => {
    await node.startWorker('alice', Account, { args: [100] });
    await node.startWorker('bob', Account, { args: [250] });
    const accounts = async () => (await node.listWorkers()).filter((worker) => worker.type === 'Account').join(', ');

    const withdrawals = Array.from({ length: 10 }, () => node.sendAndReceive('alice', '-30'));
    const paid = (await Promise.all(withdrawals)).filter((reply) => reply !== 'refused');
    console.log(`of 10 withdrawals at the same time, ${paid.length} went through`);
    const [alice, bob] = [await node.sendAndReceive('alice', '0'), await node.sendAndReceive('bob', '0')];
    console.log(`alice has ${alice}, bob has ${bob}`);

    console.log(`open: ${await accounts()}`);
    await node.stopWorker('bob');
    console.log(`after closing bob: ${await accounts()}`);
    await node.sendAndReceive('bob', '0').catch((error: TroupeError) => console.log(`asking bob: ${error.code}`));
  },
  { waitUntilInterrupted: false },
);
