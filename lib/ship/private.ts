/** Whether instances of a class have state that only its own code can reach, as its source says. */
import { parseExpressionAt, type AnyNode, type ClassExpression } from 'acorn';
import { childrenOf } from './scope.ts';

/** What compilers make of `#field` for older targets: a WeakMap, read and written by these. */
const HELPER = /^__(classPrivateField(Get|Set|In)|private(Add|Get|Set|In|Method))$/;

/**
 * The first private instance member in the source of a class, e.g. `#count`; undefined when there is none. Static ones don't count:
 * they belong to the class, which travels as code.
 */
export function hiddenField(classText: string): string | undefined {
  const options = {
    ecmaVersion: 'latest',
    sourceType: 'module',
    allowAwaitOutsideFunction: true,
    checkPrivateFields: false,
  } as const;
  // A class in parentheses is an expression whatever it is called; `super` is allowed in its methods.
  const { body } = parseExpressionAt(classText, 0, options) as ClassExpression;
  for (const member of body.body) {
    if (member.type !== 'StaticBlock' && !member.static && member.key.type === 'PrivateIdentifier')
      return `#${member.key.name}`;
  }
  return compiledField(body);
}

function compiledField(node: AnyNode): string | undefined {
  if (node.type === 'CallExpression') {
    const { callee } = node;
    const name =
      callee.type === 'Identifier'
        ? callee.name
        : callee.type === 'MemberExpression' && callee.property.type === 'Identifier'
          ? callee.property.name
          : '';
    // `__classPrivateFieldGet(this, _Counter_count, "f")`: the map is named after the field.
    const [object, map] = node.arguments;
    if (HELPER.test(name) && object?.type === 'ThisExpression' && map?.type === 'Identifier')
      return `#${map.name.replace(/^_([A-Za-z0-9$]+_)?/, '')}`;
  }
  for (const child of childrenOf(node)) {
    const found = compiledField(child);
    if (found !== undefined) return found;
  }
  return undefined;
}
