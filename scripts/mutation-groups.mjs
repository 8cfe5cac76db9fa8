/** Files of src/, and the tests of each at the same place in test/. */
function mirrored(...files) {
  return {
    mutate: files.map((file) => `src/${file}.ts`),
    tests: files.map((file) => `test/${file}.test.ts`),
  }
}

/**
 * The files to mutate, and the tests that must notice a mutant: as few as suffice. It leaves out tests that take long
 * when each step is counted and that others make unnecessary. If a module keeps state for the rest of a process, `runs`
 * is the number of mutants that share one.
 */
export const groups = {
  verifier: {
    ...mirrored('format/flatbuffer-verifier'),
    without: [
      'a long list of maps of an empty map is accepted: nothing that encode makes runs out of budget',
      'nine hundred thousand aliases of one table are refused',
      'the attributes of a checkpoint can be no such bomb',
    ],
  },
  rules: mirrored('format/rules'),
  decode: mirrored('format/decode'),
  head: mirrored('format/head'),
  text: mirrored('format/text'),
  layout: mirrored('format/layout'),
  tensors: {
    mutate: ['src/format/tensor-table.ts'],
    tests: [
      'test/format/tensor-table.test.ts',
      'test/format/decode.test.ts',
      'test/format/rules.test.ts',
    ],
  },
  names: mirrored('format/name-index'),
  segments: mirrored('format/segment-table'),
  commit: {
    mutate: [
      'src/io/file/file-sink.ts',
      'src/io/file/destination.ts',
      'src/io/file/file-rights.ts',
    ],
    tests: [
      'test/io/file/file-sink.test.ts',
      'test/io/file/failed-rename.test.ts',
      'test/io/file/file-rights.test.ts',
    ],
    // Its process comes from dist/, where there is no mutant.
    without: [
      'without koffi a child keeps the access list, and without that the file is not wider',
    ],
  },
  temporary: {
    ...mirrored('io/file/temporary-file'),
    // It determines only once per process which machine it is on.
    runs: 1,
  },
  'write-out': mirrored('io/file/write-out'),
  writer: mirrored('save/segment-writer', 'save/staging-area'),
  concurrency: mirrored('io/concurrency'),
  metadata: mirrored('load/metadata'),
  segment: mirrored('load/segment'),
  source: mirrored('io/file/file-source'),
  map: mirrored('io/file/map-source', 'io/file/mapping'),
  pieces: mirrored('io/pieces'),
  check: mirrored('load/verify'),
  copy: {
    mutate: ['src/load/copy.ts', 'src/load/feed.ts'],
    tests: ['test/load/copy.test.ts', 'test/load/verify.test.ts'],
  },
  'shared-work': {
    ...mirrored('threads/shared-work'),
    // Its thread comes from dist/, where there is no mutant.
    without: ['what another thread has begun to copy is waited for'],
  },
  combine: mirrored('format/checksum-combine'),
  save: mirrored('save/write', 'save/segments'),
  plan: {
    mutate: ['src/save/plan.ts', 'src/save/collect.ts', 'src/save/steps.ts'],
    tests: ['test/save/plan.test.ts', 'test/save/collect.test.ts'],
  },
}
