#!/usr/bin/env node
/**
 * The program `troupe`. Imports nothing before it has looked at the version of Node: a Node that is too old fails at an import already,
 * with words that help nobody.
 */

/** The oldest Node that the package runs on; package.json says the same to package managers. */
const LEAST = [20, 19] as const;

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major > LEAST[0] || (major === LEAST[0] && minor >= LEAST[1])) {
  await import('./run.ts');
} else {
  console.error(
    `error: troupe needs Node ${LEAST.join('.')} or later, and this is ${process.versions.node} (${process.execPath}). ` +
      'Install a newer one (https://nodejs.org), or choose one that is there, as by `nvm use 24`.',
  );
  process.exitCode = 1;
}
