// A node over HTTP: probes that answer whatever JavaScript does, and messages to workers with the outcomes that workers of the zone get.
import test, { type ExecutionContext } from 'ava';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Node, Zone, type Context, type HttpOptions } from 'troupe';
import { ask, eventually, type Answer } from './support/http.ts';
import { failureOf, gate, nodesOf, worker } from './support/nodes.ts';
import { openObserver, serve } from './support/observer.ts';
import { Program, zoneHome } from './support/program.ts';

/** A node by itself that is served, and how to ask it. */
async function served(t: ExecutionContext, http: HttpOptions = { workers: true }): Promise<Node> {
  const node = await Node.create({ name: 'here', zone: false, http });
  t.teardown(() => node.stop({ timeout: 0 }));
  return node;
}

const post = (node: Node, path: string, body = '', init: RequestInit = {}) =>
  ask(node.http, path, { method: 'POST', body, ...init });

class Echo {
  handleMessage(context: Context, message: string) {
    return context.reply(message);
  }
}

test('a message is answered by its reply, in whatever letters, and a send when it was taken', async (t) => {
  const node = await served(t);
  const got: string[] = [];
  await node.startWorker('echo', Echo);
  await node.startWorker(
    'sink',
    worker((context, message) => void got.push(`${message} from "${context.sender}"`)),
  );
  for (const text of ['', 'plain', 'Grüße', '日本語 🎭', '<script>alert(1)</script>', 'x'.repeat(100_000)]) {
    const answer = await post(node, '/workers/echo', text);
    t.deepEqual([answer.status, answer.text], [200, text]);
    t.is(answer.headers.get('content-type'), 'text/plain; charset=utf-8');
  }
  t.is((await post(node, '/workers/here%2Fecho', 'x')).text, 'x');
  t.is((await post(node, '/workers/here/echo?timeout=5s', 'x')).text, 'x');
  t.is((await post(node, '/workers/sink/send', 'x')).status, 202);
  // Taken in order: what was sent before is handled.
  await node.startWorker(
    'lone',
    worker((context) => context.reply('\ud800')),
  );
  t.is((await post(node, '/workers/lone')).text, '\ufffd');
  t.deepEqual(got, ['x from ""']);
});

test('each failure of a message has its status and its code', async (t) => {
  const node = await served(t);
  const running = gate();
  const begun = gate();
  await node.startWorker(
    'failing',
    worker(() => Promise.reject(new TypeError('as it was told'))),
  );
  await node.startWorker(
    'silent',
    worker(() => {}),
  );
  const holding = async () => {
    begun.open();
    await running.opened;
  };
  await node.startWorker('holding', worker(holding), { mailbox: 1, overflow: 'reject' });

  const failed = await post(node, '/workers/failing');
  t.deepEqual(
    [failed.status, failed.code, failed.headers.get('content-type')],
    [500, 'WORKER_FAILED', 'application/problem+json'],
  );
  t.deepEqual(failed.json['cause'], { message: 'as it was told' });
  t.deepEqual([failed.json['worker'], failed.json['maybeExecuted']], ['failing', true]);
  const nobody = await post(node, '/workers/nobody');
  t.deepEqual([nobody.status, nobody.code], [404, 'NO_SUCH_WORKER']);
  const late = await post(node, '/workers/silent?timeout=30');
  t.deepEqual([late.status, late.code, late.json['stage']], [504, 'TIMEOUT', 'handled']);
  const invalid = await post(node, '/workers/silent?timeout=soon');
  t.deepEqual([invalid.status, invalid.code], [400, 'INVALID_ARGUMENT']);
  const long = await post(node, '/workers/silent', 'x'.repeat(2 ** 24 + 1));
  t.deepEqual([long.status, long.code], [413, 'MESSAGE_TOO_LARGE']);

  const held = post(node, '/workers/holding');
  await begun.opened;
  t.is((await post(node, '/workers/holding/send')).status, 202);
  const full = await post(node, '/workers/holding');
  t.deepEqual([full.status, full.code, full.headers.get('retry-after')], [429, 'MAILBOX_FULL', '1']);
  const stopped = node.stopWorker('holding', { timeout: 0 });
  const cut = await held;
  t.deepEqual([cut.status, cut.code, cut.json['maybeExecuted']], [409, 'WORKER_STOPPED', true]);
  running.open();
  await stopped;
});

