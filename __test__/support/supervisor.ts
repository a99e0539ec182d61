/** A supervisor as `troupe zone deploy` starts it, and what a test asks of it. */
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';
import type { Node } from 'troupe';
import { ask, members, OBSERVE, openObserver, SUPERVISE } from './observer.ts';
import { lives, Program, zoneHome } from './program.ts';

const ROOT = new URL('../../', import.meta.url);
const PRELOAD = fileURLToPath(new URL('dist/supervised.js', ROOT));

/** The supervisor's member in every zone. */
const NAME = 'troupe-supervisor';

/** The one that `npm run build` has left for this platform. */
function binary(): string {
  const ending = process.platform === 'linux' ? /-gnu$|-musl$/ : /$/;
  const file = readdirSync(ROOT).find(
    (name) => name.startsWith(`${NAME}.${process.platform}-${process.arch}`) && ending.test(name),
  );
  if (file === undefined) throw new Error('there is no supervisor: run `npm run build`');
  return fileURLToPath(new URL(file, ROOT));
}

/** One container, as the supervisor tells of it. */
export interface ContainerStatus {
  node: string;
  pid?: number;
  state: string;
  restarts: number;
  lastExit?: string;
}

/** A line of the history. */
export interface Line {
  /** Its number in the ring; none on disk. */
  seq?: number;
  node: string;
  level: string;
  name: string;
  message: string;
  worker?: string;
}

/** A zone with its supervisor, and an observer that asks it. */
export interface Supervised {
  readonly supervisor: Program;
  readonly observer: Node;
  /** Applies a plan of these programs, by node; resolves with the changes in short when it is done. */
  apply(programs: Record<string, string>, drainMs?: number): Promise<string[]>;
  /** How a container is. */
  status(node: string): Promise<ContainerStatus>;
  /** Resolves when a container is in that state. */
  untilState(node: string, state: string): Promise<ContainerStatus>;
  /** All lines so far, once one of them satisfies the condition. */
  linesUntil(isLast: (line: Line) => boolean): Promise<Line[]>;
  /** The files of the history, by name, the oldest first. */
  files(): string[];
  /** All lines on disk. */
  history(): Line[];
  /** Drains and stops everything; resolves with how many containers there were. */
  delete(): Promise<number>;
}

/**
 * Starts a supervisor in a zone of the test's own. Its containers are gone with the test. `prepare` gets the folder where the supervisor
 * finds what one before it has left.
 */
export async function supervised(
  t: ExecutionContext,
  prepare?: (folder: string) => void,
  env: Record<string, string> = {},
): Promise<Supervised> {
  const home = zoneHome(t);
  const left = join(home, 'supervisor', 'default');
  if (prepare !== undefined) {
    mkdirSync(left, { recursive: true, mode: 0o700 });
    prepare(left);
  }
  process.env['TROUPE_HOME'] = home;
  const observer = await openObserver();
  t.teardown(() => observer.stop({ timeout: 0 }));
  const supervisor = new Program(t, ['--zone', 'default'], { TROUPE_HOME: home, ...env }, binary());
  const isThere = () => members(observer).some(({ name, role }) => name === NAME && role === 'supervisor');
  // It prints nothing that could be waited for.
  while (!isThere()) await new Promise(setImmediate);
  const asked = async <T>(request: unknown) => (await ask(observer, NAME, SUPERVISE, request, 90_000)) as T;
  const pids = new Set<number>();
  t.teardown(() => {
    // Those of a supervisor that was killed have ended by themselves, or the test has failed.
    for (const pid of pids) if (lives(pid)) process.kill(-pid, 'SIGKILL');
  });
  const status = async (node: string) => {
    const { containers } = await asked<{ containers: ContainerStatus[] }>({ status: {} });
    for (const { pid } of containers) if (pid !== undefined) pids.add(pid);
    const found = containers.find((container) => container.node === node);
    if (found === undefined) throw new Error(`the supervisor has no container ${node}`);
    return found;
  };
  const files = () =>
    readdirSync(left)
      .filter((name) => name.startsWith('history-'))
      .sort();
  return {
    supervisor,
    observer,
    async apply(programs, drainMs = 60_000) {
      const containers = Object.entries(programs).map(([node, program]) => ({
        ...{ node, pod: node, clone: 0, container: 'main', image: node, hash: program },
        program: process.execPath,
        args: ['--import', PRELOAD, '--input-type=module', '--eval', `import { Node } from 'troupe';\n${program}`],
        env: { TROUPE_HOME: home, TROUPE_NODE: node, TROUPE_SUPERVISED: '1', PATH: process.env['PATH'] },
        cwd: fileURLToPath(ROOT),
      }));
      const plan = { zone: 'default', project: fileURLToPath(ROOT), by: { pid: process.pid }, drainMs, containers };
      const { changes } = await asked<{ changes: { node: string; what: string }[] }>({ apply: plan });
      return changes.map(({ node, what }) => `${what} ${node}`);
    },
    status,
    async untilState(node, state) {
      for (;;) {
        const found = await status(node);
        if (found.state === state) return found;
      }
    },
    async linesUntil(isLast) {
      const lines: Line[] = [];
      for (;;) {
        const after = lines.at(-1)?.seq ?? 0;
        const answer = (await ask(observer, NAME, OBSERVE, { lines: { after, wait: 20_000 } })) as { lines: Line[] };
        lines.push(...answer.lines);
        if (lines.some(isLast)) return lines;
      }
    },
    files,
    history() {
      const lines = files().flatMap((name) => readFileSync(join(left, name), 'utf8').trimEnd().split('\n'));
      return lines.map((line) => JSON.parse(line) as Line);
    },
    async delete() {
      return (await asked<{ stopped: number }>({ delete: {} })).stopped;
    },
  };
}
