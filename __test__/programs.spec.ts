// The programs that the package was made for, run unchanged by every Node at hand; each prints what its header says.
import test, { type ExecutionContext } from 'ava';
import { fileURLToPath } from 'node:url';
import { headerLines, nodeBinaries, type Program } from './support/program.ts';
import { logMessages, testZone } from './support/zone.ts';

const file = (name: string) => fileURLToPath(new URL(`programs/${name}`, import.meta.url));
const RUNNER = file('images/runner/main.ts');

/** Interrupts a program that stays up; it must end well. */
async function interrupt(t: ExecutionContext, ...programs: Program[]) {
  for (const program of programs) program.signal('SIGINT');
  for (const program of programs) await program.output(t);
}

for (const node of nodeBinaries()) {
  const by = `on Node ${node.version}`;

  // One at a time: some of them are about time, and the machine may be small.
  test.serial(`01-greeter.ts greets, stays up until it is interrupted, and ends with status 0 ${by}`, async (t) => {
    const program = testZone(t, node).start(file('01-greeter.ts'));
    await program.until(({ stdout }) => stdout.includes('\n'));
    await interrupt(t, program);
    t.is(program.stdout, 'Hello, Alice!\n');
  });

  for (const name of ['02-counter.ts', '03-timeout.ts', '04-main-is-a-worker.ts', '09-team.ts']) {
    test.serial(`${name} prints what its header says ${by}`, async (t) => {
      const lines = await testZone(t, node).start(file(name)).output(t);
      t.deepEqual(lines, headerLines(file(name)));
    });
  }

  for (const name of ['05-discovery.ts', '06-remote.ts', '07-distributed.ts']) {
    test.serial(`${name} prints what its header says with two runners up ${by}`, async (t) => {
      const zone = testZone(t, node);
      const runners = await zone.startUntil(RUNNER, 2, /^Runner is ready/);
      t.deepEqual(await zone.start(file(name)).output(t), headerLines(file(name)));
      await interrupt(t, ...runners);
    });
  }

  test.serial(`08-monitor.ts lists every worker of every node ${by}`, async (t) => {
    const zone = testZone(t, node);
    const runners = await zone.startUntil(RUNNER, 2, /^Runner is ready/);
    const text = (await zone.start(file('08-monitor.ts')).output(t)).join('\n');
    const blocks = text.split(/\n(?=Node )/).map((block) => {
      const [head = '', ...workers] = block.split('\n');
      return [head.replace(/-[0-9a-f]{4}:/, ':'), ...workers.sort()];
    });
    const runner = ['Node runner: 2 workers', '  - greeter', '  - main'];
    t.deepEqual(blocks, [['Node 08-monitor: 1 workers', '  - main'], runner, runner]);
    await interrupt(t, ...runners);
  });

  test.serial(`images/client and images/runner talk to each other from two processes ${by}`, async (t) => {
    const zone = testZone(t, node);
    const [runner] = (await zone.startUntil(RUNNER, 1, /^Runner is ready/)) as [Program];
    const [client] = (await zone.startUntil(file('images/client/main.ts'), 1, /^Client completed/)) as [Program];
    const messages = ['Hello from client', 'How are you?', 'This is a test message', 'Goodbye!'];

    const said = logMessages(client).filter((message) => !message.startsWith('No runner nodes found yet'));
    t.deepEqual(said.slice(0, 2), ['Client node started', 'Waiting for runner to be ready...']);
    t.regex(said[2] ?? '', /^Connected to runner: runner-[0-9a-f]{4}$/);
    t.deepEqual(said.slice(3), [
      ...messages.flatMap((message, i) => [
        `Sending message ${i + 1}: ${message}`,
        `Received reply ${i + 1}: Hello! You said: ${message}`,
      ]),
      'Client completed all messages',
    ]);
    t.deepEqual(logMessages(runner), [
      'Starting runner node...',
      'Runner is ready with greeter worker',
      ...messages.map((message) => `Greeter received: ${message}`),
    ]);
    await interrupt(t, client, runner);
  });
}
