/** A node over HTTP: probes, what it counts, and messages to its workers. The server itself is the core's, on a thread of its own. */
import { readFileSync, statSync } from 'node:fs';
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { getSystemErrorName } from 'node:util';
import { NO_LIMIT } from './duration.ts';
import { invalidArgument } from './errors.ts';
import { native } from './native.ts';
import type { Node } from './node.ts';
import type { HttpSettings } from './options.ts';
import { order } from './port/requests.ts';

/** Bits of a file's mode that let others than its owner at it. */
const OTHERS = 0o077;

/** More is no token but a wrong file. */
const LONGEST_TOKEN = 4096;

/**
 * Serves a node, which may have one server; resolves with the address that it listens on, `host:port`. `view`: watch the whole zone as well;
 * `page`: folder of the page's files. Rejects with INVALID_ARGUMENT for a token file that is none or that others can read, else with an
 * `Error` that has the system's code: `EADDRINUSE` when another process listens there.
 */
export async function serve(node: Node, settings: HttpSettings, view = false, page?: string): Promise<string> {
  const { workers, stallMs, tokenFile } = settings;
  const token = tokenFile === undefined ? {} : { token: tokenIn(tokenFile) };
  const { zone, role } = node;
  const served = native.serve(node.number, {
    listen: await socketAddress(settings),
    ...token,
    ...(page === undefined ? {} : { page }),
    ...(zone === false ? {} : { zone }),
    workers,
    view,
    stallMs,
    role,
  });
  if (served.address !== undefined) return served.address;
  const from = tokenFile === undefined ? '' : ` (token file ${tokenFile})`;
  const text = `node "${node.name}" can't be served over HTTP: ${served.failure}${from}`;
  if (served.systemCode === 0) throw invalidArgument(text);
  throw Object.assign(new Error(text), { code: getSystemErrorName(-served.systemCode) });
}

/** Closes a node's server; resolves when its thread has ended. */
export async function closeServer(node: Node): Promise<void> {
  await order(node.name, NO_LIMIT, (id, generation) => native.closeServer(node.number, id, generation));
}

/** `"host:port"` or `"[host]:port"` with the host as an address. */
export async function socketAddress({ host, port }: { host: string; port: number }): Promise<string> {
  const address = isIP(host) !== 0 ? host : (await lookup(host)).address;
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

function tokenIn(file: string): string {
  let text: string;
  try {
    const { mode, size } = statSync(file);
    if (size > LONGEST_TOKEN) throw invalidArgument(`token file ${file} has ${size} bytes, which is no token`);
    if (process.platform !== 'win32' && (mode & OTHERS) !== 0) {
      throw invalidArgument(`token file ${file} can be read by others: make it its owner's alone (chmod 600)`);
    }
    text = readFileSync(file, 'utf8').trim();
  } catch (error) {
    if ((error as { code?: unknown }).code === 'INVALID_ARGUMENT') throw error;
    throw invalidArgument(`token file ${file} can't be read: ${(error as Error).message}`);
  }
  if (text === '') throw invalidArgument(`token file ${file} is empty`);
  return text;
}
