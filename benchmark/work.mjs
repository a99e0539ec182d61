// The work of one round, the same for either side; every reply is compared with what it must be.

/** What a side offers. @typedef {import('./side.mjs').Side} Side */

/** Different messages of 16 characters, so that a reply that went to the wrong request is seen. */
const MESSAGES = Array.from({ length: 1024 }, (_, i) => `hello world ${String(i).padStart(4, '0')}`);
const REPLIES = MESSAGES.map((message) => `Hello ${message}`);
const IN_FLIGHT = 1000;
const BULK_IN_FLIGHT = 4;
const BULK = 900_000;
/** Sends between two requests that wait for them: a mailbox holds 10 000. */
const BURST = 5_000;

/** Fails unless the reply is the expected one; a long one is shown by its length. */
function compare(reply, expected) {
  if (reply === expected) return;
  const show = (text) => (typeof text === 'string' && text.length > 80 ? `${text.length} characters` : String(text));
  throw new Error(`a wrong reply: ${show(reply)}, expected: ${show(expected)}`);
}

/** Runs `ask(i)` for each `i` below `count`, `width` of them at a time. */
async function atATime(width, count, ask) {
  let next = 0;
  const lane = async () => {
    try {
      while (next < count) await ask(next++);
    } catch (error) {
      // The others end as well.
      next = count;
      throw error;
    }
  };
  await Promise.all(Array.from({ length: width }, lane));
}

/** Milliseconds that something takes. */
async function timed(run) {
  const start = performance.now();
  await run();
  return performance.now() - start;
}

/** Starts workers that wait, then lets each answer once: an idle worker is one that is there. */
async function idle(side, count, measure) {
  const value = await measure(async () => {
    for (let i = 0; i < count; i++) await side.startIdle(`idle-${i}`);
  });
  await atATime(IN_FLIGHT, count, async (i) => {
    compare(await side.askIdle(`idle-${i}`, MESSAGES[i % 1024]), REPLIES[i % 1024]);
  });
  return value;
}

/** Bytes that the process holds, with nothing left to collect. */
function resident() {
  for (let i = 0; i < 3; i++) globalThis.gc();
  return process.memoryUsage.rss();
}

/** One round each: gives the value in the unit of its figures. */
export const work = {
  /** Microseconds a request. @param {Side} side @param {number} count */
  async oneAtATime(side, count) {
    const took = await timed(async () => {
      for (let i = 0; i < count; i++) compare(await side.ask(MESSAGES[i % 1024]), REPLIES[i % 1024]);
    });
    return (took / count) * 1e3;
  },

  /** Thousands of requests a second. @param {Side} side @param {number} count */
  async inFlight(side, count) {
    const took = await timed(() =>
      atATime(IN_FLIGHT, count, async (i) => compare(await side.ask(MESSAGES[i % 1024]), REPLIES[i % 1024])),
    );
    return count / took;
  },

  /** Thousands of messages a second, until all have been handled. @param {Side} side @param {number} count */
  async sends(side, count) {
    const before = Number(await side.received());
    const took = await timed(async () => {
      for (let i = 1; i <= count; i++) {
        side.send('one more');
        if (i % BURST === 0) compare(await side.received(), String(before + i));
      }
      compare(await side.received(), String(before + count));
    });
    return count / took;
  },

  /** Nanoseconds a worker. @param {Side} side @param {number} count */
  async idleTime(side, count) {
    return ((await idle(side, count, timed)) / count) * 1e6;
  },

  /** Bytes a worker, all that the process holds for it. @param {Side} side @param {number} count */
  async idleMemory(side, count) {
    const grown = await idle(side, count, async (start) => {
      const before = resident();
      await start();
      return resident() - before;
    });
    return grown / count;
  },

  /** Megabytes a second, one way. @param {Side} side @param {number} count */
  async echo(side, count) {
    const bulk = Array.from({ length: BULK_IN_FLIGHT }, (_, i) => String(i).repeat(BULK));
    const replies = bulk.map((message) => `Hello ${message}`);
    const took = await timed(() =>
      atATime(BULK_IN_FLIGHT, count, async (i) => {
        compare(await side.ask(bulk[i % BULK_IN_FLIGHT]), replies[i % BULK_IN_FLIGHT]);
      }),
    );
    return (count * BULK) / took / 1e3;
  },
};
