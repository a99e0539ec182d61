/** The environment of a container: a short list of what it inherits, what the deploy says, and its own. */

import { resolve } from 'node:path';

/**
 * What a container inherits of the environment that `zone deploy` is run in, where it is set there; docs/operations.md has the same list.
 * Everything else, secrets of the shell above all, stays out.
 */
export const INHERITED = ['PATH', 'HOME', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR', 'NODE_OPTIONS', 'XDG_DATA_HOME'] as const;

/** What the deploy and the supervisor set, and no container may. */
export const OWN_VARIABLES = [
  'TROUPE_ZONE',
  'TROUPE_NODE',
  'TROUPE_HOME',
  'TROUPE_SUPERVISED',
  'TROUPE_DRAIN_MS',
] as const;

/** What says to the program of a container where it is served over HTTP; only a pod that is public has them. */
export const HTTP_VARIABLES = ['TROUPE_HTTP', 'TROUPE_HTTP_TOKEN_FILE'] as const;

/** Where a node of a public pod is served unless its `env` says otherwise: on this machine alone, each on a free port of its own. */
const HTTP_HERE = '127.0.0.1:0';

/** The variables of a container's own: its `env`, and what comes of being public. */
export function ownVariables(
  env: Readonly<Record<string, string>>,
  isPublic: boolean,
): Readonly<Record<string, string>> {
  return isPublic ? { TROUPE_HTTP: HTTP_HERE, ...env } : env;
}

/** The whole environment of a container. `own`: see {@link ownVariables}; that comes before what is inherited. */
export function environmentOf(
  zone: string,
  node: string,
  own: Readonly<Record<string, string>>,
  outer: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const env: Record<string, string> = {};
  for (const name of INHERITED) {
    const value = outer[name];
    if (value !== undefined && value !== '') env[name] = value;
  }
  // What is relative to the shell's folder would be another folder for the container.
  const home = outer['TROUPE_HOME'];
  if (home !== undefined && home !== '') env['TROUPE_HOME'] = resolve(home);
  return { ...env, ...own, TROUPE_ZONE: zone, TROUPE_NODE: node, TROUPE_SUPERVISED: '1' };
}