test('messages are refused unless they are enabled', async (t) => {
  const node = await served(t, {});
  await node.startWorker('echo', Echo);
  const refused = await post(node, '/workers/echo');
  t.deepEqual([refused.status, refused.code], [403, 'NOT_PERMITTED']);
  t.regex(refused.json['detail'] as string, /workers: true/);
});

test('what is counted is told as metrics, with or without a zone', async (t) => {
  const node = await served(t);
  await node.startWorker('echo', Echo);
  await node.startWorker(
    'failing',
    worker(() => Promise.reject(new Error('no'))),
  );
  for (let i = 0; i < 3; i++) await post(node, '/workers/echo', 'x');
  await post(node, '/workers/failing');
  await post(node, '/workers/nobody/send');
  const wanted = [
    'troupe_messages_handled_total{type="Echo"} 3',
    'troupe_messages_failed_total{type="Object"} 1',
    'troupe_message_in_handler_seconds_count{type="Echo"} 3',
    'troupe_message_in_handler_seconds_bucket{type="Echo",le="+Inf"} 3',
    'troupe_node_state{state="up"} 1',
    'troupe_workers 3',
  ];
  const isIt = ({ text }: Answer) => wanted.every((line) => text.split('\n').includes(line));
  const { text, headers } = await eventually(node.http as string, '/metrics', isIt);
  t.is(headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8');
  t.regex(text, /^troupe_dead_letters_total\{reason="no such worker"\} [1-9]/m);
  t.regex(text, /^troupe_process_resident_memory_bytes [1-9]/m);
});

test('a caller that hangs up aborts the signal of the handler', async (t) => {
  const node = await served(t);
  const begun = gate();
  const aborted = gate();
  const waiting = worker((context) => {
    context.signal.addEventListener('abort', aborted.open);
    begun.open();
    return aborted.opened;
  });
  await node.startWorker('waiting', waiting);
  const hangUp = new AbortController();
  const call = post(node, '/workers/waiting', '', { signal: hangUp.signal });
  await begun.opened;
  hangUp.abort();
  t.is(await call.catch((error: unknown) => (error as DOMException).name), 'AbortError');
  await aborted.opened;
});

test.serial('a message reaches a worker of another node, and one that is gone is said to be', async (t) => {
  const create = nodesOf(t);
  const here = await create('here', { http: { workers: true } });
  const there = await create('there');
  await there.startWorker('echo', Echo);
  await Zone.nodes(here, { atLeast: 2 });
  t.is((await post(here, '/workers/echo', 'Hi')).text, 'Hi');
  t.is((await post(here, '/workers/there/echo', 'Hi')).text, 'Hi');
  await there.stop();
  const gone = await post(here, '/workers/there/echo', 'Hi');
  t.true([404, 503].includes(gone.status), gone.text);
  t.true(['NO_SUCH_WORKER', 'NODE_UNREACHABLE'].includes(gone.code ?? ''), gone.text);
});

const blocked = `
  import { existsSync } from 'node:fs';
  import { Node } from 'troupe';
  const wait = new Int32Array(new SharedArrayBuffer(4));
  await Node.start(async (node) => {
    await node.startWorker('blocking', {
      handleMessage(context, file) {
        while (!existsSync(file)) Atomics.wait(wait, 0, 0, 5);
      },
    });
    console.log(node.http);
  }, { zone: false, http: { workers: true, stallMs: 200 } });
`;

test('while JavaScript is held up probes are answered, fail after stallMs, and are well again after', async (t) => {
  const home = zoneHome(t);
  const program = new Program(t, ['--input-type=module', '--eval', blocked], { TROUPE_HOME: home });
  await program.until(({ stdout }) => stdout.includes('\n'));
  const address = program.stdout.trim();
  t.deepEqual((await ask(address, '/livez')).json, { status: 'alive' });
  t.deepEqual((await ask(address, '/readyz')).json, { status: 'ready' });
  const file = join(home, 'go-on');
  t.is((await ask(address, '/workers/blocking/send', { method: 'POST', body: file })).status, 202);
  const stalled = await eventually(address, '/livez', ({ status }) => status === 503);
  t.is(stalled.json['status'], 'stalled');
  t.true((stalled.json['blockedMs'] as number) >= 200);
  t.is((await ask(address, '/readyz')).status, 503);
  // Its own clock stands still, the caller's does not.
  const late = await ask(address, '/workers/blocking?timeout=20', { method: 'POST' });
  t.deepEqual([late.status, late.code, late.json['stage']], [504, 'TIMEOUT', 'in-transit']);
  writeFileSync(file, '');
  await eventually(address, '/livez', ({ status }) => status === 200);
  t.is((await ask(address, '/readyz')).status, 200);
  program.signal('SIGTERM');
  t.deepEqual(await program.ended, { code: 0, signal: null });
});

test('a node that drains is alive and not ready, and its server ends with it', async (t) => {
  const node = await served(t);
  const going = gate();
  const begun = gate();
  const slow = worker(async (context) => {
    begun.open();
    await going.opened;
    await context.reply('done');
  });
  await node.startWorker('slow', slow);
  const call = post(node, '/workers/slow');
  await begun.opened;
  const stopped = node.stop();
  const ready = await ask(node.http, '/readyz');
  t.deepEqual([ready.status, ready.json], [503, { status: 'draining' }]);
  t.is((await ask(node.http, '/livez')).status, 200);
  const late = await post(node, '/workers/slow');
  t.deepEqual([late.status, late.code], [409, 'WORKER_STOPPED']);
  going.open();
  t.is((await call).text, 'done');
  await stopped;
  await t.throwsAsync(ask(node.http, '/livez'));
});

test('a port that is taken is named, and nothing is left of the node', async (t) => {
  const node = await served(t);
  const create = () => Node.create({ name: 'second', zone: false, http: node.http as string });
  const error = await failureOf<NodeJS.ErrnoException>(t, create());
  t.is(error.code, 'EADDRINUSE');
  t.true(error.message.includes(`"second" can't be served over HTTP: ${node.http} is taken`), error.message);
});

test('an address that other machines reach needs a token, and a token file that others can read is refused', async (t) => {
  const create = (http: HttpOptions) => Node.create({ name: 'here', zone: false, http });
  const refused = async (http: HttpOptions, message: RegExp) => {
    const error = await failureOf<NodeJS.ErrnoException>(t, create(http));
    t.is(error.code, 'INVALID_ARGUMENT');
    t.regex(error.message, message);
  };
  const tokenFile = join(zoneHome(t), 'token');
  await refused({ listen: '0.0.0.0:0' }, /token file/);
  await refused({ tokenFile }, /can't be read/);
  writeFileSync(tokenFile, 'too short', { mode: 0o600 });
  await refused({ tokenFile }, /too short/);
  writeFileSync(`${tokenFile}-open`, 'x'.repeat(32), { mode: 0o644 });
  await refused({ tokenFile: `${tokenFile}-open` }, /can be read by others/);
  writeFileSync(tokenFile, 'a secret of\ntwo lines, to which no request can come\n');
  await refused({ tokenFile }, /its character 12 is a line break.*\(token file .*token\)$/);
  writeFileSync(tokenFile, 'a secret of some length\n');
  const node = await create({ listen: '0.0.0.0:0', tokenFile });
  t.teardown(() => node.stop({ timeout: 0 }));
  const address = `127.0.0.1:${node.http?.split(':').pop()}`;
  t.is((await ask(address, '/openapi.json')).status, 401);
  t.is((await ask(address, '/livez')).status, 200);
  const headers = { authorization: 'Bearer a secret of some length' };
  t.is((await ask(address, '/openapi.json', { headers })).status, 200);
});

test('bad options of http are refused', async (t) => {
  const cases: [unknown, RegExp][] = [
    [true, /^"http" must be "host:port"/],
    ['8080', /^"http.listen" must be "host:port"/],
    [{ port: 1 }, /unknown option "port"/],
    [{ listen: 1 }, /^"http.listen"/],
    [{ workers: 'yes' }, /^"http.workers" must be true or false/],
    [{ tokenFile: '' }, /^"http.tokenFile"/],
    [{ stallMs: 0 }, /^"http.stallMs" must be a whole number from 1/],
  ];
  for (const [http, message] of cases) {
    const error = await failureOf<NodeJS.ErrnoException>(t, Node.create({ zone: false, http: http as HttpOptions }));
    t.is(error.code, 'INVALID_ARGUMENT');
    t.regex(error.message, message);
  }
});

const looked = `
  import { existsSync } from 'node:fs';
  import { Node, info } from 'troupe';
  const wait = new Int32Array(new SharedArrayBuffer(4));
  await Node.start(async (node) => {
    info('<b>it begins</b>');
    await node.startWorker('blocking', {
      handleMessage(context, file) {
        while (!existsSync(file)) Atomics.wait(wait, 0, 0, 5);
        info('it goes on');
      },
    });
    console.log('up');
  }, { name: 'runner' });
`;

test.serial('a zone is watched from one of its members, also a node whose JavaScript is held up', async (t) => {
  const home = zoneHome(t);
  process.env['TROUPE_HOME'] = home;
  const program = new Program(t, ['--input-type=module', '--eval', looked], { TROUPE_HOME: home });
  await program.until(({ stdout }) => stdout.includes('up'));
  const observer = await openObserver();
  t.teardown(() => observer.stop({ timeout: 0 }));
  const settings = { host: '127.0.0.1', port: 0, tokenFile: undefined, workers: false, stallMs: 10_000 };
  const address = await serve(observer, settings, true);
  const shows = (presence: string) => (answer: Answer) => answer.json['presence'] === presence;
  await eventually(address, '/nodes/runner', shows('up'));
  const begun = await eventually(address, '/logs', ({ text }) => text.includes('it begins'));
  const [line] = (begun.json['lines'] as { node: string; level: string; message: string }[]).slice(-1);
  t.deepEqual([line?.node, line?.level, line?.message], ['runner', 'info', '<b>it begins</b>']);
  const file = join(home, 'go-on');
  await observer.send('runner/blocking', file);
  await eventually(address, '/nodes/runner', shows('stalled'));
  writeFileSync(file, '');
  await eventually(address, '/nodes/runner', shows('up'));
  await eventually(address, `/logs?after=${String(begun.json['next'])}`, ({ text }) => text.includes('it goes on'));
  const { json } = await eventually(address, '/workers/runner/blocking', (answer) => answer.json['handled'] === 1);
  t.true((json['samples'] as unknown[]).length > 0);
  t.is((await ask(address, '/workers/main', { method: 'POST' })).status, 403);
  program.signal('SIGTERM');
  await eventually(address, '/nodes/runner', shows('gone'));
});

const threads = `
  import { readdirSync, readFileSync } from 'node:fs';
  import { Node } from 'troupe';
  const threads = () => readdirSync('/proc/self/task')
    .map((task) => readFileSync('/proc/self/task/' + task + '/comm', 'utf8').trim())
    .filter((name) => name === 'troupe-http').length;
  const plain = await Node.create({ zone: false });
  console.log(threads());
  const node = await Node.create({ zone: false, http: {} });
  // A thread gives itself its name.
  while (threads() === 0) await new Promise(setImmediate);
  console.log(threads());
  await node.stop();
  await plain.stop();
  console.log(threads(), node.http === undefined, plain.http === undefined);
`;

if (existsSync('/proc/self/task')) {
  test('the server has a thread of its own, only where it is asked for, and it ends with the node', async (t) => {
    const program = new Program(t, ['--input-type=module', '--eval', threads], { TROUPE_HOME: zoneHome(t) });
    t.deepEqual(await program.output(t), ['0', '1', '0 false true']);
  });
}
