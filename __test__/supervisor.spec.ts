// A zone that a supervisor keeps up: its nodes are programs of Node, and nothing of it is left when it is gone.
import test from 'ava';
import { setImmediate } from 'node:timers/promises';
import { Zone } from 'troupe';
import { lives } from './support/program.ts';
import { supervised, type Line } from './support/supervisor.ts';

/** A node that says when its worker is there, and when that has been drained. */
const RUNNER = `
  class Greeter {
    handleMessage(context, message) { return context.reply('Hello, ' + message); }
    shutdown() { console.log('drained'); }
  }
  await Node.start(async (node) => {
    await node.startWorker('greeter', Greeter);
    console.log('ready');
  });`;

/** A node whose JavaScript never comes back. */
const STUCK = `await Node.start(() => { setTimeout(() => { process.stdout.write('stuck\\n'); for (;;); }, 0); });`;

const gone = async (pid: number) => {
  while (lives(pid)) await setImmediate();
};

test.serial(
  'the nodes of a plan are in the zone when it has been applied, and drained when it is deleted',
  async (t) => {
    const zone = await supervised(t);
    t.deepEqual(await zone.apply({ one: RUNNER, two: RUNNER }), ['start one', 'start two']);
    t.deepEqual(
      (await Zone.nodes(zone.observer)).map(({ name }) => name),
      ['one', 'two'],
    );
    await zone.linesUntil(({ node, message }) => node === 'two' && message === 'ready');
    t.is(await zone.observer.sendAndReceive('two/greeter', 'Ada'), 'Hello, Ada');
    const pids = await Promise.all(['one', 'two'].map(async (node) => (await zone.status(node)).pid ?? 0));
    t.true(pids.every(lives));
    t.is(await zone.delete(), 2);
    t.false(pids.some(lives));
    t.deepEqual(await zone.supervisor.ended, { code: 0, signal: null });
  },
);

test.serial('a deployment replaces the node that changes and leaves the other one its process', async (t) => {
  const zone = await supervised(t);
  await zone.apply({ one: RUNNER, two: RUNNER });
  for (const name of ['one', 'two']) await zone.linesUntil(({ node, message }) => node === name && message === 'ready');
  const [one, two] = [await zone.status('one'), await zone.status('two')];
  const changed = `const version = 2;${RUNNER}`;
  t.deepEqual(await zone.apply({ one: RUNNER, two: changed }), ['keep one', 'replace two']);
  t.deepEqual(await zone.status('one'), one);
  const replaced = await zone.status('two');
  t.is(replaced.state, 'up');
  t.not(replaced.pid, two.pid);
  const lines = await zone.linesUntil(({ node, message }) => node === 'two' && message === 'drained');
  t.is(lines.filter(({ message }) => message === 'drained').length, 1);
  await zone.delete();
});

test.serial('a node that is killed comes back, and the reason is kept', async (t) => {
  const zone = await supervised(t);
  await zone.apply({ one: RUNNER });
  const { pid } = await zone.status('one');
  process.kill(pid ?? 0, 'SIGKILL');
  const isEnd = ({ message }: Line) =>
    /it was ended by SIGKILL, .* after its start; it is started again in/.test(message);
  const end = (await zone.linesUntil(isEnd)).find(isEnd)?.seq ?? 0;
  await zone.linesUntil(({ message, seq = 0 }) => message === 'ready' && seq > end);
  const back = await zone.untilState('one', 'up');
  t.is(back.restarts, 1);
  t.not(back.pid, pid);
  t.regex(back.lastExit ?? '', /^was ended by SIGKILL, .* after its start$/);
  t.is(await zone.observer.sendAndReceive('one/greeter', 'Bob'), 'Hello, Bob');
  await zone.delete();
});

test.serial(
  'when the supervisor is killed its nodes end by themselves, also one whose JavaScript is stuck',
  async (t) => {
    const zone = await supervised(t);
    await zone.apply({ one: RUNNER, stuck: STUCK }, 0);
    const pids = await Promise.all(['one', 'stuck'].map(async (node) => (await zone.status(node)).pid ?? 0));
    t.true(pids.every(lives));
    await zone.linesUntil(({ message }) => message === 'stuck');
    zone.supervisor.signal('SIGKILL');
    await Promise.all(pids.map(gone));
    t.pass();
  },
);

test.serial('what a supervised node records and what it prints are in the history, each once', async (t) => {
  const zone = await supervised(t);
  const program = `
    import { info } from 'troupe';
    class Speaker {
      handleMessage(context, message) { info('recorded ' + message); console.log('printed ' + message); }
    }
    await Node.start(async (node) => {
      await node.startWorker('speaker', Speaker);
      console.log('ready');
    });`;
  await zone.apply({ one: program });
  await zone.linesUntil(({ message }) => message === 'ready');
  for (const message of ['a', 'b']) await zone.observer.send('one/speaker', message);
  const lines = await zone.linesUntil(({ message }) => message === 'recorded b');
  const record = lines.find(({ message }) => message === 'recorded b');
  t.like(record, { node: 'one', level: 'info', name: 'node' });
  // It is drained with this in its mailbox: nobody comes to ask for its last record.
  await zone.observer.send('one/speaker', 'last words');
  await zone.delete();
  await zone.supervisor.ended;
  const history = zone.history().filter(({ node }) => node === 'one');
  for (const words of [
    'recorded a',
    'recorded b',
    'recorded last words',
    'printed a',
    'printed b',
    'printed last words',
  ]) {
    const found = history.filter(({ message }) => message.includes(words));
    t.is(found.length, 1, `${words}: ${JSON.stringify(found)}`);
  }
});

test.serial('a TROUPE_LOG that makes no sense keeps no zone down, and is told in the history', async (t) => {
  const zone = await supervised(t, undefined, { TROUPE_LOG: 'loudest' });
  await zone.linesUntil(({ level, message }) => level === 'warn' && /^TROUPE_LOG=loudest: .*left out/.test(message));
  t.is(await zone.delete(), 0);
});
