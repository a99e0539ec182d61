// The names of platforms: as Rust writes them (x86_64-unknown-linux-gnu) and as Node does (linux-x64-gnu).
import { readdirSync } from 'node:fs';
import { Failure, root } from './shell.mjs';

const architectures = { x86_64: 'x64', aarch64: 'arm64' };

/** The platform of a Rust target, and what npm has to know to install its package only there. */
export function platformOf(target) {
  const [architecture, , system, abi] = target.split('-');
  const cpu = architectures[architecture];
  if (cpu && system === 'linux' && (abi === 'gnu' || abi === 'musl')) {
    return {
      name: `linux-${cpu}-${abi}`,
      os: 'linux',
      cpu,
      libc: abi === 'gnu' ? 'glibc' : 'musl',
      library: 'libtroupe_bindings.so',
    };
  }
  if (cpu && system === 'darwin')
    return { name: `darwin-${cpu}`, os: 'darwin', cpu, library: 'libtroupe_bindings.dylib' };
  throw new Failure(`troupe is not built for ${target}: Linux and macOS, x64 and arm64.`);
}

/** The add-on's file name on a platform, beside the package's root. */
export const addonFile = (name) => `troupe.${name}.node`;

/** The platforms for which an add-on lies beside the package's root. */
export function builtPlatforms() {
  return readdirSync(root)
    .map((file) => /^troupe\.(.+)\.node$/.exec(file)?.[1])
    .filter(Boolean)
    .sort();
}
