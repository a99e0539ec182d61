/**
 * Data that travels with a class (constructor arguments, own fields) as CBOR, and back.
 * What is listed arrives as it was; everything else is refused where it is sent, with its path. Bytes from another node are
 * checked while they are read: depth, number of values and size are bounded, and only the tags below are known.
 */
import { types } from 'node:util';
import { decode, encode, Token, Tokenizer, Type, type DecodeOptions, type TagDecoder } from 'cborg';
import { refusal } from './refusal.ts';

/** Nesting of arrays, maps, sets and objects. Far below what overflows the stack. */
const MAX_DEPTH = 100;
/** Values in all: an empty map takes one byte on the wire but about 200 in memory. */
const MAX_VALUES = 1_000_000;
/** Bytes encoded; that of a message. */
const MAX_BYTES = 16 * 1024 * 1024;

/** Tags of the IANA registry, for what CBOR has no type of its own for. */
const TAG = { date: 1, bigint: 2, negativeBigint: 3, set: 258, map: 259, utf16: 0x7472_7570 } as const;
// `utf16` is ours ("trup", from the range free for all): a string with a lone surrogate, which UTF-8 can't hold, as UTF-16LE bytes.

const INSTEAD = 'Send plain data (null, booleans, numbers, bigints, strings, bytes, dates, arrays, maps, sets, plain objects) and make the rest on the other node, in the constructor or in initialize()';

/**
 * Constructor arguments or fields as bytes. `path` is what the value is called in refusals, e.g. `args`: then
 * `args[0].onDone`; `instead` is their advice. A value that is reached twice arrives as two copies; array holes, own properties of maps and such are refused, never dropped.
 *
 * @throws NotPortableError that names the path of the first value that is not data, or a limit: 16 MiB, 1 000 000 values, 100 levels.
 */
export function encodeData(value: unknown, path: string, instead = INSTEAD): Uint8Array {
  const writer = new Writer(instead);
  writer.value(value, path);
  // The writer has made every token; the library only turns them into bytes.
  const bytes = encode({}, { float64: true, typeEncoders: { Object: () => writer.tokens } });
  if (bytes.length > MAX_BYTES) throw refusal(path, `it takes ${bytes.length} bytes, more than ${MAX_BYTES}`, 'Send it in messages, or let the worker fetch it');
  return bytes;
}

/**
 * What `encodeData` encoded.
 *
 * @throws RangeError for bytes that it would not have made: unknown tags, wrong content, duplicate keys, indefinite lengths, rests, or more than its limits.
 */
