/** `troupe zone list`, `show` and `delete`: zones as a whole. */
import { readdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import { native } from '#lib/native';
import type { Node } from '#lib/node';
import { members } from '#lib/observer';
import { CommandFailure, EXIT, wordsOf } from '../failure.ts';
import { list as print, timeText } from '../table.ts';
import { BEWARE, DONE, note, withProgress, type Style } from '../terminal.ts';
import { httpOf, lookAt, withObserver } from '../zone/observer.ts';
import type { ContainerStatus, ZoneStatus } from '../zone/reports.ts';
import { gone, isSupervised, supervise, unsupervised, whenFree } from '../zone/supervisor.ts';
import { whichZone, type ZoneOption } from '../zone/which.ts';

interface Options extends ZoneOption {
  json?: boolean;
}

/** A row of `zone list`. */
interface ZoneRow {
  zone: string;
  nodes: number;
  /** The process of its supervisor. */
  supervisor?: number;
  project?: string;
}

/** Prints the zones of this machine's user that somebody is in. */
export async function list(options: { json?: boolean }): Promise<void> {
  const names = namesIn(dirname(native.zoneFolder('default')));
  const rows: ZoneRow[] = [];
  const look = async (zone: string): Promise<void> => {
    try {
      const row = await withObserver(zone, (observer) => describe(observer, zone));
      if (row.nodes > 0 || row.supervisor !== undefined) rows.push(row);
    } catch (error) {
      // One that can't be looked at hides none of the others.
      note(`zone "${zone}": ${wordsOf(error)}`, BEWARE);
      process.exitCode = EXIT.failed;
    }
  };
  for (const zone of names)
    await withProgress(
      () => `looking at zone ${zone}`,
      () => look(zone),
    );
  print(
    rows,
    [
      { title: 'ZONE', of: ({ zone }) => zone, isElastic: true },
      { title: 'NODES', of: ({ nodes }) => nodes, align: 'right' },
      { title: 'SUPERVISOR', of: ({ supervisor }) => supervisor ?? 'none', align: 'right' },
      { title: 'PROJECT', of: ({ project }) => project, isElastic: true },
    ],
    options,
    'No zone has a node now. `troupe zone deploy` brings one up.',
  );
}

/** What is in a folder, which need not be there. */
function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return [];
    throw new CommandFailure(
      `the zones of this user can't be read: ${message}; set TROUPE_HOME to a folder that this user may read and write`,
    );
  }
}

async function describe(observer: Node, zone: string): Promise<ZoneRow> {
  const nodes = members(observer).filter(({ role }) => role === 'node').length;
  if (!isSupervised(observer)) return { zone, nodes };
  const { pid, project } = await supervise<ZoneStatus>(observer, { zone, from: 'found by its folder' }, { status: {} });
  return { zone, nodes, supervisor: pid, project };
}

const STATES: Readonly<Record<ContainerStatus['state'], Style>> = {
  starting: 'cyan',
  running: 'yellow',
  up: 'green',
  'backing-off': 'yellow',
  'given-up': 'red',
  draining: 'cyan',
  ended: 'gray',
};

/** Prints the containers of a deployed zone, as its supervisor sees them. */
export async function show(options: Options): Promise<void> {
  const which = await whichZone(options);
  const status = await lookAt(which, async (observer) => {
    const asked = await supervise<ZoneStatus>(observer, which, { status: {} });
    const up = new Set(asked.containers.flatMap(({ node, state }) => (state === 'up' ? [node] : [])));
    const addresses = await httpOf(observer, up);
    return { ...asked, containers: asked.containers.map((each) => ({ ...each, http: addresses.get(each.node) })) };
  });
  const now = Date.now();
  if (options.json !== true)
    note(
      `zone ${status.zone} · project ${status.project} · supervisor ${status.pid}, for ${timeText(now - status.since)}`,
    );
  print(
    status.containers,
    [
      { title: 'NODE', of: ({ node }) => node, isElastic: true },
      { title: 'IMAGE', of: ({ image }) => image, isElastic: true, leaves: 1 },
      { title: 'STATE', of: ({ state }) => state, style: ({ state }) => STATES[state] },
      { title: 'FOR', of: ({ since }) => timeText(now - since), align: 'right', leaves: 3 },
      { title: 'PID', of: ({ pid }) => pid, align: 'right', leaves: 2 },
      { title: 'RESTARTS', of: ({ restarts }) => restarts, align: 'right', leaves: 4 },
      { title: 'HTTP', of: ({ http }) => http, leaves: 5 },
      { title: 'LAST END', of: ({ lastExit }) => lastExit, isElastic: true },
    ],
    options,
    `zone "${which.zone}" has a supervisor and no containers`,
  );
}

/** Beyond the drain time of the containers, which are stopped together. Milliseconds. */
const STOPPED = 60_000;
/** What the supervisor may take to be gone when it has said that all has stopped. Milliseconds. */
const GONE = 10_000;

/** Stops every container and the supervisor; asks first unless told not to. */
export async function remove(options: ZoneOption & { yes?: boolean }): Promise<void> {
  const which = await whichZone(options);
  const { zone } = which;
  await lookAt(which, async (observer) => {
    if (!isSupervised(observer)) throw unsupervised(which);
    const status = await supervise<ZoneStatus>(observer, which, { status: {} });
    const { containers } = status;
    if (options.yes !== true) await confirm(zone, containers.length);
    const done = await withProgress(
      () => `draining ${containers.length} containers of zone ${zone}`,
      () => whenFree<{ stopped: number }>(observer, which, { delete: {} }, STOPPED),
    );
    await gone(zone, status.pid, GONE);
    note(
      `zone "${zone}" is down: ${done?.stopped ?? containers.length} containers and the supervisor have ended`,
      DONE,
    );
  });
}

async function confirm(zone: string, containers: number): Promise<void> {
  // What is asked is written to standard error: it has to be seen as well.
  if (process.stdin.isTTY !== true || process.stderr.isTTY !== true) {
    throw new CommandFailure(
      `this would stop ${containers} containers of zone "${zone}", and there is no terminal to ask at. If that is meant: troupe zone delete --yes`,
      EXIT.usage,
    );
  }
  const answer = await answerTo(`Stop ${containers} containers of zone "${zone}" and its supervisor? [y/N] `);
  if (!/^y(es)?$/i.test(answer.trim())) throw new CommandFailure(NOTHING, EXIT.failed);
}

const NOTHING = 'nothing was stopped';

/** What a person types; empty at the end of input. Fails when that is Ctrl+C. */
function answerTo(question: string): Promise<string> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  return new Promise<string>((resolve, reject) => {
    let isAnswered = false;
    terminal.once('SIGINT', () => {
      reject(new CommandFailure(NOTHING, EXIT.interrupted));
      terminal.close();
    });
    terminal.once('close', () => {
      // The line has not been ended then.
      if (!isAnswered) process.stderr.write('\n');
      resolve('');
    });
    terminal.question(question, (answer) => {
      isAnswered = true;
      resolve(answer);
      terminal.close();
    });
  });
}
