// Classes that run on nodes which never saw their files: a user's program, real nodes, in every way a program is run.
import test from 'ava';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PLAIN, WAYS } from './fixtures/ship/ways.ts';
import { headerLines, Program } from './support/program.ts';
import { userFolder } from './support/user-folder.ts';
import { testZone } from './support/zone.ts';

const EXPECTED = [
  'the main module runs as sender',
  'declared in the main module, on runner-1',
  'greetings of an exported class, on runner-1',
  'greetings of a derived one, of this Node: true, on runner-1',
  "private, [ null, true, -1.5, 1180591620717411303424n, 'text\\x00', Uint8Array(2) [ 1, 2 ], 1970-01-01T00:00:00.000Z, [], { a: undefined } ], on runner-1",
  "42 Map(1) { 'a' => Set(1) { 1n } } 1970-01-01T00:00:00.000Z, on runner-1",
  'declared in the main module, on runner-2; at the end, on runner-2',
  '6, on runner-1',
  'Error: for once',
  '6, on runner-1',
  'sender has stopped',
];

const plainNode = Boolean((process.features as { typescript?: unknown }).typescript);

for (const way of plainNode ? [...WAYS, PLAIN] : WAYS) {
  test.serial(`classes start on nodes that never saw their files, and on from there: ${way.title}`, async (t) => {
    const zone = testZone(t);
    const folder = userFolder(t, new URL('fixtures/start/', import.meta.url));
    const args = way.prepare(folder, 'main');
    const file = join(folder, args.pop() as string);
    const [one, two] = await Promise.all([zone.runner('runner-1'), zone.runner('runner-2')]);
    const program = new Program(t, [...args, file], { TROUPE_HOME: zone.home, TROUPE_NODE: 'sender' });
    t.deepEqual(await program.output(t), EXPECTED);
    // What stands before Node.start runs there as well; nothing behind it does, and no second node comes of it.
    const ran = ({ stdout }: Program) => stdout.split('\n').filter((line) => line.startsWith('the main module'));
    t.deepEqual(ran(one), ['the main module runs as runner-1']);
    t.deepEqual(ran(two), ['the main module runs as runner-2']);
    for (const runner of [one, two]) {
      t.notRegex(runner.stdout, /has stopped/);
      runner.signal('SIGINT');
      await runner.output(t);
    }
  });
}

// One at a time: some of them are about time, and the machine may be small.
for (const name of ['03-timeout.ts', '09-team.ts']) {
  test.serial(`${name} prints the same when its workers run on another node`, async (t) => {
    const zone = testZone(t);
    const folder = userFolder(t);
    const source = readFileSync(new URL(`programs/${name}`, import.meta.url), 'utf8');
    const changed = source
      .replaceAll('node.startWorker(', 'runner.startWorker(')
      .replace('import { Node,', 'import { Node, Zone,')
      .replace('(async (node) => {\n', "(async (node) => {\n  const runner = await Zone.node(node, 'runner');\n");
    t.regex(changed, /Zone\.node\(.*\n(.*\n)* +await runner\.startWorker/);
    t.notRegex(changed, /\bnode\.startWorker/);
    const file = join(folder, name);
    writeFileSync(file, changed);
    const runner = await zone.runner('runner');
    t.deepEqual(await zone.start(file).output(t), headerLines(file));
    runner.signal('SIGINT');
    await runner.output(t);
  });
}
