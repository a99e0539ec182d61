// A worker is an object with a method. Ask it something, by its name, and wait for what it replies.
// Prints what follows and stays up until it is interrupted (Ctrl+C):
//   Good morning, Ada.
import { Node, type Context } from 'troupe';

class Host {
  async handleMessage(context: Context, guest: string) {
    await context.reply(`Good morning, ${guest}.`);
  }
}

await Node.start(async (node) => {
  await node.startWorker('host', Host);
  console.log(await node.sendAndReceive('host', 'Ada'));
});
