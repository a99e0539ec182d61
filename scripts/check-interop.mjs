// A node that was written in another language from docs/wire.md alone, with a Noise library of its own, in one zone with nodes of this
// package: it repeats the page's worked example, breaks each rule once, joins, asks, and answers. Its packages come from PyPI, once.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { nodeArguments } from './program.mjs';
import { Failure, isMain, main, root, run } from './shell.mjs';
import { setUp } from './setup.mjs';
import { pythonWith } from './toolbox.mjs';

const folder = join('interop', 'python');
/** On an idle machine the whole check takes some seconds. */
const patience = 120_000;

/** What the Python node prints of the answers it got. */
const asked = [
  'greeter: Hello, Python!',
  'repeater: True',
  'many: True',
  'cut: True over 10 channels or more',
  'moved: True',
  'nobody: not here',
  `failing: code 5, maybe executed True, cause '{"name":"RangeError","message":"out of order"}', stage None`,
  "slow: code 1, maybe executed True, cause '', stage 2",
  'start: started',
  'counter: 42',
  "list: [('counter', 'runner', 'Counter')]",
  'start again: code 3',
  'stop: None',
  'counter: not here',
  'ready',
];
/** What it prints behind that: while it was asked, and at its end. */
const served = [
  'sleepy was told to give up “dawn”',
  'sleepy was told to give up “noon”',
  'the channel of the lie is accepted',
  'stopped',
];
/** What the TypeScript node prints of its answers. */
const answered = [
  'in the zone: python-peer',
  'by address: Hello',
  'by name: hello again',
  'large: true',
  'many: true',
  'scissors: a few channels so far',
  'cut: true',
  'scissors: 10 channels or more so far',
  'grumpy: WORKER_FAILED, ValueError: no tea today',
  'sleepy: TIMEOUT running',
  'left: TimeoutError',
  'nobody: NO_SUCH_WORKER',
  'betrayed: the truth',
  'list: NOT_PERMITTED, Error: node python-peer starts and stops nothing for others',
];

/** A program of the zone. */
class Program {
  lines = [];
  errors = '';
  #waiting = [];

  constructor(command, args, home) {
    this.name = args.at(-1);
    this.child = spawn(command, args, {
      cwd: root,
      env: { ...process.env, TROUPE_HOME: home, TROUPE_ZONE: '', TROUPE_NODE: '' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    createInterface({ input: this.child.stdout }).on('line', (line) => {
      this.lines.push(line);
      for (const { wanted, resolve } of this.#waiting) if (line === wanted) resolve();
    });
    this.child.stderr.setEncoding('utf8').on('data', (text) => (this.errors += text));
    this.ended = new Promise((resolve) => {
      this.child.once('error', (error) => resolve(error.message));
      this.child.once('close', (status, signal) => resolve(status ?? signal));
    });
  }

  /** Waits for a line of its output; fails when it ends before. */
  async until(wanted) {
    if (this.lines.includes(wanted)) return;
    const printed = new Promise((resolve) => this.#waiting.push({ wanted, resolve }));
    const early = await Promise.race([printed, this.ended.then((status) => ({ status }))]);
    if (early) throw new Failure(`${this.name} ended (${early.status}) before “${wanted}”:\n${this.#output}`);
  }

  /** Ends it, or waits for its end, and compares all that it printed. */
  async finish(expected, signal) {
    if (signal) this.child.kill(signal);
    const status = await this.ended;
    if (status !== 0) throw new Failure(`${this.name} ended with ${status}:\n${this.#output}`);
    if (this.lines.join('\n') === expected.join('\n')) return;
    throw new Failure(
      `${this.name} printed\n${this.lines.join('\n')}\ninstead of\n${expected.join('\n')}\n${this.errors}`,
    );
  }

  get #output() {
    return `${this.lines.join('\n')}\n${this.errors}`;
  }
}

/** Runs the whole check; resolves with what was done. */
export async function checkInterop() {
  const python = await pythonWith('interop', join(folder, 'requirements.txt'));
  await run(python, ['-B', join(folder, 'example.py'), join('docs', 'wire.md')], { quiet: true });
  const home = mkdtempSync(join(tmpdir(), 'troupe-interop-'));
  const programs = [];
  const start = (command, args) => {
    const program = new Program(command, args, home);
    programs.push(program);
    return program;
  };
  const node = (file) => start(process.execPath, [...nodeArguments, join('interop', file)]);
  const killAll = () => programs.forEach(({ child }) => child.kill('SIGKILL'));
  const late = setTimeout(killAll, patience);
  try {
    const runner = node('runner.ts');
    await runner.until('up');
    const rules = start(python, ['-B', join(folder, 'violations.py')]);
    const status = await rules.ended;
    if (status !== 0)
      throw new Failure(`${rules.name} ended with ${status}:\n${rules.lines.join('\n')}\n${rules.errors}`);
    const peer = start(python, ['-B', join(folder, 'peer.py')]);
    await peer.until('ready');
    await node('asker.ts').finish(answered);
    await peer.finish([...asked, ...served], 'SIGTERM');
    await runner.finish(['up'], 'SIGTERM');
  } finally {
    clearTimeout(late);
    killAll();
    await Promise.all(programs.map(({ ended }) => ended));
    rmSync(home, { recursive: true, force: true });
  }
  return 'a node in Python repeats the worked example, breaks each rule of the page once, asks and answers';
}

if (isMain(import.meta.url)) {
  await main(async () => {
    await setUp();
    console.log(await checkInterop());
  });
}
