/** `npm run test:large`: files of more than 4 GiB, and very many tensors. About 10 GB of memory. */

export default {
  extensions: { ts: 'module' },
  nodeArguments: ['--import=tsx'],
  workerThreads: false,
  files: ['test/large/*.test.ts'],
  // Without it these tests are skipped, also where all files of test/ are run.
  environmentVariables: { LIGHTWATCH_LARGE_TESTS: '1' },
  // Each of them takes most of the memory.
  concurrency: 1,
  timeout: '15m',
}
