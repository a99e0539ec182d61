/** The life of a program that is one node: `main`, signals, and the end. */
import { constants } from 'node:os';
import type { Node } from './node.ts';

/** After a signal, and when the code behind `Node.start` has run, the process may take so long to end by itself. Milliseconds. */
const END_WITHIN = 5_000;

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/** Runs `main` on a node; `staysUp`: until a signal comes. See `Node.start`. */
export async function runUntilInterrupted<T>(
  open: () => Promise<Node>,
  main: (node: Node) => T | Promise<T>,
  staysUp: boolean,
): Promise<T | undefined> {
  let interrupt: () => void = () => {};
  const interrupted = new Promise<'interrupted'>((resolve) => (interrupt = () => resolve('interrupted')));
  let signals = 0;
  const onSignal = (signal: (typeof SIGNALS)[number]) => {
    if (++signals > 1) process.exit(128 + constants.signals[signal]);
    interrupt();
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  try {
    const node = await open();
    try {
      const ran = (async () => main(node))();
      // A failure after a signal is nobody's: the node is being stopped.
      const outcome = await Promise.race([ran.then((value) => ({ value })), interrupted, stopOf(node)]);
      if (typeof outcome === 'object') {
        if (staysUp) await Promise.race([interrupted, stopOf(node)]);
        return signals > 0 ? undefined : outcome.value;
      }
      ran.catch(() => {});
      return undefined;
    } finally {
      await node.stop();
    }
  } finally {
    if (signals > 0) {
      setTimeout(() => process.exit(0), END_WITHIN).unref();
    } else for (const signal of SIGNALS) process.off(signal, onSignal);
  }
}

/** Resolves when somebody stops the node. */
function stopOf(node: Node): Promise<'stopped'> {
  return new Promise((resolve) => {
    node.signal.addEventListener('abort', () => resolve('stopped'), { once: true });
  });
}
