/**
 * Finds and loads the native add-on: the platform's own package beside this one, or, in a checkout, the file that
 * `npm run build` leaves at the package's root. Nothing is downloaded and nothing is built here.
 */
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import type * as Bindings from '../bindings/native.d.ts';

/** What the add-on exports. */
export type Native = typeof Bindings & {
  /** Opens the port of this isolate, once; returns its `flush(text, records, deliver)`. Raw, for it is the one hot call. */
  openPort(
    outgoing: Uint32Array,
    incoming: Uint32Array,
    stash: (...texts: string[]) => void,
    wake: () => void,
  ): (text: string, records: number, deliver: boolean) => void;
};

const require = createRequire(import.meta.url);

/** The platforms whose builds may fit here. On Linux the C library decides which does; the package manager installs only that one. */
export const platforms =
  process.platform === 'linux'
    ? [`linux-${process.arch}-gnu`, `linux-${process.arch}-musl`]
    : [`${process.platform}-${process.arch}`];

function load(): Native {
  const tried: string[] = [];
  let cause: unknown;
  for (const platform of platforms) {
    const file = fileURLToPath(new URL(`../troupe.${platform}.node`, import.meta.url));
    for (const [specifier, label] of [
      [`@troupe/${platform}`, `package @troupe/${platform}`],
      [file, `file ${file}`],
    ] as const) {
      try {
        return require(specifier) as Native;
      } catch (error) {
        const absent = (error as NodeJS.ErrnoException).code === 'MODULE_NOT_FOUND';
        tried.push(`${label}: ${absent ? 'not there' : (error as Error).message}`);
        // One that is there and does not load says more than those that are absent.
        if (!absent) cause ??= error;
      }
    }
  }
  const fits = `for this platform (${process.platform} ${process.arch}, Node ${process.versions.node})`;
  const words = [
    cause === undefined
      ? `troupe has no native add-on ${fits}. Looked for`
      : `troupe's native add-on does not load ${fits}:`,
    ...tried.map((line) => `  ${line}`),
    ...(cause === undefined
      ? ['If a package of the list exists for this platform, install again without `--omit=optional`.']
      : ['It was installed on another machine, or it is damaged: remove node_modules and install again on this one.']),
    'Otherwise build it: in a checkout of the sources of troupe, with Rust 1.88 or later, run `npm ci && npm run build`;',
    'the add-on it leaves there is the file named above.',
  ];
  const error = new Error(words.join('\n'), cause === undefined ? undefined : { cause });
  throw Object.assign(error, { code: 'NO_NATIVE_ADDON' });
}

/** The add-on, loaded once a process and isolate. */
export const native: Native = load();
