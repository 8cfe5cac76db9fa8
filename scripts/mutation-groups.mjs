/** What is mutated, and the tests that have to notice it: few enough to run in seconds. */
export const groups = {
  head: { mutate: ['src/format/head.ts'], tests: ['test/format/head.test.ts'] },
  text: { mutate: ['src/format/text.ts'], tests: ['test/format/text.test.ts'] },
  layout: { mutate: ['src/format/layout.ts'], tests: ['test/format/layout.test.ts'] },
  verifier: {
    mutate: ['src/format/flatbuffer-verifier.ts'],
    tests: ['test/format/flatbuffer-verifier.test.ts'],
  },
  rules: { mutate: ['src/format/rules.ts'], tests: ['test/format/rules.test.ts'] },
  decode: { mutate: ['src/format/decode.ts'], tests: ['test/format/decode.test.ts'] },
  reader: {
    mutate: ['src/read-metadata.ts', 'src/segment-reader.ts'],
    tests: ['test/load.test.ts', 'test/restore.test.ts', 'test/checkpoint.test.ts'],
  },
  source: { mutate: ['src/io/file-source.ts'], tests: ['test/io/file-source.test.ts'] },
  commit: {
    mutate: ['src/io/file-sink.ts', 'src/io/temporary-file.ts'],
    tests: ['test/io/file-sink.test.ts', 'test/io/temporary-file.test.ts'],
  },
  writer: { mutate: ['src/write-checkpoint.ts'], tests: ['test/write-checkpoint.test.ts'] },
}
