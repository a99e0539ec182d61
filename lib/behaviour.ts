/** What a program gives as a worker: a class or an instance, looked at before it is started. */
import { invalidArgument, invalidType } from './errors.ts';
import type { Worker } from './worker.ts';

/**
 * Instances that were given and run or have run, here or on another node: an instance is started once. Those made here of a class are
 * nobody else's; a weak entry for each would cost an idle worker half of its memory and most of its time to start.
 */
export const started = new WeakSet<object>();

/** Whether a class was given; throws INVALID_ARGUMENT for what is neither a class nor an instance. */
export function checkWorker(worker: unknown): boolean {
  // An arrow function or a method has no prototype: it can't make an instance.
  if (typeof worker === 'function' && typeof worker.prototype === 'object') return true;
  if (typeof worker === 'object' && worker !== null) return false;
  throw invalidType('worker', 'a class, or an instance of one, with a handleMessage method', worker);
}

/** Throws INVALID_ARGUMENT for an instance that handles nothing, or was started before. */
export function checkBehaviour(instance: Worker, name: string): void {
  if (started.has(instance)) {
    throw invalidArgument(`the instance for worker "${name}" was started before; start its class, or a new instance`);
  }
  if (typeof (instance as Partial<Worker>).handleMessage !== 'function') {
    throw invalidType('worker', `a class or instance with a handleMessage method (worker "${name}")`, instance);
  }
  for (const optional of ['initialize', 'shutdown'] as const) {
    const given: unknown = instance[optional];
    if (given !== undefined && typeof given !== 'function')
      throw invalidType('worker', `one whose ${optional}, if it has any, is a method (worker "${name}")`, given);
  }
}
