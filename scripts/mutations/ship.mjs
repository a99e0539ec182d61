// Code and data of other nodes, on the side that receives them.
const load = 'ava __test__/ship-load.spec.ts';
const data = 'ava __test__/ship-data.spec.ts';
const control = 'ava __test__/hostile-control.spec.ts';

const from = (file, test, list) => list.map(([what, from, to]) => ({ what, in: file, from, to, test }));

/** Removals of the checks in `lib/ship`. */
export const ship = [
  ...from('lib/ship/store.ts', load, [
    ['a hash may lead elsewhere', 'if (!/^[0-9a-f]{64}$/.test(hash))', 'if (hash === undefined)'],
    ['code need not be what its hash says', '  if (actual === hash) return;\n', '  if (actual) return;\n'],
    ['a file that was changed is read', 'return hashOf(code) === hash ? code : undefined;', 'return code;'],
    ['a link in place of a file is followed', 'constants.O_RDONLY | constants.O_NOFOLLOW', 'constants.O_RDONLY'],
    ['code is kept for others to read', "open(temporary, 'wx', 0o600)", "open(temporary, 'wx', 0o644)"],
    ['the folder is made open to others', 'recursive: true, mode: 0o700', 'recursive: true, mode: 0o755'],
    ['the folder may be open to others', ' && (mode & 0o077) === 0', ''],
    [
      'the folder is not looked at',
      '  await secureFolder(path.dirname(file));\n',
      '  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });\n',
    ],
  ]),
  ...from('lib/ship/load.ts', load, [
    ['wrong bytes spoil the turn of the right ones', '  if (code) checkCode(hash, code);\n', ''],
    [
      'code that was changed since is run',
      'else if (!(await readCode(hash, directory)))',
      'else if (!fileOf(hash, directory))',
    ],
  ]),
  ...from('lib/ship/data.ts', data, [
    ['data may be of any size', '  if (bytes.length > MAX_BYTES) throw', '  if (bytes.length < 0) throw'],
    ['bytes may be left over', 'if (reader.left > 0) throw', 'if (reader.left < 0) throw'],
    [
      'data may hold any number of values',
      '    if (++this.#count > MAX_VALUES) throw new RangeError',
      '    if (++this.#count < 0) throw new RangeError',
    ],
    ['data may be nested without end', 'if (depth >= MAX_DEPTH) throw', 'if (depth < 0) throw'],
    ['a key may be repeated', ' || Object.hasOwn(object, key))', ')'],
    [
      'a key may be no text',
      "typeof key !== 'string' || Object.hasOwn(object, key)",
      'Object.hasOwn(object, key as string)',
    ],
    [
      'a key may reach a prototype',
      'Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });',
      '(object as Record<string, unknown>)[key] = value;',
    ],
    ['values of a set may be repeated', 'if (made.size !== expected) throw', 'if (made.size > expected) throw'],
    ['UTF-16 may have an odd length', 'tag === TAG.utf16 && argument % 2 === 0', 'tag === TAG.utf16'],
    [
      'an unknown tag passes',
      '    throw new RangeError(`tag ${tag} on content of major type ${major}`);',
      '    return value;',
    ],
    [
      'more bytes are encoded than are read',
      'if (this.writer.length + more > MAX_BYTES)',
      'if (this.writer.length + more < 0)',
    ],
    [
      'more values are encoded than are read',
      '    if (++this.#count > MAX_VALUES) throw refusal',
      '    if (++this.#count < 0) throw refusal',
    ],
    [
      'keys are encoded beyond what is read',
      '      this.#more(path);\n      this.#string(key, path);',
      '      this.#string(key, path);',
    ],
    ['deeper data is encoded than is read', 'if (this.#open.size >= MAX_DEPTH)', 'if (this.#open.size < 0)'],
  ]),
  ...from('lib/ship/cbor.ts', data, [
    ['an item may end beyond the data', 'if (length > this.left) throw', 'if (length < 0) throw'],
    [
      'a number may take more bytes than it needs',
      'argument < least || argument > Number.MAX_SAFE_INTEGER',
      'argument > Number.MAX_SAFE_INTEGER',
    ],
    [
      'a number may be larger than is exact',
      'argument < least || argument > Number.MAX_SAFE_INTEGER',
      'argument < least',
    ],
    [
      'an item may have no length',
      "if (size === undefined) throw new RangeError('an item without a length');",
      'if (size === undefined) return 0;',
    ],
    ['text may be broken', "'utf-8', { fatal: true, ignoreBOM: true }", "'utf-8', { ignoreBOM: true }"],
    ['any simple value is one', "throw new RangeError('a simple value or float of another size');", 'return null;'],
  ]),
  ...from('lib/control.ts', control, [
    [
      'code is kept whoever signed it',
      'if (!native.verifyCode(publicKey, digest, signature)) {',
      'if (digest.length > 32) {',
    ],
    [
      'code is kept where none is taken',
      'if (!node.acceptsCode)\n    throw fromCode',
      'if (node.name === undefined)\n    throw fromCode',
    ],
    [
      'classes are loaded where no code is taken',
      'if (own === undefined && !node.acceptsCode) {',
      'if (node.name === undefined) {',
    ],
    ['what is to be started is not checked', 'checkStartRequest(decodeData(data))', 'decodeData(data) as StartRequest'],
    ['arguments may be anything', 'checkArguments(decodeData(request.args))', 'decodeData(request.args) as unknown[]'],
  ]),
  ...from('lib/start-request.ts', control, [
    ['a worker of another node may have any name', "  checkName(name, 'name');\n", ''],
    [
      'settings may be any numbers',
      '(value as number) < least || (value as number) > most || value === but',
      'value === but',
    ],
    ['settings may be parts of numbers', '!Number.isSafeInteger(value)', "typeof value !== 'number'"],
  ]),
];
