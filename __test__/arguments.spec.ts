// Bad arguments: of every call, a rejection that names the argument and what was expected, and never anything thrown.
import test, { type ExecutionContext } from 'ava';
import { Node, Zone, type Context, type Mailbox, type Worker } from 'troupe';
import { captureLog, deadLetters, Echo, failure, outcome, testNode } from './support/node.ts';

test.before(() => {
  captureLog();
});

type Call = (...args: unknown[]) => Promise<unknown>;
interface Case {
  args: unknown[];
  /** The argument that the error must name. */
  names: string;
  is: typeof TypeError | typeof RangeError;
}

const NAME = 'a name of 1 to 128 letters';

/** Calls each way, and holds what comes back against the case. */
async function refuses(t: ExecutionContext, title: string, call: Call, cases: Case[]): Promise<void> {
  for (const { args, names, is } of cases) {
    const label = `${title}(${args.map((arg) => (typeof arg === 'string' ? arg.slice(0, 20) : typeof arg)).join(', ')})`;
    let result: Promise<unknown> | undefined;
    t.notThrows(() => (result = call(...args)), label);
    const error = await failure<Error & { code: string }>(t, result as Promise<unknown>);
    t.is(error.code, 'INVALID_ARGUMENT', `${label}: ${error.message}`);
    t.true(error instanceof is, `${label} is a ${is.name}, got ${error.name}: ${error.message}`);
    t.regex(error.message, new RegExp(`"${names.replace('.', '\\.')}"`), label);
  }
}

const type = (args: unknown[], names: string): Case => ({ args, names, is: TypeError });
const range = (args: unknown[], names: string): Case => ({ args, names, is: RangeError });

/** Every way in which a name can be wrong, as the first argument. */
const names = (...rest: unknown[]): Case[] => [
  ...[undefined, null, 5, {}, ['greeter'], Symbol('x')].map((bad) => type([bad, ...rest], 'name')),
  ...['', 'a b', 'a/b', 'é', 'a'.repeat(129), 'a\n', '\0'].map((bad) => range([bad, ...rest], 'name')),
];
/** The same for an address. */
const addresses = (...rest: unknown[]): Case[] => [
  ...[undefined, null, 5, {}].map((bad) => type([bad, ...rest], 'to')),
  ...['', '/', 'a/', '/a', 'a/b/c', 'a b', 'a/b c', 'x'.repeat(129), `n/${'x'.repeat(129)}`].map((bad) =>
    range([bad, ...rest], 'to'),
  ),
];
const messages = (...before: unknown[]): Case[] =>
  [undefined, null, 5, {}, Buffer.from('x'), ['x'], new String('x')].map((bad) => type([...before, bad], 'message'));
const waits = (...before: unknown[]): Case[] => [
  ...[null, 5, 'options', []].map((bad) => type([...before, bad], 'options')),
  ...[-1, NaN, -Infinity, '10', '', '-1s', '1 s', '1d', 's'].map((bad) =>
    range([...before, { timeout: bad }], 'timeout'),
  ),
  ...[null, {}, true, 10n].map((bad) => type([...before, { timeout: bad }], 'timeout')),
  ...[null, {}, 'signal', new AbortController()].map((bad) => type([...before, { signal: bad }], 'signal')),
  type([...before, { timeuot: 1 }], 'timeuot'),
];
const stops = (...before: unknown[]): Case[] => [
  type([...before, null], 'options'),
  range([...before, { timeout: -1 }], 'timeout'),
  type([...before, { timeout: {} }], 'timeout'),
  type([...before, { signal: new AbortController().signal }], 'signal'),
];

