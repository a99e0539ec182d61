// How the scripts speak and run other programs. Plain Node, no dependency: the first script runs before anything is installed.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The root of the project. */
export const root = fileURLToPath(new URL('..', import.meta.url)).replace(/[/\\]$/, '');

const coloured = process.stdout.isTTY && !process.env.NO_COLOR;
const paint = (code) => (text) => (coloured ? `\u001b[${code}m${text}\u001b[0m` : String(text));

/** Colours for a terminal; elsewhere the text as it is. */
export const colour = {
  bold: paint('1'),
  dim: paint('2'),
  red: paint('31'),
  green: paint('32'),
  yellow: paint('33'),
  blue: paint('34'),
  magenta: paint('35'),
  cyan: paint('36'),
};

/** Tells the person who waits what is being done. */
export function say(text) {
  console.log(`${colour.cyan('›')} ${text}`);
}

/** A failure that explains itself: printed without a stack. */
export class Failure extends Error {}

/** A check that can't be done here: named with its reason, and not counted as passed. */
export class NotHere extends Failure {}

/** Whether this module is the one that `node` was given. */
export const isMain = (url) => process.argv[1] === fileURLToPath(url);

/** Runs a script's body; what fails is printed for a person and ends the process with status 1. */
export async function main(body) {
  try {
    await body();
  } catch (error) {
    console.error(`\n${colour.red('✗')} ${error instanceof Failure ? error.message : (error?.stack ?? error)}`);
    process.exitCode = 1;
  }
}

/** The environment with the installed tools first in the PATH. */
export function toolEnv(extra = {}) {
  return {
    ...process.env,
    PATH: `${join(root, 'node_modules', '.bin')}${delimiter}${process.env.PATH ?? ''}`,
    ...extra,
  };
}

/**
 * Runs a program and resolves with its status and, with `quiet`, what it printed: `output` holds both streams in order, `stdout` the
 * one. A program that can't be started has the status 127, as in a shell.
 */
export function attempt(command, args = [], { cwd = root, env = toolEnv(), quiet = false } = {}) {
  return new Promise((resolve) => {
    const channel = quiet ? 'pipe' : 'inherit';
    const child = spawn(command, args, { cwd, env, stdio: ['ignore', channel, channel] });
    let output = '';
    let stdout = '';
    child.stdout?.setEncoding('utf8').on('data', (text) => ((output += text), (stdout += text)));
    child.stderr?.setEncoding('utf8').on('data', (text) => (output += text));
    child.once('error', (error) => resolve({ status: 127, output: error.message, stdout }));
    child.once('close', (status, signal) => resolve({ status: status ?? signal, output, stdout }));
  });
}

/** As `attempt`, but a status other than 0 is a failure that says what was run. */
export async function run(command, args = [], options = {}) {
  const result = await attempt(command, args, options);
  if (result.status === 0) return result;
  const printed = result.output ? `\n${result.output}` : '';
  throw new Failure(`\`${[command, ...args].join(' ')}\` ended with ${result.status}${printed}`);
}

/** Runs a program to its end and resolves with what it printed to standard output. */
export const capture = async (command, args = [], options = {}) =>
  (await run(command, args, { ...options, quiet: true })).stdout;

/** A JSON file of the project. */
export const readJson = (path) => JSON.parse(readFileSync(join(root, path), 'utf8'));
