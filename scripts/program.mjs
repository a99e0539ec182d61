// Starts a TypeScript program of this project the way its users would: by plain `node` where it strips types, else with tsx.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { root } from './shell.mjs';

/** What stands before the file on node's command line. */
export const nodeArguments = process.features.typescript
  ? ['--disable-warning=ExperimentalWarning']
  : ['--import', new URL('../node_modules/tsx/dist/loader.mjs', import.meta.url).href];

/**
 * Starts a program. `onLine(line, stream)` gets each line of what it prints. Resolves at its end with its status; `child` can be
 * signalled meanwhile.
 */
export function startProgram(file, { env, onLine }) {
  const child = spawn(process.execPath, [...nodeArguments, file], {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  for (const stream of ['stdout', 'stderr'])
    createInterface({ input: child[stream] }).on('line', (line) => onLine(line, stream));
  const ended = new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (status, signal) => resolve(status ?? signal));
  });
  return { child, ended };
}
