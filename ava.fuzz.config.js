/**
 * `npm run test:fuzz`: seeded runs of the fuzzer, and of our verifier against the one for C++. Needs
 * g++, flatc and its C++ headers (Debian: g++, flatbuffers-compiler, libflatbuffers-dev).
 */

export default {
  extensions: { ts: 'module' },
  nodeArguments: ['--import=tsx'],
  workerThreads: false,
  files: ['test/fuzz/**/*.fuzz.ts'],
  // Each of them uses all processors.
  concurrency: 1,
  timeout: '10m',
}
