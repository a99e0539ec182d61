/** The program `troupe` as a person runs it in the folder of a project, and all processes that come of it. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';
import { Program } from './program.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const MAIN = join(root, 'dist', 'cli', 'main.js');

/** How a command ended. */
export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A process by its number and command line. */
export interface Process {
  readonly pid: number;
  readonly command: string;
}

/** Whether this machine has the program (of util-linux) that {@link Shell.terminal} needs. */
export const hasTerminals = spawnSync('script', ['--version']).status === 0;

/** A test that timed out runs no teardown, and its process gets SIGTERM: what its shells started must not outlive that either. */
const open = new Set<Shell>();
process.once('SIGTERM', () => process.exit(143));
process.on('exit', () => {
  for (const shell of open) shell.killAll();
});

/** An empty folder with a TROUPE_HOME of its own beside it. Whatever was started from it is killed with the test, supervisors first. */
export class Shell {
  /** Where the zones' files are. */
  readonly home: string;
  /** Where commands run. */
  folder: string;
  /** The program's main file: that of this tree, unless a test has installed another. */
  main = MAIN;
  readonly #t: ExecutionContext;

  constructor(t: ExecutionContext) {
    const base = realpathSync(mkdtempSync(join(tmpdir(), 'troupe-shell-')));
    this.#t = t;
    this.home = join(base, 'home');
    this.folder = join(base, 'work');
    mkdirSync(this.folder);
    open.add(this);
    t.teardown(async () => {
      while (this.killAll() > 0) await new Promise(setImmediate);
      open.delete(this);
      rmSync(base, { recursive: true, force: true });
    });
  }

  /** Kills what is alive, supervisors first: one that is alive would start anew what is killed. Returns how many there were. */
  killAll(): number {
    const left = this.processes().sort((a, b) => rank(a) - rank(b));
    for (const { pid } of left) kill(pid);
    return left.length;
  }

  /** Starts `troupe` with these arguments. */
  start(args: string[], env: Record<string, string> = {}): Program {
    return new Program(this.#t, [this.main, ...args], { TROUPE_HOME: this.home, ...env }, process.execPath, {
      cwd: this.folder,
    });
  }

  /** Starts it on a terminal of so many columns, whose keyboard the test holds; what it shows comes as standard output. */
  terminal(columns: number, args: string[], env: Record<string, string> = {}): Program {
    const command = [process.execPath, MAIN, ...args].map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ');
    const shown = ['-qefc', `stty cols ${columns} rows 24; exec ${command}`, '/dev/null'];
    const variables = { TROUPE_HOME: this.home, TERM: 'xterm', SHELL: '/bin/sh', ...env };
    return new Program(this.#t, shown, variables, 'script', { cwd: this.folder, input: true });
  }

  /** Runs it to its end. */
  async run(...args: string[]): Promise<Ended> {
    const program = this.start(args);
    const { code } = await program.ended;
    return { code, stdout: program.stdout, stderr: program.stderr };
  }

  /** Runs it to its end; fails the test unless it ended well. */
  async ok(...args: string[]): Promise<Ended> {
    const ended = await this.run(...args);
    if (ended.code !== 0)
      throw new Error(`troupe ${args.join(' ')} ended with ${ended.code}:\n${ended.stdout}${ended.stderr}`);
    return ended;
  }

  /** What it lists with `--json`. */
  async list<T>(...args: string[]): Promise<T[]> {
    return JSON.parse((await this.ok(...args, '--json')).stdout) as T[];
  }

  /** `cd`, and what `npm install` would leave there, as links to this tree's own. */
  install(folder: string): void {
    this.folder = join(this.folder, folder);
    const modules = join(this.folder, 'node_modules');
    mkdirSync(modules);
    symlinkSync(root, join(modules, 'troupe'));
    for (const name of ['tsx', 'typescript']) symlinkSync(join(root, 'node_modules', name), join(modules, name));
  }

  /** All live processes that have its TROUPE_HOME in their environment: supervisors, containers, commands. */
  processes(): Process[] {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .flatMap((name) => {
        const environment = read(`/proc/${name}/environ`);
        if (!environment.split('\0').includes(`TROUPE_HOME=${this.home}`)) return [];
        return [{ pid: Number(name), command: read(`/proc/${name}/cmdline`).split('\0').join(' ').trim() }];
      });
  }
}

const rank = ({ command }: Process): number => (command.includes('troupe-supervisor') ? 0 : 1);

function read(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    // Gone meanwhile, or another user's.
    return '';
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
