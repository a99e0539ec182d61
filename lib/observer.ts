/**
 * Looking on at a zone, for the command line: a member that runs no workers, and what it asks the others for. Not a part of the public
 * API.
 */
import { native } from './native.ts';
import { fromCode } from './failures.ts';
import { Node } from './node.ts';
import { observerSettings } from './options.ts';
import { order } from './port/requests.ts';

/** Lines and state of a member; takes the capability `observe`. Every member answers. */
export const OBSERVE = 'O';
/** The supervisor's work; takes `worker:start` and `worker:stop`. Only the supervisor of a zone answers. */
export const SUPERVISE = 'V';

/** What a member is in its zone. */
export type MemberRole = 'node' | 'observer' | 'supervisor';

const ROLES: readonly MemberRole[] = ['node', 'observer', 'supervisor'];

/** A live member of the zone. */
export interface Member {
  name: string;
  /** Identifier of its identity, in hexadecimal. */
  id: string;
  role: MemberRole;
}

/**
 * Joins a zone as an observer, called `observer-<process>-<4 hexadecimal digits>`: never in `Zone.nodes`, never asked for a worker.
 * `zone`: default `TROUPE_ZONE`, else `"default"`. What it is for ends with `stop()`.
 */
export function openObserver(zone?: string): Promise<Node> {
  return Node.openAs(observerSettings(zone));
}

/** The live members of the zone but this one, in whatever role, looked up now, sorted by name. */
export function members(observer: Node): Member[] {
  if (observer.signal.aborted) throw fromCode('NODE_STOPPED', { node: observer.name });
  return native.members(observer.number).map(({ name, id, role }) => ({ name, id, role: ROLES[role] as MemberRole }));
}

const text = new TextEncoder();
const bytes = new TextDecoder('utf-8', { fatal: true });

/**
 * Asks a member for a service of this kind and resolves with what it answers, parsed. `timeout` in milliseconds, default 30 000.
 *
 * Rejects with `NodeUnreachableError`, `TimeoutError`, `NotPermittedError` when the credential does not allow it or the member knows no such
 * service, `MailboxFullError` when it has too much to answer, `NodeStoppedError`.
 */
export async function ask(
  observer: Node,
  member: string,
  kind: typeof OBSERVE | typeof SUPERVISE,
  json: unknown,
  timeout = 30_000,
): Promise<unknown> {
  if (observer.signal.aborted) throw fromCode('NODE_STOPPED', { node: observer.name });
  const answer = await order<{ bytes: Uint8Array }>(`${member}/`, timeout, (id, generation) => {
    native.control(observer.number, member, text.encode(kind + JSON.stringify(json)), timeout, id, generation);
  });
  return JSON.parse(bytes.decode(answer.bytes));
}

/** Calls back whenever the members may have changed, until the function it returns is called. */
export function onMembers(observer: Node, changed: () => void): () => void {
  observer.membersChanged.addEventListener('change', changed);
  return () => observer.membersChanged.removeEventListener('change', changed);
}
