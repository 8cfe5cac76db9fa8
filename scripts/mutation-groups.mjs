/**
 * What is mutated, and the files of the tests that have to notice it: as few as do. Without those of
 * their tests that take long where each step is counted, and that others make unnecessary here. Of
 * what is kept for the rest of a process, `runs` is how many mutants share one.
 */
export const groups = {
  verifier: {
    mutate: ['src/format/flatbuffer-verifier.ts'],
    tests: ['test/format/flatbuffer-verifier.test.ts'],
    without: [
      'a long list of maps of an empty map is accepted: nothing that encode makes runs out of budget',
      'nine hundred thousand aliases of one table are refused',
      'the attributes of a checkpoint can be no such bomb',
    ],
  },
  rules: { mutate: ['src/format/rules.ts'], tests: ['test/format/rules.test.ts'] },
  decode: { mutate: ['src/format/decode.ts'], tests: ['test/format/decode.test.ts'] },
  head: { mutate: ['src/format/head.ts'], tests: ['test/format/head.test.ts'] },
  text: { mutate: ['src/format/text.ts'], tests: ['test/format/text.test.ts'] },
  layout: { mutate: ['src/format/layout.ts'], tests: ['test/format/layout.test.ts'] },
  tensors: {
    mutate: ['src/format/tensor-table.ts'],
    tests: [
      'test/format/tensor-table.test.ts',
      'test/format/decode.test.ts',
      'test/format/rules.test.ts',
    ],
  },
  names: { mutate: ['src/format/name-index.ts'], tests: ['test/format/name-index.test.ts'] },
  segments: {
    mutate: ['src/format/segment-table.ts'],
    tests: ['test/format/segment-table.test.ts'],
  },
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
  },
  temporary: {
    mutate: ['src/io/file/temporary-file.ts'],
    tests: ['test/io/file/temporary-file.test.ts'],
    // It finds out once for a process which machine it is on.
    runs: 1,
  },
  'write-out': { mutate: ['src/io/file/write-out.ts'], tests: ['test/io/file/write-out.test.ts'] },
  writer: {
    mutate: ['src/save/segment-writer.ts', 'src/save/staging-area.ts'],
    tests: ['test/save/segment-writer.test.ts', 'test/save/staging-area.test.ts'],
  },
  concurrency: { mutate: ['src/io/concurrency.ts'], tests: ['test/io/concurrency.test.ts'] },
  metadata: { mutate: ['src/load/metadata.ts'], tests: ['test/load/metadata.test.ts'] },
  segment: {
    mutate: ['src/load/segment.ts'],
    tests: ['test/load/segment.test.ts'],
  },
  source: { mutate: ['src/io/file/file-source.ts'], tests: ['test/io/file/file-source.test.ts'] },
  map: {
    mutate: ['src/io/file/map-source.ts', 'src/io/file/mapping.ts'],
    tests: ['test/io/file/mapping.test.ts', 'test/io/file/map-source.test.ts'],
  },
  pieces: { mutate: ['src/io/pieces.ts'], tests: ['test/io/pieces.test.ts'] },
  check: { mutate: ['src/load/verify.ts'], tests: ['test/load/verify.test.ts'] },
  combine: {
    mutate: ['src/format/checksum-combine.ts'],
    tests: ['test/format/checksum-combine.test.ts'],
  },
  save: {
    mutate: ['src/save/write.ts', 'src/save/segments.ts'],
    tests: ['test/save/segments.test.ts', 'test/save/write.test.ts'],
  },
  plan: {
    mutate: ['src/save/plan.ts', 'src/save/collect.ts'],
    tests: ['test/save/plan.test.ts', 'test/save/collect.test.ts'],
  },
}
