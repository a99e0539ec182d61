// Session state: one worker for each visitor, started by the first message and gone after a second without one.
// Prints:
//   ada has book
//   bob has lamp
//   ada has book, pen
//   sessions: session-ada, session-bob
//   a second after the last message: none
//   ada, back again, has cup
import { Node, NoSuchWorkerError, type Context } from 'troupe';
import { setTimeout as sleep } from 'node:timers/promises';

class Session {
  #cart: string[] = [];
  #idle: ReturnType<typeof setTimeout> | undefined;
  async handleMessage(context: Context, item: string) {
    clearTimeout(this.#idle);
    this.#cart.push(item);
    await context.reply(this.#cart.join(', '));
    // Not awaited: a stop waits until the handler has ended.
    this.#idle = setTimeout(() => void context.stopWorker(context.worker).catch(() => {}), 1_000);
  }
  shutdown() {
    clearTimeout(this.#idle);
  }
}

async function visit(node: Node, visitor: string, item: string) {
  const session = `session-${visitor}`;
  try {
    return await node.sendAndReceive(session, item);
  } catch (error) {
    if (!(error instanceof NoSuchWorkerError)) throw error;
    await node.startWorker(session, Session);
    return await node.sendAndReceive(session, item);
  }
}

await Node.start(
  async (node) => {
    const sessions = () => node.listWorkers({ prefix: 'session-' });
    console.log(`ada has ${await visit(node, 'ada', 'book')}`);
    console.log(`bob has ${await visit(node, 'bob', 'lamp')}`);
    console.log(`ada has ${await visit(node, 'ada', 'pen')}`);
    console.log(`sessions: ${(await sessions()).join(', ')}`);
    while ((await sessions()).length > 0) await sleep(50);
    console.log('a second after the last message: none');
    console.log(`ada, back again, has ${await visit(node, 'ada', 'cup')}`);
  },
  { waitUntilInterrupted: false },
);
