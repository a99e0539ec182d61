// The workers of the benchmark on the hand-written mailbox.
import { ask, send, start } from './mailbox.mjs';

class Greeter {
  async handleMessage(context, message) {
    await context.reply(`Hello ${message}`);
  }
}

class Counter {
  received = 0;
  async handleMessage(context, message) {
    if (message === 'count') await context.reply(String(this.received));
    else this.received++;
  }
}

export function open() {
  start('greeter', new Greeter());
  start('counter', new Counter());
  const side = {
    ask: (message) => ask('greeter', message),
    send: (message) => send('counter', message),
    received: () => ask('counter', 'count'),
    startIdle: (name) => start(name, new Greeter()),
    askIdle: ask,
  };
  return { side };
}
