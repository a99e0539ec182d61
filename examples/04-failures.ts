// A handler that throws fails its asker, never the process. What becomes of the worker is chosen where it is started.
// Prints:
//   resume: 1 parsed, WORKER_FAILED (SyntaxError), 2 parsed
//   restart: 1 parsed, WORKER_FAILED (SyntaxError), 1 parsed
//   stop: 1 parsed, WORKER_FAILED (SyntaxError), NO_SUCH_WORKER
import { Node, type TroupeError, WorkerFailedError, type Context } from 'troupe';

class Parser {
  #parsed = 0;
  async handleMessage(context: Context, message: string) {
    JSON.parse(message);
    this.#parsed += 1;
    await context.reply(`${this.#parsed} parsed`);
  }
}

const describe = (error: TroupeError) =>
  error instanceof WorkerFailedError ? `${error.code} (${(error.cause as Error).name})` : error.code;

await Node.start(
  async (node) => {
    for (const onFailure of ['resume', 'restart', 'stop'] as const) {
      await node.startWorker(`parser-${onFailure}`, Parser, { onFailure });
      const ask = (text: string) => node.sendAndReceive(`parser-${onFailure}`, text).catch(describe);
      console.log(`${onFailure}: ${await ask('[1]')}, ${await ask('[1')}, ${await ask('[2]')}`);
    }
  },
  { waitUntilInterrupted: false },
);
