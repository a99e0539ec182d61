// Strangers: whoever is not of the zone is told nothing, gets nothing, and disturbs nobody.
import test, { type ExecutionContext } from 'ava';
import { randomBytes } from 'node:crypto';
import { copyFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { NodeUnreachableError, setLogger, Zone, type LogRecord } from 'troupe';
import { Counter, Echo } from './fixtures/nodes/workers.ts';
import { intrude, portOf, show, standBetween } from './support/intruder.ts';
import { failureOf, nodesOf } from './support/nodes.ts';
import { zoneHome } from './support/program.ts';

/** The warnings of this process from now on. */
function warnings(t: ExecutionContext): LogRecord[] {
  const records: LogRecord[] = [];
  setLogger((record) => void (record.level === 'warn' && records.push(record)));
  t.teardown(() => setLogger(undefined));
  return records;
}

async function said(records: LogRecord[], text: string): Promise<string> {
  for (;;) {
    const found = records.find(({ message }) => message.includes(text));
    if (found !== undefined) return found.message;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** A node that answers, one that asks over an open link, and where the first one listens. */
async function pair(t: ExecutionContext, home = zoneHome(t)) {
  const create = nodesOf(t, home);
  const [there, here] = [await create('there'), await create('here')];
  await there.startWorker('echo', Echo);
  t.is(await here.sendAndReceive('echo', 'open'), 'open');
  return { create, home, there, here, port: portOf(home, 'there') };
}

test.serial('whoever sends garbage is closed without a word, and logged with reason and address', async (t) => {
  const { here, port } = await pair(t);
  const records = warnings(t);
  for (const [bytes, reason] of [
    ['GET / HTTP/1.1\r\nHost: there\r\n\r\n', /does not speak this protocol/],
    [randomBytes(2_000), /does not speak this protocol/],
    [Buffer.alloc(100_000, 0xff), /does not speak this protocol/],
  ] as const) {
    const stranger = await intrude(t, port, bytes);
    t.is((await stranger.closed).length, 0);
    t.regex(await said(records, stranger.address), reason);
  }
  t.is(await here.sendAndReceive('echo', 'still here'), 'still here');
});

test.serial("whoever begins a handshake and can't go on is closed without a word", async (t) => {
  const { create, home, there, port } = await pair(t);
  // What a member says first, recorded and said again by somebody who does not have its keys.
  const { dialled } = await standBetween(t, home, 'there');
  const third = await create('third');
  t.is(await third.sendAndReceive('there/echo', 'x'), 'x');
  const first = dialled[0] as Buffer;
  const records = warnings(t);
  const spoiled = Buffer.from(first);
  spoiled[first.length - 1] = (spoiled.at(-1) as number) ^ 1;
  const stranger = await intrude(t, port, spoiled);
  t.is((await stranger.closed).length, 0);
  t.regex(await said(records, stranger.address), /message 1 does not decrypt/);
  // The same word for word gets the answer that is due to it, sealed for whoever said it first, and no further.
  const replayed = await intrude(t, port, first);
  await new Promise((resolve) => replayed.socket.once('data', resolve));
  replayed.socket.write(randomBytes(500));
  const heard = await replayed.closed;
  t.false(heard.includes(Buffer.from('there')), 'not even its name');
  t.false(heard.includes(Buffer.from(there.id, 'hex')), 'nor its identity');
  await said(records, replayed.address);
});

test.serial('whoever stalls is closed within ten seconds', async (t) => {
  const { here, port } = await pair(t);
  const records = warnings(t);
  const silent = await intrude(t, port);
  const slow = await intrude(t, port, 'tr');
  t.is((await silent.closed).length + (await slow.closed).length, 0);
  for (const { address } of [silent, slow]) t.regex(await said(records, address), /not open after 10 s/);
  t.is(await here.sendAndReceive('echo', 'still here'), 'still here');
});

test.serial('a thousand connections at once keep no member out, and fill no log', async (t) => {
  const { create, here, port } = await pair(t);
  const records = warnings(t);
  let closed = 0;
  for (let i = 0; i < 1_000; i++) {
    const stranger = await intrude(t, port, i % 2 === 0 ? '' : 'GET / HTTP/1.1\r\n\r\n');
    void stranger.closed.then((heard) => (closed += heard.length === 0 ? 1 : 0));
    if (i % 10 === 0) t.is(await here.sendAndReceive('echo', `${i}`), `${i}`);
  }
  // Those who stall are being waited for; a member comes in nevertheless.
  const third = await create('third');
  t.is(await third.sendAndReceive('there/echo', 'a new one'), 'a new one');
  // More than 64 are not kept waiting.
  while (closed < 1_000 - 64) await new Promise((resolve) => setTimeout(resolve, 1));
  t.true(records.length > 0 && records.length < 50, `${records.length} lines`);
  // The next line that may be written tells of those that were not.
  while (!records.some(({ message }) => /\(and \d+ more before it that are not listed\)/.test(message))) {
    await (
      await intrude(t, port, 'GET / HTTP/1.1\r\n\r\n')
    ).closed;
  }
});

for (const [what, file] of [
  ['without the access key', 'authority.key'],
  ['with the credential of another zone', 'access.key'],
  ['of another zone altogether', undefined],
] as const) {
  test.serial(`a node ${what} gets no answer, and is logged by the node it dialled`, async (t) => {
    const { home, here } = await pair(t);
    const other = zoneHome(t);
    const create = nodesOf(t, other);
    // A zone of its own, of which one secret is exchanged for ours.
    await (await create('maker')).stop();
    if (file !== undefined) copyFileSync(join(home, 'zones/default', file), join(other, 'zones/default', file));
    const intruder = await create('intruder');
    show(home, 'there', other);
    const records = warnings(t);
    const { dialled, answered } = await standBetween(t, home, 'there');
    const error = await failureOf<NodeUnreachableError>(t, intruder.sendAndReceive('there/echo', 'secret'));
    t.true(error instanceof NodeUnreachableError, String(error));
    t.false(error.maybeExecuted);
    t.regex(
      await said(records, 'a connection from 127.0.0.1:'),
      /does not decrypt: .*another zone or does not hold this zone's access key/,
    );
    t.true(dialled.length > 0);
    t.deepEqual(answered, []);
    t.is(await here.sendAndReceive('echo', 'still here'), 'still here');
  });
}

test.serial('nothing that two nodes say to each other can be read on the way', async (t) => {
  const home = zoneHome(t);
  const create = nodesOf(t, home);
  const [there, here] = [await create('node-with-a-name'), await create('node-that-asks')];
  const { dialled, answered } = await standBetween(t, home, there.name);
  const handle = await Zone.node(here, there.name);
  await handle.startWorker('worker-with-a-name', Counter, { args: [1_234_567] });
  const text = 'a message that is nobody’s business 🎭 '.repeat(2_000);
  await handle.startWorker('echo-with-a-name', Echo);
  t.is(await here.sendAndReceive('worker-with-a-name', text), '1234568');
  t.is(await here.sendAndReceive('echo-with-a-name', text), text);
  const all = Buffer.concat([...dialled, ...answered]);
  t.true(all.length > 3 * Buffer.byteLength(text), `${all.length} bytes went through`);
  const code = readFileSync(new URL('fixtures/nodes/workers.ts', import.meta.url), 'utf8');
  const secrets: (string | Buffer)[] = [
    'message that is',
    'business',
    'worker-with-a-name',
    'echo-with-a-name',
    there.name,
    here.name,
    'default',
    '1234568',
    'handleMessage',
    /class (\w+)/.exec(code)?.[1] ?? '',
    Buffer.from(there.id, 'hex'),
    Buffer.from(here.id, 'hex'),
    readFileSync(join(home, 'zones/default/access.key')).subarray(8),
    readFileSync(join(home, 'zones/default/authority.key')).subarray(8),
  ];
  for (const secret of secrets) {
    t.true(secret.length > 3);
    t.false(all.includes(secret), String(secret));
    if (typeof secret === 'string') t.false(all.includes(Buffer.from(secret, 'utf16le')), `${secret} in UTF-16`);
  }
});

test.serial('what is changed on the way is never taken for what was said', async (t) => {
  const home = zoneHome(t);
  const create = nodesOf(t, home);
  const [there, here] = [await create('there'), await create('here')];
  const heard: string[] = [];
  await there.startWorker('echo', { handleMessage: (_, message) => void heard.push(message) });
  let spoil = false;
  await standBetween(t, home, 'there', (bytes) => {
    if (!spoil) return bytes;
    spoil = false;
    const changed = Buffer.from(bytes);
    changed[Math.floor(changed.length / 2)]! ^= 1;
    return changed;
  });
  await here.send('there/echo', 'first');
  while (heard.length === 0) await new Promise(setImmediate);
  spoil = true;
  void here.send('there/echo', 'x'.repeat(1_000));
  while (spoil) await new Promise(setImmediate);
  // Sent until it gets there, over a new channel.
  while (!heard.includes('last')) {
    await here.send('there/echo', 'last').catch(() => {});
    await new Promise(setImmediate);
  }
  for (const message of heard) t.true(['first', 'x'.repeat(1_000), 'last'].includes(message));
});
