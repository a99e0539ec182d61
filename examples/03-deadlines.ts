// Nobody waits for ever: a request has a deadline, a timeout says how far the message came, and the handler hears that its asker has left.
// Prints:
//   first in line: TIMEOUT, the message was running
//   second in line: TIMEOUT, the message was queued
//   the almanac knows: it will rain
//   changed my mind: no longer needed
//   the oracle was left alone 3 times
import { Node, TimeoutError, type Context } from 'troupe';
import { once } from 'node:events';

class Oracle {
  leftAlone = 0;
  async handleMessage(context: Context, question: string) {
    if (question === 'how often were you left alone?') return context.reply(String(this.leftAlone));
    // Ponders until its asker gives up.
    if (!context.signal.aborted) await once(context.signal, 'abort');
    this.leftAlone += 1;
  }
}
class Almanac {
  async handleMessage(context: Context) {
    await context.reply('it will rain');
  }
}

const stageOf = (error: unknown) => {
  if (!(error instanceof TimeoutError)) throw error;
  return `${error.code}, the message was ${error.stage}`;
};

await Node.start(
  async (node) => {
    await node.startWorker('oracle', Oracle);
    await node.startWorker('almanac', Almanac);

    const first = node.sendAndReceive('oracle', 'weather?', { timeout: 400 }).catch(stageOf);
    const second = node.sendAndReceive('oracle', 'weather?', { timeout: 200 }).catch(stageOf);
    console.log(`first in line: ${await first}`);
    console.log(`second in line: ${await second}`);

    const patient = node.sendAndReceive('oracle', 'weather?', { timeout: 100 });
    const answer = await patient.catch(() => node.sendAndReceive('almanac', 'weather?', { timeout: '5s' }));
    console.log(`the almanac knows: ${answer}`);

    const controller = new AbortController();
    const cancelled = node.sendAndReceive('oracle', 'weather?', { signal: controller.signal });
    setTimeout(() => controller.abort(new Error('no longer needed')), 50);
    await cancelled.catch((error: Error) => console.log(`changed my mind: ${error.message}`));

    const times = await node.sendAndReceive('oracle', 'how often were you left alone?');
    console.log(`the oracle was left alone ${times} times`);
  },
  { waitUntilInterrupted: false },
);
