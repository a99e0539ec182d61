/** A node that logs numbered lines as fast as it is told to: `"COUNT PER-SECOND"`; answers when it has. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Context, info, Node } from 'troupe';

let count = 0;

class Torrent {
  async handleMessage(context: Context, message: string) {
    const [more = 0, rate = 0] = message.split(' ').map(Number);
    const [begun, from] = [performance.now(), count];
    while (count < from + more) {
      const due = Math.min(more, ((performance.now() - begun) / 1000) * rate);
      for (; count < from + due;) info(`torrent ${(count += 1)} of a line about as long as lines of programs are`);
      await sleep(10);
    }
    await context.reply(`${count}`);
  }
}

await Node.start((node) => node.startWorker('torrent', Torrent));
