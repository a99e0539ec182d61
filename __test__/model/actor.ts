/** The worker of random programs: it does what the program says, and tells what it sees. It travels, so all it knows is in its process. */
import type { Context, Worker } from 'troupe';

/** What an actor finds in the process it runs in, under {@link STAGE}. */
export interface Stage {
  /** Numbers the instances of a worker, from 1. */
  made(worker: number): number;
  initialized(worker: number, instance: number): void;
  handle(worker: number, instance: number, context: Context, message: string): Promise<void>;
  ended(worker: number, instance: number): void;
}

/** The name of the stage among what is global: code that travelled has nothing else in common with the process. */
export const STAGE = 'troupe.test.stage';

function stage(): Stage {
  return (globalThis as unknown as Record<string, Stage>)[STAGE] as Stage;
}

/** One worker of a random program, known by its number. */
export class Actor implements Worker {
  readonly #worker: number;
  readonly #instance: number;

  constructor(worker: number) {
    this.#worker = worker;
    this.#instance = stage().made(worker);
  }

  initialize() {
    stage().initialized(this.#worker, this.#instance);
  }

  handleMessage(context: Context, message: string) {
    return stage().handle(this.#worker, this.#instance, context, message);
  }

  shutdown() {
    stage().ended(this.#worker, this.#instance);
  }
}
