/** Holds a parsed YAML document against a shape: every mistake with its place, none of them hiding another. */
import { type Document, isAlias, isMap, isScalar, isSeq, type Node, type Pair } from 'yaml';
import { nearest } from '#lib/nearest';
import type { Shape } from './shape.ts';

/** Something wrong at a place of the file. */
export interface Mistake {
  /** Offset in the text, in UTF-16 units. */
  readonly at: number;
  /** What is there, what was expected, and the nearest that is known. */
  readonly what: string;
}

/** A value and where it stands, so that what is checked later can name its place as well. */
export interface Placed<T = unknown> {
  readonly at: number;
  readonly value: T;
}

/** What a checked value comes to: text, numbers and flags; lists of these; by key, these. Missing keys and wrong values are absent. */
export type Checked = Placed<string | number | boolean | Checked[] | Map<string, Checked>>;

/** The value of a node where it fits the shape, as far as it does; what does not is added to `mistakes`. */
export function check(
  document: Document,
  node: Node | null | undefined,
  shape: Shape,
  path: string,
  at: number,
  mistakes: Mistake[],
): Checked | undefined {
  const target = isAlias(node) ? node.resolve(document) : node;
  const here = node?.range?.[0] ?? at;
  const wrong = (expected: string): undefined => {
    mistakes.push({ at: here, what: `${path === '' ? 'the file' : path} is ${found(target)}; expected ${expected}` });
    return undefined;
  };
  switch (shape.kind) {
    case 'text': {
      const text = textOf(target, shape.scalars === true);
      if (text === undefined || (shape.pattern !== undefined && !shape.pattern.test(text)))
        return wrong(shape.expected);
      return { at: here, value: text };
    }
    case 'count': {
      const expected = `a whole number from ${shape.least} to ${shape.most}`;
      const value = isScalar(target) ? target.value : undefined;
      if (typeof value !== 'number' || !Number.isInteger(value) || value < shape.least || value > shape.most)
        return wrong(expected);
      return { at: here, value };
    }
    case 'flag': {
      const value = isScalar(target) ? target.value : undefined;
      return typeof value === 'boolean' ? { at: here, value } : wrong('true or false');
    }
    case 'list': {
      if (!isSeq(target)) return wrong(shape.expected);
      if (shape.needsOne === true && target.items.length === 0) return wrong(`${shape.expected}, at least one`);
      const items = target.items as (Node | null)[];
      const values = items.map((item, i) => check(document, item, shape.of, `${path}[${i}]`, here, mistakes));
      return { at: here, value: values.filter((value) => value !== undefined) };
    }
    case 'dictionary': {
      if (!isMap(target)) return wrong(shape.expected);
      const values = new Map<string, Checked>();
      for (const { key, name, value } of pairsOf(target.items, here)) {
        if (!shape.key.test(name)) {
          mistakes.push({ at: key, what: `"${short(name)}" can't be a key of ${path}; expected ${shape.keyExpected}` });
          continue;
        }
        if (shape.reserved.includes(name)) {
          mistakes.push({ at: key, what: `${path} sets ${name}, which the deploy sets; leave it out` });
          continue;
        }
        const checked = check(document, value, shape.of, `${path}.${name}`, key, mistakes);
        if (checked !== undefined) values.set(name, checked);
      }
      return { at: here, value: values };
    }
    case 'keyed': {
      if (!isMap(target)) return wrong(shape.expected);
      const values = new Map<string, Checked>();
      const known = Object.keys(shape.keys);
      const seen = new Set<string>();
      for (const { key, name, value } of pairsOf(target.items, here)) {
        const of = Object.hasOwn(shape.keys, name) ? shape.keys[name] : undefined;
        if (of === undefined) {
          const near = nearest(name, known);
          const hint = near === undefined ? '' : `; did you mean "${near}"?`;
          mistakes.push({ at: key, what: `unknown key "${short(name)}"${hint} (known: ${known.join(', ')})` });
          // Most likely that one, so its absence is no second mistake.
          if (near !== undefined) seen.add(near);
          continue;
        }
        seen.add(name);
        const checked = check(document, value, of, path === '' ? name : `${path}.${name}`, key, mistakes);
        if (checked !== undefined) values.set(name, checked);
      }
      for (const name of shape.needed) {
        if (!seen.has(name))
          mistakes.push({
            at: here,
            what: `"${name}" is missing in ${path === '' ? 'the file' : path}; expected ${shape.expected}`,
          });
      }
      return { at: here, value: values };
    }
  }
}

/** The keys of a map with their places; a key that is no plain value has the name that YAML writes for it. */
function pairsOf(pairs: Pair[], at: number): { key: number; name: string; value: Node | null }[] {
  return pairs.map((pair) => {
    const key = pair.key as Node | null;
    const name = isScalar(key) ? String(key.value) : String(key);
    return { key: key?.range?.[0] ?? at, name, value: pair.value as Node | null };
  });
}

/** The text of a scalar: a number or a truth value as it is written, so that 1.10 stays 1.10. */
function textOf(node: unknown, takesScalars: boolean): string | undefined {
  if (!isScalar(node)) return undefined;
  if (typeof node.value === 'string') return node.value;
  if (!takesScalars || (typeof node.value !== 'number' && typeof node.value !== 'boolean')) return undefined;
  return node.source ?? String(node.value);
}

function found(node: unknown): string {
  if (isMap(node)) return 'a mapping';
  if (isSeq(node)) return 'a list';
  if (!isScalar(node) || node.value === null) return 'empty';
  return typeof node.value === 'string' ? `"${short(node.value)}"` : String(node.source ?? node.value);
}

/** Enough of what somebody wrote to find it again. */
function short(text: string): string {
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}
