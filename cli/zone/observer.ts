/** A member of the zone for the time of a command: it looks on, and is in nobody's list of nodes. */
import { statSync } from 'node:fs';
import { native } from '#lib/native';
import type { Node } from '#lib/node';
import { ask, members, OBSERVE, openObserver, type Member } from '#lib/observer';
import { setLogger } from '#lib/log';
import { CommandFailure, EXIT } from '../failure.ts';
import { BEWARE, note } from '../terminal.ts';
import type { NodeState } from './reports.ts';
import type { WhichZone } from './which.ts';

/** What a node may take to say how it is; it answers from a thread of its own, so that longer means cut off. Milliseconds. */
const PATIENCE = 5_000;

/** Runs `body` with an observer of the zone, which is gone when it has settled, and when SIGINT or SIGTERM comes. */
export async function withObserver<T>(zone: string, body: (observer: Node) => Promise<T>): Promise<T> {
  // The library's own words would mix with what the command prints; what matters to the person is in its errors.
  setLogger(({ level, message }) => {
    if (level === 'error') note(message, BEWARE);
  });
  const leave = () => process.exit(EXIT.interrupted);
  process.once('SIGINT', leave).once('SIGTERM', leave);
  const observer = await openObserver(zone);
  try {
    return await body(observer);
  } finally {
    await observer.stop({ timeout: 0 });
    process.off('SIGINT', leave).off('SIGTERM', leave);
  }
}

/** Whether a process of this user has ever been in the zone. Where that can't be told, who opens its folder says why. */
export function isKnown(zone: string): boolean {
  try {
    return statSync(native.zoneFolder(zone), { throwIfNoEntry: false }) !== undefined;
  } catch {
    return true;
  }
}

/** The same for a command that only looks: a zone that is not there is not made by that. */
export async function lookAt<T>(which: WhichZone, body: (observer: Node) => Promise<T>): Promise<T> {
  if (!isKnown(which.zone)) throw notUp(which);
  return withObserver(which.zone, body);
}

/** What is said where nobody is in the zone. */
export function notUp({ zone, from }: WhichZone): CommandFailure {
  return new CommandFailure(
    `zone "${zone}" (${from}) is not up. \`troupe zone deploy\` brings one up; \`troupe zone list\` shows which there are.`,
    EXIT.absent,
  );
}

/** The nodes of the zone, sorted by name: members that run workers. */
export function nodesOf(observer: Node): Member[] {
  return members(observer).filter(({ role }) => role === 'node');
}

/** The nodes, or only the one of that name; fails where there is none. */
export function nodesNamed(observer: Node, { zone, from }: WhichZone, name: string | undefined): Member[] {
  const nodes = nodesOf(observer);
  if (name === undefined) return nodes;
  const found = nodes.filter((member) => member.name === name);
  if (found.length > 0) return found;
  const there =
    nodes.length === 0
      ? 'It has no nodes; `troupe zone list` shows which zones have some'
      : `Its nodes are ${nodes.map((member) => member.name).join(', ')}`;
  throw new CommandFailure(`zone "${zone}" (${from}) has no node "${name}". ${there}.`, EXIT.absent);
}

/** How a node is, with its `workers` busiest workers; the reason, where it did not say. */
export async function stateOf(
  observer: Node,
  { name }: Member,
  workers: number,
  patience = PATIENCE,
): Promise<NodeState | Error> {
  try {
    return (await ask(observer, name, OBSERVE, { state: { workers } }, patience)) as NodeState;
  } catch (error) {
    return error as Error;
  }
}

/** What a node may take to say where it is served, so that one that hangs holds up no listing of others. Milliseconds. */
const HTTP_PATIENCE = 1_000;

/** Where nodes are served over HTTP, as they say themselves: undefined for one that is not, or does not say. */
export async function httpOf(observer: Node, nodes: ReadonlySet<string>): Promise<Map<string, string | undefined>> {
  const there = nodesOf(observer).filter(({ name }) => nodes.has(name));
  const states = await Promise.all(there.map((member) => stateOf(observer, member, 0, HTTP_PATIENCE)));
  return new Map(there.map(({ name }, i) => [name, (states[i] as Partial<NodeState>).http]));
}
