// A program that is one node: how it ends, by itself, by a signal, by a failure, and by process.exit.
import test, { type ExecutionContext } from 'ava';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Program, zoneHome } from './support/program.ts';

/** A worker that takes its time, and says what it does. */
const prelude = `import { Node } from 'troupe';
  class Slow {
    async handleMessage(context, message) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      console.log('handled', message);
      await context.reply(message);
    }
    shutdown() { console.log('shutdown'); }
  }
  const begin = async (node) => {
    await node.startWorker('slow', Slow);
    for (const message of 'abc') await node.send('slow', message);
    node.signal.addEventListener('abort', () => console.log('stopping'));
    console.log('up');
  };
`;
const drained = ['handled a', 'handled b', 'handled c', 'shutdown'];
const never = 'await new Promise(() => {})';

function run(t: ExecutionContext, body: string, env: Record<string, string> = {}): Program {
  return new Program(t, ['--input-type=module', '--eval', prelude + body], { TROUPE_HOME: zoneHome(t), ...env });
}

/** What it printed, in an order that does not depend on which of two ends comes first. */
const lines = (program: Program) => program.stdout.split('\n').slice(0, -1);

test('with waitUntilInterrupted: false the node drains when main has returned, and start resolves with what it returned', async (t) => {
  const program = run(
    t,
    `const result = await Node.start(async (node) => { await begin(node); return 'result'; },
       { zone: false, waitUntilInterrupted: false });
     console.log('behind', result);`,
  );
  t.deepEqual(await program.output(t), ['up', 'stopping', ...drained, 'behind result']);
});

test('a main that throws drains its node, and the process ends with status 1 and the failure', async (t) => {
  const bodies = [
    `await Node.start(async (node) => { await begin(node); throw new Error('main failed'); }, { zone: false });
     console.log('behind');`,
    // Nobody awaits it.
    `void Node.start(async (node) => { await begin(node); throw new Error('main failed'); }, { zone: false });`,
  ];
  for (const body of bodies) {
    const program = run(t, body);
    t.deepEqual(await program.ended, { code: 1, signal: null });
    t.deepEqual(lines(program), ['up', 'stopping', ...drained]);
    t.regex(program.stderr, /Error: main failed/);
  }
});

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  test(`${signal} drains the node, start resolves with undefined, the code behind it runs, and the status is 0`, async (t) => {
    const program = run(
      t,
      `const result = await Node.start(async (node) => { await begin(node); return 'result'; }, { zone: false });
       console.log('behind', result);`,
    );
    await program.until(({ stdout }) => stdout.includes('up'));
    program.signal(signal);
    t.deepEqual((await program.output(t)).sort(), ['up', 'stopping', ...drained, 'behind undefined'].sort());
    t.is(lines(program).at(-1), 'behind undefined');
  });

  test(`${signal} while main still runs does the same`, async (t) => {
    const program = run(
      t,
      `const result = await Node.start(async (node) => { await begin(node); ${never}; }, { zone: false });
       console.log('behind', result);`,
    );
    await program.until(({ stdout }) => stdout.includes('up'));
    program.signal(signal);
    t.deepEqual((await program.output(t)).sort(), ['up', 'stopping', ...drained, 'behind undefined'].sort());
  });

  test(`a second signal, ${signal}, ends the process at once with 128 and its number`, async (t) => {
    // It says when a signal is no longer taken for the first one come twice, which a terminal and tsx cause.
    const program = run(
      t,
      `await Node.start(async (node) => {
         await node.startWorker('stuck', { handleMessage: () => new Promise(() => {}) });
         await node.send('stuck', 'x');
         node.signal.addEventListener('abort', () => setTimeout(() => console.log('still draining'), 300));
         console.log('up');
       }, { zone: false });
       console.log('behind');`,
    );
    await program.until(({ stdout }) => stdout.includes('up'));
    program.signal('SIGINT');
    await program.until(({ stdout }) => stdout.includes('still draining'));
    program.signal(signal);
    t.deepEqual(await program.ended, { code: 128 + (signal === 'SIGINT' ? 2 : 15), signal: null });
    t.deepEqual(lines(program), ['up', 'still draining']);
  });
}

