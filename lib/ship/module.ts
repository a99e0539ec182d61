/**
 * A module read as a syntax tree: which classes stand at its top level, so that another process can reach them after running it,
 * and which of them it could not reach, and why.
 */
import {
  parse,
  type AnonymousClassDeclaration,
  type AnyNode,
  type ClassDeclaration,
  type ClassExpression,
  type Expression,
  type ModuleDeclaration,
  type Program,
  type Statement,
} from 'acorn';
import type { Place } from './locate.ts';
import { classAt, reasonOf, refusal } from './refusal.ts';
import { boundNames, childrenOf, freeNames, isFunction } from './scope.ts';

type TopLevel = Statement | ModuleDeclaration;
type ClassNode = ClassDeclaration | AnonymousClassDeclaration | ClassExpression;

/** A class that the module's own code can name. */
export interface TopLevelClass {
  /** What it is called between nodes, unique in the module: its name, numbered where two wrapped modules use the same one. */
  readonly label: string;
  /** What its own body calls it: `Greeter`, `exports.Greeter`; undefined when only `export default` names it. */
  readonly name: string | undefined;
  readonly node: ClassNode;
}

/** A body of statements that runs once, when the module does: the module's own, or that of a wrapper a compiler put around it. */
export interface Body {
  readonly classes: TopLevelClass[];
  /** Where the body ends in the source, and a call can be put; undefined for the module's own body. */
  readonly end?: number;
}

/** What there is to know about a module. */
export interface ModuleShape {
  readonly bodies: Body[];
  /** The statement that never returns on a receiver, if there is one. */
  readonly barrier: TopLevel | undefined;
  /** The module's own top-level names, each with what it stands for. */
  readonly bindings: Map<string, { node: AnyNode; late: boolean }>;
}

/** @throws NotPortableError when it is not JavaScript as the parser knows it. */
export function readModule({ source, isModule, file }: Place, name: string): ModuleShape {
  let program: Program;
  try {
    program = parse(source, {
      ecmaVersion: 'latest',
      sourceType: isModule ? 'module' : 'script',
      allowAwaitOutsideFunction: isModule,
      allowReturnOutsideFunction: !isModule,
      allowHashBang: true,
    });
  } catch (error) {
    throw refusal(
      classAt(name, file),
      `its source can't be read (${reasonOf(error)})`,
      'Declare the class in a file without that syntax',
      error,
    );
  }
  const barrier = program.body.find((statement) => neverReturns(statement, nodeNames(program)));
  const bindings = bindingsOf(program, barrier);
  return { bodies: bodiesOf(program, source, bindings), barrier, bindings };
}

/**
 * The class at `place` in `module`.
 *
 * @throws NotPortableError when it is not at the top level, or needs what comes after `await Node.start`.
 */
export function findClass(module: ModuleShape, place: Place, name: string): TopLevelClass {
  const what = classAt(name, place.file);
  const found = module.bodies.flatMap((body) => body.classes).find(({ node }) => isAt(node, place.offset));
  if (!found) {
    throw refusal(
      what,
      'it is declared inside a function, a block or another expression (a test runner may have put one around the whole file)',
      'Declare it at the top level of a module that Node.js loads itself, as a statement or as the value of a constant',
    );
  }
  if (module.barrier && found.node.start > module.barrier.start) {
    throw refusal(
      what,
      'it is declared after "await Node.start(...)", which does not return on another node',
      'Move the class above that call, or to a file of its own',
    );
  }
  const late = lateName(module, found.node);
  if (late !== undefined) {
    throw refusal(
      what,
      `it uses "${late}", declared after "await Node.start(...)", which does not return on another node`,
      `Move the declaration of "${late}" above that call`,
    );
  }
  return found;
}

/** V8 gives a class the position of its constructor where it has one. */
function isAt(node: ClassNode, offset: number): boolean {
  return (
    node.start === offset ||
    node.body.body.some(
      (member) => member.type === 'MethodDefinition' && member.kind === 'constructor' && member.value.start === offset,
    )
  );
}

/** The first name declared behind the barrier that `node` uses, directly or through what it uses. */
function lateName({ bindings }: ModuleShape, node: AnyNode): string | undefined {
  const seen = new Set<string>();
  const waiting = [...freeNames(node)];
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    const binding = seen.has(name) ? undefined : bindings.get(name);
    seen.add(name);
    if (!binding) continue;
    if (binding.late) return name;
    waiting.push(...freeNames(binding.node));
  }
  return undefined;
}

