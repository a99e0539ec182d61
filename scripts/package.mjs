// `npm run package`: the installable tarballs in dist-packages/: the main package, and one for each platform whose add-on and
// supervisor lie beside the package's root (on a developer's machine that is its own; the release workflow gathers all of them first).
import { chmodSync, copyFileSync, cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { addonFile, builtPlatforms, platformNamed, supervisorFile } from './platform.mjs';
import { capture, Failure, isMain, main, readJson, root, say } from './shell.mjs';
import { setUp } from './setup.mjs';

/** What may be in the main package, besides package.json. */
const allowed =
  /^(dist\/[\w./-]+\.js|dist\/page\/[\w./-]+\.(html|css|svg|txt)|dist\/cli\/templates\/[\w./-]+|dist\/troupe\.schema\.json|index\.d\.ts|README\.md|CHANGELOG\.md|LICENSE)$/;

/** What the main package says of itself as this tree does, in this order. */
const MAIN_FIELDS = [
  ...['name', 'version', 'description', 'keywords', 'license', 'type', 'engines', 'exports', 'imports', 'types', 'bin'],
  ...['files', 'dependencies'],
];

function writeManifest(folder, manifest) {
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
}

/** The main package: what runs, its types, and the platforms' packages as options of which npm installs the one that fits. */
function stageMain(folder, platforms) {
  const own = readJson('package.json');
  const optionalDependencies = Object.fromEntries(platforms.map((platform) => [`@troupe/${platform}`, own.version]));
  const taken = Object.fromEntries(MAIN_FIELDS.map((field) => [field, own[field]]));
  writeManifest(folder, { ...taken, optionalDependencies });
  for (const file of ['index.d.ts', 'README.md', 'CHANGELOG.md', 'LICENSE'])
    copyFileSync(join(root, file), join(folder, file));
  cpSync(join(root, 'dist'), join(folder, 'dist'), { recursive: true, filter: (path) => !path.endsWith('.d.ts') });
}

/** A platform's package: its add-on, its supervisor and nothing else. */
function stagePlatform(folder, platform) {
  const { version, license, engines } = readJson('package.json');
  const { os, cpu, libc } = platformNamed(platform);
  const files = filesOf(platform);
  writeManifest(folder, {
    name: `@troupe/${platform}`,
    version,
    description: `The native add-on and the supervisor of troupe for ${platform}.`,
    license,
    engines,
    os: [os],
    cpu: [cpu],
    ...(libc ? { libc: [libc] } : {}),
    main: addonFile(platform),
    files,
  });
  for (const file of files) copyFileSync(join(root, file), join(folder, file));
  chmodSync(join(folder, supervisorFile(platform)), 0o755);
}

/** What a platform's package carries. */
const filesOf = (platform) => [addonFile(platform), supervisorFile(platform)];

/** Packs a staged folder; resolves with the tarball's name and the files in it. */
async function packFolder(folder, destination) {
  const printed = await capture(
    'npm',
    ['pack', '--json', '--ignore-scripts', '--loglevel=error', '--pack-destination', destination],
    { cwd: folder },
  );
  const [packed] = Object.values(JSON.parse(printed));
  return { tarball: packed.filename, files: packed.files };
}

/** Makes all tarballs; resolves with their names. */
export async function packAll(destination = join(root, 'dist-packages')) {
  const staging = join(root, '.cache', 'package');
  rmSync(staging, { recursive: true, force: true });
  rmSync(destination, { recursive: true, force: true });
  mkdirSync(destination, { recursive: true });
  const platforms = builtPlatforms();
  const tarballs = [];
  for (const name of ['main', ...platforms]) {
    const folder = join(staging, name);
    mkdirSync(folder, { recursive: true });
    if (name === 'main') stageMain(folder, platforms);
    else stagePlatform(folder, name);
    const { tarball, files } = await packFolder(folder, destination);
    const fits = (path) => (name === 'main' ? allowed.test(path) : filesOf(name).includes(path));
    const strangers = files.map(({ path }) => path).filter((path) => path !== 'package.json' && !fits(path));
    if (strangers.length > 0) throw new Failure(`${tarball} holds what no user needs: ${strangers.join(', ')}`);
    const supervisor = files.find(({ path }) => name !== 'main' && path === supervisorFile(name));
    if (name !== 'main' && !(supervisor?.mode & 0o100))
      throw new Failure(`${tarball} holds no supervisor that can be run: ${supervisorFile(name)}`);
    tarballs.push(tarball);
  }
  return tarballs;
}

if (isMain(import.meta.url)) {
  await main(async () => {
    await setUp();
    say('packing …');
    for (const tarball of await packAll()) say(`dist-packages/${tarball}`);
  });
}
