/** Which names a piece of JavaScript takes from outside of itself. */
import type {
  AnonymousFunctionDeclaration,
  AnyNode,
  ArrowFunctionExpression,
  FunctionDeclaration,
  FunctionExpression,
  Pattern,
} from 'acorn';

/** Code that does not run where it stands. */
type FunctionNode = FunctionDeclaration | AnonymousFunctionDeclaration | FunctionExpression | ArrowFunctionExpression;

/**
 * The names that `node` uses without declaring them. A declaration in any block of a function counts for the whole function:
 * where that is wrong, a use is missed; a name is never reported that the code has of its own.
 */
export function freeNames(node: AnyNode): Set<string> {
  const free = new Set<string>();
  visit(node, [], free);
  return free;
}

/** The names that a pattern binds: `{ a, b: [c = 1, ...d] }` binds a, c and d. */
export function boundNames(pattern: Pattern): string[] {
  switch (pattern.type) {
    case 'Identifier':
      return [pattern.name];
    case 'ObjectPattern':
      return pattern.properties.flatMap((property) =>
        boundNames(property.type === 'Property' ? property.value : property.argument),
      );
    case 'ArrayPattern':
      return pattern.elements.flatMap((element) => (element ? boundNames(element) : []));
    case 'AssignmentPattern':
      return boundNames(pattern.left);
    case 'RestElement':
      return boundNames(pattern.argument);
    case 'MemberExpression':
      return [];
  }
}

/** Every direct child node of `node`. */
export function childrenOf(node: AnyNode): AnyNode[] {
  const children: AnyNode[] = [];
  for (const value of Object.values(node) as unknown[]) {
    for (const item of Array.isArray(value) ? (value as unknown[]) : [value]) if (isNode(item)) children.push(item);
  }
  return children;
}

/** Whether `node` is a function, whose body does not run where it stands. */
export function isFunction(node: AnyNode): node is FunctionNode {
  return (
    node.type === 'FunctionDeclaration' || node.type === 'FunctionExpression' || node.type === 'ArrowFunctionExpression'
  );
}

function isNode(value: unknown): value is AnyNode {
  return typeof value === 'object' && value !== null && typeof (value as { type?: unknown }).type === 'string';
}

function visit(node: AnyNode, scopes: Set<string>[], free: Set<string>): void {
  if (node.type === 'Identifier') {
    if (!scopes.some((scope) => scope.has(node.name))) free.add(node.name);
    return;
  }
  const inner = opensScope(node) ? [...scopes, declaredIn(node)] : scopes;
  for (const child of childrenOf(node)) if (!isLabel(node, child)) visit(child, inner, free);
}

function opensScope(node: AnyNode): boolean {
  return (
    isFunction(node) ||
    node.type === 'StaticBlock' ||
    node.type === 'ClassDeclaration' ||
    node.type === 'ClassExpression'
  );
}

function declaredIn(scope: AnyNode): Set<string> {
  const names = new Set<string>();
  if ('id' in scope && scope.id?.type === 'Identifier') names.add(scope.id.name);
  if (isFunction(scope)) {
    for (const parameter of scope.params) for (const name of boundNames(parameter)) names.add(name);
    if (scope.type !== 'ArrowFunctionExpression') names.add('arguments');
  }
  if (scope.type !== 'ClassDeclaration' && scope.type !== 'ClassExpression') collect(scope, names);
  return names;
}

/** The declarations inside `node`, not those inside functions in it. */
function collect(node: AnyNode, names: Set<string>): void {
  for (const child of childrenOf(node)) {
    if (child.type === 'VariableDeclarator' || child.type === 'CatchClause') {
      const pattern = child.type === 'CatchClause' ? child.param : child.id;
      if (pattern) for (const name of boundNames(pattern)) names.add(name);
    }
    if ((child.type === 'FunctionDeclaration' || child.type === 'ClassDeclaration') && child.id)
      names.add(child.id.name);
    if (!isFunction(child)) collect(child, names);
  }
}

/** Identifiers that name a property, method or label, not a binding. */
function isLabel(parent: AnyNode, child: AnyNode): boolean {
  switch (parent.type) {
    case 'MemberExpression':
      return child === parent.property && !parent.computed;
    case 'Property':
      // `{ a }`: key and value are one node; as the value it is a use.
      return child === parent.key && !parent.computed && !parent.shorthand;
    case 'MethodDefinition':
    case 'PropertyDefinition':
      return child === parent.key && !parent.computed;
    case 'LabeledStatement':
    case 'BreakStatement':
    case 'ContinueStatement':
      return child === parent.label;
    case 'MetaProperty':
      return true;
    default:
      return false;
  }
}
