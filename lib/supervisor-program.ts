/**
 * Finds the supervisor's program by the rules of the add-on: in the platform's own package, or, in a checkout, the file that
 * `npm run build` leaves at the package's root.
 */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { platforms } from './native.ts';

const require = createRequire(import.meta.url);

/** The path of the program; throws, with the places that were looked at, where none is. */
export function supervisorProgram(): string {
  const tried: string[] = [];
  for (const platform of platforms) {
    const file = `troupe-supervisor.${platform}`;
    try {
      tried.push(join(dirname(require.resolve(`@troupe/${platform}/package.json`)), file));
    } catch {
      tried.push(`package @troupe/${platform}`);
    }
    tried.push(fileURLToPath(new URL(`../${file}`, import.meta.url)));
  }
  const found = tried.find((path) => existsSync(path));
  if (found !== undefined) return found;
  throw new Error(
    [
      `troupe has no supervisor for this platform (${process.platform} ${process.arch}). Looked for`,
      ...tried.map((line) => `  ${line}`),
      'If a package of the list exists for this platform, install again without `--omit=optional`.',
      'Otherwise build it: in a checkout of the sources of troupe, with Rust 1.88 or later, run `npm ci && npm run build`.',
    ].join('\n'),
  );
}
