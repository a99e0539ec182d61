/** The receiving side: from the bytes of a bundle to its class, running in this process. */
import { pathToFileURL } from 'node:url';
import { WorkerFailedError } from '../errors.ts';
import type { WorkerClass } from '../worker.ts';
import { reasonOf, refusal } from './refusal.ts';
import { ShippedModule } from './runtime.ts';
import { checkCode, fileOf, keepCode, readCode } from './store.ts';

/** How long a module may take from its first statement to `Node.start` or its end. */
const LOAD_TIMEOUT_MS = 5000;

/** A class with all it needs, as it travels. */
export interface Shipment {
  /** Lower-case hex SHA-256 of the code. Classes of one module have it in common. */
  readonly hash: string;
  /** Which of the module's classes. */
  readonly label: string;
  /** The module as JavaScript; may be left out where `has` said that it is there. */
  readonly code?: Uint8Array;
}

/** Where a class that was received came from, so that it can be passed on as it is. */
export interface Received {
  readonly hash: string;
  readonly label: string;
  readonly directory: string;
}

interface Loaded {
  readonly module: ShippedModule;
  /** Where its file lies: another caller may name another folder. */
  readonly directory: string;
}

const loaded = new Map<string, Promise<Loaded>>();
const received = new WeakMap<object, Received>();

/** Whether the code of that hash need not be sent: it has been loaded here, or lies unharmed in `directory`. */
export async function has(hash: string, directory: string): Promise<boolean> {
  return loaded.has(hash) || (await readCode(hash, directory)) !== undefined;
}

/**
 * The class of a bundle. Its module runs once in this process, whoever asks and how often; one that failed stays failed. From the
 * first time on, stack traces of the process go through source maps.
 *
 * @throws NotPermittedError when the code is not what its hash says, or the folder is not this user's alone.
 * @throws WorkerFailedError when the module's top level throws, with what it threw as `cause`.
 * @throws NotPortableError when the class is not declared by the time `Node.start` is called or the module ends, or when neither happens within 5 s.
 */
export async function load({ hash, label, code }: Shipment, directory: string): Promise<WorkerClass> {
  // Before anything is shared with others who load the same: wrong bytes must not spoil their turn.
  if (code) checkCode(hash, code);
  const { module, directory: kept } = await moduleOf(hash, code, directory);
  await readyInTime(module, label);
  const classes = module.classes();
  for (const [name, cls] of classes) received.set(cls, { hash, label: name, directory: kept });
  const cls = classes.get(label);
  if (!cls) throw module.missing(label);
  return cls;
}

/** Undefined for a class that was written on this node. */
export function receivedAs(cls: object): Received | undefined {
  return received.get(cls);
}

async function moduleOf(hash: string, code: Uint8Array | undefined, directory: string): Promise<Loaded> {
  const known = loaded.get(hash);
  if (known) return known;
  const loading = (async () => {
    if (code) await keepCode(hash, code, directory);
    else if (!(await readCode(hash, directory)))
      throw new WorkerFailedError(`the code ${hash} is not on this node; send it along`);
    process.setSourceMapsEnabled(true);
    const { href } = pathToFileURL(fileOf(hash, directory));
    return { module: ShippedModule.at(href, (url) => import(url)), directory };
  })();
  loaded.set(hash, loading);
  // Nothing has run yet: the next one may bring better bytes.
  loading.catch(() => loaded.delete(hash));
  return loading;
}

async function readyInTime(module: ShippedModule, label: string): Promise<void> {
  let timer;
  const tooLate = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const why = `its module neither called Node.start nor ended within ${LOAD_TIMEOUT_MS / 1000} s: a top-level await in it does not settle there`;
      reject(refusal(module.describe(label), why, 'Declare the class in a file of its own, without that await'));
    }, LOAD_TIMEOUT_MS);
  });
  try {
    await Promise.race([module.ready.catch((reason: unknown) => fail(module.describe(label), reason)), tooLate]);
  } finally {
    clearTimeout(timer);
  }
}

function fail(what: string, reason: unknown): never {
  throw new WorkerFailedError(`the module of ${what} failed while it was loaded: ${reasonOf(reason)}`, {
    cause: reason,
  });
}
