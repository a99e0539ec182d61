// Options: defaults, the numbers that cross the bridge, and errors that say what was expected.
import test from 'ava';
import { NO_LIMIT } from '../lib/duration.ts';
import * as options from '../lib/options.ts';

class Greeter {
  handleMessage() {}
}

// The environment is the process's: what reads or changes it runs alone.
const withEnvironment = <T>(set: Record<string, string>, body: () => T): T => {
  const names = ['TROUPE_NODE', 'TROUPE_ZONE', 'TROUPE_LISTEN', 'TROUPE_HTTP', 'TROUPE_HTTP_TOKEN_FILE'];
  const before = names.map((name) => process.env[name]);
  for (const name of names) delete process.env[name];
  Object.assign(process.env, set);
  try {
    return body();
  } finally {
    names.forEach((name, i) => {
      if (before[i] === undefined) delete process.env[name];
      else process.env[name] = before[i];
    });
  }
};

test('a worker started without options gets the documented defaults', (t) => {
  const defaults = { mailbox: 10_000, overflow: 0, onFailure: 0, maxRestarts: 10, withinMs: 60_000, args: [] };
  t.deepEqual(options.startWorkerSettings(undefined, true), defaults as never);
  t.deepEqual(options.startWorkerSettings({}, false), defaults as never);
});

test('every option of a worker becomes a plain number', (t) => {
  const settings = options.startWorkerSettings(
    { mailbox: 1, overflow: 'reject', onFailure: 'stop', maxRestarts: 0, within: Infinity, args: [1, 'two'] },
    true,
  );
  const expected = { mailbox: 1, overflow: 1, onFailure: 2, maxRestarts: 0, withinMs: NO_LIMIT, args: [1, 'two'] };
  t.deepEqual(settings, expected as never);
  t.is(options.startWorkerSettings({ onFailure: 'restart', mailbox: 2 ** 31 }, true).onFailure, 1);
});

test('a bad value is refused with its name and what was expected', (t) => {
  const cases: [object, RegExp][] = [
    [{ mailbox: 0 }, /^"mailbox" must be a whole number from 1 to 2147483648, got 0$/],
    [{ mailbox: 2 ** 31 + 1 }, /^"mailbox"/],
    [{ mailbox: 1.5 }, /^"mailbox"/],
    [{ mailbox: '10' }, /^"mailbox" must be a whole number .* got a string$/],
    [{ overflow: 'drop' }, /^"overflow" must be "wait" or "reject", got "drop"$/],
    [{ overflow: 1 }, /^"overflow"/],
    [{ onFailure: 'retry' }, /^"onFailure" must be "resume" or "restart" or "stop"/],
    [{ maxRestarts: -1 }, /^"maxRestarts"/],
    [{ within: 'soon' }, /^"within" must be milliseconds/],
    [{ args: 'x' }, /^"args" must be an array/],
  ];
  for (const [bad, message] of cases) {
    const error = t.throws(() => options.startWorkerSettings(bad, true), { message });
    t.is((error as { code?: string }).code, 'INVALID_ARGUMENT');
  }
});

test('an instance can be neither made anew nor given arguments', (t) => {
  t.throws(() => options.startWorkerSettings({ onFailure: 'restart' }, false), { message: /only when a class/ });
  t.throws(() => options.startWorkerSettings({ args: [] }, false), { message: /"args"/ });
});

test('an unknown option is refused, with the nearest that is known', (t) => {
  const request = (bad: object) => () => options.requestTimeout(bad);
  t.throws(request({ timout: 5 }), {
    instanceOf: TypeError,
    message: /unknown option "timout"; did you mean "timeout"\?/,
  });
  t.throws(request({ Timeout: 5 }), { message: /did you mean "timeout"/ });
  t.throws(request({ retries: 5 }), { message: /^unknown option "retries" \(known: timeout, signal\)$/ });
  t.throws(() => options.startWorkerSettings({ maxRestart: 1 } as object, true), { message: /"maxRestarts"/ });
  t.throws(() => options.stopTimeout({ signal: 1 } as object), { message: /unknown option "signal"/ });
  t.throws(() => options.nodeSettings({ waitUntilInterrupted: true } as object), { message: /unknown option/ });
  t.notThrows(() => options.nodeSettings({ waitUntilInterrupted: true } as object, true));
  for (const bad of [null, 1, 'x', [], () => {}]) {
    t.throws(request(bad as never), { instanceOf: TypeError, message: /^"options" must be an object/ });
  }
});

test('a request waits 30 s, a stop 5 s, or what was asked for', (t) => {
  t.is(options.requestTimeout(undefined), 30_000);
  t.is(options.requestTimeout({}), 30_000);
  t.is(options.requestTimeout({ timeout: undefined }), 30_000);
  t.is(options.requestTimeout({ timeout: '10s' }), 10_000);
  t.is(options.requestTimeout({ timeout: 0 }), 0);
  t.is(options.stopTimeout(undefined), 5_000);
  t.is(options.stopTimeout({ timeout: 0 }), 0);
});

test('a signal must be one', (t) => {
  t.is(options.requestTimeout({ signal: new AbortController().signal }), 30_000);
  for (const bad of [null, {}, new AbortController(), 'abort']) {
    t.throws(() => options.requestTimeout({ signal: bad as never }), { message: /^"signal" must be an AbortSignal/ });
  }
});

