/** The nodes that trust one authority, and find each other. */
import { invalidType } from './errors.ts';
import { fromCode } from './failures.ts';
import { native } from './native.ts';
import { Node } from './node.ts';
import type { NodeHandle } from './node-handle.ts';
import { checkName } from './address.ts';
import { NODE, zoneSettings } from './options.ts';
import type { Duration } from './duration.ts';
import { RemoteNode } from './remote-node.ts';

/** Timers of Node hold 31 bits. */
const MAX_TIMER = 2 ** 31 - 1;

/** One handle a node and observer, as long as somebody holds it. */
const handles = new WeakMap<Node, Map<string, WeakRef<RemoteNode>>>();

function handleOf(node: Node, name: string, id: string): RemoteNode {
  let known = handles.get(node);
  if (known === undefined) handles.set(node, (known = new Map()));
  const held = known.get(id)?.deref();
  if (held !== undefined) return held;
  for (const [old, ref] of known) if (ref.deref() === undefined) known.delete(old);
  const handle = new RemoteNode(node, name, id);
  known.set(id, new WeakRef(handle));
  return handle;
}

/** Throws INVALID_ARGUMENT for anything but a node of this process, as a handle of another node is. */
function checkNode(node: unknown): asserts node is Node {
  if (!(node instanceof Node)) throw invalidType('node', 'a node that Node.start or Node.create gave', node);
}

function look(node: Node, filter: string): NodeHandle[] {
  if (node.signal.aborted) throw fromCode('NODE_STOPPED', { node: node.name });
  // Only nodes run workers: observers and the supervisor are members and no nodes of the zone.
  const members = native.members(node.number).filter(({ role }) => role === NODE);
  const found: NodeHandle[] = members.map(({ name, id }) => handleOf(node, name, id));
  if (node.role === NODE) found.push(node);
  return found
    .filter(({ name }) => name.startsWith(filter))
    .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

/** Resolves when members may have changed, or rejects when there is no use in waiting on. */
function changed(node: Node, signal: AbortSignal | undefined): { promise: Promise<void>; forget: () => void } {
  let forget = () => {};
  const promise = new Promise<void>((resolve, reject) => {
    const onChange = () => resolve();
    const onStop = () => reject(fromCode('NODE_STOPPED', { node: node.name }));
    const onAbort = () => reject(signal?.reason as Error);
    node.membersChanged.addEventListener('change', onChange);
    node.signal.addEventListener('abort', onStop);
    signal?.addEventListener('abort', onAbort);
    forget = () => {
      node.membersChanged.removeEventListener('change', onChange);
      node.signal.removeEventListener('abort', onStop);
      signal?.removeEventListener('abort', onAbort);
    };
  });
  promise.catch(() => {});
  return { promise, forget };
}

/** The zone of a node. */
export class Zone {
  /**
   * The zone's live nodes, sorted by name; this one is among them, as the `Node` itself. `filter`: only nodes whose name begins with it.
   * `atLeast` with `timeout` (default "30s"): wait until so many are there, else `TimeoutError`.
   */
  static async nodes(
    node: Node,
    options?: { filter?: string; atLeast?: number; timeout?: Duration; signal?: AbortSignal },
  ): Promise<NodeHandle[]> {
    checkNode(node);
    const { filter, atLeast, timeoutMs, signal } = zoneSettings(options);
    signal?.throwIfAborted();
    let timer: NodeJS.Timeout | undefined;
    let late: Promise<never> | undefined;
    try {
      for (;;) {
        // Listens before it looks, so that no change falls between.
        const change = changed(node, signal);
        try {
          const found = look(node, filter);
          if (found.length >= atLeast) return found;
          late ??= new Promise((_, reject) => {
            const fail = () => {
              const names = look(node, filter).map(({ name }) => name);
              const detail = `${names.length} of ${atLeast} nodes "${filter}…" were there (${names.join(', ') || 'none'})`;
              reject(fromCode('TIMEOUT', { waited: timeoutMs, detail }));
            };
            if (timeoutMs <= MAX_TIMER) timer = setTimeout(fail, timeoutMs);
          });
          await Promise.race([change.promise, late]);
        } finally {
          change.forget();
        }
      }
    } finally {
      clearTimeout(timer);
    }
  }

  /** One node by its full name, or `NodeUnreachableError`. */
  static async node(node: Node, name: string): Promise<NodeHandle> {
    checkNode(node);
    checkName(name, 'name');
    const found = look(node, '').find((handle) => handle.name === name);
    if (found !== undefined) return found;
    throw fromCode('NODE_UNREACHABLE', {
      node: name,
      maybeExecuted: false,
      detail: 'no live node of the zone has this name',
    });
  }

  /** Who joins and leaves, from now on; first one `joined` for each node that is there. Ends when the node stops or `signal` aborts. */
  static async *watch(
    node: Node,
    options?: { filter?: string; signal?: AbortSignal },
  ): AsyncIterable<{ type: 'joined' | 'left'; node: NodeHandle }> {
    checkNode(node);
    const { filter, signal } = zoneSettings(options, true);
    let known = new Map<string, NodeHandle>();
    while (!node.signal.aborted && signal?.aborted !== true) {
      const change = changed(node, signal);
      try {
        const now = new Map(look(node, filter).map((handle) => [handle.id, handle]));
        for (const [id, handle] of known) if (!now.has(id)) yield { type: 'left', node: handle };
        for (const [id, handle] of now) if (!known.has(id)) yield { type: 'joined', node: handle };
        known = now;
        await change.promise.catch(() => {});
      } finally {
        change.forget();
      }
    }
  }
}
