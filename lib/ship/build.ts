/**
 * Bundles the module of a class with everything it imports into one ES module that runs anywhere. The class's module goes in as V8 ran
 * it, with a table of its classes at its end; a line before its own code would shift every position that a source map speaks of.
 */
import * as esbuild from 'esbuild';
import { realpathSync } from 'node:fs';
import path from 'node:path';
import { ADDON_INSTEAD, neededAddon } from './addons.ts';
import type { Bundle } from './bundle.ts';
import { locate, type Place } from './locate.ts';
import { findClass, readModule, type ModuleShape, type TopLevelClass } from './module.ts';
import { ENTRY_MODULE, RUNTIME_OPTIONS, runtimePlugin, withoutRuntime } from './plugin.ts';
import { classAt, reasonOf, refusal } from './refusal.ts';
import { hashOf } from './store.ts';

interface Module {
  readonly place: Place;
  readonly shape: ModuleShape;
  code?: Promise<{ hash: string; code: Uint8Array }>;
}

/** By URL. Node.js never unloads a module either. */
const modules = new Map<string, Module>();

/**
 * The bundle of a class that was written on this node: 40 to 50 ms for the first one, 5 ms for more, longer where much is imported.
 *
 * @throws NotPortableError for what can't be found, reached or bundled.
 */
export async function bundleModuleOf(cls: unknown): Promise<Bundle> {
  const place = locate(cls);
  const { name } = cls as { name: string };
  let module = modules.get(place.url);
  if (module?.place.source !== place.source)
    modules.set(place.url, (module = { place, shape: readModule(place, name) }));
  const { label } = findClass(module.shape, place, name);
  module.code ??= build(module);
  try {
    return { ...(await module.code), label, file: place.file };
  } catch (error) {
    delete module.code;
    throw explain(error, classAt(name, place.file));
  }
}

async function build({ place, shape }: Module): Promise<{ hash: string; code: Uint8Array }> {
  const entry = realpathSync(place.file);
  const result = await esbuild.build({
    entryPoints: [ENTRY_MODULE.start],
    bundle: true,
    write: false,
    outfile: '/bundle.mjs',
    // So that neither code nor map depends on the folder this process was started in; the map's paths become file URLs.
    absWorkingDir: '/',
    sourceRoot: 'file:///',
    sourcemap: 'inline',
    sourcesContent: false,
    format: 'esm',
    platform: 'node',
    // The oldest receiver.
    target: 'node20',
    // A minifier's names for classes are no use in messages.
    keepNames: true,
    legalComments: 'none',
    logLevel: 'silent',
    metafile: true,
    plugins: [
      runtimePlugin({
        file: place.file,
        entry,
        contents: sourceWithTable(place, shape),
        table: tableModule(entry, shape, place),
      }),
    ],
    ...RUNTIME_OPTIONS,
  });
  const needed = neededAddon(result.metafile.inputs, { file: entry, source: place.source });
  if (needed !== undefined) throw new AddonNeeded(needed);
  const code = result.outputFiles[0]!.contents;
  return { hash: hashOf(code), code };
}

/** The class's module with its table: a function, and so there before the first statement runs. CommonJS has no await and can do it at its end. */
function sourceWithTable(place: Place, { bodies }: ModuleShape): string {
  const self = place.isModule ? '__troupe_self' : `require(${JSON.stringify(ENTRY_MODULE.self)}).self`;
  let source = withoutRuntime(place.source);
  // From the last to the first: an insertion moves what stands behind it.
  for (const { classes, end } of [...bodies].sort((a, b) => (b.end ?? 0) - (a.end ?? 0))) {
    if (end !== undefined)
      source = `${source.slice(0, end)};${self}.declare(()=>(${thunks(classes)}));${source.slice(end)}`;
  }
  const own = thunks(bodies[0]!.classes);
  if (!place.isModule) return `${source}\n;${self}.declare(()=>(${own}));\n`;
  return `${source}
;import ${JSON.stringify(ENTRY_MODULE.table)};
import { self as __troupe_self } from ${JSON.stringify(ENTRY_MODULE.self)};
export function ${tableName(place)}() { return ${own}; }
`;
}

/** The module that hands the table over. It is an import of the class's module, so it runs before it, and it imports it, so it sees its names. */
function tableModule(entry: string, { bodies }: ModuleShape, place: Place): string {
  const unnamed = bodies[0]!.classes.some(({ name }) => name === undefined);
  return `
import { self } from ${JSON.stringify(ENTRY_MODULE.self)};
import { ${tableName(place)} as classes } from ${JSON.stringify(entry)};
${unnamed ? `import unnamed from ${JSON.stringify(entry)};` : ''}
self.declare(() => ({ ...classes(), ${unnamed ? 'default: () => unnamed' : ''} }));
`;
}

/** A name that the module does not use: one that was bundled before has a table already. */
function tableName({ source }: Place): string {
  let name = '__troupe_classes';
  while (source.includes(name)) name += '_';
  return name;
}

/** Functions, because the classes are not made yet. Keys are computed, for `__proto__: …` would set the prototype. */
function thunks(classes: TopLevelClass[]): string {
  return `{${classes.flatMap(({ label, name }) => (name === undefined ? [] : [`[${JSON.stringify(label)}]:()=>${name}`])).join()}}`;
}

class AddonNeeded extends Error {}

function explain(error: unknown, what: string): Error {
  if (error instanceof AddonNeeded) return refusal(what, error.message, ADDON_INSTEAD);
  const errors = (error as Partial<esbuild.BuildFailure>).errors;
  if (!errors?.length)
    return refusal(
      what,
      `its module can't be bundled (${reasonOf(error)})`,
      'See that esbuild runs on this machine',
      error,
    );
  const [first] = errors;
  const { text, location, detail } = first!;
  const where = location ? ` at ${path.join('/', location.file)}:${location.line}` : '';
  const instead =
    typeof detail === 'string'
      ? detail
      : 'Install or repair what is imported there, or move the class to a file that does not import it';
  return refusal(what, `${text}${where}`, instead);
}
