// Names and addresses: which are taken, which are refused, and how a node gets one.
import test from 'ava';
import { checkAddress, checkName, defaultNodeName, nodeName, splitAddress } from '../lib/address.ts';

const invalid = (code: string) => (error: unknown) => (error as { code?: string }).code === code;

test('names have letters, digits, underscore and hyphen, 1 to 128 of them', (t) => {
  for (const name of ['a', 'greeter', 'Runner_1-b', '-', '7', 'x'.repeat(128)]) {
    t.notThrows(() => checkName(name, 'name'));
  }
  for (const name of ['', ' ', 'a b', 'a/b', 'a.b', 'é', 'a\n', '\0', 'x'.repeat(129)]) {
    const error = t.throws(() => checkName(name, 'name'), {
      instanceOf: RangeError,
      message: /^"name" must be a name/,
    });
    t.true(invalid('INVALID_ARGUMENT')(error));
  }
  for (const name of [undefined, null, 1, {}, ['a']]) {
    t.throws(() => checkName(name, 'name'), { instanceOf: TypeError, message: /^"name" must be a name/ });
  }
});

test('an address is a worker, or a worker on a node', (t) => {
  for (const address of ['greeter', 'runner-1/greeter', `${'n'.repeat(128)}/${'w'.repeat(128)}`]) {
    t.notThrows(() => checkAddress(address, 'to'));
  }
  for (const address of ['', '/', 'a/', '/b', 'a/b/c', 'a//b', 'a b/c', 'a/b\n', `${'n'.repeat(129)}/w`]) {
    t.throws(() => checkAddress(address, 'to'), {
      instanceOf: RangeError,
      message: /^"to" must be "worker" or "node\/worker"/,
    });
  }
  t.throws(() => checkAddress(undefined, 'to'), { instanceOf: TypeError });
});

test('an address comes apart into node and worker', (t) => {
  t.deepEqual(splitAddress('greeter'), { node: undefined, worker: 'greeter' });
  t.deepEqual(splitAddress('runner-1/greeter'), { node: 'runner-1', worker: 'greeter' });
});

test('a node asked to have an unusual name gets the nearest that is one', (t) => {
  t.is(nodeName('runner-1', 'name'), 'runner-1');
  t.is(nodeName('my node.local/ä', 'name'), 'my-node-local--');
  t.throws(() => nodeName('', 'name'), { instanceOf: RangeError });
  t.throws(() => nodeName('x'.repeat(129), 'name'), { instanceOf: RangeError });
  t.throws(() => nodeName(7, 'name'), { instanceOf: TypeError });
});

test('no node has the name of a member that is none', (t) => {
  for (const name of ['troupe-supervisor', 'troupe supervisor', 'observer-', 'observer-7-ab12']) {
    const error = t.throws(() => nodeName(name, 'name'), {
      instanceOf: RangeError,
      message: /^"name" must be another name/,
    });
    t.is((error as { code?: unknown }).code, 'INVALID_ARGUMENT');
  }
  for (const name of ['observer', 'troupe-supervisor-2', 'my-observer-1']) t.is(nodeName(name, 'name'), name);
  t.regex(defaultNodeName('/app/observer-7.ts'), /^node-observer-7-[0-9a-f]{4}$/);
  t.regex(defaultNodeName('/app/observer.ts'), /^node-observer-[0-9a-f]{4}$/);
});

test('a node without a name is called after its program', (t) => {
  const cases: [string | undefined, RegExp][] = [
    ['/app/08-monitor.ts', /^08-monitor-[0-9a-f]{4}$/],
    ['/app/runner/main.ts', /^runner-[0-9a-f]{4}$/],
    ['/app/client/index.mjs', /^client-[0-9a-f]{4}$/],
    ['/app/my tool.test.ts', /^my-tool-test-[0-9a-f]{4}$/],
    ['/main.ts', /^main-[0-9a-f]{4}$/],
    ['', /^node-[0-9a-f]{4}$/],
    [undefined, /^node-[0-9a-f]{4}$/],
    [`/app/${'x'.repeat(300)}.ts`, /^x{123}-[0-9a-f]{4}$/],
  ];
  for (const [file, pattern] of cases) {
    t.regex(defaultNodeName(file), pattern);
    t.notThrows(() => checkName(defaultNodeName(file), 'name'));
  }
});

test('a program started twice is two nodes', (t) => {
  const names = new Set(Array.from({ length: 20 }, () => defaultNodeName('/app/runner.ts')));
  t.true(names.size > 15);
});
