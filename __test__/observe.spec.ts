// What a member that observes sees of a node in another process: its log, also while its JavaScript stands still.
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import type { Node } from 'troupe';
import { ask, OBSERVE, observerSettings, openAs, openObserver } from './support/observer.ts';
import { nodeBinaries, Program, zoneHome } from './support/program.ts';

const runner = fileURLToPath(new URL('fixtures/observe/runner.ts', import.meta.url));

interface Line {
  seq: number;
  node: string;
  level: string;
  name: string;
  worker?: string;
  message: string;
  fields?: unknown;
}

interface Lines {
  next: number;
  dropped: number;
  lines: Line[];
}

/** A program that runs a node called `runner`, and an observer of its zone. */
async function observed(t: ExecutionContext, env: Record<string, string> = {}) {
  const home = zoneHome(t);
  process.env['TROUPE_HOME'] = home;
  const [binary] = nodeBinaries();
  const args = [...(binary?.args ?? []), runner];
  const program = new Program(t, args, { TROUPE_HOME: home, TROUPE_NODE: 'runner', ...env });
  await program.until(({ stdout }) => stdout.includes('up\n'));
  const observer = await openObserver();
  t.teardown(() => observer.stop({ timeout: 0 }));
  return { program, observer, tell: (message: string) => observer.sendAndReceive('runner', message) };
}

/** A member in the place of the zone's supervisor. */
const openSupervisor = () => openAs({ ...observerSettings(undefined), name: 'troupe-supervisor', role: 2 });

const pull = async (observer: Node, after: number, wait = 0) =>
  (await ask(observer, 'runner', OBSERVE, { lines: { after, wait } })) as Lines;

/** The log from its beginning until a line satisfies the condition. */
async function linesUntil(observer: Node, isLast: (line: Line) => boolean): Promise<Line[]> {
  const lines: Line[] = [];
  for (;;) {
    const answer = await pull(observer, lines.at(-1)?.seq ?? 0, 25_000);
    lines.push(...answer.lines);
    if (lines.some(isLast)) return lines;
  }
}

test.serial(
  'an observer reads the log of a node, whose lines name the worker that is known to have spoken',
  async (t) => {
    const { program, observer, tell } = await observed(t, { TROUPE_LOG_FORMAT: 'json' });
    await tell('say hello');
    await t.throwsAsync(tell('fail on purpose'));
    const lines = await linesUntil(observer, ({ level }) => level === 'error');
    const own = lines.filter(({ name }) => name === 'node' || name === 'worker');
    t.deepEqual(
      own.map(({ node, level, name, worker, message }) => [node, level, name, worker, message]),
      [
        ['runner', 'info', 'node', undefined, 'before'],
        ['runner', 'info', 'node', 'runner', 'hello'],
        ['runner', 'error', 'worker', 'runner', 'worker runner failed to handle a message'],
      ],
    );
    t.deepEqual(own[1]?.fields, { n: 1 });
    await program.until(({ stderr }) => stderr.includes('hello') && stderr.includes('failed to handle'));
  },
);

test.serial('the log of a node is read while its JavaScript is blocked', async (t) => {
  const { observer } = await observed(t);
  // It never answers: the test does not wait for it.
  observer.sendAndReceive('runner', 'block').catch(() => {});
  await linesUntil(observer, ({ message }) => message === 'blocks now');
  const again = await pull(observer, 0);
  t.is(again.lines.at(-1)?.message, 'blocks now');
});

interface State {
  state: string;
  asOf?: number;
  workersTotal: number;
  classes: { type: string; handled: number }[];
  failures: { worker: string; type: string; message: string; stack?: string }[];
  peers: { node: string; state: string; messagesIn: number }[];
  rss?: number;
}

/** The state of the runner, when it satisfies the condition. */
async function stateWhen(observer: Node, condition: (state: State) => boolean): Promise<State> {
  for (;;) {
    const state = (await ask(observer, 'runner', OBSERVE, { state: {} })) as State;
    if (condition(state)) return state;
  }
}

test.serial('an observer sees what a node counts, and why its workers failed and where', async (t) => {
  const { observer, tell } = await observed(t);
  await tell('say hello');
  await t.throwsAsync(tell('fail on purpose'));
  const handled = ({ classes }: State) => classes.find(({ type }) => type === 'Runner')?.handled === 2;
  const state = await stateWhen(observer, handled);
  t.like(state, { state: 'up', workersTotal: 2, asOf: undefined });
  t.like(state.failures[0], { worker: 'runner', type: 'Runner', message: 'on purpose' });
  t.regex(state.failures[0]?.stack ?? '', /^TypeError: on purpose\n.*runner\.ts/);
  const peer = state.peers.find(({ node }) => node === observer.name);
  t.is(peer?.state, 'connected');
  t.true((peer?.messagesIn ?? 0) >= 2);
  if (process.platform === 'linux') t.true((state.rss ?? 0) > 10_000_000, String(state.rss));
});

