/** `npm run test:power`: power cuts and failing disks, on file systems of the tests' own. Needs root. */

export default {
  extensions: { ts: 'module' },
  nodeArguments: ['--import=tsx'],
  workerThreads: false,
  files: ['test/power/*.test.ts'],
  concurrency: 2,
  timeout: '10m',
}
