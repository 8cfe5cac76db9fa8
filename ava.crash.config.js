/** `npm run test:crash`: real processes that are killed, and whose calls fail. */

export default {
  extensions: { ts: 'module' },
  nodeArguments: ['--import=tsx'],
  workerThreads: false,
  files: ['test/crash/*.test.ts'],
  // Each of them uses all processors.
  concurrency: 1,
  timeout: '10m',
}
