/**
 * One listener on a signal, however many calls it ends: a program gives one signal to thousands of them, and Node warns of a leak at the
 * eleventh listener.
 */

interface Watched {
  readonly runs: Set<() => void>;
  readonly listener: () => void;
}

const watched = new WeakMap<AbortSignal, Watched>();

/** Runs something when a signal aborts that has not yet. Returns how to forget it. */
export function onAbort(signal: AbortSignal, run: () => void): () => void {
  let entry = watched.get(signal);
  if (entry === undefined) {
    const runs = new Set<() => void>();
    entry = { runs, listener: () => runs.forEach((each) => each()) };
    watched.set(signal, entry);
    signal.addEventListener('abort', entry.listener, { once: true });
  }
  const { runs, listener } = entry;
  runs.add(run);
  return () => {
    if (!runs.delete(run) || runs.size > 0) return;
    signal.removeEventListener('abort', listener);
    watched.delete(signal);
  };
}
