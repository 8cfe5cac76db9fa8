/**
 * `npm run test:conformance`: every implementation over the corpus and over mutations of it. Needs the
 * toolchains of all languages of bindings/; `npm run conformance` runs with those that are there.
 */

export default {
  extensions: { ts: 'module' },
  nodeArguments: ['--import=tsx'],
  workerThreads: false,
  files: ['test/conformance/*.conformance.ts'],
  // Each of them keeps all processors busy.
  concurrency: 1,
  timeout: '20m',
}
