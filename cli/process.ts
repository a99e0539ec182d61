/** Other processes of this machine, as far as the kernel tells. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** Enough of a command line to know it again. Characters. */
const SHORT = 120;

/** `process 4711 (node server.js)`; only the number where the system does not say more. */
export function processText(pid: number): string {
  const command = commandOf(pid);
  return command === undefined ? `process ${pid}` : `process ${pid} (${command})`;
}

/**
 * Whether there is a process of that number, of whatever user. One that has ended is none, also while nobody has waited for it: the first
 * process of a container may never do that.
 */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // The state comes behind the name, which stands in parentheses and may hold anything. Elsewhere than on Linux there is no such file.
    const state = /.*\) (\w)/s.exec(read(`/proc/${pid}/stat`))?.[1];
    return state !== 'Z' && state !== 'X';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** The command line of a process, shortened; undefined where it can't be known. */
function commandOf(pid: number): string | undefined {
  try {
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').join(' ').trim();
    if (command === '') return undefined;
    return command.length > SHORT ? `${command.slice(0, SHORT)}…` : command;
  } catch {
    return undefined;
  }
}

/**
 * The process that listens on a TCP port, where it can be known: on Linux, of this user's processes (root sees all). Undefined else.
 */
export function listenerOn(port: number): number | undefined {
  const inode = socketOn(port);
  if (inode === undefined) return undefined;
  const link = `socket:[${inode}]`;
  for (const pid of names('/proc').filter((name) => /^\d+$/.test(name))) {
    for (const descriptor of names(`/proc/${pid}/fd`)) {
      try {
        if (readlinkSync(`/proc/${pid}/fd/${descriptor}`) === link) return Number(pid);
      } catch {
        // Closed meanwhile.
      }
    }
  }
  return undefined;
}

/** Whether anybody listens on a TCP port, as far as the kernel tells: on Linux of all users. */
export function isTaken(port: number): boolean {
  return socketOn(port) !== undefined;
}

/** The kernel's tables of TCP sockets. */
const TABLES = ['/proc/net/tcp', '/proc/net/tcp6'];

/** The number of the socket that listens on a port: the tenth column, where the second ends in the port and the fourth says so. */
function socketOn(port: number): string | undefined {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const rows = TABLES.flatMap((table) => read(table).split('\n')).map((line) => line.trim().split(/\s+/));
  return rows.find((row) => row[1]?.endsWith(suffix) === true && row[3] === LISTENS)?.[9];
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

/** The state TCP_LISTEN, as the kernel writes it. */
const LISTENS = '0A';

function names(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
