// Every worker of every node, with what it does and has done: the calls are the same for this node and for others.
// With two runners up, prints:
//   14-monitor: busy (Gate, busy, 2 queued, 0 handled), main
//   runner: main, tally (Tally, idle, 0 queued, 3 handled)
//   runner: main
import { Node, Zone, type Context, type WorkerInfo } from 'troupe';

let openGate = () => {};
const gate = new Promise<void>((open) => (openGate = open));
class Gate {
  async handleMessage(context: Context) {
    await context.reply('begun');
    await gate;
  }
}
class Tally {
  #count = 0;
  async handleMessage(context: Context) {
    await context.reply(String(++this.#count));
  }
}

const describe = ({ name, type, state, queued, handled }: WorkerInfo) =>
  name === 'main' ? name : `${name} (${type}, ${state}, ${queued} queued, ${handled} handled)`;

await Node.start(
  async (node) => {
    const [runner] = await Zone.nodes(node, { filter: 'runner', atLeast: 2, timeout: '20s' });
    await runner?.startWorker('tally', Tally);
    for (let i = 0; i < 3; i++) await node.sendAndReceive('tally', 'one more', { timeout: '10s' });

    await node.startWorker('busy', Gate);
    await node.sendAndReceive('busy', 'begin');
    for (const message of ['later', 'later still']) await node.send('busy', message);

    for (const each of await Zone.nodes(node)) {
      const workers = await each.listWorkers();
      console.log(`${each.name.replace(/-[0-9a-f]{4}$/, '')}: ${workers.map(describe).join(', ')}`);
    }
    openGate();
    await node.stopWorker('busy');
    await runner?.stopWorker('tally');
  },
  { waitUntilInterrupted: false },
);
