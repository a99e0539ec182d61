/** The processes of random programs: the test's own, and others that can be killed. They serve one program after the other. */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { nodeBinaries } from '../support/program.ts';
import { Agent, type Command, type Seen } from './agent.ts';

/** One process. */
export interface Member {
  tell(command: Command): void;
  /** Resolves when nothing of a program is left in it. */
  reset(): Promise<void>;
}

/** A process that can be killed. */
export interface Mortal extends Member {
  kill(): Promise<void>;
}

/** The test's own process. */
export function ownMember(hear: (seen: Seen) => void): Member {
  const agent = new Agent(hear);
  return { tell: (command) => agent.perform(command), reset: () => agent.reset() };
}

const FILE = fileURLToPath(new URL('member.ts', import.meta.url));

/** Processes that are up, for whoever needs one next: a program must not wait for them to start. */
export class Members {
  readonly #all = new Set<ChildProcess>();
  readonly #idle: Promise<ChildProcess>[];

  constructor(count: number) {
    this.#idle = Array.from({ length: count }, () => this.#start());
  }

  async #start(): Promise<ChildProcess> {
    // One process, that is killed with all it holds: not with `tsx` in front of it.
    const isPlain = nodeBinaries()[0]?.args.length === 0;
    const child = fork(FILE, { execArgv: isPlain ? [] : ['--import', import.meta.resolve('tsx')], silent: true });
    this.#all.add(child);
    child.once('exit', () => this.#all.delete(child));
    const [first] = (await once(child, 'message')) as [unknown];
    if (first !== 'up') throw new Error(`a member began with ${String(first)}`);
    return child;
  }

  /** One that is nobody else's. */
  async take(hear: (seen: Seen) => void): Promise<Mortal> {
    const child = await (this.#idle.shift() ?? this.#start());
    child.on('message', (seen: Seen | 'reset') => {
      if (seen !== 'reset') hear(seen);
    });
    return {
      tell: (command) => {
        if (child.connected) child.send(command);
      },
      kill: async () => {
        child.kill('SIGKILL');
        if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
        this.#idle.push(this.#start());
      },
      reset: async () => {
        if (!child.connected) return;
        const isReset = new Promise<void>((resolve) => {
          child.on('message', (message) => {
            if (message === 'reset') resolve();
          });
        });
        child.send('reset');
        await isReset;
        child.removeAllListeners('message');
        this.#idle.push(Promise.resolve(child));
      },
    };
  }

  /** Ends them all. */
  async end(): Promise<void> {
    await Promise.allSettled(this.#idle);
    for (const child of this.#all) child.kill('SIGKILL');
  }
}
