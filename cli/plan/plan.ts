/** What a supervisor is asked to run: one entry for each container of each clone, with the whole command and environment. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { ZoneConfig } from '../config/read.ts';
import { CommandFailure, EXIT } from '../failure.ts';
import { environmentOf, ownVariables } from './environment.ts';
import { hashOf, imageFolder, mainFile } from './image.ts';
import { nodeNames } from './names.ts';

/** What a container may take to drain before it is killed. Milliseconds; as long as `node.stop()` gives its workers. */
const DRAIN = 5_000;

/** A plan, as the supervisor takes it. */
export interface Plan {
  readonly zone: string;
  /** The folder of the project. */
  readonly project: string;
  /** Who asks. */
  readonly by: { readonly pid: number };
  readonly drainMs: number;
  readonly containers: PlannedContainer[];
}

/** A process of the plan. */
export interface PlannedContainer {
  readonly node: string;
  readonly pod: string;
  readonly clone: number;
  readonly container: string;
  readonly image: string;
  readonly program: string;
  readonly args: string[];
  /** The whole of it. */
  readonly env: Record<string, string>;
  readonly cwd: string;
  /** Over all that makes it what it is: a container whose hash is another one is replaced. */
  readonly hash: string;
}

/** The machine that a plan is made for. */
export interface Setting {
  /** The folder of the project. */
  readonly project: string;
  /** Of the package: a new one may run the same files otherwise. */
  readonly version: string;
  /** The module that a supervised program loads first, as a URL. */
  readonly supervised: string;
  /** The Node that runs the programs: its path and version. */
  readonly node: { readonly path: string; readonly version: string };
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** The plan of a zone. Throws where TypeScript is to be run and nothing can. */
export function planOf(config: ZoneConfig, setting: Setting): Plan {
  const hashes = new Map<string, string>();
  const containers = config.pods.flatMap((pod) =>
    nodeNames(pod).map(({ node, clone, container }) => {
      const image = container.image.value;
      const folder = imageFolder(setting.project, image);
      let files = hashes.get(image);
      if (files === undefined) hashes.set(image, (files = hashOf(folder)));
      const args = commandOf(mainFile(folder) ?? folder, container.args, setting);
      const program = setting.node.path;
      // What is inherited is not in it: the same file deployed from another shell changes nothing.
      const variables = ownVariables(container.env, pod.public);
      const own = [setting.version, program, setting.node.version, args, Object.entries(variables).sort(), files];
      return {
        node,
        pod: pod.name.value,
        clone,
        container: container.name.value,
        image,
        program,
        args,
        env: environmentOf(config.name, node, variables, setting.env),
        cwd: setting.project,
        hash: createHash('sha256').update(JSON.stringify(own)).digest('hex'),
      };
    }),
  );
  return { zone: config.name, project: setting.project, by: { pid: process.pid }, drainMs: DRAIN, containers };
}

/** Whether a container is to be served over HTTP. */
export function isServed({ env }: PlannedContainer): boolean {
  return (env['TROUPE_HTTP'] ?? '') !== '';
}

/** What stands behind `node`. */
function commandOf(main: string, args: readonly string[], setting: Setting): string[] {
  const loader = /\.m?ts$/.test(main) && !stripsTypes(setting.node.version) ? ['--import', loaderOf(setting)] : [];
  return ['--import', setting.supervised, ...loader, main, ...args];
}

/** Whether this Node runs TypeScript by itself: 22.18 and later, 23.6 and later. */
export function stripsTypes(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > 23 || (major === 23 && minor >= 6) || (major === 22 && minor >= 18);
}

/**
 * Fails where the project's package.json says that it depends on troupe and nothing of that name is installed: every container would end at
 * its first import.
 */
export function checkInstalled(project: string): void {
  const file = join(project, 'package.json');
  let manifest: { dependencies?: object; devDependencies?: object };
  try {
    manifest = JSON.parse(readFileSync(file, 'utf8')) as typeof manifest;
  } catch {
    // Without one it has no dependencies; one that is damaged is told by Node itself, with the place in it.
    return;
  }
  if (!('troupe' in { ...manifest.dependencies, ...manifest.devDependencies })) return;
  try {
    createRequire(file).resolve('troupe');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'MODULE_NOT_FOUND') return;
    throw new CommandFailure(
      `the packages of the project in ${project} are not installed: package.json names "troupe", and it is not there. ` +
        'Nothing was done. Run this first: npm install',
      EXIT.usage,
    );
  }
}

/** The project's own tsx. */
function loaderOf({ project, node }: Setting): string {
  try {
    return pathToFileURL(createRequire(join(project, 'package.json')).resolve('tsx')).href;
  } catch {
    throw new CommandFailure(
      `Node ${node.version} does not run TypeScript by itself, and the project in ${project} has no tsx that could.\n` +
        'Install it there (npm install --save-dev tsx), or use Node 22.18 or later.',
      EXIT.usage,
    );
  }
}
