/** The version of the package that this program is of. */
import { readFileSync } from 'node:fs';

/** As in its package.json. */
export function version(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
