// Starts a greeter on every runner and asks each of them now and then. The class Greeter exists only here: it travels.
import { setTimeout as sleep } from 'node:timers/promises';
import { type Context, info, NameTakenError, Node, type NodeHandle, NoSuchWorkerError, warn, Zone } from 'troupe';

/** Greets, and counts whom it has greeted. */
class Greeter {
  greeted = 0;

  async handleMessage(context: Context, message: string) {
    this.greeted += 1;
    info(`greeting number ${this.greeted}: ${message}`);
    await context.reply(`Hello, ${message}!`);
  }
}

/** The greeter of a runner answers; it is started first where there is none, as after a restart of the runner. */
async function greet(node: Node, runner: NodeHandle, name: string): Promise<string> {
  const address = `${runner.name}/greeter` as const;
  try {
    return await node.sendAndReceive(address, name, { timeout: '10s' });
  } catch (error) {
    if (!(error instanceof NoSuchWorkerError)) throw error;
  }
  await runner.startWorker('greeter', Greeter).catch((error: unknown) => {
    // Another client was faster.
    if (!(error instanceof NameTakenError)) throw error;
  });
  return node.sendAndReceive(address, name, { timeout: '10s' });
}

await Node.start(async (node) => {
  for (let round = 1; !node.signal.aborted; round++) {
    const runners = await Zone.nodes(node, { filter: 'runner', atLeast: 1, timeout: '1h' });
    for (const runner of runners) {
      try {
        info(`${runner.name} says: ${await greet(node, runner, `client, round ${round}`)}`);
      } catch (error) {
        warn(`${runner.name} did not answer; the next round tries again`, { error });
      }
    }
    await sleep(2_000, undefined, { signal: node.signal }).catch(() => {});
  }
});
