/** `troupe zone inlet`: a page for a browser on this machine, that shows a zone. It can look and do nothing else. */
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { serve } from '#lib/http';
import type { Node } from '#lib/node';
import { CommandFailure, EXIT } from '../failure.ts';
import { isTaken, listenerOn, processText } from '../process.ts';
import { paint } from '../terminal.ts';
import { nodesOf, withObserver } from '../zone/observer.ts';
import { whichZone, type ZoneOption } from '../zone/which.ts';

interface Options extends ZoneOption {
  to: 'logs' | 'nodes' | 'workers';
  port: number;
}

const HOST = '127.0.0.1';
const PAGE = fileURLToPath(new URL('../../page', import.meta.url));
/** When its probe says that this process is held up. Milliseconds; nobody but the curious asks. */
const STALL = 10_000;
/** How far above a port that is taken a free one is looked for. */
const NEXT = 20;

/** Serves until it is interrupted. */
export async function inlet(options: Options): Promise<void> {
  const { zone, from } = await whichZone(options);
  await withObserver(zone, async (observer) => {
    const address = await start(observer, options.port);
    const count = nodesOf(observer).length;
    const nodes = count === 0 ? `no nodes yet (${from})` : `${count} node${count === 1 ? '' : 's'}`;
    process.stdout.write(
      `zone "${zone}", ${nodes}: ${paint('cyan', `http://${address}/${options.to}`)}\n` +
        `${paint('gray', 'Open it in a browser on this machine; Ctrl-C ends it.')}\n`,
    );
    // Until the signal that ends the process.
    await once(observer.signal, 'abort');
  });
}

/** Starts the server; says who is there when the port is taken. */
async function start(observer: Node, port: number): Promise<string> {
  try {
    return await serve(
      observer,
      { host: HOST, port, workers: false, stallMs: STALL, tokenFile: undefined },
      true,
      PAGE,
    );
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    throw taken(port);
  }
}

/** Names the process that has the port, where the system tells, and the next one that nobody has. */
function taken(port: number): CommandFailure {
  const owner = listenerOn(port);
  const who = owner === undefined ? 'another process, which the system does not name to this user' : processText(owner);
  let next = port + 1;
  while (next < port + NEXT && isTaken(next)) next += 1;
  return new CommandFailure(
    `port ${port} is taken by ${who}. Stop it, or use another port: troupe zone inlet --to logs --port ${next}`,
    EXIT.failed,
  );
}
