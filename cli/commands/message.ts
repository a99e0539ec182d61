/** `troupe ask` and `troupe send`: one message to a worker of the zone, from a person. */
import { checkAddress } from '#lib/address';
import type { Node } from '#lib/node';
import type { Duration } from '#lib/duration';
import { CommandFailure, EXIT, exitOf, wordsOf } from '../failure.ts';
import { harmlessLines, note, withProgress } from '../terminal.ts';
import { lookAt } from '../zone/observer.ts';
import { whichZone, type WhichZone, type ZoneOption } from '../zone/which.ts';

interface Options extends ZoneOption {
  timeout: Duration;
}

/** Sends, waits for the reply, and prints it as it is. */
export async function ask(address: string, message: string, options: Options): Promise<void> {
  const { timeout } = options;
  const reply = await toWorker(address, message, options, (node, text) =>
    withProgress(
      () => `waiting for the reply of ${address}`,
      () => node.sendAndReceive(address, text, { timeout }),
    ),
  );
  // As it is for a program; a terminal would obey what is in it.
  process.stdout.write(`${process.stdout.isTTY === true ? harmlessLines(reply) : reply}\n`);
}

/** Sends, and says that the message was handed over. */
export async function send(address: string, message: string, options: Options): Promise<void> {
  const { timeout } = options;
  await toWorker(address, message, options, (node, text) =>
    withProgress(
      () => `looking for ${address}`,
      () => node.send(address, text, { timeout }),
    ),
  );
  note(`handed over to ${address}`);
}

async function toWorker<T>(
  address: string,
  message: string,
  options: Options,
  deliver: (node: Node, text: string) => Promise<T>,
): Promise<T> {
  const which = await whichZone(options);
  checkAddress(address, 'the address');
  // What nobody else should see in a list of processes comes this way, and what is too long for a command line.
  const text = message === '-' ? await standardInput() : message;
  try {
    return await lookAt(which, (observer) => deliver(observer, text));
  } catch (error) {
    throw new CommandFailure(`${wordsOf(error)}${hint(error, which)}`, exitOf(error), { cause: error });
  }
}

/** Standard input to its end, as it is. Not read at once: one that somebody else does not let wait would fail then. */
async function standardInput(): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.concat(chunks));
  } catch {
    throw new CommandFailure(
      'what came by standard input is no UTF-8, and a message is text; expected text, such as what `base64` makes of the bytes',
      EXIT.usage,
    );
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
      return '\n`troupe zone logs --level warn -n 20` shows what it said about that, with its stack.';
    default:
      return '';
  }
}