export function decodeData(bytes: Uint8Array): unknown {
  if (bytes.length > MAX_BYTES) throw new RangeError(`data of ${bytes.length} bytes is over the limit of ${MAX_BYTES}`);
  try {
    return decode(bytes, { ...DECODING, tokenizer: new Reader(bytes) });
  } catch (error) {
    throw new RangeError(`not valid data: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

/** Turns a value into tokens, or refuses it. */
class Writer {
  readonly tokens: Token[] = [];
  /** The containers being written: to find cycles, and how deep we are. */
  readonly #open = new Set<object>();
  readonly #instead: string;

  constructor(instead: string) {
    this.#instead = instead;
  }

  value(value: unknown, path: string): void {
    if (this.tokens.length >= MAX_VALUES) throw refusal(path, `there are more than ${MAX_VALUES} values`, 'Send them in messages, or let the worker fetch them');
    switch (typeof value) {
      case 'undefined':
        return this.#push(Type.undefined, value);
      case 'boolean':
        return this.#push(value ? Type.true : Type.false, value);
      case 'number':
        return this.#number(value);
      case 'bigint':
        return this.#bigint(value);
      case 'string':
        return this.#string(value);
      case 'function':
        throw refusal(path, types.isProxy(value) ? 'it is a proxy' : 'it is a function', this.#instead);
      case 'symbol':
        throw refusal(path, 'it is a symbol', this.#instead);
      case 'object':
        return value === null ? this.#push(Type.null, value) : this.#object(value, path);
    }
  }

  #push(type: Type, value: unknown): void {
    this.tokens.push(new Token(type, value));
  }

  #number(value: number): void {
    if (!Number.isSafeInteger(value) || Object.is(value, -0)) this.#push(Type.float, value);
    else this.#push(value < 0 ? Type.negint : Type.uint, value);
  }

  #bigint(value: bigint): void {
    this.#push(Type.tag, value < 0n ? TAG.negativeBigint : TAG.bigint);
    const digits = (value < 0n ? -1n - value : value).toString(16);
    this.#push(Type.bytes, Buffer.from(digits.length % 2 === 0 ? digits : `0${digits}`, 'hex'));
  }

  #string(value: string): void {
    if (!/\p{Surrogate}/u.test(value)) return this.#push(Type.string, value);
    this.#push(Type.tag, TAG.utf16);
    this.#push(Type.bytes, Buffer.from(value, 'utf16le'));
  }

  #object(value: object, path: string): void {
    // First of all: a proxy's traps would run at every further look.
    if (types.isProxy(value)) throw refusal(path, 'it is a proxy', this.#instead);
    if (this.#open.has(value)) throw refusal(path, 'it contains itself', 'Send the parts with names or numbers in place of references');
    if (this.#open.size >= MAX_DEPTH) throw refusal(path, `it is nested more than ${MAX_DEPTH} levels deep`, 'Send it flatter');
    this.#open.add(value);
    const levels = prototypesOf(value);
    // How many prototypes a value has tells our kinds from classes derived from them, also across realms, where `instanceof` fails.
    if (Array.isArray(value) && levels === 2) this.#array(value, path);
    else if (types.isUint8Array(value) && levels === (Buffer.isBuffer(value) ? 4 : 3)) this.#push(Type.bytes, new Uint8Array(value.buffer, value.byteOffset, value.length));
    else if (types.isDate(value) && levels === 2) this.#date(value, path);
    else if (types.isMap(value) && levels === 2) this.#map(value, path);
    else if (types.isSet(value) && levels === 2) this.#set(value, path);
    else if (isPlain(value)) this.#plain(value, path);
    else throw refusal(path, `it is ${describe(value)}`, this.#instead);
    this.#open.delete(value);
  }

  #array(value: unknown[], path: string): void {
    this.#push(Type.array, value.length);
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
    this.#push(Type.tag, TAG.date);
    // Seconds, as the tag says; a double holds every date's milliseconds.
    this.#push(Type.float, Date.prototype.getTime.call(value) / 1000);
  }

  #map(value: Map<unknown, unknown>, path: string): void {
    this.#refuseExtras(value, path, 'a map');
    this.#push(Type.tag, TAG.map);
    this.#push(Type.map, value.size);
    let i = 0;
    for (const [key, item] of Map.prototype.entries.call(value) as MapIterator<[unknown, unknown]>) {
      this.value(key, `${path}.keys()[${i++}]`);
      this.value(item, `${path}.get(${nameOf(key)})`);
    }
  }

  #set(value: Set<unknown>, path: string): void {
    this.#refuseExtras(value, path, 'a set');
    this.#push(Type.tag, TAG.set);
    this.#push(Type.array, value.size);
    let i = 0;
    for (const item of Set.prototype.values.call(value) as SetIterator<unknown>) this.value(item, `${path}.values()[${i++}]`);
  }

  #plain(value: object, path: string): void {
    const keys = Reflect.ownKeys(value).filter((key) => Object.prototype.propertyIsEnumerable.call(value, key));
    const symbol = keys.find((key) => typeof key === 'symbol');
    if (symbol !== undefined) throw refusal(member(path, symbol), 'it is a property whose name is a symbol', 'Give it a name that is a string');
    this.#push(Type.map, keys.length);
    for (const key of keys as string[]) {
      this.#string(key);
      this.#property(Object.getOwnPropertyDescriptor(value, key), member(path, key));
    }
  }

  #property(property: PropertyDescriptor | undefined, path: string): void {
    if (!property || property.get || property.set) throw refusal(path, 'it is an accessor (a getter or setter)', 'Send the value it gives');
    this.value(property.value, path);
  }

  #refuseExtras(value: object, path: string, kind: string): void {
    const extra = Reflect.ownKeys(value)[0];
    if (extra !== undefined) throw refusal(member(path, extra), `it is a property of ${kind}`, this.#instead);
  }
}

/** How `value` is read: arrays and objects as they are, the rest by tag, nothing unlisted. */
const DECODING: DecodeOptions = {
  strict: true,
  allowIndefinite: false,
  rejectDuplicateMapKeys: true,
  retainStringBytes: true,
  tags: {
    [TAG.date]: tag('a number', (v): v is number => typeof v === 'number', (seconds) => new Date(Math.round(seconds * 1000))),
    [TAG.bigint]: tag('bytes', types.isUint8Array, (bytes) => magnitude(bytes)),
    [TAG.negativeBigint]: tag('bytes', types.isUint8Array, (bytes) => -1n - magnitude(bytes)),
    [TAG.utf16]: tag('an even number of bytes', (v): v is Uint8Array => types.isUint8Array(v) && v.length % 2 === 0, (bytes) => Buffer.from(bytes).toString('utf16le')),
    [TAG.set]: tag('an array', Array.isArray, (items) => unique(new Set(items), items.length)),
    [TAG.map]: (content) => {
      const entries = content.entries();
      return unique(new Map(entries), entries.length);
    },
  },
};

/** The library's tokenizer with bounds on depth and number of values, and with text read exactly. */
class Reader extends Tokenizer {
  /** Values still to come in each container that is open, the innermost last. */
  readonly #pending: number[] = [];
  readonly #text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  #count = 0;

  constructor(bytes: Uint8Array) {
    super(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength), DECODING);
  }

  override next(): Token {
    const token = super.next();
    if (++this.#count > MAX_VALUES * 2) throw new RangeError(`more than ${MAX_VALUES} values`);
    // The library drops a byte order mark and mends broken UTF-8; what was sent has neither coming.
    if (token.type === Type.string) token.value = this.#text.decode(token.byteValue);
    while (this.#pending.at(-1) === 0) this.#pending.pop();
    const innermost = this.#pending.length - 1;
    if (innermost >= 0) this.#pending[innermost]! -= 1;
    const opens = token.type === Type.array ? token.value : token.type === Type.map ? token.value * 2 : token.type === Type.tag ? 1 : 0;
    // Twice the depth: a map or set is a tag and what it holds.
    if (opens > 0 && this.#pending.push(opens) > MAX_DEPTH * 2) throw new RangeError(`nested more than ${MAX_DEPTH} levels deep`);
    return token;
  }
}

/** Decodes what a tag holds, after a look at its type. */
function tag<T>(expected: string, is: (content: unknown) => content is T, make: (content: T) => unknown): TagDecoder {
  return (content) => {
    const inner = content();
    if (!is(inner)) throw new RangeError(`a tag needs ${expected}`);
    return make(inner);
  };
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
  for (let p = Object.getPrototypeOf(value) as object | null; p && count < 5; p = Object.getPrototypeOf(p) as object | null) count += 1;
  return count;
}

/** An object literal, of this realm or another, or an object without a prototype. */
function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value) as object | null;
  if (prototype === null) return true;
  return Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype, 'isPrototypeOf') && !types.isArgumentsObject(value);
}

function isIndex(key: PropertyKey): boolean {
  return typeof key === 'string' && /^\d+$/.test(key);
}

function member(path: string, key: PropertyKey): string {
  if (typeof key === 'symbol') return `${path}[${String(key)}]`;
  return /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(String(key)) ? `${path}.${String(key)}` : `${path}[${JSON.stringify(String(key))}]`;
}

/** A map's key in a path: itself where it is short text or a number, else its type. */
function nameOf(key: unknown): string {
  return typeof key === 'string' && key.length <= 40 ? JSON.stringify(key) : typeof key === 'number' ? String(key) : typeof key;
}

/** `an instance of Socket`, `a promise`, … without running any of the value's own code. */
function describe(value: object): string {
  if (types.isPromise(value)) return 'a promise';
  if (types.isRegExp(value)) return 'a regular expression';
  if (types.isAnyArrayBuffer(value)) return 'a buffer; wrap it in a Uint8Array';
  const prototype = Object.getPrototypeOf(value) as object;
  const constructor = Object.getOwnPropertyDescriptor(prototype, 'constructor')?.value as unknown;
  const name = typeof constructor === 'function' && !types.isProxy(constructor) ? Object.getOwnPropertyDescriptor(constructor, 'name')?.value : undefined;
  return typeof name === 'string' && name ? `an instance of ${name}` : 'an object with a prototype of its own';
}
