/** Tests run against the built package, each file in a process of its own, as its users' programs do. */
export default {
  files: ['__test__/**/*.spec.ts'],
  extensions: { ts: 'module' },
  nodeArguments: ['--import=tsx'],
  // tsx can't be loaded into ava's worker threads on Node 20.
  workerThreads: false,
  concurrency: 2,
  timeout: '2m',
};
