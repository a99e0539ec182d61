/**
 * Whether a supervisor looks after this process, and whether it takes the log just now. The mark in the environment is for this process and
 * its threads: programs that are started from here are nobody's containers.
 */
import { getEnvironmentData, setEnvironmentData } from 'node:worker_threads';

/** Set by a deployment, with the zone and the name of the node that the supervisor looks after. */
const MARK = 'TROUPE_SUPERVISED';
const KEY = 'troupe:supervised';

interface Supervision {
  readonly zone: string;
  readonly node: string;
  /** 1 while that node is open: its supervisor takes the log from it. All threads have it. */
  readonly isOpen: Int32Array<SharedArrayBuffer>;
}

/** Takes the mark out of the environment, once; what was taken, threads have as well. */
function taken(): Supervision | undefined {
  if (process.env[MARK] === '1') {
    delete process.env[MARK];
    const { TROUPE_ZONE: zone, TROUPE_NODE: node } = process.env;
    const isOpen = new Int32Array(new SharedArrayBuffer(4));
    setEnvironmentData(KEY, { zone: zone || 'default', node: node ?? '', isOpen });
  }
  return getEnvironmentData(KEY) as unknown as Supervision | undefined;
}

const supervision = taken();

/** Whether a supervisor has started this process. */
export const isSupervised = supervision !== undefined;

/** Whether the supervisor takes the log from the node it looks after; else it has of it what is printed. */
export function takesLog(): boolean {
  return supervision !== undefined && Atomics.load(supervision.isOpen, 0) === 1;
}

/** Whether the supervisor looks after this node. */
export function isLookedAfter({ name, zone }: { name: string; zone: string | false }): boolean {
  return supervision !== undefined && supervision.node === name && supervision.zone === zone;
}

/** From now on the supervisor takes the log, or no longer. */
export function setTakesLog(takes: boolean): void {
  if (supervision !== undefined) Atomics.store(supervision.isOpen, 0, takes ? 1 : 0);
}
