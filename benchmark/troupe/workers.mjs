// The workers of the benchmark as they are written for troupe.

/** Answers a greeting. */
export class Greeter {
  async handleMessage(context, message) {
    await context.reply(`Hello ${message}`);
  }
}

/** Counts what it is sent, and tells when asked. */
export class Counter {
  received = 0;
  async handleMessage(context, message) {
    if (message === 'count') await context.reply(String(this.received));
    else this.received++;
  }
}
