/** The page in a browser, against a made-up zone and real ones: `npm run verify -- page`, which finds the browser. */
export default {
  files: ['page/test/**/*.spec.ts'],
  extensions: { ts: 'module' },
  nodeArguments: ['--import=tsx'],
  workerThreads: false,
  // Each file has a browser of its own; two would compete for the frames that are counted.
  concurrency: 1,
  timeout: '3m',
};
