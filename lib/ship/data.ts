/**
 * Data that travels with a class (constructor arguments, own fields) as CBOR, and back.
 * What is listed arrives as it was; everything else is refused where it is sent, with its path. Bytes from another node are
 * checked while they are read: depth, number of values and size are bounded, and only the tags below are known.
 */
import { types } from 'node:util';
import { CborReader, CborWriter, MAJOR } from './cbor.ts';
import { reasonOf, refusal } from './refusal.ts';

/** Nesting of arrays, maps, sets and objects. Far below what overflows the stack. */
const MAX_DEPTH = 100;
/** Values in all, keys included: an empty map takes few bytes on the wire but about 200 in memory. */
const MAX_VALUES = 1_000_000;
/** Bytes encoded; that of a message. */
const MAX_BYTES = 16 * 1024 * 1024;

/** What CBOR has no type of its own for: the registered tags, and two of ours from the range that is free for all. */
const TAG = {
  bigint: 2,
  negativeBigint: 3,
  set: 258,
  map: 259,
  /** A date as milliseconds or NaN: as the seconds of the registered tag not every date is exact. */
  date: 0x7472_7501,
  /** A string with a lone surrogate, which UTF-8 can't hold, as UTF-16LE bytes. */
  utf16: 0x7472_7502,
} as const;

const INSTEAD =
  'Send plain data (null, undefined, booleans, numbers, bigints, strings, bytes, dates, arrays, maps, sets, plain objects) and make the rest on the other node, in the constructor or in initialize()';
const TOO_MUCH = 'Send it in messages, or let the worker fetch it';

/**
 * Constructor arguments or fields as bytes. `path` is what the value is called in refusals, e.g. `args`: then
 * `args[0].onDone`; `instead` is their advice. A value that is reached twice arrives as two copies; array holes, own properties
 * of maps and such are refused, never dropped; properties that are not enumerable are not data.
 *
 * @throws NotPortableError that names the path of the first value that is not data, or a limit: 16 MiB, 1 000 000 values, 100 levels.
 */
export function encodeData(value: unknown, path: string, instead = INSTEAD): Uint8Array {
  const encoder = new Encoder(instead);
  encoder.value(value, path);
  return encoder.writer.take();
}

/**
 * What `encodeData` encoded.
 *
 * @throws RangeError for everything else: unknown tags, wrong content, repeated keys, open lengths, broken text, bytes too few or left over, or more than its limits.
 */
export function decodeData(bytes: Uint8Array): unknown {
  if (bytes.length > MAX_BYTES) throw new RangeError(`data of ${bytes.length} bytes is over the limit of ${MAX_BYTES}`);
  const reader = new CborReader(bytes);
  try {
    const value = new Decoder(reader).value(0);
    if (reader.left > 0) throw new RangeError(`${reader.left} bytes are left over`);
    return value;
  } catch (error) {
    throw new RangeError(`not valid data: ${reasonOf(error)}`, { cause: error });
  }
}

/** Writes a value, or refuses it. */
class Encoder {
  readonly writer = new CborWriter();
  #count = 0;
  /** The containers being written: to find cycles, and how deep we are. */
  readonly #open = new Set<object>();
  readonly #instead: string;

  constructor(instead: string) {
    this.#instead = instead;
  }

  /** One value more, or key of an object: they are counted as the reader counts them. */
  #more(path: string): void {
    if (++this.#count > MAX_VALUES) throw refusal(path, `there are more than ${MAX_VALUES} values`, TOO_MUCH);
  }

  value(value: unknown, path: string): void {
    this.#more(path);
    switch (typeof value) {
      case 'undefined':
      case 'boolean':
        return this.writer.simple(value);
      case 'number':
        return this.writer.number(value);
      case 'bigint':
        return this.#bigint(value, path);
      case 'string':
        return this.#string(value, path);
      case 'function':
        throw refusal(path, types.isProxy(value) ? 'it is a proxy' : 'it is a function', this.#instead);
      case 'symbol':
        throw refusal(path, 'it is a symbol', this.#instead);
      case 'object':
        return value === null ? this.writer.simple(value) : this.#object(value, path);
    }
  }

  #bigint(value: bigint, path: string): void {
    const digits = (value < 0n ? -1n - value : value).toString(16);
    this.writer.head(MAJOR.tag, value < 0n ? TAG.negativeBigint : TAG.bigint);
    this.#bytes(Buffer.from(digits.length % 2 === 0 ? digits : `0${digits}`, 'hex'), path);
  }

  #string(value: string, path: string): void {
    if (/\p{Surrogate}/u.test(value)) {
      this.writer.head(MAJOR.tag, TAG.utf16);
      this.#bytes(Buffer.from(value, 'utf16le'), path);
    } else {
      this.#bounded(value.length, path);
      this.writer.text(value);
      this.#bounded(0, path);
    }
  }