function bindingsOf(program: Program, barrier: TopLevel | undefined): ModuleShape['bindings'] {
  const bindings: ModuleShape['bindings'] = new Map();
  for (const statement of program.body) {
    const late = barrier !== undefined && statement.start > barrier.start;
    const declaration = declarationOf(statement);
    if (declaration.type === 'VariableDeclaration') {
      for (const declarator of declaration.declarations) {
        for (const name of boundNames(declarator.id))
          bindings.set(name, { node: declarator.init ?? declarator, late: late || statement === barrier });
      }
    } else if (declaration.type === 'ClassDeclaration' && declaration.id) {
      bindings.set(declaration.id.name, { node: declaration, late });
    } else if (declaration.type === 'FunctionDeclaration' && declaration.id) {
      // Hoisted: there before anything runs.
      bindings.set(declaration.id.name, { node: declaration, late: false });
    }
  }
  return bindings;
}

function declarationOf(statement: TopLevel): AnyNode {
  if (statement.type === 'ExportNamedDeclaration' && statement.declaration) return statement.declaration;
  return statement.type === 'ExportDefaultDeclaration' ? statement.declaration : statement;
}

/** The local names of `Node` of this package; compiled CommonJS has none and says `troupe_1.Node`. */
function nodeNames(program: Program): Set<string> {
  const names = new Set<string>();
  for (const statement of program.body) {
    if (
      statement.type !== 'ImportDeclaration' ||
      !/^(troupe$|troupe\/|[./#]|file:)/.test(String(statement.source.value))
    )
      continue;
    for (const specifier of statement.specifiers) {
      if (
        specifier.type === 'ImportSpecifier' &&
        specifier.imported.type === 'Identifier' &&
        specifier.imported.name === 'Node'
      )
        names.add(specifier.local.name);
    }
  }
  return names;
}

/** Whether a statement awaits `Node.start` or `Node.create`, whatever is true when it runs. */
function neverReturns(node: AnyNode, names: Set<string>): boolean {
  if (node.type === 'AwaitExpression' && node.argument.type === 'CallExpression') {
    const { callee } = node.argument;
    if (
      callee.type === 'MemberExpression' &&
      callee.property.type === 'Identifier' &&
      /^(start|create)$/.test(callee.property.name)
    ) {
      const { object } = callee;
      if (object.type === 'Identifier' && names.has(object.name)) return true;
      if (
        object.type === 'MemberExpression' &&
        object.property.type === 'Identifier' &&
        object.property.name === 'Node'
      )
        return true;
    }
  }
  // Behind a condition it may not run there: then what follows does.
  if (
    isFunction(node) ||
    /^(If|Switch|While|DoWhile|For|ForIn|ForOf)Statement$|^(Conditional|Logical)Expression$/.test(node.type)
  )
    return false;
  return childrenOf(node).some((child) => neverReturns(child, names));
}

function bodiesOf(program: Program, source: string, bindings: ModuleShape['bindings']): Body[] {
  const own: TopLevelClass[] = classesIn(program.body, source);
  const bodies: Body[] = [{ classes: own }];
  for (const { body, end } of program.body.flatMap((statement) => wrappersIn(statement, source))) {
    const classes: TopLevelClass[] = [];
    // A wrapped module may keep its names outside of the wrapper, where they can be reached before it has run to its end.
    for (const cls of classesIn(body, source))
      (cls.node.type === 'ClassExpression' && bindings.has(cls.name ?? '') ? own : classes).push(cls);
    if (classes.length > 0) bodies.push({ classes, end: end - 1 });
  }
  const used = new Map<string, number>();
  const number = (cls: TopLevelClass): TopLevelClass => {
    const count = (used.get(cls.label) ?? 0) + 1;
    used.set(cls.label, count);
    return count === 1 ? cls : { ...cls, label: `${cls.label}~${count}` };
  };
  return bodies.map(({ classes, end }) => ({ classes: classes.map(number), end }));
}

/** Functions that compilers put around a whole module: tsx around CommonJS, esbuild around modules that it joins into one file. */
function wrappersIn(statement: TopLevel, source: string): { body: Statement[]; end: number }[] {
  const functions: (AnyNode | null | undefined)[] = [];
  if (
    statement.type === 'ExpressionStatement' &&
    statement.expression.type === 'CallExpression' &&
    source.startsWith('__filename="')
  ) {
    functions.push(statement.expression.callee);
  }
  if (statement.type === 'VariableDeclaration') {
    for (const { init } of statement.declarations) {
      if (
        init?.type !== 'CallExpression' ||
        init.callee.type !== 'Identifier' ||
        !/^__(commonJS|esm)/.test(init.callee.name)
      )
        continue;
      const [argument] = init.arguments;
      const property = argument?.type === 'ObjectExpression' ? argument.properties[0] : undefined;
      functions.push(property?.type === 'Property' ? property.value : argument);
    }
  }
  return functions.flatMap((node) =>
    node && isFunction(node) && node.body.type === 'BlockStatement' ? [node.body] : [],
  );
}

function classesIn(statements: readonly TopLevel[], source: string): TopLevelClass[] {
  const classes: TopLevelClass[] = [];
  const add = (name: string | undefined, value: AnyNode | null | undefined) => {
    const node = value && classOf(value);
    if (node) classes.push({ label: name ?? 'default', name, node });
  };
  for (const statement of statements) {
    const declaration = declarationOf(statement);
    if (declaration.type === 'ClassDeclaration' && declaration.id) add(declaration.id.name, declaration);
    else if (statement.type === 'ExportDefaultDeclaration') add(undefined, statement.declaration);
    else if (declaration.type === 'VariableDeclaration') {
      for (const { id, init } of declaration.declarations) if (id.type === 'Identifier') add(id.name, init);
    } else if (statement.type === 'ExpressionStatement') {
      for (const { left, right } of assignmentsIn(statement.expression)) add(source.slice(left.start, left.end), right);
    }
  }
  return classes;
}

/** `a = …`, `exports.a = …`, also several of them joined by commas; what is assigned to anything computed can't be named. */
function assignmentsIn(expression: Expression): { left: AnyNode; right: Expression }[] {
  const parts = expression.type === 'SequenceExpression' ? expression.expressions : [expression];
  return parts.flatMap((part) =>
    part.type === 'AssignmentExpression' && part.operator === '=' && isName(part.left) ? [part] : [],
  );
}

function isName(node: AnyNode): boolean {
  return node.type === 'Identifier' || (node.type === 'MemberExpression' && !node.computed && isName(node.object));
}

/** The class that an expression yields: itself, one that is assigned on the way, or one that a compiler named or filled first. */
function classOf(node: AnyNode): ClassNode | undefined {
  switch (node.type) {
    case 'ClassDeclaration':
    case 'ClassExpression':
      return node;
    case 'AssignmentExpression':
      return classOf(node.right);
    case 'CallExpression':
      if (isFunction(node.callee)) return node.arguments.length === 0 ? classMadeBy(node.callee) : undefined;
      return node.callee.type === 'Identifier' && node.callee.name === '__name' && node.arguments[0]
        ? classOf(node.arguments[0])
        : undefined;
    case 'SequenceExpression': {
      // TypeScript for static fields: `(_a = class { … }, _a.count = 0, _a)`.
      const last = node.expressions.at(-1);
      if (last?.type !== 'Identifier') return last && classOf(last);
      const made = node.expressions.find(
        (part) =>
          part.type === 'AssignmentExpression' && part.left.type === 'Identifier' && part.left.name === last.name,
      );
      return made && classOf(made);
    }
    default:
      return undefined;
  }
}

/** TypeScript for decorators: `(() => { … let Greeter = class { … }; … return Greeter = _classThis; })()`, or `return class { … }`. */
function classMadeBy(wrapper: AnyNode): ClassNode | undefined {
  const statements = isFunction(wrapper) && wrapper.body.type === 'BlockStatement' ? wrapper.body.body : [];
  const last = statements.at(-1);
  const value = last?.type === 'ReturnStatement' ? last.argument : undefined;
  const name = value?.type === 'AssignmentExpression' ? value.left : value;
  if (name?.type !== 'Identifier') return value ? classOf(value) : undefined;
  return classesIn(statements, '').find((cls) => cls.name === name.name)?.node;
}
