// What a member that observes sees of a node in another process: its log, also while its JavaScript stands still.
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { Node } from 'troupe';
import { ask, OBSERVE, openObserver } from './support/observer.ts';
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
    const supervisor = await Node.create({ name: 'troupe-supervisor' });
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