  #bytes(value: Uint8Array, path: string): void {
    this.#bounded(value.length, path);
    this.writer.bytes(value);
  }

  #bounded(more: number, path: string): void {
    if (this.writer.length + more > MAX_BYTES)
      throw refusal(path, `there are more than ${MAX_BYTES} bytes in all`, TOO_MUCH);
  }

  #object(value: object, path: string): void {
    // First of all: a proxy's traps would run at every further look.
    if (types.isProxy(value)) throw refusal(path, 'it is a proxy', this.#instead);
    if (this.#open.has(value))
      throw refusal(path, 'it contains itself', 'Send the parts with names or numbers in place of references');
    if (this.#open.size >= MAX_DEPTH)
      throw refusal(path, `it is nested more than ${MAX_DEPTH} levels deep`, 'Send it flatter');
    this.#open.add(value);
    const levels = prototypesOf(value);
    // How many prototypes a value has tells our kinds from classes derived from them, also across realms, where `instanceof` fails.
    if (Array.isArray(value) && levels === 2) this.#array(value, path);
    else if (types.isUint8Array(value) && levels === (Buffer.isBuffer(value) ? 4 : 3)) this.#bytes(value, path);
    else if (types.isDate(value) && levels === 2) this.#date(value, path);
    else if (types.isMap(value) && levels === 2) this.#map(value, path);
    else if (types.isSet(value) && levels === 2) this.#set(value, path);
    else if (isPlain(value)) this.#plain(value, path);
    else throw refusal(path, `it is ${describe(value)}`, this.#instead);
    this.#open.delete(value);
  }

  #array(value: unknown[], path: string): void {
    this.writer.head(MAJOR.array, value.length);
    for (let i = 0; i < value.length; i++) {
      const property = Object.getOwnPropertyDescriptor(value, i);
      if (!property) throw refusal(`${path}[${i}]`, 'it is a hole in an array', 'Fill it with null or undefined');
      this.#property(property, `${path}[${i}]`);
    }
    const extra = Reflect.ownKeys(value).find((key) => key !== 'length' && !isIndex(key));
    if (extra !== undefined) throw refusal(member(path, extra), 'it is a property of an array', this.#instead);
  }

  #date(value: Date, path: string): void {
    this.#refuseExtras(value, path, 'a date');
    this.writer.head(MAJOR.tag, TAG.date);
    this.writer.number(Date.prototype.getTime.call(value));
  }

  #map(value: Map<unknown, unknown>, path: string): void {
    this.#refuseExtras(value, path, 'a map');
    this.writer.head(MAJOR.tag, TAG.map);
    this.writer.head(MAJOR.map, value.size);
    let i = 0;
    for (const [key, item] of Map.prototype.entries.call(value) as MapIterator<[unknown, unknown]>) {
      this.value(key, `${path}.keys()[${i++}]`);
      this.value(item, `${path}.get(${nameOf(key)})`);
    }
  }

  #set(value: Set<unknown>, path: string): void {
    this.#refuseExtras(value, path, 'a set');
    this.writer.head(MAJOR.tag, TAG.set);
    this.writer.head(MAJOR.array, value.size);
    let i = 0;
    for (const item of Set.prototype.values.call(value) as SetIterator<unknown>)
      this.value(item, `${path}.values()[${i++}]`);
  }

  #plain(value: object, path: string): void {
    const keys = Reflect.ownKeys(value).filter((key) => Object.prototype.propertyIsEnumerable.call(value, key));
    const symbol = keys.find((key) => typeof key === 'symbol');
    if (symbol !== undefined) throw refusal(member(path, symbol), 'its name is a symbol', this.#instead);
    this.writer.head(MAJOR.map, keys.length);
    for (const key of keys as string[]) {
      this.#more(path);
      this.#string(key, path);
      this.#property(Object.getOwnPropertyDescriptor(value, key), member(path, key));
    }
  }

  #property(property: PropertyDescriptor | undefined, path: string): void {
    if (!property || property.get || property.set)
      throw refusal(path, 'it is an accessor (a getter or setter)', 'Send the value it gives');
    this.value(property.value, path);
  }

  #refuseExtras(value: object, path: string, kind: string): void {
    const extra = Reflect.ownKeys(value)[0];
    if (extra !== undefined) throw refusal(member(path, extra), `it is a property of ${kind}`, this.#instead);
  }
}

/** Reads values of depth `depth`, counted from 0. */
class Decoder {
  readonly #reader: CborReader;
  #count = 0;

  constructor(reader: CborReader) {
    this.#reader = reader;
  }

