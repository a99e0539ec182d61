/**
 * What nodes ask of each other beside messages: start, stop and list workers, and the code of a class.
 *
 * A request is one byte that says what it is, which the Rust core holds against the asker's credential, and data behind it.
 */
import { join } from 'node:path';
import {
  ERROR_CODES,
  errorOf,
  invalidArgument,
  NodeUnreachableError,
  NotPermittedError,
  NotPortableError,
  TimeoutError,
  TroupeError,
  type InvalidArgumentError,
} from './errors.ts';
import { countdown } from './duration.ts';
import { decodeCause, encodeCause, fromCode, messageOf, stackOf } from './failures.ts';
import * as log from './log.ts';
import { native } from './native.ts';
import type { Node } from './node.ts';
import type { StartWorkerSettings } from './options.ts';
import { order } from './port/requests.ts';
import {
  bundle,
  decodeData,
  encodeData,
  fieldsOf,
  has,
  keep,
  load,
  reasonOf,
  revive,
  writtenIn,
  type Bundle,
} from './ship/index.ts';
import { checkArguments, checkStartRequest } from './start-request.ts';
import type { Worker, WorkerClass } from './worker.ts';
import { Listed, type WorkerFields } from './worker-info.ts';

/** Start, list and stop on another node take this long at most; a stop its own timeout besides. Milliseconds. */
const TIMEOUT = 30_000;
const NO_LIMIT = 0xffff_ffff;

/** The kinds of requests; `crates/node/src/node/events.rs` knows which take a capability. */
const START = 'S';
const CODE = 'C';
const STOP = 'X';
const LIST = 'L';

/** A message between nodes is at most 16 MiB; hash, signature and kind go before the code. */
const MAX_CODE = (16 << 20) - 128;

/** What a START request says. */
export interface StartRequest {
  name: string;
  settings: Omit<StartWorkerSettings, 'args'>;
  /** The class by the name under which the receiver offers it. */
  type: string;
  hash: string;
  label: string;
  args: Uint8Array;
  /** Own fields of an instance; absent when a class was given. */
  fields?: Uint8Array | undefined;
}

function message(kind: string, data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(data.length + 1);
  bytes[0] = kind.charCodeAt(0);
  bytes.set(data, 1);
  return bytes;
}

/** Asks another node; what it answers, as data. */
async function ask(node: Node, peer: string, bytes: Uint8Array, timeout: number, worker: string): Promise<unknown> {
  const answer = await order<{ bytes: Uint8Array }>(`${peer}/${worker}`, timeout, (id, generation) => {
    native.control(node.number, peer, bytes, timeout, id, generation);
  });
  return unwrap(decodeData(answer.bytes), peer, worker);
}

/** An answer says how it went: a failure is data too, so that everything known of it travels. */
function unwrap(answer: unknown, node: string, worker: string): unknown {
  const { code, message = '', cause, stack, value } = answer as Answer;
  if (code === undefined) return value;
  if (code === INVALID_ARGUMENT) throw invalidArgument(message);
  let reason: Error | undefined;
  if (cause !== undefined) {
    reason = decodeCause(cause);
    if (stack !== undefined)
      Object.defineProperty(reason, 'stack', { value: stack, configurable: true, writable: true });
  }
  const about = { worker: worker === '' ? undefined : worker, node, cause: reason };
  const known = ERROR_CODES[code];
  throw known === undefined ? fromCode(code, about) : errorOf(known, message, about);
}

interface Answer {
  code?: number;
  message?: string;
  cause?: string;
  stack?: string;
  value?: unknown;
}

/** Stands for what the caller got wrong and only the receiver could see, as a class without a handler. */
const INVALID_ARGUMENT = 0;
const WORKER_FAILED = 5;

/** Starts a worker on another node, sending its code when that has never seen it. `within`: milliseconds for all of it. */
export async function startThere(
  node: Node,
  peer: string,
  name: string,
  worker: Worker | WorkerClass,
  settings: StartWorkerSettings,
  within = TIMEOUT,
): Promise<void> {
  const left = countdown(within);
  const isClass = typeof worker === 'function';
  const cls = isClass ? worker : ((worker as object).constructor as WorkerClass);
  try {
    await startAs(node, peer, name, cls, isClass ? undefined : worker, settings, left);
  } catch (error) {
    if (error instanceof TimeoutError) throw tookTooLong(name, peer, within);
    throw error instanceof NotPortableError ? await notPortable(error, cls, name, peer) : error;
  }
  try {
    const timeout = left();
    await order<void>(name, timeout, (id, generation) => {
      native.resolve(node.number, `${peer}/${name}`, timeout, id, generation);
    });
  } catch (error) {
    if (error instanceof TimeoutError) throw tookTooLong(name, peer, within);
    // It was started there; the search for its name knows nothing of that.
    if (!(error instanceof NodeUnreachableError)) throw error;
    throw fromCode('NODE_UNREACHABLE', { worker: name, node: peer, maybeExecuted: true });
  }
}

