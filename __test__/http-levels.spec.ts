// What a process logs, read and changed over HTTP while it runs.
import test from 'ava';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ask } from './support/http.ts';
import { Program, zoneHome } from './support/program.ts';

const talking = `
  import { Node, debug } from 'troupe';
  await Node.start(async (node) => {
    await node.startWorker('talking', {
      handleMessage(context, message) {
        debug(message);
        return context.reply('said');
      },
    });
    console.log(node.http);
  }, { zone: false, http: { workers: true } });
`;

test('what a node logs is read and changed while it runs', async (t) => {
  const program = new Program(t, ['--input-type=module', '--eval', talking], { TROUPE_HOME: zoneHome(t) });
  await program.until(({ stdout }) => stdout.includes('\n'));
  const address = program.stdout.trim();
  const say = (body: string) => ask(address, '/workers/talking', { method: 'POST', body });
  const put = (levels: unknown) => ask(address, '/logs/levels', { method: 'PUT', body: JSON.stringify({ levels }) });
  t.deepEqual((await ask(address, '/logs/levels')).json, { levels: 'info' });
  await say('not to be seen');
  for (const bad of ['loud', 'info,=debug', 7, 'x'.repeat(5_000)]) {
    const refused = await put(bad);
    t.deepEqual([refused.status, refused.code], [400, 'INVALID_ARGUMENT']);
  }
  t.is((await put('warn,node=debug')).status, 200);
  await say('to be seen');
  t.deepEqual((await ask(address, '/logs/levels')).json, { levels: 'warn,node=debug' });
  await program.until(({ stderr }) => stderr.includes('to be seen'));
  t.false(program.stderr.includes('not to be seen'));
});

const talkingThreads = `
  import { Worker, isMainThread, threadId } from 'node:worker_threads';
  import { Node, debug } from 'troupe';
  const node = await Node.create({ name: 'node-' + threadId, zone: false, http: { workers: true } });
  await node.startWorker('talking', {
    async handleMessage(context, message) {
      if (message === 'start a thread') new Worker(new URL(import.meta.url));
      else debug(message + ' by ' + threadId);
      await context.reply('said');
    },
  });
  console.log(node.http);
`;

test('the levels of a node are those of all isolates of its process, also of one that opens later', async (t) => {
  const home = zoneHome(t);
  const file = join(home, 'talking.mjs');
  writeFileSync(
    file,
    talkingThreads.replace("'troupe'", JSON.stringify(new URL('../dist/index.js', import.meta.url).href)),
  );
  const program = new Program(t, [file], { TROUPE_HOME: home });
  const addresses = () => program.stdout.trim().split('\n');
  const say = (address: string | undefined, body: string) => ask(address, '/workers/talking', { method: 'POST', body });
  const started = async (count: number) => {
    if (count > 1) await say(addresses()[0], 'start a thread');
    await program.until(({ stdout }) => stdout.split('\n').length > count);
  };
  await started(1);
  await started(2);
  for (const address of addresses()) t.deepEqual((await ask(address, '/logs/levels')).json, { levels: 'info' });
  // Of whichever of them it is asked.
  for (const [at, levels] of [
    [0, 'warn,node=debug'],
    [1, 'error,node=debug'],
  ] as const) {
    await ask(addresses()[at], '/logs/levels', { method: 'PUT', body: JSON.stringify({ levels }) });
    if (at === 1) await started(3);
    for (const [thread, address] of addresses().entries()) {
      t.deepEqual((await ask(address, '/logs/levels')).json, { levels });
      await say(address, levels);
      await program.until(({ stderr }) => stderr.includes(`${levels} by ${thread}`));
    }
  }
  t.is(addresses().length, 3);
});