  value(depth: number): unknown {
    if (++this.#count > MAX_VALUES) throw new RangeError(`more than ${MAX_VALUES} values`);
    const { major, argument, value } = this.#reader.head();
    switch (major) {
      case MAJOR.uint:
      case MAJOR.negint:
        return argument;
      case MAJOR.bytes:
        return this.#reader.bytes(argument);
      case MAJOR.text:
        return this.#reader.text(argument);
      case MAJOR.array:
        return this.#items(argument, depth);
      case MAJOR.map:
        return this.#object(argument, depth);
      case MAJOR.tag:
        return this.#tagged(argument, depth);
      default:
        return value;
    }
  }

  #tagged(tag: number, depth: number): unknown {
    const { major, argument, value } = this.#reader.head();
    if (tag === TAG.map && major === MAJOR.map) {
      const entries = this.#entries(argument, depth);
      return unique(new Map(entries), entries.length);
    }
    if (tag === TAG.set && major === MAJOR.array) {
      const items = this.#items(argument, depth);
      return unique(new Set(items), items.length);
    }
    const time = major === MAJOR.uint || major === MAJOR.negint ? argument : value;
    if (tag === TAG.date && typeof time === 'number') return new Date(time);
    if (major === MAJOR.bytes) {
      if (tag === TAG.bigint) return magnitude(this.#reader.bytes(argument));
      if (tag === TAG.negativeBigint) return -1n - magnitude(this.#reader.bytes(argument));
      if (tag === TAG.utf16 && argument % 2 === 0) return Buffer.from(this.#reader.bytes(argument)).toString('utf16le');
    }
    throw new RangeError(`tag ${tag} on content of major type ${major}`);
  }

  #items(count: number, depth: number): unknown[] {
    this.#open(depth);
    const items: unknown[] = [];
    for (let i = 0; i < count; i++) items.push(this.value(depth + 1));
    return items;
  }

  #entries(count: number, depth: number): [unknown, unknown][] {
    this.#open(depth);
    const entries: [unknown, unknown][] = [];
    for (let i = 0; i < count; i++) entries.push([this.value(depth + 1), this.value(depth + 1)]);
    return entries;
  }

  #object(count: number, depth: number): object {
    const object = {};
    for (const [key, value] of this.#entries(count, depth)) {
      if (typeof key !== 'string' || Object.hasOwn(object, key))
        throw new RangeError('a key that is no string, or repeated');
      // Defined, not assigned: `__proto__` is a name like any other.
      Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
    }
    return object;
  }

  #open(depth: number): void {
    if (depth >= MAX_DEPTH) throw new RangeError(`nested more than ${MAX_DEPTH} levels deep`);
  }
}

function magnitude(bytes: Uint8Array): bigint {
  return bytes.length === 0 ? 0n : BigInt(`0x${Buffer.from(bytes).toString('hex')}`);
}

function unique<T extends { size: number }>(made: T, expected: number): T {
  if (made.size !== expected) throw new RangeError('repeated keys or values');
  return made;
}

function prototypesOf(value: object): number {
  let count = 0;
  for (
    let p = Object.getPrototypeOf(value) as object | null;
    p && count < 5;
    p = Object.getPrototypeOf(p) as object | null
  )
    count += 1;
  return count;
}

/** An object literal, of this realm or another, or an object without a prototype. */
function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value) as object | null;
  if (prototype === null) return true;
  return (
    Object.getPrototypeOf(prototype) === null &&
    Object.hasOwn(prototype, 'isPrototypeOf') &&
    !types.isArgumentsObject(value)
  );
}

function isIndex(key: PropertyKey): boolean {
  return typeof key === 'string' && /^\d+$/.test(key);
}

function member(path: string, key: PropertyKey): string {
  if (typeof key === 'symbol') return `${path}[${String(key)}]`;
  return /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(String(key))
    ? `${path}.${String(key)}`
    : `${path}[${JSON.stringify(String(key))}]`;
}

/** A map's key in a path: itself where it is short text or a number, else its type. */
function nameOf(key: unknown): string {
  return typeof key === 'string' && key.length <= 40
    ? JSON.stringify(key)
    : typeof key === 'number'
      ? String(key)
      : typeof key;
}

/** `an instance of Socket`, `a promise`, … without running any of the value's own code. */
function describe(value: object): string {
  if (types.isPromise(value)) return 'a promise';
  if (types.isRegExp(value)) return 'a regular expression';
  if (types.isAnyArrayBuffer(value)) return 'a buffer; wrap it in a Uint8Array';
  const prototype = Object.getPrototypeOf(value) as object;
  const constructor = Object.getOwnPropertyDescriptor(prototype, 'constructor')?.value as unknown;
  const name =
    typeof constructor === 'function' && !types.isProxy(constructor)
      ? Object.getOwnPropertyDescriptor(constructor, 'name')?.value
      : undefined;
  return typeof name === 'string' && name ? `an instance of ${name}` : 'an object with a prototype of its own';
}
