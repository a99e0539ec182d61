/** Names of workers and nodes, and the addresses made of them. The Rust core checks the same rules for what comes from other nodes. */
import { randomBytes } from 'node:crypto';
import { basename, dirname, parse as parsePath } from 'node:path';
import { invalidRange, invalidType } from './errors.ts';

/**
 * Where a message goes: `"greeter"` — the worker of that name, on this node if it runs here, else
 * wherever in the zone it runs — or `"runner-1/greeter"`, that worker on that node.
 * Names: `[A-Za-z0-9_-]`, 1 to 128 characters.
 */
export type Address = string;

/** Characters that a name may have. */
export const MAX_NAME = 128;

const NAME = /^[A-Za-z0-9_-]{1,128}$/;
const ADDRESS = /^(?:[A-Za-z0-9_-]{1,128}\/)?[A-Za-z0-9_-]{1,128}$/;
const NAME_EXPECTED = `a name of 1 to ${MAX_NAME} letters, digits, "_" or "-"`;
const ADDRESS_EXPECTED = `"worker" or "node/worker", each ${NAME_EXPECTED}`;

/** Throws INVALID_ARGUMENT unless `name` can be the name of a worker or a zone. */
export function checkName(name: unknown, argument: string): asserts name is string {
  if (typeof name !== 'string') throw invalidType(argument, NAME_EXPECTED, name);
  if (!NAME.test(name)) throw invalidRange(argument, NAME_EXPECTED, name);
}

/** Throws INVALID_ARGUMENT unless `address` has the form `worker` or `node/worker`. */
export function checkAddress(address: unknown, argument: string): asserts address is Address {
  if (typeof address !== 'string') throw invalidType(argument, ADDRESS_EXPECTED, address);
  if (!ADDRESS.test(address)) throw invalidRange(argument, ADDRESS_EXPECTED, address);
}

/** The two parts of a checked address; no `node` where it names a worker only. */
export function splitAddress(address: Address): { node: string | undefined; worker: string } {
  const slash = address.indexOf('/');
  if (slash === -1) return { node: undefined, worker: address };
  return { node: address.slice(0, slash), worker: address.slice(slash + 1) };
}

/** Names of members that are no nodes: who looks after a zone, and who looks on. */
export const RESERVED = /^(?:troupe-supervisor$|observer-)/;

/**
 * The node's name from what was asked for: characters that no name has become `-`. Throws INVALID_ARGUMENT when empty, too long, or that of
 * a member which is no node.
 */
export function nodeName(wanted: unknown, argument: string): string {
  if (typeof wanted !== 'string') throw invalidType(argument, `a string of 1 to ${MAX_NAME} characters`, wanted);
  if (wanted === '' || wanted.length > MAX_NAME)
    throw invalidRange(argument, `1 to ${MAX_NAME} characters long`, wanted);
  const name = clean(wanted);
  if (RESERVED.test(name))
    throw invalidRange(
      argument,
      'another name: "troupe-supervisor" and "observer-…" are those of troupe itself',
      wanted,
    );
  return name;
}

/**
 * The name of a node that was given none: that of the program's main file (of its folder, if the file is `main` or `index`, as those
 * say nothing) and four random hex digits, so that a program started twice is two nodes. `node` where there is no main file.
 */
export function defaultNodeName(mainFile: string | undefined): string {
  const suffix = `-${randomBytes(2).toString('hex')}`;
  let stem = mainFile === undefined ? '' : parsePath(mainFile).name;
  if (mainFile !== undefined && (stem === 'main' || stem === 'index')) stem = basename(dirname(mainFile)) || stem;
  const name = clean(RESERVED.test(`${stem}-`) ? `node-${stem}` : stem);
  return `${name.slice(0, MAX_NAME - suffix.length) || 'node'}${suffix}`;
}

function clean(name: string): string {
  return name.replace(/[^A-Za-z0-9_-]/g, '-');
}
