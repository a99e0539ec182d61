/**
 * How a bundle gets at what must not be in it: imports of this package become the receiver's own copy, however they are written, and
 * native add-ons stay out.
 */
import type { BuildOptions, Plugin } from 'esbuild';
import { realpathSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { leaveAddonsOut } from './addons.ts';
import { MODULE_SIDE } from './runtime.ts';

/** Modules that exist only in a bundle. */
export const ENTRY_MODULE = {
  /** Where a bundle begins. */
  start: 'troupe-ship:start',
  /** Exports `self`, by which the bundle speaks with the process that runs it. */
  self: 'troupe-ship:self',
  /** Declares the classes before the module runs. */
  table: 'troupe-ship:table',
} as const;

/** The class's module, under the path where esbuild finds it, and what takes its place. */
export interface Entry {
  /** The file as Node.js calls it. */
  readonly file: string;
  readonly entry: string;
  readonly contents: string;
  readonly table: string;
}

/** CommonJS inside an ES module finds no `require`. One line, taken off when a bundle is bundled again. */
const BANNER = `import{createRequire as __troupe_createRequire}from"node:module";const require=__troupe_createRequire(import.meta.url),__troupe_filename=import.meta.filename,__troupe_dirname=import.meta.dirname;`;

/** Blanks, of the same length, what a former bundling or tsx put in front and would not run here. */
export function withoutRuntime(source: string): string {
  return source
    .replace(BANNER, (text) => ' '.repeat(text.length))
    .replace(/^__filename="(?:[^"\\]|\\.)*";/, (text) => ' '.repeat(text.length))
    .replace(/^#!/, '//');
}

/** What esbuild is told besides the plugin. */
export const RUNTIME_OPTIONS = {
  banner: { js: BANNER },
  define: { __filename: '__troupe_filename', __dirname: '__troupe_dirname' },
} satisfies BuildOptions;

/** This package's folder: the files of `lib` and `dist` in it are its own, whatever name or path they are imported by. */
const ROOT = realpathSync(fileURLToPath(new URL('../..', import.meta.url))).replace(/\/$/, '');
const OWN_FILE = new RegExp(`^${escape(ROOT)}/(lib|dist)/|/node_modules/troupe/`);
const OWN_ENTRY = new RegExp(`^${escape(ROOT)}/(lib|dist)/index\\.(ts|js)$|/node_modules/troupe/dist/index\\.js$`);

export function runtimePlugin({ file, entry, contents, table }: Entry): Plugin {
  return {
    name: 'troupe',
    setup(build) {
      const virtual = (name: keyof typeof ENTRY_MODULE, contents: string) =>
        build.onLoad({ filter: new RegExp(`^${ENTRY_MODULE[name]}$`), namespace: 'troupe-ship' }, () => ({
          contents,
          resolveDir: path.dirname(entry),
        }));
      build.onResolve({ filter: /^troupe-ship:/ }, ({ path: name }) => ({ path: name, namespace: 'troupe-ship' }));
      // First of all who we are and where from, so that it can be told whatever fails.
      virtual('start', `import ${JSON.stringify(ENTRY_MODULE.self)}; import ${JSON.stringify(entry)};`);
      virtual('self', `export const self = ${MODULE_SIDE}; self.writtenIn(${JSON.stringify(file)});`);
      virtual('table', table);

      build.onResolve({ filter: /^troupe(\/.*)?$/ }, ({ path: name }) => ({ path: name, namespace: 'troupe' }));
      // CommonJS: which names there are is known only where it runs.
      build.onLoad({ filter: /.*/, namespace: 'troupe' }, ({ path: name }) => ({
        contents: `module.exports = require(${JSON.stringify(ENTRY_MODULE.self)}).self.exportsOf(${JSON.stringify(name)});`,
        resolveDir: path.dirname(entry),
      }));
      build.onLoad({ filter: new RegExp(`^${escape(entry)}$`) }, ({ path: file }) =>
        OWN_FILE.test(file) ? internal(file) : { contents, loader: 'js', resolveDir: path.dirname(entry) },
      );
      build.onLoad({ filter: OWN_FILE }, ({ path: file }) =>
        OWN_ENTRY.test(file)
          ? { contents: `export * from 'troupe';`, resolveDir: path.dirname(entry) }
          : internal(file),
      );

      leaveAddonsOut(build);
    },
  };
}

function internal(file: string) {
  return {
    errors: [{ text: `it needs an internal file of troupe (${file})`, detail: 'Import what you need from "troupe"' }],
  };
}

function escape(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
