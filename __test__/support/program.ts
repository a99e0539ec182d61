/**
 * Runs programs as their users do, each a process of its own: by plain `node` where it strips types by itself (22.18 and later), else by
 * `tsx`. Waits for what a program prints or for its end, never for a time; nothing that was started outlives its test.
 */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import type { ExecutionContext } from 'ava';

const tsx = createRequire(import.meta.url).resolve('tsx/cli');

/** One Node binary that programs are run with. */
export interface NodeBinary {
  path: string;
  version: string;
  /** What stands before the program's file. */
  args: string[];
}

/** The Node that runs the tests, and those that TROUPE_TEST_NODES lists (paths, separated as in PATH). */
export function nodeBinaries(): NodeBinary[] {
  const others = (process.env['TROUPE_TEST_NODES'] ?? '').split(delimiter).filter((path) => path !== '');
  return [process.execPath, ...others].map((path) => {
    const version =
      path === process.execPath
        ? process.versions.node
        : execFileSync(path, ['-p', 'process.versions.node'], { encoding: 'utf8' }).trim();
    const [major = 0, minor = 0] = version.split('.').map(Number);
    return { path, version, args: major > 22 || (major === 22 && minor >= 18) ? [] : [tsx] };
  });
}

/** A folder for the zone's files of one test, gone with it. */
export function zoneHome(t: ExecutionContext): string {
  const home = mkdtempSync(join(tmpdir(), 'troupe-test-'));
  t.teardown(() => rmSync(home, { recursive: true, force: true }));
  return home;
}

/** The lines that a program's header says it prints: the indented ones of the comment it begins with. */
export function headerLines(file: string): string[] {
  const header = /^(?:\/\/.*\n)+/.exec(readFileSync(file, 'utf8'))?.[0] ?? '';
  return [...header.matchAll(/^\/\/ {3}(.*)$/gm)].map((match) => match[1] ?? '');
}

/** State and group of a process or thread, as the kernel tells; undefined when it has gone. */
function statOf(file: string): { state: string | undefined; group: string | undefined } | undefined {
  try {
    // The name of the program is in parentheses and may hold anything.
    const [state, , group] = readFileSync(file, 'latin1').split(') ').pop()?.split(' ') ?? [];
    return { state, group };
  } catch {
    return undefined;
  }
}

/** Whether a process lives. One that has ended and that nobody has waited for does not. Linux only. */
export const lives = (pid: number): boolean => !['Z', undefined].includes(statOf(`/proc/${pid}/stat`)?.state);

/** How a program ended. */
export interface End {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** Programs in groups of their own do not end with the test run by themselves, e.g. when a test timed out. */
const running = new Set<Program>();
process.on('exit', () => {
  for (const program of running) program.signal('SIGKILL');
});

/** The process that runs the program behind `tsx`; the whole group, as a negative number, where the system does not tell. */
function behindTsx(pid: number): number {
  try {
    const [child] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
    return child ? Number(child) : -pid;
  } catch {
    return -pid;
  }
}

/** A program under way. */
export class Program {
  /** All it has written to standard output. */
  stdout = '';
  /** All it has written to standard error. */
  stderr = '';
  /** Resolves when it has ended and all it wrote is here. */
  readonly ended: Promise<End>;
  readonly #process: ChildProcess;
  readonly #watchers = new Set<() => void>();
  readonly #title: string;
  readonly #isBehindTsx: boolean;

  /**
   * Starts it, in the folder `cwd` where that is given; `t` ends it at the latest. `input`: its standard input is a pipe that the test
   * holds, until {@link closeInput}.
   */
  constructor(
    t: ExecutionContext,
    args: string[],
    env: Record<string, string>,
    node = process.execPath,
    { input = false, cwd = undefined as string | undefined } = {},
  ) {
    this.#title = args.at(-1) ?? '';
    this.#isBehindTsx = args[0] === tsx;
    // Of ours only what a program needs: a variable of the developer's machine must not change what is printed.
    const inherited = Object.fromEntries(
      ['PATH', 'HOME', 'TMPDIR'].flatMap((name) =>
        process.env[name] === undefined ? [] : [[name, process.env[name]]],
      ),
    );
    // A process group of its own: `tsx` runs the program as a child, and killing must reach both.
    this.#process = spawn(node, args, {
      env: { ...inherited, ...env },
      ...(cwd === undefined ? {} : { cwd }),
      stdio: [input ? 'pipe' : 'ignore', 'pipe', 'pipe'],
      detached: true,
    });
    running.add(this);
    this.ended = new Promise((resolve, reject) => {
      this.#process.on('error', reject);
      this.#process.on('close', (code, signal) => resolve({ code, signal }));
    });
    const collect = (name: 'stdout' | 'stderr') => {
      this.#process[name]?.setEncoding('utf8').on('data', (text: string) => {
        this[name] += text;
        for (const watcher of this.#watchers) watcher();
      });
    };
    collect('stdout');
    collect('stderr');
    t.teardown(async () => {
      this.signal('SIGKILL');
      await this.ended;
      running.delete(this);
    });
  }

  /** Its process's number; undefined where it could not be started. */
  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** Resolves when what it wrote satisfies the condition; rejects when it ends before. */
  async until(condition: (program: this) => boolean): Promise<void> {
    let watcher: (() => void) | undefined;
    const satisfied = new Promise<boolean>((resolve) => {
      watcher = () => condition(this) && resolve(true);
      this.#watchers.add(watcher);
      watcher();
    });
    const inTime = await Promise.race([satisfied, this.ended.then(() => condition(this))]);
    if (watcher !== undefined) this.#watchers.delete(watcher);
    if (!inTime) throw new Error(`${this.#title} ended too early:\n${this.stdout}${this.stderr}`);
  }

  /**
   * Sends it a signal: to the program itself where the system tells which process that is, and not to the `tsx` in front of it, which kills a
   * program that does not say within 60 ms that it got it. Killing kills all of its processes.
   */
  signal(signal: NodeJS.Signals): void {
    const { pid } = this.#process;
    if (pid === undefined) return;
    try {
      const program = this.#isBehindTsx ? behindTsx(pid) : pid;
      process.kill(signal === 'SIGKILL' ? -pid : program, signal);
    } catch (error) {
      // It has ended: that is what teardown wants.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }

  /** Writes to its standard input, where the test holds that. */
  type(text: string | Buffer): void {
    this.#process.stdin?.write(text);
  }

  /** Ends its standard input. */
  closeInput(): void {
    this.#process.stdin?.end();
  }

  /** Suspends it; resolves when every thread of it stands still, for a signal is not obeyed at once. Linux only. */
  async suspend(): Promise<void> {
    this.signal('SIGSTOP');
    const states = () =>
      readdirSync('/proc')
        .filter((id) => /^\d+$/.test(id) && statOf(`/proc/${id}/stat`)?.group === String(this.#process.pid))
        .flatMap((id) =>
          readdirSync(`/proc/${id}/task`).map((thread) => statOf(`/proc/${id}/task/${thread}/stat`)?.state),
        );
    while (!states().every((state) => state === 'T')) await new Promise(setImmediate);
  }

  /** What it printed, line by line, after it ended; fails the test unless it ended by itself with status 0. */
  async output(t: ExecutionContext): Promise<string[]> {
    const end = await this.ended;
    t.deepEqual(end, { code: 0, signal: null }, `${this.#title}:\n${this.stdout}${this.stderr}`);
    return this.stdout.split('\n').slice(0, -1);
  }
}
