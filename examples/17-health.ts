// A health check of every node: not whether its process is alive, but whether its workers get their turn.
// With two runners up, prints:
//   this node: healthy
//   runner 1: healthy
//   runner 2: no answer within a second (TIMEOUT)
//   when its long calculation is over: 3 of 3 healthy
import { Node, TroupeError, Zone, type Context, type NodeHandle } from 'troupe';

class Health {
  async handleMessage(context: Context) {
    await context.reply('healthy');
  }
}
// What a node must not do: calculate for seconds without a pause. Nothing else runs there meanwhile.
class Hog {
  async handleMessage(context: Context) {
    await context.reply('begun');
    setImmediate(() => {
      const until = performance.now() + 3_000;
      while (performance.now() < until);
    });
  }
}

async function check(each: NodeHandle, timeout: '1s' | '20s') {
  try {
    return await each.sendAndReceive('health', 'how are you?', { timeout });
  } catch (error) {
    if (!(error instanceof TroupeError)) throw error;
    return `no answer within a second (${error.code})`;
  }
}

await Node.start(
  async (node) => {
    const runners = await Zone.nodes(node, { filter: 'runner', atLeast: 2, timeout: '20s' });
    const nodes = [node, ...runners.slice(0, 2)];
    for (const each of nodes) await each.startWorker('health', Health);
    await nodes[2]?.startWorker('hog', Hog);
    await nodes[2]?.sendAndReceive('hog', 'begin');

    const results = await Promise.all(nodes.map((each) => check(each, '1s')));
    for (const [i, result] of results.entries()) console.log(`${i === 0 ? 'this node' : `runner ${i}`}: ${result}`);
    const later = await Promise.all(nodes.map((each) => check(each, '20s')));
    const healthy = later.filter((result) => result === 'healthy').length;
    console.log(`when its long calculation is over: ${healthy} of ${nodes.length} healthy`);

    await nodes[2]?.stopWorker('hog');
    for (const each of nodes) await each.stopWorker('health');
  },
  { waitUntilInterrupted: false },
);
