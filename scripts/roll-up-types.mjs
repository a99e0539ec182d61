// Rolls the declarations of dist/ up into one page: what lib/index.ts exports, and whatever those types are made of. The types have to
// stand alone: a user has no @types/node, so a name that neither we nor TypeScript's own libraries declare is refused.
import { existsSync } from 'node:fs';
import { basename, join, sep } from 'node:path';
import prettier from 'prettier';
import ts from 'typescript';
import { Failure, root } from './shell.mjs';

const dist = join(root, 'dist') + sep;
const isOurs = (node) => node.getSourceFile().fileName.split('/').join(sep).startsWith(dist);
const isStandard = (node) => /[/\\]lib\.[\w.]+\.d\.ts$/.test(node.getSourceFile().fileName);

/** The statement of a file that declares `node`, or undefined where it is declared inside another one (a member, a parameter). */
function statementOf(node) {
  let top = node;
  while (top.parent && !ts.isSourceFile(top.parent)) top = top.parent;
  const declares = top === node || (ts.isVariableStatement(top) && ts.isVariableDeclaration(node));
  return declares ? top : undefined;
}

/** All top-level statements of dist/ that the entry's exports are made of, and the names that it exports. */
function collect(program, entry) {
  const checker = program.getTypeChecker();
  const resolved = (symbol) => (symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol);
  const statements = new Set();
  const globals = new Set();
  const foreign = new Map();

  const need = (symbol, user) => {
    const declarations = resolved(symbol).declarations ?? [];
    const own = declarations.filter(isOurs);
    if (own.length === 0 && declarations.length > 0 && !declarations.some(isStandard)) {
      foreign.set(symbol.name, user.getSourceFile().fileName.slice(dist.length));
    }
    for (const declaration of own) {
      const statement = statementOf(declaration);
      if (statement && !ts.isImportDeclaration(statement) && !statements.has(statement)) {
        statements.add(statement);
        visit(statement);
      }
    }
  };
  const visit = (node) => {
    if (ts.isImportTypeNode(node)) foreign.set(node.getText(), node.getSourceFile().fileName.slice(dist.length));
    if (ts.isIdentifier(node)) {
      const symbol = checker.getSymbolAtLocation(node);
      if (symbol) need(symbol, node);
    }
    node.forEachChild(visit);
  };

  for (const statement of entry.statements) {
    if (ts.isModuleDeclaration(statement) && statement.flags & ts.NodeFlags.GlobalAugmentation) globals.add(statement);
  }
  const exported = checker.getExportsOfModule(
    checker.getSymbolAtLocation(entry) ?? raise('lib/index.ts exports nothing.'),
  );
  for (const symbol of exported) {
    if (resolved(symbol).name !== symbol.name)
      raise(`lib/index.ts exports ${resolved(symbol).name} under another name, ${symbol.name}.`);
    need(symbol, entry);
  }
  if (foreign.size > 0) {
    const list = [...foreign].map(([name, file]) => `  ${name} (in ${file})`).join('\n');
    raise(`The public types must stand alone, but use names from elsewhere:\n${list}`);
  }
  return { statements, globals, names: new Set(exported.map(({ name }) => name)) };
}

function raise(message) {
  throw new Failure(message);
}

const namesOf = (statement) =>
  ts.isVariableStatement(statement)
    ? statement.declarationList.declarations.map(({ name }) => name.getText())
    : [statement.name?.getText() ?? ''];

/** A statement with its documentation; `export` stands before it exactly when the entry exports its name. */
function print(statement, names) {
  // Only the nearest one: what stands above it speaks of the file.
  const docs = (statement.jsDoc ?? []).slice(-1).map((doc) => doc.getText());
  const text = statement.getText().replace(/^export\s+(default\s+)?/, '');
  const declared = /^(declare|interface|type)\b/.test(text) ? text : `declare ${text}`;
  const prefix = namesOf(statement).some((name) => names.has(name)) ? 'export ' : '';
  return [...docs, prefix + declared].join('\n');
}

/** The text of index.d.ts. */
export async function rollUpTypes() {
  const entryFile = join(dist, 'index.d.ts');
  if (!existsSync(entryFile)) raise('dist/index.d.ts is missing: `npm run build` makes it.');
  const program = ts.createProgram([entryFile], {
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    target: ts.ScriptTarget.ES2022,
    lib: ['lib.es2023.d.ts', 'lib.esnext.disposable.d.ts'],
    types: ['node'],
    noEmit: true,
    skipLibCheck: true,
  });
  const entry = program.getSourceFile(entryFile);
  const { statements, globals, names } = collect(program, entry);

  // Files in the order in which the index names them, so that the page reads as the index does.
  const order = entry.statements
    .filter(ts.isExportDeclaration)
    .map(({ moduleSpecifier }) => basename(moduleSpecifier?.text ?? '').replace(/\.[jt]s$/, ''));
  const room = (statement) => basename(statement.getSourceFile().fileName, '.d.ts');
  const place = (name) => (order.includes(name) ? order.indexOf(name) : order.length);
  const rooms = [...new Set([...statements].map(room))].sort((a, b) => place(a) - place(b) || (a < b ? -1 : 1));

  const clashes = new Map();
  for (const statement of statements) {
    for (const name of namesOf(statement)) {
      const file = room(statement);
      if ((clashes.get(name) ?? file) !== file)
        raise(`${file}.ts and ${clashes.get(name)}.ts both declare ${name}; on one page it can stand once.`);
      clashes.set(name, file);
    }
  }

  const references = [
    ...new Set(
      program
        .getSourceFiles()
        .filter(isOurs)
        .flatMap((file) => file.libReferenceDirectives.map((r) => r.fileName)),
    ),
  ];
  const sections = rooms.map((name) => {
    const own = [...statements].filter((statement) => room(statement) === name).sort((a, b) => a.pos - b.pos);
    return [
      `// ── ${name} ${'─'.repeat(Math.max(0, 112 - name.length))}`,
      ...own.map((statement) => print(statement, names)),
    ].join('\n\n');
  });
  const page = [
    ...references.map((name) => `/// <reference lib="${name}" />`),
    '// The public API of troupe on one page. Generated from lib/ by `npm run generate`; not to be edited.',
    ...[...globals].map((statement) => `\n${statement.getText()}`),
    '',
    sections.join('\n\n'),
    '\nexport {};',
  ].join('\n');
  return prettier.format(page, { ...(await prettier.resolveConfig(join(root, 'index.d.ts'))), parser: 'typescript' });
}