test('a signal that a terminal and a parent both deliver is one', async (t) => {
  const program = run(
    t,
    `await Node.start(async (node) => { await begin(node); }, { zone: false });
     console.log('behind');`,
  );
  await program.until(({ stdout }) => stdout.includes('up'));
  program.signal('SIGINT');
  program.signal('SIGTERM');
  t.deepEqual((await program.output(t)).sort(), ['up', 'stopping', ...drained, 'behind'].sort());
});

test("a failure of main after a signal is nobody's: the status is 0", async (t) => {
  const program = run(
    t,
    `await Node.start(async (node) => {
       console.log('up');
       await new Promise((resolve) => node.signal.addEventListener('abort', resolve));
       throw node.signal.reason;
     }, { zone: false });
     console.log('behind');`,
  );
  await program.until(({ stdout }) => stdout.includes('up'));
  program.signal('SIGINT');
  t.deepEqual(await program.output(t), ['up', 'behind']);
});

test('after a signal, what still holds the event loop is ended with status 0', async (t) => {
  const program = run(
    t,
    `setInterval(() => {}, 1000);
     await Node.start((node) => { console.log('up'); }, { zone: false });
     console.log('behind');`,
  );
  await program.until(({ stdout }) => stdout.includes('up'));
  program.signal('SIGTERM');
  t.deepEqual(await program.output(t), ['up', 'behind']);
});

test('a node that is stopped by its own main ends start as well', async (t) => {
  const program = run(
    t,
    `const result = await Node.start(async (node) => { await begin(node); await node.stop(); return 'result'; }, { zone: false });
     console.log('behind');`,
  );
  t.deepEqual(await program.output(t), ['up', 'stopping', ...drained, 'behind']);
});

test('Node.create leaves signals to its program', async (t) => {
  const program = run(
    t,
    `const node = await Node.create({ zone: false });
     await begin(node);`,
  );
  await program.until(({ stdout }) => stdout.includes('up'));
  program.signal('SIGTERM');
  t.deepEqual(await program.ended, { code: null, signal: 'SIGTERM' });
  t.notRegex(program.stdout, /stopping/);
});

/** The records of live nodes that a zone's folder holds. */
function records(home: string): string[] {
  return readdirSync(join(home, 'zones', 'default', 'nodes')).filter((name) => !name.endsWith('.lock'));
}

test('process.exit runs no handler and drains nothing, and takes the record of the node away', async (t) => {
  const home = zoneHome(t);
  const program = run(
    t,
    `await Node.start(async (node) => { await begin(node); process.on('SIGUSR2', () => process.exit(3));
       console.log('joined'); ${never}; });`,
    { TROUPE_HOME: home },
  );
  await program.until(({ stdout }) => stdout.includes('joined'));
  t.is(records(home).length, 1, 'it is there while the node lives');
  program.signal('SIGUSR2');
  t.deepEqual(await program.ended, { code: 3, signal: null });
  t.deepEqual(records(home), []);
  t.notRegex(program.stdout, /stopping|shutdown/);
});

test('an exception that nobody catches ends the process as ever, and takes the record of the node away', async (t) => {
  const home = zoneHome(t);
  const program = run(
    t,
    `await Node.start(async (node) => { await begin(node);
       process.on('SIGUSR2', () => { throw new Error('not of a handler'); }); console.log('joined'); ${never}; });`,
    { TROUPE_HOME: home },
  );
  await program.until(({ stdout }) => stdout.includes('joined'));
  t.is(records(home).length, 1);
  program.signal('SIGUSR2');
  t.deepEqual(await program.ended, { code: 1, signal: null });
  t.regex(program.stderr, /not of a handler/);
  t.deepEqual(records(home), []);
});
