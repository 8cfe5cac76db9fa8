import * as fs from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import test from 'ava'
import { BlobSource } from '../../src/io/blob-source.js'
import { scratchFolder } from '../support/scratch.js'
import { sourceConforms } from '../support/source-conformance.js'

const BYTES = Uint8Array.from({ length: 1_000 }, (_, i) => (i * 7) % 256)

test('any part of a Blob is read', async (t) => {
  const source = new BlobSource(new Blob([BYTES.slice(0, 300), BYTES.slice(300)]))
  t.is(source.size, 1_000)
  t.false('view' in source)
  t.false('readSync' in source)
  for (const [position, length] of [
    [0, 1_000],
    [0, 0],
    [299, 2],
    [999, 1],
  ] as const) {
    const target = new Uint8Array(length)
    await source.read(target, position)
    t.deepEqual(target, BYTES.slice(position, position + length))
  }
  await source.checkUnchanged()
  source.close()
})

test('a long read asks for no more than 64 MiB at once, and puts them together in order', async (t) => {
  const asked: number[] = []
  const size = 3 * 2 ** 26
  // Of a Blob, what is read: a real one of that size would take as much memory again.
  const blob = {
    size,
    slice(start: number, end: number) {
      asked.push(end - start)
      return {
        async arrayBuffer() {
          const piece = new Uint8Array(end - start)
          piece[0] = 1 + start / 2 ** 26
          return piece.buffer
        },
      }
    },
  } as unknown as Blob
  const target = new Uint8Array(2.5 * 2 ** 26)
  await new BlobSource(blob).read(target, 0)
  t.deepEqual(asked, [2 ** 26, 2 ** 26, 2 ** 25])
  t.deepEqual([target[0], target[2 ** 26], target[2 ** 27]], [1, 2, 3])
})

test('a Blob that ends before its size is an error', async (t) => {
  const { slice } = new Blob([BYTES])
  const blob = { size: 2_000, slice: slice.bind(new Blob([BYTES])) } as unknown as Blob
  await t.throwsAsync(new BlobSource(blob).read(new Uint8Array(500), 800), {
    code: 'CKPT_FILE_CHANGED',
  })
})

test('a Blob of a file that is changed after it was chosen cannot be read', async (t) => {
  const path = join(await scratchFolder(t), 'file')
  fs.writeFileSync(path, BYTES)
  const source = new BlobSource(await fs.openAsBlob(path))
  const target = new Uint8Array(1_000)
  await source.read(target, 0)
  t.deepEqual(target, BYTES)
  // Further than the steps in which the system's clock for files advances.
  await setTimeout(50)
  fs.writeFileSync(path, 'something else')
  const error = await t.throwsAsync(source.read(target, 0), { code: 'CKPT_READ' })
  t.like(error?.cause, { name: 'NotReadableError' })
})

sourceConforms('a Blob', async (_t, bytes) => ({
  source: new BlobSource(new Blob([bytes as Uint8Array<ArrayBuffer>])),
}))
