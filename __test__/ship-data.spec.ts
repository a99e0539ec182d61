// Data that travels with a class: what arrives as it was, what is refused by its path, and what hostile bytes can't do.
import { EventEmitter } from 'node:events';
import { Socket } from 'node:net';
import vm from 'node:vm';
import test from 'ava';
import { NotPortableError } from '../lib/errors.ts';
import { decodeData, encodeData, fieldsOf, revive } from '../lib/ship/index.ts';

function argumentsOf() {
  // eslint-disable-next-line prefer-rest-params -- the object itself is what the test is about
  return arguments;
}
/** Numbers from 0 to 1, the same in each run. */
function seeded(state: number): () => number {
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
const roundTrip = (value: unknown) => decodeData(encodeData(value, 'args'));

test('plain data arrives as it was', (t) => {
  const values: unknown[] = [
    null,
    undefined,
    true,
    false,
    0,
    -0,
    1,
    -1,
    23,
    24,
    255,
    256,
    65_535,
    65_536,
    -65_537,
    2 ** 32 - 1,
    2 ** 32,
    2 ** 53 - 1,
    -(2 ** 53 - 1),
    2 ** 53,
    -(2 ** 53),
    2 ** 64,
    0.1,
    -1.5,
    5e-324,
    1.7976931348623157e308,
    NaN,
    Infinity,
    -Infinity,
    0n,
    1n,
    -1n,
    255n,
    256n,
    -256n,
    -257n,
    2n ** 53n,
    2n ** 64n,
    -(2n ** 64n),
    12345678901234567890123n,
    '',
    'text',
    'é',
    '😀',
    '\u0000',
    '\uFEFFbyte order mark',
    'x'.repeat(300),
    '\uFEFF' + 'y'.repeat(300),
    '\uD800',
    'a\uDC00b',
    '\uDC00\uD800',
    new Uint8Array(),
    new Uint8Array([0, 255]),
    new Uint8Array(70_000).fill(7),
    new Date(0),
    new Date(-1),
    new Date(1_700_000_000_123),
    new Date(8.64e15),
    new Date(-8.64e15),
    new Date(8.64e15 - 1),
    [],
    [1, [2, [3]]],
    [undefined, null],
    Array.from({ length: 300 }, (_, i) => i),
    {},
    { a: 1, b: { c: [2] } },
    { '': 0, 'with space': 1, é: 2, '\uD800': 3, 7: 4 },
    { constructor: 1, toString: 2 },
    new Map(),
    new Map<unknown, unknown>([
      [1, 'number'],
      ['1', 'text'],
      [null, 0],
      [new Date(0), new Set([1])],
    ]),
    new Set(),
    new Set<unknown>([1, '1', NaN, [1]]),
  ];
  for (const value of values) t.deepEqual(roundTrip(value), value);
  t.deepEqual(roundTrip(values), values);
  for (const value of [-0, 0]) t.true(Object.is(roundTrip(value), value));
  t.true(Number.isNaN((roundTrip(new Date(NaN)) as Date).getTime()));
});

test('random numbers and dates arrive exactly', (t) => {
  const random = seeded(7);
  const bits = new DataView(new ArrayBuffer(8));
  for (let i = 0; i < 2000; i++) {
    bits.setUint32(0, random() * 2 ** 32);
    bits.setUint32(4, random() * 2 ** 32);
    const number = bits.getFloat64(0);
    t.true(Object.is(roundTrip(number), number));
    const time = Math.trunc((random() - 0.5) * 2 * 8.64e15);
    t.is((roundTrip(new Date(time)) as Date).getTime(), time);
  }
});

test('the same things of other kinds arrive as the plain ones', (t) => {
  t.deepEqual(roundTrip(Buffer.from('bytes')), new Uint8Array(Buffer.from('bytes')));
  t.deepEqual(roundTrip(Object.assign(Object.create(null), { a: 1 })), { a: 1 });
  t.deepEqual(roundTrip(vm.runInNewContext('({ a: [1], b: new Map([[1, new Set([2])]]), c: new Date(5) })')), {
    a: [1],
    b: new Map([[1, new Set([2])]]),
    c: new Date(5),
  });
  const shared = { a: 1 };
  const [first, second] = roundTrip([shared, shared]) as object[];
  t.deepEqual(first, second);
  t.not(first, second);
});

test('bytes are those of RFC 8949 and the registered tags', (t) => {
  const hex = (value: unknown) => Buffer.from(encodeData(value, 'args')).toString('hex');
  const rows: [unknown, string][] = [
    [0, '00'],
    [10, '0a'],
    [23, '17'],
    [24, '1818'],
    [100, '1864'],
    [1000, '1903e8'],
    [1_000_000, '1a000f4240'],
    [1_000_000_000_000, '1b000000e8d4a51000'],
    [-1, '20'],
    [-1000, '3903e7'],
    [1.1, 'fb3ff199999999999a'],
    [false, 'f4'],
    [true, 'f5'],
    [null, 'f6'],
    [undefined, 'f7'],
    ['', '60'],
    ['IETF', '6449455446'],
    ['ü', '62c3bc'],
    [18446744073709551616n, 'c249010000000000000000'],
    [-18446744073709551617n, 'c349010000000000000000'],
    [new Uint8Array([1, 2, 3, 4]), '4401020304'],
    [[1, [2, 3]], '8201820203'],
    [{ a: 1, b: [2, 3] }, 'a26161016162820203'],
    [new Date(1_363_896_240_500), 'da747275011b0000013d8e8d0974'],
    [new Set([1]), 'd901028101'],
    [new Map([[1, 2]]), 'd90103a10102'],
  ];
  for (const [value, expected] of rows) t.is(hex(value), expected, String(value));
});

test('what is no data is refused by its path', (t) => {
  const cycle: Record<string, unknown> = { list: [] };
  (cycle['list'] as unknown[]).push({ back: cycle });
  let deep: unknown = 0;
  for (let i = 0; i < 101; i++) deep = [deep];
  class Point {
    x = 1;
  }
  const rows: [unknown, RegExp][] = [
    [[{ onDone: () => 0 }], /^args\[0\]\.onDone can't travel to another node: it is a function\. Send plain data/],
    [{ a: { 'b c': Symbol('s') } }, /^args\.a\["b c"\] .*it is a symbol/],
    [[new Socket()], /^args\[0\] .*an instance of Socket/],
    [[new Point()], /^args\[0\] .*an instance of Point/],
    [[class {}], /^args\[0\] .*it is a function/],
    [new Map([['k', new Point()]]), /^args\.get\("k"\) .*an instance of Point/],
    [new Map([[new Point(), 1]]), /^args\.keys\(\)\[0\] .*an instance of Point/],
    [new Set([1, new Point()]), /^args\.values\(\)\[1\] .*an instance of Point/],
    [
      {
        get value() {
          return t.fail('a getter ran');
        },
      },
      /^args\.value .*an accessor/,
    ],
    [new Array(1), /^args\[0\] .*a hole in an array/],
    [Object.assign([1], { extra: 1 }), /^args\.extra .*a property of an array/],
    [Object.assign(new Map(), { extra: 1 }), /^args\.extra .*a property of a map/],
    [{ [Symbol('tag')]: 1 }, /^args\[Symbol\(tag\)\] .*name is a symbol/],
    [new Proxy({}, { get: () => t.fail('a trap ran'), ownKeys: () => (t.fail('a trap ran'), []) }), /^args .*a proxy/],
    [new Proxy(() => 0, {}), /^args .*a proxy/],
    [cycle, /^args\.list\[0\]\.back .*it contains itself/],
    [deep, /nested more than 100 levels/],
    [Promise.resolve(), /a promise/],
    [/x/, /a regular expression/],
    [new Error('x'), /an instance of Error/],
    [new ArrayBuffer(1), /wrap it in a Uint8Array/],
    [new Float64Array(1), /an instance of Float64Array/],
    [new WeakMap(), /an instance of WeakMap/],
    [new String('boxed'), /an instance of String/],
    [new (class Sub extends Map {})(), /an instance of Sub/],
    [new (class Sub extends Array {})(), /an instance of Sub/],
    [Object.create({ inherited: 1 }), /an object with a prototype of its own|an instance of Object/],
    [argumentsOf(), /an instance of/],
    ['x'.repeat(16 * 1024 * 1024), /more than 16777216 bytes/],
    [new Uint8Array(17 * 1024 * 1024), /more than 16777216 bytes/],
    [new Array(1_000_001).fill(0), /more than 1000000 values/],
    [Array.from({ length: 333_334 }, () => ({ a: 1 })), /more than 1000000 values/],
  ];
  for (const [value, message] of rows)
    t.throws(() => encodeData(value, 'args'), { instanceOf: NotPortableError, code: 'NOT_PORTABLE', message });
});

test('hostile bytes are refused, whatever they claim', (t) => {
  const nested = (head: number[], levels: number) =>
    Buffer.from([...Array.from({ length: levels }, () => head).flat(), 0]);
  const rows: Record<string, Buffer> = {
    nothing: Buffer.alloc(0),
    'a rest': Buffer.from('0000', 'hex'),
    'a missing item': Buffer.from('8201', 'hex'),
    'a missing value': Buffer.from('a16161', 'hex'),
    'an array of 2^53 - 1 items': Buffer.from('9b001fffffffffffff', 'hex'),
    'an array of 2^64 - 1 items': Buffer.from('9bffffffffffffffff', 'hex'),
    'a map of 2^32 - 1 pairs': Buffer.from('baffffffff', 'hex'),
    'text longer than the data': Buffer.from('7a7fffffff61', 'hex'),
    'bytes longer than the data': Buffer.from('5bffffffffffffffff', 'hex'),
    'an indefinite array': Buffer.from('9f00ff', 'hex'),
    'an indefinite map': Buffer.from('bf616100ff', 'hex'),
    'indefinite text': Buffer.from('7f6161ff', 'hex'),
    'a break alone': Buffer.from('ff', 'hex'),
    'a reserved length': Buffer.from('1c', 'hex'),
    'a number in more bytes than it needs': Buffer.from('1817', 'hex'),
    'a number larger than is exact': Buffer.from('1b0020000000000000', 'hex'),
    'a half float': Buffer.from('f93c00', 'hex'),
    'an unknown simple value': Buffer.from('f0', 'hex'),
    'an unknown tag': Buffer.from('d82a00', 'hex'),
    'a date of text': Buffer.from('da747275016130', 'hex'),
    'a bigint of a number': Buffer.from('c200', 'hex'),
    'a set of a map': Buffer.from('d90102a0', 'hex'),
    'a map of an array': Buffer.from('d9010380', 'hex'),
    'a tag in a tag': Buffer.from('da74727501da7472750100', 'hex'),
    'UTF-16 of an odd length': Buffer.from('da747275024100', 'hex'),
    'text that is not UTF-8': Buffer.from('62c328', 'hex'),
    'text with a surrogate in UTF-8': Buffer.from('63eda080', 'hex'),
    'a key twice': Buffer.from('a2616100616101', 'hex'),
    'a key that is no text': Buffer.from('a10000', 'hex'),
    'a value twice in a set': Buffer.from('d90102820000', 'hex'),
    'a key twice in a map': Buffer.from('d90103a200000001', 'hex'),
    'arrays nested too deep': nested([0x81], 101),
    'arrays nested as deep as memory': nested([0x81], 1_000_000),
    'maps nested too deep': nested([0xd9, 0x01, 0x03, 0xa1, 0x00], 101),
    'sets nested too deep': nested([0xd9, 0x01, 0x02, 0x81], 101),
    'tags nested': nested([0xd9, 0x01, 0x02], 100_000),
    'too many values': Buffer.concat([Buffer.from('9a000f4241', 'hex'), Buffer.alloc(1_000_001)]),
    'too many bytes': Buffer.alloc(16 * 1024 * 1024 + 1),
    'too many bytes in a form that is right': Buffer.concat([
      Buffer.from('5a01000000', 'hex'),
      Buffer.alloc(16 * 1024 * 1024),
    ]),
  };
  for (const [name, bytes] of Object.entries(rows)) t.throws(() => decodeData(bytes), { instanceOf: RangeError }, name);
});

test('any bytes at all are data that arrives as it is, or refused', (t) => {
  const random = seeded(1);
  const sample = encodeData(
    [
      { a: [1, -1, 1.5, 2n], b: new Map([['k', new Set([true])]]), c: new Date(5) },
      'text',
      '\uD800',
      new Uint8Array(3),
    ],
    'x',
  );
  let accepted = 0;
  for (let i = 0; i < 20_000; i++) {
    const bytes = Uint8Array.from(i % 2 ? sample : { length: random() * 24 }, (byte) => byte ?? random() * 256);
    for (let flips = 1 + random() * 3; flips > 0; flips--) bytes[Math.floor(random() * bytes.length)] = random() * 256;
    let value: unknown;
    try {
      value = decodeData(bytes);
    } catch (error) {
      if (error instanceof RangeError) continue;
      throw error;
    }
    accepted += 1;
    t.deepEqual(roundTrip(value), value);
  }
  t.true(accepted > 500, `${accepted} of them are data`);
});

test('no name of a property reaches a prototype', (t) => {
  const value = JSON.parse(
    '{ "__proto__": { "polluted": true }, "constructor": { "prototype": { "polluted": true } } }',
  ) as object;
  const back = roundTrip([value]) as object[];
  t.deepEqual(Object.keys(back[0]!), ['__proto__', 'constructor']);
  t.is(Object.getPrototypeOf(back[0]), Object.prototype);
  t.false('polluted' in {});
  t.is((back[0] as { polluted?: unknown }).polluted, undefined);

  class Worker {
    handleMessage() {}
  }
  const worker = revive(Worker, encodeData(value, 'x'));
  t.true(worker instanceof Worker);
  t.true(Object.hasOwn(worker, '__proto__'));
});

test('an instance is its class and its own fields', async (t) => {
  class Counter {
    static #made = 0;
    count = 1;
    list = [new Date(0)];
    constructor() {
      Counter.#made += 1;
    }
    set watched(_: number) {
      t.fail('a setter ran');
    }
    handleMessage() {
      return [this.count, Counter.#made];
    }
  }
  const counter = Object.defineProperty(Object.assign(new Counter(), { count: 5 }), 'watched', {
    value: 1,
    enumerable: true,
  });
  const { cls, fields } = await fieldsOf(counter);
  t.true(cls === Counter);
  const copy = revive(cls, fields) as Counter;
  t.deepEqual(copy.handleMessage(), [5, 1], 'and the constructor did not run again');
  t.deepEqual(copy.list, [new Date(0)]);
  t.throws(() => revive(cls, encodeData([1], 'x')), { instanceOf: RangeError });
});

test('an instance with state that can not be read is refused, and the message says what to pass instead', async (t) => {
  class Method {
    #run() {}
    handleMessage() {
      return this.#run();
    }
  }
  class Below extends Method {}
  class Emitter extends EventEmitter {
    handleMessage() {}
  }
  class Accessor {
    handleMessage() {}
  }
  const accessor = Object.defineProperty(new Accessor(), 'live', {
    get: () => t.fail('a getter ran'),
    enumerable: true,
  });
  const emitter = new Emitter();
  emitter.on('x', () => undefined);
  const rows: [object, RegExp][] = [
    [new Method(), /an instance of class Method .*private field #run can't/],
    [new Below(), /an instance of class Below .*private field #run of its superclass Method/],
    [emitter, /^Emitter.* (its name is a symbol|it is a function)/],
    [accessor, /^Accessor\.live .*an accessor/],
    [new Proxy(new Accessor(), {}), /a proxy/],
    [Object.assign(Object.create(null), {}), /an object without a class/],
  ];
  for (const [instance, message] of rows)
    await t.throwsAsync(fieldsOf(instance), { instanceOf: NotPortableError, message });
  const error = await t.throwsAsync(fieldsOf(new Method()));
  t.regex(
    error!.message,
    /Pass the class with its `args` instead of an instance: startWorker\(name, Class, \{ args: \[\.\.\.\] \}\)\.$/,
  );
});
