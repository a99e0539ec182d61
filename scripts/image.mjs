// What a Dockerfile makes, without a container engine: its steps are followed in a folder, and its program is run as process 1 of a
// namespace, as its user, with that folder for the root of its files. The base image is this machine's own /usr and the Node that FROM names.
import { spawn } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import dockerfileAst from 'dockerfile-ast';
import { attempt, Failure, NotHere, root, run } from './shell.mjs';
import { nodeOf, programOf } from './toolbox.mjs';

/** What a process of the image finds in its environment before ENV. */
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Mounts what an image has beside its files, then becomes its program. `$1`: root, `$2`: a folder for /tmp, `$3`: user, then the program. */
const BECOME = `
  set -e
  root=$1 tmp=$2 user=$3; shift 3
  mount --bind -o ro /usr "$root/usr"
  mount --bind -o ro "$root/local" "$root/usr/local"
  mount --bind -o ro /etc "$root/etc"
  mount --rbind /dev "$root/dev"
  mount -t proc proc "$root/proc"
  mount --bind "$tmp" "$root/tmp"
  exec chroot --userspec="$user" "$root" "$@"
`;

/** Fails where this machine can't run an image so. */
export async function checkNamespaces() {
  const { status, output } = await attempt('unshare', ['--mount', '--pid', '--fork', 'true'], { quiet: true });
  if (status !== 0) throw new NotHere(`this system gives no namespace of processes and mounts: ${output.trim()}`);
}

/** The folder of a Debian package's files, fetched once. */
async function debianPackage(name) {
  const folder = join(root, '.cache', 'tools', `debian-${name}`);
  const files = join(folder, 'files');
  if (existsSync(files)) return files;
  mkdirSync(folder, { recursive: true });
  const { status, output } = await attempt('apt-get', ['download', '--quiet', name], { cwd: folder, quiet: true });
  if (status !== 0) throw new NotHere(`the Debian package ${name} can't be had (apt-get download): ${output.trim()}`);
  const [file] = readdirSync(folder).filter((entry) => entry.endsWith('.deb'));
  await run('dpkg', ['-x', file, 'files'], { cwd: folder, quiet: true });
  return files;
}

/** The steps of one Dockerfile, and what they come to. */
export class Image {
  #folder;
  #context;
  #work = '/';
  #env = { PATH };
  #user = '0:0';
  #entry = [];
  #command = [];

  /** `folder`: where it is made, with nothing in it; `context`: the folder of the project. */
  constructor(folder, context) {
    this.#folder = folder;
    this.#context = context;
  }

