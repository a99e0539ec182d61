/** One worker in a listing, wherever it runs. */
import type { WorkerInfo } from './worker.ts';

/** What a listing holds of a worker, as it also travels. */
export type WorkerFields = Omit<WorkerInfo, 'toString'>;

/** A listing's entry; as text it is the worker's name, so that a listing prints well. */
export class Listed implements WorkerInfo {
  declare readonly name: string;
  declare readonly node: string;
  declare readonly type: string;
  declare readonly state: WorkerInfo['state'];
  declare readonly queued: number;
  declare readonly handled: number;
  declare readonly failed: number;

  constructor(fields: WorkerFields) {
    Object.assign(this, fields);
  }

  toString(): string {
    return this.name;
  }
}

// As it is known to users: what prints a listing shows the name of the class in front.
Object.defineProperty(Listed, 'name', { value: 'WorkerInfo', configurable: true });
