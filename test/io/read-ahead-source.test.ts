import test from 'ava'
import { BlobSource } from '../../src/io/blob-source.js'
import { MemorySource } from '../../src/io/memory-source.js'
import { ReadAheadSource } from '../../src/io/read-ahead-source.js'
import fc from '../support/fast-check.js'
import { scattered } from '../support/patterns.js'
import { sourceConforms } from '../support/source-conformance.js'

const MIB = 2 ** 20
const BYTES = scattered(3 * MIB + 17)

/** A source of BYTES that counts how often it is asked. */
function counted() {
  const blob = new BlobSource(new Blob([BYTES]))
  const reads: { readonly position: number; readonly length: number }[] = []
  let closed = false
  return {
    reads,
    isClosed: () => closed,
    source: new ReadAheadSource({
      kind: 'blob',
      size: blob.size,
      read(target, position) {
        reads.push({ position, length: target.byteLength })
        return blob.read(target, position)
      },
      checkUnchanged: async () => {},
      close() {
        closed = true
      },
    }),
  }
}

const range = fc
  .tuple(
    fc.nat(BYTES.length),
    fc.oneof(fc.nat(100), fc.nat(BYTES.length), fc.constantFrom(MIB, MIB - 1)),
  )
  .map(([position, length]) => ({
    position,
    length: Math.min(length, BYTES.length - position),
  }))

test('whatever is read in whatever order is what the source has', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(range, { maxLength: 20 }), fc.boolean(), async (ranges, together) => {
      const { source } = counted()
      const read = async ({ position, length }: (typeof ranges)[number]) => {
        const target = new Uint8Array(length)
        await source.read(target, position)
        return Buffer.compare(target, BYTES.subarray(position, position + length)) === 0
      }
      if (together) return (await Promise.all(ranges.map(read))).every(Boolean)
      for (const one of ranges) if (!(await read(one))) return false
      return true
    }),
    { numRuns: 40 },
  )
  t.pass()
})

test('small reads one after the other ask the source once a mebibyte', async (t) => {
  const { source, reads } = counted()
  const target = new Uint8Array(100)
  for (let position = 0; position + 100 <= 2 * MIB; position += 128) {
    await source.read(target, position)
  }
  t.true(reads.length <= 3, `${reads.length} reads`)
})

test('a large read goes straight through, and none goes beyond the end', async (t) => {
  const { source, reads } = counted()
  await source.read(new Uint8Array(2 * MIB), 5)
  t.deepEqual(reads, [{ position: 5, length: 2 * MIB }])
  await source.read(new Uint8Array(1), BYTES.length - 1)
  t.deepEqual(reads.at(-1), { position: BYTES.length - 1, length: 1 })
})

test('it is closed with its source, and keeps nothing of it', async (t) => {
  const { source, reads, isClosed } = counted()
  await source.read(new Uint8Array(10), 0)
  source.close()
  t.true(isClosed())
  await source.read(new Uint8Array(10), 0)
  t.is(reads.length, 2)
})

test('it can do at once what its source can', (t) => {
  const memory = new ReadAheadSource(new MemorySource(BYTES))
  t.is(memory.kind, 'memory')
  t.is(memory.size, BYTES.length)
  t.deepEqual(memory.view!(5, 3), BYTES.subarray(5, 8))
  const target = new Uint8Array(3)
  memory.readSync!(target, 5)
  t.deepEqual(target, BYTES.slice(5, 8))
  t.is(counted().source.readSync, undefined)
  t.is(counted().source.view, undefined)
})

sourceConforms('a Blob, read ahead', async (_t, bytes) => ({
  source: new ReadAheadSource(new BlobSource(new Blob([bytes as Uint8Array<ArrayBuffer>]))),
}))

sourceConforms('memory, read ahead', async (_t, bytes) => {
  const buffer = bytes.slice().buffer
  const change = () => void structuredClone(buffer, { transfer: [buffer] })
  const source = new ReadAheadSource(new MemorySource(new Uint8Array(buffer)))
  return { source, change, truncate: change }
})
