/**
 * The part of CBOR (RFC 8949) that data of a worker needs, byte by byte: whole and double numbers, text, bytes, arrays, maps, tags,
 * and the four simple values. The reader takes exactly what the writer makes: shortest heads, definite lengths.
 */

/** The major types, as the first three bits of an item say them. */
export const MAJOR = { uint: 0, negint: 1, bytes: 2, text: 3, array: 4, map: 5, tag: 6, other: 7 } as const;

/** What the other five bits say in an item of the type `other`. */
const OTHER = { false: 20, true: 21, null: 22, undefined: 23, float64: 27 } as const;

/** Appends items to a buffer that grows. */
export class CborWriter {
  #buffer = Buffer.allocUnsafe(256);
  #length = 0;

  /** Bytes written so far. */
  get length(): number {
    return this.#length;
  }

  /** All that was written, in memory of its own. */
  take(): Uint8Array {
    return new Uint8Array(this.#buffer.subarray(0, this.#length));
  }

  /** The beginning of an array, a map or a tag; for the others see below. `argument`: 0 to 2^53 - 1. */
  head(major: number, argument: number): void {
    this.#room(9);
    const first = major << 5;
    if (argument < 24) {
      this.#length = this.#buffer.writeUInt8(first | argument, this.#length);
    } else if (argument < 0x100) {
      this.#buffer.writeUInt8(first | 24, this.#length);
      this.#length = this.#buffer.writeUInt8(argument, this.#length + 1);
    } else if (argument < 0x1_0000) {
      this.#buffer.writeUInt8(first | 25, this.#length);
      this.#length = this.#buffer.writeUInt16BE(argument, this.#length + 1);
    } else if (argument < 0x1_0000_0000) {
      this.#buffer.writeUInt8(first | 26, this.#length);
      this.#length = this.#buffer.writeUInt32BE(argument, this.#length + 1);
    } else {
      this.#buffer.writeUInt8(first | 27, this.#length);
      this.#length = this.#buffer.writeBigUInt64BE(BigInt(argument), this.#length + 1);
    }
  }

  /** Every double, -0 and NaN included; whole ones that are exact in as few bytes as they need. */
  number(value: number): void {
    if (Number.isSafeInteger(value) && !Object.is(value, -0)) {
      this.head(value < 0 ? MAJOR.negint : MAJOR.uint, value < 0 ? -1 - value : value);
    } else {
      this.#room(9);
      this.#buffer.writeUInt8((MAJOR.other << 5) | OTHER.float64, this.#length);
      this.#length = this.#buffer.writeDoubleBE(value, this.#length + 1);
    }
  }

  simple(value: null | undefined | boolean): void {
    this.head(MAJOR.other, OTHER[String(value) as 'null' | 'undefined' | 'true' | 'false']);
  }

  bytes(value: Uint8Array): void {
    this.head(MAJOR.bytes, value.length);
    this.#room(value.length);
    this.#buffer.set(value, this.#length);
    this.#length += value.length;
  }

  /** Well-formed text: a lone surrogate would be lost. */
  text(value: string): void {
    const length = Buffer.byteLength(value);
    this.head(MAJOR.text, length);
    this.#room(length);
    this.#length += this.#buffer.write(value, this.#length);
  }

  #room(needed: number): void {
    if (this.#length + needed <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#length + needed));
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
  }
}

/** The beginning of an item. */
export interface CborHead {
  readonly major: number;
  /** A number for all but `other`, whose value it is: of text and bytes the length, of arrays the items, of maps the pairs, the tag's number. */
  readonly argument: number;
  readonly value?: number | boolean | null;
}

/** Takes items from the front of bytes that another node sent. Every method throws RangeError for what the writer does not make. */
export class CborReader {
  readonly #buffer: Buffer;
  readonly #utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  #position = 0;

  constructor(bytes: Uint8Array) {
    this.#buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Bytes that are left. */
  get left(): number {
    return this.#buffer.length - this.#position;
  }

  head(): CborHead {
    const first = this.#skip(1, () => this.#buffer[this.#position]!);
    const major = first >> 5;
    const short = first & 31;
    if (major === MAJOR.other) return { major, argument: 0, value: this.#other(short) };
    const argument = short < 24 ? short : this.#argument(short);
    return { major, argument: major === MAJOR.negint ? -1 - argument : argument };
  }

  bytes(length: number): Uint8Array {
    // A copy: a view would keep the whole message in memory.
    return this.#skip(length, () => new Uint8Array(this.#buffer.subarray(this.#position, this.#position + length)));
  }

  text(length: number): string {
    try {
      return this.#skip(length, () =>
        this.#utf8.decode(this.#buffer.subarray(this.#position, this.#position + length)),
      );
    } catch (cause) {
      throw new RangeError('text that is not UTF-8', { cause });
    }
  }

  #argument(short: number): number {
    const size = { 24: 1, 25: 2, 26: 4, 27: 8 }[short];
    if (size === undefined) throw new RangeError('an item without a length');
    const argument = this.#skip(size, () =>
      size === 8 ? Number(this.#buffer.readBigUInt64BE(this.#position)) : this.#buffer.readUIntBE(this.#position, size),
    );
    const least = { 1: 24, 2: 0x100, 4: 0x1_0000, 8: 0x1_0000_0000 }[size]!;
    if (argument < least || argument > Number.MAX_SAFE_INTEGER)
      throw new RangeError('a number in more bytes than it needs, or too large');
    return argument;
  }

  #other(short: number): number | boolean | null | undefined {
    switch (short) {
      case OTHER.false:
        return false;
      case OTHER.true:
        return true;
      case OTHER.null:
        return null;
      case OTHER.undefined:
        return undefined;
      case OTHER.float64:
        return this.#skip(8, () => this.#buffer.readDoubleBE(this.#position));
      default:
        throw new RangeError('a simple value or float of another size');
    }
  }

  /** What `read` finds at the position, if there are so many bytes; then moves on. */
  #skip<T>(length: number, read: () => T): T {
    if (length > this.left) throw new RangeError('it ends too early');
    const value = read();
    this.#position += length;
    return value;
  }
}
