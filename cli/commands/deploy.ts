/** `troupe zone deploy`: makes the zone on this machine what troupe.yaml says. */
import { realpathSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Node } from '#lib/node';
import { FILE, readConfig } from '../config/read.ts';
import { CommandFailure, EXIT } from '../failure.ts';
import { checkInstalled, isServed, planOf, type Plan } from '../plan/plan.ts';
import { list } from '../table.ts';
import { BEWARE, DONE, note, withProgress, type Style } from '../terminal.ts';
import { version } from '../version.ts';
import { httpOf, isKnown, withObserver } from '../zone/observer.ts';
import type { Change, ContainerStatus, ZoneStatus } from '../zone/reports.ts';
import { ensureSupervisor, isSupervised, supervise, whenFree } from '../zone/supervisor.ts';
import type { WhichZone, ZoneOption } from '../zone/which.ts';

interface Options extends ZoneOption {
  dryRun?: boolean;
  json?: boolean;
}

/** Beyond the drain time: the end of a process that was killed, the start of the next. Milliseconds a container. */
const REPLACEMENT = 15_000;
/** What a program may take until its node is in the zone; after that nobody waits for it any longer. Milliseconds. */
const COMING_UP = 30_000;
/** After so long without a node its supervisor calls it running. Milliseconds. */
const RUNNING = 10_000;
/** What a program may take from there until its node is served; that follows at once. Milliseconds. */
const SERVED = 5_000;
/** How often the supervisor is asked how its containers are. Milliseconds. */
const BEAT = 200;
/** How often it is asked meanwhile what it is doing. Milliseconds. */
const WATCH = 500;

const SUPERVISED = new URL('../../supervised.js', import.meta.url).href;

/** Prints what changes; with `dryRun` it changes nothing. Fails when a container does not come up. */
export async function deploy(options: Options): Promise<void> {
  const project = realpathSync('.');
  const config = readConfig(FILE, project);
  checkInstalled(project);
  const zone = options.zone ?? config.name;
  const node = { path: process.execPath, version: process.versions.node };
  const setting = { project, version: version(), supervised: SUPERVISED, node, env: process.env };
  const plan = planOf({ ...config, name: zone }, setting);
  const which = { zone, from: options.zone === undefined ? `named by ${FILE}` : 'named by --zone' };

  if (options.dryRun === true && !isKnown(zone)) return show(allNew(plan), options, zone);
  await withObserver(zone, async (observer) => {
    await checkProject(observer, which, plan);
    if (options.dryRun === true) return show(await dryRun(observer, which, plan), options, zone);
    let changes: readonly Change[] | undefined;
    while (changes === undefined) {
      await withProgress(
        () => `starting the supervisor of zone ${zone}`,
        () => ensureSupervisor(observer, which, process.env),
      );
      // None: somebody has deleted the zone meanwhile, and it is brought up anew.
      changes = await apply(observer, which, plan);
    }
    show(changes, options, zone);
    await comeUp(observer, which, plan);
  });
}

function allNew(plan: Plan): readonly Change[] {
  return plan.containers.map(({ node }) => ({ node, what: 'start', why: 'the zone is not up' }));
}

async function dryRun(observer: Node, which: WhichZone, plan: Plan): Promise<readonly Change[]> {
  if (isSupervised(observer)) return (await supervise<{ changes: Change[] }>(observer, which, { plan })).changes;
  return allNew(plan);
}

/** Fails where the zone runs another project: a deploy would stop all of that. */
async function checkProject(observer: Node, which: WhichZone, { project, zone }: Plan): Promise<void> {
  if (!isSupervised(observer)) return;
  const running = await supervise<ZoneStatus>(observer, which, { status: {} });
  if (running.containers.length === 0 || running.project === project) return;
  throw new CommandFailure(
    `zone "${zone}" runs the project in ${running.project}; deployed from ${project} it would stop all of that.\n` +
      `Give this zone another "name" in ${FILE}, or take the other one down first: troupe zone delete --zone ${zone}`,
  );
}

/** Resolves with what was done; undefined when the supervisor has ended instead. */
async function apply(observer: Node, which: WhichZone, plan: Plan): Promise<readonly Change[] | undefined> {
  const timeout = (plan.drainMs + REPLACEMENT) * (plan.containers.length + 1);
  let doing = '';
  const look = async () => {
    const { containers } = await supervise<ZoneStatus>(observer, which, { status: {} });
    const busy = containers.filter(({ state }) => state !== 'up' && state !== 'ended');
    doing = busy.map(({ node, state }) => `${node} ${state}`).join(', ');
  };
  // What it does meanwhile is told on a terminal; if that can't be known, the deploy itself is none the worse.
  const watching = process.stderr.isTTY === true ? setInterval(() => void look().catch(() => {}), WATCH) : undefined;
  try {
    const done = await withProgress(
      () => `deploying ${plan.containers.length} containers to zone ${which.zone}${doing === '' ? '' : `: ${doing}`}`,
      () => whenFree<{ changes: readonly Change[] }>(observer, which, { apply: plan }, timeout),
    );
    return done?.changes;
  } finally {
    clearInterval(watching);
  }
}

