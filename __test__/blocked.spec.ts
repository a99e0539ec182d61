// JavaScript of a node that is blocked, in a short version of what `npm run verify -- blocked` does for half a minute: everything that
// answers from Rust does so all the time, the node is seen as stalled and never as gone, and is well again after.
import test from 'ava';
import { fileURLToPath } from 'node:url';
import { members, openObserver, serve } from './support/observer.ts';
import { Program, zoneHome } from './support/program.ts';

/** How long it is blocked. Milliseconds; enough to be seen as stalled, which takes one second. */
const BLOCKED = Number(process.env['TROUPE_BLOCKED_MS'] ?? 3_000);

const blocking = `
  import { Node } from 'troupe';
  const wait = new Int32Array(new SharedArrayBuffer(4));
  await Node.start(async (node) => {
    await node.startWorker('blocking', {
      async handleMessage(context, message) {
        if (message === 'block') {
          const begin = performance.now();
          while (performance.now() - begin < ${BLOCKED}) Atomics.wait(wait, 0, 0, 5);
          console.log('blocked for', performance.now() - begin);
        }
        await context.reply(message);
      },
    });
    console.log(node.http);
  }, { name: 'runner', http: { workers: true, stallMs: 1_000 } });
`;

/** No answer by then is none: only a test that fails waits for so long. Milliseconds. */
const PATIENCE = 20_000;

test('a node whose JavaScript is blocked answers all the time, is stalled and not gone, and is up again after', async (t) => {
  t.timeout(BLOCKED + 3 * PATIENCE);
  const home = zoneHome(t);
  process.env['TROUPE_HOME'] = home;
  const program = new Program(t, ['--input-type=module', '--eval', blocking], { TROUPE_HOME: home });
  await program.until(({ stdout }) => stdout.includes('\n'));
  const node = program.stdout.trim();
  const observer = await openObserver();
  t.teardown(() => observer.stop({ timeout: 0 }));
  const settings = { host: '127.0.0.1', port: 0, tokenFile: undefined, workers: false, stallMs: 10_000 };
  const zone = await serve(observer, settings, true, fileURLToPath(new URL('../dist/page', import.meta.url)));

  const ask = async (address: string, path: string, accept = '*/*') => {
    const response = await fetch(`http://${address}${path}`, {
      headers: { accept },
      signal: AbortSignal.timeout(PATIENCE),
    });
    return { status: response.status, text: await response.text() };
  };
  const presences: string[] = [];
  const healths: number[] = [];
  /** Asks for everything once; notes how the node is said to be where that differs from before. */
  const look = async () => {
    const health = await ask(node, '/livez');
    if (healths.at(-1) !== health.status) healths.push(health.status);
    const state = (JSON.parse((await ask(zone, '/nodes/runner')).text) as { presence?: string }).presence ?? 'unknown';
    if (presences.at(-1) !== state) presences.push(state);
    for (const [address, paths] of [
      [node, ['/metrics', '/openapi.json']],
      [
        zone,
        ['/livez', '/readyz', '/zone', '/nodes', '/workers', '/workers/runner/blocking', '/logs', '/dead-letters'],
      ],
    ] as const) {
      for (const path of paths) t.is((await ask(address, path)).status, 200, `${path} while ${presences.join()}`);
    }
    for (const path of ['/', '/logs', '/nodes/runner', '/workers'])
      t.regex((await ask(zone, path, 'text/html')).text, /^<!doctype html>/i, path);
    t.true(members(observer).some(({ name }) => name === 'runner'));
  };
  const lookUntil = async (isIt: () => boolean) => {
    do await look();
    while (!isIt());
  };
  // The view hears of a node a moment after it began to watch.
  while (
    (await ask(zone, '/nodes/runner')).status !== 200 ||
    (await ask(zone, '/workers/runner/blocking')).status !== 200
  );
  await lookUntil(() => presences.at(-1) === 'up');
  const post = (message: string) =>
    fetch(`http://${node}/workers/blocking?timeout=10m`, { method: 'POST', body: message }).then((each) => each.text());
  const [first, second] = [post('block'), post('and this one waits')];
  await lookUntil(() => program.stdout.includes('blocked for'));
  t.deepEqual([await first, await second], ['block', 'and this one waits']);
  await lookUntil(() => presences.at(-1) === 'up' && healths.at(-1) === 200);
  // Never gone. A machine that is short of breath may stall it once more.
  t.deepEqual([...new Set(presences)], ['up', 'stalled']);
  t.deepEqual([...new Set(healths)], [200, 503]);
  t.true(Number(/blocked for ([\d.]+)/.exec(program.stdout)?.[1]) >= BLOCKED);
  program.signal('SIGTERM');
  t.deepEqual(await program.ended, { code: 0, signal: null });
});