test.serial('a node without options is a member of the default zone, on a free port of this machine', (t) => {
  const settings = withEnvironment({}, () => options.nodeSettings(undefined));
  const { zone, host, port, acceptCode, workers } = settings;
  t.deepEqual({ zone, host, port, acceptCode }, { zone: 'default', host: '127.0.0.1', port: 0, acceptCode: undefined });
  t.is(workers.size, 0);
  t.regex(settings.name, /-[0-9a-f]{4}$/);
});

test.serial('the environment fills in what options leave open, and an empty variable counts as none', (t) => {
  const set = { TROUPE_NODE: 'from env', TROUPE_ZONE: 'shop', TROUPE_LISTEN: '0.0.0.0:4000' };
  withEnvironment(set, () => {
    const { name, zone, host, port } = options.nodeSettings({});
    t.deepEqual({ name, zone, host, port }, { name: 'from-env', zone: 'shop', host: '0.0.0.0', port: 4_000 });
    const own = options.nodeSettings({ name: 'mine', zone: false, listen: '[::1]:0' });
    t.deepEqual([own.name, own.zone, own.host, own.port], ['mine', false, '::1', 0]);
  });
  withEnvironment({ TROUPE_NODE: '', TROUPE_ZONE: '' }, () => t.is(options.nodeSettings({}).zone, 'default'));
  withEnvironment({ TROUPE_LISTEN: 'here' }, () => {
    t.throws(() => options.nodeSettings({}), { message: /^"TROUPE_LISTEN" must be "host:port"/ });
  });
});

test.serial(
  'where a program is served may be said by its environment, for Node.start alone, and what it says itself wins',
  (t) => {
    const http = (options_: options.NodeOptions, start = true) => options.nodeSettings(options_, start).http;
    withEnvironment({}, () => t.is(http({}), undefined));
    withEnvironment({ TROUPE_HTTP_TOKEN_FILE: '/token' }, () => t.is(http({}), undefined));
    withEnvironment({ TROUPE_HTTP: '127.0.0.1:0' }, () => {
      const served = { host: '127.0.0.1', port: 0, tokenFile: undefined, workers: true, stallMs: 10_000 };
      t.deepEqual(http({}), served);
      t.is(http({}, false), undefined, 'a program may have many nodes, and only one can have the port');
      t.is(http({ http: false }), undefined);
      t.deepEqual(http({ http: '[::1]:4' }), { ...served, host: '::1', port: 4, workers: false });
    });
    withEnvironment({ TROUPE_HTTP: '0.0.0.0:80', TROUPE_HTTP_TOKEN_FILE: '/token' }, () => {
      t.deepEqual([http({})?.port, http({})?.tokenFile], [80, '/token']);
      t.is(http({ http: {} })?.tokenFile, undefined);
    });
    withEnvironment({ TROUPE_HTTP: '80' }, () => {
      t.throws(() => http({}), { message: /^"TROUPE_HTTP" must be "host:port"/ });
    });
  },
);

test.serial('bad options of a node are refused', (t) => {
  const cases: [object, RegExp][] = [
    [{ name: '' }, /^"name"/],
    [{ zone: 'a zone' }, /^"zone" must be a name/],
    [{ zone: true }, /^"zone"/],
    [{ listen: '127.0.0.1' }, /^"listen" must be "host:port"/],
    [{ listen: 'host:70000' }, /^"listen"/],
    [{ listen: '::1:0' }, /^"listen"/],
    [{ acceptCode: 'yes' }, /^"acceptCode" must be true or false/],
    [{ workers: { Greeter: new Greeter() } }, /^"workers.Greeter" must be a class/],
    [{ workers: { Greeter: class {} } }, /^"workers.Greeter" must be a class with a method handleMessage/],
    [{ workers: 3 }, /^"workers" must be an object/],
  ];
  for (const [bad, message] of cases) t.throws(() => options.nodeSettings(bad), { message });
  t.deepEqual([...options.nodeSettings({ workers: { Greeter } }).workers], [['Greeter', Greeter]]);
  t.throws(() => options.staysUp({ waitUntilInterrupted: 1 as never }), { message: /^"waitUntilInterrupted"/ });
  t.true(options.staysUp(undefined));
  t.false(options.staysUp({ waitUntilInterrupted: false }));
});

test('listing, mailboxes and zones have checked options too', (t) => {
  t.deepEqual(options.listSettings(undefined), { prefix: '', limit: 2 ** 31 });
  t.deepEqual(options.listSettings({ prefix: 'sum-', limit: 5 }), { prefix: 'sum-', limit: 5 });
  t.throws(() => options.listSettings({ limit: -1 }), { message: /^"limit"/ });
  t.is(options.mailboxCapacity(undefined), 10_000);
  t.throws(() => options.mailboxCapacity({ capacity: 0 }), { message: /^"capacity"/ });
  t.deepEqual(options.zoneSettings(undefined), { filter: '', atLeast: 0, timeoutMs: 30_000, signal: undefined });
  t.is(options.zoneSettings({ filter: 'runner', atLeast: 2, timeout: '20s' }).timeoutMs, 20_000);
  t.throws(() => options.zoneSettings({ atLeast: 1 }, true), { message: /unknown option "atLeast"/ });
  t.throws(() => options.zoneSettings({ filter: 1 as never }), { message: /^"filter"/ });
});