/** Each step has what the ones before have left of the time; whoever waits has waited for all of it. */
function tookTooLong(worker: string, node: string, waited: number): TroupeError {
  const detail = `worker "${worker}" was not started on node "${node}" by then, and may be later: see listWorkers there, or stop it; what can take long is its initialize, or a node that is busy`;
  return fromCode('TIMEOUT', { worker, node, waited, detail });
}

async function startAs(
  node: Node,
  peer: string,
  name: string,
  cls: WorkerClass,
  instance: Worker | undefined,
  { args, ...settings }: StartWorkerSettings,
  left: () => number,
): Promise<void> {
  const fields = instance === undefined ? undefined : (await fieldsOf(instance)).fields;
  const request: StartRequest = {
    name,
    settings,
    type: cls.name,
    hash: '',
    label: '',
    args: encodeData(args, 'args'),
    fields,
  };
  const start = () => ask(node, peer, message(START, encodeData({ ...request }, 'request')), left(), name);
  let made: Bundle | undefined;
  let refused: unknown;
  try {
    made = await bundle(cls);
    request.hash = made.hash;
    request.label = made.label;
  } catch (error) {
    // The receiver may have the class itself, by its `workers` option.
    refused = error;
  }
  if ((await start()) !== 'code') return;
  if (made === undefined) throw refused;
  await sendCode(node, peer, name, made, left());
  if ((await start()) !== 'code') return;
  const detail =
    'it asks for the code again that it has just kept; see its log, and whether something empties its folder';
  throw fromCode('WORKER_FAILED', { worker: name, node: peer, detail });
}

/** What can't travel, with the class, its file, and where it was to go. */
async function notPortable(error: Error, cls: unknown, worker: string, node: string): Promise<Error> {
  const { name } = cls as { name: string };
  const file = await writtenIn(cls);
  const known = file === undefined || error.message.includes(file);
  const of = known ? '' : ` of class ${name} (${file})`;
  const message = `worker "${worker}"${of} was not started on node "${node}": ${error.message}`;
  return new NotPortableError(message, { worker, node, cause: error.cause });
}

async function sendCode(
  node: Node,
  peer: string,
  name: string,
  { hash, code }: Bundle,
  timeout: number,
): Promise<void> {
  const digest = Buffer.from(hash, 'hex');
  if (code.length > MAX_CODE) {
    const detail = `its code with all it imports takes ${code.length} bytes, and at most ${MAX_CODE} travel; import less, or list the class under "workers" in the options of that node`;
    throw new NotPortableError(detail);
  }
  const signature = native.signCode(node.number, digest);
  if (signature === null) throw fromCode('NODE_STOPPED', { node: node.name });
  await ask(node, peer, message(CODE, Buffer.concat([digest, signature, code])), timeout, name);
}

/** Stops a worker of another node. */
export async function stopThere(node: Node, peer: string, name: string, timeout: number): Promise<void> {
  const wait = timeout === NO_LIMIT ? NO_LIMIT : timeout + TIMEOUT;
  await ask(node, peer, message(STOP, encodeData({ name, timeout }, 'request')), wait, name);
}

/** Lists workers of another node. */
export async function listThere(node: Node, peer: string, prefix: string, limit: number): Promise<Listed[]> {
  const data = encodeData({ prefix, limit }, 'request');
  const entries = (await ask(node, peer, message(LIST, data), TIMEOUT, '')) as WorkerFields[];
  return entries.map((entry) => new Listed({ ...entry, node: peer }));
}

/** Answers a control request of another node. */
export async function answer(node: Node, request: number, generation: number): Promise<void> {
  const asked = native.takeControl(request);
  if (asked === null) return;
  let result: Uint8Array;
  try {
    result = encodeData({ value: await perform(node, asked) }, 'answer');
  } catch (error) {
    // Also when the answer itself is more than travels: a list of too many workers.
    result = encodeData({ ...describeSafely(error) }, 'answer');
  }
  native.answerControl(request, generation, result, 0, '');
}

