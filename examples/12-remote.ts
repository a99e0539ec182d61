// A class that only this program knows runs on other nodes: its module travels there. Its workers are found by name, wherever they are.
// With two runners up, prints:
//   primes-0, in another process: 7919 is prime
//   primes-1, in another process: 7917 is not prime
//   the same worker by node and name: 7907 is prime
//   stopped: NO_SUCH_WORKER
import { Node, Zone, type Context, type TroupeError } from 'troupe';

// Travels with the class, as everything in this module that the class uses.
function isPrime(n: number) {
  for (let divisor = 2; divisor * divisor <= n; divisor++) if (n % divisor === 0) return false;
  return n > 1;
}

class Primes {
  #home: number;
  constructor(home: number) {
    this.#home = home;
  }
  async handleMessage(context: Context, message: string) {
    const place = process.pid === this.#home ? 'here' : 'in another process';
    await context.reply(`${place}: ${message} is ${isPrime(Number(message)) ? '' : 'not '}prime`);
  }
}

await Node.start(
  async (node) => {
    const runners = await Zone.nodes(node, { filter: 'runner', atLeast: 2, timeout: '20s' });
    for (const [i, runner] of runners.entries()) {
      await runner.startWorker(`primes-${i}`, Primes, { args: [process.pid] });
    }
    console.log(`primes-0, ${await node.sendAndReceive('primes-0', '7919', { timeout: '10s' })}`);
    console.log(`primes-1, ${await node.sendAndReceive('primes-1', '7917', { timeout: '10s' })}`);

    const address = `${runners[0]?.name}/primes-0`;
    const reply = await node.sendAndReceive(address, '7907', { timeout: '10s' });
    console.log(`the same worker by node and name: ${reply.replace('in another process: ', '')}`);

    for (const [i, runner] of runners.entries()) await runner.stopWorker(`primes-${i}`);
    await node.sendAndReceive('primes-0', '2').catch((error: TroupeError) => console.log(`stopped: ${error.code}`));
  },
  { waitUntilInterrupted: false },
);
