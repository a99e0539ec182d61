/** Where a class was written: V8 knows it, whatever loader or compiler brought the class here. */
import inspector from 'node:inspector';
import { fileURLToPath } from 'node:url';
import { types } from 'node:util';
import { classAt, reasonOf, refusal } from './refusal.ts';

/** The place of a class, and the JavaScript that V8 ran there. */
export interface Place {
  /** The script as V8 names it: a file URL, with the query a loader may have added, or a path. */
  readonly url: string;
  /** Absolute path of the file. */
  readonly file: string;
  /** Whether it ran as an ES module rather than CommonJS. */
  readonly isModule: boolean;
  /** All of the script's source: plain JavaScript, also where the file is TypeScript. */
  readonly source: string;
  /** Where in `source` the class, or its constructor, begins. */
  readonly offset: number;
}

/** The name under which the debugger's protocol reaches the class for a moment; it can only evaluate text. */
const SUBJECT = 'troupe.ship.subject';

/**
 * Finds the source of a class. Synchronous; 25 to 55 ms for the first class, then 3 to 8 ms.
 *
 * @throws NotPortableError for what is no class of a file: functions, proxies, bound and built-in ones, `eval`, `vm` and `data:`.
 */
export function locate(cls: unknown): Place {
  if (typeof cls !== 'function')
    throw refusal(String(cls), 'it is not a class', 'Pass a class that is declared at the top level of a module');
  if (types.isProxy(cls)) throw refusal('a class', 'it is wrapped in a proxy', 'Pass the class itself');
  const name = classAt(cls.name);
  const text = Function.prototype.toString.call(cls);
  if (/\{\s*\[native code\]\s*\}$/.test(text))
    throw refusal(name, 'it is built in or bound, so it has no source', 'Declare a class of your own that uses it');
  const found = look(cls, name);
  if (!found)
    throw refusal(
      name,
      "its source can't be found: it was made in another context (vm, or a test runner that uses it)",
      'Declare it in a file that Node.js loads itself',
    );
  const file = fileOf(found.url);
  if (file === undefined) {
    const origin = found.url.startsWith('node:')
      ? 'it is part of Node.js'
      : `it was not loaded from a file but from ${originOf(found.url)}`;
    throw refusal(name, origin, 'Declare it at the top level of a module in a file');
  }
  if (!/^class\b/.test(text))
    throw refusal(
      `${cls.name || 'a function'} (${file})`,
      'it is a function, not a class',
      'Declare a class with a handleMessage method at the top level of a module',
    );
  return { url: found.url, file, isModule: found.isModule, source: found.source, offset: offsetOf(found) };
}

interface Found {
  url: string;
  isModule: boolean;
  source: string;
  line: number;
  column: number;
}

function look(cls: object, name: string): Found | undefined {
  const session = new inspector.Session();
  const scripts = new Map<string, inspector.Debugger.ScriptParsedEventDataType>();
  session.on('Debugger.scriptParsed', ({ params }) => scripts.set(params.scriptId, params));
  const key = Symbol.for(SUBJECT);
  try {
    session.connect();
    post(session, 'Debugger.enable');
    // A breakpoint or `debugger` statement elsewhere must not halt the process in here.
    post(session, 'Debugger.setSkipAllPauses', { skip: true });
    Object.defineProperty(globalThis, key, { value: cls, configurable: true });
    const { result } = post<inspector.Runtime.EvaluateReturnType>(session, 'Runtime.evaluate', {
      expression: `globalThis[Symbol.for(${JSON.stringify(SUBJECT)})]`,
      silent: true,
    });
    if (result.objectId === undefined) return undefined;
    const { internalProperties = [] } = post<inspector.Runtime.GetPropertiesReturnType>(
      session,
      'Runtime.getProperties',
      {
        objectId: result.objectId,
        ownProperties: true,
      },
    );
    const location = internalProperties.find((property) => property.name === '[[FunctionLocation]]')?.value?.value as
      inspector.Debugger.Location | undefined;
    const script = location && scripts.get(location.scriptId);
    if (!script) return undefined;
    const { scriptSource } = post<inspector.Debugger.GetScriptSourceReturnType>(session, 'Debugger.getScriptSource', {
      scriptId: location.scriptId,
    });
    return {
      url: script.url,
      isModule: script.isModule ?? false,
      source: scriptSource,
      line: location.lineNumber,
      column: location.columnNumber ?? 0,
    };
  } catch (error) {
    throw refusal(
      name,
      `Node.js does not say where it is written (${reasonOf(error)})`,
      'Run without --permission, or with --allow-inspector as well',
      error,
    );
  } finally {
    Reflect.deleteProperty(globalThis, key);
    session.disconnect();
  }
}

/** One question to the inspector of this very thread, which answers before it returns. */
function post<T>(session: inspector.Session, method: string, params: object = {}): T {
  let answer: { error: Error | null; value: unknown } | undefined;
  session.post(method, params, (error, value: unknown) => {
    answer = { error, value };
  });
  if (!answer) throw new Error(`${method} was not answered`);
  if (answer.error) throw new Error(`${method}: ${answer.error.message}`);
  return answer.value as T;
}

/** The path of a script; undefined for what is no file. */
function fileOf(url: string): string | undefined {
  if (url.startsWith('/')) return url;
  return url.startsWith('file:') ? fileURLToPath(url.replace(/[?#].*$/, '')) : undefined;
}

function originOf(url: string): string {
  if (url === '') return 'eval';
  return url.startsWith('data:') ? 'a data: URL' : url;
}

/** V8 counts lines by every terminator of the language, and columns in UTF-16 units. */
function offsetOf({ source, line, column }: Found): number {
  const terminator = /\r\n|[\n\r\u2028\u2029]/g;
  for (let i = 0; i < line; i++) if (!terminator.exec(source)) break;
  return terminator.lastIndex + column;
}
