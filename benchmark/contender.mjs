// One of the two sides of a figure, as the process that measures sees it: programs of its own, to which rounds are given one by one.
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const path = (name) => fileURLToPath(new URL(name, import.meta.url));

/** A process that does what it is told. */
class Process {
  #child;
  #waiting = [];
  #failure;

  constructor(module, env) {
    const execArgv = ['--expose-gc'];
    this.#child = fork(path('side.mjs'), [path(module)], { env: { ...process.env, ...env }, execArgv });
    this.#child.on('message', ({ value, failure }) => {
      const { resolve, reject } = this.#waiting.shift();
      if (failure === undefined) resolve(value);
      else reject(new Error(`${module}: ${failure}`));
    });
    this.#child.on('exit', (code, signal) => {
      this.#failure = new Error(`${module} ended with ${signal ?? code}`);
      for (const { reject } of this.#waiting.splice(0)) reject(this.#failure);
    });
  }

  tell(order) {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#child.send(order);
    });
  }

  async end() {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill('SIGKILL');
    await ended;
  }
}

/** One side of a figure. */
export class Contender {
  #processes = [];
  #start;

  /**
   * @param {'troupe' | 'mailbox' | 'tls'} name
   * @param {'local' | 'remote'} place
   * @param {string} folder Where its processes keep their files.
   */
  constructor(name, place, folder) {
    this.#start = async () => {
      const env = { TROUPE_HOME: folder, TROUPE_LOG: 'warn' };
      if (place === 'local') return this.#open(`${name}/local.mjs`, env);
      const settings = await this.#open(`${name}/server.mjs`, env, { folder });
      await this.#open(`${name}/client.mjs`, env, { folder, ...settings });
    };
  }

  async #open(module, env, settings = {}) {
    const process = new Process(module, env);
    this.#processes.push(process);
    return process.tell({ settings });
  }

  /** Starts its processes, if they do not run. */
  async start() {
    if (this.#processes.length === 0) await this.#start();
  }

  /** Does one round; gives its value, and the CPU time of all its processes in microseconds. */
  async round(work, count) {
    const before = await this.#usage();
    const value = await this.#processes.at(-1).tell({ work, count });
    return { value, cpu: (await this.#usage()) - before };
  }

  async #usage() {
    const used = await Promise.all(this.#processes.map((process) => process.tell({ usage: true })));
    return used.reduce((sum, value) => sum + value, 0);
  }

  /** Ends its processes. */
  async end() {
    await Promise.all(this.#processes.splice(0).map((process) => process.end()));
  }
}
