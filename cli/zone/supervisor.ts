/** The supervisor of a zone: whether it runs, how it is started, and what it is asked. */
import { spawn, type ChildProcess } from 'node:child_process';
import { resolve as resolvePath } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Node } from '#lib/node';
import { ask, members, onMembers, SUPERVISE } from '#lib/observer';
import { supervisorProgram } from '#lib/supervisor-program';
import { CommandFailure, EXIT } from '../failure.ts';
import { isAlive, processText } from '../process.ts';
import { timeText } from '../table.ts';
import { note } from '../terminal.ts';
import type { ZoneStatus } from './reports.ts';
import type { WhichZone } from './which.ts';

/** The name of the supervisor among the members of its zone. */
export const SUPERVISOR = 'troupe-supervisor';

/** What a question may take that it answers by itself. Milliseconds. */
const PATIENCE = 10_000;
/** A small native program is there in well under a second; this is a machine that is out of breath. Milliseconds. */
const START = 30_000;

/** Whether the zone has one now. */
export function isSupervised(observer: Node): boolean {
  return members(observer).some(({ role }) => role === 'supervisor');
}

/** Asks the supervisor; fails with what to do where there is none. */
export async function supervise<T>(observer: Node, which: WhichZone, request: object, timeout = PATIENCE): Promise<T> {
  if (!isSupervised(observer)) throw unsupervised(which);
  return (await ask(observer, SUPERVISOR, SUPERVISE, request, timeout)) as T;
}

/** What is said where nobody looks after a zone. */
export function unsupervised({ zone, from }: WhichZone): CommandFailure {
  return new CommandFailure(
    `zone "${zone}" (${from}) has no supervisor: nothing is deployed there. ` +
      '`troupe zone deploy` brings it up; `troupe zone list` shows which zones there are.',
    EXIT.absent,
  );
}

/** Somebody else is at work there. */
interface Busy {
  readonly busy: { readonly pid: number; readonly since: number };
}

/** How often a supervisor that is busy is asked again. Milliseconds. */
const AGAIN = 250;

/** It stops everything, and starts nothing any more. */
interface Ending {
  readonly ending: object;
}

/**
 * Asks the supervisor for work of which it does one at a time: waits, and says for whom, while it does another's. Undefined when it ends
 * instead, as somebody deletes the zone: that has been said, and its process has ended then.
 */
export async function whenFree<T extends object>(
  observer: Node,
  which: WhichZone,
  request: object,
  timeout: number,
): Promise<T | undefined> {
  const { pid: supervisor } = await supervise<ZoneStatus>(observer, which, { status: {} });
  let told: number | undefined;
  for (;;) {
    const answer = await supervise<T | Busy | Ending>(observer, which, request, timeout);
    if ('ending' in answer) {
      note(`zone "${which.zone}" is being deleted; waiting until that is done`);
      await gone(which.zone, supervisor, timeout);
      return undefined;
    }
    if (!('busy' in answer)) return answer;
    const { pid, since } = answer.busy;
    if (pid !== told) {
      const ago = timeText(Date.now() - since);
      note(`${processText(pid)} has been deploying to zone "${which.zone}" for ${ago}; waiting until it is done`);
    }
    told = pid;
    await sleep(AGAIN);
  }
}

/** How often it is looked whether a process has ended. Milliseconds. */
const LOOK = 20;

/** Resolves when the supervisor's process has ended: nothing of the zone is left then. */
export async function gone(zone: string, pid: number, timeout: number): Promise<void> {
  const until = performance.now() + timeout;
  while (isAlive(pid)) {
    if (performance.now() > until)
      throw new CommandFailure(
        `the supervisor of zone "${zone}", process ${pid}, has not ended within ${timeText(timeout)}; ` +
          `\`troupe zone show\` tells what it waits for, kill ${pid} ends it, and kill -9 ${pid} ends it without waiting for anything`,
      );
    await sleep(LOOK);
  }
}

