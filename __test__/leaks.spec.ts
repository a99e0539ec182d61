// What is stopped, answered or failed leaves nothing behind: no thread, timer, socket, file, open request, body or wait, and no memory that
// grows with use; and the process ends by itself. Each program is one of fixtures/leaks, in a process of its own.
import test, { type ExecutionContext } from 'ava';
import { fileURLToPath } from 'node:url';
import { nodeBinaries, Program, zoneHome, type NodeBinary } from './support/program.ts';

const MiB = 1 << 20;

interface Report {
  /** What there is more of than before, as `[before, after]`. */
  left: Record<string, [number, number]>;
  /** Bytes. */
  grown: { heap: number; process: number };
  threads?: number;
  counts?: Record<string, number>;
}

/** Runs a program to its end, which it has to find by itself, and gives what it reports. */
async function report(t: ExecutionContext, name: string, node: NodeBinary): Promise<Report> {
  const file = fileURLToPath(new URL(`fixtures/leaks/${name}.mjs`, import.meta.url));
  // Thousands of failures are meant here.
  const env = { TROUPE_HOME: zoneHome(t), TROUPE_LOG: 'off' };
  const program = new Program(t, ['--expose-gc', file], env, node.path);
  const [line = ''] = await program.output(t);
  t.is(program.stderr, '');
  return JSON.parse(line) as Report;
}

/**
 * Nothing is left, and memory did not grow by more than so many MiB. A heap breathes by some 100 KiB; the process's own by what the
 * allocator keeps at hand, some MiB a thread.
 */
function nothingIsLeft(t: ExecutionContext, { left, grown }: Report, heap: number, ofProcess: number): void {
  t.deepEqual(left, {});
  t.true(grown.heap < heap * MiB, `the heap grew by ${grown.heap} bytes`);
  t.true(grown.process < ofProcess * MiB, `the process grew by ${grown.process} bytes`);
}

const [own] = nodeBinaries() as [NodeBinary, ...NodeBinary[]];

test.serial('a hundred nodes up and down, half of them in a zone, leave nothing behind', async (t) => {
  nothingIsLeft(t, await report(t, 'nodes', own), 1, 32);
});

test.serial(
  'two thousand workers started, asked and stopped, half of them on another node, leave nothing behind',
  async (t) => {
    nothingIsLeft(t, await report(t, 'workers', own), 1, 32);
  },
);

test.serial(
  'ten thousand requests that fail in every way, here and on another node, leave nothing behind',
  async (t) => {
    const result = await report(t, 'failures', own);
    nothingIsLeft(t, result, 1, 64);
    const { counts = {} } = result;
    const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
    t.is(total, 10_000);
    const codes = [
      'AbortError',
      'INVALID_ARGUMENT',
      'MAILBOX_FULL',
      'MESSAGE_TOO_LARGE',
      'NODE_UNREACHABLE',
      'NO_SUCH_WORKER',
      'TIMEOUT',
      'WORKER_FAILED',
      'WORKER_STOPPED',
    ];
    t.deepEqual(Object.keys(counts).sort(), codes);
  },
);

for (const node of nodeBinaries()) {
  test.serial(
    `the add-on loaded, used and dropped in a hundred worker threads, however they end, never crashes on Node ${node.version}`,
    async (t) => {
      const result = await report(t, 'isolates', node);
      t.is(result.threads, 100);
      nothingIsLeft(t, result, 4, 64);
    },
  );
}
