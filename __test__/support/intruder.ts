/** What a stranger does to a node: finds out where it listens, connects, says something, and hears what it gets. */
import { linkSync, mkdirSync, openSync, readFileSync, writeSync, closeSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';

/** Where the port stands in the record of a node that listens on an IPv4 address; `crates/node/src/discovery/record.rs` has the table. */
const PORT_AT = 8 + 32 + 8 + 8 + 4 + 16 + 8 + 1 + 16 + 4;

const recordOf = (home: string, name: string) => join(home, 'zones/default/nodes', `${name}.node`);

/** The port a node listens on. */
export function portOf(home: string, name: string): number {
  return readFileSync(recordOf(home, name)).readUInt16LE(PORT_AT);
}

/** Lets the record of a node name another port: from now on the others dial that. */
function redirect(home: string, name: string, port: number): void {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(port);
  // In place: the node holds its lock on this very file.
  const file = openSync(recordOf(home, name), 'r+');
  writeSync(file, bytes, 0, 2, PORT_AT);
  closeSync(file);
}

/** Shows a live node of one zone to the nodes of another, as if it were theirs. */
export function show(from: string, name: string, to: string): void {
  mkdirSync(join(to, 'zones/default/nodes'), { recursive: true, mode: 0o700 });
  linkSync(recordOf(from, name), recordOf(to, name));
}

/** A connection of somebody who has no business there. */
export interface Stranger {
  readonly socket: Socket;
  /** From where it seems to come. */
  readonly address: string;
  /** Resolves when the node has closed it, with all that the node said. */
  readonly closed: Promise<Buffer>;
}

/** Connects to a port and says something. */
export async function intrude(t: ExecutionContext, port: number, bytes: Uint8Array | string = ''): Promise<Stranger> {
  const socket = connect({ port, host: '127.0.0.1' });
  t.teardown(() => socket.destroy());
  const heard: Buffer[] = [];
  socket.on('data', (data: Buffer) => heard.push(data));
  // A node that closes while there is still something to read resets the connection.
  socket.on('error', () => {});
  const closed = new Promise<Buffer>((resolve) => socket.on('close', () => resolve(Buffer.concat(heard))));
  await once(socket, 'connect');
  const { port: own } = socket.address() as AddressInfo;
  if (bytes.length > 0) socket.write(bytes);
  return { socket, address: `127.0.0.1:${own}`, closed };
}

/** What went over a connection. */
export interface Overheard {
  /** What those said who dialled. */
  readonly dialled: Buffer[];
  /** What the node said to them. */
  readonly answered: Buffer[];
}

/** Stands between a node and all that dial it from now on, and keeps every byte; `change` may put others in their place. */
export async function standBetween(
  t: ExecutionContext,
  home: string,
  name: string,
  change: (bytes: Buffer) => Buffer = (bytes) => bytes,
): Promise<Overheard> {
  const overheard: Overheard = { dialled: [], answered: [] };
  const port = portOf(home, name);
  const sockets = new Set<Socket>();
  const server = createServer((dialler) => {
    const node = connect({ port, host: '127.0.0.1' });
    for (const [from, to, kept] of [
      [dialler, node, overheard.dialled],
      [node, dialler, overheard.answered],
    ] as const) {
      from.on('data', (bytes: Buffer) => {
        kept.push(bytes);
        to.write(change(bytes));
      });
      from.on('error', () => {});
      from.on('close', () => to.destroy());
      sockets.add(from);
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  redirect(home, name, (server.address() as AddressInfo).port);
  return overheard;
}