  /** Follows every step; fails at one that is not known here. */
  async build(file) {
    for (const name of ['usr', 'local/bin', 'etc', 'dev', 'proc', 'tmp'])
      mkdirSync(join(this.#folder, name), { recursive: true });
    // As mkdtemp makes it nobody else gets in.
    chmodSync(this.#folder, 0o755);
    for (const name of ['bin', 'sbin', 'lib', 'lib64']) {
      if (!existsSync(`/${name}`)) continue;
      if (!lstatSync(`/${name}`).isSymbolicLink()) throw new NotHere(`/${name} of this system is no part of /usr`);
      symlinkSync(readlinkSync(`/${name}`), join(this.#folder, name));
    }
    const steps = dockerfileAst.DockerfileParser.parse(readFileSync(file, 'utf8')).getInstructions();
    for (const step of steps) await this.#follow(step, file);
    return this;
  }

  async #follow(step, file) {
    const text = step.getRawArgumentsContent() ?? '';
    const list = () => step.getJSONStrings().map((part) => part.getJSONValue());
    switch (step.getKeyword()) {
      case 'FROM':
        return this.#base(text);
      case 'WORKDIR':
        this.#work = text;
        return void mkdirSync(this.#path(text), { recursive: true });
      case 'COPY':
        return this.#copy(text.split(/\s+/));
      case 'RUN':
        return this.#run(text);
      case 'ENV':
        for (const property of step.getProperties()) this.#env[property.getName()] = property.getValue();
        return;
      case 'USER':
        this.#user = text;
        return;
      case 'STOPSIGNAL':
        if (text !== 'SIGTERM') throw new Failure(`${file}: stops by ${text}`);
        return;
      case 'ENTRYPOINT':
        this.#entry = list();
        return;
      case 'CMD':
        this.#command = list();
        return;
      default:
        throw new Failure(`${file}: ${step.getKeyword()} is a step that scripts/image.mjs does not know`);
    }
  }

  #path(path) {
    return join(this.#folder, path.startsWith('/') ? path : join(this.#work, path));
  }

  async #base(name) {
    const [, major] = /^node:(\d+)-slim$/.exec(name) ?? [];
    if (!major) throw new Failure(`${name} is no small base with a Node that scripts/image.mjs knows`);
    const node = await nodeOf(major);
    if (!node) throw new NotHere('other versions of Node come from npm for Linux x64 only');
    cpSync(node, join(this.#folder, 'local', 'bin', 'node'));
  }

  #copy(words) {
    const target = words.at(-1);
    for (const source of words.slice(0, -1)) {
      const to = target.endsWith('/') ? join(target, basename(source)) : target;
      cpSync(join(this.#context, source), this.#path(to), { recursive: true });
    }
  }

  /** Packages of Debian are put beside what is there; all else is run in the folder, with a cache of npm's that is the image's own. */
  async #run(text) {
    if (!text.startsWith('apt-get update')) {
      const env = { PATH: process.env.PATH, HOME: this.#folder, npm_config_cache: join(this.#folder, 'npm-cache') };
      return void (await run('sh', ['-c', text], { cwd: this.#path('.'), env, quiet: true }));
    }
    const [, names = ''] = /apt-get install ([^&|;]+)/.exec(text) ?? [];
    for (const name of names.split(/[\s\\]+/).filter((word) => word && !word.startsWith('-'))) {
      const installed = programOf(name);
      const program = installed ?? join(await debianPackage(name), 'usr', 'bin', name);
      cpSync(program, join(this.#folder, 'local', 'bin', name));
    }
  }

  /** Paths of all files below the working folder of the image. */
  files() {
    return readdirSync(this.#path('.'), { recursive: true });
  }

  /** The user and group by which it runs. */
  get user() {
    return this.#user;
  }

  /** Runs its program; `tmp`: the folder that is its /tmp. */
  start(tmp) {
    const env = Object.entries(this.#env).map(([key, value]) => `${key}=${value}`);
    const program = ['/usr/bin/env', '-i', `--chdir=${this.#work}`, ...env, ...this.#entry, ...this.#command];
    const namespace = ['--mount', '--pid', '--fork', '--kill-child', 'sh', '-c', BECOME, 'sh'];
    return new Running(spawn('unshare', [...namespace, this.#folder, tmp, this.#user, ...program], { stdio: 'pipe' }));
  }
}

/** An image that runs. */
export class Running {
  /** What it has printed. */
  output = '';
  #child;
  #heard = () => {};

  constructor(child) {
    this.#child = child;
    child.stdin.end();
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        this.output += text;
        this.#heard();
      });
    }
    /** Its status, or the signal that ended it. */
    this.ended = new Promise((resolve) => {
      child.once('error', (error) => resolve(error.message));
      child.once('close', (status, signal) => resolve(status ?? signal));
    });
  }

  /** Resolves when it has printed that; fails when it ends before. */
  async until(words) {
    const printed = new Promise((resolve) => {
      this.#heard = () => words.test(this.output) && resolve();
      this.#heard();
    });
    const early = await Promise.race([printed, this.ended.then((status) => ({ status }))]);
    if (early) throw new Failure(`it ended with ${early.status} before ${words}:\n${this.output}`);
  }

  /** Its process 1, by the number it has outside. */
  get first() {
    return childrenOf(this.#child.pid)[0];
  }

  /** Ends it and all that it started. A program that has changed its user does not end with the one that started it. */
  kill() {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const { first } = this;
    if (first !== undefined) process.kill(first, 'SIGKILL');
    this.#child.kill('SIGKILL');
  }
}

/** Numbers of the processes whose parent this is, those that have ended and wait to be taken away included. */
export function childrenOf(pid) {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return text.split(' ').filter(Boolean).map(Number);
}

/** A line of what the kernel says of a process. */
export function statusOf(pid, field) {
  return new RegExp(`^${field}:\\s*(.*)$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]?.split(/\s+/);
}
