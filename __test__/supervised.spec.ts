// A program that a supervisor has started: it ends with the other end of its standard input, and is a program like any other until then.
import test, { type ExecutionContext } from 'ava';
import { Program, zoneHome } from './support/program.ts';

const PRELOAD = new URL('../dist/supervised.js', import.meta.url).pathname;

/** A program as a supervisor starts it; the test is the supervisor. */
function run(t: ExecutionContext, drain: number, body: string): Program {
  const args = ['--import', PRELOAD, '--input-type=module', '--eval', `import { Node } from 'troupe'; ${body}`];
  const env = { TROUPE_HOME: zoneHome(t), TROUPE_SUPERVISED: '1', TROUPE_DRAIN_MS: String(drain) };
  return new Program(t, args, env, process.execPath, { input: true });
}

test('a program whose supervisor is gone drains and ends', async (t) => {
  const program = run(
    t,
    60_000,
    `await Node.start(async (node) => {
       await node.startWorker('slow', class {
         async handleMessage(context, message) {
           await new Promise((resolve) => setTimeout(resolve, 10));
           console.log('handled', message);
         }
         shutdown() { console.log('shutdown'); }
       });
       for (const message of 'abc') await node.send('slow', message);
       console.log('up');
     }, { zone: false });`,
  );
  await program.until(({ stdout }) => stdout.includes('up'));
  program.closeInput();
  t.deepEqual(await program.output(t), ['up', 'handled a', 'handled b', 'handled c', 'shutdown']);
});

test('a program whose supervisor is gone and whose JavaScript is stuck in a loop is ended', async (t) => {
  const program = run(t, 0, `await Node.start(() => { process.stdout.write('stuck'); for (;;); }, { zone: false });`);
  await program.until(({ stdout }) => stdout.includes('stuck'));
  program.closeInput();
  t.deepEqual(await program.ended, { code: null, signal: 'SIGKILL' });
});

test('a program that is done ends while its supervisor lives', async (t) => {
  const program = run(t, 60_000, `console.log('done');`);
  t.deepEqual(await program.output(t), ['done']);
});

test('threads and processes that a supervised program starts have nothing of its supervisor', async (t) => {
  const program = run(
    t,
    60_000,
    `import { execFileSync } from 'node:child_process';
     import { readFileSync } from 'node:fs';
     import { Worker } from 'node:worker_threads';
     console.log('own', readFileSync(0, 'utf8') === '');
     const child = "console.log('child', process.env.TROUPE_DRAIN_MS, require('fs').readFileSync(0, 'utf8') === '')";
     const args = ['--import', ${JSON.stringify(PRELOAD)}, '--eval', child];
     process.stdout.write(execFileSync(process.execPath, args, { stdio: ['inherit', 'pipe', 'inherit'] }));
     const thread = new Worker("console.log('thread', process.env.TROUPE_DRAIN_MS)", { eval: true });
     await new Promise((resolve) => thread.once('exit', resolve));
     await Node.start(() => console.log('up'), { zone: false });`,
  );
  await program.until(({ stdout }) => stdout.includes('up'));
  program.closeInput();
  t.deepEqual(await program.output(t), ['own true', 'child undefined true', 'thread undefined', 'up']);
});