/** Whatever was thrown: a trap of it that throws must not keep the asker waiting. */
function describeSafely(error: unknown): Answer {
  try {
    return describe(error);
  } catch {
    return { code: WORKER_FAILED, message: messageOf(error) };
  }
}

function describe(error: unknown): Answer {
  const message = reasonOf(error);
  if ((error as Partial<InvalidArgumentError> | null)?.code === 'INVALID_ARGUMENT')
    return { code: INVALID_ARGUMENT, message };
  if (!(error instanceof TroupeError)) {
    return { code: WORKER_FAILED, message, ...causeOf(error) };
  }
  const code = Number(Object.entries(ERROR_CODES).find(([, name]) => name === error.code)?.[0]);
  const cause = error.cause === undefined ? {} : causeOf(error.cause);
  return { code, message, ...cause };
}

/** What was thrown, with the lines of this machine. */
function causeOf(thrown: unknown): Pick<Answer, 'cause' | 'stack'> {
  const stack = stackOf(thrown);
  return { cause: encodeCause(thrown), ...(stack === undefined ? {} : { stack }) };
}

interface Asked {
  peer: string;
  peerId: string;
  publicKey: Uint8Array;
  bytes: Uint8Array;
}

async function perform(node: Node, { peer, publicKey, bytes }: Asked): Promise<unknown> {
  const data = bytes.subarray(1);
  switch (String.fromCharCode(bytes[0] as number)) {
    case LIST: {
      const { prefix, limit } = decodeData(data) as { prefix: string; limit: number };
      return (await node.listWorkers({ prefix, limit })).map((info) => ({ ...info }));
    }
    case STOP: {
      const { name, timeout } = decodeData(data) as { name: string; timeout: number };
      await node.stopWorker(name, { timeout: timeout === NO_LIMIT ? Infinity : timeout });
      return null;
    }
    case START:
      return startHere(node, peer, checkStartRequest(decodeData(data)));
    case CODE:
      return keepCode(node, peer, publicKey, data);
    default:
      throw new NotPermittedError(
        `node ${peer} asked for what this version does not know; run the same version on both`,
      );
  }
}

/** Starts a worker for another node; asks for its code when that is needed and allowed. */
async function startHere(node: Node, peer: string, request: StartRequest): Promise<string> {
  const own = node.offered.get(request.type);
  if (own === undefined && !node.acceptsCode) {
    const names = [...node.offered.keys()].join(', ');
    throw fromCode('NOT_PERMITTED', {
      node: node.name,
      detail: `it takes no code from node ${peer} (acceptCode is false), and of the classes it offers (workers: ${names || 'none'}) none is called ${request.type}`,
    });
  }
  let cls: WorkerClass;
  if (own !== undefined) cls = own;
  else {
    if (request.hash === '' || !(await has(request.hash, codeFolder(node)))) return 'code';
    try {
      cls = await load({ hash: request.hash, label: request.label }, codeFolder(node));
    } catch (error) {
      // Whoever asked is told as well; this is for who runs this node.
      const { name, type } = request;
      const what = `worker ${name} was not started for node ${peer}: the module of its class ${type} failed to load`;
      log.emitWarn('node', what, { node: node.name, worker: name, class: type, from: peer, error });
      throw error;
    }
  }
  const args = checkArguments(decodeData(request.args));
  const settings = { ...request.settings, args };
  if (request.fields === undefined) await node.startHere(request.name, cls, settings);
  else await node.startHere(request.name, revive(cls, request.fields) as Worker, settings);
  return 'started';
}

const DIGEST = 32;
const SIGNATURE = 64;

async function keepCode(node: Node, peer: string, publicKey: Uint8Array, data: Uint8Array): Promise<null> {
  if (!node.acceptsCode)
    throw fromCode('NOT_PERMITTED', { node: node.name, detail: 'it takes no code (acceptCode is false)' });
  const digest = data.subarray(0, DIGEST);
  const signature = data.subarray(DIGEST, DIGEST + SIGNATURE);
  if (!native.verifyCode(publicKey, digest, signature)) {
    throw new NotPermittedError(`the code from node ${peer} is not signed by it, and was not kept`);
  }
  await keep(Buffer.from(digest).toString('hex'), data.subarray(DIGEST + SIGNATURE), codeFolder(node));
  return null;
}

/** Where code that came from other nodes lies: beside the zone's other files, for this user alone. */
function codeFolder(node: Node): string {
  return join(native.zoneFolder(node.zone as string), 'code');
}