test('send and sendAndReceive refuse a bad address, message or option, from a node, a context and a mailbox', async (t) => {
  const node = await testNode(t);
  const cases = [...addresses('hello'), ...messages('echo'), ...waits('echo', 'hello')];
  const before = deadLetters('no-such-worker');
  await node.startWorker('echo', Echo);
  await refuses(t, 'node.send', node.send.bind(node) as Call, cases);
  await refuses(t, 'node.sendAndReceive', node.sendAndReceive.bind(node) as Call, cases);
  await refuses(t, 'mailbox.send', node.mailbox.send.bind(node.mailbox) as Call, cases);
  class Caller {
    async handleMessage(context: Context) {
      await refuses(t, 'context.send', context.send.bind(context) as Call, cases);
      await refuses(t, 'context.sendAndReceive', context.sendAndReceive.bind(context) as Call, cases);
      await refuses(t, 'context.reply', context.reply.bind(context) as Call, messages());
      await context.reply('checked');
    }
  }
  await node.startWorker('caller', Caller);
  t.is(await node.sendAndReceive('caller', 'check'), 'checked');
  t.is(deadLetters('no-such-worker'), before, 'nothing was sent');
});

test('startWorker refuses a bad name, worker or option', async (t) => {
  const node = await testNode(t);
  const workers = [
    undefined,
    null,
    5,
    'Echo',
    () => ({}),
    { handle: 1 },
    {},
    class {},
    class {
      handleMessage = 5;
    },
    { handleMessage() {}, initialize: 1 },
    { handleMessage() {}, shutdown: 'later' },
  ];
  const cases = [
    ...names(Echo),
    ...workers.map((bad) => type(['w', bad], 'worker')),
    ...[null, 5, []].map((bad) => type(['w', Echo, bad], 'options')),
    ...[0, -1, 1.5, NaN, Infinity, 2 ** 31 + 1].map((bad) => range(['w', Echo, { mailbox: bad }], 'mailbox')),
    ...['5', null, {}].map((bad) => type(['w', Echo, { mailbox: bad }], 'mailbox')),
    range(['w', Echo, { overflow: 'drop' }], 'overflow'),
    type(['w', Echo, { overflow: 1 }], 'overflow'),
    range(['w', Echo, { onFailure: 'ignore' }], 'onFailure'),
    type(['w', Echo, { onFailure: null }], 'onFailure'),
    range(['w', Echo, { maxRestarts: -1 }], 'maxRestarts'),
    type(['w', Echo, { maxRestarts: '3' }], 'maxRestarts'),
    range(['w', Echo, { within: '1 minute' }], 'within'),
    type(['w', Echo, { within: null }], 'within'),
    type(['w', Echo, { args: 'x' }], 'args'),
    type(['w', new Echo(), { args: [] }], 'args'),
    type(['w', Echo, { mailbx: 5 }], 'mailbx'),
    type(['w', new Echo(), { onFailure: 'restart' }], 'onFailure'),
  ];
  await refuses(t, 'node.startWorker', node.startWorker.bind(node) as Call, cases);
  t.deepEqual((await node.listWorkers()).map(String), ['main'], 'nothing was started');
});

test('an instance is started once, whatever its name and its fate', async (t) => {
  const node = await testNode(t);
  const instance: Worker = new Echo();
  await node.startWorker('first', instance);
  const again = async (name: string) => {
    const error = await failure<Error & { code: string }>(t, node.startWorker(name, instance));
    t.true(error instanceof TypeError);
    t.is(error.code, 'INVALID_ARGUMENT');
    t.regex(error.message, /instance.*started before/);
  };
  await again('second');
  await node.stopWorker('first');
  await again('first');
});

test('stopWorker, listWorkers, createMailbox, receive and stop refuse bad arguments', async (t) => {
  const node = await testNode(t);
  await refuses(t, 'node.stopWorker', node.stopWorker.bind(node) as Call, [...names(), ...stops('echo')]);
  await refuses(t, 'node.stop', node.stop.bind(node) as Call, stops());
  await refuses(t, 'node.listWorkers', node.listWorkers.bind(node) as Call, [
    ...[null, 5, 'a'].map((bad) => type([bad], 'options')),
    type([{ prefix: 5 }], 'prefix'),
    type([{ limit: '5' }], 'limit'),
    range([{ limit: -1 }], 'limit'),
    range([{ limit: 1.5 }], 'limit'),
    type([{ filter: 'a' }], 'filter'),
  ]);
  await refuses(t, 'node.createMailbox', node.createMailbox.bind(node) as Call, [
    ...names(),
    type(['box', 5], 'options'),
    range(['box', { capacity: 0 }], 'capacity'),
    type(['box', { capacity: '1' }], 'capacity'),
    type(['box', { size: 1 }], 'size'),
  ]);
  const mailbox: Mailbox = node.mailbox;
  await refuses(t, 'mailbox.receive', mailbox.receive.bind(mailbox) as Call, waits());
  t.is(await outcome(node.stopWorker('nobody')), 'NO_SUCH_WORKER', 'the node is up');
});

