// The names of platforms: as Rust writes them (x86_64-unknown-linux-gnu) and as Node does (linux-x64-gnu).
import { readdirSync } from 'node:fs';
import { Failure, root } from './shell.mjs';

/** Every platform troupe can be built for: what npm has to know to install its package only there, and its Rust target. */
const platforms = [
  { name: 'linux-x64-gnu', os: 'linux', cpu: 'x64', libc: 'glibc', target: 'x86_64-unknown-linux-gnu' },
  { name: 'linux-x64-musl', os: 'linux', cpu: 'x64', libc: 'musl', target: 'x86_64-unknown-linux-musl' },
  { name: 'linux-arm64-gnu', os: 'linux', cpu: 'arm64', libc: 'glibc', target: 'aarch64-unknown-linux-gnu' },
  { name: 'linux-arm64-musl', os: 'linux', cpu: 'arm64', libc: 'musl', target: 'aarch64-unknown-linux-musl' },
  { name: 'darwin-x64', os: 'darwin', cpu: 'x64', target: 'x86_64-apple-darwin' },
  { name: 'darwin-arm64', os: 'darwin', cpu: 'arm64', target: 'aarch64-apple-darwin' },
];

function find(property, value) {
  const found = platforms.find((platform) => platform[property] === value);
  if (found) return found;
  throw new Failure(
    `troupe is not built for ${value}. It is for ${platforms.map((platform) => platform[property]).join(', ')}.`,
  );
}

/** The platform of a Rust target. */
export const platformOf = (target) => find('target', target);

/** The platform of a name, such as `linux-x64-gnu`. */
export const platformNamed = (name) => find('name', name);

/** The name of the library that cargo makes for a platform. */
export const libraryFile = ({ os }) => `libtroupe_bindings.${os === 'darwin' ? 'dylib' : 'so'}`;

/** The add-on's file name on a platform, beside the package's root. */
export const addonFile = (name) => `troupe.${name}.node`;

/** The name of the program that cargo makes beside it. */
export const SUPERVISOR = 'troupe-supervisor';

/** The supervisor's file name on a platform, beside the package's root. */
export const supervisorFile = (name) => `${SUPERVISOR}.${name}`;

/** The platforms for which an add-on lies beside the package's root. */
export function builtPlatforms() {
  return readdirSync(root)
    .map((file) => /^troupe\.(.+)\.node$/.exec(file)?.[1])
    .filter(Boolean)
    .sort();
}