/** What the supervisor has of this process's environment; what its containers have is in the plan. */
const KNOWN = ['PATH', 'HOME', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR', 'XDG_DATA_HOME', 'TROUPE_HOME', 'TROUPE_LOG'];

function environment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const known = Object.fromEntries(KNOWN.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])));
  // It works in another folder, in which a relative path would lead elsewhere.
  return env['TROUPE_HOME'] ? { ...known, TROUPE_HOME: resolvePath(env['TROUPE_HOME']) } : known;
}

/** Sees to it that the zone has one that can be asked: starts it where there is none. It outlives this process. */
export async function ensureSupervisor(observer: Node, which: WhichZone, env: NodeJS.ProcessEnv): Promise<void> {
  if (!isSupervised(observer)) await start(observer, which.zone, env);
  await untilItAnswers(observer, which);
}

/** Resolves when it, or another that was faster, has joined the zone. */
async function start(observer: Node, zone: string, env: NodeJS.ProcessEnv): Promise<void> {
  const program = programOf();
  const until = performance.now() + START;
  // One that finds the name taken ends with status 0. Who has the name may be ending itself, and is not seen in the zone any more.
  while (!(await begin(program, observer, zone, env, until))) await sleep(AGAIN);
}

/** Starts one: true when one has joined, false when it has ended by itself, as another has its name. */
async function begin(
  program: string,
  observer: Node,
  zone: string,
  env: NodeJS.ProcessEnv,
  until: number,
): Promise<boolean> {
  const child = spawn(program, ['--zone', zone], {
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
    env: environment(env),
    cwd: '/',
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  const saying = () => `It said: ${said.trim() || 'nothing'}`;
  let forget = () => {};
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise<boolean>((resolve, reject) => {
      const look = () => {
        if (isSupervised(observer)) resolve(true);
      };
      forget = onMembers(observer, look);
      look();
      ended(child).then((how) => {
        // Status 0: another deploy was faster, and its supervisor is this zone's, a moment from now at the latest. Else a
        // node has the name, which one written in Rust may take.
        const namesake = members(observer).find(({ name }) => name === SUPERVISOR);
        if (how === undefined && namesake !== undefined && namesake.role !== 'supervisor')
          reject(
            new CommandFailure(
              `zone "${zone}" can have no supervisor: one of its nodes is called "${SUPERVISOR}". ${saying()}\nStop that node, or give it another name.`,
            ),
          );
        else if (how === undefined) resolve(isSupervised(observer));
        else
          reject(
            new CommandFailure(`the supervisor (${program}) ${how} before it had joined zone "${zone}". ${saying()}`),
          );
      }, reject);
      const late = () =>
        reject(
          new CommandFailure(
            `no supervisor has joined zone "${zone}" within ${START / 1000} s (${program}). ${saying()}\n` +
              `What it did is in the folder "supervisor/${zone}" beside the zones' files, in supervisor.log. Try again when the machine has less to do.`,
          ),
        );
      timer = setTimeout(late, Math.max(0, until - performance.now()));
    });
  } finally {
    clearTimeout(timer);
    forget();
    child.stderr.destroy();
    child.unref();
  }
}

/** Asks for the status until there is an answer: a member is seen a moment before it takes requests. */
async function untilItAnswers(observer: Node, which: WhichZone): Promise<void> {
  const until = performance.now() + PATIENCE;
  for (;;) {
    try {
      await supervise(observer, which, { status: {} });
      return;
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'NOT_PERMITTED' || performance.now() > until) throw error;
      await sleep(AGAIN);
    }
  }
}

/** Its path; where there is none, what was looked for. */
function programOf(): string {
  try {
    return supervisorProgram();
  } catch (error) {
    throw new CommandFailure((error as Error).message);
  }
}

/** How a process ended, undefined for well; rejects where it could not be started. */
function ended(child: ChildProcess): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    child.once('error', (error) =>
      reject(
        new CommandFailure(
          `the supervisor can't be started: ${error.message}\n` +
            'If it was installed on another machine, or is damaged: remove node_modules and install again on this one.',
        ),
      ),
    );
    child.once('close', (code, signal) => {
      if (signal !== null) resolve(`was ended by ${signal}`);
      else resolve(code === 0 ? undefined : `ended with status ${code}`);
    });
  });
}
