// What a member may put into a control request: whatever it is, it is answered, nothing of it starts, and the node serves on.
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { Node } from '../lib/index.ts';
import { native } from '../lib/native.ts';
import { order } from '../lib/port/requests.ts';
import { decodeData, encodeData } from '../lib/ship/index.ts';
import { zoneHome } from './support/program.ts';

class Echo {
  handleMessage() {}
}

/** Numbers from 0 to 1, the same in each run. */
function seeded(state: number): () => number {
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

interface Answer {
  code?: number | string;
  value?: unknown;
}

/** Two nodes in one zone, and a way to ask the one anything in the name of the other. */
async function pair(t: Parameters<typeof zoneHome>[0], options: { acceptCode?: boolean } = {}) {
  const home = zoneHome(t);
  process.env['TROUPE_HOME'] = home;
  const honest = await Node.create({ name: 'honest', workers: { Echo }, ...options });
  const hostile = await Node.create({ name: 'hostile' });
  t.teardown(() => Promise.all([honest.stop({ timeout: 0 }), hostile.stop({ timeout: 0 })]));
  const ask = async (bytes: Uint8Array) => {
    const answer = order<{ bytes: Uint8Array }>('honest', 20_000, (id, generation) => {
      native.control(hostile.number, 'honest', bytes, 20_000, id, generation);
    });
    // What JavaScript refuses is data; what the core refuses fails the request.
    return answer.then(
      ({ bytes }) => decodeData(bytes) as Answer,
      ({ code }: { code: string }): Answer => ({ code }),
    );
  };
  const workers = async () => (await honest.listWorkers()).map((info) => info.name);
  return { home, honest, hostile, ask, workers };
}

const request = (kind: string, data: Uint8Array) => Buffer.concat([Buffer.from(kind), data]);
const START = { name: 'worker', type: 'Echo', hash: '', label: '', args: encodeData([], 'args') };
const SETTINGS = { mailbox: 10, overflow: 0, onFailure: 0, maxRestarts: 1, withinMs: 1000 };

test.serial('any bytes at all as a control request are answered, and start or stop nothing', async (t) => {
  const { ask, workers } = await pair(t);
  const random = seeded(11);
  const samples = [
    request('S', encodeData({ ...START, settings: SETTINGS }, 'x')),
    request('L', encodeData({ prefix: '', limit: 10 }, 'x')),
    request('X', encodeData({ name: 'nobody', timeout: 1 }, 'x')),
    request('C', randomBytes(200)),
  ];
  let refused = 0;
  for (let i = 0; i < 1500; i++) {
    const sample = samples[Math.floor(random() * samples.length)] as Buffer;
    const bytes = Uint8Array.from(i % 3 ? sample : { length: random() * 40 }, (byte) => byte ?? random() * 256);
    for (let edits = 1 + random() * 3; edits > 0 && bytes.length > 0; edits--)
      bytes[Math.floor(random() * bytes.length)] = random() * 256;
    // What is left whole is no attack; a request of no bytes has no kind.
    if (samples.some((whole) => whole.equals(bytes))) continue;
    const { code } = await ask(bytes);
    if (code !== undefined) refused += 1;
    for (const name of await workers()) t.regex(name, /^[A-Za-z0-9_-]{1,128}$/);
  }
  t.true(refused > 1000, `${refused} were refused`);
});

test.serial('a start is refused whose name, settings, arguments or fields are not what they must be', async (t) => {
  const { ask, workers } = await pair(t);
  const good = { ...START, settings: SETTINGS };
  const wrong: Record<string, unknown> = {
    'no data': null,
    'a list': [],
    'no name': { ...good, name: undefined },
    'a name that is none': { ...good, name: 'a/b' },
    'an empty name': { ...good, name: '' },
    'a long name': { ...good, name: 'a'.repeat(129) },
    'a number for a name': { ...good, name: 7 },
    'no settings': { ...good, settings: undefined },
    'settings that are none': { ...good, settings: 'all' },
    'no mailbox': { ...good, settings: { ...SETTINGS, mailbox: 0 } },
    'part of a mailbox': { ...good, settings: { ...SETTINGS, mailbox: 1.5 } },
    'a mailbox without end': { ...good, settings: { ...SETTINGS, mailbox: Infinity } },
    'a mailbox of text': { ...good, settings: { ...SETTINGS, mailbox: '10' } },
    'an unknown overflow': { ...good, settings: { ...SETTINGS, overflow: 9 } },
    'an unknown policy': { ...good, settings: { ...SETTINGS, onFailure: 9 } },
    'restarts below zero': { ...good, settings: { ...SETTINGS, maxRestarts: -1 } },
    'a period below zero': { ...good, settings: { ...SETTINGS, withinMs: -1 } },
    'arguments that are no list': { ...good, args: encodeData({ length: 3 }, 'x') },
    'arguments that are no data': { ...good, args: new Uint8Array([0xff]) },
    'arguments of text': { ...good, args: 'x' },
    'fields that are no object': { ...good, fields: encodeData(7, 'x') },
    'fields that are no data': { ...good, fields: new Uint8Array([0xff]) },
    'a class that is not offered': { ...good, type: 'toString' },
    'a class of no name': { ...good, type: 7 },
    'a hash that leads elsewhere': { ...good, type: 'Other', hash: '../../etc' },
    'a hash of no text': { ...good, type: 'Other', hash: ['a'.repeat(64)] },
  };
  for (const [what, data] of Object.entries(wrong)) {
    const { code, value } = await ask(request('S', encodeData(data, 'x')));
    // "code" asks for the code of a class that is not offered: that is no start either.
    t.true(code !== undefined || (value === 'code' && what === 'a class that is not offered'), what);
    t.deepEqual(await workers(), ['main'], what);
  }
  t.is((await ask(request('S', encodeData(good, 'x')))).value, 'started', 'what is right is done');
});

test.serial('code is kept only from a node that signed it, and only where code is taken', async (t) => {
  const { ask, hostile, home } = await pair(t, { acceptCode: true });
  const kept = () => {
    const folder = join(home, 'zones', 'default', 'code');
    return existsSync(folder) ? readdirSync(folder) : [];
  };
  const { createHash } = await import('node:crypto');
  const code = Buffer.from('export {};');
  const digest = createHash('sha256').update(code).digest();
  const signature = native.signCode(hostile.number, digest) as Uint8Array;
  const whole = request('C', Buffer.concat([digest, signature, code]));
  for (let at = 1; at < whole.length; at++) {
    const changed = Buffer.from(whole);
    changed[at] = (changed[at] as number) ^ 0x40;
    t.not((await ask(changed)).code, undefined, `byte ${at}`);
  }
  for (let length = 1; length < whole.length; length++)
    t.not((await ask(whole.subarray(0, length))).code, undefined, `${length} bytes`);
  t.deepEqual(kept(), []);
  t.is((await ask(whole)).code, undefined);
  t.deepEqual(kept(), [`${digest.toString('hex')}.mjs`]);
});

test.serial('where no code is taken, none is kept, however well it is signed', async (t) => {
  const { ask, hostile } = await pair(t, { acceptCode: false });
  const { createHash } = await import('node:crypto');
  const code = Buffer.from('export {};');
  const digest = createHash('sha256').update(code).digest();
  const signature = native.signCode(hostile.number, digest) as Uint8Array;
  t.is((await ask(request('C', Buffer.concat([digest, signature, code])))).code, 9);
  const unknown = { ...START, settings: SETTINGS, type: 'Other', hash: digest.toString('hex') };
  t.is((await ask(request('S', encodeData(unknown, 'x')))).code, 9);
});
