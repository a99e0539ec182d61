/** An instance as its class and its own fields, and back. */
import { types } from 'node:util';
import type { Worker, WorkerClass } from '../worker.ts';
import { decodeData, encodeData } from './data.ts';
import { classAt, refusal } from './refusal.ts';

/** What is left of an instance on the wire. */
export interface Fields {
  /** Its class, for `bundle`. */
  readonly cls: WorkerClass;
  /** Its own enumerable fields, encoded. */
  readonly fields: Uint8Array;
}

const WITH_ARGS = 'Pass the class with its `args` instead of an instance: startWorker(name, Class, { args: [...] })';

const FIELD_INSTEAD = `Fields travel as data (functions belong into methods). ${WITH_ARGS}, and make the rest in the constructor or in initialize()`;

/**
 * Takes an instance apart.
 *
 * @throws NotPortableError when it has state that can't be read from outside (`#private` fields, also those of its superclasses and
 * those that a compiler made of them), when a field is no data, or when it has no class.
 */
export async function fieldsOf(instance: object): Promise<Fields> {
  if (types.isProxy(instance))
    throw refusal('a worker', 'it is wrapped in a proxy', 'Pass the instance itself, or its class');
  const prototype = Object.getPrototypeOf(instance) as object | null;
  const cls = prototype && (Object.getOwnPropertyDescriptor(prototype, 'constructor')?.value as unknown);
  if (typeof cls !== 'function' || cls === Object || cls.prototype !== prototype) {
    throw refusal(
      'a worker',
      'it is an object without a class',
      'Declare a class with its handleMessage method at the top level of a module',
    );
  }
  await refuseHiddenState(cls);
  // Own and enumerable, and read without running a getter: the encoder refuses those.
  const fields = Object.create(null, Object.getOwnPropertyDescriptors(instance)) as object;
  return { cls: cls as WorkerClass, fields: encodeData(fields, cls.name || 'worker', FIELD_INSTEAD) };
}

/**
 * An instance of `cls` with these fields. The constructor does not run.
 *
 * @throws RangeError when the bytes are not what `fieldsOf` gives.
 */
export function revive(cls: WorkerClass, fields: Uint8Array): Worker {
  const values = decodeData(fields);
  if (typeof values !== 'object' || values === null || Object.getPrototypeOf(values) !== Object.prototype)
    throw new RangeError('not valid data: fields must be an object');
  // Defined, not assigned: no setter of the class runs, and `__proto__` is a name like any other.
  return Object.create(cls.prototype as object, Object.getOwnPropertyDescriptors(values)) as Worker;
}

async function refuseHiddenState(cls: object): Promise<void> {
  const { hiddenField } = await import('./private.ts');
  const name = (cls as { name: string }).name;
  for (
    let level: object | null = cls;
    typeof level === 'function' && level !== Function.prototype;
    level = Object.getPrototypeOf(level) as object | null
  ) {
    const text = Function.prototype.toString.call(level);
    const of = level === cls ? '' : ` of its superclass ${level.name || '(anonymous)'}`;
    if (/\{\s*\[native code\]\s*\}$/.test(text))
      throw refusal(
        `an instance of ${classAt(name)}`,
        `it extends ${level.name || 'a built-in class'}, whose state can't be read from outside`,
        WITH_ARGS,
      );
    const field = /^class\b/.test(text) ? hiddenField(text) : undefined;
    if (field !== undefined)
      throw refusal(
        `an instance of ${classAt(name)}`,
        `the private field ${field}${of} can't be read from outside`,
        WITH_ARGS,
      );
  }
}
