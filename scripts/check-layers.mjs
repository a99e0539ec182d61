// Arrows point down only: cli → lib → bindings → crates/http → crates/node → crates/proto, inside lib from the public classes to what they
// stand on, and inside cli from the program to the commands and what those stand on.
// `node scripts/check-layers.mjs` lists every import that points up.
import { readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { filesUnder } from './freshness.mjs';
import { Failure, isMain, main, root } from './shell.mjs';

/** The crates, lowest first; each may stand on lower ones only. */
const crates = {
  'crates/proto': 'troupe-proto',
  'crates/node': 'troupe-node',
  'crates/http': 'troupe-http',
  'crates/supervisor': 'troupe-supervisor',
  bindings: 'troupe-bindings',
};
/** What the pure crate must not reach for: the time now, a socket, a file, a thread, a runtime. An instant may be passed in. */
const impure = /\b(tokio|std::(net|fs|thread|process|env)|(Instant|SystemTime)::now)\b/;

/**
 * Inside lib, lowest first; a file may import the values of its own floor and of those below, and the types of any.
 * Only the lowest but one knows the add-on.
 */
const floors = [
  {
    name: 'plain data, failures, checks and the log',
    match: /^(address|behaviour|duration|errors|failures|log|log-text|nearest|options|supervision|worker)\.ts$/,
  },
  { name: 'the add-on and the supervisor', match: /^(native|supervisor-program)\.ts$/ },
  { name: 'the port and shipping', match: /^(port|ship)\// },
  { name: 'the public classes', match: /^[\w-]+\.ts$/ },
  { name: 'the index', match: /^index\.ts$/ },
];

/** Inside cli, lowest first, by the same rule. It reaches lib by `#lib/` only, and nothing of lib knows it. */
const cliFloors = [
  { name: 'plain words and the terminal', match: /^(failure|process|table|terminal|version)\.ts$/ },
  { name: 'what a plan is made of', match: /^plan\/(environment|image|names)\.ts$/ },
  { name: 'troupe.yaml', match: /^config\// },
  { name: 'the plan', match: /^plan\// },
  { name: 'the zone', match: /^zone\// },
  { name: 'the commands', match: /^commands\// },
  { name: 'the program', match: /^(main|run|program)\.ts$/ },
];

const floorOf = (file) => (file === 'index.ts' ? floors.length - 1 : floors.findIndex(({ match }) => match.test(file)));

/** The dependency tables of a manifest: name → whether it is needed to build (true) or only to test (false). */
function dependenciesIn(manifest) {
  const found = new Map();
  let table = '';
  for (const line of readFileSync(manifest, 'utf8').split('\n')) {
    table = /^\[(.+)\]/.exec(line)?.[1] ?? table;
    const name = /^([\w-]+)[\s.=]/.exec(line)?.[1];
    if (name && /dependencies$/.test(table)) found.set(name, found.get(name) || !table.endsWith('dev-dependencies'));
  }
  return found;
}

function crateProblems() {
  const problems = [];
  const names = Object.values(crates);
  for (const [folder, name] of Object.entries(crates)) {
    for (const [dependency, built] of dependenciesIn(join(root, folder, 'Cargo.toml'))) {
      if (built && names.indexOf(dependency) > names.indexOf(name))
        problems.push(`${folder} depends on ${dependency}, which stands above it`);
      if (built && folder === 'bindings' && dependency === 'troupe-supervisor')
        problems.push('bindings depends on troupe-supervisor, a program of its own');
      if (built && dependency === 'troupe-testkit') problems.push(`${folder} depends on the testkit outside its tests`);
      if (built && folder === 'crates/proto' && dependency === 'tokio')
        problems.push('crates/proto depends on tokio: it is pure');
      if (built && folder !== 'bindings' && dependency.startsWith('napi'))
        problems.push(`${folder} depends on ${dependency}: only bindings knows JavaScript`);
    }
  }
  for (const file of filesUnder('crates/proto/src').filter(
    (name) => name.endsWith('.rs') && !/(^|[/_])tests?(\.rs|\/)/.test(name),
  )) {
    const code = readFileSync(file, 'utf8')
      .split('#[cfg(test)]')[0]
      .replace(/^\s*\/\/.*$/gm, '');
    const found = impure.exec(code);
    if (found)
      problems.push(
        `${relative(root, file)} uses ${found[0]}: crates/proto is given bytes and time, it fetches neither`,
      );
  }
  return problems;
}

/** The relative imports of a TypeScript file: [path, whether only types come from it]. */
function importsOf(text) {
  const statements = text.matchAll(/^(?:import|export)\s+(?:(type\s+)?([^'";]*?)\s*from\s+)?'(\.[^']+)'/gm);
  return [...statements].map(([, type, clause, path]) => {
    const named = /^\{([\s\S]*)\}$/.exec(clause ?? '')?.[1];
    const onlyTypes = named?.split(',').every((part) => part.trim() === '' || /^\s*type\s/.test(part));
    return [path, Boolean(type) || onlyTypes === true];
  });
}

function libraryProblems() {
  const foreign = (path, onlyTypes) => onlyTypes && /^bindings[/\\]native\.d\.ts$/.test(path);
  return folderProblems('lib', floors, floorOf, foreign);
}

function cliProblems() {
  const floor = (file) => cliFloors.findIndex(({ match }) => match.test(file));
  // What `troupe init` copies are programs of users.
  return folderProblems('cli', cliFloors, floor, () => false, /^templates\//);
}

/** Imports of a folder of TypeScript that leave it (but where `foreign` allows), that point up in it, or that go round. */
function folderProblems(folder, itsFloors, floor, foreign, passedOver = /^$/) {
  const problems = [];
  const graph = new Map();
  const base = join(root, folder);
  for (const path of filesUnder(folder).filter((name) => name.endsWith('.ts'))) {
    const file = relative(base, path);
    if (passedOver.test(file)) continue;
    const text = readFileSync(path, 'utf8');
    graph.set(file, []);
    if (floor(file) < 0) problems.push(`${folder}/${file} has no place in scripts/check-layers.mjs`);
    for (const [specifier, onlyTypes] of importsOf(text)) {
      const target = relative(base, join(dirname(path), specifier));
      if (target.startsWith('..')) {
        if (!foreign(relative(root, join(base, target)), onlyTypes))
          problems.push(`${folder}/${file} reaches outside of ${folder}: ${specifier}`);
      } else if (!onlyTypes && target !== file) {
        graph.get(file).push(target);
        if (floor(target) > floor(file)) {
          problems.push(
            `${folder}/${file} (${itsFloors[floor(file)]?.name}) imports ${folder}/${target} (${itsFloors[floor(target)]?.name}), which stands above it`,
          );
        }
      }
    }
  }
  return [...problems, ...cycles(graph, folder)];
}

/** Circles of imports: which module runs first would be chance. */
function cycles(graph, folder) {
  const problems = new Set();
  const done = new Set();
  const visit = (file, path) => {
    if (path.includes(file)) {
      const circle = path.slice(path.indexOf(file));
      problems.add(`a circle of imports: ${[...circle, file].map((name) => `${folder}/${name}`).join(' → ')}`);
    } else if (!done.has(file)) {
      for (const next of graph.get(file) ?? []) visit(next, [...path, file]);
      done.add(file);
    }
  };
  for (const file of graph.keys()) visit(file, []);
  return [...problems];
}

/** What the page is made of, beside its own files: nothing of the rest of the tree, which it knows by HTTP only. */
const pagePackages = /^(preact(\/hooks)?|@preact\/signals|uplot(\/dist\/uPlot\.min\.css)?)$/;

function pageProblems() {
  const source = join(root, 'page', 'src');
  const problems = [];
  for (const path of filesUnder('page/src').filter((name) => /\.tsx?$/.test(name))) {
    const statements = /^(?:import\s[^'";=]*|export\s[^'";=]*\sfrom\s+)'([^']+)'|\bimport\('([^']+)'\)/gm;
    for (const [, stated, called] of readFileSync(path, 'utf8').matchAll(statements)) {
      const specifier = stated ?? called;
      const own = specifier.startsWith('.') && !relative(source, join(dirname(path), specifier)).startsWith('..');
      if (!own && !pagePackages.test(specifier))
        problems.push(`${relative(root, path)} imports ${specifier}: the page stands by itself`);
    }
  }
  return problems;
}

/** Fails with every arrow that points up. */
export function checkLayers() {
  const problems = [...crateProblems(), ...libraryProblems(), ...cliProblems(), ...pageProblems()];
  if (problems.length > 0)
    throw new Failure(`Arrows point down only:\n${problems.map((line) => `  ${line}`).join('\n')}`);
}

if (isMain(import.meta.url)) await main(async () => checkLayers());
