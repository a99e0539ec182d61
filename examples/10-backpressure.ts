// A mailbox has an end. When it is full, senders wait their turn (the default), or are refused: whichever the receiver chose.
// Prints:
//   refusing: 2 taken, 8 refused with MAILBOX_FULL
//   waiting: the first 2 had room, then all 10 got in, in order: 0 1 2 3 4 5 6 7 8 9
import { Node, type Context, type Mailbox, type TroupeError } from 'troupe';

// Stands for work that takes long: it goes on when the gate opens.
let openGate = () => {};

class Slow {
  #seen: string[] = [];
  async handleMessage(context: Context, message: string) {
    if (message === 'report') return context.reply(this.#seen.join(' '));
    if (message !== 'begin') return this.#seen.push(message);
    const gate = new Promise<void>((open) => (openGate = open));
    await context.reply('begun');
    await gate;
  }
}

async function begin(mailbox: Mailbox, worker: string) {
  await mailbox.send(worker, 'begin');
  await mailbox.receive({ timeout: '10s' });
}

await Node.start(
  async (node) => {
    const mailbox = await node.createMailbox('progress');
    await node.startWorker('refusing', Slow, { mailbox: 2, overflow: 'reject' });
    await begin(mailbox, 'refusing');
    const sends = Array.from({ length: 10 }, (_, i) => node.send('refusing', String(i)));
    const failed = (await Promise.allSettled(sends)).filter((outcome) => outcome.status === 'rejected');
    const codes = new Set(failed.map((outcome) => (outcome.reason as TroupeError).code));
    console.log(`refusing: ${10 - failed.length} taken, ${failed.length} refused with ${[...codes].join(', ')}`);
    openGate();

    await node.startWorker('waiting', Slow, { mailbox: 2 });
    await begin(mailbox, 'waiting');
    let taken = 0;
    const waiting = Array.from({ length: 10 }, (_, i) => node.send('waiting', String(i)).then(() => (taken += 1)));
    await Promise.all(waiting.slice(0, 2));
    const atOnce = taken;
    openGate();
    await Promise.all(waiting);
    const seen = await node.sendAndReceive('waiting', 'report');
    console.log(`waiting: the first ${atOnce} had room, then all ${taken} got in, in order: ${seen}`);
  },
  { waitUntilInterrupted: false },
);
