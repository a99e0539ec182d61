/** Anything as JSON text, for the log: whatever users pass there must come out readable and must not break the line or the caller. */

/** What a record's fields may take of a line; a log is for people, and a page of data hides what they look for. */
const MAX_CHARACTERS = 16_384;

/** JSON text of any value, shortened if very long. Errors show name, message, code, stack and cause; circles and big integers are spelled out. Never throws. */
export function jsonText(value: unknown): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(value, spellOut());
  } catch {
    // A getter or a toJSON that throws: the other fields are still worth having.
    text = fieldByField(value);
  }
  text ??= JSON.stringify(nameOf(value));
  return text.length > MAX_CHARACTERS ? JSON.stringify(`${text.slice(0, MAX_CHARACTERS)}…`) : text;
}

/** A replacer for `JSON.stringify` that gives a form to what has none. */
function spellOut(): (this: unknown, key: string, value: unknown) => unknown {
  const path: { value: object; form: unknown }[] = [];
  return function (this: unknown, _key, value) {
    if (typeof value === 'bigint') return `${value}n`;
    if (typeof value === 'function' || typeof value === 'symbol') return nameOf(value);
    if (typeof value !== 'object' || value === null) return value;
    // `this` is what holds the value: what stands behind it on the path has been left again.
    while (path.length > 0 && path.at(-1)?.form !== this) path.pop();
    if (path.some((step) => step.value === value)) return '[circular]';
    const form = formOf(value);
    path.push({ value, form });
    return form;
  };
}

function formOf(value: object): unknown {
  if (value instanceof Error) {
    // The four that JSON would leave out, then own properties such as `code`.
    const { name, message, stack, cause } = value;
    return Object.assign({ name, message, stack, cause }, value);
  }
  if (value instanceof Map) return [...value];
  if (value instanceof Set) return [...value];
  return value;
}

/** Undefined: not even its keys can be read, as of a proxy whose traps throw. */
function fieldByField(value: unknown): string | undefined {
  const parts: string[] = [];
  let keys: string[];
  try {
    keys = typeof value === 'object' && value !== null ? Object.keys(value) : [];
  } catch {
    return undefined;
  }
  for (const key of keys) {
    let text: string | undefined;
    try {
      text = JSON.stringify((value as Record<string, unknown>)[key], spellOut());
    } catch (thrown) {
      text = JSON.stringify(`[not readable: ${nameOf(thrown)}]`);
    }
    if (text !== undefined) parts.push(`${JSON.stringify(key)}:${text}`);
  }
  return `{${parts.join(',')}}`;
}

function nameOf(value: unknown): string {
  try {
    return typeof value === 'function' ? `[function ${value.name}]` : String(value);
  } catch {
    return '[not readable]';
  }
}
