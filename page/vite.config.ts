/** Builds the page into dist/page/. Everything it loads is a file of its own there: the policy it is served under allows nothing else. */
import { join } from 'node:path';
import { defineConfig } from 'vite';

export default defineConfig({
  root: import.meta.dirname,
  // No address of the page leads to a configuration of somebody else's.
  envDir: false,
  build: {
    outDir: join(import.meta.dirname, '..', 'dist', 'page'),
    emptyOutDir: true,
    // What browsers had by the middle of 2023: `light-dark`, nesting and `@layer` are not used.
    target: 'es2022',
    // `data:` addresses are not allowed by `default-src 'self'`.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
});
