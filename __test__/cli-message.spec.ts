/** `troupe ask` and `troupe send`: one message from a person, and what the program says when it does not arrive. */
import test, { type ExecutionContext } from 'ava';
import { fileURLToPath } from 'node:url';
import { Handler } from './support/node.ts';
import { nodesOf } from './support/nodes.ts';
import { Program, zoneHome } from './support/program.ts';

const MAIN = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));

/** A node `here/runner` in a zone of its own, and the program beside it. */
async function setUp(t: ExecutionContext) {
  const home = zoneHome(t);
  const node = await nodesOf(t, home)('runner');
  const sent: string[] = [];
  await node.startWorker('echo', new Handler((context, message) => context.reply(`<${message}>`)));
  await node.startWorker('sink', new Handler((_, message) => void sent.push(message)));
  await node.startWorker('ill', new Handler(() => Promise.reject(new Error('out of order'))));
  const rude = '\u001b]0;mine\u0007 is \u001b[31mred';
  await node.startWorker('rude', new Handler(() => Promise.reject(new Error(rude))));
  await node.startWorker('stuck', new Handler(() => new Promise(() => {})));
  const troupe = async (...args: string[]) => {
    const program = new Program(t, [MAIN, ...args], { TROUPE_HOME: home });
    const { code } = await program.ended;
    return { code, stdout: program.stdout, stderr: program.stderr };
  };
  /** The same, with this on standard input. */
  const fed = async (input: string | Buffer, ...args: string[]) => {
    const program = new Program(t, [MAIN, ...args], { TROUPE_HOME: home }, process.execPath, { input: true });
    program.type(input);
    program.closeInput();
    const { code } = await program.ended;
    return { code, stdout: program.stdout, stderr: program.stderr };
  };
  return { node, sent, troupe, fed };
}

test.serial('ask prints the reply and nothing else, whichever way the worker is named', async (t) => {
  const { troupe } = await setUp(t);
  t.deepEqual(await troupe('ask', 'echo', 'Hi'), { code: 0, stdout: '<Hi>\n', stderr: '' });
  t.deepEqual(await troupe('ask', 'runner/echo', 'a\nb', '--timeout', '10s'), {
    code: 0,
    stdout: '<a\nb>\n',
    stderr: '',
  });
  t.deepEqual(await troupe('ask', 'echo', '--', '--zone'), { code: 0, stdout: '<--zone>\n', stderr: '' });
});

test.serial('send hands the message over before it ends', async (t) => {
  const { troupe, sent } = await setUp(t);
  t.deepEqual(await troupe('send', 'sink', 'one'), { code: 0, stdout: '', stderr: 'handed over to sink\n' });
  t.deepEqual(await troupe('send', 'runner/sink', 'two'), {
    code: 0,
    stdout: '',
    stderr: 'handed over to runner/sink\n',
  });
  t.deepEqual(sent, ['one', 'two']);
});

test.serial('a message that comes by standard input is taken as it is, to its end', async (t) => {
  const { fed, sent } = await setUp(t);
  // Longer than a pipe or a command line takes, with characters of more bytes than one wherever a piece may be cut.
  const long = '\u20ac\u{1f600}x'.repeat(131_072);
  t.is(Buffer.byteLength(long), 1024 * 1024);
  const { code, stdout, stderr } = await fed(long, 'ask', 'echo', '-');
  t.deepEqual([code, stderr], [0, '']);
  t.true(stdout === `<${long}>\n`);
  for (const text of ['', 'one\n', '\ufeffmarked', '-'])
    t.deepEqual(await fed(text, 'ask', 'echo', '-'), { code: 0, stdout: `<${text}>\n`, stderr: '' });
  t.is((await fed('two lines\nof text', 'send', 'sink', '-')).code, 0);
  t.deepEqual(sent, ['two lines\nof text']);
});

test.serial('what is no text, or too long for a message, is refused and not sent', async (t) => {
  const { fed, sent } = await setUp(t);
  const binary = await fed(Buffer.from([0x61, 0xff, 0xfe]), 'send', 'sink', '-');
  t.is(binary.code, 2, binary.stderr);
  t.regex(binary.stderr, /^error: what came by standard input is no UTF-8.*`base64`/);
  const long = await fed(Buffer.alloc(17 * 1024 * 1024, 'x'), 'send', 'sink', '-');
  t.is(long.code, 1, long.stderr);
  t.regex(long.stderr, /at most 16777216 can be sent; split it/);
  t.deepEqual(sent, []);
});

test.serial('each failure has its status, and says what to do next', async (t) => {
  const { troupe } = await setUp(t);
  const failures = [
    [['ask', 'runner/nobody', 'x'], 3, /no worker "nobody" on node "runner".*\n.*`troupe zone workers`/],
    [
      ['ask', 'nowhere/echo', 'x'],
      3,
      /node "nowhere" can't be reached.*\nLooked for in zone "default" \(the default, as there/,
    ],
    [['send', 'nobody', 'x', '--zone', 'other'], 3, /zone "other" \(named by --zone\) is not up\./],
    [['ask', 'rude', 'x'], 1, /error: worker "rude" on node "runner" failed: ␛\]0;mine␇ is ␛\[31mred\n/],
    [['ask', 'stuck', 'x', '--timeout', '50ms'], 4, /A longer --timeout/],
    [['ask', 'sink', 'x', '--timeout', '5s'], 4, /its handler must call context\.reply\n$/],
    [['ask', 'ill', 'x'], 1, /worker "ill" on node "runner" failed: out of order\n.*--level warn -n 20/],
    [['ask', 'no name', 'x'], 2, /"worker" or "node\/worker"/],
    [['ask', 'echo', 'x', '--timeout', '5'], 2, /a number with a unit, such as "500ms"/],
    [['ask', 'echo', 'x', '--zone', 'a/b'], 2, /"a\/b", named by --zone, can't be a zone/],
    [['ask', 'echo'], 2, /missing required argument 'message'/],
  ] as const;
  for (const [args, code, words] of failures) {
    const ended = await troupe(...args);
    t.is(ended.code, code, `${args.join(' ')}: ${ended.stderr}`);
    t.is(ended.stdout, '');
    t.regex(ended.stderr, words);
  }
});
