/**
 * What a shipped module meets in the process that runs it: the receiver's own copy of this package, and a place to say which
 * classes it declares. Known to the module by its URL.
 */
import { warn } from '../log.ts';
import type { WorkerClass } from '../worker.ts';
import { classAt, reasonOf, refusal } from './refusal.ts';

/** What the code of a bundle calls; part of what two versions of this package must agree on. */
interface ModuleSide {
  /** Called first: the file that the class was written in. */
  writtenIn(file: string): void;
  /** Called once, before the module's own code runs, or at the end of a CommonJS module: the classes, made or not yet. */
  declare(classes: () => Record<string, () => unknown>): void;
  /** The namespace object of `troupe` or `troupe/…`. */
  exportsOf(specifier: string): unknown;
}

// Registered symbol: the bundle can't import from us, and two copies of the package share what is loaded.
const MODULES = Symbol.for('troupe.ship.modules');
/** Text that gives a bundle its {@link ModuleSide}. */
export const MODULE_SIDE = `globalThis[Symbol.for('troupe.ship.modules')].get(import.meta.url)`;

let runtime: Record<string, unknown> | undefined;

/**
 * Tells what `import … from 'troupe'` gives a shipped module: the package's own exports. Called once, by the package's index, with
 * its namespace object. `Node.start` and `Node.create` of it never settle in a shipped module.
 */
export function installRuntime(exports: Record<string, unknown>): void {
  runtime = exports;
}

/** A module that was shipped here, while it runs and after. */
export class ShippedModule implements ModuleSide {
  /** Settles when its classes can be had: it called `Node.start` one turn ago, or ran to its end; rejects if it failed before. */
  readonly ready: Promise<void>;
  #settle!: { resolve: () => void; reject: (reason: unknown) => void };
  #thunks: Record<string, () => unknown> = {};
  #file: string | undefined;
  #stoppedAt: 'start' | 'end' | undefined;

  /** The module at `url`, which `run` imports unless that has been done: also when another copy of this package did. */
  static at(url: string, run: (url: string) => Promise<unknown>): ShippedModule {
    const known = modules().get(url);
    if (known) return known;
    const module = new ShippedModule();
    // Before it runs: its first statement asks for it.
    modules().set(url, module);
    run(url).then(
      () => module.#ended(),
      (reason: unknown) => module.#ended({ reason }),
    );
    return module;
  }

  private constructor() {
    this.ready = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    // Whoever waits hears of it; nobody may be waiting any more.
    this.ready.catch(() => undefined);
  }

  writtenIn(file: string): void {
    this.#file ??= file;
  }

  declare(classes: () => Record<string, () => unknown>): void {
    // The first to declare is right: a bundle that was bundled again still declares what it did the first time.
    this.#thunks = { ...classes(), ...this.#thunks };
  }

  exportsOf(specifier: string): unknown {
    if (!runtime) throw new Error('troupe has not been loaded in this process');
    if (specifier !== 'troupe') throw new Error(`this version of troupe has no "${specifier}"`);
    return { ...runtime, Node: this.#nodeThatNeverStarts(runtime['Node'] as object) };
  }

  /** The module ran to its end, or failed. */
  #ended(failure?: { reason: unknown }): void {
    // Its classes are at work already; nobody else would hear of it.
    if (failure && this.#stoppedAt)
      warn(`the code shipped from ${this.#file} failed behind Node.start: ${reasonOf(failure.reason)}`);
    this.#stoppedAt ??= 'end';
    if (failure) this.#settle.reject(failure.reason);
    else this.#settle.resolve();
  }

  /** A class of it in messages: with the file it was written in, as far as that is known. */
  describe(label: string): string {
    return classAt(label, this.#file);
  }

  /** All classes that are there by now, by label. */
  classes(): Map<string, WorkerClass> {
    const found = new Map<string, WorkerClass>();
    for (const label of Object.keys(this.#thunks)) {
      const cls = valueOf(this.#thunks[label]);
      if (typeof cls === 'function') found.set(label, cls as WorkerClass);
    }
    return found;
  }

  /** Why the module has no class of that label. */
  missing(label: string): Error {
    const why =
      this.#stoppedAt === 'start'
        ? 'it was not declared when its module called Node.start, which does not return on another node (perhaps its file and the main file import each other)'
        : 'its module ran to its end without declaring it (perhaps only under a condition)';
    return refusal(
      this.describe(label),
      why,
      'Declare the class at the top level of a file of its own that does not import the main file',
    );
  }

  /** `Node` with everything but its beginnings; a proxy, so that `instanceof` and the static members stay. */
  #nodeThatNeverStarts(node: object): object {
    const stop = () => {
      // What stands behind a call that is not awaited still runs in this turn.
      setImmediate(() => {
        this.#stoppedAt ??= 'start';
        this.#settle.resolve();
      });
      return new Promise(() => undefined);
    };
    return new Proxy(node, {
      get: (target, key, receiver) =>
        key === 'start' || key === 'create' ? stop : (Reflect.get(target, key, receiver) as unknown),
    });
  }
}

function modules(): Map<string, ShippedModule> {
  const holder = globalThis as { [MODULES]?: Map<string, ShippedModule> };
  if (!holder[MODULES]) Object.defineProperty(globalThis, MODULES, { value: new Map() });
  return holder[MODULES] as unknown as Map<string, ShippedModule>;
}

/** What a thunk gives; undefined while the class is not there yet. */
function valueOf(thunk: (() => unknown) | undefined): unknown {
  try {
    return thunk?.();
  } catch {
    return undefined;
  }
}
