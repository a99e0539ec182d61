// A worker may reply more than once. A mailbox collects replies and messages, for code that is no worker itself.
// Prints:
//   chapter 1 is done
//   chapter 2 is done
//   chapter 3 is done
//   the book is done
//   asked as a request, the first reply counts: chapter 1 is done
//   for main, from parrot: pieces of eight
import { Node, type Context } from 'troupe';

class Author {
  async handleMessage(context: Context) {
    for (let chapter = 1; chapter <= 3; chapter++) await context.reply(`chapter ${chapter} is done`);
    await context.reply('the book is done');
  }
}
class Parrot {
  async handleMessage(context: Context, message: string) {
    await context.reply(message);
  }
}

await Node.start(
  async (node) => {
    await node.startWorker('author', Author);
    await node.startWorker('parrot', Parrot);

    const progress = await node.createMailbox('progress');
    await progress.send('author', 'write');
    for await (const { message } of progress) {
      console.log(message);
      if (message === 'the book is done') break;
    }
    await progress.close();
    console.log(`asked as a request, the first reply counts: ${await node.sendAndReceive('author', 'write')}`);

    // Every node has a mailbox of its own: what is sent from the node itself is answered there.
    await node.send('parrot', 'pieces of eight');
    const { message, sender } = await node.mailbox.receive({ timeout: '10s' });
    console.log(`for main, from ${sender.replace(`${node.name}/`, '')}: ${message}`);
  },
  { waitUntilInterrupted: false },
);
