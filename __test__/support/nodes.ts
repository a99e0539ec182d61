/**
 * Nodes of one zone in the process of the test, for what needs no process of its own: between them lie the same links as between
 * processes. The zone's folder is that of the process, so tests that use this run one after the other (`test.serial`).
 */
import type { ExecutionContext } from 'ava';
import { Node, type NodeOptions, type Worker } from 'troupe';
import { zoneHome } from './program.ts';

/** Makes nodes of one zone, which stop at the latest with their test. `home`: that of programs which are to be in the zone as well. */
export function nodesOf(
  t: ExecutionContext,
  home = zoneHome(t),
): (name: string, options?: NodeOptions) => Promise<Node> {
  process.env['TROUPE_HOME'] = home;
  return async (name, options) => {
    const node = await Node.create({ name, ...options });
    t.teardown(() => node.stop({ timeout: 0 }));
    return node;
  };
}

/** A promise, and how to settle it: a test says when a handler goes on. */
export interface Gate {
  readonly opened: Promise<void>;
  open(): void;
}

/** A gate that is closed. */
export function gate(): Gate {
  let open = () => {};
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open };
}

/** A behaviour of one function. */
export function worker(handleMessage: NonNullable<Worker['handleMessage']>): Worker {
  return { handleMessage };
}

/** The error that a call ends in; fails the test when it succeeds. */
export async function failureOf<T extends Error>(t: ExecutionContext, call: Promise<unknown>): Promise<T> {
  const outcome = await call.then(
    () => undefined,
    (error: unknown) => error as T,
  );
  if (outcome === undefined) t.fail('it succeeded');
  return outcome as T;
}
