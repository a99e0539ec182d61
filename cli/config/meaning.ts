/** What a well-formed troupe.yaml may still get wrong: names that meet, images that are not there, addresses that can not be. */
import { existsSync, statSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { RESERVED } from '#lib/address';
import { nearest } from '#lib/nearest';
import { listenAddress } from '#lib/options';
import { foldersIn, imageFolder, MAIN_FILES, mainFile } from '../plan/image.ts';
import { nodeNames } from '../plan/names.ts';
import type { Mistake } from './check.ts';
import type { ContainerConfig, PodConfig, ZoneConfig } from './read.ts';

const MAX_NAME = 128;
/** Containers that one supervisor looks after, as `crates/supervisor/src/plan.rs` has it. */
const MOST_CONTAINERS = 1_000;

/** Adds what is wrong with a zone whose values have the right shape. */
export function checkMeaning(config: ZoneConfig, project: string, mistakes: Mistake[]): void {
  const pods = new Set<string>();
  const nodes = new Map<string, string>();
  for (const pod of config.pods) {
    const { value: name, at } = pod.name;
    if (name === '') continue;
    if (pods.has(name))
      mistakes.push({ at, what: `there is another pod "${name}" above; a pod has a name of its own` });
    else checkNodes(pod, nodes, mistakes);
    pods.add(name);
    const containers = new Set<string>();
    for (const container of pod.containers) {
      if (container.image.value === '') continue;
      if (containers.has(container.name.value)) {
        const what = `there is another container "${container.name.value}" in pod "${name}" above; give this one a "name" of its own`;
        mistakes.push({ at: container.name.at, what });
      }
      containers.add(container.name.value);
    }
  }
  checkCount(config, mistakes);
  for (const pod of config.pods)
    for (const container of pod.containers) {
      checkContainer(container, project, mistakes);
      checkHttp(pod, container, mistakes);
    }
}

/** A zone may have more than its supervisor takes; told at the pod with which it does. */
function checkCount({ pods }: ZoneConfig, mistakes: Mistake[]): void {
  let count = 0;
  for (const { name, clones, containers } of pods) {
    count += clones * containers.length;
    if (count <= MOST_CONTAINERS) continue;
    const what = `with pod "${name.value}" the zone has ${count} containers; at most ${MOST_CONTAINERS}: divide it into several zones`;
    mistakes.push({ at: name.at, what });
    return;
  }
}

/** Only a pod that is public is served, at an address that all of its clones can have and that is not open to everyone. */
function checkHttp(pod: PodConfig, { http, tokenFile }: ContainerConfig, mistakes: Mistake[]): void {
  if (!pod.public) {
    for (const [name, variable] of [
      ['TROUPE_HTTP', http],
      ['TROUPE_HTTP_TOKEN_FILE', tokenFile],
    ] as const) {
      const what = `${name} is for pods that are public, and "${pod.name.value}" is not: give it "public: true", or leave this out`;
      if (variable !== undefined) mistakes.push({ at: variable.at, what });
    }
    return;
  }
  if (http === undefined || http.value === '') return;
  const wrong = (what: string) => mistakes.push({ at: http.at, what });
  let address;
  try {
    address = listenAddress(http.value, 'TROUPE_HTTP');
  } catch (error) {
    wrong((error as Error).message);
    return;
  }
  if (pod.clones > 1 && address.port !== 0)
    wrong(`${pod.clones} clones can't all listen on port ${address.port}; with port 0 each has one of its own`);
  // What a name stands for is known where the program runs.
  if (isIP(address.host) !== 0 && !/^(?:127\.|::1$)/.test(address.host) && !tokenFile?.value)
    wrong(
      `${http.value} can be reached from other machines: name a file with a token in TROUPE_HTTP_TOKEN_FILE as well`,
    );
}

/** Two pods may come to the same node: `a-0` by its name, and the first clone of `a`. */
function checkNodes(pod: ZoneConfig['pods'][number], nodes: Map<string, string>, mistakes: Mistake[]): void {
  const { value: name, at } = pod.name;
  for (const { node } of nodeNames(pod)) {
    const other = nodes.get(node);
    if (other !== undefined && other !== name) {
      mistakes.push({ at, what: `pods "${other}" and "${name}" would both have a node "${node}"; rename one of them` });
      return;
    }
    nodes.set(node, name);
    if (RESERVED.test(node)) {
      mistakes.push({ at, what: `a node can't be called "${node}": that is for troupe's own members of the zone` });
      return;
    }
    if (node.length > MAX_NAME) {
      mistakes.push({
        at,
        what: `the node "${node.slice(0, 40)}…" would have a name of ${node.length} characters; at most ${MAX_NAME}`,
      });
      return;
    }
  }
}

function checkContainer({ image }: ContainerConfig, project: string, mistakes: Mistake[]): void {
  if (image.value === '') return;
  const folder = imageFolder(project, image.value);
  if (!existsSync(folder) || !statSync(folder).isDirectory()) {
    const there = foldersIn(join(project, 'images'));
    const near = nearest(image.value, there);
    const hint = near === undefined ? '' : `; did you mean "${near}"?`;
    const known = there.length === 0 ? 'there is none in images/' : `there are: ${there.join(', ')}`;
    mistakes.push({ at: image.at, what: `there is no folder images/${image.value}${hint} (${known})` });
  } else if (mainFile(folder) === undefined) {
    mistakes.push({
      at: image.at,
      what: `images/${image.value} has no main file; looked for ${MAIN_FILES.join(', ')}`,
    });
  }
}
