/** The life of a program that is one node: `main`, signals, and the end. */
import { constants } from 'node:os';
import type { Node } from './node.ts';

/** After a signal, and when the code behind `Node.start` has run, the process may take so long to end by itself. Milliseconds. */
const END_WITHIN = 5_000;

/**
 * A signal so soon after the first one is the same one. A terminal signals the whole group of processes, and what stands in front of a
 * program (tsx, npm) passes its own on besides; tsx does so within 30 ms, more on a busy machine. Milliseconds.
 */
const SAME_SIGNAL = 250;

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/** Runs `main` on a node; `staysUp`: until a signal comes. See `Node.start`. */
export async function runUntilInterrupted<T>(
  open: () => Promise<Node>,
  main: (node: Node) => T | Promise<T>,
  staysUp: boolean,
): Promise<T | undefined> {
  let interrupt: () => void = () => {};
  const interrupted = new Promise<'interrupted'>((resolve) => (interrupt = () => resolve('interrupted')));
  let firstSignal: number | undefined;
  const onSignal = (signal: (typeof SIGNALS)[number]) => {
    const now = performance.now();
    if (firstSignal !== undefined && now - firstSignal > SAME_SIGNAL) process.exit(128 + constants.signals[signal]);
    firstSignal ??= now;
    interrupt();
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  try {
    const node = await open();
    try {
      if (firstSignal !== undefined) return undefined;
      const ran = (async () => main(node))();
      // A failure after a signal is nobody's: the node is being stopped.
      const outcome = await Promise.race([ran.then((value) => ({ value })), interrupted, stopOf(node)]);
      if (typeof outcome === 'object') {
        if (staysUp) await Promise.race([interrupted, stopOf(node)]);
        return firstSignal !== undefined ? undefined : outcome.value;
      }
      ran.catch(() => {});
      return undefined;
    } finally {
      await node.stop();
    }
  } finally {
    if (firstSignal !== undefined) {
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
