/**
 * Native add-ons belong to one machine and are never part of a bundle. Code that can do without one (it asks for it inside a `try`)
 * travels, and finds it missing there; code that can't is refused.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parse, type AnyNode } from 'acorn';
import type { Metafile, PluginBuild } from 'esbuild';
import { childrenOf } from './scope.ts';

/** Packages that load an add-on from a folder they search at run time. */
const LOADERS =
  /^(bindings|node-gyp-build|node-gyp-build-optional-packages|@mapbox\/node-pre-gyp|prebuild-install|pkg-prebuilds)(\/.*)?$/;
const NAMESPACE = 'troupe-addon';

/** What to do about a class that needs one. */
export const ADDON_INSTEAD =
  'Move the class to a file that does not import it; or list the class under `workers` in the options of the nodes that have the add-on installed';

/** Puts code in the place of every add-on that throws when it runs, as if the add-on were not installed. */
export function leaveAddonsOut(build: PluginBuild): void {
  const missing = (name: string) => ({
    contents: `throw Object.assign(new Error(${JSON.stringify(`a native add-on does not travel to another node: ${name}`)}), { code: 'MODULE_NOT_FOUND' }); module.exports = {};`,
    loader: 'js' as const,
  });
  build.onResolve({ filter: LOADERS }, ({ path: name }) => ({ path: name, namespace: NAMESPACE }));
  build.onLoad({ filter: /.*/, namespace: NAMESPACE }, ({ path: name }) => missing(name));
  build.onLoad({ filter: /\.node$/ }, ({ path: file }) => missing(file));
}

/**
 * Why a bundle would fail for want of an add-on, e.g. `it needs a native add-on, which belongs to one machine (/app/db.cjs loads
 * "./db.node")`; undefined when nothing in it depends on one. `inputs` are esbuild's, with paths relative to `/`.
 */
export function neededAddon(inputs: Metafile['inputs'], entry: { file: string; source: string }): string | undefined {
  for (const name of Object.keys(inputs)) {
    if (!name.startsWith(`${NAMESPACE}:`) && !name.endsWith('.node')) continue;
    const importer = whoNeeds(name, inputs, entry, new Set());
    if (importer)
      return `it needs a native add-on, which belongs to one machine (${importer.file} loads "${importer.as}")`;
  }
  return undefined;
}

/** The file that loads `name`, when the entry runs into it without a `try` on the way. */
function whoNeeds(
  name: string,
  inputs: Metafile['inputs'],
  entry: { file: string; source: string },
  seen: Set<string>,
): { file: string; as: string } | undefined {
  seen.add(name);
  for (const [importer, { imports }] of Object.entries(inputs)) {
    for (const { path: imported, original } of imports) {
      if (imported !== name || seen.has(importer) || original === undefined) continue;
      const file = path.join('/', importer);
      if (isTried(file === entry.file ? entry.source : sourceOf(file), original)) continue;
      if (file === entry.file || whoNeeds(importer, inputs, entry, seen)) return { file, as: original };
    }
  }
  return undefined;
}

function sourceOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    // One of our own modules, which are no files.
    return '';
  }
}

/** Whether every place in `source` that loads `specifier` stands in a `try` that catches. What can't be parsed does not count as such. */
function isTried(source: string, specifier: string): boolean {
  let program: AnyNode;
  try {
    program = parse(source, {
      ecmaVersion: 'latest',
      sourceType: 'module',
      allowReturnOutsideFunction: true,
      allowHashBang: true,
    });
  } catch {
    return false;
  }
  const places = loads(program, specifier, false);
  return places.length > 0 && places.every((tried) => tried);
}

/** For each place that loads `specifier`: whether it stands in a `try`. */
function loads(node: AnyNode, specifier: string, tried: boolean): boolean[] {
  const found = childrenOf(node).flatMap((child) =>
    loads(child, specifier, tried || (node.type === 'TryStatement' && node.handler !== null && child === node.block)),
  );
  return specifierOf(node) === specifier ? [tried, ...found] : found;
}

function specifierOf(node: AnyNode): unknown {
  const isRequire =
    node.type === 'CallExpression' && node.callee.type === 'Identifier' && node.callee.name === 'require';
  const argument = isRequire ? node.arguments[0] : 'source' in node ? node.source : undefined;
  return argument?.type === 'Literal' ? argument.value : undefined;
}
