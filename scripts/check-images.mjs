// The Dockerfiles that `troupe init` writes: a linter reads them, and what they make is run as process 1 without a container engine, see
// image.mjs. Two of them share a folder, as containers share a volume, and find each other.
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { checkNamespaces, childrenOf, Image, statusOf } from './image.mjs';
import { packAll } from './package.mjs';
import { attempt, Failure, isMain, main, root, run } from './shell.mjs';
import { setUp } from './setup.mjs';
import { pythonWith } from './toolbox.mjs';

/** On an idle machine the programs of both images are up, and down, in a few seconds. */
const PATIENCE = 60_000;

/** What is in a project that its programs do not need. */
const DEVELOPMENT = /node_modules\/(?:tsx|typescript|@types)(?:\/|$)/;

/** A project as `troupe init` writes it, with the tarballs for the package that is in no registry. */
async function project(work) {
  const tarballs = (await packAll()).map((name) => {
    copyFileSync(join(root, 'dist-packages', name), join(work, name));
    return join('..', name);
  });
  await run(process.execPath, [join(root, 'dist', 'cli', 'main.js'), 'init', 'demo'], { cwd: work, quiet: true });
  const demo = join(work, 'demo');
  const options = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  await run('npm', ['install', ...options, ...tarballs], { cwd: demo, quiet: true });
  return demo;
}

async function lint(files) {
  const hadolint = join(dirname(await pythonWith('tools', join('scripts', 'python-tools.txt'))), 'hadolint');
  const { status, output } = await attempt(hadolint, ['--no-color', ...files], { quiet: true });
  if (status !== 0) throw new Failure(`hadolint:\n${output}`);
}

/** Asks again until it is so, at most as long as the whole check may take. */
async function eventually(isSo, otherwise) {
  for (const until = performance.now() + PATIENCE; !isSo(); await sleep(20))
    if (performance.now() > until) throw new Failure(otherwise());
}

/** It is process 1 of its namespace, by the user that the Dockerfile names, which is not root and can't become it. */
function isAlone(image, running) {
  const [user, group] = image.user.split(':');
  const [uids, gids] = [statusOf(running.first, 'Uid'), statusOf(running.first, 'Gid')];
  if (user === '0' || uids.some((id) => id !== user) || gids.some((id) => id !== group))
    throw new Failure(`it runs as user ${uids.join(' ')}, group ${gids.join(' ')}`);
  const number = statusOf(running.first, 'NSpid').at(-1);
  if (number !== '1') throw new Failure(`it is process ${number} of its namespace`);
}

/** What a process leaves behind becomes a child of process 1, which has to take it away when it ends. */
async function takesAway(running) {
  const before = childrenOf(running.first);
  const { first } = running;
  await run(
    'nsenter',
    ['--target', `${first}`, '--pid', 'sh', '-c', 'sleep 600 < /dev/null > /dev/null 2>&1 & exit 0'],
    { quiet: true },
  );
  const orphans = () => childrenOf(first).filter((pid) => !before.includes(pid));
  await eventually(
    () => orphans().length > 0,
    () => 'a process that was left behind did not become its child',
  );
  for (const pid of orphans()) process.kill(pid, 'SIGKILL');
  await eventually(
    () => orphans().length === 0,
    () => `a process that has ended is still there: ${statusOf(orphans()[0], 'State').join(' ')}`,
  );
}

/** Builds and runs them; resolves with what was found. */
export async function checkImages() {
  const templates = join(root, 'cli', 'templates', 'images');
  const names = readdirSync(templates);
  await lint(names.map((name) => join(templates, name, 'Dockerfile')));
  await checkNamespaces();
  const work = mkdtempSync(join(tmpdir(), 'troupe-images-'));
  const running = [];
  const end = () => running.forEach((each) => each.kill());
  const late = setTimeout(end, PATIENCE * 2);
  try {
    const demo = await project(work);
    const shared = join(work, 'tmp');
    mkdirSync(shared);
    chmodSync(shared, 0o1777);
    const images = new Map();
    for (const name of names) {
      const folder = join(work, name);
      mkdirSync(folder);
      // Where the project says they are, seen from the image's own folder.
      for (const file of readdirSync(work).filter((file) => file.endsWith('.tgz')))
        copyFileSync(join(work, file), join(folder, file));
      const image = await new Image(folder, demo).build(join(demo, 'images', name, 'Dockerfile'));
      const [tool] = image.files().filter((file) => DEVELOPMENT.test(file));
      if (tool) throw new Failure(`${name}: what is only for development is in the image: ${tool}`);
      images.set(name, image);
    }
    const start = (name) => {
      const each = images.get(name).start(shared);
      running.push(each);
      return each;
    };
    const runner = start('runner');
    await runner.until(/ is up/);
    const client = start('client');
    await client.until(/ says: Hello/);
    for (const [name, each] of [
      ['runner', runner],
      ['client', client],
    ]) {
      isAlone(images.get(name), each);
      await takesAway(each);
      process.kill(each.first, 'SIGTERM');
      const status = await each.ended;
      if (status !== 0) throw new Failure(`${name} ended with ${status} on SIGTERM:\n${each.output}`);
    }
    return `${names.join(' and ')}: linted, built, run as process 1 by a user that is not root, find each other, drained by SIGTERM`;
  } finally {
    clearTimeout(late);
    end();
    await Promise.all(running.map(({ ended }) => ended));
    rmSync(work, { recursive: true, force: true });
  }
}

if (isMain(import.meta.url)) {
  await main(async () => {
    await setUp();
    console.log(await checkImages());
  });
}