test('Node.start and Node.create refuse bad options, and run nothing', async (t) => {
  let ran = false;
  const main = () => (ran = true);
  const options: Case[] = [
    ...[null, 5, 'zone'].map((bad) => type([bad], 'options')),
    type([{ name: 5 }], 'name'),
    range([{ name: '' }], 'name'),
    range([{ name: 'x'.repeat(129) }], 'name'),
    type([{ zone: true }], 'zone'),
    range([{ zone: 'a b' }], 'zone'),
    type([{ listen: 4000 }], 'listen'),
    ...['4000', 'localhost', 'a:b', ':1', '127.0.0.1:65536'].map((bad) => range([{ listen: bad }], 'listen')),
    type([{ acceptCode: 'yes' }], 'acceptCode'),
    type([{ workers: [Echo] }], 'workers'),
    type([{ workers: new Map([['Echo', Echo]]) }], 'workers'),
    type([{ workers: { Echo: 5 } }], 'workers.Echo'),
    type([{ naem: 'x' }], 'naem'),
  ];
  await refuses(t, 'Node.create', Node.create.bind(Node) as Call, [
    ...options,
    type([{ waitUntilInterrupted: false }], 'waitUntilInterrupted'),
  ]);
  const start = Node.start.bind(Node) as Call;
  await refuses(t, 'Node.start', start, [
    ...[undefined, null, 5, {}].map((bad) => type([bad], 'main')),
    ...options.map((bad) => ({ ...bad, args: [main, ...bad.args] })),
    type([main, { waitUntilInterrupted: 'no' }], 'waitUntilInterrupted'),
  ]);
  t.false(ran);
});

test('Zone refuses what is no node, and bad options', async (t) => {
  const node = await testNode(t);
  const first = (watch: AsyncIterable<unknown>) => watch[Symbol.asyncIterator]().next();
  const watch = ((...args: [Node]) => first(Zone.watch(...args))) as unknown as Call;
  const nodes = Zone.nodes.bind(Zone) as unknown as Call;
  const bad: Case[] = [undefined, null, 5, {}, 'runner'].map((value) => type([value], 'node'));
  const options: Case[] = [
    type([node, 5], 'options'),
    type([node, { filter: 5 }], 'filter'),
    type([node, { signal: {} }], 'signal'),
    type([node, { prefix: 'a' }], 'prefix'),
  ];
  await refuses(t, 'Zone.watch', watch, [...bad, ...options]);
  await refuses(t, 'Zone.nodes', nodes, [
    ...bad,
    ...options,
    range([node, { atLeast: -1 }], 'atLeast'),
    range([node, { timeout: 'soon' }], 'timeout'),
  ]);
  const one = Zone.node.bind(Zone) as unknown as Call;
  await refuses(t, 'Zone.node', one, [
    ...bad.map(({ args }) => type([...args, 'runner'], 'node')),
    type([node, 5], 'name'),
    range([node, 'a b'], 'name'),
  ]);
});

test('what was expected is said, and a message is never shown', async (t) => {
  const node = await testNode(t);
  const message = async (call: Promise<unknown>) => (await failure(t, call)).message;
  t.regex(await message(node.startWorker('a b', Echo)), new RegExp(`"name" must be ${NAME}.*got "a b"`));
  t.regex(
    await message(node.send('echo', { secret: 'pass-word' } as never)),
    /"message" must be a string.*got an object/,
  );
  t.notRegex(await message(node.send('echo', ['pass-word'] as never)), /pass-word/);
  t.regex(await message(node.send('echo', 'x', { timeout: '5 parsecs' as never })), /"250ms", "10s", "5m" or "1h"/);
  t.regex(await message(node.startWorker('w', Echo, { overflow: 'drop' as never })), /"wait" or "reject"/);
});