test.serial('a node whose JavaScript is blocked is seen as stalled, with what it told before', async (t) => {
  const { observer, tell } = await observed(t);
  await tell('say hello');
  const before = await stateWhen(observer, ({ workersTotal }) => workersTotal === 2);
  t.like(before, { state: 'up', asOf: undefined });
  tell('block').catch(() => {});
  const stalled = await stateWhen(observer, ({ state }) => state === 'stalled');
  t.is(stalled.workersTotal, 2);
  t.is(typeof stalled.asOf, 'number');
});

test.serial(
  'a supervised node prints nothing of its log but what its supervisor has not pulled in the end',
  async (t) => {
    const { program, observer, tell } = await observed(t, { TROUPE_SUPERVISED: '1', TROUPE_LOG_FORMAT: 'json' });
    const supervisor = await openSupervisor();
    t.teardown(() => supervisor.stop({ timeout: 0 }));
    await tell('say one');
    await linesUntil(supervisor, ({ message }) => message === 'one');
    await tell('say two');
    await tell('lose this');
    // An observer keeps nothing.
    await linesUntil(observer, ({ name, worker }) => name === 'dead-letter' && worker === 'runner');
    t.is(program.stderr, '');
    tell('exit three').catch(() => {});
    t.deepEqual(await program.ended, { code: 0, signal: null });
    const printed = program.stderr.split('\n').slice(0, -1);
    t.deepEqual(
      printed.map((line) => {
        const { level, name, message, fields } = JSON.parse(line) as Line;
        return [level, name, message, fields];
      }),
      [
        ['info', 'node', 'two', { n: 1 }],
        [
          'warn',
          'dead-letter',
          'a message for worker nobody from worker runner reached nobody: no such worker (1 so far)',
          undefined,
        ],
        ['error', 'node', 'three', undefined],
      ],
    );
  },
);

test.serial(
  'what a supervised process logs while its node is not open is printed, and what it left is then',
  async (t) => {
    process.env['TROUPE_HOME'] = zoneHome(t);
    const program = new Program(
      t,
      [
        ...['--input-type=module', '--eval'],
        `import { info, Node } from 'troupe';
       info('before');
       const other = await Node.create({ name: 'other' });
       info('beside');
       const node = await Node.create();
       info('within');
       const told = new Promise((resolve) => process.once('SIGTERM', resolve));
       console.log('open');
       await told;
       await node.stop();
       info('after');
       console.log('closed');
       setInterval(() => {}, 1000);`,
      ],
      {
        ...{
          TROUPE_HOME: process.env['TROUPE_HOME'],
          TROUPE_NODE: 'one',
          TROUPE_SUPERVISED: '1',
          TROUPE_LOG_FORMAT: 'json',
        },
      },
      process.execPath,
    );
    const printed = () => {
      const lines = program.stderr.split('\n').slice(0, -1);
      return lines.map((line) => JSON.parse(line) as Line).filter(({ name }) => name === 'node');
    };
    const messages = () => printed().map(({ message }) => message);
    await program.until(({ stdout }) => stdout.includes('open'));
    await program.until(() => messages().includes('beside'));
    t.deepEqual(messages(), ['before', 'beside']);
    program.signal('SIGTERM');
    await program.until(({ stdout }) => stdout.includes('closed'));
    await program.until(() => messages().includes('after'));
    t.deepEqual(messages(), ['before', 'beside', 'within', 'after'], 'each once, and while it still runs');
  },
);

test.serial('who is started by a supervised process prints its log, also with a node of its own', async (t) => {
  const { program, observer, tell } = await observed(t, { TROUPE_SUPERVISED: '1', TROUPE_LOG_FORMAT: 'json' });
  await tell('fork helper');
  await program.until(({ stderr }) => stderr.includes('of the helper'));
  t.is(program.stderr.match(/of the helper/g)?.length, 1);
  const { lines } = await pull(observer, 0);
  t.false(
    lines.some(({ message }) => message === 'of the helper'),
    'it is no line of the node',
  );
  const own = (await ask(observer, 'helper', OBSERVE, { lines: { after: 0, wait: 0 } })) as Lines;
  t.true(
    own.lines.some(({ message }) => message === 'of the helper'),
    'it is nobody’s container',
  );
});

test.serial('with a logger of its own the log of a supervised node goes there and nowhere else', async (t) => {
  const { program, observer, tell } = await observed(t, { TROUPE_SUPERVISED: '1' });
  await tell('logger');
  await tell('say to the logger');
  await tell('lose this');
  await program.until(({ stdout }) => /logger: to the logger\n.*reached nobody/s.test(stdout));
  const { lines } = await pull(observer, 0);
  t.deepEqual(
    lines.map(({ message }) => message),
    ['before'],
  );
});