const SIGNS: Readonly<Record<Change['what'], readonly [string, Style]>> = {
  start: ['+', 'green'],
  replace: ['~', 'yellow'],
  stop: ['-', 'red'],
  keep: ['=', 'gray'],
};

function show(changes: readonly Change[], options: Options, zone: string): void {
  list(
    changes,
    [
      { title: '', of: ({ what }) => SIGNS[what][0], style: ({ what }) => SIGNS[what][1] },
      { title: 'NODE', of: ({ node }) => node, isElastic: true },
      { title: 'CHANGE', of: ({ what }) => what, style: ({ what }) => SIGNS[what][1] },
      { title: 'WHY', of: ({ why }) => why, isElastic: true },
    ],
    options,
    `zone "${zone}" has no containers`,
  );
  if (options.dryRun === true) note('Nothing was changed: --dry-run.');
}

/** Waits until every container is up, has died, or has had its time; fails, with the reasons, when some did not come up. */
async function comeUp(observer: Node, which: WhichZone, plan: Plan): Promise<void> {
  let containers: readonly ContainerStatus[] = [];
  // One that a deploy before has waited for is not waited for again.
  const isComing = ({ state, since }: ContainerStatus) =>
    state === 'starting' || (state === 'running' && Date.now() - since < COMING_UP - RUNNING);
  const starting = () => containers.filter(isComing);
  const look = async () => {
    containers = (await supervise<ZoneStatus>(observer, which, { status: {} })).containers;
  };
  const until = performance.now() + COMING_UP;
  await withProgress(
    () =>
      `waiting for ${
        starting()
          .map(({ node }) => node)
          .join(', ') || 'the containers'
      }`,
    async () => {
      for (;;) {
        await look();
        if (starting().length === 0 || performance.now() > until) return;
        await sleep(BEAT);
      }
    },
  );
  const addresses = await servedAt(observer, plan, look, () => containers);
  const up = containers.filter(({ state }) => state === 'up');
  // One that has ended with status 0, and was no node, has done what it was for.
  const done = containers.filter(({ state }) => state === 'ended');
  const failed = containers.filter(({ state }) => state !== 'up' && state !== 'ended');
  if (failed.length > 0) {
    const lines = failed.map((container) => `  ${container.node}: ${howItIs(container)}`);
    throw new CommandFailure(
      `${failed.length} of ${containers.length} containers of zone "${which.zone}" are not up:\n${lines.join('\n')}\n` +
        `\`troupe zone logs --node ${failed[0]?.node}\` shows what it said. The supervisor goes on trying; \`troupe zone show\` tells how it fares.`,
      EXIT.failed,
    );
  }
  for (const [node, address] of addresses)
    if (address !== undefined) note(`${node} is served at http://${address}`);
    else
      note(
        `"${node}" is public, but its program serves nothing: Node.start does, unless it is told http: false`,
        BEWARE,
      );
  for (const { node, lastExit } of done) note(`${node} is done: ${lastExit ?? 'it has ended'}`);
  note(
    `zone "${which.zone}" is up: ${up.length} containers. \`troupe zone inlet --to logs\` shows their lines in a browser.`,
    DONE,
  );
}

/** Why a container is not up. */
function howItIs({ state, lastExit, pid }: ContainerStatus): string {
  if (state === 'starting' || state === 'running')
    return pid === undefined
      ? 'it has not been started yet: a node of its name is in the zone still'
      : `its process, ${pid}, runs, and its node is not in the zone`;
  return lastExit ?? state;
}

/** Where the nodes that are to be served are, which is a moment after they are in the zone; undefined for one that serves nothing. */
async function servedAt(
  observer: Node,
  plan: Plan,
  look: () => Promise<void>,
  containers: () => readonly ContainerStatus[],
): Promise<ReadonlyMap<string, string | undefined>> {
  const addresses = new Map<string, string | undefined>();
  const wanted = new Set(plan.containers.filter(isServed).map(({ node }) => node));
  const until = performance.now() + SERVED;
  while (wanted.size > 0) {
    const up = new Set(containers().flatMap(({ node, state }) => (state === 'up' && wanted.has(node) ? [node] : [])));
    addresses.clear();
    for (const [node, address] of await httpOf(observer, up)) addresses.set(node, address);
    if ([...up].every((node) => addresses.get(node) !== undefined) || performance.now() > until) break;
    await sleep(BEAT);
    // One that can't listen there ends.
    await look();
  }
  return addresses;
}
