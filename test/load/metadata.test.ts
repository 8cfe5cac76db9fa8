import test from 'ava'
import { CheckpointError } from '../../src/errors.js'
import { decode } from '../../src/format/decode.js'
import { HEAD_LENGTH } from '../../src/format/head.js'
import { MemorySource } from '../../src/io/memory-source.js'
import { assertLittleEndian, readMetadata, readProgress } from '../../src/load/metadata.js'
import { modelContent, seal } from '../support/format/contents.js'
import { Patch } from '../support/format/patch.js'
import { sampleFile } from '../support/format/sample.js'

/** A file without a tensor, so all metadata, of that length; its config makes up for what lacks. */
function fileOf(length: number): Uint8Array {
  const rest = seal(modelContent([], {}, { config: '""' })).length
  for (let room = length - rest - 16; ; room++) {
    const file = seal(modelContent([], {}, { config: JSON.stringify('x'.repeat(room)) }))
    if (file.length === length) return file
  }
}

test('metadata is read in one piece where it lies in the head, and else in two', async (t) => {
  for (const [length, expected] of [
    [2_000, [[0, 2_000]]],
    [HEAD_LENGTH, [[0, HEAD_LENGTH]]],
    [
      10_000,
      [
        [0, HEAD_LENGTH],
        [HEAD_LENGTH, 10_000],
      ],
    ],
  ] as const) {
    const file = fileOf(length)
    const source = new MemorySource(file)
    const reads: [number, number][] = []
    const read = source.read.bind(source)
    source.read = (target, position) => {
      reads.push([position, position + target.byteLength])
      return read(target, position)
    }
    const { metadata, segments } = await readMetadata(source)
    t.deepEqual(metadata.progress, decode(file).progress)
    t.is(segments.size, 0)
    t.deepEqual(reads, expected as unknown)
  }
})

test('the progress alone is that of the metadata, and checked like it', async (t) => {
  const file = await sampleFile()
  const { metadata } = await readMetadata(new MemorySource(file))
  t.deepEqual(await readProgress(new MemorySource(file)), metadata.progress)
  const { bytes, root } = new Patch(file)
  bytes[root.position('epoch')]! ^= 1
  await t.throwsAsync(readProgress(new MemorySource(bytes)), { code: 'CKPT_METADATA_CHECKSUM' })
})

test('damaged metadata is an error with the expected and the actual checksum', async (t) => {
  const file = await sampleFile()
  const { bytes, root, view } = new Patch(file)
  const at = root.position('metadata_crc32')
  const actual = view.getUint32(at, true)
  view.setUint32(at, 7, true)
  const error = await t.throwsAsync(readMetadata(new MemorySource(bytes)), {
    instanceOf: CheckpointError,
    code: 'CKPT_METADATA_CHECKSUM',
  })
  t.like(error, { expected: 7, actual })
})

test.serial('a machine that is big-endian is told that it is', (t) => {
  const { of } = Uint16Array
  t.teardown(() => {
    Uint16Array.of = of
  })
  Uint16Array.of = () => new Uint16Array(Uint8Array.of(0, 1).buffer)
  t.throws(assertLittleEndian, { instanceOf: CheckpointError, code: 'CKPT_BIG_ENDIAN' })
})
