/** A zone of processes for one test: runners that are up, and the program that is run beside them. */
import type { ExecutionContext } from 'ava';
import { fileURLToPath } from 'node:url';
import { nodeBinaries, Program, zoneHome, type NodeBinary } from './program.ts';

/** The program that {@link TestZone.runner} starts. */
export const RUNNER = fileURLToPath(new URL('../fixtures/nodes/runner.ts', import.meta.url));

/** Where a test's programs find each other, and nobody else. */
export interface TestZone {
  /** The folder of its files. */
  readonly home: string;
  /** Starts a program in the zone. */
  start(file: string, env?: Record<string, string>): Program;
  /** Starts a node that others can start workers on; resolves when it is up. */
  runner(name: string, env?: Record<string, string>): Promise<Program>;
  /** Starts as many copies of a program, and resolves when each has logged a record that matches. */
  startUntil(file: string, copies: number, logged: RegExp): Promise<Program[]>;
}

/** A zone of its own, run by the given Node. */
export function testZone(t: ExecutionContext, node: NodeBinary = nodeBinaries()[0] as NodeBinary): TestZone {
  const home = zoneHome(t);
  const common = { TROUPE_HOME: home, TROUPE_LOG_FORMAT: 'json' };
  const start = (file: string, env: Record<string, string> = {}) =>
    new Program(t, [...node.args, file], { ...common, ...env }, node.path);
  return {
    home,
    start,
    async runner(name, env) {
      // One process, that gets each signal once.
      const args = node.args.length === 0 ? [RUNNER] : ['--import', import.meta.resolve('tsx'), RUNNER];
      const program = new Program(t, args, { ...common, TROUPE_NODE: name, ...env }, node.path);
      await program.until(({ stdout }) => stdout.includes('is up'));
      return program;
    },
    async startUntil(file, copies, logged) {
      const programs = Array.from({ length: copies }, () => start(file));
      await Promise.all(
        programs.map((program) => program.until(() => logMessages(program).some((m) => logged.test(m)))),
      );
      return programs;
    },
  };
}

/** What a program has logged so far: the messages, in order. Lines that are no records of the log are left out. */
export function logMessages(program: Program): string[] {
  return program.stderr.split('\n').flatMap((line) => {
    if (!line.startsWith('{"time"')) return [];
    try {
      return [(JSON.parse(line) as { message: string }).message];
    } catch {
      // The rest of the line has not come yet.
      return [];
    }
  });
}
