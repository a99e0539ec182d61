/** `troupe zone inlet`: the page of a zone, for browsers of this machine. */
import test, { type ExecutionContext } from 'ava';
import { Shell } from './support/cli.ts';
import { Handler, until } from './support/node.ts';
import { nodesOf } from './support/nodes.ts';
import type { Program } from './support/program.ts';

/** Where an inlet says that its page is, once it does. */
async function addressOf(inlet: Program): Promise<URL> {
  const address = /http:\/\/\S+/;
  await inlet.until(({ stdout }) => address.test(stdout));
  return new URL(address.exec(inlet.stdout)?.[0] ?? '');
}

async function zoneWithInlet(t: ExecutionContext) {
  const shell = new Shell(t);
  const node = await nodesOf(t, shell.home)('runner');
  const heard: string[] = [];
  await node.startWorker('listener', new Handler((context, message) => (heard.push(message), context.reply('yes'))));
  const inlet = shell.start(['zone', 'inlet', '--to', 'logs', '--port', '0']);
  return { shell, inlet, heard, address: await addressOf(inlet) };
}

test.serial('it says where the page is, and serves the page and the zone there until it is interrupted', async (t) => {
  const { inlet, heard, address } = await zoneWithInlet(t);
  t.is(address.hostname, '127.0.0.1');
  t.is(address.pathname, '/logs');
  t.regex(inlet.stdout, /^zone "default", 1 node: /);
  const page = await fetch(address, { headers: { accept: 'text/html' } });
  t.is(page.headers.get('content-type'), 'text/html; charset=utf-8');
  const nodes = async () => {
    const answer = await fetch(new URL('/nodes', address), { headers: { accept: 'application/json' } });
    return JSON.stringify(await answer.json());
  };
  await until(async () => (await nodes()).includes('"runner"'));
  const headers = { 'content-type': 'text/plain', origin: address.origin };
  for (const path of ['/workers/listener', '/workers/runner/listener', '/workers/listener/send']) {
    const message = await fetch(new URL(path, address), { method: 'POST', body: 'x', headers });
    t.false(message.ok, `${path}: it can look and do nothing else`);
  }
  t.deepEqual(heard, []);
  inlet.signal('SIGINT');
  t.is((await inlet.ended).code, 130);
});

test.serial('a port that is taken is told with the process that has it and the next one that is free', async (t) => {
  const { shell, inlet, address } = await zoneWithInlet(t);
  const { code, stdout, stderr } = await shell.run('zone', 'inlet', '--to', 'logs', '--port', address.port);
  t.is(code, 1);
  t.is(stdout, '');
  t.regex(
    stderr,
    new RegExp(`port ${address.port} is taken by process ${inlet.pid} \\(.* zone inlet --to logs --port 0\\)`),
  );
  const next = Number(/--port (\d+)\n$/.exec(stderr)?.[1]);
  t.true(next > Number(address.port) && next <= Number(address.port) + 20, stderr);
});

test.serial('what it can not be asked for is wrong usage', async (t) => {
  const shell = new Shell(t);
  t.is((await shell.run('zone', 'inlet')).code, 2);
  t.is((await shell.run('zone', 'inlet', '--to', 'shell')).code, 2);
  t.is((await shell.run('zone', 'inlet', '--to', 'logs', '--port', '70000')).code, 2);
});
