/** What is known of the workers, and what two states of one worker say together: how many messages a second it handles. */
import { type WorkerState } from './shapes.ts';

/** A worker as the page shows it. Rates are messages a second, undefined until a second state has come. */
export interface SeenWorker extends WorkerState {
  readonly key: string;
  readonly rate?: number;
  /** Its node is gone: this is the last that was seen of it. */
  readonly gone: boolean;
}

/** What a table of workers is ordered by. */
export type WorkerOrder = 'name' | 'type' | 'node' | 'queued' | 'rate' | 'failed' | 'oldest' | 'handled' | 'restarts';

/** A name that no two workers share. */
export const keyOf = ({ node, name }: { node: string; name: string }): string => `${node}/${name}`;

/**
 * The workers after a list has arrived, `passedMs` after the one before. A worker that is not in it has stopped, or has no queue worth
 * telling; only those whose node is gone stay, as they were seen last.
 */
export function mergeWorkers(
  known: ReadonlyMap<string, SeenWorker>,
  list: readonly WorkerState[],
  passedMs: number,
  isGone: (node: string) => boolean,
): ReadonlyMap<string, SeenWorker> {
  const merged = new Map<string, SeenWorker>();
  for (const worker of list) {
    const key = keyOf(worker);
    const before = known.get(key);
    const more = before && !before.gone ? worker.handled - before.handled : NaN;
    const gone = isGone(worker.node);
    const rate = more >= 0 && passedMs > 0 && !gone ? (more / passedMs) * 1000 : undefined;
    merged.set(key, { ...worker, key, rate, gone });
  }
  for (const [key, worker] of known) {
    if (!merged.has(key) && isGone(worker.node)) merged.set(key, { ...worker, rate: undefined, gone: true });
  }
  return merged;
}

const values: { readonly [K in WorkerOrder]: (worker: SeenWorker) => string | number } = {
  name: ({ name }) => name,
  type: ({ type }) => type,
  node: ({ node }) => node,
  queued: ({ queued }) => queued,
  rate: ({ rate }) => rate ?? -1,
  failed: ({ failed }) => failed,
  oldest: ({ oldestMs }) => oldestMs ?? -1,
  handled: ({ handled }) => handled,
  restarts: ({ restarts }) => restarts,
};

/** Workers in order, those with the same value by their names; `down` has the largest first. */
export function sortWorkers(workers: Iterable<SeenWorker>, order: WorkerOrder, down: boolean): SeenWorker[] {
  const value = values[order];
  const sign = down ? -1 : 1;
  return [...workers].sort((a, b) => {
    const [left, right] = [value(a), value(b)];
    if (left !== right) return (left < right ? -1 : 1) * sign;
    return a.key < b.key ? -1 : 1;
  });
}

/** Whether a worker's name, type or node has the text in it, whatever its case. */
export function findsWorker(text: string): (worker: SeenWorker) => boolean {
  const sought = text.toLowerCase();
  return ({ name, type, node }) => !sought || [name, type, node].some((part) => part.toLowerCase().includes(sought));
}
