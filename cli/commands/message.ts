/** `troupe ask` and `troupe send`: one message to a worker of the zone, from a person. */
import { readFileSync } from 'node:fs';
import type { Node } from '#lib/node';
import type { Duration } from '#lib/duration';
import { CommandFailure, exitOf, wordsOf } from '../failure.ts';
import { note, withProgress } from '../terminal.ts';
import { withObserver } from '../zone/observer.ts';
import { whichZone, type WhichZone, type ZoneOption } from '../zone/which.ts';

interface Options extends ZoneOption {
  timeout: Duration;
}

/** Sends, waits for the reply, and prints it as it is. */
export async function ask(address: string, message: string, options: Options): Promise<void> {
  const { timeout } = options;
  const reply = await toWorker(message, options, (node, text) =>
    withProgress(
      () => `waiting for the reply of ${address}`,
      () => node.sendAndReceive(address, text, { timeout }),
    ),
  );
  process.stdout.write(`${reply}\n`);
}

/** Sends, and says that the message was handed over. */
export async function send(address: string, message: string, options: Options): Promise<void> {
  const { timeout } = options;
  await toWorker(message, options, (node, text) =>
    withProgress(
      () => `looking for ${address}`,
      () => node.send(address, text, { timeout }),
    ),
  );
  note(`handed over to ${address}`);
}

async function toWorker<T>(
  message: string,
  options: Options,
  deliver: (node: Node, text: string) => Promise<T>,
): Promise<T> {
  const which = await whichZone(options);
  // What nobody else should see in a list of processes comes this way, and what is too long for a command line.
  const text = message === '-' ? readFileSync(0, 'utf8') : message;
  try {
    return await withObserver(which.zone, (observer) => deliver(observer, text));
  } catch (error) {
    throw new CommandFailure(`${wordsOf(error)}${hint(error, which)}`, exitOf(error), { cause: error });
  }
}

/** What to do next, by what went wrong. */
function hint(error: unknown, { zone, from }: WhichZone): string {
  switch (String((error as { code?: unknown } | null)?.code)) {
    case 'NO_SUCH_WORKER':
    case 'NODE_UNREACHABLE':
      return `\nLooked for in zone "${zone}" (${from}); \`troupe zone workers\` lists what is there.`;
    case 'TIMEOUT':
      // A handler that has ended without a reply has had all the time it wanted.
      if ((error as { stage?: unknown }).stage === 'handled') return '';
      return '\nA longer --timeout gives it more time; `troupe zone workers` shows what waits in its mailbox.';
    case 'WORKER_FAILED':
      return '\n`troupe zone logs --level warn` shows what it said about that.';
    default:
      return '';
  }
}
